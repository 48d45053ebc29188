/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits of words, and which way a packet goes, for every eBPF program here. */
#pragma once
#include <linux/types.h>

/* The compiler puts what is seldom behind the rest: the way of nearly all packets is then a few
 * lines of code in a row, which is most of what they pay where caches are busy. */
#define pw_likely(x)   __builtin_expect(!!(x), 1)
#define pw_unlikely(x) __builtin_expect(!!(x), 0)

/* Number of the lowest bit set; word != 0: how many bits are below it. clang 14 crashes on
 * __builtin_ctzll for this target, and comparisons would be 64 ways for the verifier. */
static __always_inline __u32 pw_lowest_bit(__u64 word)
{
    __u64 x = (word & -word) - 1;

    x -= (x >> 1) & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (__u32)((x * 0x0101010101010101ULL) >> 56);
}
