/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of the store: a directory of its own, policies from text, and a look into the
 * database past the store. */
#pragma once
#include <dirent.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "store/store.h"
#include "text/text.h"

static const struct author fixture_author = {
    .uid = 1000, .login = "alice", .origin = "cli", .reason = "worm"};

struct fixture {
    char dir[64];
    char path[96]; /* of the database */
    struct store *s;
};

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/pw-store-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    (void)snprintf(f->path, sizeof(f->path), "%s/portward.db", f->dir);
    *state = f;
    return 0;
}

static inline void fixture_remove_files(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    fixture_remove_files(f->dir);
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

static inline void fixture_open(struct fixture *f)
{
    struct diag d = {0};
    f->s = store_close(f->s);
    int r = store_open(f->dir, &d, &f->s);
    if (r < 0)
        print_error("%s\n", d.message);
    assert_int_equal(r, 0);
}

/* The only policy of a text. */
static inline struct policy *fixture_policy(const char *text)
{
    struct diag_list dl = {0};
    struct policy_list l = {0};
    int r = text_parse_policies(text, strlen(text), &dl, &l);
    if (r < 0)
        print_error("%s\n", dl.d[0].message);
    assert_int_equal(r, 0);
    assert_int_equal(l.n, 1);
    struct policy *p = TAKE_PTR(l.v[0]);
    free(l.v);
    return p;
}

/* Puts a policy given as text; returns the store's answer. */
static inline int fixture_put(struct fixture *f, const char *text, bool replace, struct diag *d,
                              bool *ret_changed)
{
    _cleanup_(policy_freep) struct policy *p = fixture_policy(text);
    struct policy_put o = {.replace = replace, .source = text, .change = "load"};
    return store_policy_put(f->s, p, &o, &fixture_author, d, ret_changed);
}

static inline struct policy *fixture_get(struct fixture *f, const char *name)
{
    struct diag d = {0};
    struct policy *p = NULL;
    int r = store_policy_get(f->s, name, &d, &p);
    if (r < 0)
        print_error("%s\n", d.message);
    assert_int_equal(r, 0);
    return p;
}

static inline void fixture_expect_text(struct fixture *f, const char *name, const char *text)
{
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, name);
    _cleanup_(policy_freep) struct policy *expected = fixture_policy(text);
    _cleanup_(strbuf_done) struct strbuf a = STRBUF_INIT(1 << 26), b = STRBUF_INIT(1 << 26);
    assert_int_equal(text_print_policy(p, &a), 0);
    assert_int_equal(text_print_policy(expected, &b), 0);
    assert_string_equal(a.s, b.s);
}

/* Runs one statement on the database with a connection of its own; the first column of the first
 * row, or "". The text lives until the next call. */
static inline const char *fixture_sql(const struct fixture *f, const char *sql)
{
    static char value[512];
    sqlite3 *db;
    sqlite3_stmt *st = NULL;
    value[0] = '\0';
    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    int code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    if (code == SQLITE_ROW && sqlite3_column_text(st, 0))
        (void)snprintf(value, sizeof(value), "%s", (const char *)sqlite3_column_text(st, 0));
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        print_error("%s: %s\n", sql, sqlite3_errmsg(db));
    assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
    (void)sqlite3_finalize(st);
    (void)sqlite3_close(db);
    return value;
}
