/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-16LE, the text form of registry files and policy blobs: one character at a time, unpaired
 * surrogates refused. Callers: reg_*.c and blob*.c. */
#pragma once
#include "base/strbuf.h"

/* Bytes of the character (2 or 4) at p, 0 if it is none or cut short. */
static inline size_t utf16_decode(const uint8_t *p, size_t n, uint32_t *ret_cp)
{
    if (n < 2)
        return 0;
    uint32_t unit = p[0] | (uint32_t)p[1] << 8;
    *ret_cp = unit;
    if (unit < 0xd800 || unit > 0xdfff)
        return 2;
    if (unit > 0xdbff || n < 4)
        return 0;
    uint32_t low = p[2] | (uint32_t)p[3] << 8;
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *ret_cp = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    return 4;
}

/* Writes the character; its bytes (2 or 4). */
static inline size_t utf16_encode(uint32_t cp, uint8_t out[4])
{
    uint32_t unit = cp > 0xffff ? 0xd7c0 + (cp >> 10) : cp, low = 0xdc00 + (cp & 0x3ff);
    out[0] = (uint8_t)unit;
    out[1] = (uint8_t)(unit >> 8);
    out[2] = (uint8_t)low;
    out[3] = (uint8_t)(low >> 8);
    return cp > 0xffff ? 4 : 2;
}

/* Appends a character as UTF-8. */
static inline int utf16_add_utf8(struct strbuf *b, uint32_t cp)
{
    char s[4];
    size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        s[i] = (char)(0x80 | (cp & 0x3f));
    s[0] = (char)(lead[n == 1 ? 0 : n] | cp);
    return strbuf_add_n(b, s, n);
}
