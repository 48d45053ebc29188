/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/diff.c: the packets whose verdict differs between two states (policy.md 8).
 * Called by policy diff and by every preview. Where both states have the winner in common it is
 * the same one, so only packets that a part of one side alone decides can change: each such part
 * is cut down to what it decides on its side, and that is split by who decides on the other.
 * Invariant: every packet that changes is found once, unless the budget was used up. */
#include "compile/diff.h"

#include <errno.h>

#include "analysis.h"
#include "base/rng.h"
#include "idmap.h"

struct diff {
    struct rules side[2];
    struct walk outer, inner; /* one runs inside the other */
    struct part_list mine, others;
    unsigned from;           /* the side whose parts are looked at */
    const struct part *part; /* the one */
    struct idmap groups;     /* fate and decider under b -> number of the change */
    struct diff_result *ret;
};

static void diff_done(struct diff *d)
{
    rules_done(&d->side[0]);
    rules_done(&d->side[1]);
    walk_done(&d->outer);
    walk_done(&d->inner);
    part_list_done(&d->mine);
    part_list_done(&d->others);
    idmap_done(&d->groups);
}

/* --- which parts differ --- */

static int cmp_same(const struct part *a, const struct part *b)
{
    if (a->tier != b->tier)
        return a->tier > b->tier ? -1 : 1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (a->effect != b->effect)
        return a->effect > b->effect ? -1 : 1;
    return box_cmp(&a->box, &b->box);
}

static int cmp_same_p(const void *a, const void *b)
{
    return cmp_same(*(struct part *const *)a, *(struct part *const *)b);
}

static struct part **sorted_parts(struct rules *r)
{
    struct part **v = calloc(r->n + 1, sizeof(struct part *));
    for (size_t i = 0; v && i < r->n; i++)
        v[i] = &r->v[i];
    if (v)
        qsort(v, r->n, sizeof(struct part *), cmp_same_p);
    return v;
}

/* Marks what both sides have. One of a side stands for several equal ones of the other: they are
 * the same packets at the same weight. */
static int mark_same(struct rules *a, struct rules *b)
{
    _cleanup_free_ struct part **x = sorted_parts(a);
    _cleanup_free_ struct part **y = sorted_parts(b);
    if (!x || !y)
        return -ENOMEM;
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        int c = cmp_same(x[i], y[j]);
        if (c == 0) {
            const struct part *key = x[i];
            for (; i < a->n && cmp_same(x[i], key) == 0; i++)
                x[i]->same = true;
            for (; j < b->n && cmp_same(y[j], key) == 0; j++)
                y[j]->same = true;
        } else if (c < 0) {
            i++;
        } else {
            j++;
        }
    }
    return 0;
}

/* --- what changes --- */

static int find_change(struct diff *d, bool blocked, const struct decision *in_b,
                       struct diff_change **ret)
{
    struct diff_result *res = d->ret;
    uint64_t who = in_b->index == SIZE_MAX ? UINT32_MAX : in_b->index;
    uint64_t key = (uint64_t)blocked << 63 | (uint64_t)in_b->decider << 56 | who;
    uint32_t id;
    int r = idmap_add(&d->groups, key, &id);
    if (r == 0 && id == res->n) {
        r = array_reserve(&res->v, &res->cap, res->n + 1, sizeof(*res->v));
        if (r < 0)
            return r;
        struct diff_change *c = &res->v[res->n];
        *c = (struct diff_change){.blocked = blocked, .in_b = *in_b};
        r = packetset_copy_names(&d->side[1].names, &c->set);
        if (r < 0)
            return r;
        res->n++;
    }
    if (r == 0)
        *ret = &res->v[id];
    return r;
}

static int add_change(struct diff *d, const struct box *b, const struct part *in_a,
                      const struct part *in_b)
{
    enum action before = effect_of(in_a), after = effect_of(in_b);
    if (before == after)
        return 0;
    struct decision decision = decision_of(in_b);
    struct diff_change *c;
    int r = find_change(d, after > before, &decision, &c);
    if (r == 0 && c->set.n == 0) {
        c->in_a = decision_of(in_a);
        c->example = box_example(b, &c->set, d->side[1].e->host);
    }
    return r == 0 ? packetset_add(&c->set, b) : r;
}

/* A piece of what d->part decides on its side, and who decides it on the other. */
static int visit_other(void *arg, const struct box *piece, const struct part *winner)
{
    struct diff *d = arg;
    if (d->from == 0)
        return add_change(d, piece, d->part, winner);
    if (winner && !winner->same) /* was found from the other side */
        return 0;
    return add_change(d, piece, winner, d->part);
}

/* A piece of the box of d->part, split by the parts of its own side down to itself. */
static int visit_mine(void *arg, const struct box *piece, const struct part *winner)
{
    struct diff *d = arg;
    if (winner != d->part)
        return 0;
    int r = walk_split(&d->inner, &d->side[1 - d->from], piece, &d->others, visit_other, d);
    if (d->inner.exhausted)
        d->outer.exhausted = true;
    return r;
}

static int look_at_part(struct diff *d, const struct part *p)
{
    d->part = p;
    walk_begin(&d->outer);
    walk_begin(&d->inner);
    int r = walk_find(&d->outer, &d->side[d->from], &p->box, &d->mine);
    if (r == 0)
        r = walk_find(&d->inner, &d->side[1 - d->from], &p->box, &d->others);
    size_t n = 0;
    while (n < d->mine.n && d->mine.v[n] < (uint32_t)(p - d->side[d->from].v) + 1)
        n++;
    d->mine.n = n; /* what is weaker decides nothing here */
    if (r == 0)
        r = walk_split(&d->outer, &d->side[d->from], &p->box, &d->mine, visit_mine, d);
    d->ret->n_boxes += d->outer.n_boxes + d->inner.n_boxes;
    if (d->outer.exhausted || d->inner.exhausted)
        d->ret->complete = false;
    return r;
}

/* --- beyond the budget: at least an example --- */

static struct box random_point(struct rng *rng, const struct box *b)
{
    struct box p = *b;
    struct ip random = {rng_next(rng), rng_next(rng)};
    bool low = rng_below(rng, 2);
    p.class = b->class & CLASS_TO_ME ? CLASS_TO_ME : b->class & (uint8_t)-b->class;
    p.l4 = b->l4 & L4_KNOWN ? L4_KNOWN : L4_FRAGMENT;
    p.special = b->special & SPECIAL_NO ? SPECIAL_NO : SPECIAL_YES;
    p.profiles = b->profiles & (uint8_t)-b->profiles;
    p.if_first = p.if_last;
    if (b->src_first.hi == b->src_last.hi && b->src_last.lo > b->src_first.lo)
        p.src_first.lo += random.lo % (b->src_last.lo - b->src_first.lo);
    p.src_last = p.src_first;
    p.dst_first = p.dst_last = low ? b->dst_first : b->dst_last;
    uint16_t sport =
        (uint16_t)(b->sport_first + rng_below(rng, 1u + b->sport_last - b->sport_first));
    uint16_t dport =
        (uint16_t)(b->dport_first + rng_below(rng, 1u + b->dport_last - b->dport_first));
    p.sport_first = p.sport_last = sport;
    p.dport_first = p.dport_last = dport;
    struct example x = box_example(&p, &(struct packetset){0}, &(struct host){0});
    for (unsigned i = 0; i < ARRAY_SIZE(p.proto); i++)
        p.proto[i] = x.packet.proto / 64u == i ? 1ULL << x.packet.proto % 64 : 0;
    return p;
}

/* Asks both sides about some packets of parts that differ, from the strongest to the weakest. */
static int sample(struct diff *d)
{
    enum { SAMPLES = 4096 };
    struct rng rng = {.state = 1};
    for (unsigned side = 0; side < 2; side++) {
        const struct rules *r = &d->side[side];
        size_t step = r->n / SAMPLES + 1;
        for (size_t i = 0; i < r->n; i += step) {
            size_t k = i;
            while (k < r->n && k < i + step && r->v[k].same)
                k++;
            if (k == r->n || k == i + step)
                continue;
            struct box p = random_point(&rng, &r->v[k].box);
            int err =
                add_change(d, &p, rules_decide(&d->side[0], &p), rules_decide(&d->side[1], &p));
            if (err < 0 || d->ret->n > 0)
                return err;
        }
    }
    return 0;
}

/* --- all of it --- */

static int look_at_side(struct diff *d, unsigned side)
{
    d->from = side;
    const struct rules *r = &d->side[side];
    for (size_t i = 0; i < r->n; i++) {
        if (r->v[i].same)
            continue;
        size_t max = d->outer.budget && d->outer.budget->max_boxes ? d->outer.budget->max_boxes
                                                                   : BUDGET_BOXES;
        if (d->ret->n_boxes > max || d->outer.stopped || d->inner.stopped) {
            d->ret->complete = false;
            return 0;
        }
        int err = look_at_part(d, &r->v[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

static bool has_state(const struct effective *e, const struct filter *like)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct filter *f = e->v[i].filter;
        if (f->keep_state && (!like || filter_eq(f, like)))
            return true;
    }
    return false;
}

static bool states_differ(const struct effective *a, const struct effective *b)
{
    if (!has_state(a, NULL) && !has_state(b, NULL))
        return false;
    for (unsigned turn = 0; turn < 2; turn++) {
        const struct effective *x = turn ? b : a, *y = turn ? a : b;
        for (size_t i = 0; i < x->n; i++) {
            if (x->v[i].filter->keep_state && !has_state(y, x->v[i].filter))
                return true;
        }
    }
    return false;
}

static int cmp_changes(const void *pa, const void *pb)
{
    const struct diff_change *a = pa, *b = pb;
    if (a->blocked != b->blocked)
        return a->blocked ? -1 : 1;
    if (a->in_b.decider != b->in_b.decider)
        return a->in_b.decider < b->in_b.decider ? -1 : 1;
    return a->in_b.index < b->in_b.index ? -1 : a->in_b.index > b->in_b.index;
}

static int run(struct diff *d)
{
    int r = mark_same(&d->side[0], &d->side[1]);
    if (r == 0)
        r = look_at_side(d, 0);
    if (r == 0)
        r = look_at_side(d, 1);
    if (r == 0 && !d->ret->complete && d->ret->n == 0)
        r = sample(d);
    if (r < 0)
        return r;
    for (size_t i = 0; i < d->ret->n; i++)
        packetset_join(&d->ret->v[i].set);
    if (d->ret->n > 1)
        qsort(d->ret->v, d->ret->n, sizeof(*d->ret->v), cmp_changes);
    d->ret->equal = d->ret->complete && d->ret->n == 0;
    return 0;
}

int diff_effective(const struct effective *a, const struct effective *b, uint64_t now_ns,
                   const struct budget *budget, struct diff_result *ret)
{
    _cleanup_(diff_result_done) struct diff_result res = {
        .complete = true,
        .armed_a = effective_is_armed(a),
        .armed_b = effective_is_armed(b),
        .state_differs = states_differ(a, b),
    };
    _cleanup_(packetset_done) struct packetset names = {0};
    _cleanup_(diff_done) struct diff d = {
        .outer.budget = budget, .inner.budget = budget, .ret = &res};
    int r = rules_collect_names(a, &names);
    if (r == 0)
        r = rules_collect_names(b, &names);
    if (r == 0)
        r = rules_new(a, now_ns, &names, &d.side[0]);
    if (r == 0)
        r = rules_new(b, now_ns, &names, &d.side[1]);
    if (r == 0)
        r = run(&d);
    if (r < 0)
        return r;
    *ret = res;
    res = (struct diff_result){0};
    return 0;
}

void diff_result_done(struct diff_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        packetset_done(&r->v[i].set);
    free(r->v);
    *r = (struct diff_result){0};
}
