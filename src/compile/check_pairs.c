/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/check_pairs.c: findings about two filters: conflict and overlap.
 * Called by check.c. Invariant: a pair of filters is reported once. */
#include <errno.h>

#include "check.h"

/* Beyond that many nobody reads them; the count is then said to be incomplete. */
enum { PAIRS_MAX = 100000 };

static int new_pair(struct idmap *pairs, size_t a, size_t b, bool *ret)
{
    size_t before = pairs->n;
    uint32_t id;
    int r = idmap_add(pairs, (uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a), &id);
    *ret = r == 0 && pairs->n > before;
    return r;
}

/* --- conflict --- */

static int cmp_boxes(const void *a, const void *b)
{
    const struct part *x = *(const struct part *const *)a, *y = *(const struct part *const *)b;
    int c = box_cmp(&x->box, &y->box);
    return c != 0 ? c : x < y ? -1 : 1;
}

static bool same_but_action(const struct part *a, const struct part *b)
{
    return a->tier == b->tier && a->weight >> 2 == b->weight >> 2;
}

static int report_conflict(struct check *c, const struct part *wins, const struct part *loses)
{
    struct finding x = {.kind = FINDING_CONFLICT};
    check_name(&x, wins);
    check_name(&x, loses);
    struct box one = wins->box;
    one.class = (uint8_t)(one.class & (uint8_t)-one.class);
    check_show(c, &x, &one, wins);
    struct box point = box_of_packet(&x.example.packet, one.class, c->e->host, &c->rules.names);
    x.winner = decision_of(rules_decide(&c->rules, &point));
    c->seen[loses->index] |= SEEN_CONFLICT_LOST;
    return check_add(c, &x);
}

/* v: parts that differ in box and action only, sorted by box, the strongest first. */
static int conflicts_of(struct check *c, const struct part **v, size_t n, struct idmap *pairs)
{
    int r = 0;
    for (size_t i = 1, run = 0; i < n && r == 0; i++) {
        if (box_cmp(&v[run]->box, &v[i]->box) != 0) {
            run = i;
            continue;
        }
        const struct part *wins = v[run], *loses = v[i];
        bool fresh;
        if (wins->index == SIZE_MAX || loses->index == SIZE_MAX || wins->index == loses->index ||
            wins->effect == loses->effect)
            continue;
        r = new_pair(pairs, wins->index, loses->index, &fresh);
        if (r == 0 && fresh)
            r = report_conflict(c, wins, loses);
    }
    return r;
}

int check_conflicts(struct check *c)
{
    const struct rules *rules = &c->rules;
    _cleanup_(idmap_done) struct idmap pairs = {.seed = 0};
    _cleanup_free_ const struct part **v = calloc(rules->n + 1, sizeof(const struct part *));
    if (!v)
        return -ENOMEM;
    int r = 0;
    for (size_t from = 0, to; from < rules->n && r == 0; from = to) {
        for (to = from; to < rules->n && same_but_action(&rules->v[from], &rules->v[to]); to++)
            v[to - from] = &rules->v[to];
        qsort(v, to - from, sizeof(const struct part *), cmp_boxes);
        r = conflicts_of(c, v, to - from, &pairs);
    }
    return r;
}

/* --- overlap --- */

struct overlap {
    struct check *c;
    const struct part *a, *b;
    bool found;
    struct box piece;
    const struct part *winner;
};

static int visit_either(void *arg, const struct box *piece, const struct part *winner)
{
    struct overlap *o = arg;
    if (winner != o->a && winner != o->b)
        return 0;
    o->found = true;
    o->piece = *piece;
    o->winner = winner;
    return 1;
}

/* Are all packets of the box matched by the filter? */
static int is_covered(struct check *c, const struct box *b, size_t filter, bool *ret)
{
    _cleanup_(packetset_done) struct packetset left = {0};
    int r = packetset_add(&left, b);
    for (size_t i = 0; i < check_n_parts(c, filter) && left.n > 0 && r == 0; i++)
        r = packetset_subtract(&left, &check_part(c, filter, i)->box);
    *ret = r == 0 && left.n == 0;
    return r;
}

static int report_overlap(struct check *c, const struct part *a, const struct part *b)
{
    struct overlap o = {.c = c, .a = a, .b = b};
    struct box common;
    bool covered = !box_intersect(&a->box, &b->box, &common);
    int r = 0;
    if (!covered)
        r = is_covered(c, &a->box, b->index, &covered);
    if (r == 0 && !covered)
        r = is_covered(c, &b->box, a->index, &covered);
    if (r < 0 || covered)
        return r;
    walk_begin(&c->inner);
    r = walk_find(&c->inner, &c->rules, &common, &c->lower);
    if (r == 0)
        r = walk_split(&c->inner, &c->rules, &common, &c->lower, visit_either, &o);
    if (r < 0 || !o.found)
        return r < 0 ? r : 0;
    struct finding x = {.kind = FINDING_OVERLAP};
    check_name(&x, o.winner);
    check_name(&x, o.winner == a ? b : a);
    check_show(c, &x, &o.piece, o.winner);
    return check_add(c, &x);
}

/* Do the parts cross each other, so that one of them wins what a reader may give the other? */
static bool cross(const struct check *c, const struct part *a, const struct part *b)
{
    return b->index != SIZE_MAX && a->index != b->index && a->effect != b->effect &&
           !((c->seen[a->index] | c->seen[b->index]) & SEEN_DEAD) &&
           !box_contains(&a->box, &b->box) && !box_contains(&b->box, &a->box);
}

static int overlaps_of(struct check *c, size_t number, struct idmap *pairs)
{
    const struct part *a = &c->rules.v[number];
    walk_begin(&c->outer);
    int r = walk_find(&c->outer, &c->rules, &a->box, &c->found);
    for (size_t i = 0; i < c->found.n && r == 0; i++) {
        const struct part *b = &c->rules.v[c->found.v[i]];
        bool fresh = false;
        if (b > a && cross(c, a, b))
            r = new_pair(pairs, a->index, b->index, &fresh);
        if (r == 0 && fresh)
            r = report_overlap(c, a, b);
    }
    return r;
}

int check_overlaps(struct check *c)
{
    _cleanup_(idmap_done) struct idmap pairs = {.seed = 0};
    for (size_t i = 0; i < c->rules.n; i++) {
        if (c->rules.v[i].index == SIZE_MAX || c->seen[c->rules.v[i].index] & SEEN_DEAD)
            continue;
        if (pairs.n > PAIRS_MAX || check_is_late(c)) {
            c->ret->complete = false;
            return 0;
        }
        int r = overlaps_of(c, i, &pairs);
        if (r < 0)
            return r;
    }
    return 0;
}
