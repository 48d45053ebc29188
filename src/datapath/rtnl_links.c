/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces: from link, address and sysctl messages to struct iface. Every message only
 * changes facts; refresh() derives the interface from them and is the only place that reports,
 * so an interface is told about exactly when one of its fields changed. */
#include <errno.h>
#include <linux/netconf.h>
#include <stdio.h>
#include <string.h>

#include "datapath/datapath.h"
#include "ifkind.h"
#include "rtnl_internal.h"

/* Index of the ifindex, or where it would stand. */
static size_t position(const struct rtnl *r, uint32_t ifindex)
{
    size_t lo = 0, hi = r->host.n_ifaces;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (r->host.ifaces[mid].ifindex < ifindex)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool find(const struct rtnl *r, uint32_t ifindex, size_t *ret)
{
    size_t i = position(r, ifindex);

    if (i == r->host.n_ifaces || r->host.ifaces[i].ifindex != ifindex)
        return false;
    *ret = i;
    return true;
}

/* The next free number after the one handed out last: a number comes back as late as possible,
 * so that an image compiled for the old interface is long gone. 0 if all are taken. */
static uint8_t new_zone(struct rtnl *r)
{
    bool used[RTNL_ZONE_MAX + 1] = {false};

    for (size_t i = 0; i < r->host.n_ifaces; i++)
        used[r->links[i].zone] = true;
    for (unsigned step = 1; step <= RTNL_ZONE_MAX; step++) {
        unsigned zone = (r->last_zone + step - 1) % RTNL_ZONE_MAX + 1;

        if (!used[zone]) {
            r->last_zone = (uint8_t)zone;
            return r->last_zone;
        }
    }
    return 0;
}

static bool is_dsa_conduit(const struct rtnl *r, uint32_t ifindex)
{
    for (size_t i = 0; i < r->host.n_ifaces; i++)
        if (r->links[i].msg.lower == ifindex && !strcmp(r->links[i].msg.kind, "dsa"))
            return true;
    return false;
}

static bool has_dhcp(const struct rtnl *r, uint32_t ifindex, enum family f)
{
    for (size_t i = 0; i < r->n_leases; i++)
        if (r->leases[i].ifindex == ifindex && r->leases[i].family == f)
            return true;
    for (size_t i = 0; i < r->n_clients; i++)
        if (r->clients[i].family == f &&
            (!r->clients[i].ifindex || r->clients[i].ifindex == ifindex))
            return true;
    return false;
}

static struct iface derive(const struct rtnl *r, const struct link *l)
{
    const struct rtnl_link_msg *m = &l->msg;
    struct ifkind kind = {
        .kind = m->kind,
        .slave_kind = m->slave_kind,
        .loopback = m->loopback,
        .ipvlan_l3 = m->ipvlan_l3,
        .dsa_conduit = is_dsa_conduit(r, m->ifindex),
    };
    struct iface f = {
        .ifindex = m->ifindex,
        .role = ifkind_role(&kind),
        .stacked = ifkind_stacked(&kind),
        .ethernet = m->ethernet,
        .forwarding4 = m->forwarding4,
        /* ip6_forward() asks only these two, not the interface's own `forwarding`. */
        .forwarding6 = r->forwarding6_all || m->force_forwarding6,
        /* IN_DEV_ACCEPT_LOCAL() is the OR of both. */
        .accept_local = r->accept_local_all || m->accept_local,
        .zone = l->zone,
    };

    memcpy(f.name, m->name, sizeof(f.name));
    (void)snprintf(f.untested, sizeof(f.untested), "%s", ifkind_untested(&kind)); /* to be shown */
    f.profile = profile_patterns_find(&r->profiles, f.name);
    f.dhcp4 = f.role != IFACE_NONE && has_dhcp(r, f.ifindex, FAMILY_4);
    f.dhcp6 = f.role != IFACE_NONE && has_dhcp(r, f.ifindex, FAMILY_6);
    return f;
}

static bool dhcp_eq(const struct iface *a, const struct iface *b)
{
    return a->dhcp4 == b->dhcp4 && a->dhcp6 == b->dhcp6;
}

static bool iface_eq(const struct iface *a, const struct iface *b)
{
    return a->ifindex == b->ifindex && !strcmp(a->name, b->name) && a->role == b->role &&
           a->stacked == b->stacked && a->ethernet == b->ethernet &&
           a->forwarding4 == b->forwarding4 && a->forwarding6 == b->forwarding6 &&
           a->accept_local == b->accept_local && a->zone == b->zone && a->profile == b->profile &&
           !strcmp(a->untested, b->untested) && dhcp_eq(a, b);
}

static void refresh(struct rtnl *r, size_t i, bool is_new)
{
    struct iface f = derive(r, &r->links[i]), *old = &r->host.ifaces[i];

    if (!is_new && iface_eq(&f, old))
        return;
    r->changes |= HOST_CHANGED_IFACES;
    if (!dhcp_eq(&f, old))
        r->changes |= HOST_CHANGED_DHCP;
    *old = f;
    rtnl_op_result(r, r->ops->iface_set(r->user, old, is_new));
}

static void refresh_ifindex(struct rtnl *r, uint32_t ifindex)
{
    size_t i;

    if (find(r, ifindex, &i))
        refresh(r, i, false);
}

void links_refresh_all(struct rtnl *r)
{
    for (size_t i = 0; i < r->host.n_ifaces; i++)
        refresh(r, i, false);
}

void rtnl_set_profiles(struct rtnl *r, const struct profile_patterns *l)
{
    r->profiles = *l;
    links_refresh_all(r);
}

static int insert(struct rtnl *r, size_t i, uint32_t ifindex)
{
    struct host *h = &r->host;
    int e = array_reserve(&h->ifaces, &h->cap_ifaces, h->n_ifaces + 1, sizeof(*h->ifaces));

    if (!e)
        e = array_reserve(&r->links, &r->cap_links, h->n_ifaces + 1, sizeof(*r->links));
    if (e)
        return e;
    memmove(h->ifaces + i + 1, h->ifaces + i, (h->n_ifaces - i) * sizeof(*h->ifaces));
    memmove(r->links + i + 1, r->links + i, (h->n_ifaces - i) * sizeof(*r->links));
    h->ifaces[i] = (struct iface){.ifindex = ifindex};
    r->links[i] = (struct link){0};
    h->n_ifaces++;
    return 0;
}

/* After a device's facts changed: what else hangs on them. */
static void update_others(struct rtnl *r, const struct rtnl_link_msg *was,
                          const struct rtnl_link_msg *is)
{
    /* Going down takes routes away without a message (fib_sync_down_dev). */
    if (was->up && !is->up)
        r->routes_dirty = true;
    if (was->vrf_table != is->vrf_table)
        r->routes_dirty = true;
    if (was->lower != is->lower && was->lower)
        refresh_ifindex(r, was->lower);
    if (is->lower)
        refresh_ifindex(r, is->lower);
}

int links_set(struct rtnl *r, const struct rtnl_link_msg *m)
{
    struct rtnl_link_msg was = {0};
    size_t i;
    bool known = find(r, m->ifindex, &i);

    /* A device never changes its kind: this is another one, its predecessor's end was lost. */
    if (known && strcmp(r->links[i].msg.kind, m->kind)) {
        int e = links_del(r, m->ifindex);

        if (e)
            return e;
        known = false;
    }
    if (!known) {
        i = position(r, m->ifindex);
        int e = insert(r, i, m->ifindex);

        if (e)
            return e;
    } else {
        was = r->links[i].msg;
    }
    struct link *l = &r->links[i];

    l->msg = *m;
    l->seen = true;
    if (!l->zone)
        l->zone = new_zone(r);
    refresh(r, i, !known);
    update_others(r, &was, m);
    return 0;
}

int links_del(struct rtnl *r, uint32_t ifindex)
{
    struct host *h = &r->host;
    size_t i, n = 0;

    if (!find(r, ifindex, &i))
        return 0;
    struct rtnl_link_msg was = r->links[i].msg, none = {0};

    h->n_ifaces--;
    memmove(h->ifaces + i, h->ifaces + i + 1, (h->n_ifaces - i) * sizeof(*h->ifaces));
    memmove(r->links + i, r->links + i + 1, (h->n_ifaces - i) * sizeof(*r->links));
    for (size_t k = 0; k < r->n_leases; k++)
        if (r->leases[k].ifindex != ifindex)
            r->leases[n++] = r->leases[k];
    if (n != r->n_leases)
        r->changes |= HOST_CHANGED_DHCP;
    r->n_leases = n;
    r->changes |= HOST_CHANGED_IFACES;
    r->routes_dirty = true;
    rtnl_op_result(r, r->ops->iface_del(r->user, ifindex));
    update_others(r, &was, &none);
    return 0;
}

static struct lease *find_lease(const struct rtnl *r, const struct rtnl_addr_msg *m)
{
    for (size_t i = 0; i < r->n_leases; i++) {
        struct lease *l = &r->leases[i];

        if (l->ifindex == m->ifindex && l->family == m->family && ip_eq(l->ip, m->ip))
            return l;
    }
    return NULL;
}

int leases_set(struct rtnl *r, const struct rtnl_addr_msg *m)
{
    struct lease *l = find_lease(r, m);

    if (!m->leased) { /* it may have become permanent */
        leases_del(r, m);
        return 0;
    }
    if (l) {
        l->seen = true;
        return 0;
    }
    int e = array_reserve(&r->leases, &r->cap_leases, r->n_leases + 1, sizeof(*r->leases));

    if (e)
        return e;
    r->leases[r->n_leases++] = (struct lease){m->ifindex, m->family, m->ip, .seen = true};
    refresh_ifindex(r, m->ifindex);
    return 0;
}

void leases_del(struct rtnl *r, const struct rtnl_addr_msg *m)
{
    struct lease *l = find_lease(r, m);

    if (!l)
        return;
    *l = r->leases[--r->n_leases];
    refresh_ifindex(r, m->ifindex);
}

void links_conf(struct rtnl *r, const struct rtnl_conf_msg *m)
{
    size_t i;

    if (m->family == FAMILY_6) {
        if (m->ifindex != NETCONFA_IFINDEX_ALL || r->forwarding6_all == m->forwarding)
            return;
        r->forwarding6_all = m->forwarding;
        links_refresh_all(r);
    } else if (m->ifindex > 0 && find(r, (uint32_t)m->ifindex, &i)) {
        r->links[i].msg.forwarding4 = m->forwarding;
        refresh(r, i, false);
    }
}

void links_dump_begin(struct rtnl *r)
{
    for (size_t i = 0; i < r->host.n_ifaces; i++)
        r->links[i].seen = false;
    for (size_t i = 0; i < r->n_leases; i++)
        r->leases[i].seen = false;
}

int links_dump_end(struct rtnl *r)
{
    for (size_t i = r->host.n_ifaces; i-- > 0;) {
        int e = r->links[i].seen ? 0 : links_del(r, r->host.ifaces[i].ifindex);

        if (e)
            return e;
    }
    for (size_t i = r->n_leases; i-- > 0;) {
        struct lease l = r->leases[i];

        if (!l.seen)
            leases_del(r, &(struct rtnl_addr_msg){l.ifindex, l.family, l.ip, .leased = true});
    }
    return 0;
}

bool links_is_vrf_table(const struct rtnl *r, uint32_t table)
{
    for (size_t i = 0; i < r->host.n_ifaces; i++)
        if (r->links[i].msg.vrf_table == table)
            return true;
    return false;
}
