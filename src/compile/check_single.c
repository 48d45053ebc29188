/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/check_single.c: findings about one filter: family-gap, mirrored-hole, name-permit,
 * fragments.
 * Called by check.c. Invariant: each has an example that really fares as the finding says. */
#include "check.h"

/* --- family-gap --- */

struct other_family {
    bool blocked;
    struct box piece;
    const struct part *winner;
};

static int visit_other_family(void *arg, const struct box *piece, const struct part *winner)
{
    struct other_family *o = arg;
    o->piece = *piece;
    o->winner = winner;
    o->blocked = effect_of(winner) != ACTION_PERMIT;
    return o->blocked;
}

/* All addresses of a family, or of both. */
static bool is_wide(const struct addr *a)
{
    return a->kind == ADDR_ANY || a->kind == ADDR_ME ||
           (a->kind == ADDR_PREFIX && a->prefix_len == 0);
}

static int find_family_gap(struct check *c, size_t i)
{
    const struct filter *f = c->e->v[i].filter;
    if (f->action != ACTION_BLOCK || filter_family(f) == FAMILY_ANY || !is_wide(&f->src) ||
        !is_wide(&f->dst) || f->proto == PROTO_ICMP || f->proto == PROTO_ICMPV6)
        return 0;
    enum family other = filter_family(f) == FAMILY_4 ? FAMILY_6 : FAMILY_4;
    struct other_family o = {.blocked = false};
    for (size_t k = 0; k < check_n_parts(c, i) && !o.blocked; k++) {
        struct box b = check_part(c, i, k)->box, all = box_all(other, CLASS_ALL, 0);
        b.family = other;
        b.src_last = all.src_last;
        b.dst_last = all.dst_last;
        walk_begin(&c->outer);
        int r = walk_find(&c->outer, &c->rules, &b, &c->found);
        if (r == 0)
            r = walk_split(&c->outer, &c->rules, &b, &c->found, visit_other_family, &o);
        if (r < 0)
            return r;
        if (c->outer.exhausted) {
            c->ret->complete = false;
            return 0;
        }
    }
    if (o.blocked)
        return 0;
    struct finding x = {.kind = FINDING_FAMILY_GAP, .family = other};
    check_name(&x, check_part(c, i, 0));
    check_show(c, &x, &o.piece, o.winner);
    return check_add(c, &x);
}

/* --- mirrored-hole --- */

static bool opens_all_ports(const struct part *p)
{
    return p->box.class & CLASS_TO_ME && p->box.dport_first == 0 &&
           p->box.dport_last == UINT16_MAX &&
           (p->box.sport_first > 0 || p->box.sport_last < UINT16_MAX);
}

static int find_mirrored_hole(struct check *c, size_t i)
{
    const struct filter *f = c->e->v[i].filter;
    if (filter_effect(f) != ACTION_PERMIT || f->keep_state)
        return 0;
    struct effect_search s = {.c = c, .without = i, .want_matters = true};
    for (size_t k = 0; k < check_n_parts(c, i) && !s.matters; k++) {
        s.p = check_part(c, i, k);
        struct box b = s.p->box;
        if (!opens_all_ports(s.p))
            continue;
        b.class = CLASS_TO_ME;
        int r = check_effect(&s, &b);
        if (r < 0)
            return r;
    }
    if (!s.matters)
        return 0;
    struct finding x = {.kind = FINDING_MIRRORED_HOLE};
    check_name(&x, s.p);
    check_show(c, &x, &s.changed, s.p);
    return check_add(c, &x);
}

/* --- name-permit --- */

static int find_name_permit(struct check *c, size_t i)
{
    struct diag d = {.code = DIAG_NONE};
    if (filter_validate(c->e->v[i].filter, &d) == 0 || d.code != DIAG_NAME_PERMIT)
        return 0;
    struct finding x = {.kind = FINDING_NAME_PERMIT, .n_filters = 1};
    x.filter[0].index = i;
    return check_add(c, &x);
}

/* --- fragments --- */

struct lost_fragments {
    bool found;
    struct box piece;
    const struct part *block;
};

static int visit_fragments(void *arg, const struct box *piece, const struct part *winner)
{
    struct lost_fragments *l = arg;
    if (!winner || winner->effect == ACTION_PERMIT)
        return 0;
    l->found = true;
    l->piece = *piece;
    l->block = winner;
    return 1;
}

/* Only the first fragment has ports; the others meet what blocks without ports. */
static int find_lost_fragments(struct check *c, size_t i)
{
    const struct filter *f = c->e->v[i].filter;
    if (filter_effect(f) != ACTION_PERMIT || f->keep_state || f->proto != PROTO_UDP ||
        (f->sport.n == 0 && f->dport.n == 0) || c->seen[i] & SEEN_DEAD)
        return 0;
    struct lost_fragments l = {.found = false};
    for (size_t k = 0; k < check_n_parts(c, i) && !l.found; k++) {
        struct box b = check_part(c, i, k)->box;
        b.l4 = L4_FRAGMENT;
        b.sport_first = b.dport_first = 0;
        b.sport_last = b.dport_last = UINT16_MAX;
        walk_begin(&c->outer);
        int r = walk_find(&c->outer, &c->rules, &b, &c->found);
        if (r == 0)
            r = walk_split(&c->outer, &c->rules, &b, &c->found, visit_fragments, &l);
        if (r < 0)
            return r;
    }
    if (!l.found)
        return 0;
    struct finding x = {.kind = FINDING_FRAGMENTS};
    check_name(&x, check_part(c, i, 0));
    check_name(&x, l.block);
    check_show(c, &x, &l.piece, l.block);
    return check_add(c, &x);
}

int check_singles(struct check *c)
{
    int (*const questions[])(struct check *, size_t) = {find_family_gap, find_mirrored_hole,
                                                        find_name_permit, find_lost_fragments};
    int r = 0;
    for (size_t i = 0; i < c->e->n && !check_is_late(c); i++) {
        for (unsigned q = 0; q < ARRAY_SIZE(questions) && r == 0; q++) {
            if (check_n_parts(c, i) > 0 || questions[q] == find_name_permit)
                r = questions[q](c, i);
        }
    }
    return r;
}
