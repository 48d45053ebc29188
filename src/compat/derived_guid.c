/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/derived_guid.c: identities made of what is identified.
 * Called by netdiag. The hash is SipHash with two fixed keys, 128 bits of it; it keeps identities
 * apart and is no secret. Invariant: a pure function of label and data, on every machine: both are
 * bytes, and numbers in data are written as text by the callers. */
#include "derived_guid.h"

#include <string.h>

#include "base/hash.h"

struct guid derived_guid(const char *label, const void *data, size_t len)
{
    struct guid g;
    for (uint64_t half = 0; half < 2; half++) {
        struct hash_seed seed = {siphash24(label, strlen(label), (struct hash_seed){half, 0}),
                                 half + 1};
        uint64_t hash = siphash24(data, len, seed);
        for (unsigned i = 0; i < 8; i++)
            g.b[8 * half + i] = (uint8_t)(hash >> (56 - 8 * i));
    }
    g.b[6] = (uint8_t)((g.b[6] & 0x0f) | 0x80); /* version 8, RFC 9562 5.8 */
    g.b[8] = (uint8_t)((g.b[8] & 0x3f) | 0x80); /* variant 10, RFC 9562 4.1 */
    return g;
}

void guid_print_braced(const struct guid *g, char out[GUID_BRACED_BYTES])
{
    char text[GUID_TEXT_BYTES];
    guid_print(g, text);
    for (char *p = text; *p; p++)
        if (*p >= 'a' && *p <= 'f')
            *p = (char)(*p - 'a' + 'A');
    (void)format_into(out, GUID_BRACED_BYTES, "{%s}", text);
}
