/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/portset.c: sets of ports.
 * Used by the parser to make them and by everybody to read them. Invariant: ranges are sorted
 * and disjoint, and a set that holds every port in one item is the empty list, so equal
 * sets of items are equal bytes. */
#include "model/portset.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/limits.h"

static int cmp_range(const void *a, const void *b)
{
    const struct port_range *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->last < y->last ? -1 : x->last > y->last;
}

int portset_from(const struct port_range *items, size_t n, struct portset *ret)
{
    assert(n <= LIMIT_PORT_ITEMS);
    struct portset s = {0};
    if (n > 0) {
        s.range = calloc(n, sizeof(*s.range));
        if (!s.range)
            return -ENOMEM;
        memcpy(s.range, items, n * sizeof(*items));
        if (n > 1)
            qsort(s.range, n, sizeof(*s.range), cmp_range);
    }
    for (size_t i = 0; i < n; i++) {
        struct port_range next = s.range[i];
        assert(next.first <= next.last);
        if (s.n > 0 && next.first <= s.range[s.n - 1].last) {
            if (next.last > s.range[s.n - 1].last)
                s.range[s.n - 1].last = next.last;
        } else {
            s.range[s.n++] = next;
        }
    }
    if (s.n == 1 && s.range[0].first == 0 && s.range[0].last == UINT16_MAX)
        portset_done(&s);
    *ret = s;
    return 0;
}

bool portset_is_any(const struct portset *s)
{
    return s->n == 0;
}

bool portset_contains(const struct portset *s, uint16_t port)
{
    if (s->n == 0)
        return true;
    for (uint32_t i = 0; i < s->n; i++) {
        if (port >= s->range[i].first && port <= s->range[i].last)
            return true;
    }
    return false;
}

bool portset_eq(const struct portset *a, const struct portset *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->range[i].first != b->range[i].first || a->range[i].last != b->range[i].last)
            return false;
    }
    return true;
}

int portset_copy(const struct portset *s, struct portset *ret)
{
    struct portset copy = {.n = s->n};
    if (s->n > 0) {
        copy.range = calloc(s->n, sizeof(*copy.range));
        if (!copy.range)
            return -ENOMEM;
        memcpy(copy.range, s->range, s->n * sizeof(*copy.range));
    }
    *ret = copy;
    return 0;
}

void portset_done(struct portset *s)
{
    free(s->range);
    *s = (struct portset){0};
}
