/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rtnetlink reports, into the maps `ifrole`, `local4` and `local6` and to the hooks. Called
 * through rtnl's ops. An interface is attached first and gets its role last: until then it counts
 * as one of which nothing is known, which is judged most strictly. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "image.h"
#include "internal.h"

_Static_assert((int)PW_LOCAL_UNICAST == (int)LOCAL_UNICAST &&
                   (int)PW_LOCAL_BROADCAST == (int)LOCAL_BROADCAST &&
                   (int)PW_LOCAL_ANYCAST == (int)LOCAL_ANYCAST,
               "kinds of local routes");
_Static_assert((int)PW_ROLE_NORMAL == (int)IFACE_NORMAL && (int)PW_ROLE_PORT == (int)IFACE_PORT,
               "roles of interfaces");

union lpm_key {
    struct pw_lpm4 v4;
    struct pw_lpm6 v6;
};

static int lpm_key(const struct datapath *dp, const struct local_route *l, union lpm_key *ret_key)
{
    memset(ret_key, 0, sizeof(*ret_key));
    if (l->family == FAMILY_4) {
        ret_key->v4.prefix_len = l->prefix_len;
        ip_to_bytes(FAMILY_4, l->prefix, ret_key->v4.addr);
        return dp->set.progs.map[MAP_LOCAL4];
    }
    ret_key->v6.prefix_len = l->prefix_len;
    ip_to_bytes(FAMILY_6, l->prefix, ret_key->v6.addr);
    return dp->set.progs.map[MAP_LOCAL6];
}

static int local_set(void *u, const struct local_route *l)
{
    struct datapath *dp = u;
    union lpm_key key;
    uint32_t kind = l->kind;
    int fd = lpm_key(dp, l, &key);
    int r = localhint_add(&dp->hint, dp->set.progs.map[MAP_LOCAL_HINT], l);

    if (!r)
        r = bpf_map_update_elem(fd, &key, &kind, BPF_ANY);
    if (!r)
        localexact_set(&dp->exact, l);
    return r;
}

static int local_del(void *u, const struct local_route *l)
{
    struct datapath *dp = u;
    union lpm_key key;
    int fd = lpm_key(dp, l, &key);

    localexact_forget(&dp->exact, l);
    int r = bpf_map_delete_elem(fd, &key);

    if (r < 0 && r != -ENOENT)
        return r;
    return localhint_removed(&dp->hint, dp->set.progs.map[MAP_LOCAL_HINT], rtnl_host(dp->rtnl));
}

/* The copy is never ahead: what is in it is in `ifrole` too. */
static int write_low(const struct datapath *dp, uint32_t ifindex, struct pw_ifrole role)
{
    if (ifindex >= PW_IFROLES_LOW)
        return 0;
    return bpf_map_update_elem(dp->set.progs.map[MAP_IFROLE_LOW], &ifindex, &role, BPF_ANY);
}

static int delete_role(const struct datapath *dp, uint32_t ifindex)
{
    int r = write_low(dp, ifindex, (struct pw_ifrole){0});

    if (!r)
        r = bpf_map_delete_elem(dp->set.progs.map[MAP_IFROLE], &ifindex);
    return r == -ENOENT ? 0 : r;
}

static int write_role(const struct datapath *dp, const struct iface *f)
{
    struct pw_ifrole role = {
        .role = (uint8_t)f->role,
        .flags =
            (uint8_t)((f->stacked ? PW_IF_STACKED : 0) | (f->forwarding4 ? PW_IF_FORWARDING4 : 0) |
                      (f->forwarding6 ? PW_IF_FORWARDING6 : 0) |
                      (f->accept_local ? PW_IF_ACCEPT_LOCAL : 0) |
                      (f->ethernet ? PW_IF_ETHERNET : 0) | (dp->guarded ? PW_IF_GUARDED : 0)),
        .zone = f->zone,
    };

    int r = bpf_map_update_elem(dp->set.progs.map[MAP_IFROLE], &f->ifindex, &role, BPF_ANY);

    return r < 0 ? r : write_low(dp, f->ifindex, role);
}

int hostmaps_write_roles(const struct datapath *dp)
{
    const struct host *h = rtnl_host(dp->rtnl);
    int r = 0;

    for (size_t i = 0; !r && i < h->n_ifaces; i++)
        r = write_role(dp, &h->ifaces[i]);
    return r;
}

static int iface_set(void *u, const struct iface *f, bool is_new _unused_)
{
    struct datapath *dp = u;

    if (dp->attaching) {
        /* A failure is kept for the status, and datapath_reconcile() tries again. */
        int r _unused_ = attach_iface(dp->attach, f);
    }
    return write_role(dp, f);
}

static int iface_del(void *u, uint32_t ifindex)
{
    struct datapath *dp = u;

    if (dp->attach)
        attach_forget(dp->attach, ifindex);
    return delete_role(dp, ifindex);
}

const struct rtnl_ops hostmaps_ops = {
    .local_set = local_set,
    .local_del = local_del,
    .iface_set = iface_set,
    .iface_del = iface_del,
};

static bool host_has_iface(const struct host *h, uint32_t ifindex)
{
    for (size_t i = 0; i < h->n_ifaces; i++)
        if (h->ifaces[i].ifindex == ifindex)
            return true;
    return false;
}

static bool host_has_local(const struct host *h, enum family family, const union lpm_key *key)
{
    uint32_t len = family == FAMILY_4 ? key->v4.prefix_len : key->v6.prefix_len;
    const uint8_t *bytes = family == FAMILY_4 ? key->v4.addr : key->v6.addr;
    struct ip ip = ip_from_bytes(family, bytes);

    for (size_t i = 0; i < h->n_local; i++)
        if (h->local[i].family == family && h->local[i].prefix_len == len &&
            ip_eq(h->local[i].prefix, ip))
            return true;
    return false;
}

/* Deletes the keys that `keep` refuses. A deletion may make the kernel begin again at the first
 * key, so the walk goes on from a key that stays. */
static int sweep(const struct datapath *dp, unsigned map, enum family family)
{
    const struct host *h = rtnl_host(dp->rtnl);
    int fd = dp->set.progs.map[map];
    union {
        union lpm_key lpm;
        uint32_t ifindex;
    } key, last;
    bool have_last = false;
    int r;

    memset(&key, 0, sizeof(key));
    while ((r = bpf_map_get_next_key(fd, have_last ? &last : NULL, &key)) == 0) {
        bool keep = family == FAMILY_ANY ? host_has_iface(h, key.ifindex)
                                         : host_has_local(h, family, &key.lpm);
        if (keep) {
            last = key;
            have_last = true;
            continue;
        }
        r = family == FAMILY_ANY ? delete_role(dp, key.ifindex) : bpf_map_delete_elem(fd, &key);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return r == -ENOENT ? 0 : r;
}

int hostmaps_remove_stale(struct datapath *dp)
{
    int r = sweep(dp, MAP_IFROLE, FAMILY_ANY);

    if (!r)
        r = sweep(dp, MAP_LOCAL4, FAMILY_4);
    if (!r)
        r = sweep(dp, MAP_LOCAL6, FAMILY_6);
    if (r)
        return r;
    localexact_rebuild(&dp->exact, rtnl_host(dp->rtnl));
    return localhint_rebuild(&dp->hint, dp->set.progs.map[MAP_LOCAL_HINT], rtnl_host(dp->rtnl));
}
