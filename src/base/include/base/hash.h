/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keyed hashing (SipHash-2-4, Aumasson and Bernstein 2012) and a hash table from byte strings
 * to pointers, seeded, so that nobody outside can choose collisions. */
#pragma once
#include "base/util.h"

struct hash_seed {
    uint64_t k0, k1;
};
uint64_t siphash24(const void *data, size_t len, struct hash_seed seed);
/* The variant with a result of 128 bits, of the authors' reference code. */
void siphash24_128(const void *data, size_t len, struct hash_seed seed, uint64_t ret[2]);

/* Open addressing, grows at 3/4 load. Keys are borrowed and must outlive the table; values are
 * borrowed, non-NULL. */
struct hash_table;
_must_check_ int hash_table_new(struct hash_seed seed, struct hash_table **ret);
struct hash_table *hash_table_free(struct hash_table *t);
void hash_table_freep(struct hash_table **t);
/* 0, -EEXIST (nothing changed) or -ENOMEM. */
_must_check_ int hash_table_put(struct hash_table *t, const void *key, size_t len, void *value);
void *hash_table_get(const struct hash_table *t, const void *key, size_t len);
/* Removes and returns the value, NULL if absent. */
void *hash_table_remove(struct hash_table *t, const void *key, size_t len);
size_t hash_table_size(const struct hash_table *t);
