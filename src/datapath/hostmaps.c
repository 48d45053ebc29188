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
    union lpm_key key;
    uint32_t kind = l->kind;
    int fd = lpm_key(u, l, &key);

    return bpf_map_update_elem(fd, &key, &kind, BPF_ANY);
}

static int local_del(void *u, const struct local_route *l)
{
    union lpm_key key;
    int fd = lpm_key(u, l, &key);
    int r = bpf_map_delete_elem(fd, &key);

    return r == -ENOENT ? 0 : r;
}

static int iface_set(void *u, const struct iface *f, bool is_new _unused_)
{
    struct datapath *dp = u;
    struct pw_ifrole role = {
        .role = (uint8_t)f->role,
        .flags =
            (uint8_t)((f->stacked ? PW_IF_STACKED : 0) | (f->forwarding4 ? PW_IF_FORWARDING4 : 0) |
                      (f->forwarding6 ? PW_IF_FORWARDING6 : 0) |
                      (f->accept_local ? PW_IF_ACCEPT_LOCAL : 0) |
                      (f->ethernet ? PW_IF_ETHERNET : 0)),
        .zone = f->zone,
    };

    if (dp->attaching) {
        /* A failure is kept for the status, and datapath_reconcile() tries again. */
        int r _unused_ = attach_iface(dp->attach, f);
    }
    return bpf_map_update_elem(dp->set.progs.map[MAP_IFROLE], &f->ifindex, &role, BPF_ANY);
}

static int iface_del(void *u, uint32_t ifindex)
{
    struct datapath *dp = u;

    if (dp->attach)
        attach_forget(dp->attach, ifindex);
    int r = bpf_map_delete_elem(dp->set.progs.map[MAP_IFROLE], &ifindex);
    return r == -ENOENT ? 0 : r;
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
static int sweep(int fd, const struct host *h, enum family family)
{
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
        r = bpf_map_delete_elem(fd, &key);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return r == -ENOENT ? 0 : r;
}

int hostmaps_remove_stale(struct datapath *dp)
{
    const struct host *h = rtnl_host(dp->rtnl);
    int r = sweep(dp->set.progs.map[MAP_IFROLE], h, FAMILY_ANY);

    if (!r)
        r = sweep(dp->set.progs.map[MAP_LOCAL4], h, FAMILY_4);
    return r ? r : sweep(dp->set.progs.map[MAP_LOCAL6], h, FAMILY_6);
}
