/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local prefixes: the set of all routes of the kinds of enum local_kind in table 255 and in the
 * tables of VRF devices, and host.local, which has each prefix once. Several routes may carry
 * one prefix (an address on two interfaces, two metrics), so a prefix is local until its last
 * route is gone; its kind is the best of them, unicast first. Only this file changes
 * host.local, and each change goes to the ops.
 *
 * Other tables are left out on purpose: `ip route add local 0.0.0.0/0 dev lo table 100`, the
 * usual way to proxy transparently, must not make the whole internet `me`. */
#include <errno.h>
#include <string.h>

#include "datapath/datapath.h"
#include "rtnl_internal.h"

static int cmp_u32(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int cmp_prefix(const struct local_route *a, const struct local_route *b)
{
    int c = cmp_u32(a->family, b->family);

    if (!c)
        c = ip_cmp(a->prefix, b->prefix);
    return c ? c : cmp_u32(a->prefix_len, b->prefix_len);
}

/* Prefix, then kind (best first), then the rest of the identity. */
static int cmp_route(const void *pa, const void *pb)
{
    const struct rtnl_route *a = pa, *b = pb;
    int c = cmp_prefix(&a->local, &b->local);

    if (!c)
        c = cmp_u32(a->local.kind, b->local.kind);
    if (!c)
        c = cmp_u32(a->table, b->table);
    if (!c)
        c = cmp_u32(a->priority, b->priority);
    if (!c)
        c = cmp_u32(a->oif, b->oif);
    if (!c)
        c = cmp_u32(a->tos, b->tos);
    if (!c)
        c = cmp_u32(a->scope, b->scope);
    if (!c)
        c = cmp_u32(a->protocol, b->protocol);
    return c ? c : ip_cmp(a->prefsrc, b->prefsrc);
}

/* Index of the first route that is not before *key. */
static size_t route_position(const struct route_set *s, const struct rtnl_route *key)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (cmp_route(&s->v[mid], key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool has_route(const struct route_set *s, size_t i, const struct rtnl_route *key)
{
    return i < s->n && !cmp_route(&s->v[i], key);
}

/* Best kind of a prefix: that of its first route in the set. */
static enum local_kind best_kind(const struct route_set *s, const struct local_route *prefix)
{
    struct rtnl_route first = {.local = *prefix};

    first.local.kind = LOCAL_NONE;
    size_t i = route_position(s, &first);
    if (i == s->n || cmp_prefix(&s->v[i].local, prefix))
        return LOCAL_NONE;
    return s->v[i].local.kind;
}

static size_t local_position(const struct host *h, const struct local_route *key)
{
    size_t lo = 0, hi = h->n_local;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (cmp_prefix(&h->local[mid], key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void report_set(struct rtnl *r, const struct local_route *l)
{
    r->changes |= HOST_CHANGED_LOCAL;
    rtnl_op_result(r, r->ops->local_set(r->user, l));
}

static void report_del(struct rtnl *r, const struct local_route *l)
{
    r->changes |= HOST_CHANGED_LOCAL;
    rtnl_op_result(r, r->ops->local_del(r->user, l));
}

/* Brings one prefix of host.local up to date with the routes. Room for one more entry has been
 * reserved. */
static void update_local(struct rtnl *r, const struct local_route *prefix)
{
    struct host *h = &r->host;
    struct local_route now = *prefix;
    size_t i = local_position(h, prefix);
    bool known = i < h->n_local && !cmp_prefix(&h->local[i], prefix);

    now.kind = best_kind(&r->routes, prefix);
    if (known && now.kind == LOCAL_NONE) {
        now = h->local[i];
        h->n_local--;
        memmove(h->local + i, h->local + i + 1, (h->n_local - i) * sizeof(*h->local));
        report_del(r, &now);
    } else if (known && now.kind != h->local[i].kind) {
        h->local[i] = now;
        report_set(r, &now);
    } else if (!known && now.kind != LOCAL_NONE) {
        memmove(h->local + i + 1, h->local + i, (h->n_local - i) * sizeof(*h->local));
        h->local[i] = now;
        h->n_local++;
        report_set(r, &now);
    }
}

static bool is_local_table(const struct rtnl *r, uint32_t table)
{
    return table == RTNL_TABLE_LOCAL || links_is_vrf_table(r, table);
}

int routes_set(struct rtnl *r, const struct rtnl_route *m, bool replaces)
{
    struct route_set *s = &r->routes;
    struct host *h = &r->host;

    if (!is_local_table(r, m->table))
        return 0;
    /* The message does not say which of several routes was replaced, nor of what type. */
    if (replaces && best_kind(s, &m->local) != LOCAL_NONE)
        r->routes_dirty = true;
    if (m->local.kind == LOCAL_NONE)
        return 0;
    size_t i = route_position(s, m);
    if (has_route(s, i, m))
        return 0;
    int e = array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v));

    if (!e)
        e = array_reserve(&h->local, &h->cap_local, h->n_local + 1, sizeof(*h->local));
    if (e)
        return e;
    memmove(s->v + i + 1, s->v + i, (s->n - i) * sizeof(*s->v));
    s->v[i] = *m;
    s->n++;
    update_local(r, &m->local);
    return 0;
}

void routes_del(struct rtnl *r, const struct rtnl_route *m)
{
    struct route_set *s = &r->routes;

    if (m->local.kind == LOCAL_NONE || !is_local_table(r, m->table))
        return;
    size_t i = route_position(s, m);
    if (!has_route(s, i, m)) {
        /* Known under another identity, or deleted before we dumped. */
        if (best_kind(s, &m->local) != LOCAL_NONE)
            r->routes_dirty = true;
        return;
    }
    s->n--;
    memmove(s->v + i, s->v + i + 1, (s->n - i) * sizeof(*s->v));
    update_local(r, &m->local);
}

int routes_dump_add(struct rtnl *r, const struct rtnl_route *m)
{
    struct route_set *s = &r->fresh;

    if (m->local.kind == LOCAL_NONE || !is_local_table(r, m->table))
        return 0;
    int e = array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v));

    if (!e)
        s->v[s->n++] = *m;
    return e;
}

static void sort_unique(struct route_set *s)
{
    size_t n = 0;

    if (!s->n)
        return;
    qsort(s->v, s->n, sizeof(*s->v), cmp_route);
    for (size_t i = 0; i < s->n; i++)
        if (!n || cmp_route(&s->v[n - 1], &s->v[i]))
            s->v[n++] = s->v[i];
    s->n = n;
}

/* First route of each prefix = its best kind. */
static int build_local(const struct route_set *s, struct host *h)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct local_route *l = &s->v[i].local;

        if (h->n_local && !cmp_prefix(&h->local[h->n_local - 1], l))
            continue;
        int e = array_reserve(&h->local, &h->cap_local, h->n_local + 1, sizeof(*h->local));

        if (e)
            return e;
        h->local[h->n_local++] = *l;
    }
    return 0;
}

/* Both lists are sorted. New prefixes are told before the lost ones, so that a prefix moving
 * inside another is never missing. */
static void report_differences(struct rtnl *r, const struct host *old, const struct host *now)
{
    for (size_t i = 0; i < now->n_local; i++) {
        const struct local_route *l = &now->local[i];
        size_t k = local_position(old, l);

        if (k == old->n_local || cmp_prefix(&old->local[k], l) || old->local[k].kind != l->kind)
            report_set(r, l);
    }
    for (size_t i = 0; i < old->n_local; i++) {
        size_t k = local_position(now, &old->local[i]);

        if (k == now->n_local || cmp_prefix(&now->local[k], &old->local[i]))
            report_del(r, &old->local[i]);
    }
}

int routes_dump_end(struct rtnl *r)
{
    struct host now = {0}, old = r->host;
    struct route_set spare = r->routes;

    sort_unique(&r->fresh);
    int e = build_local(&r->fresh, &now);

    if (e) {
        free(now.local);
        return e;
    }
    r->routes = r->fresh;
    spare.n = 0;
    r->fresh = spare; /* its memory serves the next dump */
    r->host.local = now.local;
    r->host.n_local = now.n_local;
    r->host.cap_local = now.cap_local;
    report_differences(r, &old, &now);
    free(old.local);
    return 0;
}
