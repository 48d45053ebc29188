/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/policy_get.c: reading policies.
 * Called by the agent at start, before each generation and for questions. Invariant: a policy is
 * read whole or not at all; a row that cannot be read is damage, never a missing filter. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "db.h"
#include "text/text.h"

static int read_info(struct store *s, sqlite3_stmt *st, struct diag *d, struct policy_info *ret)
{
    struct policy_info i = {
        .revision = (uint32_t)sqlite3_column_int64(st, 2),
        .n_rules = (uint32_t)sqlite3_column_int64(st, 3),
        .n_filters = (uint32_t)sqlite3_column_int64(st, 4),
        .changed_s = sqlite3_column_int64(st, 5),
        .assigned = {[ASSIGN_LOCAL] = sqlite3_column_int(st, 6) != 0,
                     [ASSIGN_PERSISTENT] = sqlite3_column_int(st, 7) != 0},
    };
    (void)snprintf(i.name, sizeof(i.name), "%s", column_text(st, 0)); /* at most 255 bytes */
    int r = column_guid(s, st, 1, d, &i.guid);
    if (r < 0)
        return r;
    *ret = i;
    return 0;
}

int store_policy_list(struct store *s, struct diag *d, struct policy_info **ret, size_t *ret_n)
{
    _cleanup_free_ struct policy_info *v = NULL;
    size_t n = 0, cap = 0;
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = db_bind(s, STMT_POLICY_LIST, NULL, 0, d, &st);
    if (r < 0)
        return r;
    while ((r = db_step(s, st, d)) > 0) {
        r = array_reserve(&v, &cap, n + 1, sizeof(*v));
        if (r < 0)
            return r;
        r = read_info(s, st, d, &v[n]);
        if (r < 0)
            return r;
        n++;
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(v);
    *ret_n = n;
    return 0;
}

int policy_unknown(struct store *s, const char *name, struct diag *d)
{
    int r = diag_fail(d, DIAG_UNKNOWN_OBJECT, "unknown policy '%s'", name);
    _cleanup_free_ struct policy_info *v = NULL;
    size_t n = 0;
    if (store_policy_list(s, NULL, &v, &n) < 0)
        return r; /* the hint is a courtesy */
    unsigned best = suggest_limit(name) + 1;
    const char *near = NULL;
    for (size_t i = 0; i < n; i++) {
        unsigned distance = suggest_distance(name, v[i].name, suggest_limit(name));
        if (distance < best) {
            best = distance;
            near = v[i].name;
        }
    }
    if (near)
        diag_hint(d, "did you mean '%s'?", near);
    else
        diag_hint(d, "portward policy list");
    return r;
}

/* Runs a statement that asks for one policy by its name: *ret_st stands on its row, and the
 * caller's *folded has to live as long as it does. */
static int step_by_name(struct store *s, enum stmt_id which, const char *name,
                        struct folded *folded, struct diag *d, sqlite3_stmt **ret_st)
{
    int r = name_fold(name, "policy", d, folded);
    if (r < 0)
        return r;
    const struct bind b[] = {BIND_TEXT(":folded", folded->s)};
    r = db_bind(s, which, b, ARRAY_SIZE(b), d, ret_st);
    if (r < 0)
        return r;
    r = db_step(s, *ret_st, d);
    if (r < 0)
        return r;
    return r == 0 ? policy_unknown(s, name, d) : 0;
}

int policy_row(struct store *s, const char *name, struct diag *d, int64_t *ret_id)
{
    struct folded folded;
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = step_by_name(s, STMT_POLICY_BY_NAME, name, &folded, d, &st);
    if (r < 0)
        return r;
    *ret_id = sqlite3_column_int64(st, 0);
    return 0;
}

/* The row of REVISION_GET for what a policy says now. */
static int read_contents(struct store *s, const struct folded *name, uint32_t revision,
                         struct diag *d, struct policy **ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_TEXT(":folded", name->s), BIND_INT(":revision", revision)};
    int r = db_bind(s, STMT_REVISION_GET, b, ARRAY_SIZE(b), d, &st);
    if (r == 0)
        r = db_step(s, st, d);
    if (r < 0)
        return r;
    if (r == 0)
        return db_corrupt(s->path, d, "is damaged: revision %u of '%s' is missing", revision,
                          name->s);
    if (sqlite3_column_type(st, 3) == SQLITE_NULL)
        return db_corrupt(s->path, d, "is damaged: revision %u of '%s' has no identities", revision,
                          name->s);
    return revision_read(s, st, d, ret);
}

/* Policy and head are of one row, so the same in everything that both say. */
static int check_head(struct store *s, sqlite3_stmt *st, const struct policy *p, struct diag *d)
{
    struct guid guid;
    int r = column_guid(s, st, 1, d, &guid);
    if (r < 0)
        return r;
    if (guid_cmp(&guid, &p->guid) == 0 &&
        (size_t)sqlite3_column_int64(st, 4) == policy_n_filters(p))
        return 0;
    return db_corrupt(s->path, d, "is damaged: policy '%s' is not that of its revision", p->name);
}

/* After policy_move() the text of the revision still says the name before. */
static int take_name(struct policy *p, const char *name)
{
    if (strcmp(p->name, name) == 0)
        return 0;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    free(p->name);
    p->name = copy;
    return 0;
}

int policy_load(struct store *s, const struct folded *name, struct diag *d, int64_t *ret_id,
                struct policy **ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *head = NULL;
    const struct bind b[] = {BIND_TEXT(":folded", name->s)};
    int r = db_bind(s, STMT_POLICY_BY_NAME, b, ARRAY_SIZE(b), d, &head);
    if (r < 0)
        return r;
    r = db_step(s, head, d);
    if (r < 0)
        return r;
    if (r == 0) {
        *ret = NULL;
        return 0;
    }
    _cleanup_(policy_freep) struct policy *p = NULL;
    r = read_contents(s, name, (uint32_t)sqlite3_column_int64(head, 3), d, &p);
    if (r == 0)
        r = check_head(s, head, p, d);
    if (r == 0)
        r = take_name(p, column_text(head, 2));
    if (r < 0)
        return r;
    *ret_id = sqlite3_column_int64(head, 0);
    *ret = TAKE_PTR(p);
    return 0;
}

int store_policy_identity(struct store *s, const char *name, struct diag *d,
                          struct policy_identity *ret)
{
    struct folded folded;
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = step_by_name(s, STMT_POLICY_BY_NAME, name, &folded, d, &st);
    if (r < 0)
        return r;
    struct policy_identity i = {.revision = (uint32_t)sqlite3_column_int64(st, 3)};
    r = column_guid(s, st, 1, d, &i.guid);
    if (r < 0)
        return r;
    *ret = i;
    return 0;
}

int store_policy_get(struct store *s, const char *name, struct diag *d, struct policy **ret)
{
    struct folded folded;
    int r = name_fold(name, "policy", d, &folded);
    if (r < 0)
        return r;
    struct policy *p;
    int64_t id;
    r = policy_load(s, &folded, d, &id, &p);
    if (r < 0)
        return r;
    (void)sqlite3_db_release_memory(s->db); /* the pages of a large policy; cannot fail */
    if (!p)
        return policy_unknown(s, name, d);
    *ret = p;
    return 0;
}

int store_policy_source(struct store *s, const char *name, struct diag *d, char **ret)
{
    struct folded folded;
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = step_by_name(s, STMT_POLICY_SOURCE, name, &folded, d, &st);
    if (r < 0)
        return r;
    if (sqlite3_column_type(st, 0) == SQLITE_NULL) {
        r = diag_fail(d, DIAG_UNKNOWN_OBJECT,
                      "policy '%s' has no source text: it was not loaded, or changed since", name);
        diag_hint(d, "portward policy show \"%s\"", name);
        return r;
    }
    char *text = strdup(column_text(st, 0));
    if (!text)
        return -ENOMEM;
    *ret = text;
    return 0;
}
