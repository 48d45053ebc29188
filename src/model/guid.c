/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/guid.c: identities and their text.
 * Used wherever an object is stored, shown or matched again. Invariant: guid_parse() takes every
 * text that guid_print() writes, and what stands in Windows registry exports (braces, upper
 * case). */
#include "model/guid.h"

#include <errno.h>
#include <string.h>

bool guid_is_null(const struct guid *g)
{
    static const struct guid null_guid;
    return guid_cmp(g, &null_guid) == 0;
}

int guid_cmp(const struct guid *a, const struct guid *b)
{
    int c = memcmp(a->b, b->b, sizeof(a->b));
    return c < 0 ? -1 : c > 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool dash_before(unsigned byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

int guid_parse(const char *s, struct guid *ret)
{
    bool braces = *s == '{';
    struct guid g;
    if (braces)
        s++;
    for (unsigned i = 0; i < sizeof(g.b); i++) {
        if (dash_before(i) && *s++ != '-')
            return -EINVAL;
        int high = hex_digit(s[0]);
        int low = high < 0 ? -1 : hex_digit(s[1]);
        if (low < 0)
            return -EINVAL;
        g.b[i] = (uint8_t)(high << 4 | low);
        s += 2;
    }
    if (braces && *s++ != '}')
        return -EINVAL;
    if (*s != '\0')
        return -EINVAL;
    *ret = g;
    return 0;
}

void guid_print(const struct guid *g, char out[GUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < sizeof(g->b); i++) {
        if (dash_before(i))
            *out++ = '-';
        *out++ = digits[g->b[i] >> 4];
        *out++ = digits[g->b[i] & 15];
    }
    *out = '\0';
}

struct guid guid_from_random(const uint8_t bytes[16])
{
    struct guid g;
    memcpy(g.b, bytes, sizeof(g.b));
    g.b[6] = (uint8_t)((g.b[6] & 0x0f) | 0x40);
    g.b[8] = (uint8_t)((g.b[8] & 0x3f) | 0x80);
    return g;
}
