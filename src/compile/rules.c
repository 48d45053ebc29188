/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/rules.c: effective filters and what settings and host imply, as weighted boxes.
 * Called by diff, check and exceptions. Expansion follows policy.md 1-3: mirrored twins, one item
 * of each port list, both families. Invariant: parts stand in the order in which they decide, and
 * for every packet the first part that has it is the one that eval finds. */
#include "rules.h"

#include <errno.h>
#include <string.h>

struct box box_all(enum family f, uint8_t class, uint16_t n_names)
{
    struct ip last = ip_not(f, (struct ip){0});
    return (struct box){.family = f,
                        .class = class,
                        .l4 = L4_ALL,
                        .special = SPECIAL_NO,
                        .profiles = BOX_PROFILES,
                        .if_last = n_names,
                        .proto = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
                        .src_last = last,
                        .dst_last = last,
                        .sport_last = UINT16_MAX,
                        .dport_last = UINT16_MAX};
}

/* --- names of interfaces --- */

static int add_name(struct packetset *names, const char *name)
{
    for (uint16_t i = 0; i < names->n_names; i++) {
        if (strcmp(names->names[i], name) == 0)
            return 0;
    }
    if (names->n_names == UINT16_MAX - 1 || strlen(name) >= sizeof(*names->names))
        return 0; /* no interface can have it, see name_number() */
    void *more = realloc(names->names, (names->n_names + 1u) * sizeof(*names->names));
    if (!more)
        return -ENOMEM;
    names->names = more;
    memset(names->names[names->n_names], 0, sizeof(*names->names));
    memcpy(names->names[names->n_names++], name, strlen(name));
    return 0;
}

static int add_derived_name(void *arg, const struct derived *x)
{
    return x->f->interface ? add_name(arg, x->f->interface) : 0;
}

int rules_collect_names(const struct effective *e, struct packetset *names)
{
    int r = derive_entries(e, add_derived_name, names);
    for (size_t i = 0; i < e->n && r == 0; i++) {
        if (e->v[i].filter->interface)
            r = add_name(names, e->v[i].filter->interface);
    }
    return r;
}

/* False: the name is too long for an interface, the filter matches nothing. */
static bool name_number(const struct packetset *names, const char *name, uint16_t *ret)
{
    for (uint16_t i = 0; i < names->n_names; i++) {
        if (strcmp(names->names[i], name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* --- one filter --- */

/* One way of a filter: as written, or its twin. */
struct way {
    const struct addr *src, *dst;
    const struct portset *sport, *dport;
    bool twin;
};

static void set_side(const struct addr *a, enum family f, struct ip *first, struct ip *last)
{
    if (a->family != f) /* any, me */
        return;
    *first = a->first;
    *last =
        a->kind == ADDR_PREFIX ? ip_or(a->first, ip_not(f, ip_mask(f, a->prefix_len))) : a->last;
}

/* Rows of policy.md 6 that only typed filters see: router discovery and redirect, and multicast
 * listener, which come from link-local and unspecified addresses only. */
static bool is_router_type(int type)
{
    return type == 133 || type == 134 || type == 137;
}

static bool is_listener_type(int type)
{
    return (type >= 130 && type <= 132) || type == 143;
}

static void set_protocol(const struct filter *f, struct box *b)
{
    if (f->proto == PROTO_ANY)
        return;
    memset(b->proto, 0, sizeof(b->proto));
    b->proto[f->proto / 64] = 1ULL << f->proto % 64;
    if (f->icmp_type < 0)
        return;
    b->l4 = L4_KNOWN;
    b->dport_first = (uint16_t)(f->icmp_type << 8 | (f->icmp_code >= 0 ? f->icmp_code : 0));
    b->dport_last = (uint16_t)(f->icmp_type << 8 | (f->icmp_code >= 0 ? f->icmp_code : 255));
    if (f->proto == PROTO_ICMPV6 && b->family == FAMILY_6 && is_router_type(f->icmp_type))
        b->special = SPECIAL_ALL;
}

/* False: no packet can match. */
static bool set_place(const struct packetset *names, const struct filter *f, enum connection c,
                      struct box *b)
{
    if (f->profile != PROFILE_NONE)
        b->profiles = (uint8_t)(BOX_PROFILE(f->profile, false) | BOX_PROFILE(f->profile, true));
    if (c != CONNECTION_ALL)
        b->profiles &= c == CONNECTION_DIALUP ? BOX_DIALUP : BOX_LAN;
    if (!f->interface)
        return true;
    b->profiles &= ifname_is_dialup(f->interface) ? BOX_DIALUP : BOX_LAN;
    if (b->profiles == 0 || !name_number(names, f->interface, &b->if_first))
        return false;
    b->if_last = b->if_first;
    return true;
}

/* `me` is a class of packets: on the way in the source is never me, on the way out the
 * destination never is. */
static uint8_t class_of(const struct way *w)
{
    bool src = w->src->kind == ADDR_ME, dst = w->dst->kind == ADDR_ME;
    return src && dst ? 0 : src ? CLASS_FROM_ME : dst ? CLASS_TO_ME : CLASS_ALL;
}

static bool is_asked_for(const struct rules *r, const struct part *p)
{
    for (size_t i = 0; r->only && i < r->only->n; i++) {
        if (box_overlaps(&r->only->v[i].box, &p->box))
            return true;
    }
    return !r->only;
}

static int push_part(struct rules *r, const struct part *p)
{
    if (!is_asked_for(r, p))
        return 0;
    int err = array_reserve(&r->v, &r->cap, r->n + 1, sizeof(*r->v));
    if (err == 0)
        r->v[r->n++] = *p;
    return err;
}

static int add_part(struct rules *r, const struct part *p, const struct filter *f)
{
    static const struct ip special[][2] = {
        {{0, 0}, {0, 0}}, {{0xfe80ULL << 48, 0}, {(0xfec0ULL << 48) - 1, UINT64_MAX}}};
    struct part ordinary = *p;
    ordinary.effect = filter_effect(f);
    int err = push_part(r, &ordinary);
    bool listener =
        f->proto == PROTO_ICMPV6 && p->box.family == FAMILY_6 && is_listener_type(f->icmp_type);
    for (unsigned i = 0; listener && i < ARRAY_SIZE(special) && err == 0; i++) {
        struct part x = ordinary;
        struct box from = x.box;
        from.src_first = special[i][0];
        from.src_last = special[i][1];
        if (!box_intersect(&p->box, &from, &x.box))
            continue;
        x.box.special = SPECIAL_YES;
        err = push_part(r, &x);
    }
    return err;
}

static int add_way(struct rules *r, const struct filter *f, const struct way *w,
                   const struct part *base)
{
    struct part p = *base;
    p.twin = w->twin;
    set_side(w->src, p.box.family, &p.box.src_first, &p.box.src_last);
    set_side(w->dst, p.box.family, &p.box.dst_first, &p.box.dst_last);
    uint32_t n_sport = w->sport->n ? w->sport->n : 1, n_dport = w->dport->n ? w->dport->n : 1;
    for (uint32_t i = 0; i < n_sport * n_dport; i++) {
        struct part item = p;
        const struct port_range *s = w->sport->n ? &w->sport->range[i / n_dport] : NULL;
        const struct port_range *d = w->dport->n ? &w->dport->range[i % n_dport] : NULL;
        item.weight = filter_weight(f, w->src, w->dst, s, d);
        if (s || d)
            item.box.l4 = L4_KNOWN;
        if (s)
            item.box.sport_first = s->first, item.box.sport_last = s->last;
        if (d)
            item.box.dport_first = d->first, item.box.dport_last = d->last;
        int err = add_part(r, &item, f);
        if (err < 0)
            return err;
    }
    return 0;
}

static int add_filter(struct rules *r, const struct filter *f, const struct part *base)
{
    if (filter_is_resolved(f))
        return 0; /* stands for no address (effective.h) */
    const struct way ways[] = {
        {.src = &f->src, .dst = &f->dst, .sport = &f->sport, .dport = &f->dport},
        {.src = &f->dst, .dst = &f->src, .sport = &f->dport, .dport = &f->sport, .twin = true},
    };
    bool twin = f->mirrored && !(addr_eq(&f->src, &f->dst) && portset_eq(&f->sport, &f->dport));
    static const enum family families[] = {FAMILY_4, FAMILY_6};
    enum family only = filter_family(f);
    int err = 0;
    for (unsigned i = 0; i < 4 && err == 0; i++) {
        const struct way *w = &ways[i % 2];
        struct part p = *base;
        p.box = box_all(families[i / 2], class_of(w), r->names.n_names);
        if ((w->twin && !twin) || p.box.class == 0 ||
            (only != FAMILY_ANY && only != p.box.family) ||
            !set_place(&r->names, f, p.connection, &p.box))
            continue;
        set_protocol(f, &p.box);
        err = add_way(r, f, w, &p);
    }
    return err;
}

int rules_expand(struct rules *r, const struct effective_filter *ef, size_t index)
{
    return add_filter(r, ef->filter,
                      &(struct part){.index = index,
                                     .connection = ef->connection,
                                     .failsafe = SIZE_MAX,
                                     .tier = ef->filter->override ? TIER_OVERRIDE : TIER_ORDINARY});
}

static int add_derived(void *arg, const struct derived *x)
{
    return add_filter(arg, x->f,
                      &(struct part){.index = SIZE_MAX,
                                     .failsafe = x->tier == TIER_FAILSAFE ? x->failsafe : SIZE_MAX,
                                     .tier = x->tier});
}

/* --- all of them --- */

/* Entries before filters; filters by layer, then GUID, then place (policy.md 3). */
static int cmp_filters(const struct effective *e, size_t a, size_t b)
{
    if (a == b)
        return 0;
    if (a >= e->n || b >= e->n)
        return a >= e->n ? -1 : 1;
    const struct effective_filter *x = &e->v[a], *y = &e->v[b];
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    int c = guid_cmp(&x->filter->guid, &y->filter->guid);
    return c != 0 ? c : a < b ? -1 : 1;
}

static int cmp_parts(const void *pa, const void *pb, void *arg)
{
    const struct part *a = pa, *b = pb;
    if (a->tier != b->tier)
        return a->tier > b->tier ? -1 : 1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    int c = cmp_filters(arg, a->index, b->index);
    if (c != 0)
        return c;
    return a->twin != b->twin ? (a->twin ? 1 : -1) : box_cmp(&a->box, &b->box);
}

static bool is_expired(const struct effective_filter *ef, uint64_t now_ns)
{
    return ef->deadline_ns && now_ns >= ef->deadline_ns &&
           filter_effect(ef->filter) == ACTION_PERMIT;
}

static int fill(struct rules *r, uint64_t now_ns)
{
    int err = 0;
    for (size_t i = 0; i < r->e->n && err == 0; i++) {
        if (!is_expired(&r->e->v[i], now_ns))
            err = rules_expand(r, &r->e->v[i], i);
    }
    if (err == 0)
        err = derive_entries(r->e, add_derived, r);
    struct effective e = *r->e;
    if (err == 0 && r->n > 0)
        qsort_r(r->v, r->n, sizeof(*r->v), cmp_parts, &e);
    return err;
}

int rules_new(const struct effective *e, uint64_t now_ns, const struct packetset *names,
              struct rules *ret)
{
    _cleanup_(rules_done) struct rules r = {.e = e};
    int err = packetset_copy_names(names, &r.names);
    if (err == 0)
        err = fill(&r, now_ns);
    if (err == 0)
        err = box_index_new(r.v, r.n, &r.index);
    if (err < 0)
        return err;
    *ret = r;
    r = (struct rules){0};
    return 0;
}

int rules_around(const struct effective *e, size_t index, uint64_t now_ns,
                 const struct packetset *names, struct rules *ret)
{
    _cleanup_(rules_done) struct rules target = {.e = e}, r = {.e = e, .only = &target};
    int err = packetset_copy_names(names, &r.names);
    if (err == 0)
        err = packetset_copy_names(names, &target.names);
    if (err == 0)
        err = rules_expand(&target, &e->v[index], index);
    if (err == 0)
        err = fill(&r, now_ns);
    if (err < 0)
        return err;
    r.only = NULL;
    *ret = r;
    r = (struct rules){0};
    return 0;
}

void rules_done(struct rules *r)
{
    free(r->v);
    packetset_done(&r->names);
    box_index_free(r->index);
    *r = (struct rules){0};
}

struct decision decision_of(const struct part *p)
{
    if (!p)
        return (struct decision){
            .decider = DECIDED_NO_MATCH, .index = SIZE_MAX, .tier = TIER_ORDINARY};
    struct decision d = {
        .decider = p->tier == TIER_FAILSAFE    ? DECIDED_FAILSAFE
                   : p->tier == TIER_EXEMPTION ? DECIDED_EXEMPTION
                                               : DECIDED_FILTER,
        .index = p->tier == TIER_FAILSAFE ? p->failsafe : p->index,
        .tier = p->tier,
        .weight = p->weight,
        .block = p->effect != ACTION_PERMIT,
        .negotiate = p->effect == ACTION_NEGOTIATE,
        .twin = p->twin,
    };
    return d;
}

enum action effect_of(const struct part *p)
{
    return p ? p->effect : ACTION_PERMIT;
}
