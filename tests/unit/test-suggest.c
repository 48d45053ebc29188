/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/suggest.c: distances of mistyped words, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/suggest.h"

static void test_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned distance;
    } cases[] = {
        {"", "", 0},        {"port", "port", 0},  {"PORT", "port", 0}, {"prot", "port", 1},
        {"pot", "port", 1}, {"portt", "port", 1}, {"part", "port", 1}, {"kitten", "sitting", 3},
        {"abc", "xyz", 3},  {"", "abc", 3},       {"ca", "abc", 3}, /* neighbours that were swapped
                                                                       stay together */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(suggest_distance(cases[i].a, cases[i].b, 10), cases[i].distance);
        assert_int_equal(suggest_distance(cases[i].b, cases[i].a, 10), cases[i].distance);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    char longest[100];
    memset(longest, 'a', sizeof(longest));
    longest[65] = '\0';
    assert_int_equal(suggest_distance(longest, longest, 3), 4);
    longest[64] = '\0';
    assert_int_equal(suggest_distance(longest, longest, 3), 0);
    assert_int_equal(suggest_distance("abcdef", "uvwxyz", 2), 3);
    assert_int_equal(suggest_limit("ab"), 0);
    assert_int_equal(suggest_limit("abcd"), 1);
    assert_int_equal(suggest_limit("abcdefgh"), 2);
    assert_int_equal(suggest_limit("Block RPC Ports"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
