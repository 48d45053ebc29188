/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/policy.c: unique names, limits, ownership on success and failure, speed at the limits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "model/policy.h"

static struct policy *new_policy(const char *name)
{
    struct policy *p = NULL;
    assert_int_equal(policy_new(name, &p), 0);
    return p;
}

static struct rule new_rule(const char *name, uint32_t line)
{
    struct rule r;
    rule_init(&r);
    r.name = strdup(name);
    assert_non_null(r.name);
    r.at = (struct span){.line = line, .column = 1, .len = 4};
    struct filter f;
    filter_init(&f);
    f.action = ACTION_BLOCK;
    assert_int_equal(rule_add_filter(&r, &f), 0);
    assert_int_equal(f.action, 0); /* taken over, left empty */
    return r;
}

static void test_new_policy_says_nothing(void **state)
{
    (void)state;
    _cleanup_(policy_freep) struct policy *p = new_policy("Web");
    assert_string_equal(p->name, "Web");
    assert_int_equal(p->local_permits, -1);
    assert_int_equal(p->weak, -1);
    assert_int_equal(p->n_rules, 0);
    assert_int_equal(p->revision, 0);
    assert_null(policy_find_rule(p, ""));
}

static void test_rules_by_name(void **state)
{
    (void)state;
    _cleanup_(policy_freep) struct policy *p = new_policy("Web");
    struct diag d = {0};
    struct rule r = new_rule("Block SMB", 2);
    assert_int_equal(policy_add_rule(p, &r, &d), 0);
    assert_null(r.name);
    assert_int_equal(r.n_filters, 0);
    r = new_rule("Allow SSH", 3);
    assert_int_equal(policy_add_rule(p, &r, &d), 0);
    assert_ptr_equal(policy_find_rule(p, "bLOCK smb"), &p->rules[0]);
    assert_ptr_equal(policy_find_rule(p, "ALLOW SSH"), &p->rules[1]);
    assert_null(policy_find_rule(p, "allow"));

    r = new_rule("BLOCK SMB", 9);
    assert_int_equal(policy_add_rule(p, &r, &d), -EEXIST);
    assert_int_equal(d.code, DIAG_DUPLICATE);
    assert_int_equal(d.n_spans, 2);
    assert_int_equal(d.span[0].line, 9);
    assert_int_equal(d.span[1].line, 2);
    assert_string_equal(d.message, "rule 'BLOCK SMB' exists already in policy 'Web'");
    assert_int_equal(p->n_rules, 2);
    assert_string_equal(r.name, "BLOCK SMB"); /* still the caller's */

    policy_remove_rule(p, 0);
    assert_int_equal(p->n_rules, 1);
    assert_string_equal(p->rules[0].name, "Allow SSH");
    assert_int_equal(policy_n_filters(p), 1);
    assert_int_equal(policy_add_rule(p, &r, &d), 0);
    assert_int_equal(policy_n_filters(p), 2);
}

static void test_names_are_checked(void **state)
{
    (void)state;
    _cleanup_(policy_freep) struct policy *p = new_policy("Web");
    char name[LIMIT_NAME_BYTES + 2];
    for (size_t len = LIMIT_NAME_BYTES; len <= LIMIT_NAME_BYTES + 1; len++) {
        memset(name, 'n', len);
        name[len] = '\0';
        struct diag d = {0};
        struct rule r = new_rule(name, 1);
        assert_int_equal(policy_add_rule(p, &r, &d), len > LIMIT_NAME_BYTES ? -E2BIG : 0);
        if (len > LIMIT_NAME_BYTES)
            assert_non_null(strstr(d.hint, "255"));
        rule_done(&r);
    }
    struct diag d = {0};
    struct rule r = new_rule("", 1);
    assert_int_equal(policy_add_rule(p, &r, &d), -E2BIG);
    rule_done(&r);
    static const char *const unprintable[] = {"\xff", "a\nb", "\x1b[2J", "bidi \xe2\x80\xae"};
    for (size_t i = 0; i < sizeof(unprintable) / sizeof(*unprintable); i++) {
        r = new_rule(unprintable[i], 1); /* could not be loaded again from its canonical text */
        assert_int_equal(policy_add_rule(p, &r, &d), -EINVAL);
        rule_done(&r);
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_rule_limit_is_fast(void **state)
{
    (void)state;
    _cleanup_(policy_freep) struct policy *p = new_policy("Web");
    double from = seconds();
    char name[64];
    struct diag d = {0};
    for (unsigned i = 0; i < LIMIT_RULES_PER_POLICY; i++) {
        (void)snprintf(name, sizeof(name), "a long common beginning of all names %u", i);
        struct rule r = new_rule(name, i + 1);
        assert_int_equal(policy_add_rule(p, &r, &d), 0);
    }
    struct rule r = new_rule("one more", 9999);
    assert_int_equal(policy_add_rule(p, &r, &d), -E2BIG);
    assert_int_equal(d.code, DIAG_LIMIT);
    assert_non_null(strstr(d.message, "4096"));
    assert_int_equal(d.span[0].line, 9999);
    rule_done(&r);
    double took = seconds() - from;
    printf("# 4096 rules in %.3f s\n", took);
    assert_true(took < 2);
}

static void test_many_filters_are_fast(void **state)
{
    (void)state;
    double from = seconds();
    struct rule r;
    rule_init(&r);
    for (int i = 0; i < 200000; i++) {
        struct filter f;
        filter_init(&f);
        f.action = ACTION_BLOCK;
        assert_int_equal(rule_add_filter(&r, &f), 0);
    }
    assert_int_equal(r.n_filters, 200000);
    rule_done(&r);
    assert_true(seconds() - from < 2);
}

static void test_list(void **state)
{
    (void)state;
    struct policy_list l = {0};
    for (int i = 0; i < 20; i++)
        assert_int_equal(policy_list_add(&l, new_policy("x")), 0);
    assert_int_equal(l.n, 20);
    policy_list_done(&l);
    assert_null(l.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_policy_says_nothing), cmocka_unit_test(test_rules_by_name),
        cmocka_unit_test(test_names_are_checked),       cmocka_unit_test(test_rule_limit_is_fast),
        cmocka_unit_test(test_many_filters_are_fast),   cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
