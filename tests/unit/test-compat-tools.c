/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/tools.c, tool.c, remark.c: names of tools, remarks, places; and the misprints of
 * windows.md 1.4 through the tools themselves: each one repaired with exactly one note, and refused
 * under --strict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../src/compat/misprint.h"
#include "compat/tool.h"

static const uint64_t seed[2] = {1, 2};

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *word, *name;
    } cases[] = {
        {"ipsecpol", "ipsecpol"},
        {"IPSeccmd.exe", "ipseccmd"},
        {"Ipsecpol", "ipsecpol"},
        {"NETDIAG.EXE", "netdiag"},
        {"/usr/libexec/portward/compat/netsh", "netsh"},
        {"./Net.exe", "net"},
        {"C:\\WINNT\\system32\\netsh.exe", "netsh"},
        {"secedit", "secedit"},
        {"gpupdate", "gpupdate"},
        {"portward", NULL},
        {"ipsecpol.exe.exe", NULL},
        {"ipsecpo", NULL},
        {"NetStat.exe", "netstat"},
        {"nbtstat", NULL},
        {".exe", NULL},
        {"", NULL},
        {"/", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct tool_entry *t = tool_find(cases[i].word);
        if (!cases[i].name)
            assert_null(t);
        else
            assert_string_equal(t ? t->name : "(none)", cases[i].name);
    }
    assert_int_equal(tool_find("ipsecpol")->persona, PERSONA_2000);
    assert_int_equal(tool_find("ipseccmd")->persona, PERSONA_2003);
    assert_true(tool_find("net")->shadows);
    assert_false(tool_find("netsh")->shadows);
    for (size_t i = 0; i < tool_n_entries; i++) {
        assert_non_null(tool_entries[i].run);
        assert_true(strlen(tool_entries[i].help) > 100);
    }
}

static void test_remarks(void **state)
{
    (void)state;
    struct catalog c;
    struct tool_run t;
    struct diag d = {0};
    catalog_init(&c, NULL, seed);
    tool_run_init(&t, &c, NULL);
    assert_int_equal(tool_remark(&t, NOTE_REPAIR, &d, "read '%s'", "x"), 0);
    assert_int_equal(tool_remark(&t, NOTE_REPAIR, &d, "read '%s'", "x"), 0);
    assert_int_equal(t.n_remarks, 1); /* said once */
    assert_int_equal(tool_remark(&t, NOTE, &d, "%s", "y"), 0);
    t.strict = true;
    assert_int_equal(tool_remark(&t, NOTE_REPAIR, &d, "read '%s'", "z"), -EINVAL);
    assert_int_equal(d.code, DIAG_USAGE);
    assert_int_equal(tool_remark(&t, NOTE, &d, "%s", "still"), 0);
    assert_int_equal(tool_fail_at(&t, &d, "*=0:99999", 4, 5, DIAG_PORT_RANGE, "port %d", 99999),
                     -EINVAL);
    assert_string_equal(t.word, "*=0:99999");
    assert_int_equal(d.span[0].column, 5);
    assert_int_equal(d.span[0].len, 5);
    assert_string_equal(d.message, "port 99999");
    tool_run_done(&t);
    catalog_done(&c);
}

#define STATIC "-w", "REG", "-p", "P", "-r", "R", "-f", "*=0:1:UDP", "-n", "BLOCK"

static const struct misprint {
    const char *tool;
    const char *argv[14];
} misprints[] = {
    {"ipseccmd", {STATIC, "\xe2\x80\x90x"}}, /* U+2010 */
    {"ipseccmd", {STATIC, "\xe2\x80\x91x"}}, /* U+2011 */
    {"ipsecpol", {STATIC, "\xe2\x80\x92x"}}, /* U+2012 */
    {"ipsecpol", {STATIC, "\xe2\x80\x93x"}}, /* U+2013: KB908472 */
    {"ipseccmd", {STATIC, "\xe2\x80\x94x"}}, /* U+2014 */
    {"ipseccmd", {STATIC, "\xe2\x80\x95x"}}, /* U+2015 */
    {"ipseccmd", {STATIC, "\xe2\x88\x92x"}}, /* U+2212 */
    {"ipseccmd", {STATIC, "?x"}},            /* KB813878 */
    {"ipsecpol", {"-f", "[*0=:1434:UDP]"}},  /* the template of KB813878 */
    {"ipsecpol",
     {"\xe2\x80\x93"
      "f",
      "[*=0:1434:UDP]"}},
    {"ipsecpol", {"\\localhost", "-f", "[*=0:1434:UDP]"}}, /* a shell ate one */
};

static int run(const struct misprint *m, bool strict, size_t *ret_repairs, size_t *ret_changes)
{
    const struct tool_entry *tool = tool_find(m->tool);
    struct catalog c;
    struct tool_run t;
    struct diag d = {0};
    char *argv[15];
    int argc = 0;
    for (; argc < 14 && m->argv[argc]; argc++)
        argv[argc] = strdup(m->argv[argc]);
    catalog_init(&c, NULL, seed);
    tool_run_init(&t, &c, NULL);
    t.tool = tool;
    t.strict = strict;
    int err = tool->run(&t, argc, argv, &d);
    for (size_t i = 0; i < t.n_remarks; i++)
        *ret_repairs += t.remarks[i].kind == NOTE_REPAIR;
    *ret_changes = c.n_policies + c.n_dynamic;
    if (err < 0)
        print_message("%s: %s\n", m->argv[argc - 1], d.message);
    tool_run_done(&t);
    catalog_done(&c);
    while (argc > 0)
        free(argv[--argc]);
    return err;
}

static void test_misprints(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(misprints); i++) {
        size_t repairs = 0, changes = 0;
        assert_int_equal(run(&misprints[i], false, &repairs, &changes), 0);
        assert_int_equal(repairs, 1);
        assert_int_equal(changes, 1);
        repairs = 0;
        assert_true(run(&misprints[i], true, &repairs, &changes) < 0);
        assert_int_equal(repairs, 0);
    }
}

static void test_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *word, *want;
    } cases[] = {
        {"\xe2\x80\x9cP Q\xe2\x80\x9d", "P Q"},
        {"\xe2\x80\x98P\xe2\x80\x99", "P"},
        {"\xe2\x80\x9eP\xe2\x80\x9c", "P"},
        {"\xe2\x80\x9c\xe2\x80\x9d", ""},
        {"\xe2\x80\x9cP", NULL},
        {"P\xe2\x80\x9d", NULL},
        {"\xe2\x80\x9c", NULL},
        {"\"P\"", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        const char *word = cases[i / 2].word, *want = cases[i / 2].want;
        struct catalog c;
        struct tool_run t;
        struct diag d = {0};
        char *got;
        catalog_init(&c, NULL, seed);
        tool_run_init(&t, &c, NULL);
        t.strict = i % 2 == 1;
        assert_int_equal(misprint_quotes(&t, word, &d, &got), want && t.strict ? -EINVAL : 0);
        assert_int_equal(t.n_remarks, want && !t.strict ? 1 : 0);
        assert_true(!got == (!want || t.strict));
        if (got)
            assert_string_equal(got, want);
        free(got);
        tool_run_done(&t);
        catalog_done(&c);
    }
}

/* What is not repaired in words: diagnosed, and nothing is changed. */
static void test_not_repaired(void **state)
{
    (void)state;
    static const struct misprint cases[] = {
        {"ipsecpol", {"-w", "REG", "-p", "P", "-r", "R", "-f", "*", "=", "0:", "1:", "UDP"}},
        {"ipsecpol", {"-w", "REG", "-p", "P", "-r", "R", "-f", "*=0:1:UDP", "-n", "BLOCK-x"}},
        {"ipsecpol", {"-w", "REG", "-p", "P-r", "R", "-f", "*=0:1:UDP", "-n", "BLOCK"}},
        {"ipsecpol", {"-w", "REG", "-p", "P", "-", "x"}},
        {"ipsecpol",
         {"-w", "REG", "-p", "P", "-r", "R", "-f", "%SUBNET%/%MASK%=0:1:UDP", "-n", "PASS"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t repairs = 0, changes = 0;
        assert_true(run(&cases[i], false, &repairs, &changes) < 0);
        assert_int_equal(repairs, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_remarks),
        cmocka_unit_test(test_misprints),    cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_not_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
