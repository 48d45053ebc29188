/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/duration.c: what people may type, exact inverse, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/duration.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t s;
    } cases[] = {
        {"1s", 1},    {"90s", 90},          {"15m", 900},
        {"2h", 7200}, {"1d12h", 129600},    {"1d2h3m4s", 93784},
        {"0d5s", 5},  {"3650d", 315360000}, {"315360000s", 315360000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct diag d = {0};
        uint32_t s = 0;
        assert_int_equal(
            duration_parse(cases[i].text, strlen(cases[i].text), (struct span){0}, &d, &s), 0);
        assert_int_equal(s, cases[i].s);
        assert_int_equal(d.code, DIAG_NONE);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "is empty"},
        {"90", "has no unit"},
        {"1h30", "has no unit"},
        {"h", "is not a number with a unit"},
        {"-1s", "is not a number with a unit"},
        {"1.5h", "does not name its units in the order d, h, m, s"},
        {"1w", "does not name its units in the order d, h, m, s"},
        {"1m1h", "does not name its units in the order d, h, m, s"},
        {"1h1h", "does not name its units in the order d, h, m, s"},
        {"1H", "does not name its units in the order d, h, m, s"},
        {"0s", "is shorter than one second"},
        {"3650d1s", "is longer than 10 years"},
        {"315360001s", "is longer than 10 years"},
        {"99999999999999999999d", "is longer than 10 years"},
        {"1 h", "does not name its units in the order d, h, m, s"},
    };
    struct span at = {.line = 1, .column = 5, .len = 3, .offset = 4};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct diag d = {0};
        uint32_t s = 77;
        assert_true(duration_parse(cases[i].text, strlen(cases[i].text), at, &d, &s) < 0);
        assert_int_equal(s, 77);
        assert_int_equal(d.code, DIAG_SYNTAX);
        assert_non_null(strstr(d.message, cases[i].why));
        assert_int_equal(d.n_spans, 1);
        assert_int_equal(d.span[0].column, 5);
        assert_true(d.hint[0] != '\0');
    }
}

static void test_only_n_bytes_are_read(void **state)
{
    (void)state;
    uint32_t s = 0;
    assert_int_equal(duration_parse("2h999", 2, (struct span){0}, NULL, &s), 0);
    assert_int_equal(s, 7200);
}

static void test_print_is_inverse(void **state)
{
    (void)state;
    for (uint32_t s = 1; s <= 315360000; s += 1 + s / 50) {
        char text[DURATION_TEXT_BYTES];
        uint32_t back = 0;
        duration_print(s, text);
        assert_int_equal(duration_parse(text, strlen(text), (struct span){0}, NULL, &back), 0);
        assert_int_equal(back, s);
    }
    char text[DURATION_TEXT_BYTES];
    duration_print(129600, text);
    assert_string_equal(text, "1d12h");
    duration_print(90, text);
    assert_string_equal(text, "1m30s");
    duration_print(86400, text);
    assert_string_equal(text, "1d");
    duration_print(0, text);
    assert_string_equal(text, "0s");
}

static void test_human(void **state)
{
    (void)state;
    static const struct {
        uint64_t s;
        const char *text;
    } cases[] = {
        {0, "0 s"},           {20, "20 s"},
        {90, "1 min 30 s"},   {360, "6 min"},
        {6840, "1 h 54 min"}, {6899, "1 h 54 min"},
        {7200, "2 h"},        {7201, "2 h"},
        {273600, "3 d 4 h"},  {86400 * 3 + 59, "3 d"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[DURATION_TEXT_BYTES];
        duration_print_human(cases[i].s, text);
        assert_string_equal(text, cases[i].text);
    }
    char text[DURATION_TEXT_BYTES];
    duration_print_human(UINT64_MAX, text);
    assert_string_equal(text, "213503982334601 d 7 h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_only_n_bytes_are_read),
        cmocka_unit_test(test_print_is_inverse),
        cmocka_unit_test(test_human),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
