/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The traffic of the benchmark: which source address packet number `seq` has. Used by inject.bpf.c
 * (in the kernel) and by pw-inject.c (floods from outside); rulesets.py has the same function for
 * the filters. Invariants: bench_addr() is one-to-one, so N indices are N different filters; a
 * listed address has bit 8 clear and every other one has it set, so that a miss lies between the
 * filters, in the same /16 and the same /22 as they do, and no prefix of 24 bits or more takes it
 * in. All addresses are in 32.0.0.0/4, or the same 32 bits behind 2001:db8::/32. */
#pragma once
#include <linux/types.h>

enum inject_kind {
    INJECT_LEGIT, /* some fixed addresses that no filter names */
    INJECT_HIT,   /* a random one of the N listed ones */
    INJECT_MISS,  /* random, never a listed one */
    INJECT_FIXED, /* always the same listed one */
    INJECT_NEAR,  /* a random listed one with the last bit of its prefix turned over */
    _INJECT_KIND_MAX,
};

/* What the packets of one run are; lies in the program's .bss. */
struct inject_job {
    __u32 kind, n_filters;
    __u32 n_sources; /* of INJECT_LEGIT */
    __u32 n_lengths; /* of INJECT_NEAR: filter i has a prefix of 32 - i % n_lengths bits */
    __u32 v6;
    __u32 seq;
};

enum { INJECT_INDEX_BITS = 27, INJECT_FRAME4 = 64, INJECT_FRAME6 = 80, INJECT_ETH_BYTES = 14 };
#define INJECT_INDEX_MASK ((1u << INJECT_INDEX_BITS) - 1)

/* One-to-one on 27 bits. */
static inline __u32 bench_mix(__u32 x)
{
    x &= INJECT_INDEX_MASK;
    x ^= x >> 13;
    x = x * 0x2c1b3c6du & INJECT_INDEX_MASK;
    x ^= x >> 12;
    x = x * 0x297a2d39u & INJECT_INDEX_MASK;
    x ^= x >> 14;
    return x;
}

static inline __u32 bench_addr(__u32 index, __u32 listed)
{
    __u32 j = bench_mix(index);
    return 0x20000000u | j >> 8 << 9 | (j & 0xff) | (listed ? 0 : 0x100u);
}

static inline __u32 bench_random(__u32 x)
{
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

static inline __u32 inject_source(const volatile struct inject_job *job, __u32 seq)
{
    __u32 random = bench_random(seq + 1), n = job->n_filters ? job->n_filters : 1;
    __u32 index = (__u32)((__u64)random * n >> 32);

    switch (job->kind) {
    case INJECT_HIT:
        return bench_addr(index, 1);
    case INJECT_MISS:
        return bench_addr(random, 0);
    case INJECT_FIXED:
        return bench_addr(n / 2, 1);
    case INJECT_NEAR:
        return bench_addr(index, 1) ^ 1u << (job->n_lengths ? index % job->n_lengths : 0);
    default:
        return bench_addr(INJECT_INDEX_MASK - (job->n_sources ? seq % job->n_sources : 0), 0);
    }
}
