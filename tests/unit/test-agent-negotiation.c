/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/negotiation.c: which rules the warning names and counts, and the entries of IKE that lists
 * show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/agent/internal.h"
#include "text/text.h"

#define BEFORE "denied in the clear until the negotiation engine is configured: "
#define AFTER  "; IKE, UDP 500 and 4500, passes"

static struct policy *policy_of(const char *text)
{
    struct diag_list errors = {0};
    struct policy_list l = {0};
    if (text_parse_policies(text, strlen(text), &errors, &l) < 0)
        fail_msg("%s", errors.d[0].message);
    assert_int_equal(l.n, 1);
    struct policy *p = l.v[0];
    free(l.v);
    return p;
}

static void check_warning(const struct negotiation *n, const char *expected)
{
    struct agent_warnings w = {0};
    negotiation_warn(n, &w);
    if (!expected) {
        assert_int_equal(w.n, 0);
        return;
    }
    assert_int_equal(w.n, 1);
    assert_string_equal(w.v[0].code, "negotiation-not-configured");
    assert_string_equal(w.v[0].message, expected);
    assert_string_equal(w.v[0].hint, "portward list");
    agent_warnings_done(&w);
}

static void test_policies(void **state _unused_)
{
    static const struct {
        const char *text, *warning;
    } cases[] = {
        {"policy \"P\" { rule \"A\" block in }", NULL},
        {"policy \"P\" { rule \"A\" negotiate in }", BEFORE "\"A\"" AFTER},
        {"policy \"P\" { rule \"A\" permit inpass in }", BEFORE "\"A\"" AFTER},
        {"policy \"P\" { inactive rule \"A\" negotiate in }", NULL},
        {"policy \"P\" { rule \"A\" { block in negotiate out negotiate in } rule \"B\" permit in }",
         BEFORE "\"A\"" AFTER},
        {"policy \"P\" { rule \"A\" negotiate in rule \"B\" negotiate out rule \"C\" negotiate }",
         BEFORE "\"A\", \"B\", \"C\"" AFTER},
        {"policy \"P\" { rule \"A\" negotiate in rule \"B\" negotiate out rule \"C\" negotiate "
         "rule \"D\" negotiate rule \"E\" permit inpass }",
         BEFORE "\"A\", \"B\", \"C\" and 2 more" AFTER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy *p = policy_of(cases[i].text);
        struct negotiation n = {0};
        negotiation_add_policy(&n, p);
        check_warning(&n, cases[i].warning);
        negotiation_add_policy(&n, p); /* loaded and assigned in one change: still one policy */
        check_warning(&n, cases[i].warning);
        policy_free(p);
    }
}

static struct filter filter_of(const char *text)
{
    struct filter f;
    struct diag d;
    filter_init(&f);
    if (text_parse_filter(text, strlen(text), &d, &f) < 0)
        fail_msg("%s", d.message);
    return f;
}

static void test_dynamic(void **state _unused_)
{
    static const struct {
        const char *text, *warning;
    } cases[] = {
        {"block in", NULL},
        {"permit in", NULL},
        {"negotiate in", BEFORE "\"d7\"" AFTER},
        {"permit inpass in", BEFORE "\"d7\"" AFTER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct filter f = filter_of(cases[i].text);
        struct negotiation n = {0};
        f.handle = 7;
        negotiation_add_filter(&n, &f);
        check_warning(&n, cases[i].warning);
        filter_done(&f);
    }
}

static void test_ike_entries(void **state _unused_)
{
    static const struct {
        const char *text;
        const char *entries[5]; /* in their order */
    } cases[] = {
        {"block in", {NULL}},
        {"permit in", {NULL}},
        {"negotiate in tcp from 10.0.0.2 to me port 80",
         {"permit in udp from 10.0.0.2 to me port 500,4500",
          "permit out udp from me port 500,4500 to 10.0.0.2",
          "permit out udp from me to 10.0.0.2 port 500,4500"}},
        {"permit inpass from 10.0.0.2 to 10.0.0.3",
         {"permit udp from 10.0.0.2 to 10.0.0.3 port 500,4500",
          "permit udp from 10.0.0.3 to 10.0.0.2 port 500,4500"}},
        {"negotiate from any to 10.0.0.3",
         {"permit udp from any to 10.0.0.3 port 500,4500",
          "permit udp from 10.0.0.3 to any port 500,4500",
          "permit out udp from me port 500,4500 to 10.0.0.3"}},
        {"negotiate out to host.example", {NULL}}, /* stands for no address yet */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct filter f = filter_of(cases[i].text);
        struct effective_filter ef = {.filter = &f};
        struct desired x = {.e = {.v = &ef, .n = 1}};
        struct agent_filters l = {0};
        size_t n = 0;
        while (cases[i].entries[n])
            n++;
        assert_int_equal(negotiation_derived(&x, &l), 0);
        assert_int_equal(l.n, n);
        for (size_t k = 0; k < n; k++) {
            assert_string_equal(l.v[k].text, cases[i].entries[k]);
            assert_string_equal(l.v[k].rule, "IKE");
            assert_string_equal(l.v[k].id, "-");
            assert_int_equal(l.v[k].tier, TIER_EXEMPTION);
        }
        agent_filters_done(&l);
        filter_done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_dynamic),
        cmocka_unit_test(test_ike_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
