/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sort_keys(): ascending and stable, whatever bytes differ; word by word it sorts keys of several
 * words. */
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
#include "base/sortkey.h"

enum { MAX = 3000 };

static void expect_sorted(const struct sort_key *v, size_t n, const uint64_t *keys)
{
    bool seen[MAX] = {false};
    for (size_t i = 0; i < n; i++) {
        assert_true(v[i].index < n);
        assert_false(seen[v[i].index]);
        seen[v[i].index] = true;
        assert_true(v[i].key == keys[v[i].index]);
        if (i == 0)
            continue;
        assert_true(v[i - 1].key <= v[i].key);
        if (v[i - 1].key == v[i].key)
            assert_true(v[i - 1].index < v[i].index);
    }
}

static void test_few(void **state)
{
    (void)state;
    struct sort_key v[] = {{3, 0}, {UINT64_MAX, 1}, {0, 2}, {3, 3}, {1ULL << 63, 4}, {256, 5}};
    const uint32_t order[] = {2, 0, 3, 5, 4, 1};
    assert_int_equal(sort_keys(v, ARRAY_SIZE(v)), 0);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        assert_int_equal(v[i].index, order[i]);
    assert_int_equal(sort_keys(NULL, 0), 0);
    assert_int_equal(sort_keys(v, 1), 0);
    assert_int_equal(v[0].index, 2);
}

static void test_random(void **state)
{
    (void)state;
    const char *env = getenv("PORTWARD_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    printf("# PORTWARD_SEED=%llu\n", (unsigned long long)seed);
    struct rng r = {seed};
    static struct sort_key v[MAX];
    static uint64_t keys[MAX];
    for (unsigned round = 0; round < 300; round++) {
        size_t n = rng_below(&r, MAX);
        uint64_t mask = rng_next(&r) & rng_next(&r); /* many equal ones */
        if (round % 3 == 0)
            mask = 0xffULL << (8 * rng_below(&r, 8));
        for (size_t i = 0; i < n; i++) {
            keys[i] = rng_next(&r) & mask;
            v[i] = (struct sort_key){keys[i], (uint32_t)i};
        }
        assert_int_equal(sort_keys(v, n), 0);
        expect_sorted(v, n, keys);
    }
}

static void test_two_words(void **state)
{
    (void)state;
    struct rng r = {7};
    static struct sort_key v[MAX];
    static uint64_t words[MAX][2];
    for (uint32_t i = 0; i < MAX; i++) {
        words[i][0] = rng_below(&r, 5);
        words[i][1] = rng_below(&r, 100);
        v[i] = (struct sort_key){words[i][1], i};
    }
    assert_int_equal(sort_keys(v, MAX), 0);
    for (uint32_t i = 0; i < MAX; i++)
        v[i].key = words[v[i].index][0];
    assert_int_equal(sort_keys(v, MAX), 0);
    for (size_t i = 1; i < MAX; i++) {
        const uint64_t *a = words[v[i - 1].index], *b = words[v[i].index];
        assert_true(a[0] < b[0] || (a[0] == b[0] && a[1] <= b[1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_two_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
