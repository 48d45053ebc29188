/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/prune.c: bitmaps that say which groups an address or a protocol can match.
 * Called by compile_image() after the table is filled (IPv6 indices depend on the seed).
 * Invariant: a bit may be set needlessly, but is never missing where an entry matches. */
#include "build.h"

/* IPv6 indices hash the first 32 bits of the address (datapath.md 3.5). */
enum { PRUNE6_PREFIX = 32 };

uint32_t prune_bits(const struct family_build *f)
{
    return f->n_entries < 256 ? 8 : f->n_entries < 10000 ? 12 : 16; /* datapath.md 3.7 */
}

/* Does the group give enough of the address to be left out for others? */
bool prune_selective(struct shape s, unsigned fam, bool destination)
{
    uint8_t len = destination ? s.dst_len : s.src_len;
    return fam == FAM4 ? len > 0 : len >= PRUNE6_PREFIX;
}

bool prune_uses(const struct family_build *f, unsigned fam, bool destination)
{
    for (size_t g = 0; g < f->n_groups; g++) {
        if (prune_selective(f->groups[g].shape, fam, destination))
            return true;
    }
    return false;
}

bool prune_uses_proto(const struct family_build *f)
{
    for (size_t g = 0; g < f->n_groups; g++) {
        if (f->groups[g].shape.proto)
            return true;
    }
    return false;
}

/* Prefixes shorter than the index cover a block of it. Their first index is marked; here each
 * mark spreads over its block, once per group instead of once per entry. */
static void spread(const struct family_build *f, bool destination, uint32_t bits, __u64 *words)
{
    for (size_t g = 0; g < f->n_groups; g++) {
        struct shape s = f->groups[g].shape;
        uint8_t len = destination ? s.dst_len : s.src_len;
        if (len == 0 || len >= bits)
            continue;
        uint32_t block = 1u << (bits - len);
        __u64 bit = 1ULL << g;
        for (uint32_t i = 0; i < 1u << bits; i++) {
            if (words[i & ~(block - 1)] & bit)
                words[i] |= bit;
        }
    }
}

static void fill_addresses(struct build *b, unsigned fam, bool destination)
{
    const struct family_build *f = &b->fam[fam];
    uint32_t off = destination ? f->layout.dst_off : f->layout.src_off;
    uint32_t bits = destination ? f->layout.dst_bits : f->layout.src_bits;
    if (off == 0)
        return;
    __u64 *words = line_at(b, off);
    __u64 all = 0;
    for (size_t g = 0; g < f->n_groups; g++) {
        if (!prune_selective(f->groups[g].shape, fam, destination))
            all |= 1ULL << g;
    }
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct entry *e = &f->entries[i];
        if (!prune_selective(f->groups[e->group].shape, fam, destination))
            continue;
        struct ip a = entry_side(f, fam, e, destination);
        uint32_t index =
            fam == FAM4 ? img_prune4((uint32_t)a.lo, bits) : img_prune6(b->seed, a.hi, bits);
        words[index] |= 1ULL << e->group;
    }
    if (fam == FAM4)
        spread(f, destination, bits, words);
    for (uint32_t i = 0; i < 1u << bits; i++)
        words[i] |= all;
}

static void fill_protocols(struct build *b, unsigned fam)
{
    const struct family_build *f = &b->fam[fam];
    if (f->layout.proto_off == 0)
        return;
    __u64 *words = line_at(b, f->layout.proto_off);
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct entry *e = &f->entries[i];
        if (f->groups[e->group].shape.proto)
            words[e->hi >> 32 & 0xff] |= 1ULL << e->group;
    }
    for (size_t g = 0; g < f->n_groups; g++) {
        for (unsigned proto = 0; proto < 256 && !f->groups[g].shape.proto; proto++)
            words[proto] |= 1ULL << g;
    }
}

void prune_fill(struct build *b, unsigned fam)
{
    fill_addresses(b, fam, false);
    fill_addresses(b, fam, true);
    fill_protocols(b, fam);
}
