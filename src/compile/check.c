/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/check.c: the frame of `policy check` (policy.md 8): prepares the parts of a policy, asks
 * one question after the other, sorts the findings by place.
 * Called through compile/check.h. Invariant: a finding is only made of what was proved on the
 * sets themselves; where the budget ends, nothing is said and complete is false. */
#include "check.h"

#include <errno.h>

static int cmp_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int cmp_findings(const void *pa, const void *pb, void *arg)
{
    const struct effective *e = arg;
    const struct finding *a = pa, *b = pb;
    size_t i = a->filter[0].index, j = b->filter[0].index;
    if (a->n_filters && b->n_filters && i != j) {
        const struct span *x = &e->v[i].filter->at, *y = &e->v[j].filter->at;
        int c = cmp_u64((uint64_t)x->line << 32 | x->column, (uint64_t)y->line << 32 | y->column);
        return c != 0 ? c : cmp_u64(i, j);
    }
    return a->kind != b->kind ? (int)a->kind - (int)b->kind
                              : cmp_u64(a->filter[1].index, b->filter[1].index);
}

int check_add(struct check *c, const struct finding *f)
{
    struct finding_list *l = c->ret;
    l->counts[f->kind]++;
    if (l->n == FINDINGS_KEPT)
        return 0;
    int r = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (r == 0)
        l->v[l->n++] = *f;
    return r;
}

void check_name(struct finding *f, const struct part *p)
{
    if (!p || p->index == SIZE_MAX)
        return;
    f->filter[f->n_filters].index = p->index;
    f->filter[f->n_filters].weight = p->weight;
    f->filter[f->n_filters].tier = p->tier;
    f->filter[f->n_filters].twin = p->twin;
    f->n_filters++;
}

void check_show(const struct check *c, struct finding *f, const struct box *piece,
                const struct part *winner)
{
    f->has_example = true;
    f->example = box_example(piece, &c->rules.names, c->e->host);
    f->winner = decision_of(winner);
}

/* --- packets that one filter alone decides --- */

static int visit_below(void *arg, const struct box *piece, const struct part *winner)
{
    struct effect_search *s = arg;
    if (!s->decides) {
        s->decides = true;
        s->decided = *piece;
        s->below_decided = winner;
    }
    if (effect_of(winner) == s->p->effect)
        return 0;
    s->matters = true;
    s->changed = *piece;
    return 1;
}

static int visit_above(void *arg, const struct box *piece, const struct part *winner)
{
    struct effect_search *s = arg;
    if (winner != s->p) {
        s->lost = *piece;
        s->winner = winner;
        return 0;
    }
    if (!s->want_matters) {
        s->decides = true;
        s->decided = *piece;
        return 1;
    }
    int r = walk_split(&s->c->inner, &s->c->rules, piece, &s->c->lower, visit_below, s);
    if (s->c->inner.exhausted)
        s->c->outer.exhausted = true;
    return r;
}

static int push(struct part_list *l, uint32_t number)
{
    int r = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (r == 0)
        l->v[l->n++] = number;
    return r;
}

int check_effect(struct effect_search *s, const struct box *box)
{
    struct check *c = s->c;
    uint32_t self = (uint32_t)(s->p - c->rules.v);
    walk_begin(&c->outer);
    walk_begin(&c->inner);
    c->upper.n = c->lower.n = 0;
    c->upper.without = SIZE_MAX;
    c->lower.without = s->without;
    int r = walk_find(&c->outer, &c->rules, box, &c->found);
    for (size_t i = 0; i < c->found.n && r == 0; i++) {
        uint32_t number = c->found.v[i];
        if (number <= self)
            r = push(&c->upper, number);
        else if (c->rules.v[number].index != s->without)
            r = push(&c->lower, number);
    }
    if (r == 0)
        r = walk_split(&c->outer, &c->rules, box, &c->upper, visit_above, s);
    if (r >= 0 && (c->outer.exhausted || c->inner.exhausted) && !s->matters)
        c->ret->complete = false;
    return r < 0 ? r : 0;
}

/* --- all questions --- */

static int group_parts(struct check *c)
{
    size_t n = c->e->n;
    c->first = calloc(n + 2, sizeof(*c->first));
    c->by_filter = calloc(c->rules.n + 1, sizeof(*c->by_filter));
    c->seen = calloc(n + 1, sizeof(*c->seen));
    if (!c->first || !c->by_filter || !c->seen)
        return -ENOMEM;
    for (size_t i = 0; i < c->rules.n; i++) {
        if (c->rules.v[i].index < n)
            c->first[c->rules.v[i].index + 2]++;
    }
    for (size_t i = 2; i < n + 2; i++)
        c->first[i] += c->first[i - 1];
    for (size_t i = 0; i < c->rules.n; i++) {
        if (c->rules.v[i].index < n)
            c->by_filter[c->first[c->rules.v[i].index + 1]++] = (uint32_t)i;
    }
    return 0;
}

static void check_done(struct check *c)
{
    rules_done(&c->rules);
    free(c->first);
    free(c->by_filter);
    free(c->seen);
    walk_done(&c->outer);
    walk_done(&c->inner);
    part_list_done(&c->found);
    part_list_done(&c->upper);
    part_list_done(&c->lower);
}

static int ask_all(struct check *c)
{
    int (*const questions[])(struct check *) = {check_conflicts, check_dead, check_overlaps,
                                                check_singles, check_host};
    int r = group_parts(c);
    for (size_t i = 0; i < ARRAY_SIZE(questions) && r == 0; i++)
        r = questions[i](c);
    if (check_is_late(c))
        c->ret->complete = false;
    return r;
}

int check_effective(const struct effective *e, const struct check_options *o,
                    struct finding_list *ret)
{
    _cleanup_(finding_list_done) struct finding_list list = {.complete = true};
    _cleanup_(packetset_done) struct packetset names = {0};
    _cleanup_(check_done) struct check c = {
        .e = e, .o = o, .outer.budget = o->budget, .inner.budget = o->budget, .ret = &list};
    int r = rules_collect_names(e, &names);
    if (r == 0)
        r = rules_new(e, o->now_ns, &names, &c.rules);
    if (r == 0)
        r = ask_all(&c);
    if (r < 0)
        return r;
    struct effective copy = *e;
    if (list.n > 1)
        qsort_r(list.v, list.n, sizeof(*list.v), cmp_findings, &copy);
    *ret = list;
    list = (struct finding_list){0};
    return 0;
}
