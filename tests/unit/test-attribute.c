/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/attribute.c: keys, order, limits, and that failures change nothing. Rules and policies own
 * theirs (a leak or a double free shows under the sanitizers). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "model/policy.h"

static void set(struct attributes *a, const char *key, const char *value)
{
    assert_int_equal(attributes_set(a, key, value), 0);
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t n; /* length of the key that begins it */
    } keys[] = {
        {"a", 1},
        {"filterlist", 10},
        {"mm-methods", 10},
        {"x9-", 3},
        {"a b", 1},
        {"a_b", 1},
        {"aB", 1},
        {"", 0},
        {"9a", 0},
        {"-a", 0},
        {"A", 0},
        {"\xc3\xbc", 0},
        {" a", 0},
        {"abcdefghijklmnopqrstuvwxyz123456", 32},
        {"abcdefghijklmnopqrstuvwxyz1234567", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct attributes a = {0};
        size_t n = strlen(keys[i].s);
        assert_int_equal(attribute_key_length(keys[i].s, n), keys[i].n);
        int expected = n > 0 && keys[i].n == n ? 0 : -EINVAL;
        assert_int_equal(attributes_set(&a, keys[i].s, "v"), expected);
        assert_int_equal(a.n, expected == 0);
        attributes_done(&a);
    }
    assert_int_equal(attribute_key_length("abc", 2), 2); /* no byte behind the end is looked at */
}

static void test_set_get_remove(void **state)
{
    (void)state;
    _cleanup_(attributes_done) struct attributes a = {0};
    assert_null(attributes_get(&a, "a"));
    set(&a, "a", NULL); /* nothing to remove */
    set(&a, "b", "1");
    set(&a, "a", "2");
    set(&a, "c", "");
    assert_int_equal(a.n, 3);
    assert_string_equal(a.v[0].key, "b"); /* the order in which they came */
    assert_string_equal(attributes_get(&a, "c"), "");
    set(&a, "b", "new");
    assert_int_equal(a.n, 3);
    assert_string_equal(a.v[0].value, "new"); /* replaced in its place */
    set(&a, "b", a.v[0].value);               /* by itself */
    assert_string_equal(a.v[0].value, "new");
    set(&a, "b", NULL);
    assert_int_equal(a.n, 2);
    assert_string_equal(a.v[0].key, "a");
    assert_string_equal(a.v[1].key, "c");
    assert_null(attributes_get(&a, "b"));
    assert_null(attributes_get(&a, ""));
    assert_null(attributes_get(&a, "A")); /* keys differ in case */
}

static void test_limits(void **state)
{
    (void)state;
    _cleanup_(attributes_done) struct attributes a = {0};
    _cleanup_free_ char *big = calloc(1, LIMIT_TEXT_STRING_BYTES + 2);
    assert_non_null(big);
    memset(big, 'x', LIMIT_TEXT_STRING_BYTES);
    set(&a, "big", big);
    big[LIMIT_TEXT_STRING_BYTES] = 'x';
    assert_int_equal(attributes_set(&a, "big", big), -E2BIG);
    assert_int_equal(strlen(attributes_get(&a, "big")), LIMIT_TEXT_STRING_BYTES);
    assert_int_equal(attributes_set(&a, "bad", "\xff"), -EINVAL); /* could not be printed */
    assert_int_equal(a.n, 1);
    for (unsigned i = 1; i < LIMIT_ATTRIBUTES; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%u", i);
        set(&a, key, "v");
    }
    assert_int_equal(attributes_set(&a, "more", "v"), -E2BIG);
    assert_int_equal(a.n, LIMIT_ATTRIBUTES);
    set(&a, "k7", "other"); /* replacing needs no room */
    set(&a, "k8", NULL);
    set(&a, "more", "v");
    assert_int_equal(attributes_set(&a, "k8", "v"), -E2BIG);
}

static void test_copy_and_eq(void **state)
{
    (void)state;
    _cleanup_(attributes_done) struct attributes a = {0}, b = {0}, copy = {0}, empty = {0};
    assert_true(attributes_eq(&a, &b));
    assert_int_equal(attributes_copy(&a, &empty), 0);
    assert_int_equal(empty.n, 0);
    set(&a, "x", "1");
    set(&a, "y", "2");
    assert_false(attributes_eq(&a, &b));
    assert_false(attributes_eq(&b, &a));
    set(&b, "y", "2");
    set(&b, "x", "1");
    assert_true(attributes_eq(&a, &b)); /* in any order */
    set(&b, "x", "3");
    assert_false(attributes_eq(&a, &b));
    set(&b, "x", NULL);
    set(&b, "z", "1");
    assert_false(attributes_eq(&a, &b));
    assert_int_equal(attributes_copy(&a, &copy), 0);
    assert_string_equal(copy.v[0].key, "x");
    assert_string_equal(copy.v[1].value, "2");
    assert_ptr_not_equal(copy.v[0].key, a.v[0].key);
    set(&copy, "x", NULL);
    assert_string_equal(attributes_get(&a, "x"), "1");
}

static void test_owned_by_rules_and_policies(void **state)
{
    (void)state;
    struct policy *p = NULL;
    struct diag d = {0};
    struct rule r, same;
    assert_int_equal(policy_new("P", &p), 0);
    set(&p->attributes, "mm-pfs", "yes");
    rule_init(&r);
    rule_init(&same);
    assert_int_equal(r.attributes.n, 0);
    set(&r.attributes, "filterlist", "web");
    set(&same.attributes, "filterlist", "other");
    assert_non_null(r.name = strdup("a"));
    assert_non_null(same.name = strdup("A"));
    assert_int_equal(policy_add_rule(p, &r, &d), 0);
    assert_int_equal(r.attributes.n, 0); /* taken over */
    assert_int_equal(policy_add_rule(p, &same, &d), -EEXIST);
    assert_string_equal(attributes_get(&same.attributes, "filterlist"), "other");
    rule_done(&same);
    assert_int_equal(same.attributes.n, 0);
    assert_string_equal(attributes_get(&p->rules[0].attributes, "filterlist"), "web");
    policy_remove_rule(p, 0);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_set_get_remove),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_copy_and_eq),
        cmocka_unit_test(test_owned_by_rules_and_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
