/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/assign.c: which policy is in which slot, and deleting policies that are in none.
 * Called by the agent. Invariant: a slot holds at most one policy, and an assigned policy exists
 * (the database enforces both). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "db.h"

/* Row id (0 = none) and name of the policy in the slot. */
static int read_slot(struct store *s, enum assign_slot slot, struct diag *d, int64_t *ret_id,
                     char ret_name[256])
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_TEXT(":slot", slot_name(slot))};
    int r = db_bind(s, STMT_ASSIGNED, b, ARRAY_SIZE(b), d, &st);
    if (r < 0)
        return r;
    r = db_step(s, st, d);
    if (r < 0)
        return r;
    *ret_id = r > 0 ? sqlite3_column_int64(st, 0) : 0;
    (void)snprintf(ret_name, 256, "%s", r > 0 ? column_text(st, 1) : ""); /* at most 255 bytes */
    return 0;
}

static int write_slot(struct store *s, enum assign_slot slot, int64_t id, struct diag *d)
{
    const struct bind b[] = {BIND_TEXT(":slot", slot_name(slot)), BIND_INT(":policy", id)};
    if (id == 0)
        return db_run(s, STMT_UNASSIGN, b, 1, d);
    return db_run(s, STMT_ASSIGN, b, 2, d);
}

static const char *assign_change(enum assign_slot slot, bool assign)
{
    if (slot == ASSIGN_PERSISTENT)
        return assign ? "assign persistent" : "unassign persistent";
    return assign ? "assign" : "unassign";
}

int store_assign(struct store *s, enum assign_slot slot, const char *name, const struct author *a,
                 struct diag *d, char ret_before[256])
{
    int r = author_check(a, d);
    if (r < 0)
        return r;
    _cleanup_(scope_done) struct scope sc = {0};
    r = change_begin(s, d, &sc);
    if (r < 0)
        return r;
    int64_t before_id, id = 0;
    char before[256];
    r = read_slot(s, slot, d, &before_id, before);
    if (r < 0)
        return r;
    if (name) {
        r = policy_row(s, name, d, &id);
        if (r < 0)
            return r;
    }
    if (id != before_id) { /* repeating is no change */
        r = write_slot(s, slot, id, d);
        if (r < 0)
            return r;
        const struct audit_row row = {.change = assign_change(slot, name != NULL),
                                      .object = name ? name : before};
        r = audit_write(s, a, &row, d);
        if (r < 0)
            return r;
    }
    r = scope_commit(&sc, d);
    if (r < 0)
        return r;
    memcpy(ret_before, before, sizeof(before));
    return 0;
}

int store_assigned(struct store *s, enum assign_slot slot, struct diag *d, char ret_name[256])
{
    int64_t id;
    return read_slot(s, slot, d, &id, ret_name);
}

static int fail_if_assigned(struct store *s, int64_t id, const char *name, struct diag *d)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_INT(":policy", id)};
    int r = db_bind(s, STMT_SLOT_OF, b, ARRAY_SIZE(b), d, &st);
    if (r < 0)
        return r;
    r = db_step(s, st, d);
    if (r <= 0)
        return r;
    bool persistent = strcmp(column_text(st, 0), "persistent") == 0;
    r = diag_fail(d, DIAG_CONFLICT, "policy '%s' is assigned", name);
    diag_hint(d, "portward policy unassign%s", persistent ? " --persistent" : "");
    return r;
}

int store_policy_delete(struct store *s, const char *name, const struct author *a, struct diag *d)
{
    int r = author_check(a, d);
    if (r < 0)
        return r;
    _cleanup_(scope_done) struct scope sc = {0};
    r = change_begin(s, d, &sc);
    if (r < 0)
        return r;
    int64_t id;
    r = policy_row(s, name, d, &id);
    if (r < 0)
        return r;
    r = fail_if_assigned(s, id, name, d);
    if (r < 0)
        return r;
    const struct bind b[] = {BIND_INT(":id", id)};
    r = db_run(s, STMT_POLICY_DELETE, b, ARRAY_SIZE(b), d);
    if (r < 0)
        return r;
    const struct audit_row row = {.change = "delete", .object = name};
    r = audit_write(s, a, &row, d);
    if (r < 0)
        return r;
    return scope_commit(&sc, d);
}
