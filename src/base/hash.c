/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/hash.c: SipHash-2-4 and a seeded open-addressing table.
 * Used for indexes by name, GUID and key. Invariants: the number of slots is a power of two and
 * at most three quarters are used; every entry can be reached from its home slot without
 * crossing an empty one (removal shifts entries back, there are no tombstones). */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { HASH_FIRST_SLOTS = 16 };

struct slot {
    uint64_t hash;
    const void *key;
    size_t len;
    void *value; /* NULL = empty */
};

struct hash_table {
    struct hash_seed seed;
    struct slot *slots;
    size_t n_slots, n_used;
};

static inline uint64_t rotl(uint64_t x, unsigned b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static inline void sip_block(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
}

/* The state after all of data, before the last rounds. */
static void sip_absorb(uint64_t v[4], const void *data, size_t len, struct hash_seed seed)
{
    const uint8_t *p = data;
    v[0] ^= seed.k0 ^ 0x736f6d6570736575ULL;
    v[1] ^= seed.k1 ^ 0x646f72616e646f6dULL;
    v[2] ^= seed.k0 ^ 0x6c7967656e657261ULL;
    v[3] ^= seed.k1 ^ 0x7465646279746573ULL;
    size_t whole = len / 8;
    for (size_t i = 0; i < whole; i++) {
        uint64_t m;
        memcpy(&m, p + 8 * i, sizeof(m));
        sip_block(v, le64toh(m));
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < len % 8; i++)
        last |= (uint64_t)p[8 * whole + i] << (8 * i);
    sip_block(v, last);
}

static uint64_t sip_end(uint64_t v[4])
{
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash24(const void *data, size_t len, struct hash_seed seed)
{
    uint64_t v[4] = {0};
    sip_absorb(v, data, len, seed);
    v[2] ^= 0xff;
    return sip_end(v);
}

void siphash24_128(const void *data, size_t len, struct hash_seed seed, uint64_t ret[2])
{
    uint64_t v[4] = {0, 0xee};
    sip_absorb(v, data, len, seed);
    v[2] ^= 0xee;
    ret[0] = sip_end(v);
    v[1] ^= 0xdd;
    ret[1] = sip_end(v);
}

int hash_table_new(struct hash_seed seed, struct hash_table **ret)
{
    _cleanup_(hash_table_freep) struct hash_table *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->seed = seed;
    t->slots = calloc(HASH_FIRST_SLOTS, sizeof(*t->slots));
    if (!t->slots)
        return -ENOMEM;
    t->n_slots = HASH_FIRST_SLOTS;
    *ret = TAKE_PTR(t);
    return 0;
}

struct hash_table *hash_table_free(struct hash_table *t)
{
    if (t)
        free(t->slots);
    free(t);
    return NULL;
}

void hash_table_freep(struct hash_table **t)
{
    *t = hash_table_free(*t);
}

/* Slot of the key, or the empty slot where it belongs. */
static size_t find_slot(const struct hash_table *t, uint64_t hash, const void *key, size_t len)
{
    size_t i = hash & (t->n_slots - 1);
    while (t->slots[i].value) {
        const struct slot *s = &t->slots[i];
        if (s->hash == hash && s->len == len && (len == 0 || memcmp(s->key, key, len) == 0))
            break;
        i = (i + 1) & (t->n_slots - 1);
    }
    return i;
}

static int resize(struct hash_table *t, size_t n)
{
    struct slot *slots = calloc(n, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < t->n_slots; i++) {
        if (!t->slots[i].value)
            continue;
        size_t to = t->slots[i].hash & (n - 1);
        while (slots[to].value)
            to = (to + 1) & (n - 1);
        slots[to] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->n_slots = n;
    return 0;
}

/* At most three quarters are in use. */
static bool is_full(const struct hash_table *t)
{
    return (t->n_used + 1) * 4 > t->n_slots * 3;
}

int hash_table_put(struct hash_table *t, const void *key, size_t len, void *value)
{
    uint64_t hash = siphash24(key, len, t->seed);
    size_t i = find_slot(t, hash, key, len);
    if (t->slots[i].value)
        return -EEXIST;
    if (is_full(t)) {
        int r = resize(t, t->n_slots * 2);
        if (r < 0)
            return r;
        i = find_slot(t, hash, key, len);
    }
    t->slots[i] = (struct slot){.hash = hash, .key = key, .len = len, .value = value};
    t->n_used++;
    return 0;
}

void *hash_table_get(const struct hash_table *t, const void *key, size_t len)
{
    return t->slots[find_slot(t, siphash24(key, len, t->seed), key, len)].value;
}

void *hash_table_remove(struct hash_table *t, const void *key, size_t len)
{
    size_t mask = t->n_slots - 1;
    size_t hole = find_slot(t, siphash24(key, len, t->seed), key, len);
    void *value = t->slots[hole].value;
    if (!value)
        return NULL;
    /* Every later entry of the run whose home does not lie behind the hole moves into it. */
    for (size_t i = (hole + 1) & mask; t->slots[i].value; i = (i + 1) & mask) {
        size_t home = t->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole] = (struct slot){0};
    t->n_used--;
    return value;
}

size_t hash_table_size(const struct hash_table *t)
{
    return t->n_used;
}
