/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/explain.c: the verdict with everything that competed for it (policy.md 8). Called by the
 * agent for `explain`. Invariant: the verdict is the one of eval_packet(), and v[0] decided it if a
 * filter, failsafe or exemption entry did; expired permits stand behind all others. */
#include <errno.h>

#include "internal.h"

struct collection {
    struct match *v;
    size_t n, cap;
    bool failed; /* out of memory */
};

static void collect(void *arg, const struct match *m)
{
    struct collection *c = arg;
    if (c->failed || array_reserve(&c->v, &c->cap, c->n + 1, sizeof(*c->v)) < 0) {
        c->failed = true;
        return;
    }
    c->v[c->n++] = *m;
}

static int compare_best_first(const void *x, const void *y)
{
    const struct match *a = x, *b = y;
    if (a->expired != b->expired)
        return a->expired ? 1 : -1;
    int c = match_cmp(b, a);
    if (c)
        return c;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return (int)a->twin - (int)b->twin;
}

int eval_explain(const struct effective *e, const struct packet *p, uint64_t now_ns,
                 struct eval_explanation *ret)
{
    struct query q;
    struct verdict v;
    if (decide_before_filters(e, p, now_ns, &q, &v)) {
        *ret = (struct eval_explanation){.verdict = v};
        return 0;
    }
    struct collection c = {.v = NULL};
    match_everything(&q, collect, &c);
    _cleanup_free_ struct match *matches = c.v;
    if (c.failed)
        return -ENOMEM;
    struct eval_candidate *candidates = NULL;
    if (c.n > 0) {
        candidates = calloc(c.n, sizeof(*candidates));
        if (!candidates)
            return -ENOMEM;
        qsort(matches, c.n, sizeof(*matches), compare_best_first);
    }
    for (size_t i = 0; i < c.n; i++)
        candidates[i] = (struct eval_candidate){
            .index = matches[i].index,
            .entry = matches[i].entry,
            .failsafe = matches[i].failsafe,
            .tier = matches[i].tier,
            .weight = matches[i].weight,
            .block = matches[i].block,
            .twin = matches[i].twin,
            .expired = matches[i].expired,
        };
    bool decided = c.n > 0 && !matches[0].expired;
    *ret = (struct eval_explanation){
        .verdict = verdict_of(&q, decided ? &matches[0] : NULL),
        .v = candidates,
        .n = c.n,
    };
    return 0;
}

void eval_explanation_done(struct eval_explanation *x)
{
    free(x->v);
    *x = (struct eval_explanation){.v = NULL};
}
