/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of src/text/logline.c: what a line says, and that no name makes a second one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/logline.h"

static struct log_entry tcp(void)
{
    struct log_entry e = {
        .dir = "in",
        .reason = "filter",
        .filter = "s11",
        .rule = "Block Inbound TCP 135",
        .iface = "eth0",
        .family = FAMILY_4,
        .src = {0, 0xc6336407},
        .dst = {0, 0xc000020a},
        .proto = 6,
        .has_ports = true,
        .sport = 40122,
        .dport = 135,
        .length = 60,
        .tcp_flags = 2,
        .head = {0x45, 0, 0, 60, [9] = 6, [24] = 0, 1, 0, 0, [34] = 0xfa, 0xf0},
        .n_head = 60,
    };
    return e;
}

static void expect_text(const struct log_entry *e, const char *want)
{
    struct strbuf b = STRBUF_INIT(65536);
    assert_int_equal(log_print_text(e, "02:41:12.103", &b), 0);
    assert_string_equal(b.s, want);
    strbuf_done(&b);
}

static void expect_pfirewall(const struct log_entry *e, const char *want)
{
    struct strbuf b = STRBUF_INIT(65536);
    assert_int_equal(log_print_pfirewall(e, "2026-11-22 02:41:12", &b), 0);
    assert_string_equal(b.s, want);
    strbuf_done(&b);
}

static void test_text(void **state)
{
    struct log_entry e = tcp();
    (void)state;
    expect_text(&e, "02:41:12.103  block  in  tcp 198.51.100.7:40122 > 192.0.2.10:135 eth0   s11 "
                    "\"Block Inbound TCP 135\"\n");
    e = (struct log_entry){
        .verdict = LOG_VERDICT_SUPPRESSED, .filter = "s11", .count = 412, .window_ms = 1000};
    expect_text(&e, "02:41:12.103  (412 more of s11 suppressed in 1 s)\n");
    e = (struct log_entry){
        .verdict = LOG_VERDICT_SUPPRESSED, .reason = "martian", .count = 1, .window_ms = 1000};
    expect_text(&e, "02:41:12.103  (1 more of martian suppressed in 1 s)\n");
    e = (struct log_entry){.dir = "in", .reason = "bad-header"};
    expect_text(&e, "02:41:12.103  block  in  packet that cannot be read                     - "
                    "(bad-header)\n");
}

/* Newline, escape sequence, quote, a name that looks like the end of one. */
static void test_names(void **state)
{
    static const char *const bad[] = {"x\n2026 block in", "\033[2J",   "a\" s1 \"b",
                                      "\x9b\x33\x31m",    "tab\there", "\r"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct strbuf b = STRBUF_INIT(65536);
        struct log_entry e = tcp();
        e.rule = e.iface = bad[i];
        e.filter = NULL;
        assert_int_equal(log_print_text(&e, "t", &b), 0);
        assert_ptr_equal(strchr(b.s, '\n'), b.s + b.len - 1);
        for (const char *c = b.s; c < b.s + b.len - 1; c++)
            assert_true((unsigned char)*c >= ' ' && (unsigned char)*c != 127);
        assert_null(strstr(b.s, " s1 \"b\""));
        strbuf_done(&b);
    }
}

static void test_pfirewall(void **state)
{
    struct log_entry e = tcp();
    (void)state;
    expect_pfirewall(&e, "2026-11-22 02:41:12 DROP TCP 198.51.100.7 192.0.2.10 40122 135 60 S "
                         "65536 0 64240 - - - RECEIVE\n");
    e.n_head = 30; /* the TCP header is not there as a whole */
    e.verdict = LOG_VERDICT_PERMIT;
    e.dir = "out";
    expect_pfirewall(&e, "2026-11-22 02:41:12 ALLOW TCP 198.51.100.7 192.0.2.10 40122 135 60 S "
                         "- - - - - - SEND\n");
    e.has_ports = false;
    e.has_icmp = true;
    e.proto = 1;
    e.icmp_type = 8;
    e.dir = "forwarded";
    expect_pfirewall(&e,
                     "2026-11-22 02:41:12 ALLOW ICMP 198.51.100.7 192.0.2.10 - - 60 - - - - 8 0 "
                     "- FORWARD\n");
    e = (struct log_entry){.verdict = LOG_VERDICT_SUPPRESSED, .count = 412};
    expect_pfirewall(&e, "2026-11-22 02:41:12 INFO-EVENTS-LOST - - - - - - - - - - - - 412 -\n");
    e = (struct log_entry){.dir = "in", .length = 14};
    expect_pfirewall(&e, "2026-11-22 02:41:12 DROP - - - - - 14 - - - - - - - RECEIVE\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_pfirewall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
