/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/suggest.c: edit distance for hints.
 * Called where a name that somebody typed is unknown. Invariant: bounded work (64 x 64 steps),
 * whatever was typed. */
#include "base/suggest.h"

#include <string.h>

enum { SUGGEST_BYTES = 64 };

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static unsigned min2(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned suggest_distance(const char *a, const char *b, unsigned limit)
{
    size_t n = strnlen(a, SUGGEST_BYTES + 1), m = strnlen(b, SUGGEST_BYTES + 1);
    if (n > SUGGEST_BYTES || m > SUGGEST_BYTES)
        return limit + 1;
    /* Rows i-2, i-1 and i of the table of Damerau (optimal string alignment). */
    unsigned rows[3][SUGGEST_BYTES + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    for (unsigned j = 0; j <= m; j++)
        last[j] = j;
    for (unsigned i = 1; i <= n; i++) {
        now[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            unsigned change = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = min2(min2(last[j], now[j - 1]) + 1, last[j - 1] + change);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = min2(now[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return min2(last[m], limit + 1);
}

unsigned suggest_limit(const char *word)
{
    size_t n = strnlen(word, SUGGEST_BYTES);
    return n < 3 ? 0 : n < 6 ? 1 : 2 + (n > 12);
}
