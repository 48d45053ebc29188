/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deterministic random numbers (splitmix64) for probe packets, tests and property generators:
 * the seed is the caller's and is printed by whoever reports a failure. Not for secrets. */
#pragma once
#include "base/util.h"

struct rng {
    uint64_t state;
};
static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}
/* 0 .. n-1; n > 0. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}
