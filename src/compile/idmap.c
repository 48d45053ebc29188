/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/idmap.c: numbers 64-bit values in the order in which they are first seen.
 * Used for shapes, tuples and port classes. Open addressing, at most half full; the seed only
 * spreads cells and never shows in a result. */
#include "idmap.h"

#include <assert.h>
#include <errno.h>

#include "image.h"

enum { IDMAP_MIN_CAP = 64 };

void idmap_init(struct idmap *m, uint64_t seed)
{
    *m = (struct idmap){.seed = seed};
}

void idmap_done(struct idmap *m)
{
    free(m->cell);
    *m = (struct idmap){0};
}

static size_t find_cell(const struct idmap *m, uint64_t key)
{
    size_t i = img_mix(key ^ m->seed, m->seed) & (m->cap - 1);
    while (m->cell[i].id_plus_1 != 0 && m->cell[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

static int grow(struct idmap *m)
{
    struct idmap bigger = {.cap = m->cap ? m->cap * 2 : IDMAP_MIN_CAP, .n = m->n, .seed = m->seed};
    bigger.cell = calloc(bigger.cap, sizeof(*bigger.cell));
    if (!bigger.cell)
        return -ENOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        if (m->cell[i].id_plus_1 != 0)
            bigger.cell[find_cell(&bigger, m->cell[i].key)] = m->cell[i];
    }
    free(m->cell);
    *m = bigger;
    return 0;
}

int idmap_add(struct idmap *m, uint64_t key, uint32_t *ret_id)
{
    if (m->last.id_plus_1 != 0 && m->last.key == key) {
        *ret_id = m->last.id_plus_1 - 1;
        return 0;
    }
    if (m->n * 2 >= m->cap) {
        int r = grow(m);
        if (r < 0)
            return r;
    }
    struct idmap_cell *c = &m->cell[find_cell(m, key)];
    if (c->id_plus_1 == 0)
        *c = (struct idmap_cell){.key = key, .id_plus_1 = (uint32_t)++m->n};
    m->last = *c;
    *ret_id = c->id_plus_1 - 1;
    return 0;
}

uint32_t idmap_get(const struct idmap *m, uint64_t key)
{
    assert(m->cap > 0);
    if (m->last.key == key)
        return m->last.id_plus_1 - 1;
    const struct idmap_cell *c = &m->cell[find_cell(m, key)];
    assert(c->id_plus_1 != 0);
    return c->id_plus_1 - 1;
}
