/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-dns.c: any bytes as the answer of a name server, and as a hosts file. Nothing that comes
 * out is beyond the limits of one name. */
#include <stdlib.h>
#include <string.h>

#include "../../src/fetch/resolve.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check(const struct fetch_answer *a)
{
    require(a->n <= LIMIT_NAME_ADDRESSES && a->ttl_s <= FETCH_TTL_MAX_S);
    for (size_t i = 0; i < a->n; i++)
        require(a->v[i].family == FAMILY_4 || a->v[i].family == FAMILY_6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int types[] = {1, 28};
    char next[RESOLVE_NAME_BYTES];
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct fetch_answer a = {.ttl_s = FETCH_TTL_MAX_S};
        struct resolve_question q = {.name = "a.example", .type = types[i]};
        if (size >= 2) /* else the fuzzer would guess at the id for ever */
            q.id = (uint16_t)(data[0] << 8 | data[1]);
        enum resolve_result r = resolve_read_answer(&q, data, size, &a, next);
        check(&a);
        require(r != RESOLVE_FOUND || a.n > 0);
        require(r != RESOLVE_FOLLOW || memchr(next, '\0', sizeof(next)));
    }
    struct fetch_answer h = {.ttl_s = 1};
    char *copy = malloc(size > 0 ? size : 1); /* exact: ASan sees a read behind it */
    require(copy != NULL);
    memcpy(copy, data, size);
    bool whole = resolve_read_hosts(copy, size, "a.example", &h);
    require(whole || h.n == LIMIT_NAME_ADDRESSES);
    check(&h);
    free(copy);
    return 0;
}
