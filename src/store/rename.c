/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/rename.c: another name for a policy, which stays the same one.
 * Called by policy_put.c for a policy that continues another, and by the agent. Invariants: the
 * row keeps its id, so that an assignment follows by itself; the revisions go along and none is
 * lost, those of an earlier policy of the new name stay before them; the old name is free again. */
#include <errno.h>
#include <string.h>

#include "db.h"

/* -EEXIST if there is a policy of this name. */
static int check_free(struct store *s, const char *name, struct diag *d)
{
    struct diag why = {0};
    int64_t id;
    int r = policy_row(s, name, &why, &id);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        if (d)
            *d = why;
        return r;
    }
    r = diag_fail(d, DIAG_CONFLICT, "policy '%s' exists already", name);
    diag_hint(d, "give it another name, or delete the other one: portward policy delete \"%s\"",
              name);
    return r;
}

int policy_move(struct store *s, const char *old_name, const char *new_name, struct diag *d)
{
    struct folded from, to;
    int64_t id;
    int r = name_fold(new_name, "policy", d, &to);
    if (r == 0)
        r = policy_row(s, old_name, d, &id);
    if (r == 0)
        r = name_fold(old_name, "policy", d, &from);
    if (r < 0 || strcmp(from.s, to.s) == 0)
        return r; /* only the spelling is new: that is a put like any other */
    r = check_free(s, new_name, d);
    if (r < 0)
        return r;
    uint32_t last;
    r = revision_last(s, &to, d, &last);
    if (r < 0)
        return r;
    const struct bind b[] = {BIND_TEXT(":folded", from.s), BIND_TEXT(":to", to.s),
                             BIND_INT(":last", last), BIND_TEXT(":name", new_name)};
    r = db_run(s, STMT_POLICY_MOVE, b, 4, d);
    return r < 0 ? r : db_run(s, STMT_REVISIONS_MOVE, b, 3, d);
}

int store_policy_rename(struct store *s, const char *old_name, const char *new_name,
                        const struct author *a, struct diag *d)
{
    _cleanup_(policy_freep) struct policy *p = NULL;
    int r = store_policy_get(s, old_name, d, &p);
    if (r < 0)
        return r;
    free(p->name);
    p->name = strdup(new_name);
    if (!p->name)
        return -ENOMEM;
    const struct policy_put o = {.replace = true, .renamed_from = old_name};
    bool changed;
    return store_policy_put(s, p, &o, a, d, &changed);
}
