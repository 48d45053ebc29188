/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/audit.c: who changed what, when and why.
 * Every change of the store ends here inside its own transaction; the agent calls store_audit()
 * for changes that are not in the database (dynamic filters). Invariant: no change without its
 * row. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "db.h"

int64_t now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail for this clock */
    return t.tv_sec;
}

int author_check(const struct author *a, struct diag *d)
{
    if (a->reason && strlen(a->reason) > LIMIT_REASON_BYTES)
        return diag_fail(d, DIAG_LIMIT, "reason is longer than %d bytes", LIMIT_REASON_BYTES);
    return 0;
}

int audit_write(struct store *s, const struct author *a, const struct audit_row *row,
                struct diag *d)
{
    struct bind b[] = {
        BIND_INT(":time_s", now_s()),
        BIND_INT(":uid", a->uid),
        BIND_TEXT(":login", a->login),
        BIND_TEXT(":origin", a->origin),
        BIND_TEXT(":change", row->change),
        BIND_TEXT(":object", row->object),
        BIND_TEXT(":reason", a->reason),
        BIND_TEXT(":peer", a->peer[0] ? a->peer : NULL),
        BIND_INT(":generation", row->generation),
        BIND_INT(":revision", row->revision),
    };
    for (size_t i = ARRAY_SIZE(b) - 2; i < ARRAY_SIZE(b); i++)
        if (b[i].number == 0)
            b[i].type = BIND_TYPE_NULL;
    int r = db_run(s, STMT_AUDIT_INSERT, b, ARRAY_SIZE(b), d);
    if (r < 0)
        return r;
    if (s->first_audit == 0 && row->generation == 0)
        s->first_audit = sqlite3_last_insert_rowid(s->db);
    return state_raise(s, d);
}

int store_audit(struct store *s, const struct author *a, const char *change, const char *object,
                uint64_t generation, struct diag *d)
{
    int r = author_check(a, d);
    if (r < 0)
        return r;
    _cleanup_(scope_done) struct scope sc = {0};
    r = change_begin(s, d, &sc);
    if (r < 0)
        return r;
    const struct audit_row row = {.change = change, .object = object, .generation = generation};
    r = audit_write(s, a, &row, d);
    if (r < 0)
        return r;
    return scope_commit(&sc, d);
}

int store_generation_is_recorded(struct store *s, uint64_t generation, struct diag *d)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_INT(":generation", generation)};
    int r = db_bind(s, STMT_AUDIT_OF_GENERATION, b, ARRAY_SIZE(b), d, &st);
    return r < 0 ? r : db_step(s, st, d);
}

static int number_rows(struct store *s, enum stmt_id id, int64_t first, uint64_t generation,
                       struct diag *d)
{
    if (first == 0)
        return 0;
    const struct bind b[] = {BIND_INT(":generation", generation), BIND_INT(":first", first)};
    return db_run(s, id, b, ARRAY_SIZE(b), d);
}

int store_set_generation(struct store *s, uint64_t generation, struct diag *d)
{
    _cleanup_(scope_done) struct scope sc = {0};
    int r = scope_begin(s, d, &sc);
    if (r < 0)
        return r;
    r = number_rows(s, STMT_REVISIONS_NUMBER, s->first_revision, generation, d);
    if (r < 0)
        return r;
    r = number_rows(s, STMT_AUDIT_NUMBER, s->first_audit, generation, d);
    if (r < 0)
        return r;
    r = scope_commit(&sc, d);
    if (r < 0)
        return r;
    s->first_revision = s->first_audit = 0;
    return 0;
}
