/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/strbuf.c: nothing is ever cut silently, and what comes from outside is escaped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"

static void test_add(void **state)
{
    (void)state;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(1000);
    assert_null(b.s);
    assert_int_equal(strbuf_add(&b, ""), 0);
    assert_string_equal(b.s, "");
    assert_int_equal(strbuf_add(&b, "abc"), 0);
    assert_int_equal(strbuf_add_n(&b, "defgh", 2), 0);
    assert_int_equal(strbuf_add_char(&b, '!'), 0);
    assert_int_equal(strbuf_addf(&b, "%d-%s", 42, "x"), 0);
    assert_string_equal(b.s, "abcde!42-x");
    assert_int_equal(b.len, strlen(b.s));
}

static void test_maximum_is_exact_and_sticky(void **state)
{
    (void)state;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(5);
    assert_int_equal(strbuf_add(&b, "12345"), 0);
    assert_int_equal(strbuf_add_char(&b, '6'), -E2BIG);
    assert_string_equal(b.s, "12345");
    assert_int_equal(strbuf_add(&b, ""), -E2BIG);
    assert_int_equal(strbuf_addf(&b, "%s", ""), -E2BIG);
    assert_int_equal(b.len, 5);
    assert_null(strbuf_take(&b));
    assert_null(b.s);
}

static void test_formatted_over_maximum(void **state)
{
    (void)state;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(4);
    assert_int_equal(strbuf_addf(&b, "%d", 12345), -E2BIG);
    assert_int_equal(b.len, 0);
}

static void test_take(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT(10);
    char *s = strbuf_take(&b);
    assert_string_equal(s, "");
    free(s);
    assert_int_equal(strbuf_add(&b, "again"), 0);
    s = strbuf_take(&b);
    assert_string_equal(s, "again");
    free(s);
    assert_null(b.s);
    assert_int_equal(b.max, 10);
}

static void test_grows_large(void **state)
{
    (void)state;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(1 << 20);
    for (int i = 0; i < 1 << 20; i++)
        (void)strbuf_add_char(&b, 'a');
    assert_int_equal(b.error, 0);
    assert_int_equal(strlen(b.s), 1 << 20);
    assert_int_equal(strbuf_add_char(&b, 'a'), -E2BIG);
}

static void test_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } cases[] = {
        {"plain", 5, "plain"},
        {"a\x1b[31mb", 7, "a\\x1b[31mb"},
        {"nul\0x", 5, "nul\\x00x"},
        {"\xff\xfe", 2, "\\xff\\xfe"},
        {"\xc3\xa4\xc3", 3, "\xc3\xa4\\xc3"},
        {"tab\t", 4, "tab\\x09"},
        {"\x7f", 1, "\\x7f"},
        {"\xc2\x9b", 2, "\\xc2\\x9b"},          /* C1 control sequence introducer */
        {"\xe2\x80\xae", 3, "\\xe2\\x80\\xae"}, /* right-to-left override */
        {"\xe6\x97\xa5", 3, "\xe6\x97\xa5"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(100);
        assert_int_equal(strbuf_add_escaped(&b, cases[i].in, cases[i].n), 0);
        assert_string_equal(b.s, cases[i].out);
        assert_int_equal(utf8_width(cases[i].in, cases[i].n), utf8_width(b.s, b.len));
    }
}

static void test_format_into(void **state)
{
    (void)state;
    char out[6];
    assert_int_equal(format_into(out, sizeof(out), "%d", 12345), 5);
    assert_string_equal(out, "12345");
    assert_int_equal(format_into(out, sizeof(out), "%d", 123456), 5);
    assert_string_equal(out, "12345");
    assert_int_equal(format_into(out, 1, "x"), 0);
    assert_string_equal(out, "");
}

static void test_number(void **state)
{
    (void)state;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(32);
    const uint32_t numbers[] = {0, 7, 10, 65535, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        assert_int_equal(strbuf_add_number(&b, numbers[i]), 0);
    assert_string_equal(b.s, "0710655354294967295");
    while (b.error == 0)
        (void)strbuf_add_number(&b, 12345);
    assert_int_equal(b.error, -E2BIG);
    assert_string_equal(b.s, "07106553542949672951234512345"); /* nothing cut */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_maximum_is_exact_and_sticky),
        cmocka_unit_test(test_formatted_over_maximum),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_grows_large),
        cmocka_unit_test(test_escaped),
        cmocka_unit_test(test_format_into),
        cmocka_unit_test(test_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
