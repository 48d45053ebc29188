/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/patch_lists.c: a change in place from two whole lists of filters.
 * Called by the agent for changes that are not of the dynamic layer alone, and by tests; whoever
 * keeps book of the filters fills struct image_change himself. Pure. Invariant: the neighbours of a
 * side are sorted, the nearest first. */
#include <errno.h>
#include <string.h>

#include "build.h"
#include "compile/patch.h"

static int cmp_rank(const struct effective_filter *a, const struct effective_filter *b)
{
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    return guid_cmp(&a->filter->guid, &b->filter->guid);
}

/* Keeps the nearest of those seen. side: -1 for the filters below. */
static void keep_near(const struct effective_filter *ef, int side, struct effective_filter *v,
                      unsigned *n)
{
    unsigned at = *n;
    while (at > 0 && cmp_rank(ef, &v[at - 1]) * side < 0)
        at--;
    if (at == PATCH_NEIGHBOURS)
        return;
    unsigned last = *n < PATCH_NEIGHBOURS ? (*n)++ : PATCH_NEIGHBOURS - 1;
    memmove(&v[at + 1], &v[at], (last - at) * sizeof(*v));
    v[at] = *ef;
}

int image_neighbours(const struct effective *e, struct image_change *c)
{
    for (size_t i = 0; i < e->n; i++) {
        int order = cmp_rank(&e->v[i], &c->added);
        if (order == 0)
            return -EAGAIN; /* no identity of its own */
        if (order < 0)
            keep_near(&e->v[i], -1, c->below, &c->n_below);
        else
            keep_near(&e->v[i], 1, c->above, &c->n_above);
    }
    return 0;
}

uint64_t image_port_items(const struct filter *f)
{
    return (uint64_t)(f->sport.n > 0 ? f->sport.n : 1) * (f->dport.n > 0 ? f->dport.n : 1);
}

static bool is_within_limit(const struct effective *e)
{
    uint64_t n = 0;
    for (size_t i = 0; i < e->n; i++)
        n += image_port_items(e->v[i].filter);
    return n <= LIMIT_EFFECTIVE_FILTERS;
}

/* Expansions of one filter have one counter, by which slots are found, and may have equal keys: a
 * slot of one may stand for another. */
static bool has_sibling(const struct effective *after, const struct effective_filter *ef)
{
    for (size_t i = 0; i < after->n; i++) {
        if (cmp_rank(&after->v[i], ef) == 0)
            return true;
    }
    return false;
}

int image_change_of(const struct image_lists *l, struct image_change *ret)
{
    struct image_change c = {.host = l->after->host,
                             .armed = effective_is_armed(l->after),
                             .shadows = l->losers ? l->before : NULL,
                             .generation = l->generation};
    if (l->n_added > 1 || l->n_deleted > PATCH_DELETIONS || !is_within_limit(l->after))
        return -EAGAIN;
    for (size_t i = 0; i < l->n_deleted; i++) {
        c.deleted[c.n_deleted++] = l->before->v[l->deleted[i]];
        if (has_sibling(l->after, &l->before->v[l->deleted[i]]))
            return -EAGAIN;
    }
    if (l->n_added > 0) {
        c.adds = true;
        c.added = l->after->v[l->added[0]];
        int r = image_neighbours(l->before, &c);
        if (r < 0)
            return r;
    }
    *ret = c;
    return 0;
}
