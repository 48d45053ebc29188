/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/gen_host.c: random hosts for diff-compile and property tests; the kernel differential
 * takes the host of its namespace instead. */
#include <errno.h>
#include <stdio.h>

#include "gen_internal.h"

struct ip gen_ip_in_prefix(struct rng *r, enum family f, struct ip prefix, unsigned len)
{
    struct ip random = {rng_next(r), rng_next(r)};
    return ip_or(prefix, ip_and(random, ip_not(f, ip_mask(f, len))));
}

static int add_route(struct host *h, enum family f, struct ip ip, unsigned len,
                     enum local_kind kind)
{
    int r = array_reserve(&h->local, &h->cap_local, h->n_local + 1, sizeof(*h->local));
    if (r < 0)
        return r;
    h->local[h->n_local++] = (struct local_route){.family = f,
                                                  .prefix = ip_and(ip, ip_mask(f, len)),
                                                  .prefix_len = (uint8_t)len,
                                                  .kind = kind};
    return 0;
}

/* One subnet: an address, its broadcast (or anycast) address, sometimes a prefix routed as local
 * with a hole in it. */
static int add_subnet(struct rng *r, struct host *h, enum family f)
{
    bool v4 = f == FAMILY_4;
    struct ip net = v4 ? (struct ip){0, 0x0a000000} : (struct ip){0x20010db800000000, 0};
    unsigned len = v4 ? 24 : 64;
    net = ip_and(gen_ip_in_prefix(r, f, net, v4 ? 8 : 32), ip_mask(f, len));
    int err = add_route(h, f, gen_ip_in_prefix(r, f, net, len), family_bits(f), LOCAL_UNICAST);
    if (err < 0)
        return err;
    err = v4 ? add_route(h, f, ip_or(net, ip_not(f, ip_mask(f, len))), 32, LOCAL_BROADCAST)
             : add_route(h, f, net, 128, LOCAL_ANYCAST);
    if (err < 0 || !once_in(r, 3))
        return err;
    struct ip any_ip = gen_ip_in_prefix(r, f, net, len);
    err = add_route(h, f, any_ip, len + 4, LOCAL_UNICAST);
    return err < 0 ? err : add_route(h, f, any_ip, len + 6, LOCAL_MULTICAST);
}

static int add_iface(struct rng *r, struct host *h)
{
    int err = array_reserve(&h->ifaces, &h->cap_ifaces, h->n_ifaces + 1, sizeof(*h->ifaces));
    if (err < 0)
        return err;
    struct iface *i = &h->ifaces[h->n_ifaces];
    *i = (struct iface){.ifindex = (uint32_t)h->n_ifaces + 2, .role = IFACE_NORMAL};
    snprintf(i->name, sizeof(i->name), "%s%u", once_in(r, 4) ? "ppp" : "if", i->ifindex);
    i->profile = (enum profile)rng_below(r, _PROFILE_MAX);
    i->zone = once_in(r, 8) ? 0 : (uint8_t)(h->n_ifaces + 1);
    i->dhcp4 = once_in(r, 3);
    i->dhcp6 = once_in(r, 3);
    h->n_ifaces++;
    return 0;
}

int gen_host(struct rng *r, struct host *ret)
{
    _cleanup_(host_done) struct host h = {0};
    int err = add_route(&h, FAMILY_4, (struct ip){0, 0x7f000000}, 8, LOCAL_UNICAST);
    for (unsigned n = 1 + rng_below(r, 3); err >= 0 && n; n--) {
        err = add_subnet(r, &h, FAMILY_4);
        if (err >= 0)
            err = add_subnet(r, &h, FAMILY_6);
        if (err >= 0)
            err = add_iface(r, &h);
    }
    if (err < 0)
        return err;
    *ret = h;
    h = (struct host){0};
    return 0;
}
