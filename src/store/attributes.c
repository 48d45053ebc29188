/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/attributes.c: attributes of policies and rules as rows.
 * Called by policy_put.c and policy_get.c inside their transaction. Invariant: what is read is
 * what was written, in its order; a row that is no attribute is damage. */
#include <errno.h>

#include "db.h"

int attributes_insert(struct store *s, enum stmt_id id, int64_t owner, const struct attributes *a,
                      struct diag *d)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct bind b[] = {BIND_INT(":owner", owner), BIND_INT(":position", i),
                                 BIND_TEXT(":key", a->v[i].key),
                                 BIND_TEXT(":value", a->v[i].value)};
        int r = db_run(s, id, b, ARRAY_SIZE(b), d);
        if (r < 0)
            return r;
    }
    return 0;
}

int attributes_read(struct store *s, enum stmt_id id, int64_t owner, struct diag *d,
                    struct attributes *ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    _cleanup_(attributes_done) struct attributes a = {0};
    const struct bind b[] = {BIND_INT(":owner", owner)};
    int r = db_bind(s, id, b, ARRAY_SIZE(b), d, &st);
    if (r < 0)
        return r;
    while ((r = db_step(s, st, d)) > 0) {
        const char *key, *value;
        r = column_valid_text(s, st, 0, d, &key);
        if (r == 0)
            r = column_valid_text(s, st, 1, d, &value);
        if (r < 0)
            return r;
        r = attributes_set(&a, key, value);
        if (r < 0)
            return r == -ENOMEM ? r : db_corrupt(s->path, d, "is damaged: attribute '%s'", key);
    }
    if (r < 0)
        return r;
    *ret = a;
    a = (struct attributes){0}; /* handed over */
    return 0;
}
