/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes in the policy language, and identities across renames: random policies read back
 * equal; rules that were renamed, swapped or replaced keep or lose their identity as they should.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "text/text.h"

enum { OUTPUT_BYTES = 1 << 24 };

static struct policy *parse_one(const char *text)
{
    struct policy_list l = {0};
    struct diag_list dl = {0};
    if (text_parse_policies(text, strlen(text), &dl, &l) < 0)
        fail_msg("%s in '%s'", dl.d[0].message, text);
    assert_int_equal(l.n, 1);
    struct policy *p = TAKE_PTR(l.v[0]);
    l.n = 0;
    policy_list_done(&l);
    return p;
}

static void random_attributes(struct rng *r, struct attributes *a)
{
    static const char *const keys[] = {"a",     "rule",        "policy", "connection", "attribute",
                                       "block", "description", "x-9",    "filterlist", "in"};
    static const char *const parts[] = {"a", " ", "\"", "\\",   "\n",       "\t", "#",          "{",
                                        "}", "ü", "遮", "\x01", "\xc2\x85", "😀",  "attribute k"};
    for (uint32_t i = rng_below(r, 5); i > 0; i--) {
        _cleanup_(strbuf_done) struct strbuf value = STRBUF_INIT(4096);
        assert_int_equal(strbuf_add(&value, ""), 0);
        for (uint32_t k = rng_below(r, 6); k > 0; k--)
            (void)strbuf_add(&value, parts[rng_below(r, ARRAY_SIZE(parts))]);
        assert_int_equal(
            attributes_set(a, keys[rng_below(r, ARRAY_SIZE(keys))], value.s ? value.s : ""), 0);
    }
}

static void random_rule(struct rng *r, struct policy *p, unsigned number)
{
    _cleanup_(rule_done) struct rule rule;
    char name[16];
    struct diag d = {0};
    rule_init(&rule);
    (void)snprintf(name, sizeof(name), "rule %u", number);
    assert_non_null(rule.name = strdup(name));
    rule.inactive = rng_below(r, 2) == 0;
    rule.connection = (enum connection)rng_below(r, _CONNECTION_MAX);
    random_attributes(r, &rule.attributes);
    for (uint32_t i = rng_below(r, 3); i > 0; i--) {
        struct filter f;
        filter_init(&f);
        f.action = ACTION_BLOCK;
        assert_int_equal(rule_add_filter(&rule, &f), 0);
    }
    assert_int_equal(policy_add_rule(p, &rule, &d), 0);
}

static void expect_equal(const struct policy *p, const struct policy *q, const char *text)
{
    bool same = attributes_eq(&p->attributes, &q->attributes) && p->n_rules == q->n_rules;
    for (size_t i = 0; same && i < p->n_rules; i++) {
        const struct rule *a = &p->rules[i], *b = &q->rules[i];
        same = attributes_eq(&a->attributes, &b->attributes) && a->connection == b->connection &&
               a->inactive == b->inactive && a->n_filters == b->n_filters;
    }
    if (!same)
        fail_msg("reads back as something else: %s", text);
}

static void test_random_policies_round_trip(void **state)
{
    (void)state;
    const char *env = getenv("PORTWARD_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    struct rng r = {seed};
    print_message("# seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 3000; i++) {
        _cleanup_(policy_freep) struct policy *p = NULL;
        _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES);
        _cleanup_(strbuf_done) struct strbuf again = STRBUF_INIT(OUTPUT_BYTES);
        assert_int_equal(policy_new("P", &p), 0);
        random_attributes(&r, &p->attributes);
        if (rng_below(&r, 2) == 0)
            p->weak = 1;
        for (unsigned k = rng_below(&r, 4); k > 0; k--)
            random_rule(&r, p, k);
        assert_int_equal(text_print_policy(p, &out), 0);
        _cleanup_(policy_freep) struct policy *q = parse_one(out.s);
        expect_equal(p, q, out.s);
        assert_int_equal(text_print_policy(q, &again), 0);
        assert_string_equal(out.s, again.s);
    }
}

/* Rule number i + 1 gets the GUID i + 1 and its filters the handles 10 * (i + 1) and up. */
static struct policy *make_old(const char *text)
{
    struct policy *p = parse_one(text);
    for (size_t i = 0; i < p->n_rules; i++) {
        p->rules[i].guid.b[0] = (uint8_t)(i + 1);
        for (size_t k = 0; k < p->rules[i].n_filters; k++)
            p->rules[i].filters[k].handle = (uint32_t)(10 * (i + 1) + k);
    }
    return p;
}

static const char old_text[] = "policy \"P\" { rule \"a\" block in tcp port 1"
                               " rule \"b\" { block in tcp port 2 block in tcp port 3 }"
                               " rule \"c\" block in tcp port 4 }";

/* Per rule of the new text its GUID, then the handle of its first filter. */
static void expect_ids(const char *text, const struct renamed *v, size_t n,
                       const unsigned (*expected)[2])
{
    _cleanup_(policy_freep) struct policy *old = make_old(old_text), *fresh = parse_one(text);
    struct diag d = {0};
    assert_int_equal(text_inherit_renamed(fresh, old, v, n, &d), 0);
    for (size_t i = 0; i < fresh->n_rules; i++) {
        assert_int_equal(fresh->rules[i].guid.b[0], expected[i][0]);
        assert_int_equal(fresh->rules[i].filters[0].handle, expected[i][1]);
    }
}

static void test_renamed(void **state)
{
    (void)state;
    static const struct renamed to_new[] = {{.now = "New", .before = "A"}};
    static const struct renamed swap[] = {{.now = "a", .before = "b"}, {.now = "b", .before = "a"}};
    static const struct renamed onto[] = {{.now = "b", .before = "a"}};
    static const struct renamed gone[] = {{.now = "d", .before = "x"}, {.now = "y", .before = "c"}};
    /* nothing renamed: as text_inherit_ids() */
    expect_ids("policy \"P\" { rule \"c\" block in tcp port 4 rule \"A\" block in tcp port 1 }",
               NULL, 0, (const unsigned[][2]){{3, 30}, {1, 10}});
    expect_ids("policy \"P\" { rule \"new\" block in tcp port 1 rule \"b\" block in tcp port 3 }",
               to_new, 1, (const unsigned[][2]){{1, 10}, {2, 21}});
    /* the old name was given to another rule: a new one */
    expect_ids("policy \"P\" { rule \"a\" block in tcp port 1 rule \"new\" block in tcp port 1 }",
               to_new, 1, (const unsigned[][2]){{0, 0}, {1, 10}});
    expect_ids("policy \"P\" { rule \"a\" block in tcp port 2 rule \"b\" block in tcp port 1 }",
               swap, 2, (const unsigned[][2]){{2, 20}, {1, 10}});
    /* in the place of a deleted one */
    expect_ids("policy \"P\" { rule \"b\" block in tcp port 1 rule \"c\" block in tcp port 9 }",
               onto, 1, (const unsigned[][2]){{1, 10}, {3, 0}});
    /* names that are nowhere change nothing else; c gave its name up */
    expect_ids("policy \"P\" { rule \"d\" block in tcp port 1 rule \"c\" block in tcp port 4"
               " rule \"a\" block in tcp port 1 }",
               gone, 2, (const unsigned[][2]){{0, 0}, {0, 0}, {1, 10}});
}

static void test_renamed_keeps_what_has_a_guid(void **state)
{
    (void)state;
    static const struct renamed v[] = {{.now = "new", .before = "a"}};
    _cleanup_(policy_freep) struct policy *old = make_old(old_text);
    _cleanup_(policy_freep) struct policy *fresh =
        parse_one("policy \"P\" { rule \"new\" block in tcp port 1 }");
    struct diag d = {0};
    fresh->rules[0].guid.b[0] = 99;
    assert_int_equal(text_inherit_renamed(fresh, old, v, 1, &d), 0);
    assert_int_equal(fresh->rules[0].guid.b[0], 99);
    assert_int_equal(fresh->rules[0].filters[0].handle, 0);
}

static void test_renamed_to_two(void **state)
{
    (void)state;
    static const struct renamed v[] = {{.now = "x", .before = "a"}, {.now = "y", .before = "A"}};
    _cleanup_(policy_freep) struct policy *old = make_old(old_text);
    _cleanup_(policy_freep) struct policy *fresh =
        parse_one("policy \"P\" { rule \"x\" block in rule \"y\" block in }");
    struct diag d = {0};
    assert_true(text_inherit_renamed(fresh, old, v, 2, &d) < 0);
    assert_int_equal(d.code, DIAG_CONFLICT);
    assert_string_equal(d.message, "rule 'A' cannot become 'x' and 'y'");
    assert_true(guid_is_null(&fresh->rules[0].guid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_policies_round_trip),
        cmocka_unit_test(test_renamed),
        cmocka_unit_test(test_renamed_keeps_what_has_a_guid),
        cmocka_unit_test(test_renamed_to_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
