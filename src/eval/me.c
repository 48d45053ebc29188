/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/me.c: what `me` is (policy.md 2, datapath.md 5.2, 5.6). Called by eval.c once per packet.
 * Invariant: on the way in the source is never me, on the way out the destination never is. */
#include "internal.h"

bool ip_in_prefix(enum family f, struct ip ip, struct ip prefix, unsigned len)
{
    return ip_eq(ip_and(ip, ip_mask(f, len)), prefix);
}

enum local_kind local_kind_of(const struct host *h, enum family f, struct ip ip)
{
    const struct local_route *best = NULL;
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *r = &h->local[i];
        if (r->family != f || !ip_in_prefix(f, ip, r->prefix, r->prefix_len))
            continue;
        if (!best || r->prefix_len > best->prefix_len ||
            (r->prefix_len == best->prefix_len && r->kind < best->kind))
            best = r;
    }
    return best ? best->kind : LOCAL_NONE;
}

static bool is_multicast_or_broadcast(enum family f, struct ip ip)
{
    if (f == FAMILY_4)
        return ip_in_prefix(f, ip, (struct ip){0, 0xe0000000}, 4) || ip.lo == 0xffffffff;
    return ip_in_prefix(f, ip, (struct ip){0xff00000000000000, 0}, 8);
}

bool eval_src_is_me(const struct effective *e, const struct packet *p)
{
    if (p->meta.dir == DIR_IN)
        return false;
    return local_kind_of(e->host, p->family, p->src) == LOCAL_UNICAST;
}

bool eval_dst_is_me(const struct effective *e, const struct packet *p)
{
    if (p->meta.dir == DIR_OUT)
        return false;
    if (p->meta.to_host || is_multicast_or_broadcast(p->family, p->dst))
        return true;
    enum local_kind kind = local_kind_of(e->host, p->family, p->dst);
    return kind == LOCAL_UNICAST || kind == LOCAL_BROADCAST || kind == LOCAL_ANYCAST;
}
