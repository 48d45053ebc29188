/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/paste.c, batch.c, batch_decode.c: the damaged lines of the articles, corners of batch
 * files, encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../src/compat/reading.h"

static char *print_commands(const struct reading *r)
{
    struct strbuf b = STRBUF_INIT(1 << 20);
    for (size_t i = 0; i < r->commands.n; i++)
        assert_int_equal(paste_print(&r->commands.v[i], &b), 0);
    return strbuf_take(&b);
}

static size_t count(const struct reading *r, enum tool_note_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_remarks; i++)
        n += r->remarks[i].kind == kind;
    return n;
}

#define POL "portward compat ipsecpol "

/* The rows of the damaged copy of KB813878, and a few more: the line, what it is, repairs. */
static const struct {
    const char *line, *want;
    size_t repairs;
} pasted[] = {
    {"Netdiag/test: ipsec", "portward compat netdiag /test:ipsec\n", 1},
    {"Ipsecpol-w REG-p \"Block UDP 1434 Filter\"-r \"Block Inbound UDP 1434 Rule\"-f * = 0: 1434: "
     "UDP-n BLOCK-x",
     POL "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Inbound UDP 1434 Rule\" -f "
         "\"*=0:1434:UDP\" -n BLOCK -x\n",
     2},
    {"Ipsecpol-w REG-p \"Block TCP 80 Filter\"-r \"Block Inbound TCP 80 Rule\"-f * = 0: 80: TCP-n "
     "BLOCK-x",
     POL "-w REG -p \"Block TCP 80 Filter\" -r \"Block Inbound TCP 80 Rule\" -f \"*=0:80:TCP\" -n "
         "BLOCK -x\n",
     2},
    {"Ipsecpol-w REG-p \"Block UDP 1434 Filter\"-r \"Block Outbound UDP 1434 Rule\"-f * 0 =: 1434: "
     "UDP-n BLOCK",
     POL "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Outbound UDP 1434 Rule\" -f "
         "\"0=*:1434:UDP\" -n BLOCK\n",
     3},
    {"Ipsecpol-w REG-p \"Block UDP 1434 Filter\"-r \"Block Outbound UDP 1434 Rule\"-f 0 = *: 1434: "
     "UDP-n BLOCK",
     POL "-w REG -p \"Block UDP 1434 Filter\" -r \"Block Outbound UDP 1434 Rule\" -f "
         "\"0=*:1434:UDP\" -n BLOCK\n",
     2},
    {"Netdiag/test: ipsec/debug", "portward compat netdiag /test:ipsec /debug\n", 1},
    {"Ipsecpol-p \"Block UDP 1434 Filter\"-w REG-r \"Block Inbound TCP 80 Rule\"-f * = 0: 80: TCP-n "
     "BLOCK",
     POL "-p \"Block UDP 1434 Filter\" -w REG -r \"Block Inbound TCP 80 Rule\" -f \"*=0:80:TCP\" "
         "-n BLOCK\n",
     2},
    {"Ipsecpol-f [* = 0: 1434: UDP]", POL "-f \"[*=0:1434:UDP]\"\n", 2},
    {"ipsecpol -w REG -p \"Block TCP 80 Filter\" -r \"Block Inbound TCP 80 Rule\" -f *=0:80:TCP -n "
     "BLOCK",
     POL "-w REG -p \"Block TCP 80 Filter\" -r \"Block Inbound TCP 80 Rule\" -f \"*=0:80:TCP\" -n "
         "BLOCK\n",
     0},
    /* Several filters, and only blanks that belong to one are taken out. */
    {"ipseccmd -f [*=0:1434:UDP] ( 10.0.0.1 = 0 : 1434 : UDP ) DEFAULT",
     "portward compat ipseccmd -f \"[*=0:1434:UDP]\" \"(10.0.0.1=0:1434:UDP)\" DEFAULT\n", 1},
    /* A name is never altered. */
    {"ipseccmd -w REG -p \"A -x * = 0: \xe2\x80\x93y\" -x",
     "portward compat ipseccmd -w REG -p \"A -x * = 0: \xe2\x80\x93y\" -x\n", 0},
    {"ipseccmd -w REG -p Web-y -r R-o -f *=0:80:TCP-n BLOCK",
     "portward compat ipseccmd -w REG -p Web-y -r R-o -f \"*=0:80:TCP\" -n BLOCK\n", 1},
    {"ipseccmd -w REG -p \"\" -x", "portward compat ipseccmd -w REG -p \"\" -x\n", 0},
    {"ipseccmd -w REG -p \"P\" \xe2\x80\x93x", "portward compat ipseccmd -w REG -p P -x\n", 1},
    {"ipseccmd -w REG -p \"P\" ?x", "portward compat ipseccmd -w REG -p P -x\n", 1},
    {"ipseccmd -w REG -p \xe2\x80\x9cP Q\xe2\x80\x9d -x",
     "portward compat ipseccmd -w REG -p \"P Q\" -x\n", 1},
    {"IPSECCMD.EXE -u", "portward compat ipseccmd -u\n", 0},
    {"netsh ipsec static add filter filterlist=\"my list\" srcaddr=any dstaddr=me",
     "portward compat netsh ipsec static add filter \"filterlist=my list\" srcaddr=any "
     "dstaddr=me\n",
     0},
    {"net stop \"IPSEC Services\"", "portward compat net stop \"IPSEC Services\"\n", 0},
    {"   \t", "", 0},
};

static void test_paste(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pasted); i++) {
        struct reading r = {0};
        assert_int_equal(paste_read(pasted[i].line, strlen(pasted[i].line), &r), 0);
        char *got = print_commands(&r);
        assert_string_equal(got, pasted[i].want);
        if (count(&r, NOTE_REPAIR) != pasted[i].repairs)
            fail_msg("%s: %zu repairs", pasted[i].line, count(&r, NOTE_REPAIR));
        assert_false(r.partly);
        free(got);
        reading_done(&r);
    }
}

static void test_paste_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "ipseccmd -w REG -p \"P -x",
        "rm -rf /",
        "ipseccmdx -u",
        "netsh ipsec static add policy name=\"x",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct reading r = {0};
        assert_int_equal(paste_read(lines[i], strlen(lines[i]), &r), 0);
        assert_int_equal(r.commands.n, 0);
        assert_true(r.partly);
        assert_int_equal(count(&r, NOTE_WARNING), 1);
        reading_done(&r);
    }
}

#define CMD "portward compat ipseccmd "

/* File, commands it holds, lines that are not understood, lines of other programs. */
static const struct {
    const char *text, *want;
    size_t unknown, other;
} batches[] = {
    {"", "", 0, 0},
    {"@echo off\r\nrem x\r\nREM\r\n:: y\r\n:label\r\n\r\necho hello & echo.\r\n", "", 0, 0},
    {"ipseccmd -u", CMD "-u\n", 0, 0},
    {"@ipseccmd -u\r\n  IPSECPOL.EXE -u\r\n", CMD "-u\n" POL "-u\n", 0, 0},
    {"ipseccmd -w REG ^\r\n -p \"A B\" -x\r\n", CMD "-w REG -p \"A B\" -x\n", 0, 0},
    {"ipseccmd -w R^\nEG -p A -x", CMD "-w REG -p A -x\n", 0, 0},
    {"ipseccmd -u > nul 2>&1\nipseccmd -u 2>NUL\nipseccmd -u >nul&ipseccmd -u",
     CMD "-u\n" CMD "-u\n" CMD "-u\n" CMD "-u\n", 0, 0},
    {"ipseccmd -u && ipsecpol -u & netdiag /test:ipsec",
     CMD "-u\n" POL "-u\nportward compat netdiag /test:ipsec\n", 0, 0},
    {"ipseccmd -u || ipseccmd -x", "", 1, 0},
    {"ipseccmd -u > out.txt\nipseccmd -u | more\nipseccmd -u < in", "", 3, 0},
    {"if exist x ipseccmd -u\nfor %%i in (1 2) do ipseccmd -u\ngoto end\ncall x\n(ipseccmd -u)", "",
     5, 0},
    {"%TOOL% -u\nset TOOL=ipseccmd.exe\n%tool% -u\nset \"P=A B\"\nipseccmd -w REG -p \"%P%\" -x",
     CMD "-u\n" CMD "-w REG -p \"A B\" -x\n", 1, 0},
    {"ipseccmd -w REG -p 100%% -x\nipseccmd -p %1\nipseccmd -p 50%", CMD "-w REG -p 100% -x\n", 2,
     0},
    {"ping -n 3 localhost > nul\nipseccmd -u\nregedit /s a.reg & del /q x", CMD "-u\n", 0, 3},
    {"reg.exe query HKLM\\SYSTEM", "portward compat reg query 'HKLM\\SYSTEM'\n", 0, 0},
    {"ipseccmd -w REG -p \"A & B > C ^ %\" -x", "", 1, 0},
    {"ipseccmd -w REG -p \"A & B > C ^\" -x", CMD "-w REG -p \"A & B > C ^\" -x\n", 0, 0},
    {"ipseccmd -w REG -p A^&B -x", CMD "-w REG -p \"A&B\" -x\n", 0, 0},
    {"ipseccmd -p \"open", "", 1, 0},
    {"ipseccmd -p \"a \\\"b\\\"\" -x", CMD "-p 'a \"b\"' -x\n", 0, 0},
    {"netsh ipsec static add policy name=\"A B\"",
     "portward compat netsh ipsec static add policy \"name=A B\"\n", 0, 0},
    {"ipseccmd -u\nexit /b 0\nipseccmd -x", CMD "-u\n", 0, 0},
    /* what depends on a part that is not understood is not run, nor what stands beside it */
    {"if exist x (\n  ipseccmd -u\n  rem (\n) else (\n  ipseccmd -f (0=*)\n)\nnetdiag /test:ipsec",
     "portward compat netdiag /test:ipsec\n", 4, 0},
    {"for %%i in (1 2) do (\nif 1==1 (\nipseccmd -u\n)\nipseccmd -u\n)\nipseccmd -x", CMD "-x\n", 4,
     0},
    {"if \"%1\"==\"\" (\nipseccmd -u\nexit\n)\nipseccmd -x", CMD "-x\n", 3, 0},
    {"(\nipseccmd -u\n)\nipseccmd -x", CMD "-x\n", 2, 0},
    {"if exist x ipseccmd -u & ipseccmd -x", "", 1, 0},
    {"ipseccmd -u & ipseccmd -x || ipseccmd -u", "", 1, 0},
    {"echo a & if exist x (\nipseccmd -u\n)\nipseccmd -x", CMD "-x\n", 2, 0},
    {"find \"a\" b && ipseccmd -u\nfind b & ipseccmd -u\nfind b && echo x && ipseccmd -u",
     CMD "-u\n", 2, 3},
    {"cd \\ && ipseccmd -u", CMD "-u\n", 0, 0},
    {"set P=A & ipseccmd -u\nset P=A^&B\nset \"P=A&B\"\nipseccmd -p \"%P%\" -x",
     CMD "-p \"A&B\" -x\n", 2, 0},
    {"set P=A\nif exist x set p=B\nipseccmd -p %P% -x", "", 2, 0},
    {"set P=A\nset /p P=name\nipseccmd -p %P% -x", "", 2, 0},
    {"set P=A\necho x & set P=B\nipseccmd -p %P% -x", "", 2, 0},
    {"set P=A\nset Q=B\nif 1==1 (\nset P=C\n)\nipseccmd -p %Q% -x\nipseccmd -p %P% -x",
     CMD "-p B -x\n", 3, 0},
};

static void test_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(batches); i++) {
        struct reading r = {0};
        assert_int_equal(batch_read("x.cmd", batches[i].text, strlen(batches[i].text), &r), 0);
        char *got = print_commands(&r);
        if (strcmp(got, batches[i].want) != 0 || count(&r, NOTE_WARNING) != batches[i].unknown)
            for (size_t k = 0; k < r.n_remarks; k++)
                print_message("%s\n", r.remarks[k].text);
        assert_string_equal(got, batches[i].want);
        assert_int_equal(count(&r, NOTE_WARNING), batches[i].unknown);
        assert_true(count(&r, NOTE) <= batches[i].other);
        assert_int_equal(r.partly, batches[i].unknown + batches[i].other > 0);
        free(got);
        reading_done(&r);
    }
}

static void test_batch_lines(void **state)
{
    (void)state;
    static const char text[] = "rem\nipseccmd ^\n ^\n -u\nif\nipseccmd -x\n";
    struct reading r = {0};
    assert_int_equal(batch_read("x.cmd", text, strlen(text), &r), 0);
    assert_int_equal(r.commands.n, 2);
    assert_int_equal(r.commands.v[0].line, 2);
    assert_int_equal(r.commands.v[1].line, 6);
    assert_string_equal(r.remarks[0].text, "x.cmd:5: not understood: 'if'");
    reading_done(&r);
}

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *encoding, *want; /* NULL = refused */
    } cases[] = {
        {"abc", 3, NULL, "abc"},
        {"\xef\xbb\xbf"
         "abc",
         6, NULL, "abc"},
        {"\xff\xfe"
         "a\0b\0",
         6, NULL, "ab"},
        {"\xfe\xff\0a\0b", 6, NULL, "ab"},
        {"\xff\xfe"
         "a\0b\0",
         6, "cp932", "ab"}, /* the mark wins */
        {"\x83\x8b\x81\x5b\x83\x8b", 6, "cp932", "\xe3\x83\xab\xe3\x83\xbc\xe3\x83\xab"},
        {"\xe9", 1, "cp1252", "\xc3\xa9"},
        {"\xe9", 1, NULL, NULL},
        {"\xff\xfe"
         "a",
         3, NULL, NULL}, /* half a character */
        {"a\0b", 3, NULL, NULL},
        {"a", 1, "no such encoding", NULL},
        {"", 0, NULL, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = NULL;
        size_t len = 0;
        struct diag d = {0};
        int err = batch_decode(cases[i].bytes, cases[i].len, cases[i].encoding, &d, &text, &len);
        if (!cases[i].want) {
            assert_true(err < 0);
            assert_true(d.message[0] != '\0');
            assert_null(text);
            continue;
        }
        assert_int_equal(err, 0);
        assert_string_equal(text, cases[i].want);
        assert_int_equal(len, strlen(text));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paste),  cmocka_unit_test(test_paste_refused),
        cmocka_unit_test(test_batch),  cmocka_unit_test(test_batch_lines),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
