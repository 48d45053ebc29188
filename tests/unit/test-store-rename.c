/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy under another name stays the same policy: GUIDs, handles, assignment and history go
 * along, also when it changes at the same time and when its rules get other names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "store-fixture.h"

static const char one[] = "policy \"Old\" attribute k \"v\" { rule \"a\" block in tcp port 1 }";
static const char two[] = "policy \"Old\" { rule \"a\" block in tcp port 1"
                          " rule \"b\" block in tcp port 2 }";

static bool guid_eq(const struct guid *a, const struct guid *b)
{
    return guid_cmp(a, b) == 0;
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

static void rename_to(struct fixture *f, const char *from, const char *to)
{
    struct diag d = {0};
    int r = store_policy_rename(f->s, from, to, &fixture_author, &d);
    if (r < 0)
        print_error("%s\n", d.message);
    assert_int_equal(r, 0);
}

/* Puts a text that continues another policy. */
static int put_renamed(struct fixture *f, const char *text, const char *from, const char *change,
                       struct diag *d)
{
    _cleanup_(policy_freep) struct policy *p = fixture_policy(text);
    const struct policy_put o = {.source = text, .change = change, .renamed_from = from};
    bool changed;
    return store_policy_put(f->s, p, &o, &fixture_author, d, &changed);
}

/* "3:CHANGE 2:CHANGE ..." */
static void expect_history(struct fixture *f, const char *name, const char *expected)
{
    struct diag d = {0};
    _cleanup_(history_done) struct history h = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(1 << 16);
    int r = store_history(f->s, name, 0, &d, &h);
    if (!expected) {
        assert_int_equal(r, -ENOENT);
        return;
    }
    assert_int_equal(r, 0);
    for (size_t i = 0; i < h.n; i++)
        assert_int_equal(strbuf_addf(&b, "%s%u:%s", i ? "; " : "", h.v[i].revision, h.v[i].change),
                         0);
    assert_string_equal(b.s, expected);
}

static void expect_assigned(struct fixture *f, enum assign_slot slot, const char *name)
{
    struct diag d = {0};
    char assigned[256];
    assert_int_equal(store_assigned(f->s, slot, &d, assigned), 0);
    assert_string_equal(assigned, name);
}

static void test_rename(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    char before_name[256];
    fixture_open(f);
    put_text(f, one);
    put_text(f, two);
    assert_int_equal(store_assign(f->s, ASSIGN_LOCAL, "Old", &fixture_author, &d, before_name), 0);
    _cleanup_(policy_freep) struct policy *before = fixture_get(f, "Old");
    rename_to(f, "oLD", "New");
    for (int round = 0; round < 2; round++) {
        _cleanup_(policy_freep) struct policy *p = fixture_get(f, "new");
        struct policy *none = NULL;
        assert_string_equal(p->name, "New");
        assert_true(guid_eq(&p->guid, &before->guid));
        assert_int_equal(p->revision, 3);
        for (size_t i = 0; i < 2; i++) {
            assert_true(guid_eq(&p->rules[i].guid, &before->rules[i].guid));
            assert_int_equal(p->rules[i].filters[0].handle, before->rules[i].filters[0].handle);
        }
        expect_assigned(f, ASSIGN_LOCAL, "New");
        assert_int_equal(store_policy_get(f->s, "Old", &d, &none), -ENOENT);
        expect_history(f, "New", "3:rename from \"oLD\"; 2:load; 1:load");
        expect_history(f, "Old", NULL);
        fixture_open(f);
    }
    char *source = NULL; /* it said the old name */
    assert_int_equal(store_policy_source(f->s, "New", &d, &source), -ENOENT);
    assert_string_equal(fixture_sql(f, "SELECT change || '|' || object || '|' || revision"
                                       " FROM audit ORDER BY id DESC LIMIT 1"),
                        "rename from \"oLD\"|New|3");
}

/* Revisions of before the rename come back under the name of today. */
static void test_rollback_across_a_rename(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    put_text(f, one);
    _cleanup_(policy_freep) struct policy *first = fixture_get(f, "Old");
    put_text(f, two);
    rename_to(f, "Old", "New");
    _cleanup_(policy_freep) struct policy *p = NULL;
    assert_int_equal(store_revision_get(f->s, "NEW", 1, &d, &p), 0);
    assert_string_equal(p->name, "New"); /* as it is stored, not as it was asked for */
    assert_string_equal(attributes_get(&p->attributes, "k"), "v");
    const struct policy_put o = {.replace = true, .change = "rollback"};
    bool changed;
    assert_int_equal(store_policy_put(f->s, p, &o, &fixture_author, &d, &changed), 0);
    assert_int_equal(p->revision, 4);
    fixture_expect_text(f, "New",
                        "policy \"New\" attribute k \"v\""
                        " { rule \"a\" block in tcp port 1 }");
    _cleanup_(policy_freep) struct policy *now = fixture_get(f, "New");
    assert_true(guid_eq(&now->guid, &first->guid));
    assert_int_equal(now->rules[0].filters[0].handle, first->rules[0].filters[0].handle);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM policy"), "1");
    assert_int_equal(store_policy_delete(f->s, "New", &fixture_author, &d), 0);
    _cleanup_(policy_freep) struct policy *deleted = NULL;
    assert_int_equal(store_revision_get(f->s, "new", 2, &d, &deleted), 0);
    assert_string_equal(deleted->name, "new"); /* there is none any more */
}

/* The old name is free: who takes it begins a history of its own. */
static void test_old_name_is_free(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put_text(f, one);
    _cleanup_(policy_freep) struct policy *first = fixture_get(f, "Old");
    rename_to(f, "Old", "New");
    put_text(f, two);
    _cleanup_(policy_freep) struct policy *second = fixture_get(f, "Old");
    assert_int_equal(second->revision, 1);
    assert_false(guid_eq(&first->guid, &second->guid));
    assert_false(guid_eq(&first->rules[0].guid, &second->rules[0].guid));
    expect_history(f, "Old", "1:load");
    expect_history(f, "New", "2:rename from \"Old\"; 1:load");
}

/* The new name has had a policy before: its revisions stay, those that come follow them. */
static void test_name_with_a_past(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    put_text(f, "policy \"New\" { rule \"x\" block in tcp port 7 }");
    put_text(f, "policy \"New\" { rule \"x\" block in tcp port 8 }");
    assert_int_equal(store_policy_delete(f->s, "New", &fixture_author, &d), 0);
    put_text(f, one);
    put_text(f, two);
    rename_to(f, "Old", "New");
    expect_history(f, "New", "5:rename from \"Old\"; 4:load; 3:load; 2:load; 1:load");
    static const struct {
        uint32_t revision;
        const char *text;
    } was[] = {
        {0, "policy \"New\" { rule \"a\" block in tcp port 1 rule \"b\" block in tcp port 2 }"},
        {3, "policy \"New\" attribute k \"v\" { rule \"a\" block in tcp port 1 }"},
        {1, "policy \"New\" { rule \"x\" block in tcp port 7 }"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(was); i++) {
        _cleanup_(policy_freep) struct policy *p = NULL, *expected = fixture_policy(was[i].text);
        _cleanup_(strbuf_done) struct strbuf a = STRBUF_INIT(4096), b = STRBUF_INIT(4096);
        assert_int_equal(store_revision_get(f->s, "New", was[i].revision, &d, &p), 0);
        assert_int_equal(text_print_policy(p, &a), 0);
        assert_int_equal(text_print_policy(expected, &b), 0);
        assert_string_equal(a.s, b.s);
    }
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put_text(f, one);
    put_text(f, "policy \"Other\" { }");
    static const struct {
        const char *from, *to;
        int err;
        const char *message;
    } cases[] = {
        {"Old", "OTHER", -EEXIST, "policy 'OTHER' exists already"},
        {"None", "New", -ENOENT, "unknown policy 'None'"},
        {"Old", "", -E2BIG, "policy name is empty"},
        {"Old", "a\nb", -EINVAL, "policy name 'a\nb' has a control character"},
    };
    const char *before = "SELECT count(*) || '|' || (SELECT value FROM counter"
                         " WHERE name = 'state') FROM audit";
    char state_before[64];
    (void)snprintf(state_before, sizeof(state_before), "%s", fixture_sql(f, before));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct diag d = {0};
        int r = store_policy_rename(f->s, cases[i].from, cases[i].to, &fixture_author, &d);
        assert_string_equal(d.message, cases[i].message);
        assert_int_equal(r, cases[i].err);
        assert_string_equal(fixture_sql(f, before), state_before);
    }
    fixture_expect_text(f, "Old", one);
    expect_history(f, "Old", "1:load");
}

/* Only the spelling is new. */
static void test_other_case(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    put_text(f, one);
    rename_to(f, "Old", "OLD");
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "old");
    assert_string_equal(p->name, "OLD");
    expect_history(f, "old", "2:rename from \"Old\"; 1:load");
    rename_to(f, "OLD", "OLD"); /* no change */
    expect_history(f, "old", "2:rename from \"Old\"; 1:load");
}

static void test_put_that_continues_another(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    char name[256];
    fixture_open(f);
    put_text(f, one);
    assert_int_equal(store_assign(f->s, ASSIGN_PERSISTENT, "Old", &fixture_author, &d, name), 0);
    _cleanup_(policy_freep) struct policy *before = fixture_get(f, "Old");
    static const char text[] =
        "policy \"New\" { rule \"a\" { block in tcp port 1 block in tcp port 9 } }";
    assert_int_equal(put_renamed(f, text, "Old", "load", &d), 0);
    fixture_expect_text(f, "New", text);
    _cleanup_(policy_freep) struct policy *p = fixture_get(f, "New");
    assert_true(guid_eq(&p->guid, &before->guid));
    assert_int_equal(p->rules[0].filters[0].handle, before->rules[0].filters[0].handle);
    expect_history(f, "New", "2:rename from \"Old\", load; 1:load");
    expect_assigned(f, ASSIGN_PERSISTENT, "New");
    char *source = NULL;
    assert_int_equal(store_policy_source(f->s, "New", &d, &source), 0);
    assert_string_equal(source, text);
    free(source);
    put_text(f, one);
    assert_int_equal(put_renamed(f, one, "New", "load", &d), -EEXIST);
    assert_int_equal(d.code, DIAG_CONFLICT);
}

/* As one change with others, and then not at all. */
static void test_rename_rolled_back(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    fixture_open(f);
    put_text(f, one);
    for (int dry = 0; dry < 2; dry++) {
        assert_int_equal(dry ? store_begin_dry(f->s, &d) : store_begin(f->s, &d), 0);
        rename_to(f, "Old", "New");
        put_text(f, two); /* the name is free within the change, too */
        store_rollback(f->s);
        fixture_expect_text(f, "Old", one);
        expect_history(f, "Old", "1:load");
        expect_history(f, "New", NULL);
    }
    assert_int_equal(store_begin(f->s, &d), 0);
    rename_to(f, "Old", "tmp");
    put_text(f, two);
    rename_to(f, "Old", "New");
    rename_to(f, "tmp", "Old");
    assert_int_equal(store_set_generation(f->s, 5, &d), 0);
    assert_int_equal(store_commit(f->s, &d), 0);
    fixture_expect_text(f, "Old", one);
    expect_history(f, "Old", "3:rename from \"tmp\"; 2:rename from \"Old\"; 1:load");
    expect_history(f, "New", "2:rename from \"Old\"; 1:load");
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM revision WHERE generation = 5"), "4");
}

static void test_renamed_rules(void **state)
{
    struct fixture *f = *state;
    struct diag d = {0};
    bool changed;
    fixture_open(f);
    put_text(f, two);
    _cleanup_(policy_freep) struct policy *before = fixture_get(f, "Old");
    /* b becomes a, a becomes c, and there is a new b. */
    static const struct renamed names[] = {{.now = "a", .before = "b"},
                                           {.now = "c", .before = "a"}};
    struct policy_put o = {.replace = true,
                           .change = "rename rules",
                           .renamed_rules = names,
                           .n_renamed_rules = ARRAY_SIZE(names)};
    _cleanup_(policy_freep) struct policy *p =
        fixture_policy("policy \"Old\" { rule \"a\" block in tcp port 2"
                       " rule \"b\" block in tcp port 2 rule \"c\" block in tcp port 1 }");
    assert_int_equal(store_policy_put(f->s, p, &o, &fixture_author, &d, &changed), 0);
    _cleanup_(policy_freep) struct policy *now = fixture_get(f, "Old");
    assert_true(guid_eq(&now->rules[0].guid, &before->rules[1].guid));
    assert_int_equal(now->rules[0].filters[0].handle, before->rules[1].filters[0].handle);
    assert_true(guid_eq(&now->rules[2].guid, &before->rules[0].guid));
    assert_int_equal(now->rules[2].filters[0].handle, before->rules[0].filters[0].handle);
    assert_false(guid_eq(&now->rules[1].guid, &before->rules[1].guid));
    assert_int_equal(now->rules[1].filters[0].handle, 3);
    /* One rule cannot become two. */
    static const struct renamed twice[] = {{.now = "x", .before = "c"},
                                           {.now = "y", .before = "c"}};
    o.renamed_rules = twice;
    _cleanup_(policy_freep) struct policy *q =
        fixture_policy("policy \"Old\" { rule \"x\" block in rule \"y\" block in }");
    assert_int_equal(store_policy_put(f->s, q, &o, &fixture_author, &d, &changed), -EEXIST);
    expect_history(f, "Old", "2:rename rules; 1:load");
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_rename),
        STORE_TEST(test_rollback_across_a_rename),
        STORE_TEST(test_old_name_is_free),
        STORE_TEST(test_name_with_a_past),
        STORE_TEST(test_refused),
        STORE_TEST(test_other_case),
        STORE_TEST(test_put_that_continues_another),
        STORE_TEST(test_rename_rolled_back),
        STORE_TEST(test_renamed_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
