/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the dialects keep in the store: attributes, the library, settings, preshared keys, and the
 * number of the state. Also a database of version 2 that goes on, and damage of the new tables. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>

#include "../../src/store/schema.h"
#include "base/limits.h"
#include "store-fixture.h"

static const struct author dialect = {.uid = 0, .login = "root", .origin = "dialect"};

static const char with_attributes[] =
    "policy \"W\" description \"d\" attribute mm-pfs \"yes\" attribute description \"ü \\x1b\\n\""
    " attribute empty \"\" {\n"
    "    rule \"a\" connection lan attribute filterlist \"web\" attribute filteraction \"block\""
    " block in tcp port 80\n"
    "    rule \"none\" attribute filterlist \"later\" { }\n"
    "    rule \"plain\" block in tcp port 25\n"
    "}\n";

static uint64_t state_of(struct fixture *f)
{
    uint64_t n = 0;
    struct diag d = {0};
    int r = store_state(f->s, &d, &n);
    if (r < 0)
        print_error("%s\n", d.message);
    assert_int_equal(r, 0);
    return n;
}

static void put_text(struct fixture *f, const char *text)
{
    struct diag d = {0};
    bool changed;
    int r = fixture_put(f, text, true, &d, &changed);
    if (r < 0)
        print_error("%s\n", d.message);
    assert_int_equal(r, 0);
}

static void set_library(struct fixture *f, const char *text)
{
    struct diag d = {0};
    assert_int_equal(store_library_put(f->s, text, &dialect, &d), 0);
}

static void expect_library(struct fixture *f, const char *text)
{
    struct diag d = {0};
    _cleanup_free_ char *is = NULL;
    assert_int_equal(store_library_get(f->s, &d, &is), 0);
    assert_string_equal(is, text);
}

static void set_setting(struct fixture *f, const char *key, const char *value)
{
    struct diag d = {0};
    int r = store_setting_put(f->s, key, value, &dialect, &d);
    if (r < 0)
        print_error("%s\n", d.message);
    assert_int_equal(r, 0);
}

/* "a=1 b=2" in the order in which they come. */
static void expect_settings(struct fixture *f, const char *expected)
{
    struct diag d = {0};
    _cleanup_(store_settings_done) struct store_settings l = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4096);
    assert_int_equal(store_settings_get(f->s, &d, &l), 0);
    for (size_t i = 0; i < l.n; i++)
        assert_int_equal(strbuf_addf(&b, "%s%s=%s", i ? " " : "", l.v[i].key, l.v[i].value), 0);
    assert_string_equal(b.s ? b.s : "", expected);
}

/* The newest row of the trail as "CHANGE|OBJECT|ORIGIN". */
static void expect_trail(struct fixture *f, const char *expected)
{
    assert_string_equal(fixture_sql(f, "SELECT change || '|' || object || '|' || origin FROM audit"
                                       " ORDER BY id DESC LIMIT 1"),
                        expected);
}

static void test_attributes_come_back(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put_text(f, with_attributes);
    for (int round = 0; round < 2; round++) {
        fixture_expect_text(f, "W", with_attributes);
        _cleanup_(policy_freep) struct policy *p = fixture_get(f, "W");
        assert_int_equal(p->attributes.n, 3);
        assert_string_equal(attributes_get(&p->attributes, "description"), "ü \x1b\n");
        assert_int_equal(p->rules[1].n_filters, 0);
        assert_int_equal(p->rules[2].attributes.n, 0);
        fixture_open(f); /* and again after a restart */
    }
    /* Another order is another text; none are none. */
    put_text(f, "policy \"W\" attribute b \"1\" attribute a \"2\" { }");
    put_text(f, "policy \"W\" attribute a \"2\" attribute b \"1\" { }");
    fixture_expect_text(f, "W", "policy \"W\" attribute a \"2\" attribute b \"1\" { }");
    put_text(f, "policy \"W\" { }");
    fixture_expect_text(f, "W", "policy \"W\" { }");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM revision"), "4");
}

static void test_rollback_brings_attributes_back(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    put_text(f, with_attributes);
    _cleanup_(policy_freep) struct policy *before = fixture_get(f, "W");
    put_text(f, "policy \"W\" { rule \"a\" attribute filterlist \"other\" block in tcp port 80 }");
    _cleanup_(policy_freep) struct policy *p = NULL;
    assert_int_equal(store_revision_get(f->s, "W", 0, &d, &p), 0);
    const struct policy_put o = {.replace = true, .change = "rollback"};
    bool changed;
    assert_int_equal(store_policy_put(f->s, p, &o, &dialect, &d, &changed), 0);
    fixture_expect_text(f, "W", with_attributes);
    _cleanup_(policy_freep) struct policy *now = fixture_get(f, "W");
    assert_int_equal(now->rules[0].filters[0].handle, before->rules[0].filters[0].handle);
    assert_int_equal(now->rules[2].filters[0].handle, before->rules[2].filters[0].handle);
    expect_trail(f, "rollback|W|dialect");
}

static void test_library(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    expect_library(f, "");
    set_library(f, ""); /* nothing is nothing: no row */
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "0");
    set_library(f, "policy \"filterlists\" { }\n");
    fixture_open(f);
    expect_library(f, "policy \"filterlists\" { }\n");
    expect_trail(f, "change library|library|dialect");
    set_library(f, "policy \"filterlists\" { }\n"); /* the same again */
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "1");
    set_library(f, "x");
    expect_library(f, "x");
    set_library(f, "");
    expect_library(f, "");
    expect_trail(f, "empty library|library|dialect");
    assert_int_equal(store_library_put(f->s, "\xff", &dialect, &d), -EINVAL);
    expect_library(f, "");
}

static void test_library_limit(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    size_t n = LIMIT_POLICY_TEXT_BYTES;
    _cleanup_free_ char *text = malloc(n + 2);
    assert_non_null(text);
    memset(text, 'x', n + 1);
    text[n + 1] = '\0';
    assert_int_equal(store_library_put(f->s, text, &dialect, &d), -E2BIG);
    assert_int_equal(d.code, DIAG_LIMIT);
    assert_string_equal(d.message,
                        "library 'library' has 67108865 bytes, at most 67108864 are possible");
    text[n] = '\0';
    set_library(f, text);
    expect_library(f, text);
}

static void test_settings(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    expect_settings(f, "");
    set_setting(f, "filter.exempt", NULL); /* nothing to remove */
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "0");
    set_setting(f, "z", "1");
    set_setting(f, "filter.exempt", "3");
    expect_trail(f, "set|filter.exempt|dialect");
    set_setting(f, "a", "");
    fixture_open(f);
    expect_settings(f, "a= filter.exempt=3 z=1");
    set_setting(f, "z", "1");
    expect_trail(f, "set|a|dialect"); /* no row for what is so already */
    set_setting(f, "z", "2");
    expect_trail(f, "set|z|dialect");
    set_setting(f, "filter.exempt", NULL);
    expect_trail(f, "unset|filter.exempt|dialect");
    expect_settings(f, "a= z=2");
}

static void expect_setting_refused(struct fixture *f, const char *key, const char *value, int err,
                                   const char *message)
{
    struct diag d = {0};
    uint64_t before = state_of(f);
    assert_int_equal(store_setting_put(f->s, key, value, &dialect, &d), err);
    assert_string_equal(d.message, message);
    assert_int_equal(state_of(f), before);
}

static void test_setting_limits(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    _cleanup_free_ char *value = calloc(1, LIMIT_TEXT_STRING_BYTES + 2);
    assert_non_null(value);
    memset(value, 'v', LIMIT_TEXT_STRING_BYTES + 1);
    expect_setting_refused(f, "k", value, -E2BIG,
                           "setting 'k' has 65537 bytes, at most 65536 are possible");
    value[LIMIT_TEXT_STRING_BYTES] = '\0';
    set_setting(f, "k", value);
    expect_setting_refused(f, "", "v", -E2BIG, "setting name is empty");
    value[256] = '\0';
    expect_setting_refused(f, value, "v", -E2BIG, "setting name of 256 bytes is too long");
    expect_setting_refused(f, "a\nb", "v", -EINVAL, "setting name 'a\nb' has a control character");
    expect_setting_refused(f, "k", "\xc3", -EINVAL, "setting 'k' is not UTF-8");
    struct diag d = {0};
    char reason[LIMIT_REASON_BYTES + 2] = "";
    memset(reason, 'r', sizeof(reason) - 1);
    struct author wordy = dialect;
    wordy.reason = reason;
    assert_int_equal(store_setting_put(f->s, "k", "v", &wordy, &d), -E2BIG);
}

static void test_4096_settings(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    assert_int_equal(store_begin(f->s, &d), 0);
    for (unsigned i = 0; i < 4096; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%04u", i);
        set_setting(f, key, "v");
    }
    assert_int_equal(store_commit(f->s, &d), 0);
    expect_setting_refused(f, "more", "v", -E2BIG,
                           "setting 'more' not stored: there are 4096 already");
    set_setting(f, "k0007", "w"); /* replacing needs no room */
    set_setting(f, "k0008", NULL);
    set_setting(f, "more", "v");
    _cleanup_(store_settings_done) struct store_settings l = {0};
    assert_int_equal(store_settings_get(f->s, &d, &l), 0);
    assert_int_equal(l.n, 4096);
    for (size_t i = 1; i < l.n; i++)
        assert_true(strcmp(l.v[i - 1].key, l.v[i].key) < 0);
}

/* No row of any table but its own has it. */
static void expect_nowhere(struct fixture *f, const char *secret)
{
    struct diag d = {0};
    _cleanup_(history_done) struct history h = {0};
    assert_int_equal(store_history(f->s, NULL, 0, &d, &h), 0);
    for (size_t i = 0; i < h.n; i++) {
        assert_null(strstr(h.v[i].change, secret));
        assert_null(strstr(h.v[i].object, secret));
    }
}

static void test_secrets(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    static const char id[] = "6b29fc40-ca47-1067-b31d-00dd010662da";
    fixture_open(f);
    char *value = NULL;
    assert_int_equal(store_secret_get(f->s, id, &d, &value), -ENOENT);
    assert_int_equal(d.code, DIAG_UNKNOWN_OBJECT);
    assert_null(value);
    assert_int_equal(store_secret_put(f->s, id, "open sesame", &dialect, &d), 0);
    expect_trail(f, "store preshared key|6b29fc40-ca47-1067-b31d-00dd010662da|dialect");
    fixture_open(f);
    assert_int_equal(store_secret_get(f->s, id, &d, &value), 0);
    assert_string_equal(value, "open sesame");
    free(value);
    assert_int_equal(store_secret_put(f->s, id, "other", &dialect, &d), 0);
    assert_int_equal(store_secret_get(f->s, id, &d, &value), 0);
    assert_string_equal(value, "other");
    free(value);
    expect_nowhere(f, "sesame");
    expect_nowhere(f, "other");
    _cleanup_free_ char *big = calloc(1, LIMIT_TEXT_STRING_BYTES + 2);
    assert_non_null(big);
    memset(big, 'k', LIMIT_TEXT_STRING_BYTES + 1);
    assert_int_equal(store_secret_put(f->s, id, big, &dialect, &d), -E2BIG);
    assert_null(strstr(d.message, "kk"));
    assert_int_equal(store_secret_put(f->s, id, NULL, &dialect, &d), 0);
    expect_trail(f, "delete preshared key|6b29fc40-ca47-1067-b31d-00dd010662da|dialect");
    assert_int_equal(store_secret_get(f->s, id, &d, &value), -ENOENT);
}

/* Each change raises the state, what is no change does not. */
static void expect_state(struct fixture *f, uint64_t *last, bool changed)
{
    uint64_t now = state_of(f);
    if (changed)
        assert_true(now > *last);
    else
        assert_int_equal(now, *last);
    *last = now;
}

static void test_state(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    char before[256];
    fixture_open(f);
    uint64_t last = state_of(f), generation;
    assert_true(last > 0);
    expect_state(f, &last, false);
    put_text(f, with_attributes);
    expect_state(f, &last, true);
    put_text(f, with_attributes);
    expect_state(f, &last, false);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "W", &dialect, &d, before), 0);
    expect_state(f, &last, true);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "W", &dialect, &d, before), 0);
    expect_state(f, &last, false);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, NULL, &dialect, &d, before), 0);
    expect_state(f, &last, true);
    set_library(f, "x");
    expect_state(f, &last, true);
    set_setting(f, "k", "v");
    expect_state(f, &last, true);
    set_setting(f, "k", "v");
    expect_state(f, &last, false);
    assert_int_equal(store_secret_put(f->s, "id", "v", &dialect, &d), 0);
    expect_state(f, &last, true);
    assert_int_equal(store_audit(f->s, &dialect, "block", "d1", 0, &d), 0);
    expect_state(f, &last, true);
    assert_int_equal(store_next_generation(f->s, &d, &generation), 0);
    assert_int_equal(store_set_generation(f->s, generation, &d), 0);
    expect_state(f, &last, false); /* that is of the kernel */
    assert_int_equal(store_policy_delete(f->s, "W", &dialect, &d), 0);
    expect_state(f, &last, true);
    assert_true(store_policy_delete(f->s, "W", &dialect, &d) < 0);
    expect_state(f, &last, false);
    fixture_open(f);
    expect_state(f, &last, false);
}

/* Two handles of one database: each sees what the other did, no number comes twice. */
static void test_state_of_others(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    uint64_t last, other;
    fixture_open(f);
    _cleanup_(store_closep) struct store *s = NULL;
    assert_int_equal(store_open(f->dir, &d, &s), 0);
    last = state_of(f);
    for (unsigned i = 0; i < 4; i++) {
        const char *value = i % 2 ? "x" : "y";
        assert_int_equal(store_setting_put(s, "k", value, &dialect, &d), 0);
        expect_state(f, &last, true);
        set_setting(f, "l", value);
        expect_state(f, &last, true);
        assert_int_equal(store_state(s, &d, &other), 0);
        assert_int_equal(other, last);
    }
}

/* The loaded text alone is new (comments): it can be read, so it is a change. */
static void test_state_of_source(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put_text(f, "policy \"P\" { }");
    uint64_t last = state_of(f);
    put_text(f, "# why\npolicy \"P\" { }");
    expect_state(f, &last, true);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM revision"), "1");
}

static void test_state_and_rollback(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    set_setting(f, "k", "1");
    uint64_t before = state_of(f);
    /* Only tried: the number is what it was, but the one in between never comes back. */
    assert_int_equal(store_begin_dry(f->s, &d), 0);
    set_setting(f, "k", "2");
    uint64_t dry = state_of(f);
    assert_true(dry > before);
    store_rollback(f->s);
    assert_int_equal(state_of(f), before);
    expect_settings(f, "k=1");
    /* Rolled back after a failure: the same. */
    assert_int_equal(store_begin(f->s, &d), 0);
    set_setting(f, "k", "3");
    set_library(f, "y");
    assert_int_equal(store_secret_put(f->s, "id", "v", &dialect, &d), 0);
    uint64_t failed = state_of(f);
    assert_int_not_equal(failed, dry);
    store_rollback(f->s);
    expect_settings(f, "k=1");
    expect_library(f, "");
    set_setting(f, "k", "4");
    uint64_t after = state_of(f);
    assert_true(after > failed && after > dry);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM secret"), "0");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "2");
}

static void test_one_transaction(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    assert_int_equal(store_begin(f->s, &d), 0);
    put_text(f, with_attributes);
    set_library(f, "lists");
    set_setting(f, "k", "v");
    assert_int_equal(store_secret_put(f->s, "id", "v", &dialect, &d), 0);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM setting"), "0"); /* for others */
    /* A refused put in between takes nothing else with it. */
    assert_int_equal(store_setting_put(f->s, "bad", "\xff", &dialect, &d), -EINVAL);
    assert_int_equal(store_reserve(f->s, 0, &d), 0);
    assert_int_equal(store_commit(f->s, &d), 0);
    fixture_open(f);
    fixture_expect_text(f, "W", with_attributes);
    expect_library(f, "lists");
    expect_settings(f, "k=v");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "4");
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* Files that cannot grow stand for a full disk: it shows before the change takes effect, and
 * nothing of it stays. */
static void test_full_disk(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    set_library(f, "before");
    enum { BYTES = 1 << 20 };
    _cleanup_free_ char *text = malloc(BYTES + 1);
    assert_non_null(text);
    memset(text, 'x', BYTES);
    text[BYTES] = '\0';
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    for (int explicit = 0; explicit < 2; explicit ++) {
        struct diag d = {0};
        if (explicit)
            assert_int_equal(store_begin(f->s, &d), 0);
        limit_file_size(400 * 1024);
        int r = store_library_put(f->s, text, &dialect, &d);
        if (explicit && r == 0)
            r = store_reserve(f->s, 0, &d);
        limit_file_size(RLIM_INFINITY);
        assert_true(r < 0);
        assert_int_equal(d.code, DIAG_SYSTEM);
        store_rollback(f->s);
        expect_library(f, "before");
    }
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM audit"), "1");
    set_library(f, text);
    fixture_open(f);
    expect_library(f, text);
}

/* --- a database of version 2 --- */
static void run_sql(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
}

static void make_version_2(struct fixture *f)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    run_sql(db, schema_sql[0]);
    run_sql(db, schema_sql[1]);
    run_sql(db,
            "INSERT INTO policy VALUES (1, x'00000000000000000000000000000001', 'P', 'p',"
            " NULL, 0, -1, -1, 1, 1, 1, 0, NULL);"
            "INSERT INTO rule VALUES (1, 1, 0, x'00000000000000000000000000000002', 'a', 'a',"
            " 0, 'lan');"
            "INSERT INTO filter VALUES (1, 0, x'00000000000000000000000000000003', 7,"
            " 'permit out tcp from me to attribute port 80');"
            "UPDATE counter SET value = 7 WHERE name = 'handle';"
            "UPDATE counter SET value = 41 WHERE name = 'generation';"
            "INSERT INTO assignment VALUES ('local', 1);"
            "INSERT INTO revision VALUES (1, 'p', 1, x'00000000000000000000000000000001',"
            " 'policy \"P\" { rule \"a\" connection lan permit out tcp to attribute port 80 }',"
            " 'load', 1, 0, 'root', 'cli', NULL, 41, NULL, '192.0.2.1');"
            "INSERT INTO audit VALUES (1, 1, 0, 'root', 'cli', 'load', 'P', NULL, 41, NULL, 1)");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_second_version_goes_on(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    assert_int_equal(schema_n_versions, 4);
    make_version_2(f);
    fixture_open(f);
    assert_string_equal(fixture_sql(f, "PRAGMA user_version"), "4");
    assert_string_equal(fixture_sql(f, "PRAGMA integrity_check"), "ok");
    fixture_expect_text(f, "P",
                        "policy \"P\" { rule \"a\" connection lan"
                        " permit out tcp to attribute port 80 }");
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "P");
    assert_int_equal(p->attributes.n, 0);
    assert_int_equal(p->rules[0].filters[0].handle, 7);
    char name[256];
    uint64_t generation = 0;
    assert_int_equal(store_assigned(f->s, ASSIGN_LOCAL, &d, name), 0);
    assert_string_equal(name, "P");
    assert_int_equal(store_next_generation(f->s, &d, &generation), 0);
    assert_int_equal(generation, 42); /* counters went along */
    uint64_t first = state_of(f);
    assert_true(first > 0);
    put_text(f, with_attributes);
    assert_true(state_of(f) > first);
    _cleanup_(policy_freep) struct policy *w = fixture_get(f, "W");
    assert_int_equal(w->rules[0].filters[0].handle, 8);
    _cleanup_(history_done) struct history h = {0};
    assert_int_equal(store_history(f->s, NULL, 0, &d, &h), 0);
    assert_int_equal(h.n, 2);
    fixture_open(f); /* once is enough */
    assert_int_equal(state_of(f), first + 1);
}

/* The step fails half way: the database stays of version 2, as it was. */
static void test_failed_migration(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    make_version_2(f);
    (void)fixture_sql(f, "CREATE TABLE secret (x)"); /* in the way of a later statement */
    assert_true(store_open(f->dir, &d, &f->s) < 0);
    assert_null(f->s);
    assert_string_equal(fixture_sql(f, "PRAGMA user_version"), "2");
    assert_string_equal(
        fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%attribute'"), "0");
    (void)fixture_sql(f, "DROP TABLE secret");
    fixture_open(f);
    assert_string_equal(fixture_sql(f, "PRAGMA user_version"), "4");
}

/* --- damage --- */
static void expect_corrupt(int r, const struct diag *d, const char *word)
{
    assert_true(r < 0);
    if (d->code != DIAG_CORRUPT || !strstr(d->message, word))
        print_error("%s\n", d->message);
    assert_int_equal(d->code, DIAG_CORRUPT);
    assert_non_null(strstr(d->message, word));
}

static void test_damaged_values(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    set_library(f, "x");
    set_setting(f, "k", "v");
    assert_int_equal(store_secret_put(f->s, "id", "v", &dialect, &d), 0);
    (void)fixture_sql(f, "UPDATE library SET text = CAST(x'fe' AS TEXT)");
    (void)fixture_sql(f, "UPDATE setting SET value = CAST(x'7600' AS TEXT)");
    (void)fixture_sql(f, "UPDATE secret SET value = CAST(x'c3' AS TEXT)");
    char *text = NULL;
    struct store_settings l = {0};
    expect_corrupt(store_library_get(f->s, &d, &text), &d, "UTF-8");
    expect_corrupt(store_settings_get(f->s, &d, &l), &d, "UTF-8");
    expect_corrupt(store_secret_get(f->s, "id", &d, &text), &d, "UTF-8");
    assert_null(text);
    assert_int_equal(l.n, 0);
    set_library(f, "whole again");
    expect_library(f, "whole again");
    (void)fixture_sql(f, "DELETE FROM counter WHERE name = 'state'");
    uint64_t n;
    expect_corrupt(store_state(f->s, &d, &n), &d, "counter 'state'");
    expect_corrupt(store_setting_put(f->s, "k", "w", &dialect, &d), &d, "counter 'state'");
    f->s = store_close(f->s);
    expect_corrupt(store_open(f->dir, &d, &f->s), &d, "counter 'state'");
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_attributes_come_back),
        STORE_TEST(test_rollback_brings_attributes_back),
        STORE_TEST(test_library),
        STORE_TEST(test_library_limit),
        STORE_TEST(test_settings),
        STORE_TEST(test_setting_limits),
        STORE_TEST(test_4096_settings),
        STORE_TEST(test_secrets),
        STORE_TEST(test_state),
        STORE_TEST(test_state_of_others),
        STORE_TEST(test_state_of_source),
        STORE_TEST(test_state_and_rollback),
        STORE_TEST(test_one_transaction),
        STORE_TEST(test_full_disk),
        STORE_TEST(test_second_version_goes_on),
        STORE_TEST(test_failed_migration),
        STORE_TEST(test_damaged_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
