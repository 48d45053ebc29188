/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/library.c: what the dialects keep beside the policies: the library, settings, preshared
 * keys.
 * Called by the agent. Invariants: every change is one transaction with its audit row, putting what
 * is there already is no change; no message and no row of the trail holds a secret. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "db.h"

enum {
    VALUE_BYTES = LIMIT_TEXT_STRING_BYTES, /* of a setting, of a secret */
    SETTINGS = 4096,
    SECRETS = 4096,
};

/* --- one row of a table of keys and values --- */
struct table {
    const char *what; /* in messages */
    enum stmt_id get, put, delete, count;
    int64_t max_rows;
    size_t max_bytes;
    const char *changed, *removed; /* in the trail */
};

static const struct table library = {
    .what = "library",
    .get = STMT_LIBRARY_GET,
    .put = STMT_LIBRARY_PUT,
    .delete = STMT_LIBRARY_DELETE,
    .count = STMT_LIBRARY_COUNT,
    .max_rows = 1,
    .max_bytes = LIMIT_POLICY_TEXT_BYTES,
    .changed = "change library",
    .removed = "empty library",
};
static const struct table settings = {
    .what = "setting",
    .get = STMT_SETTING_GET,
    .put = STMT_SETTING_PUT,
    .delete = STMT_SETTING_DELETE,
    .count = STMT_SETTING_COUNT,
    .max_rows = SETTINGS,
    .max_bytes = VALUE_BYTES,
    .changed = "set",
    .removed = "unset",
};
static const struct table secrets = {
    .what = "preshared key",
    .get = STMT_SECRET_GET,
    .put = STMT_SECRET_PUT,
    .delete = STMT_SECRET_DELETE,
    .count = STMT_SECRET_COUNT,
    .max_rows = SECRETS,
    .max_bytes = VALUE_BYTES,
    .changed = "store preshared key",
    .removed = "delete preshared key",
};

/* Steps to the row; 1 = it is there. *st is to be reset by the caller. */
static int find(struct store *s, const struct table *t, const char *key, struct diag *d,
                sqlite3_stmt **st)
{
    const struct bind b[] = {BIND_TEXT(":key", key)};
    int r = db_bind(s, t->get, b, ARRAY_SIZE(b), d, st);
    return r < 0 ? r : db_step(s, *st, d);
}

static int copy_column(struct store *s, sqlite3_stmt *st, int i, struct diag *d, char **ret)
{
    const char *text;
    int r = column_valid_text(s, st, i, d, &text);
    if (r < 0)
        return r;
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

/* What a put will do; nothing is written yet. */
static int compare(struct store *s, const struct table *t, const char *key, const char *value,
                   struct diag *d, bool *ret_exists, bool *ret_same)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = find(s, t, key, d, &st);
    if (r < 0)
        return r;
    *ret_exists = r > 0;
    *ret_same = r == 0 ? !value : value && strcmp(column_text(st, 0), value) == 0;
    return 0;
}

static int check_room(struct store *s, const struct table *t, const char *key, struct diag *d)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = db_bind(s, t->count, NULL, 0, d, &st);
    if (r == 0)
        r = db_step(s, st, d);
    if (r < 0)
        return r;
    if (sqlite3_column_int64(st, 0) < t->max_rows)
        return 0;
    r = diag_fail(d, DIAG_LIMIT, "%s '%s' not stored: there are %lld already", t->what, key,
                  (long long)t->max_rows);
    diag_hint(d, "remove one that is not needed any more");
    return r;
}

static int check_value(const struct table *t, const char *key, const char *value, struct diag *d)
{
    size_t n = strlen(value);
    if (n > t->max_bytes)
        return diag_fail(d, DIAG_LIMIT, "%s '%s' has %zu bytes, at most %zu are possible", t->what,
                         key, n, t->max_bytes);
    if (!utf8_valid(value, n))
        return diag_fail(d, DIAG_SYNTAX, "%s '%s' is not UTF-8", t->what, key);
    return 0;
}

static int write_row(struct store *s, const struct table *t, const char *key, const char *value,
                     struct diag *d)
{
    const struct bind b[] = {BIND_TEXT(":key", key), BIND_TEXT(":value", value)};
    return value ? db_run(s, t->put, b, 2, d) : db_run(s, t->delete, b, 1, d);
}

static int put(struct store *s, const struct table *t, const char *key, const char *value,
               const struct author *a, struct diag *d)
{
    int r = author_check(a, d);
    if (r == 0)
        r = name_validate(key, t->what, (struct span){0}, d);
    if (r == 0 && value)
        r = check_value(t, key, value, d);
    if (r < 0)
        return r;
    _cleanup_(scope_done) struct scope sc = {0};
    r = change_begin(s, d, &sc);
    if (r < 0)
        return r;
    bool exists, same;
    r = compare(s, t, key, value, d, &exists, &same);
    if (r < 0)
        return r;
    if (!same) {
        if (!exists)
            r = check_room(s, t, key, d);
        if (r == 0)
            r = write_row(s, t, key, value, d);
        const struct audit_row row = {.change = value ? t->changed : t->removed, .object = key};
        if (r == 0)
            r = audit_write(s, a, &row, d);
        if (r < 0)
            return r;
    }
    return scope_commit(&sc, d);
}

/* --- the library: the row with the key of its name --- */
static const char library_key[] = "library";

int store_library_get(struct store *s, struct diag *d, char **ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = find(s, &library, library_key, d, &st);
    if (r < 0)
        return r;
    if (r > 0)
        return copy_column(s, st, 0, d, ret);
    *ret = strdup("");
    return *ret ? 0 : -ENOMEM;
}

int store_library_put(struct store *s, const char *text, const struct author *a, struct diag *d)
{
    return put(s, &library, library_key, text[0] ? text : NULL, a, d);
}

/* --- settings --- */
void store_settings_done(struct store_settings *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].key);
        free(l->v[i].value);
    }
    free(l->v);
    *l = (struct store_settings){0};
}

int store_settings_get(struct store *s, struct diag *d, struct store_settings *ret)
{
    _cleanup_(store_settings_done) struct store_settings l = {0};
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = db_bind(s, STMT_SETTINGS, NULL, 0, d, &st);
    if (r < 0)
        return r;
    while ((r = db_step(s, st, d)) > 0) {
        r = array_reserve(&l.v, &l.cap, l.n + 1, sizeof(*l.v));
        if (r < 0)
            return r;
        struct store_setting *e = &l.v[l.n++];
        *e = (struct store_setting){.key = NULL};
        r = copy_column(s, st, 0, d, &e->key);
        if (r == 0)
            r = copy_column(s, st, 1, d, &e->value);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    *ret = l;
    l = (struct store_settings){0}; /* handed over */
    return 0;
}

int store_setting_put(struct store *s, const char *key, const char *value, const struct author *a,
                      struct diag *d)
{
    return put(s, &settings, key, value, a, d);
}

/* --- preshared keys --- */
int store_secret_put(struct store *s, const char *id, const char *value, const struct author *a,
                     struct diag *d)
{
    return put(s, &secrets, id, value, a, d);
}

int store_secret_get(struct store *s, const char *id, struct diag *d, char **ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = find(s, &secrets, id, d, &st);
    if (r < 0)
        return r;
    if (r == 0)
        return diag_fail(d, DIAG_UNKNOWN_OBJECT, "unknown preshared key '%s'", id);
    return copy_column(s, st, 0, d, ret);
}
