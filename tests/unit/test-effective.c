/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/effective.c and host.c: armed or not, defaults, copies that share nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/effective.h"

static void test_armed(void **state)
{
    (void)state;
    struct filter permit, block, negotiate;
    filter_init(&permit);
    filter_init(&block);
    filter_init(&negotiate);
    permit.action = ACTION_PERMIT;
    block.action = ACTION_BLOCK;
    negotiate.action = ACTION_NEGOTIATE;
    struct effective_filter v[] = {{.filter = &permit}, {.filter = &permit}};
    struct effective e = {.v = v, .n = 0};
    assert_false(effective_is_armed(&e));
    e.n = 2;
    assert_false(effective_is_armed(&e));
    v[1].filter = &block;
    assert_true(effective_is_armed(&e));
    v[1].filter = &negotiate;
    assert_true(effective_is_armed(&e));
    permit.inpass = true; /* denies in the clear */
    e.n = 1;
    assert_true(effective_is_armed(&e));
}

static void test_default_settings(void **state)
{
    (void)state;
    struct filter_settings s;
    memset(&s, 0xff, sizeof(s));
    filter_settings_init(&s);
    assert_int_equal(s.exempt, 3);
    assert_false(s.source_route_classify);
    assert_false(s.masqueraded_pass);
    assert_false(s.dhcp_client_off);
    assert_false(s.counters_off);
    assert_int_equal(s.n_failsafe, 0);
}

static void test_host_copy(void **state)
{
    (void)state;
    struct host h = {0}, copy;
    assert_int_equal(host_copy(&h, &copy), 0);
    assert_int_equal(copy.n_local, 0);
    assert_int_equal(array_reserve(&h.local, &h.cap_local, 2, sizeof(*h.local)), 0);
    assert_int_equal(array_reserve(&h.ifaces, &h.cap_ifaces, 1, sizeof(*h.ifaces)), 0);
    h.local[0] = (struct local_route){.family = FAMILY_4, .prefix_len = 32, .kind = LOCAL_UNICAST};
    h.local[1] = (struct local_route){.family = FAMILY_6, .prefix_len = 8, .kind = LOCAL_MULTICAST};
    h.n_local = 2;
    h.ifaces[0] = (struct iface){.ifindex = 3, .name = "eth0", .role = IFACE_NORMAL};
    h.n_ifaces = 1;
    assert_int_equal(host_copy(&h, &copy), 0);
    host_done(&h);
    assert_null(h.local);
    assert_int_equal(copy.n_local, 2);
    assert_int_equal(copy.local[1].kind, LOCAL_MULTICAST);
    assert_string_equal(copy.ifaces[0].name, "eth0");
    /* The copy can grow like the original. */
    assert_int_equal(array_reserve(&copy.local, &copy.cap_local, 3, sizeof(*copy.local)), 0);
    assert_int_equal(copy.local[0].prefix_len, 32);
    host_done(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_armed),
        cmocka_unit_test(test_default_settings),
        cmocka_unit_test(test_host_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
