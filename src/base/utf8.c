/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/utf8.c: decoding, display width and case folding without a locale.
 * Used wherever text from outside is checked, aligned or compared. Invariant: no function reads
 * past the n bytes it was given, and what utf8_decode() accepts is exactly the well-formed set
 * of Unicode 15, table 3-7 (no overlong forms, no surrogates, nothing above U+10FFFF). */
#include "base/utf8.h"

#include <string.h>

struct cp_range {
    uint32_t first, last;
};

/* Marks that take no column (Unicode general categories Mn, Me and the joiners), the blocks in
 * use; sorted. */
static const struct cp_range zero_width[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05bf},   {0x05c1, 0x05c2},
    {0x05c4, 0x05c5}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0670, 0x0670},   {0x06d6, 0x06dc},
    {0x06df, 0x06e4}, {0x0900, 0x0902}, {0x093a, 0x093a}, {0x093c, 0x093c},   {0x0941, 0x0948},
    {0x094d, 0x094d}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},   {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0x302a, 0x302d},   {0x3099, 0x309a},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};

/* Characters of two columns (Unicode East_Asian_Width W and F); sorted. */
static const struct cp_range double_width[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x23f0, 0x23f0},   {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},
    {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x26ce, 0x26ce},
    {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},
    {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27b0, 0x27b0},   {0x27bf, 0x27bf},
    {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18aff},
    {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e},
    {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c},
    {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0},
    {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc},
    {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a},
    {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5},
    {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6d7}, {0x1f6dc, 0x1f6df},
    {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7eb}, {0x1f7f0, 0x1f7f0},
    {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff},
    {0x20000, 0x2fffd}, {0x30000, 0x3fffd},
};

static bool in_ranges(const struct cp_range *r, size_t n, uint32_t cp)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cp > r[mid].last)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && cp >= r[lo].first;
}

size_t utf8_decode(const char *s, size_t n, uint32_t *ret_cp)
{
    if (n == 0)
        return 0;
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80) {
        *ret_cp = u[0];
        return 1;
    }
    size_t len;
    uint32_t cp, least; /* least: smallest code point this length may carry */
    if ((u[0] & 0xe0) == 0xc0) {
        len = 2, cp = u[0] & 0x1fu, least = 0x80;
    } else if ((u[0] & 0xf0) == 0xe0) {
        len = 3, cp = u[0] & 0x0fu, least = 0x800;
    } else if ((u[0] & 0xf8) == 0xf0) {
        len = 4, cp = u[0] & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (u[i] & 0x3fu);
    }
    if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    *ret_cp = cp;
    return len;
}

bool utf8_valid(const char *s, size_t n)
{
    uint32_t cp;
    for (size_t i = 0; i < n;) {
        size_t len = utf8_decode(s + i, n - i, &cp);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t utf8_whole(const char *s, size_t n)
{
    uint32_t cp;
    size_t start = n;
    for (size_t back = 0; back < 4 && start > 0; back++) {
        start--;
        if (((uint8_t)s[start] & 0xc0) != 0x80)
            break;
    }
    return n == 0 || utf8_decode(s + start, n - start, &cp) == n - start ? n : start;
}

bool utf8_is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || (cp >= 0x200e && cp <= 0x200f) ||
           (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

unsigned utf8_width(const char *s, size_t n)
{
    unsigned width = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);
        if (len == 0)
            width += 4; /* \xNN */
        else if (utf8_is_control(cp))
            width += 4 * (unsigned)len;
        else if (in_ranges(double_width, ARRAY_SIZE(double_width), cp))
            width += 2;
        else if (!in_ranges(zero_width, ARRAY_SIZE(zero_width), cp))
            width += 1;
        i += len > 0 ? len : 1;
    }
    return width;
}

uint32_t utf8_fold(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    if (cp >= 0xc0 && cp <= 0xde && cp != 0xd7)
        return cp + 32;
    if (cp >= 0x391 && cp <= 0x3ab && cp != 0x3a2)
        return cp + 32;
    if (cp == 0x3c2) /* final sigma equals sigma */
        return 0x3c3;
    if (cp >= 0x410 && cp <= 0x42f)
        return cp + 32;
    if (cp >= 0x400 && cp <= 0x40f)
        return cp + 80;
    return cp;
}

/* Next folded character of a NUL-terminated text; a byte that is not UTF-8 stands for itself,
 * above all characters. 0 at the end. */
static uint32_t next_folded(const char **s)
{
    if (**s == '\0')
        return 0;
    uint32_t cp;
    size_t len = utf8_decode(*s, strnlen(*s, 4), &cp);
    if (len == 0) {
        uint32_t byte = (unsigned char)**s;
        (*s)++;
        return 0x110000 + byte;
    }
    *s += len;
    return utf8_fold(cp);
}

int utf8_casecmp(const char *a, const char *b)
{
    for (;;) {
        uint32_t ca = next_folded(&a), cb = next_folded(&b);
        if (ca != cb)
            return ca < cb ? -1 : 1;
        if (ca == 0)
            return 0;
    }
}

uint32_t utf8_casehash(const char *s)
{
    uint32_t h = 2166136261u; /* FNV-1a over the folded characters */
    for (uint32_t c = next_folded(&s); c != 0; c = next_folded(&s)) {
        for (unsigned shift = 0; shift < 24; shift += 8)
            h = (h ^ (c >> shift & 0xffu)) * 16777619u;
    }
    return h;
}

bool utf8_has_control(const char *s, size_t n)
{
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t cp;
        len = utf8_decode(s + i, n - i, &cp);
        if (len == 0 || utf8_is_control(cp))
            return true;
    }
    return false;
}
