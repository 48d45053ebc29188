/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/guid.c: text forms and the fixed bits of random identities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/guid.h"

static void test_round_trip(void **state)
{
    (void)state;
    struct guid g;
    char text[GUID_TEXT_BYTES];
    static const char lower[] = "72385230-70fa-11d1-864c-14a300000000";
    assert_int_equal(guid_parse(lower, &g), 0);
    assert_int_equal(g.b[0], 0x72);
    assert_int_equal(g.b[15], 0);
    guid_print(&g, text);
    assert_string_equal(text, lower);
    struct guid h;
    assert_int_equal(guid_parse("{72385230-70FA-11D1-864C-14A300000000}", &h), 0);
    assert_int_equal(guid_cmp(&g, &h), 0);
    h.b[15] = 1;
    assert_int_equal(guid_cmp(&g, &h), -1);
    assert_int_equal(guid_cmp(&h, &g), 1);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "72385230-70fa-11d1-864c-14a30000000",
        "7238523070fa11d1864c14a300000000",
        "72385230-70fa-11d1-864c-14a3000000000",
        "{72385230-70fa-11d1-864c-14a300000000",
        "72385230-70fa-11d1-864c-14a300000000}",
        "g2385230-70fa-11d1-864c-14a300000000",
        "72385230-70fa-11d1-864c_14a300000000",
        "{72385230-70fa-11d1-864c-14a300000000} ",
    };
    struct guid g = {.b = {9}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(guid_parse(bad[i], &g) < 0);
    assert_int_equal(g.b[0], 9);
}

static void test_random(void **state)
{
    (void)state;
    uint8_t ones[16], zeros[16] = {0};
    memset(ones, 0xff, sizeof(ones));
    struct guid a = guid_from_random(ones), b = guid_from_random(zeros);
    char text[GUID_TEXT_BYTES];
    guid_print(&a, text);
    assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    guid_print(&b, text);
    assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
    assert_false(guid_is_null(&b)); /* version and variant bits: never null */
    assert_true(guid_is_null(&(struct guid){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
