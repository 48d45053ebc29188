/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/utf8.c: exactly the well-formed sequences of Unicode, display widths, names that compare
 * without regard to case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/utf8.h"

static size_t encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)(lead[len] | cp);
    return len;
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x110fff; cp++) {
        char text[4];
        size_t len = encode(cp, text);
        uint32_t back = 0xffffffff;
        size_t got = utf8_decode(text, len, &back);
        if ((cp >= 0xd800 && cp <= 0xdfff) || cp > 0x10ffff) {
            assert_int_equal(got, 0);
            assert_int_equal(back, 0xffffffff);
        } else {
            assert_int_equal(got, len);
            assert_int_equal(back, cp);
            if (len > 1)
                assert_int_equal(utf8_decode(text, len - 1, &back), 0);
        }
    }
}

/* A text that was cut anywhere ends with a whole character. */
static void test_whole(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80z";
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t n = 0; n < ARRAY_SIZE(want); n++)
        assert_int_equal(utf8_whole(text, n), want[n]);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",
        "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x88\x80\x80\x80",
        "\xc3(",        "\xe2\x82(",        "\xff",
        "a\xc3",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80", 10));
}

static void test_width(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        unsigned width;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"\xc3\xa4", 1},                 /* a with diaeresis */
        {"e\xcc\x81", 1},                /* e and combining acute */
        {"\xe6\x97\xa5\xe6\x9c\xac", 4}, /* two Han characters */
        {"\xed\x95\x9c", 2},             /* Hangul */
        {"\xef\xbc\xa1", 2},             /* fullwidth A */
        {"\xef\xbd\xb1", 1},             /* halfwidth katakana */
        {"\xf0\x9f\x98\x80", 2},         /* emoji */
        {"\xe2\x80\x8b", 0},             /* zero width space */
        {"\x01", 4},                     /* shown as \\x01 */
        {"\xff", 4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(utf8_width(cases[i].s, strlen(cases[i].s)), cases[i].width);
}

static void test_casecmp(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int result;
    } cases[] = {
        {"", "", 0},
        {"Web Server", "wEB sERVER", 0},
        {"a", "B", -1},
        {"B", "a", 1},
        {"a", "ab", -1},
        {"ab", "a", 1},
        {"\xc3\x84pfel", "\xc3\xa4PFEL", 0},                         /* Latin-1 */
        {"\xce\xa3\xce\x91\xce\xa3", "\xcf\x83\xce\xb1\xcf\x82", 0}, /* Greek, final sigma */
        {"\xd0\x9c\xd0\x98\xd0\xa0", "\xd0\xbc\xd0\xb8\xd1\x80", 0}, /* Cyrillic */
        {"\xd0\x81", "\xd1\x91", 0},                                 /* Cyrillic io */
        {"\xc3\x97", "\xc3\xb7", -1},                                /* times, division */
        {"[", "{", -1},                                              /* no letters */
        {"\xff", "\xfe", 1},                                         /* not UTF-8 */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(utf8_casecmp(cases[i].a, cases[i].b), cases[i].result);
        assert_int_equal(utf8_casecmp(cases[i].b, cases[i].a), -cases[i].result);
        if (cases[i].result == 0)
            assert_int_equal(utf8_casehash(cases[i].a), utf8_casehash(cases[i].b));
        else
            assert_int_not_equal(utf8_casehash(cases[i].a), utf8_casehash(cases[i].b));
    }
}

static void test_fold_is_idempotent(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x3000; cp++)
        assert_int_equal(utf8_fold(utf8_fold(cp)), utf8_fold(cp));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_casecmp),
        cmocka_unit_test(test_fold_is_idempotent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
