/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/prune.c: bitmaps that say which groups an address or a protocol can match.
 * Called by compile_image() after the table is filled (IPv6 indices depend on the seed).
 * Invariant: a bit may be set needlessly, but is never missing where an entry matches. */
#include <string.h>

#include "build.h"

/* IPv6 indices hash the first 32 bits of the address (datapath.md 3.5). */
enum { PRUNE6_PREFIX = 32 };
/* Less than what index registers of the program hold, and not less than a line. */
enum { HOSTS_BITS_MIN = 12, HOSTS_BITS_MAX = 26 };

uint32_t prune_bits(const struct family_build *f)
{
    return f->n_entries < 10000 ? PRUNE_BITS_SMALL : 16; /* datapath.md 3.7 */
}

/* Does the group give enough of the address to be left out for others? */
bool prune_selective(struct shape s, unsigned fam, bool destination)
{
    uint8_t len = destination ? s.dst_len : s.src_len;
    return fam == FAM4 ? len > 0 : len >= PRUNE6_PREFIX;
}

/* Where all groups give a whole address, the bits of its hash say more (prune_hosts()). */
bool prune_uses(const struct family_build *f, unsigned fam, bool destination)
{
    __u64 hosts = prune_hosts(f, fam, destination);
    for (size_t g = 0; g < f->n_groups; g++) {
        if (prune_selective(f->groups[g].shape, fam, destination) && !(hosts >> g & 1))
            return true;
    }
    return false;
}

__u64 prune_hosts(const struct family_build *f, unsigned fam, bool destination)
{
    __u64 groups = 0;
    for (size_t g = 0; g < f->n_groups; g++) {
        struct shape s = f->groups[g].shape;
        if ((destination ? s.dst_len : s.src_len) == family_bits(family_of(fam)) &&
            !f->groups[g].merged)
            groups |= 1ULL << g;
    }
    return groups;
}

/* Eight bits for an entry: one of ten other addresses has its bit set as well. */
uint16_t prune_hosts_bits(const struct family_build *f, __u64 groups)
{
    size_t n = 0;
    uint16_t bits = HOSTS_BITS_MIN;
    for (size_t i = 0; i < f->n_entries; i++)
        n += groups >> f->entries[i].group & 1;
    while (1ULL << bits < n * 8 && bits < HOSTS_BITS_MAX)
        bits++;
    return bits;
}

uint32_t prune_host(uint64_t seed, unsigned fam, struct ip a, unsigned bits)
{
    return fam == FAM4 ? img_host4(seed, (uint32_t)a.lo, bits) : img_host6(seed, a.hi, a.lo, bits);
}

bool prune_uses_proto(const struct family_build *f)
{
    for (size_t g = 0; g < f->n_groups; g++) {
        if (f->groups[g].shape.proto)
            return true;
    }
    return false;
}

/* Blocks of the index that a group has marked: a prefix of len bits is number (1 << len | its
 * bits). */
enum { BLOCKS = 1 << 16 };
struct blocks {
    uint64_t seen[BLOCKS / 64];
};

static bool is_new(struct blocks *x, uint32_t number)
{
    uint64_t bit = 1ULL << number % 64;
    bool r = !(x->seen[number / 64] & bit);
    x->seen[number / 64] |= bit;
    return r;
}

/* An IPv4 prefix shorter than the index covers a block of it, which is marked once. */
static void mark4(struct blocks *x, uint32_t addr, uint8_t len, uint32_t bits, __u64 bit,
                  __u64 *words)
{
    uint32_t first = img_prune4(addr, bits);
    if (len >= bits) {
        words[first] |= bit;
        return;
    }
    if (!is_new(x, 1u << len | addr >> (32 - len)))
        return;
    for (uint32_t i = 0; i < 1u << (bits - len); i++)
        words[first + i] |= bit;
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
    struct blocks blocks;
    int group = -1;
    for (size_t i = 0; i < f->n_entries; i++) { /* sorted by group */
        const struct entry *e = &f->entries[i];
        if (all >> e->group & 1)
            continue;
        struct ip a = entry_side(f, fam, e, destination);
        if (fam == FAM6) {
            words[img_prune6(b->seed, a.hi, bits)] |= 1ULL << e->group;
            continue;
        }
        if (e->group != group)
            memset(&blocks, 0, sizeof(blocks));
        group = e->group;
        mark4(&blocks, (uint32_t)a.lo, destination ? e->dst_len : e->src_len, bits,
              1ULL << e->group, words);
    }
    for (uint32_t i = 0; i < 1u << bits; i++)
        words[i] |= all;
}

static void fill_hosts(struct build *b, unsigned fam, bool destination)
{
    const struct family_build *f = &b->fam[fam];
    const struct img_family *l = &f->layout;
    __u64 groups = destination ? l->dst_hosts : l->src_hosts;
    if (groups == 0)
        return;
    __u64 *words = line_at(b, destination ? l->dst_hosts_off : l->src_hosts_off);
    unsigned bits = destination ? l->dst_hosts_bits : l->src_hosts_bits;
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct entry *e = &f->entries[i];
        if (!(groups >> e->group & 1))
            continue;
        uint32_t bit = prune_host(b->seed, fam, entry_side(f, fam, e, destination), bits);
        words[bit / 64] |= 1ULL << bit % 64;
    }
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
    fill_hosts(b, fam, false);
    fill_hosts(b, fam, true);
    fill_protocols(b, fam);
}
