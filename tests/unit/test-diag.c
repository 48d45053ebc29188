/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/diag.c and diag_render.c: messages, codes, and carets that stand where they should. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "base/utf8.h"

/* Place of the first occurrence of word in text. */
static struct span place_of(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    assert_non_null(at);
    struct span s = {.line = 1, .column = 1, .len = (uint32_t)strlen(word)};
    s.offset = (uint32_t)(at - text);
    for (const char *p = text; p < at; p++) {
        s.column = *p == '\n' ? 1 : s.column + 1;
        s.line += *p == '\n';
    }
    return s;
}

static void expect_render(const struct diag *d, const char *file, const char *text, bool warning,
                          const char *expected)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(100000);
    assert_int_equal(diag_render(d, file, text, text ? strlen(text) : 0, warning, &out), 0);
    assert_string_equal(out.s, expected);
}

static void test_codes_are_complete(void **state)
{
    (void)state;
    for (enum diag_code c = DIAG_NONE; c < _DIAG_CODE_MAX; c++) {
        const char *name = diag_code_name(c);
        assert_non_null(name);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
        assert_true(diag_exit_code(c) >= 1 && diag_exit_code(c) <= 9);
        for (enum diag_code other = DIAG_NONE; other < c; other++)
            assert_string_not_equal(diag_code_name(other), name);
        assert_true(diag_fail(NULL, c, "x") < 0);
    }
    assert_string_equal(diag_code_name(DIAG_PORT_RANGE), "port-range");
    assert_int_equal(diag_exit_code(DIAG_PORT_RANGE), 7);
    assert_int_equal(diag_exit_code(DIAG_UNKNOWN_WORD), 2);
    assert_int_equal(diag_exit_code(DIAG_AGENT), 3);
    assert_int_equal(diag_exit_code(DIAG_PERMISSION), 4);
    assert_int_equal(diag_exit_code(DIAG_CONFLICT), 5);
    assert_int_equal(diag_exit_code(DIAG_OVERRIDDEN), 9);
    assert_int_equal(diag_exit_code(DIAG_UNKNOWN_OBJECT), 1);
}

static void test_fail_fills(void **state)
{
    (void)state;
    struct diag d;
    memset(&d, 0xaa, sizeof(d));
    struct span at = {.line = 3, .column = 64, .len = 5, .offset = 100};
    assert_int_equal(diag_fail_at(&d, DIAG_LIMIT, at, "more than %d", 64), -E2BIG);
    assert_int_equal(d.code, DIAG_LIMIT);
    assert_string_equal(d.message, "more than 64");
    assert_string_equal(d.hint, "");
    assert_int_equal(d.n_spans, 1);
    assert_int_equal(d.span[0].column, 64);
    diag_hint(&d, "at most %d", 64);
    assert_string_equal(d.hint, "at most 64");
    for (int i = 0; i < 5; i++)
        diag_add_span(&d, at);
    assert_int_equal(d.n_spans, DIAG_SPANS);
    /* A message may be made from the old one. */
    assert_int_equal(diag_fail(&d, DIAG_UNKNOWN_OBJECT, "again: %s", d.message), -ENOENT);
    assert_string_equal(d.message, "again: more than 64");
    assert_int_equal(d.n_spans, 0);
    assert_string_equal(d.hint, "");
    diag_add_span(&d, (struct span){0}); /* no place */
    assert_int_equal(d.n_spans, 0);
    diag_hint(NULL, "x");
    diag_add_span(NULL, at);
}

static void test_errno(void **state)
{
    (void)state;
    struct diag d = {0};
    assert_int_equal(diag_errno(&d, -ENOENT, "cannot open '%s'", "/x"), -ENOENT);
    assert_string_equal(d.message, "cannot open '/x': no such file or directory");
    assert_int_equal(d.code, DIAG_SYSTEM);
    assert_int_equal(diag_errno(&d, EIO, "read"), -EIO);
    assert_string_equal(d.message, "read: input/output error");
    assert_int_equal(diag_errno(&d, 4000, "read"), -4000);
    assert_string_equal(d.message, "read: error 4000");
    assert_int_equal(diag_errno(NULL, EPERM, "x"), -EPERM);
}

static void test_long_messages_are_cut_between_characters(void **state)
{
    (void)state;
    char name[600];
    for (size_t i = 0; i + 2 < sizeof(name); i += 2)
        memcpy(name + i, "\xc3\xa4", 3);
    for (int shift = 0; shift < 2; shift++) {
        struct diag d = {0};
        (void)diag_fail(&d, DIAG_SYNTAX, "%.*s%s", shift, "x", name);
        assert_true(strlen(d.message) >= DIAG_MESSAGE_BYTES - 3);
        assert_true(utf8_valid(d.message, strlen(d.message)));
        diag_hint(&d, "%.*s%s", shift, "x", name);
        assert_true(utf8_valid(d.hint, strlen(d.hint)));
    }
}

static void test_list_counts_all(void **state)
{
    (void)state;
    struct diag_list l = {0};
    for (unsigned i = 0; i < 25; i++) {
        struct diag d = {0};
        (void)diag_fail(&d, DIAG_SYNTAX, "error %u", i);
        diag_list_add(&l, &d, i % 5 == 4);
    }
    assert_int_equal(l.n_errors, 20);
    assert_int_equal(l.n_warnings, 5);
    assert_int_equal(l.n, LIMIT_DIAGS);
    assert_string_equal(l.d[9].message, "error 9");
    assert_true(l.is_warning[4]);
    assert_false(l.is_warning[5]);
}

/* The two samples of cli.md 5. */
static void test_render_samples(void **state)
{
    (void)state;
    static const char file[] =
        "policy \"Web\" {\n"
        "\n"
        "    rule \"Admin UI\"  permit in tcp from 10.1.1.0/24 to me port 70000\n"
        "}\n";
    struct diag d = {0};
    struct span at = place_of(file, "70000");
    assert_int_equal(at.line, 3);
    assert_int_equal(at.column, 64);
    (void)diag_fail_at(&d, DIAG_PORT_RANGE, at, "port '%s' is out of range", "70000");
    diag_hint(&d, "ports are 0 to 65535");
    expect_render(&d, "web.pw", file, false,
                  "web.pw:3:64: error: port '70000' is out of range\n"
                  "    rule \"Admin UI\"  permit in tcp from 10.1.1.0/24 to me port 70000\n"
                  "                                                               ^~~~~\n"
                  "hint: ports are 0 to 65535\n");

    static const char line[] = "block in tcp prot 445";
    (void)diag_fail_at(&d, DIAG_UNKNOWN_WORD, place_of(line, "prot"), "unknown word 'prot'");
    diag_hint(&d, "did you mean 'port'?");
    expect_render(&d, NULL, line, false,
                  "portward: unknown word 'prot'\n"
                  "    block in tcp prot 445\n"
                  "                 ^~~~\n"
                  "hint: did you mean 'port'?\n");
}

static void test_render_without_place(void **state)
{
    (void)state;
    struct diag d = {0};
    (void)diag_fail(&d, DIAG_AGENT, "agent not running");
    expect_render(&d, NULL, NULL, false, "portward: agent not running\n");
    expect_render(&d, "a\x1b.pw", NULL, false, "a\\x1b.pw: error: agent not running\n");
    expect_render(&d, NULL, "text", true, "warning: agent not running\n");
    expect_render(&d, "a.pw", "text", true, "a.pw: warning: agent not running\n");
}

static void test_render_tabs_and_wide(void **state)
{
    (void)state;
    struct diag d = {0};
    static const char tabs[] = "\t\tblock\tin\tbad x";
    (void)diag_fail_at(&d, DIAG_SYNTAX, place_of(tabs, "bad"), "m");
    expect_render(&d, NULL, tabs, false,
                  "portward: m\n"
                  "    block\tin\tbad x\n"
                  "         \t  \t^~~\n");
    static const char wide[] = "rule \"\xe6\x97\xa5\xe6\x9c\xac\" bad\xe6\x97\xa5 x";
    (void)diag_fail_at(&d, DIAG_SYNTAX, place_of(wide, "bad\xe6\x97\xa5"), "m");
    expect_render(&d, NULL, wide, false,
                  "portward: m\n"
                  "    rule \"\xe6\x97\xa5\xe6\x9c\xac\" bad\xe6\x97\xa5 x\n"
                  "                ^~~~~\n");
    static const char control[] = "a\x1b[2J\xff bad\x01!";
    (void)diag_fail_at(&d, DIAG_SYNTAX, place_of(control, "bad\x01"), "\x1b m");
    diag_hint(&d, "\x1b h");
    expect_render(&d, NULL, control, false,
                  "portward: \\x1b m\n"
                  "    a\\x1b[2J\\xff bad\\x01!\n"
                  "                 ^~~~~~~\n"
                  "hint: \\x1b h\n");
}

static void test_render_places(void **state)
{
    (void)state;
    static const char text[] = "first line\r\nsecond line\n  third\n";
    struct diag d = {0};
    (void)diag_fail_at(&d, DIAG_DUPLICATE, place_of(text, "third"), "exists twice");
    diag_add_span(&d, place_of(text, "line"));
    expect_render(&d, "f", text, false,
                  "f:3:3: error: exists twice\n"
                  "    third\n"
                  "    ^~~~~\n"
                  "f:1:7: note: the other place\n"
                  "    first line\n"
                  "          ^~~~\n");
    /* A place that runs over its line, one at the end of the text, one behind it. */
    struct span at = place_of(text, "second");
    at.len = 500;
    (void)diag_fail_at(&d, DIAG_SYNTAX, at, "m");
    expect_render(&d, NULL, text, false, "portward: m\n    second line\n    ^~~~~~~~~~~\n");
    (void)diag_fail_at(&d, DIAG_SYNTAX, (struct span){1, 4, 1, 3}, "m");
    expect_render(&d, NULL, "abc", false, "portward: m\n    abc\n       ^\n");
    (void)diag_fail_at(&d, DIAG_SYNTAX, (struct span){9, 9, 9, 999}, "m");
    expect_render(&d, NULL, "abc", false, "portward: m\n    abc\n       ^\n");
    (void)diag_fail_at(&d, DIAG_SYNTAX, (struct span){1, 1, 1, 0}, "m");
    expect_render(&d, NULL, "", false, "portward: m\n    \n    ^\n");
}

static void test_render_cuts_long_lines(void **state)
{
    (void)state;
    enum { SIZE = 10 * 1024 * 1024 };
    _cleanup_free_ char *text = malloc(SIZE + 1);
    assert_non_null(text);
    memset(text, 'a', SIZE);
    text[SIZE] = '\0';
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    static const uint32_t offsets[] = {0, 10, 5 * 1024 * 1024, SIZE - 20, SIZE - 1, SIZE};
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        struct diag d = {0};
        struct span at = {1, offsets[i] + 1, SIZE, offsets[i]};
        (void)diag_fail_at(&d, DIAG_SYNTAX, at, "m");
        _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(1000);
        assert_int_equal(diag_render(&d, "f", text, SIZE, false, &out), 0);
        const char *line = strchr(out.s, '\n') + 1, *below = strchr(line, '\n') + 1;
        const char *caret = strchr(below, '^');
        assert_non_null(caret);
        assert_true(offsets[i] < 100 || strncmp(line, "    ...aaa", 10) == 0);
        /* the caret has as many characters before it as the place in the shown line */
        assert_true(caret - below <= 4 + 3 + 80);
        if (offsets[i] == 10)
            assert_int_equal(caret - below, 14);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec <= 1); /* bounded work, not 60 MB of it */
}

static void test_render_cut_keeps_characters(void **state)
{
    (void)state;
    char text[3001];
    for (size_t i = 0; i < 3000; i += 3)
        memcpy(text + i, "\xe6\x97\xa5", 4);
    for (uint32_t at = 1200; at < 1230; at += 3) {
        struct diag d = {0};
        (void)diag_fail_at(&d, DIAG_SYNTAX, (struct span){1, at + 1, 3, at}, "m");
        _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(2000);
        assert_int_equal(diag_render(&d, "f", text, 3000, false, &out), 0);
        assert_null(strstr(out.s, "\\x"));
        const char *line = strchr(out.s, '\n') + 1, *below = strchr(line, '\n') + 1;
        size_t blanks = strspn(below, " ");
        assert_string_equal(below + blanks, "^~\n");
        assert_int_equal((blanks - 7) % 2, 0);
    }
}

static void test_render_reports_full_buffer(void **state)
{
    (void)state;
    struct diag d = {0};
    (void)diag_fail(&d, DIAG_SYNTAX, "message");
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(5);
    assert_int_equal(diag_render(&d, NULL, NULL, 0, false, &out), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_are_complete),
        cmocka_unit_test(test_fail_fills),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_long_messages_are_cut_between_characters),
        cmocka_unit_test(test_list_counts_all),
        cmocka_unit_test(test_render_samples),
        cmocka_unit_test(test_render_without_place),
        cmocka_unit_test(test_render_tabs_and_wide),
        cmocka_unit_test(test_render_places),
        cmocka_unit_test(test_render_cuts_long_lines),
        cmocka_unit_test(test_render_cut_keeps_characters),
        cmocka_unit_test(test_render_reports_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
