/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Databases of version 3, which had a row for every rule and filter: what the rows said is there
 * afterwards, with GUIDs, handles, attributes, assignment and history; what cannot be read is
 * refused, and the file stays of version 3. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/store/schema.h"
#include "store-fixture.h"

#define GUID(last) "x'000000000000000000000000000000" last "'"

static const char contents[] = "INSERT INTO policy VALUES (4, " GUID(
    "01") ", 'Web', 'web', 'two words', 3600, 1, 0, 2, 3, 3,"
          " 5, '# as it was loaded');"
          "INSERT INTO policy_attribute VALUES (4, 0, 'mm-pfs', 'yes'), (4, 1, 'b', 'with \"quotes\"');"
          "INSERT INTO rule VALUES (7, 4, 1, " GUID(
              "12") ", 'Second', 'second', 1, 'lan'),"
                    " (9, 4, 0, " GUID(
                        "11") ", 'First', 'first', 0, 'all'),"
                              " (12, 4, 2, " GUID(
                                  "13") ", 'empty', 'empty', 0, 'all');"
                                        "INSERT INTO rule_attribute VALUES (7, 0, 'filterlist', 'web'), (12, 0, 'filterlist', 'x');"
                                        "INSERT INTO filter VALUES (9, 1, " GUID(
                                            "22") ", 30, 'permit in tcp from 192.0.2.1 to me'),"
                                                  " (9, 0, " GUID(
                                                      "21") ", 77, 'block in tcp from any to me port 1'),"
                                                            " (7, 0, " GUID(
                                                                "23") ", 5, 'block in udp from any to me port 2');"
                                                                      "INSERT INTO assignment VALUES ('persistent', 4);"
                                                                      "UPDATE counter SET value = 77 WHERE name = 'handle';";

/* The text of the revision means the same in other words; ids are as they were written. */
static const char revision_that_fits[] = "INSERT INTO revision VALUES (1, 'web', 2, " GUID(
    "01") ","
          " 'policy \"Web\" description \"two words\" poll 1h local-permits yes weak refuse attribute"
          " mm-pfs \"yes\" attribute b \"with \\\"quotes\\\"\" { rule \"First\" { block in tcp port 1"
          " permit in tcp from 192.0.2.1 } inactive rule \"Second\" connection lan attribute filterlist"
          " \"web\" block in udp port 2 rule \"empty\" attribute filterlist \"x\" { } }',"
          " 'load', 1, 0, 'root', 'cli', NULL, 3, NULL, NULL);";
static const char revision_of_others[] =
    "INSERT INTO revision VALUES (1, 'web', 2, " GUID("01") ", 'policy \"Web\" { }', 'load', 1, 0,"
                                                            " 'root', 'cli', NULL, 3, NULL, NULL);";

static void make_version_3(struct fixture *f, const char *more)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    const char *const sql[] = {schema_sql[0], schema_sql[1], schema_sql[2], contents, more};
    for (size_t i = 0; i < ARRAY_SIZE(sql); i++) {
        char *error = NULL;
        if (sqlite3_exec(db, sql[i], NULL, NULL, &error) != SQLITE_OK)
            fail_msg("%s", error);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void expect_filter(const struct filter *f, uint8_t guid, uint32_t handle, uint16_t port)
{
    assert_int_equal(f->guid.b[15], guid);
    assert_int_equal(f->handle, handle);
    assert_int_equal(f->dport.n, port ? 1 : 0);
    if (port)
        assert_int_equal(f->dport.range[0].first, port);
}

static void expect_contents(struct fixture *f, uint32_t revision)
{
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "wEb");
    assert_string_equal(p->name, "Web");
    assert_string_equal(p->description, "two words");
    assert_int_equal(p->guid.b[15], 1);
    assert_int_equal(p->poll_s, 3600);
    assert_int_equal(p->local_permits, 1);
    assert_int_equal(p->weak, 0);
    assert_int_equal(p->revision, revision);
    assert_int_equal(p->attributes.n, 2);
    assert_string_equal(attributes_get(&p->attributes, "b"), "with \"quotes\"");
    assert_int_equal(p->n_rules, 3);
    const struct rule *first = &p->rules[0], *second = &p->rules[1], *empty = &p->rules[2];
    assert_string_equal(first->name, "First");
    assert_int_equal(first->guid.b[15], 0x11);
    assert_int_equal(first->n_filters, 2);
    expect_filter(&first->filters[0], 0x21, 77, 1);
    expect_filter(&first->filters[1], 0x22, 30, 0);
    assert_string_equal(second->name, "Second");
    assert_true(second->inactive);
    assert_int_equal(second->connection, CONNECTION_LAN);
    assert_string_equal(attributes_get(&second->attributes, "filterlist"), "web");
    expect_filter(&second->filters[0], 0x23, 5, 2);
    assert_int_equal(empty->n_filters, 0);
    assert_int_equal(empty->guid.b[15], 0x13);
    assert_string_equal(attributes_get(&empty->attributes, "filterlist"), "x");
    struct diag d = {0};
    char name[256];
    _cleanup_free_ char *source = NULL;
    assert_int_equal(store_assigned(f->s, ASSIGN_PERSISTENT, &d, name), 0);
    assert_string_equal(name, "Web");
    assert_int_equal(store_policy_source(f->s, "Web", &d, &source), 0);
    assert_string_equal(source, "# as it was loaded");
}

/* Version 4 says the same, takes new filters, and gives no handle twice. */
static void test_rows_become_a_revision(void **state)
{
    struct fixture *f = *state;
    make_version_3(f, revision_that_fits);
    fixture_open(f);
    assert_string_equal(fixture_sql(f, "PRAGMA user_version"), "4");
    assert_string_equal(fixture_sql(f, "PRAGMA integrity_check"), "ok");
    expect_contents(f, 2);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM revision"), "1");
    fixture_open(f);
    expect_contents(f, 2);
    struct diag d = {0};
    bool changed;
    assert_int_equal(fixture_put(f,
                                 "policy \"Web\" { rule \"First\" { block in tcp port 1"
                                 " block in tcp port 3 } }",
                                 true, &d, &changed),
                     0);
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "Web");
    assert_int_equal(p->revision, 3);
    expect_filter(&p->rules[0].filters[0], 0x21, 77, 1);
    assert_int_equal(p->rules[0].filters[1].handle, 78);
}

/* No revision, or one that says something else: the rows are what was in force, so they are one
 * revision more, and none that was there is touched. */
static void test_rows_without_their_revision(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sql;
        uint32_t revision;
    } cases[] = {{"", 1}, {revision_of_others, 3}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        make_version_3(f, cases[i].sql);
        fixture_open(f);
        expect_contents(f, cases[i].revision);
        struct diag d = {0};
        _cleanup_(history_done) struct history h = {0};
        assert_int_equal(store_history(f->s, "Web", 0, &d, &h), 0);
        assert_int_equal(h.n, i + 1);
        assert_string_equal(h.v[0].change, "new form of the database");
        assert_string_equal(h.v[0].origin, "agent");
        if (i == 1) {
            _cleanup_(policy_freep) struct policy *old = NULL;
            assert_int_equal(store_revision_get(f->s, "Web", 2, &d, &old), 0);
            assert_int_equal(old->n_rules, 0);
        }
        f->s = store_close(f->s);
        fixture_remove_files(f->dir);
    }
}

static void test_an_empty_database(void **state)
{
    struct fixture *f = *state;
    make_version_3(f, "DELETE FROM assignment; DELETE FROM policy");
    fixture_open(f);
    assert_string_equal(fixture_sql(f, "PRAGMA user_version"), "4");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM revision"), "0");
}

/* SQLite sees nothing wrong with these rows; the store must, before it takes them away. */
static void test_damaged_rows(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sql, *word;
    } cases[] = {
        {"UPDATE filter SET text = 'block in tcp prot 445' WHERE handle = 5", "filter s5"},
        {"UPDATE rule SET connection = 'wan' WHERE id = 7", "connection type 'wan'"},
        {"UPDATE rule SET guid = x'00' WHERE id = 9", "a GUID has a wrong size"},
        {"UPDATE rule SET name = '' WHERE id = 9", "rule name is empty"},
        {"UPDATE rule SET name = 'sEcond', folded = 'x' WHERE id = 9", "exists already"},
        {"UPDATE rule_attribute SET key = 'No key' WHERE rule = 7", "'No key'"},
        {"UPDATE policy_attribute SET key = '9' WHERE position = 1", "attribute '9'"},
        {"UPDATE policy_attribute SET value = CAST(x'ff' AS TEXT) WHERE position = 1",
         "attribute 'b'"},
        {"UPDATE rule_attribute SET value = CAST(x'610062' AS TEXT) WHERE rule = 7",
         "attribute 'filterlist'"},
        {"ALTER TABLE rule RENAME COLUMN inactive TO active", "has another schema"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *sql = NULL;
        struct diag d = {0};
        assert_true(asprintf(&sql, "%sPRAGMA ignore_check_constraints = on; %s", revision_that_fits,
                             cases[i].sql) > 0);
        make_version_3(f, sql);
        assert_true(store_open(f->dir, &d, &f->s) < 0);
        assert_null(f->s);
        if (d.code != DIAG_CORRUPT || !strstr(d.message, cases[i].word))
            print_error("%s: %s\n", cases[i].sql, d.message);
        assert_true(d.code == DIAG_CORRUPT &&
                    (strstr(d.message, cases[i].word) || strstr(d.message, "CHECK constraint")));
        assert_string_equal(fixture_sql(f, "PRAGMA user_version"), "3");
        assert_string_equal(fixture_sql(f, "SELECT count(*) FROM filter"), "3");
        fixture_remove_files(f->dir);
    }
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_rows_become_a_revision),
        STORE_TEST(test_rows_without_their_revision),
        STORE_TEST(test_an_empty_database),
        STORE_TEST(test_damaged_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
