/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apiclient/target.c: request targets from foreign text. Called by whoever builds a request.
 * Everything but the unreserved characters of RFC 3986 2.3 is encoded, so that no name can
 * change the path. */
#include <string.h>

#include "apiclient/client.h"

static int add_encoded(struct strbuf *b, const char *s)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~";

    for (; *s; s++) {
        if (strchr(unreserved, *s))
            (void)strbuf_add_char(b, *s);
        else
            (void)strbuf_addf(b, "%%%02X", (unsigned)(unsigned char)*s);
    }
    return b->error;
}

int api_target_add_segment(struct strbuf *target, const char *s)
{
    return add_encoded(target, s);
}

int api_target_add_query(struct strbuf *target, const char *key, const char *value)
{
    bool first = !target->s || !strchr(target->s, '?');

    (void)strbuf_addf(target, "%c%s=", first ? '?' : '&', key);
    return add_encoded(target, value);
}
