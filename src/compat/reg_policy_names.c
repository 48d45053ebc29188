/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_policy_names.c: names for objects of a registry export whose own name is taken: "NAME
 * (2)" and so on.
 * Called by reg_policy_read.c. Invariant: a file in which every object has the same name costs one
 * try for each of them, because the number that came last is remembered. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "reg_policy.h"

/* Names that differ in their last bytes only may become the same when a number is put behind. */
enum { COUNTED_BYTES = LIMIT_NAME_BYTES - 15 };

struct reg_count {
    uint32_t key[2]; /* hashes of scope and name: a collision skips numbers and no more */
    unsigned last;
};

void reg_names_done(struct reg_names *n)
{
    for (size_t i = 0; i < n->n; i++)
        free(n->v[i]);
    free(n->v);
    hash_table_freep(&n->counts);
    *n = (struct reg_names){0};
}

static size_t cut(const char *name, size_t max)
{
    return utf8_whole(name, strnlen(name, max));
}

/* "NAME (2)" and so on, cut to fit. */
static void numbered(const char *name, unsigned n, char ret[LIMIT_NAME_BYTES + 1])
{
    char tail[16];
    size_t tail_len = format_into(tail, sizeof(tail), " (%u)", n);
    size_t len = cut(name, LIMIT_NAME_BYTES - tail_len);
    (void)format_into(ret, LIMIT_NAME_BYTES + 1, "%.*s%s", (int)len, name, tail);
}

static int count_of(struct reg_names *n, const char *scope, const char *name,
                    struct reg_count **ret)
{
    char start[LIMIT_NAME_BYTES + 1];
    (void)format_into(start, sizeof(start), "%.*s", (int)cut(name, COUNTED_BYTES), name);
    const uint32_t key[2] = {utf8_casehash(scope), utf8_casehash(start)};
    int err = n->counts ? 0 : hash_table_new((struct hash_seed){(uintptr_t)n, 0}, &n->counts);
    if (err < 0)
        return err;
    *ret = hash_table_get(n->counts, key, sizeof(key));
    if (*ret)
        return 0;
    err = array_reserve(&n->v, &n->cap, n->n + 1, sizeof(*n->v));
    if (err < 0)
        return err;
    struct reg_count *c = n->v[n->n] = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    n->n++;
    *c = (struct reg_count){{key[0], key[1]}, 1};
    *ret = c;
    return hash_table_put(n->counts, c->key, sizeof(c->key), c);
}

int reg_names_free(struct reg_names *n, const char *scope, const char *wanted,
                   const struct reg_taken *taken, char ret[LIMIT_NAME_BYTES + 1])
{
    struct reg_count *c;
    (void)format_into(ret, LIMIT_NAME_BYTES + 1, "%.*s", (int)cut(wanted, LIMIT_NAME_BYTES),
                      wanted);
    if (!taken->is(taken->ctx, ret))
        return 0;
    int err = count_of(n, scope, wanted, &c);
    if (err < 0)
        return err;
    do
        numbered(wanted, ++c->last, ret);
    while (taken->is(taken->ctx, ret));
    return 0;
}
