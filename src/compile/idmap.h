/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers 64-bit values in the order in which they are first seen: shapes, tuples, port
 * classes. Zero-initialised is empty, except that idmap_init() sets the hash seed. */
#pragma once
#include "base/util.h"

struct idmap {
    struct idmap_cell {
        uint64_t key;
        uint32_t id_plus_1; /* 0 = free */
    } * cell;
    size_t cap, n; /* cap is a power of two */
    uint64_t seed;
    struct idmap_cell last; /* that was added or met: large lists mostly repeat one */
};
void idmap_init(struct idmap *m, uint64_t seed);
void idmap_done(struct idmap *m);
/* Id of key; a new key gets the next number. 0 or -ENOMEM. */
_must_check_ int idmap_add(struct idmap *m, uint64_t key, uint32_t *ret_id);
/* key must be there. */
uint32_t idmap_get(const struct idmap *m, uint64_t key);
