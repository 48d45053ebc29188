/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/portset.c: sorted, disjoint, adjacent items kept apart, everything is any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/rng.h"
#include "model/portset.h"

static void expect(const struct port_range *in, size_t n, const struct port_range *out, size_t m)
{
    struct portset s;
    assert_int_equal(portset_from(in, n, &s), 0);
    assert_int_equal(s.n, m);
    for (size_t i = 0; i < m; i++) {
        assert_int_equal(s.range[i].first, out[i].first);
        assert_int_equal(s.range[i].last, out[i].last);
    }
    portset_done(&s);
}

static void test_normal_form(void **state)
{
    (void)state;
    expect(NULL, 0, NULL, 0);
    expect((struct port_range[]){{443, 443}, {80, 80}}, 2,
           (struct port_range[]){{80, 80}, {443, 443}}, 2);
    /* policy.md 1: "135,136" is two exact ports, "135-136" one range */
    expect((struct port_range[]){{136, 136}, {135, 135}}, 2,
           (struct port_range[]){{135, 135}, {136, 136}}, 2);
    expect((struct port_range[]){{135, 136}}, 1, (struct port_range[]){{135, 136}}, 1);
    expect((struct port_range[]){{1, 10}, {10, 20}}, 2, (struct port_range[]){{1, 20}}, 1);
    expect((struct port_range[]){{1, 100}, {5, 6}, {101, 101}}, 3,
           (struct port_range[]){{1, 100}, {101, 101}}, 2);
    expect((struct port_range[]){{7, 7}, {7, 7}, {7, 7}}, 3, (struct port_range[]){{7, 7}}, 1);
    expect((struct port_range[]){{0, 0}, {65535, 65535}}, 2,
           (struct port_range[]){{0, 0}, {65535, 65535}}, 2);
}

static void test_everything_is_any(void **state)
{
    (void)state;
    struct portset s;
    assert_int_equal(portset_from((struct port_range[]){{0, 65535}}, 1, &s), 0);
    assert_true(portset_is_any(&s));
    assert_null(s.range);
    assert_true(portset_contains(&s, 0) && portset_contains(&s, 65535));
    assert_int_equal(portset_from((struct port_range[]){{0, 40000}, {30000, 65535}}, 2, &s), 0);
    assert_true(portset_is_any(&s));
    assert_int_equal(portset_from((struct port_range[]){{1, 65535}}, 1, &s), 0);
    assert_false(portset_is_any(&s));
    assert_false(portset_contains(&s, 0));
    portset_done(&s);
}

static void test_random_against_bitmap(void **state)
{
    (void)state;
    const char *env = getenv("PORTWARD_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    printf("# seed %llu\n", (unsigned long long)seed);
    struct rng rng = {seed};
    for (int round = 0; round < 300; round++) {
        struct port_range items[LIMIT_PORT_ITEMS];
        static bool in[1000];
        memset(in, 0, sizeof(in));
        uint32_t n = 1 + rng_below(&rng, LIMIT_PORT_ITEMS);
        for (uint32_t i = 0; i < n; i++) {
            items[i].first = (uint16_t)rng_below(&rng, 900);
            items[i].last = (uint16_t)(items[i].first + rng_below(&rng, 30));
            memset(in + items[i].first, 1, (size_t)(items[i].last - items[i].first) + 1);
        }
        struct portset s, copy;
        assert_int_equal(portset_from(items, n, &s), 0);
        for (uint16_t p = 0; p < 1000; p++)
            assert_int_equal(portset_contains(&s, p), in[p]);
        for (uint32_t i = 1; i < s.n; i++)
            assert_true(s.range[i].first > s.range[i - 1].last);
        assert_int_equal(portset_copy(&s, &copy), 0);
        assert_true(portset_eq(&s, &copy));
        copy.range[copy.n - 1].last++;
        assert_false(portset_eq(&s, &copy));
        portset_done(&s);
        portset_done(&copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_form),
        cmocka_unit_test(test_everything_is_any),
        cmocka_unit_test(test_random_against_bitmap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
