/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/history.c: reading what was: revisions of a policy, the trail of all changes, and one
 * revision as a policy again.
 * Called by the agent for history, for texts of old revisions and for rollback. Invariant: history
 * only grows, nothing here writes; it outlives the policy, so a deleted one can come back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "db.h"
#include "text/text.h"

void history_done(struct history *h)
{
    for (size_t i = 0; i < h->n; i++) {
        free(h->v[i].change);
        free(h->v[i].object);
        free(h->v[i].reason);
    }
    free(h->v);
    *h = (struct history){0};
}

static int copy_column(sqlite3_stmt *st, int i, char **ret)
{
    if (sqlite3_column_type(st, i) == SQLITE_NULL) {
        *ret = NULL;
        return 0;
    }
    *ret = strdup(column_text(st, i));
    return *ret ? 0 : -ENOMEM;
}

/* Columns of HISTORY_OF and HISTORY_ALL. */
static int read_entry(sqlite3_stmt *st, struct history *h)
{
    struct history_entry *e = &h->v[h->n];
    *e = (struct history_entry){
        .revision = (uint32_t)sqlite3_column_int64(st, 0),
        .time_s = sqlite3_column_int64(st, 1),
        .uid = (uint32_t)sqlite3_column_int64(st, 2),
        .generation = (uint64_t)sqlite3_column_int64(st, 6),
    };
    (void)snprintf(e->login, sizeof(e->login), "%s", column_text(st, 3));   /* the table has */
    (void)snprintf(e->origin, sizeof(e->origin), "%s", column_text(st, 4)); /* the same */
    (void)snprintf(e->peer, sizeof(e->peer), "%s", column_text(st, 5));     /* limits */
    h->n++; /* from here history_done() frees it */
    if (copy_column(st, 7, &e->change) < 0 || copy_column(st, 8, &e->object) < 0)
        return -ENOMEM;
    return copy_column(st, 9, &e->reason);
}

int store_history(struct store *s, const char *name, uint32_t limit, struct diag *d,
                  struct history *ret)
{
    _cleanup_(history_done) struct history h = {0};
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    struct folded folded = {""};
    int r = name ? name_fold(name, "policy", d, &folded) : 0;
    if (r < 0)
        return r;
    const struct bind b[] = {BIND_INT(":limit", limit == 0 ? -1 : (int64_t)limit),
                             BIND_TEXT(":folded", folded.s)};
    r = db_bind(s, name ? STMT_HISTORY_OF : STMT_HISTORY_ALL, b, name ? 2 : 1, d, &st);
    if (r < 0)
        return r;
    while ((r = db_step(s, st, d)) > 0) {
        if (array_reserve(&h.v, &h.cap, h.n + 1, sizeof(*h.v)) < 0 || read_entry(st, &h) < 0)
            return -ENOMEM;
    }
    if (r < 0)
        return r;
    if (name && h.n == 0)
        return policy_unknown(s, name, d);
    *ret = h;
    h = (struct history){0};
    return 0;
}

/* The number a rollback without one means: the revision before the current one, or of a deleted
 * policy the last. */
static int default_revision(struct store *s, const struct folded *folded, const char *name,
                            struct diag *d, uint32_t *ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_TEXT(":folded", folded->s)};
    int r = db_bind(s, STMT_REVISION_BEFORE, b, ARRAY_SIZE(b), d, &st);
    if (r == 0)
        r = db_step(s, st, d);
    if (r < 0)
        return r;
    int64_t number = r > 0 ? sqlite3_column_int64(st, 0) : 0;
    if (number > 0) {
        *ret = (uint32_t)number;
        return 0;
    }
    int64_t id;
    r = policy_row(s, name, d, &id);
    if (r < 0)
        return r;
    r = diag_fail(d, DIAG_UNKNOWN_OBJECT, "policy '%s' has one revision only", name);
    diag_hint(d, "portward policy history \"%s\"", name);
    return r;
}

static int unknown_revision(struct store *s, const char *name, uint32_t revision, struct diag *d)
{
    struct history h = {0};
    int r = store_history(s, name, 1, d, &h);
    if (r < 0)
        return r;
    history_done(&h);
    r = diag_fail(d, DIAG_UNKNOWN_OBJECT, "policy '%s' has no revision %u", name, revision);
    diag_hint(d, "portward policy history \"%s\"", name);
    return r;
}

/* A revision from before a rename says the old name: it belongs to this one. */
static int name_revision(struct store *s, const char *name, struct diag *d, struct policy *p)
{
    if (utf8_casecmp(p->name, name) == 0)
        return 0;
    _cleanup_(policy_freep) struct policy *now = NULL;
    int r = store_policy_get(s, name, d, &now);
    if (r < 0 && r != -ENOENT) /* a deleted one has the name it is asked by */
        return r;
    char *copy = strdup(now ? now->name : name);
    if (!copy)
        return -ENOMEM;
    free(p->name);
    p->name = copy;
    return 0;
}

int store_revision_get(struct store *s, const char *name, uint32_t revision, struct diag *d,
                       struct policy **ret)
{
    struct folded folded;
    int r = name_fold(name, "policy", d, &folded);
    if (r == 0 && revision == 0)
        r = default_revision(s, &folded, name, d, &revision);
    if (r < 0)
        return r;
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_TEXT(":folded", folded.s), BIND_INT(":revision", revision)};
    r = db_bind(s, STMT_REVISION_GET, b, ARRAY_SIZE(b), d, &st);
    if (r == 0)
        r = db_step(s, st, d);
    if (r < 0)
        return r;
    if (r == 0)
        return unknown_revision(s, name, revision, d);
    _cleanup_(policy_freep) struct policy *p = NULL;
    r = revision_read(s, st, d, &p);
    if (r == 0)
        r = name_revision(s, name, d, p);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(p);
    return 0;
}
