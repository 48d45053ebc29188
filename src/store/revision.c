/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/revision.c: a row of REVISION_GET as a policy: the canonical text, and beside it GUIDs and
 * handles. Called by policy_get.c (what a policy says now is its last revision) and history.c.
 * Invariant: a text that cannot be read, or identities that do not fit it, are damage, never a
 * missing filter. */
#include <errno.h>

#include "db.h"
#include "text/text.h"

static void policy_list_donep(struct policy_list *l)
{
    policy_list_done(l);
}

/* A place in a text of the database helps nobody. */
static void forget_places(struct policy *p)
{
    for (size_t i = 0; i < p->n_rules; i++) {
        p->rules[i].at = (struct span){0};
        for (size_t k = 0; k < p->rules[i].n_filters; k++)
            p->rules[i].filters[k].at = (struct span){0};
    }
    p->at = (struct span){0};
}

int revision_read(struct store *s, sqlite3_stmt *st, struct diag *d, struct policy **ret)
{
    struct diag_list why = {0};
    _cleanup_(policy_list_donep) struct policy_list l = {0};
    const char *text = column_text(st, 1);
    int r = text_parse_policies(text, (size_t)sqlite3_column_bytes(st, 1), &why, &l);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || l.n != 1)
        return db_corrupt(s->path, d, "is damaged: a revision cannot be read: %s",
                          why.n ? why.d[0].message : "not one policy");
    struct policy *p = l.v[0];
    p->revision = (uint32_t)sqlite3_column_int64(st, 0);
    r = column_guid(s, st, 2, d, &p->guid);
    if (r < 0)
        return r;
    if (sqlite3_column_type(st, 3) != SQLITE_NULL &&
        !identities_read(p, sqlite3_column_blob(st, 3), (size_t)sqlite3_column_bytes(st, 3)))
        return db_corrupt(s->path, d, "is damaged: identities of revision %u do not fit its text",
                          p->revision);
    forget_places(p);
    *ret = TAKE_PTR(l.v[0]);
    l.n = 0;
    return 0;
}
