/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/sortkey.c: a radix sort by bytes, from the lowest on.
 * Called by compile and agent with one element per filter. Invariant: stable. A byte that is the
 * same in all keys, as most are, costs no pass. */
#include "base/sortkey.h"

#include <errno.h>
#include <string.h>

enum { BYTES = 8, VALUES = 256 };

static unsigned byte_of(uint64_t key, unsigned byte)
{
    return (unsigned)(key >> (8 * byte)) & (VALUES - 1);
}

static void count(const struct sort_key *v, size_t n, uint32_t counts[BYTES][VALUES])
{
    for (size_t i = 0; i < n; i++)
        for (unsigned b = 0; b < BYTES; b++)
            counts[b][byte_of(v[i].key, b)]++;
}

/* One pass: from `from` to `to` by this byte. counts becomes places. */
static void spread(const struct sort_key *from, size_t n, unsigned byte, uint32_t counts[VALUES],
                   struct sort_key *to)
{
    uint32_t place = 0;
    for (unsigned value = 0; value < VALUES; value++) {
        uint32_t next = place + counts[value];
        counts[value] = place;
        place = next;
    }
    for (size_t i = 0; i < n; i++)
        to[counts[byte_of(from[i].key, byte)]++] = from[i];
}

int sort_keys(struct sort_key *v, size_t n)
{
    uint32_t counts[BYTES][VALUES] = {{0}};
    if (n < 2)
        return 0;
    if (n > UINT32_MAX)
        return -ENOMEM;
    _cleanup_free_ struct sort_key *other = malloc(n * sizeof(*other));
    if (!other)
        return -ENOMEM;
    struct sort_key *from = v, *to = other;
    count(v, n, counts);
    for (unsigned b = 0; b < BYTES; b++) {
        if (counts[b][byte_of(v[0].key, b)] == n) /* v[0] has it wherever it is now */
            continue;
        spread(from, n, b, counts[b], to);
        struct sort_key *swap = from;
        from = to;
        to = swap;
    }
    if (from != v)
        memcpy(v, from, n * sizeof(*v));
    return 0;
}
