/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/audit.c (the table of classes) and foreign.c (foreign rules in three values). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "exposure/audit.h"
#include "exposure/foreign.h"
#include "model/proto.h"

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        enum audit_listens l;
        enum audit_tri a;
        bool permit;
        enum audit_tri r;
        enum audit_foreign f;
        enum audit_class want;
    } cases[] = {
        {LISTENS_YES, TRI_YES, 0, TRI_YES, AF_NONE, AUDIT_OPEN},
        {LISTENS_YES, TRI_NO, 0, TRI_NO, AF_NONE, AUDIT_PROTECTED},
        {LISTENS_YES, TRI_NO, 0, TRI_YES, AF_NONE, AUDIT_BREACH},
        {LISTENS_YES, TRI_YES, 1, TRI_NO, AF_NONE, AUDIT_BLOCKED_ELSEWHERE},
        {LISTENS_YES, TRI_YES, 1, TRI_NO, AF_DROPS, AUDIT_BLOCKED_ELSEWHERE},
        {LISTENS_YES, TRI_YES, 1, TRI_NO, AF_UNKNOWN, AUDIT_BLOCKED_ELSEWHERE},
        {LISTENS_YES, TRI_YES, 1, TRI_NO, AF_PASSES, AUDIT_MODEL_GAP},
        {LISTENS_YES, TRI_YES, 1, TRI_YES, AF_DROPS, AUDIT_MODEL_GAP},
        {LISTENS_YES, TRI_YES, 1, TRI_UNKNOWN, AF_NONE, AUDIT_UNPROBED},
        {LISTENS_YES, TRI_YES, 1, TRI_UNKNOWN, AF_DROPS, AUDIT_BLOCKED_ELSEWHERE},
        {LISTENS_YES, TRI_NO, 0, TRI_UNKNOWN, AF_NONE, AUDIT_PROTECTED},
        {LISTENS_LOOPBACK, TRI_YES, 1, TRI_NO, AF_NONE, AUDIT_LOCAL},
        {LISTENS_LOOPBACK, TRI_YES, 0, TRI_UNKNOWN, AF_NONE, AUDIT_LOCAL},
        {LISTENS_LOOPBACK, TRI_YES, 0, TRI_YES, AF_NONE, AUDIT_REDIRECTED_ALLOWED},
        {LISTENS_RESERVED, TRI_YES, 0, TRI_NO, AF_NONE, AUDIT_RESERVED},
        {LISTENS_RESERVED, TRI_YES, 1, TRI_NO, AF_NONE, AUDIT_STALE_PERMIT},
        {LISTENS_NOT, TRI_YES, 1, TRI_NO, AF_NONE, AUDIT_STALE_PERMIT},
        {LISTENS_NOT, TRI_YES, 0, TRI_NO, AF_NONE, AUDIT_NOTHING},
        {LISTENS_NOT, TRI_NO, 0, TRI_YES, AF_REDIRECTS, AUDIT_REDIRECTED},
        {LISTENS_NOT, TRI_YES, 1, TRI_YES, AF_REDIRECTS, AUDIT_REDIRECTED_ALLOWED},
        {LISTENS_NOT, TRI_NO, 0, TRI_UNKNOWN, AF_NONE, AUDIT_NOTHING},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct audit_facts f = {.listens = cases[i].l,
                                .allowed = cases[i].a,
                                .permit = cases[i].permit,
                                .reached = cases[i].r,
                                .foreign = cases[i].f};

        if (audit_classify(&f) != cases[i].want)
            print_error("case %zu: %s\n", i, audit_class_name(audit_classify(&f)));
        assert_int_equal(audit_classify(&f), cases[i].want);
    }
    for (int c = 0; c < _AUDIT_CLASS_MAX; c++)
        assert_true(audit_class_name((enum audit_class)c) &&
                    audit_class_means((enum audit_class)c));
    assert_true(audit_severity(AUDIT_BREACH) < audit_severity(AUDIT_STALE_PERMIT));
    assert_false(audit_is_finding(AUDIT_OPEN) || audit_is_finding(AUDIT_PROTECTED));
}

/* --- foreign rules --- */
#define CHAIN(family, name, type, hook, prio, policy)                            \
    "{\"chain\":{\"family\":\"" family "\",\"table\":\"t\",\"name\":\"" name     \
    "\",\"handle\":1,\"type\":\"" type "\",\"hook\":\"" hook "\",\"prio\":" prio \
    ",\"policy\":\"" policy "\"}},"
#define RULE(family, chain, handle, expr)                                     \
    "{\"rule\":{\"family\":\"" family "\",\"table\":\"t\",\"chain\":\"" chain \
    "\",\"handle\":" handle ",\"expr\":[" expr "]}},"
#define INPUT CHAIN("inet", "in", "filter", "input", "0", "accept")
#define MATCH(left, op, right) \
    "{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define DPORT   "{\"payload\":{\"protocol\":\"tcp\",\"field\":\"dport\"}}"
#define SADDR   "{\"payload\":{\"protocol\":\"ip\",\"field\":\"saddr\"}}"
#define IIF     "{\"meta\":{\"key\":\"iifname\"}}"
#define STATE   "{\"ct\":{\"key\":\"state\"}}"
#define DROP    "{\"drop\":null}"
#define ACCEPT  "{\"accept\":null}"
#define LIMIT   "{\"limit\":{\"rate\":5,\"per\":\"second\"}}"
#define UNKNOWN "{\"xt\":{\"type\":\"match\",\"name\":\"string\"}}"

static struct foreign_answer judge(const char *rules, const char *src, uint16_t port)
{
    struct local_route own = {FAMILY_4, {0, 0xc0a80101}, 32, LOCAL_UNICAST};
    struct host h = {.local = &own, .n_local = 1};
    struct foreign_packet p = {.family = FAMILY_4,
                               .dst = own.prefix,
                               .proto = PROTO_TCP,
                               .sport = 49152,
                               .dport = port,
                               .iif = "eth0"};
    _cleanup_(foreign_freep) struct foreign *f = NULL;
    struct foreign_answer a;
    enum family family;
    struct diag d;
    char text[8192];

    (void)snprintf(text, sizeof(text), "{\"nftables\":[%s{\"metainfo\":{}}]}", rules);
    if (foreign_parse(text, strlen(text), &d, &f) < 0)
        fail_msg("%s: %s", d.message, text);
    assert_int_equal(ip_parse(src, strlen(src), &family, &p.src), 0);
    foreign_judge(f, &h, &p, &a);
    return a;
}

static void test_foreign(void **state)
{
    (void)state;
    static const struct {
        const char *what, *rules, *src;
        uint16_t port;
        enum foreign_verdict want;
        const char *rule;
    } cases[] = {
        {"no rules", "", "10.1.1.1", 80, FOREIGN_ACCEPT, ""},
        {"one port", INPUT RULE("inet", "in", "7", MATCH(DPORT, "==", "80") "," DROP), "10.1.1.1",
         80, FOREIGN_DROP, "inet t in handle 7"},
        {"another port", INPUT RULE("inet", "in", "7", MATCH(DPORT, "==", "80") "," DROP),
         "10.1.1.1", 81, FOREIGN_ACCEPT, ""},
        {"a set",
         INPUT RULE("inet", "in", "7",
                    MATCH(DPORT, "==", "{\"set\":[1,{\"range\":[80,90]}]}") "," DROP),
         "10.1.1.1", 85, FOREIGN_DROP, "inet t in handle 7"},
        {"not in a prefix",
         INPUT RULE("inet", "in", "7",
                    MATCH(SADDR, "!=", "{\"prefix\":{\"addr\":\"10.0.0.0\",\"len\":8}}") "," DROP),
         "192.0.2.1", 80, FOREIGN_DROP, "inet t in handle 7"},
        {"in a prefix",
         INPUT RULE("inet", "in", "7",
                    MATCH(SADDR, "!=", "{\"prefix\":{\"addr\":\"10.0.0.0\",\"len\":8}}") "," DROP),
         "10.1.1.1", 80, FOREIGN_ACCEPT, ""},
        {"established is not new",
         INPUT RULE("inet", "in", "6",
                    MATCH(STATE, "in", "[\"established\",\"related\"]") "," ACCEPT)
             RULE("inet", "in", "7", DROP),
         "10.1.1.1", 80, FOREIGN_DROP, "inet t in handle 7"},
        {"new is new",
         INPUT RULE("inet", "in", "6", MATCH(STATE, "in", "\"new\"") "," ACCEPT)
             RULE("inet", "in", "7", DROP),
         "10.1.1.1", 80, FOREIGN_ACCEPT, ""},
        {"policy", CHAIN("inet", "in", "filter", "input", "0", "drop"), "10.1.1.1", 80,
         FOREIGN_DROP, "inet t in policy drop"},
        {"another family", CHAIN("ip6", "in", "filter", "input", "0", "drop"), "10.1.1.1", 80,
         FOREIGN_ACCEPT, ""},
        {"interface", INPUT RULE("inet", "in", "7", MATCH(IIF, "==", "\"eth*\"") "," DROP),
         "10.1.1.1", 80, FOREIGN_DROP, "inet t in handle 7"},
        {"limit may drop", INPUT RULE("inet", "in", "7", LIMIT "," DROP), "10.1.1.1", 80,
         FOREIGN_UNKNOWN, "inet t in handle 7"},
        {"limit, and then certain",
         INPUT RULE("inet", "in", "6", LIMIT "," DROP) RULE("inet", "in", "7", DROP), "10.1.1.1",
         80, FOREIGN_DROP, "inet t in handle 7"},
        {"not understood",
         INPUT RULE("inet", "in", "7", UNKNOWN "," ACCEPT) RULE("inet", "in", "8", DROP),
         "10.1.1.1", 80, FOREIGN_UNKNOWN, "inet t in handle 7"},
        {"not understood without effect",
         INPUT RULE("inet", "in", "7", UNKNOWN ",{\"counter\":{}}"), "10.1.1.1", 80, FOREIGN_ACCEPT,
         ""},
        {"accept is final for its chain only",
         INPUT CHAIN("inet", "later", "filter", "input", "10", "drop")
             RULE("inet", "in", "7", ACCEPT),
         "10.1.1.1", 80, FOREIGN_DROP, "inet t later policy drop"},
        {"jump and return",
         INPUT RULE("inet", "in", "5", "{\"jump\":{\"target\":\"sub\"}}")
             RULE("inet", "in", "7", DROP)
                 RULE("inet", "sub", "6", MATCH(DPORT, "==", "80") ",{\"return\":null}")
                     RULE("inet", "sub", "8", ACCEPT),
         "10.1.1.1", 80, FOREIGN_DROP, "inet t in handle 7"},
        {"jump and accept",
         INPUT RULE("inet", "in", "5", "{\"jump\":{\"target\":\"sub\"}}")
             RULE("inet", "in", "7", DROP)
                 RULE("inet", "sub", "6", MATCH(DPORT, "==", "80") ",{\"return\":null}")
                     RULE("inet", "sub", "8", ACCEPT),
         "10.1.1.1", 81, FOREIGN_ACCEPT, ""},
        {"a chain that calls itself",
         INPUT RULE("inet", "in", "5", "{\"jump\":{\"target\":\"in\"}}"), "10.1.1.1", 80,
         FOREIGN_UNKNOWN, "inet t in handle 5"},
        {"verdict map",
         INPUT RULE("inet", "in", "5",
                    "{\"vmap\":{\"key\":" DPORT ",\"data\":{\"set\":[[80,{\"drop\":null}],"
                    "[22,{\"accept\":null}]]}}}"),
         "10.1.1.1", 80, FOREIGN_DROP, "inet t in handle 5"},
        {"named set",
         INPUT "{\"set\":{\"family\":\"inet\",\"name\":\"bad\",\"table\":\"t\",\"elem\":"
               "[{\"prefix\":{\"addr\":\"10.1.0.0\",\"len\":16}}]}}," RULE(
                   "inet", "in", "7", MATCH(SADDR, "==", "\"@bad\"") "," DROP),
         "10.1.1.1", 80, FOREIGN_DROP, "inet t in handle 7"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct foreign_answer a = judge(cases[i].rules, cases[i].src, cases[i].port);

        if (a.verdict != cases[i].want || strcmp(a.rule, cases[i].rule) != 0)
            fail_msg("%s: %s by '%s'", cases[i].what, foreign_verdict_name(a.verdict), a.rule);
    }
}

static void test_redirects(void **state)
{
    (void)state;
    static const char here[] = CHAIN("ip", "pre", "nat", "prerouting", "-100", "accept")
        RULE("ip", "pre", "3", MATCH(DPORT, "==", "7777") ",{\"redirect\":{\"port\":80}}")
            INPUT RULE("inet", "in", "7", MATCH(DPORT, "==", "80") "," DROP);
    static const char there[] = CHAIN("ip", "pre", "nat", "prerouting", "-100", "accept")
        RULE("ip", "pre", "3",
             MATCH(DPORT, "==", "7777") ",{\"dnat\":{\"addr\":\"172.17.0.2\",\"port\":80}}");
    struct foreign_answer a = judge(here, "10.1.1.1", 7777);

    assert_true(a.redirected && !a.elsewhere && a.to_port == 80);
    assert_int_equal(a.verdict, FOREIGN_DROP); /* by what the new port meets */
    assert_string_equal(a.redirect, "ip t pre handle 3");
    a = judge(here, "10.1.1.1", 7778);
    assert_true(!a.redirected && a.verdict == FOREIGN_ACCEPT);
    a = judge(there, "10.1.1.1", 7777);
    assert_true(a.redirected && a.elsewhere);
    assert_int_equal(a.verdict, FOREIGN_UNKNOWN); /* forwarding is not modelled */
}

static void test_documents(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "{}", "[]", "{\"nftables\":1}", "{\"nftables\":[",
                                      "null"};
    struct foreign *f = NULL;
    struct diag d;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(foreign_parse(bad[i], strlen(bad[i]), &d, &f) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
