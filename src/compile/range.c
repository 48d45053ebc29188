/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/range.c: addresses of a filter as prefixes.
 * Called by expand.c for each side. Invariant: the prefixes are disjoint, sorted, and together
 * exactly the addresses of the side; a range of n-bit addresses needs at most 2n - 2. */
#include <assert.h>

#include "build.h"

typedef unsigned __int128 u128;

static u128 to_number(struct ip ip)
{
    return (u128)ip.hi << 64 | ip.lo;
}

static struct ip to_ip(u128 n)
{
    return (struct ip){.hi = (uint64_t)(n >> 64), .lo = (uint64_t)n};
}

/* Zero bits at the low end, at most bits. */
static unsigned trailing_zeros(u128 n, unsigned bits)
{
    unsigned z = (uint64_t)n != 0           ? (unsigned)__builtin_ctzll((uint64_t)n)
                 : (uint64_t)(n >> 64) != 0 ? 64 + (unsigned)__builtin_ctzll((uint64_t)(n >> 64))
                                            : bits;
    return z < bits ? z : bits;
}

static void add_prefix(struct side *s, u128 first, unsigned len)
{
    assert(s->n < SIDE_PREFIXES);
    s->prefix[s->n].ip = to_ip(first);
    s->prefix[s->n].len = (uint8_t)len;
    s->n++;
}

static void add_range(struct side *s, u128 first, u128 last, unsigned bits)
{
    for (;;) {
        /* The largest aligned block that starts here and does not go beyond the end. */
        unsigned size_bits = trailing_zeros(first, bits);
        u128 block_last;
        for (;; size_bits--) {
            u128 ones = size_bits == 128 ? ~(u128)0 : ((u128)1 << size_bits) - 1;
            block_last = first | ones;
            if (block_last <= last)
                break;
        }
        add_prefix(s, first, bits - size_bits);
        if (block_last == last)
            return;
        first = block_last + 1;
    }
}

void side_set(struct side *s, const struct addr *a, enum family family)
{
    s->n = 0;
    s->me = a->kind == ADDR_ME;
    switch (a->kind) {
    case ADDR_HOST:
    case ADDR_PREFIX:
        add_prefix(s, to_number(a->first), a->prefix_len);
        return;
    case ADDR_RANGE:
        add_range(s, to_number(a->first), to_number(a->last), family_bits(family));
        return;
    case ADDR_ANY:
    case ADDR_ME:
        add_prefix(s, 0, 0);
        return;
    case ADDR_NAME: /* stands for no address: no prefix, no entry */
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
    case _ADDR_KIND_MAX:
        return;
    }
}
