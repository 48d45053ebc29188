/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/exceptions.c: what of a block stays permitted, and by whom (cli.md: still allowed);
 * and the verdict on single packets for counting connections.
 * Called by the agent for every block. Invariant: the sets are disjoint, and with what the block
 * and other blocks decide they are all packets that the block names. */
#include <errno.h>

#include "analysis.h"
#include "compile/diff.h"

struct decider_index {
    struct rules rules;
};

int decider_index_new(const struct effective *e, uint64_t now_ns, struct decider_index **ret)
{
    _cleanup_(packetset_done) struct packetset names = {0};
    _cleanup_(decider_index_freep) struct decider_index *x = calloc(1, sizeof(*x));
    if (!x)
        return -ENOMEM;
    int r = rules_collect_names(e, &names);
    if (r == 0)
        r = rules_new(e, now_ns, &names, &x->rules);
    if (r == 0)
        *ret = TAKE_PTR(x);
    return r;
}

struct decider_index *decider_index_free(struct decider_index *x)
{
    if (x)
        rules_done(&x->rules);
    free(x);
    return NULL;
}

void decider_index_freep(struct decider_index **x)
{
    *x = decider_index_free(*x);
}

struct decision decider_index_ask(const struct decider_index *x, const struct packet *p,
                                  unsigned class)
{
    struct box point = box_of_packet(p, class, x->rules.e->host, &x->rules.names);
    return decision_of(rules_decide(&x->rules, &point));
}

struct search {
    const struct rules *rules;
    size_t index;
    const struct part *permit;
    struct exceptions *ret;
};

static int find_exception(struct search *s, const struct decision *by, struct exception **ret)
{
    struct exceptions *x = s->ret;
    for (size_t i = 0; i < x->n; i++) {
        if (x->v[i].by.decider == by->decider && x->v[i].by.index == by->index) {
            *ret = &x->v[i];
            return 0;
        }
    }
    int r = array_reserve(&x->v, &x->cap, x->n + 1, sizeof(*x->v));
    if (r < 0)
        return r;
    x->v[x->n] = (struct exception){.by = *by};
    r = packetset_copy_names(&s->rules->names, &x->v[x->n].set);
    if (r == 0)
        *ret = &x->v[x->n++];
    return r;
}

static int visit(void *arg, const struct box *piece, const struct part *winner)
{
    struct search *s = arg;
    if (winner != s->permit)
        return 0;
    struct decision by = decision_of(winner);
    struct exception *x;
    int r = find_exception(s, &by, &x);
    if (r == 0 && x->set.n == 0)
        x->example = box_example(piece, &x->set, s->rules->e->host);
    return r == 0 ? packetset_union(&x->set, piece) : r;
}

static int cmp_exceptions(const void *pa, const void *pb)
{
    const struct exception *a = pa, *b = pb;
    if (a->by.decider != b->by.decider)
        return a->by.decider < b->by.decider ? -1 : 1;
    return a->by.index < b->by.index ? -1 : a->by.index > b->by.index;
}

/* What the permit decides of the packets of a part of the block. */
static int search_permit(struct search *s, struct walk *w, const struct part *p,
                         const struct box *common)
{
    _cleanup_(part_list_done) struct part_list found = {0};
    int r = walk_find(w, s->rules, common, &found);
    size_t n = 0;
    while (n < found.n && found.v[n] <= (uint32_t)(p - s->rules->v))
        n++;
    found.n = n; /* what is weaker decides nothing here */
    s->permit = p;
    return r == 0 ? walk_split(w, s->rules, common, &found, visit, s) : r;
}

static int search(struct search *s, struct walk *w)
{
    const struct rules *rules = s->rules;
    walk_begin(w);
    for (size_t i = 0; i < rules->n; i++) {
        struct box common;
        for (size_t k = 0; k < i && rules->v[i].index == s->index; k++) {
            if (rules->v[k].effect != ACTION_PERMIT ||
                !box_intersect(&rules->v[i].box, &rules->v[k].box, &common))
                continue;
            int r = search_permit(s, w, &rules->v[k], &common);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int diff_exceptions(const struct effective *e, size_t index, uint64_t now_ns,
                    const struct budget *budget, struct exceptions *ret)
{
    _cleanup_(exceptions_done) struct exceptions x = {.complete = true};
    _cleanup_(packetset_done) struct packetset names = {0};
    _cleanup_(rules_done) struct rules rules = {0};
    _cleanup_(walk_done) struct walk w = {.budget = budget};
    int r = rules_collect_names(e, &names);
    if (r == 0)
        r = rules_around(e, index, now_ns, &names, &rules);
    if (r == 0)
        r = search(&(struct search){.rules = &rules, .index = index, .ret = &x}, &w);
    if (r < 0)
        return r;
    for (size_t i = 0; i < x.n; i++)
        packetset_join(&x.v[i].set);
    if (x.n > 1)
        qsort(x.v, x.n, sizeof(*x.v), cmp_exceptions);
    x.complete = !walk_is_over(&w);
    *ret = x;
    x = (struct exceptions){0};
    return 0;
}

void exceptions_done(struct exceptions *x)
{
    for (size_t i = 0; i < x->n; i++)
        packetset_done(&x->v[i].set);
    free(x->v);
    *x = (struct exceptions){0};
}
