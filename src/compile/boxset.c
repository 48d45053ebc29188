/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/boxset.c: unions of boxes. Called by diff.c, check.c and tests.
 * Invariant: the boxes of a set stay disjoint if they were. */
#include <errno.h>
#include <string.h>

#include "analysis.h"

int packetset_add(struct packetset *s, const struct box *b)
{
    int r = array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v));
    if (r == 0)
        s->v[s->n++] = *b;
    return r;
}

int packetset_copy_names(const struct packetset *from, struct packetset *to)
{
    if (from->n_names == 0)
        return 0;
    to->names = calloc(from->n_names, sizeof(*to->names));
    if (!to->names)
        return -ENOMEM;
    memcpy(to->names, from->names, from->n_names * sizeof(*to->names));
    to->n_names = from->n_names;
    return 0;
}

/* Replaces the boxes of s by those of v. */
static void take_boxes(struct packetset *s, struct packetset *v)
{
    free(s->v);
    s->v = TAKE_PTR(v->v);
    s->n = v->n;
    s->cap = v->cap;
}

int packetset_subtract(struct packetset *s, const struct box *b)
{
    _cleanup_(packetset_done) struct packetset left = {0};
    for (size_t i = 0; i < s->n; i++) {
        struct box piece[BOX_PIECES];
        unsigned n = box_subtract(&s->v[i], b, piece);
        for (unsigned j = 0; j < n; j++) {
            int r = packetset_add(&left, &piece[j]);
            if (r < 0)
                return r;
        }
    }
    take_boxes(s, &left);
    return 0;
}

void packetset_intersect(struct packetset *s, const struct box *b)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += box_intersect(&s->v[i], b, &s->v[n]);
    s->n = n;
}

int packetset_union(struct packetset *s, const struct box *b)
{
    _cleanup_(packetset_done) struct packetset more = {0};
    int r = packetset_add(&more, b);
    for (size_t i = 0; i < s->n && more.n > 0 && r == 0; i++)
        r = packetset_subtract(&more, &s->v[i]);
    for (size_t i = 0; i < more.n && r == 0; i++)
        r = packetset_add(s, &more.v[i]);
    return r;
}

static int cmp_along(const void *a, const void *b, void *arg)
{
    return box_cmp_along(a, b, *(const enum dimension *)arg);
}

/* Joins what differs in one dimension only. */
static bool join_along(struct packetset *s, enum dimension d)
{
    size_t n = 0, before = s->n;
    qsort_r(s->v, s->n, sizeof(*s->v), cmp_along, &d);
    for (size_t i = 0; i < s->n; i++) {
        if (n > 0 && box_cmp_except(&s->v[n - 1], &s->v[i], d) == 0 &&
            box_extend(&s->v[n - 1], &s->v[i], d))
            continue;
        s->v[n++] = s->v[i];
    }
    s->n = n;
    return n < before;
}

void packetset_join(struct packetset *s)
{
    static const enum dimension order[] = {DIM_DPORT, DIM_SPORT,   DIM_L4,        DIM_SPECIAL,
                                           DIM_PROTO, DIM_DST,     DIM_SRC,       DIM_CLASS,
                                           DIM_L4,    DIM_PROFILE, DIM_INTERFACE, DIM_SPECIAL};
    bool again = s->n > 1;
    while (again) {
        again = false;
        for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
            again = join_along(s, order[i]) || again;
    }
}

/* Is every packet of a in b? */
static int is_subset(const struct packetset *a, const struct packetset *b, bool *ret)
{
    *ret = true;
    for (size_t i = 0; i < a->n && *ret; i++) {
        _cleanup_(packetset_done) struct packetset left = {0};
        int r = packetset_add(&left, &a->v[i]);
        for (size_t j = 0; j < b->n && left.n > 0 && r == 0; j++)
            r = packetset_subtract(&left, &b->v[j]);
        if (r < 0)
            return r;
        *ret = left.n == 0;
    }
    return 0;
}

int packetset_equal(const struct packetset *a, const struct packetset *b, bool *ret)
{
    bool equal;
    int r = is_subset(a, b, &equal);
    if (r == 0 && equal)
        r = is_subset(b, a, &equal);
    if (r == 0)
        *ret = equal;
    return r;
}

bool packetset_has(const struct packetset *s, const struct packet *p, unsigned class,
                   const struct host *host)
{
    struct box point = box_of_packet(p, class, host, s);
    for (size_t i = 0; i < s->n; i++) {
        if (box_overlaps(&s->v[i], &point))
            return true;
    }
    return false;
}
