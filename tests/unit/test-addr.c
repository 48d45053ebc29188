/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/addr.c: constructors normalise, equality is by meaning of one construct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/addr.h"

static const struct ip net = {0, 0x0a010100}, host = {0, 0x0a010105};

static void test_prefix(void **state)
{
    (void)state;
    struct addr a = addr_prefix(FAMILY_4, host, 24);
    assert_int_equal(a.kind, ADDR_PREFIX);
    assert_int_equal(a.prefix_len, 24);
    assert_true(ip_eq(a.first, net)); /* host bits are gone */
    assert_true(ip_eq(a.last, (struct ip){0, 0x0a0101ff}));
    struct addr all = addr_prefix(FAMILY_6, (struct ip){1, 2}, 0);
    assert_int_equal(all.kind, ADDR_PREFIX);
    assert_true(ip_eq(all.first, (struct ip){0, 0}));
    assert_true(ip_eq(all.last, (struct ip){UINT64_MAX, UINT64_MAX}));
    assert_int_equal(addr_prefix(FAMILY_4, host, 0).family, FAMILY_4);
}

static void test_hosts_are_one_form(void **state)
{
    (void)state;
    struct addr a = addr_host(FAMILY_4, host), b = addr_prefix(FAMILY_4, host, 32),
                c = addr_range(FAMILY_4, host, host);
    assert_int_equal(b.kind, ADDR_HOST);
    assert_int_equal(c.kind, ADDR_HOST);
    assert_true(addr_eq(&a, &b) && addr_eq(&b, &c));
    assert_int_equal(c.prefix_len, 32);
    assert_int_equal(addr_prefix(FAMILY_6, host, 128).kind, ADDR_HOST);
    struct addr six = addr_host(FAMILY_6, host);
    assert_false(addr_eq(&a, &six));
}

static void test_eq(void **state)
{
    (void)state;
    struct addr any = addr_any(), me = addr_me(), p = addr_prefix(FAMILY_4, net, 24),
                q = addr_prefix(FAMILY_4, net, 25), r = addr_range(FAMILY_4, net, host);
    assert_true(addr_eq(&any, &any) && addr_eq(&me, &me) && addr_eq(&p, &p) && addr_eq(&r, &r));
    assert_false(addr_eq(&any, &me));
    assert_false(addr_eq(&p, &q));
    assert_false(addr_eq(&p, &r));
    char n1[] = "a.example", n2[] = "a.example", n3[] = "b.example";
    struct addr x = {.kind = ADDR_NAME, .name = n1}, y = {.kind = ADDR_NAME, .name = n2},
                z = {.kind = ADDR_NAME, .name = n3};
    assert_true(addr_eq(&x, &y));
    assert_false(addr_eq(&x, &z));
}

static void test_copy_owns(void **state)
{
    (void)state;
    struct addr a = {.kind = ADDR_NAME, .name = strdup("a.example")}, b;
    assert_non_null(a.name);
    assert_int_equal(addr_copy(&a, &b), 0);
    assert_ptr_not_equal(a.name, b.name);
    addr_done(&a);
    assert_int_equal(a.kind, ADDR_ANY);
    assert_string_equal(b.name, "a.example");
    addr_done(&b);
    addr_done(&b);
}

static void test_resolved(void **state)
{
    (void)state;
    for (enum addr_kind k = ADDR_ANY; k < _ADDR_KIND_MAX; k++) {
        struct addr a = {.kind = k};
        assert_int_equal(addr_is_resolved(&a), k >= ADDR_NAME);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix),   cmocka_unit_test(test_hosts_are_one_form),
        cmocka_unit_test(test_eq),       cmocka_unit_test(test_copy_owns),
        cmocka_unit_test(test_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
