/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/catalog_dynamic.c: dynamic filters of a catalog.
 * Used by ipseccmd -f, -u, netsh ipsec dynamic and net stop. Invariant: no two filters that shall
 * be there are equal, and a filter that shall go and come again in one change is not touched. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "catalog_internal.h"
#include "text/text.h"

/* The longest filter: a description in which every byte is escaped, and the rest. */
enum { FILTER_TEXT_BYTES = 4 * LIMIT_TEXT_STRING_BYTES + 64 * 1024 };

/* Equal filters have the same: canonical text without the description. */
static int filter_hash(const struct filter *f, uint32_t *ret)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(FILTER_TEXT_BYTES);
    struct filter bare = *f; /* borrows everything */
    bare.description = NULL;
    int r = text_print_filter(&bare, &text);
    if (r == 0)
        *ret = utf8_casehash(text.s);
    return r;
}

static int catch_up(struct catalog *c)
{
    if (c->dynamic_index.n > c->n_dynamic)
        c->dynamic_index.n = 0;
    while (c->dynamic_index.n < c->n_dynamic) {
        uint32_t hash;
        int r = filter_hash(&c->dynamic[c->dynamic_index.n].filter, &hash);
        if (r == 0)
            r = index_add(&c->dynamic_index, hash);
        if (r < 0)
            return r;
    }
    return 0;
}

int catalog_load_dynamic(struct catalog *c, struct diag *d)
{
    if (c->has_dynamic)
        return 0;
    if (c->source && c->source->dynamic) {
        int r = c->source->dynamic(c->source->ctx, d, &c->dynamic, &c->n_dynamic);
        if (r < 0)
            return r;
        c->cap_dynamic = c->n_dynamic;
    }
    for (size_t i = 0; c->flush && i < c->n_dynamic; i++)
        c->dynamic[i].gone = true;
    c->has_dynamic = true;
    return 0;
}

/* A stored filter that a flush takes away does not come back by being wanted again. */
static bool can_stay(const struct catalog *c, const struct catalog_dynamic *e)
{
    return !e->gone || (e->id[0] != '\0' && !c->flush);
}

int catalog_dynamic_add(struct catalog *c, struct filter *f, struct diag *d, bool *ret_known)
{
    uint32_t hash = 0;
    int r = catalog_load_dynamic(c, d);
    if (r == 0)
        r = filter_validate(f, d);
    if (r == 0)
        r = catch_up(c);
    if (r == 0)
        r = filter_hash(f, &hash);
    if (r < 0)
        return r;
    const struct catalog_index *x = &c->dynamic_index;
    for (size_t i = index_scan(x, 0, hash); i < x->n; i = index_scan(x, i + 1, hash)) {
        struct catalog_dynamic *e = &c->dynamic[i];
        if (!filter_eq(&e->filter, f) || !can_stay(c, e))
            continue;
        *ret_known = !e->gone;
        e->gone = false;
        filter_done(f);
        filter_init(f);
        return 0;
    }
    r = array_reserve(&c->dynamic, &c->cap_dynamic, c->n_dynamic + 1, sizeof(*c->dynamic));
    if (r == 0)
        r = index_add(&c->dynamic_index, hash);
    if (r < 0)
        return r;
    c->dynamic[c->n_dynamic++] = (struct catalog_dynamic){.filter = *f};
    filter_init(f);
    *ret_known = false;
    return 0;
}

void catalog_dynamic_flush(struct catalog *c)
{
    c->flush = true;
    for (size_t i = 0; i < c->n_dynamic; i++)
        c->dynamic[i].gone = true;
}
