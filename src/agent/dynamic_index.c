/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/dynamic_index.c: a hash table from the print of a filter to its number.
 * Called by change_filter.c while a batch is prepared. No I/O. Invariant: an entry whose number the
 * layer does not have any more is as good as empty, and its place is taken by the next filter of
 * the same print, so that adding and deleting one filter again and again makes no long chains. */
#include "dynamic_index.h"

#include <errno.h>
#include <stdlib.h>

#include "internal.h"

struct dynamic_index {
    size_t mask; /* number of slots - 1, a power of two, at most half of them used */
    size_t used;
    struct index_slot {
        uint64_t key;
        uint32_t id; /* 0 = free */
    } slot[];
};

int dynamic_index_new(const struct dynamic *l, size_t n_more, struct dynamic_index **ret)
{
    size_t n = 16;
    while (n < 2 * (l->n + n_more))
        n *= 2;
    struct dynamic_index *x = calloc(1, sizeof(*x) + n * sizeof(x->slot[0]));
    if (!x)
        return -ENOMEM;
    x->mask = n - 1;
    for (size_t i = 0; i < l->n; i++)
        dynamic_index_add(x, l, &l->v[i]->filter);
    *ret = x;
    return 0;
}

struct dynamic_index *dynamic_index_free(struct dynamic_index *x)
{
    free(x);
    return NULL;
}

void dynamic_index_add(struct dynamic_index *x, const struct dynamic *l, const struct filter *f)
{
    uint64_t key = notes_key(f);
    size_t i = (size_t)key & x->mask;
    while (x->slot[i].id != 0 &&
           (x->slot[i].key != key || dynamic_find_id(l, x->slot[i].id) != SIZE_MAX))
        i = (i + 1) & x->mask;
    x->used += x->slot[i].id == 0;
    x->slot[i] = (struct index_slot){.key = key, .id = f->handle};
}

bool dynamic_index_is_full(const struct dynamic_index *x)
{
    return x->used + 1 > (x->mask + 1) / 2;
}

size_t dynamic_index_find(const struct dynamic_index *x, const struct dynamic *l,
                          const struct filter *f)
{
    if (!x)
        return dynamic_find_equal(l, f);
    uint64_t key = notes_key(f);
    for (size_t i = (size_t)key & x->mask; x->slot[i].id != 0; i = (i + 1) & x->mask) {
        size_t at = x->slot[i].key == key ? dynamic_find_id(l, x->slot[i].id) : SIZE_MAX;
        if (at != SIZE_MAX && filter_eq(&l->v[at]->filter, f))
            return at;
    }
    return SIZE_MAX;
}
