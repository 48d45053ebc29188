/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-compat-reg-tree.c: registry exports of both versions and encodings into a tree and back,
 * their errors with line and column, and a file of many values in short time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs the four above first */
#include <cmocka.h>

#include "../../src/compat/reg_tree.h"

#define HEAD "Windows Registry Editor Version 5.00\r\n\r\n"
static const char sample[] = HEAD "[HKLM\\Software\\A]\r\n"
                                  "; a comment\r\n"
                                  "@=\"default\"\r\n"
                                  "\"Q\\\"uote\"=\"C:\\\\x \\\"y\\\"\"\r\n"
                                  "\"n\"=dword:0000000a ; ten\r\n"
                                  "\"b\"=hex:01,02,\\\r\n  03\r\n"
                                  "\"m\"=hex(7):61,00,00,00,62,00,\\\r\n  e9,00,00,00,00,00\r\n"
                                  "\"e\"=hex(2):25,00,78,00,00,00\r\n"
                                  "\"q\"=hex(b):01,00,00,00,00,00,00,80\r\n"
                                  "\"o\"=hex(5):01\r\n"
                                  "\"gone\"=-\r\n"
                                  "[-HKEY_LOCAL_MACHINE\\Software\\B]\r\n"
                                  "[HKEY_LOCAL_MACHINE\\SOFTWARE\\a]\r\n"
                                  "\"N\"=dword:b\r\n";

static void check_sample(const struct reg_tree *t)
{
    assert_int_equal(t->n, 2);
    const struct reg_key *k = reg_find(t, "hkey_local_machine\\software\\A");
    assert_non_null(k);
    assert_string_equal(k->path, "HKEY_LOCAL_MACHINE\\Software\\A");
    assert_int_equal(k->n, 9);
    assert_string_equal(reg_value_find(k, "")->text, "default");
    assert_string_equal(reg_value_find(k, "q\"UOTE")->text, "C:\\x \"y\"");
    assert_int_equal(reg_value_find(k, "n")->number, 11);
    assert_int_equal(reg_value_find(k, "b")->n_bytes, 3);
    const struct reg_value *m = reg_value_find(k, "m");
    assert_int_equal(m->n_strings, 2);
    assert_string_equal(m->strings[1], "b\xc3\xa9");
    assert_string_equal(reg_value_find(k, "e")->text, "%x");
    assert_true(reg_value_find(k, "q")->number == 0x8000000000000001);
    assert_int_equal(reg_value_find(k, "o")->other_type, 5);
    assert_true(reg_value_find(k, "gone")->removed);
    assert_true(reg_find(t, "HKEY_LOCAL_MACHINE\\Software\\B")->removed);
}

static void both_ways(void **state)
{
    (void)state;
    struct reg_tree t = {0}, back = {0};
    struct strbuf text = STRBUF_INIT(1 << 20);
    struct diag d = {0};
    char *file;
    size_t n;
    assert_int_equal(reg_read(sample, strlen(sample), &d, &t), 0);
    check_sample(&t);
    (void)strbuf_add(&text, "Windows Registry Editor Version 5.00\n\n");
    assert_int_equal(reg_print(&t, &text), 0);
    assert_int_equal(reg_encode(text.s, text.len, &file, &n), 0);
    assert_memory_equal(file, "\xff\xfeW\0", 4);
    assert_int_equal(reg_read(file, n, &d, &back), 0);
    check_sample(&back);
    reg_tree_done(&back);
    /* without the mark */
    assert_int_equal(reg_read(file + 2, n - 2, &d, &back), 0);
    check_sample(&back);
    reg_tree_done(&back);
    for (size_t cut = 0; cut < n; cut++) {
        if (reg_read(file, cut, &d, &back) == 0)
            reg_tree_done(&back);
    }
    free(file);
    strbuf_done(&text);
    reg_tree_done(&t);
}

static void old_version(void **state)
{
    (void)state;
    static const char s[] = "REGEDIT4\n[HKEY_USERS\\x]\n\"m\"=hex(7):61,62,00,80,00,00\n"
                            "\"t\"=\"\xe4\"\n";
    struct reg_tree t = {0};
    struct diag d = {0};
    assert_int_equal(reg_read(s, strlen(s), &d, &t), 0);
    const struct reg_value *m = reg_value_find(&t.v[0], "m");
    assert_int_equal(m->n_strings, 2);
    assert_string_equal(m->strings[0], "ab");
    assert_string_equal(m->strings[1], "\xe2\x82\xac");
    assert_string_equal(reg_value_find(&t.v[0], "t")->text, "\xc3\xa4");
    reg_tree_done(&t);
}

static void errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
    } cases[] = {
        {"nonsense\n", 1, 1},
        {HEAD "\"a\"=dword:1\n", 3, 1},
        {HEAD "[HKLM\\a\n", 3, 8},
        {HEAD "[Sesame]\n", 3, 2},
        {HEAD "[HKLM\\a]\n\"a\"=dword:g\n", 4, 11},
        {HEAD "[HKLM\\a]\n\"a\"=hex:1,xx\n", 4, 11},
        {HEAD "[HKLM\\a]\n\"a\"=hex:01 02\n", 4, 12},
        {HEAD "[HKLM\\a]\n\"a\"=hex(4):01\n", 4, 11},
        {HEAD "[HKLM\\a]\n\"a\"=\"open\n\n", 4, 5},
        {HEAD "[HKLM\\a]\n\"a\"=word\n", 4, 5},
        {HEAD "[HKLM\\a]\n\"a\" 1\n", 4, 5},
        {HEAD "[HKLM\\a]\n\"a\"=- x\n", 4, 7},
        {HEAD "[HKLM\\a]\n\"\xff\"=-\n", 4, 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct reg_tree t = {0};
        struct diag d = {0};
        assert_true(reg_read(cases[i].text, strlen(cases[i].text), &d, &t) < 0);
        if (d.n_spans != 1 || d.span[0].line != cases[i].line ||
            d.span[0].column != cases[i].column)
            fail_msg("case %zu: %u:%u: %s", i, d.span[0].line, d.span[0].column, d.message);
    }
}

static void removal_below(void **state)
{
    (void)state;
    static const char s[] =
        HEAD "[HKLM\\a\\b]\n\"x\"=\"1\"\n[-HKLM\\A]\n[HKLM\\a\\b]\n\"y\"=\"2\"\n";
    struct reg_tree t = {0};
    struct diag d = {0};
    assert_int_equal(reg_read(s, strlen(s), &d, &t), 0);
    const struct reg_key *k = reg_find(&t, "HKEY_LOCAL_MACHINE\\a\\b");
    assert_null(reg_value_find(k, "x"));
    assert_non_null(reg_value_find(k, "y"));
    reg_tree_done(&t);
}

/* Windows allows 512 levels; every one is looked up when a file removes keys. */
static void deep(void **state)
{
    (void)state;
    for (unsigned levels = 512; levels <= 513; levels++) {
        struct strbuf text = STRBUF_INIT(64 * 1024);
        struct reg_tree t = {0};
        struct diag d = {0};
        (void)strbuf_add(&text, HEAD "[HKLM"); /* errors are sticky */
        for (unsigned i = 0; i < levels; i++)
            (void)strbuf_add(&text, "\\a");
        assert_int_equal(strbuf_add(&text, "]\n[-HKLM\\b]\n"), 0);
        assert_int_equal(reg_read(text.s, text.len, &d, &t) == 0, levels == 512);
        if (levels > 512)
            assert_string_equal(d.message, "the key is more than 512 levels deep");
        reg_tree_done(&t);
        strbuf_done(&text);
    }
}

static void many(void **state)
{
    (void)state;
    struct strbuf text = STRBUF_INIT(64 << 20);
    struct reg_tree t = {0};
    struct diag d = {0};
    (void)strbuf_add(&text, HEAD);
    for (unsigned i = 0; i < 100000; i++)
        (void)strbuf_addf(&text, "[HKLM\\k%u]\n", i);
    for (unsigned i = 0; i < 200000; i++)
        (void)strbuf_addf(&text, "\"v%u\"=dword:%x\n", i, i);
    assert_int_equal(text.error, 0);
    assert_int_equal(reg_read(text.s, text.len, &d, &t), 0);
    const struct reg_key *k = reg_find(&t, "HKEY_LOCAL_MACHINE\\K99999");
    assert_int_equal(k->n, 200000);
    assert_int_equal(reg_value_find(k, "V123456")->number, 123456);
    reg_tree_done(&t);
    strbuf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),     cmocka_unit_test(old_version), cmocka_unit_test(errors),
        cmocka_unit_test(removal_below), cmocka_unit_test(many),        cmocka_unit_test(deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
