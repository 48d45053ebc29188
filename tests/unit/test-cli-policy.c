/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs about the history and the effect of policies, with the samples of cli.md: save, check,
 * diff, history, rollback, and every change with --dry-run. */
#include <errno.h>
#include <fcntl.h>

#include "base/strbuf.h"
#include "cli_stand_in.h"

#define BLOCK_445                                                                             \
    "{\"id\":\"d17\",\"action\":\"block\",\"text\":\"block in tcp from any to me port 445\"," \
    "\"expires_in_s\":7435,\"rule\":null}"
#define STILL_LAN                                                                      \
    "{\"id\":\"s14\",\"rule\":\"Allow SMB from LAN\",\"text\":\"permit ...\",\"set\":" \
    "\"tcp from 10.1.1.0/24 to me port 445\"}"
#define FAILSAFE \
    "{\"id\":\"-\",\"rule\":\"failsafe\",\"set\":\"tcp from 10.1.0.0/16 to me port 22\"}"
#define PREVIEW(changes, connections)                                                  \
    "\"preview\":{\"equal\":false,\"complete\":true,\"arms\":false,\"disarms\":false," \
    "\"connections\":" connections ",\"changes\":[" changes "]}"
#define NEWLY_BLOCKED                                                                 \
    "{\"verdict\":\"block\",\"set\":\"tcp from any but 10.1.1.0/24 to me port 445\"," \
    "\"example\":\"x\",\"id\":\"d17\",\"rule\":null}"

/* --- --dry-run --- */
static void test_try_block(void **state)
{
    (void)state;
    with("block|in|tcp|port|445|for|2h|--dry-run",
         OK(42,
            "{\"filter\":" BLOCK_445 ",\"change\":\"added\",\"exceptions\":[" STILL_LAN
            "],\"elapsed_ms\":1,\"interfaces\":3," PREVIEW(NEWLY_BLOCKED, "3") "}",
            ""));
    expect(0, "POST /v1/filters {\"dry_run\":true,\"text\":\"block in tcp port 445 for 2h\"}\n",
           "would add      block in tcp from any to me port 445\n"
           "newly blocked  tcp from any but 10.1.1.0/24 to me port 445\n"
           "still allowed  tcp from 10.1.1.0/24 to me port 445: s14 \"Allow SMB from LAN\" is more "
           "specific\n"
           "connections    3 established would stall at once; their sockets stay\n"
           "nothing changed\n",
           "");
}

static void test_try_others(void **state)
{
    static const char change[] =
        "{\"verdict\":\"permit\",\"set\":\"tcp from 10.0.0.0/8 to me port 22"
        "\\nudp from any to me port 7\",\"rule\":\"Block SSH\"}";
    static const struct {
        const char *line, *data, *first;
    } cases[] = {
        {"delete|d17", "\"deleted\":[" BLOCK_445 "]",
         "would delete   d17  block in tcp from any to me port 445\n"},
        {"flush", "\"deleted\":2,\"policy\":\"P\"",
         "would delete   2 dynamic filters; local policy \"P\" stays assigned\n"},
        {"policy|assign|P", "\"name\":\"P\",\"before\":null",
         "would assign   \"P\" as the local policy, before: none\n"},
        {"policy|unassign", "\"name\":\"P\"", "would unassign \"P\"\n"},
        {"policy|delete|P", "\"name\":\"P\",\"rules\":1,\"revision\":4",
         "would delete   \"P\" (1 rule)\n"},
        {"policy|rollback|P@6",
         "\"name\":\"P\",\"restored\":6,\"revision\":8,\"assigned\":true,\"change\":\"replaced\"",
         "would restore  revision 6 of \"P\" as revision 8, assigned\n"},
        {"rule|add|P|R|block|in|udp",
         "\"policy\":\"P\",\"ids\":[\"s19\"],\"revision\":9,\"assigned\":true,"
         "\"change\":\"added\"",
         "would add      s19 to \"P\" revision 9, assigned\n"},
        {"rule|delete|P|R",
         "\"policy\":\"P\",\"ids\":[\"s19\"],\"revision\":9,\"assigned\":false,"
         "\"change\":\"deleted\"",
         "would delete   s19 from \"P\" revision 9, not assigned\n"},
        {"counters|--reset", "\"reset\":3", "would reset    3 counters\n"},
    };
    static const char rest[] =
        "newly permitted  tcp from 10.0.0.0/8 to me port 22  (then matches \"Block SSH\")\n"
        "newly permitted  udp from any to me port 7  (then matches \"Block SSH\")\n"
        "nothing changed\n";

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT(8192), line = STRBUF_INIT(256);

        assert_int_equal(strbuf_addf(&answer,
                                     "{\"schema\":\"portward.x/1\",\"ok\":true,\"generation\":42,"
                                     "\"data\":{%s,\"preview\":{\"equal\":false,\"complete\":true,"
                                     "\"connections\":0,\"changes\":[%s]}},\"warnings\":[]}",
                                     cases[i].data, change),
                         0);
        assert_int_equal(strbuf_addf(&line, "%s|-n", cases[i].line), 0);
        with(line.s, answer.s);
        if (run.code != 0 || !strstr(asked, "\"dry_run\":true") ||
            strncmp(run.out, cases[i].first, strlen(cases[i].first)) != 0)
            fail_msg("%s: exit %d, asked %s, out %s%s", cases[i].line, run.code, asked, run.out,
                     run.err);
        assert_string_equal(run.out + strlen(cases[i].first), rest);
    }
}

static void test_preview_not_complete(void **state)
{
    (void)state;
    with("flush|-n", OK(42,
                        "{\"deleted\":1,\"policy\":null,\"preview\":{\"equal\":false,\"complete\":"
                        "false,\"arms\":false,\"disarms\":true,\"connections\":null,"
                        "\"changes\":[]}}",
                        ""));
    assert_int_equal(run.code, 0);
    assert_string_equal(run.out, "would delete   1 dynamic filter; no local policy is assigned\n"
                                 "not enumerated completely: these are examples\n"
                                 "last block: malformed and source-routed packets pass again\n"
                                 "connections    not known: the kernel does not list its sockets\n"
                                 "nothing changed\n");
}

static void test_strict(void **state)
{
    static const char *const exceptions[] = {"", FAILSAFE, FAILSAFE "," STILL_LAN};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
        _cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT(8192);

        assert_int_equal(
            strbuf_addf(&answer,
                        "{\"schema\":\"portward.block/1\",\"ok\":true,\"generation\":43,\"data\":"
                        "{\"filter\":%s,\"change\":\"added\",\"exceptions\":[%s],\"elapsed_ms\":1,"
                        "\"interfaces\":1},\"warnings\":[]}",
                        BLOCK_445, exceptions[i]),
            0);
        with("block|in|tcp|port|445|--strict", answer.s);
        assert_int_equal(run.code, i == 2 ? 6 : 0);
        with("block|in|tcp|port|445|--strict|--json", answer.s);
        assert_int_equal(run.code, i == 2 ? 6 : 0);
        with("block|in|tcp|port|445", answer.s);
        assert_int_equal(run.code, 0);
        assert_int_equal(!strstr(run.out, "port 22: failsafe\n"), i == 0);
    }
}

/* --- what every change takes along --- */
static void test_change_body(void **state)
{
    static const char nothing[] = OK(42, "{\"deleted\":0,\"policy\":null}", "");
    static const struct {
        const char *ssh, *line, *body;
    } cases[] = {
        {NULL, "flush|--if-generation|42", "{\"if_generation\":42}"},
        {"10.1.4.7 50122 192.0.2.10 22", "flush", "{\"peer\":\"10.1.4.7\"}"},
        {"fe80::7%eth0 50122 fe80::1%eth0 22", "flush", "{\"peer\":\"fe80::7\"}"},
        {"somewhere 1 2 3", "flush", "{}"},
        {"", "flush", "{}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char request[128];

        env.ssh = cases[i].ssh;
        with(cases[i].line, nothing);
        env.ssh = NULL;
        (void)snprintf(request, sizeof(request), "POST /v1/flush %s\n", cases[i].body);
        assert_string_equal(asked, request);
        assert_int_equal(run.code, 0);
    }
}

static void test_stale(void **state)
{
    (void)state;
    with("flush|--if-generation|42",
         FAILURE(5, "{\"code\":\"conflict\",\"message\":\"generation 45 is in force, not 42\","
                    "\"hint\":\"portward list\",\"spans\":[]}"));
    assert_int_equal(run.code, 5);
    assert_string_equal(run.err, "portward: generation 45 is in force, not 42\n"
                                 "hint: portward list\n");
}

/* --- history, rollback --- */
static void test_history(void **state)
{
    static const char both[] =
        OK(47,
           "{\"policy\":\"Block RPC Ports\",\"entries\":["
           "{\"revision\":7,\"object\":null,\"time\":\"2025-11-22T02:41:00Z\",\"uid\":1000,"
           "\"login\":\"alice\",\"origin\":\"cli\",\"peer\":\"10.1.4.7\",\"change\":"
           "\"add rule \\\"Block Inbound TCP 135\\\"\",\"generation\":42,\"reason\":\"RPC worm\"},"
           "{\"revision\":6,\"object\":\"X\",\"time\":\"2025-11-22T02:40:00Z\",\"uid\":0,"
           "\"login\":\"root\",\"origin\":\"dialect\",\"peer\":null,\"change\":"
           "\"create, add rule \\\"DNS\\\"\",\"generation\":null,\"reason\":null}]}",
           "");

    (void)state;
    with("policy|history|Block RPC Ports|-n|2|--utc", both);
    expect(
        0, "GET /v1/history?policy=Block%20RPC%20Ports&limit=2\n",
        "REV  WHEN          WHO                                  CHANGE                            "
        "GENERATION  REASON\n"
        "  7  22 Nov 02:41  alice (uid 1000, ssh from 10.1.4.7)  add rule \"Block Inbound TCP "
        "135\"          42  RPC worm\n"
        "  6  22 Nov 02:40  root (uid 0, dialect)                create, add rule \"DNS\"          "
        "           -  -\n",
        "");
    with("policy|history|--utc", both);
    assert_string_equal(asked, "GET /v1/history\n");
    assert_non_null(strstr(run.out, "OBJECT"));
    assert_non_null(strstr(run.out, "  X       create"));
}

static void test_rollback(void **state)
{
    (void)state;
    with("policy|rollback|Block RPC Ports@6",
         OK(47,
            "{\"name\":\"Block RPC Ports\",\"restored\":6,\"revision\":8,\"rules\":3,"
            "\"assigned\":true,\"change\":\"replaced\"}",
            ""));
    expect(0, "POST /v1/policies/Block%20RPC%20Ports/rollback {\"revision\":6}\n",
           "restored revision 6 of \"Block RPC Ports\" as revision 8; generation 47\n", "");
    /* What is no number behind the '@' belongs to the name. */
    with("policy|rollback|a@b@x",
         OK(47,
            "{\"name\":\"a@b@x\",\"restored\":1,\"revision\":1,\"rules\":3,"
            "\"assigned\":false,\"change\":\"none\"}",
            ""));
    expect(0, "POST /v1/policies/a%40b%40x/rollback {}\n",
           "no change: revision 1 of \"a@b@x\" says the same as revision 1, not assigned\n", "");
}

/* --- files --- */
#define WEB_TEXT "policy \"Web server\" {\n    rule \"a\"  block in udp from any to me port 9\n}\n"
#define WEB_JSON                                                                                 \
    "{\"name\":\"Web server\",\"revision\":8,\"text\":\"policy \\\"Web server\\\" {\\n    rule " \
    "\\\"a\\\"  block in udp from any to me port 9\\n}\\n\"}"

static const char *in_dir(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void expect_file(const char *name, const char *text)
{
    char have[4096];
    FILE *f = fopen(in_dir(name), "re");
    size_t n;

    assert_non_null(f);
    n = fread(have, 1, sizeof(have) - 1, f);
    have[n] = '\0';
    assert_int_equal(fclose(f), 0);
    assert_string_equal(have, text);
}

static void test_save(void **state)
{
    char line[256], said[256];

    (void)state;
    write_text("web.pw", "old");
    (void)snprintf(line, sizeof(line), "policy|save|Web server|%s/web.pw", dir);
    (void)snprintf(said, sizeof(said), "saved \"Web server\" revision 8 to %s/web.pw (1 rule)\n",
                   dir);
    with(line, OK(42, WEB_JSON, ""));
    expect(0, "GET /v1/policies/Web%20server\n", said, "");
    expect_file("web.pw", WEB_TEXT);
    with("policy|save|Web server|-", OK(42, WEB_JSON, ""));
    expect(0, "GET /v1/policies/Web%20server\n", WEB_TEXT,
           "saved \"Web server\" revision 8 to stdout (1 rule)\n");
    run_cli(&env, "policy|save|Web server|-|--json");
    assert_int_equal(run.code, 2);
    (void)snprintf(line, sizeof(line), "policy|save|Web server|%s/web.pw|--json", dir);
    with(line, OK(42, WEB_JSON, ""));
    assert_non_null(strstr(run.out, "\"schema\":\"portward.policy-save/1\""));
    assert_non_null(strstr(run.out, "\"rules\":1"));
    assert_int_equal(run.code, 0);
}

static void test_save_refused(void **state)
{
    char line[256];

    (void)state;
    write_text("web.pw", "old");
    (void)snprintf(line, sizeof(line), "policy|save|W|%s/web.pw|--if-generation|41", dir);
    with(line, OK(42, WEB_JSON, ""));
    assert_int_equal(run.code, 5);
    (void)snprintf(line, sizeof(line), "policy|save|W|%s/web.pw", dir);
    with(line, OK(42, "{\"name\":\"W\",\"revision\":8,\"text\":\"policy\"}", ""));
    assert_int_equal(run.code, 3);
    expect_file("web.pw", "old");
    (void)snprintf(line, sizeof(line), "policy|save|W|%s", dir);
    with(line, OK(42, WEB_JSON, ""));
    assert_int_equal(run.code, 1);
    assert_non_null(strstr(run.err, "not a regular file"));
    (void)snprintf(line, sizeof(line), "policy|save|W|%s/no/such", dir);
    with(line, OK(42, WEB_JSON, ""));
    assert_int_equal(run.code, 1);
    assert_non_null(strstr(run.err, "no such file or directory"));
}

#define SSH(network)                                                         \
    "policy \"Web server\" {\n"                                              \
    "    rule \"Allow SSH\"  permit in tcp from " network " to me port 22\n" \
    "    rule \"Block SSH\"  block in tcp port 22\n"                         \
    "}\n"
#define SSH_JSON                                                                        \
    "{\"name\":\"Web server\",\"revision\":7,\"text\":\"policy \\\"Web server\\\" {\\n" \
    "    rule \\\"Allow SSH\\\"  permit in tcp from 10.0.0.0/8 to me port 22\\n"        \
    "    rule \\\"Block SSH\\\"  block in tcp from any to me port 22\\n}\\n\"}"

static void test_diff(void **state)
{
    char line[256];

    (void)state;
    write_text("web.pw", SSH("10.1.0.0/16"));
    (void)snprintf(line, sizeof(line), "policy|diff|Web server|%s/web.pw", dir);
    with(line, OK(42, SSH_JSON, ""));
    expect(6, "GET /v1/policies/Web%20server\n",
           "- rule \"Allow SSH\"  permit in tcp from 10.0.0.0/8 to me port 22\n"
           "+ rule \"Allow SSH\"  permit in tcp from 10.1.0.0/16 to me port 22\n"
           "newly blocked  tcp from 10.0.0.0/8 but 10.1.0.0/16 to me port 22  (then matches "
           "\"Block SSH\")\n",
           "");
    /* Only words, and an old revision. */
    write_text("web.pw", "policy \"Other\" description \"x\" {\n"
                         "  inactive rule \"Off\" block in\n"
                         "  rule \"Block SSH\" block in tcp port 22\n"
                         "  rule \"Office\" permit in tcp from 10.0.0.0/8 port 22 }\n");
    write_text("web.pw", "policy \"Other\" description \"x\" {\n"
                         "  inactive rule \"Off\" block in\n"
                         "  rule \"Block SSH\" block in tcp port 22\n"
                         "  rule \"Office\" permit in tcp from 10.0.0.0/8 to me port 22 }\n");
    (void)snprintf(line, sizeof(line), "policy|diff|Web server@7|%s/web.pw", dir);
    with(line, OK(42, SSH_JSON, ""));
    expect(0, "GET /v1/policies/Web%20server?revision=7\n",
           "- rule \"Allow SSH\"  permit in tcp from 10.0.0.0/8 to me port 22\n"
           "+ description \"x\"\n"
           "+ inactive rule \"Off\"  block in from any to me\n"
           "+ rule \"Office\"  permit in tcp from 10.0.0.0/8 to me port 22\n"
           "no packet changes its verdict\n",
           "");
}

static void test_diff_of_files(void **state)
{
    char line[256];

    (void)state;
    write_text("a.pw", SSH("10.0.0.0/8"));
    write_text("b.pw", SSH("10.0.0.0/8"));
    (void)snprintf(line, sizeof(line), "policy|diff|%s/a.pw|%s/b.pw", dir, dir);
    run_cli(&env, line); /* needs no agent */
    assert_int_equal(run.code, 0);
    assert_string_equal(run.out, "no packet changes its verdict\n");
    write_text("b.pw", SSH("10.0.0.0/8") SSH("10.0.0.0/9"));
    run_cli(&env, line);
    assert_int_equal(run.code, 7); /* one name twice */
    write_text("b.pw", "policy \"a\" { } policy \"b\" { }");
    run_cli(&env, line);
    assert_int_equal(run.code, 2);
    assert_non_null(strstr(run.err, "holds 2 policies"));
    (void)snprintf(line, sizeof(line), "policy|diff|%s/a.pw|%s/none.pw", dir, dir);
    run_cli(&env, line);
    assert_int_equal(run.code, 1);
}

/* What negotiates is neither permitted nor blocked for good, and check says what it means now. */
static void test_negotiate(void **state)
{
    static const struct {
        const char *a, *b, *label;
    } cases[] = {
        {"permit in tcp port 22", "negotiate in tcp port 22", "must negotiate "},
        {"permit in tcp port 22", "permit inpass in tcp port 22", "must negotiate "},
        {"block in tcp port 22", "negotiate in tcp port 22", "must negotiate "},
        {"negotiate in tcp port 22", "block in tcp port 22", "newly blocked  "},
        {"negotiate in tcp port 22", "permit in tcp port 22", "newly permitted  "},
    };
    char line[256], expected[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[2][128];

        for (unsigned k = 0; k < 2; k++)
            (void)snprintf(text[k], sizeof(text[k]), "policy \"P\" { rule \"R\" %s }",
                           k ? cases[i].b : cases[i].a);
        write_text("a.pw", text[0]);
        write_text("b.pw", text[1]);
        (void)snprintf(line, sizeof(line), "policy|diff|%s/a.pw|%s/b.pw", dir, dir);
        (void)snprintf(expected, sizeof(expected),
                       "%stcp from any to me port 22  (then matches \"R\")\n", cases[i].label);
        run_cli(&env, line);
        assert_int_equal(run.code, 6);
        if (!strstr(run.out, expected))
            fail_msg("'%s' is not in\n%s", expected, run.out);
    }
    write_text("a.pw", "policy \"P\" { rule \"A\" negotiate in tcp port 1 "
                       "rule \"B\" permit inpass in tcp port 2 rule \"C\" block in tcp port 3 }");
    (void)snprintf(line, sizeof(line), "policy|check|%s/a.pw", dir);
    run_cli(&env, line);
    assert_int_equal(run.code, 0);
    assert_string_equal(run.err, "note: denied in the clear until the negotiation engine is "
                                 "configured: \"A\" and 1 more\n");
}

static void test_check(void **state)
{
    char line[256], expected[2048];

    (void)state;
    write_text("web.pw", "# comment\n"
                         "policy \"Web\" {\n"
                         "    rule \"LAN\"  permit in tcp from 10.1.1.0/24 to me port 22\n"
                         "    rule \"Office\"     permit from 10.1.1.5 to me\n"
                         "    rule \"No telnet\"  block tcp from 10.1.1.0/24 to me port 23\n"
                         "}\n");
    (void)snprintf(line, sizeof(line), "policy|check|%s/web.pw", dir);
    (void)snprintf(
        expected, sizeof(expected),
        "%s/web.pw:4:5: warning: \"Office\" and \"No telnet\" overlap, differ in action, and "
        "neither contains the other\n"
        "    rule \"Office\"     permit from 10.1.1.5 to me                weight 80400001\n"
        "    rule \"No telnet\"  block tcp from 10.1.1.0/24 to me port 23  weight 70306203\n"
        "for tcp from 10.1.1.5 to me port 23 \"Office\" wins: addresses are compared first\n",
        dir);
    run_cli(&env, line);
    assert_int_equal(run.code, 6);
    assert_non_null(strstr(run.out, expected));
    assert_non_null(strstr(run.out, "/web.pw: valid, 3 rules, "));
    (void)snprintf(line, sizeof(line), "policy|check|%s/web.pw|--json", dir);
    run_cli(&env, line);
    assert_int_equal(run.code, 6);
    assert_non_null(strstr(run.out, "\"schema\":\"portward.policy-check/1\""));
    assert_non_null(strstr(run.out, "\"kind\":\"overlap\""));
    assert_non_null(strstr(run.out, "\"line\":4,\"column\":5"));
}

/* Attributes and rules without filters are words only: no finding, no packet. */
static void test_attributes(void **state)
{
    char line[256];

    (void)state;
    write_text("a.pw", "policy \"Web\" attribute mm-pfs \"yes\" {\n"
                       "    rule \"Later\" attribute filterlist \"none\" { }\n"
                       "    rule \"SMB\" attribute filterlist \"smb\" block in tcp port 445\n"
                       "}\n");
    write_text("b.pw", "policy \"Web\" {\n"
                       "    rule \"SMB\" block in tcp port 445\n"
                       "    rule \"Empty\" { }\n"
                       "}\n");
    (void)snprintf(line, sizeof(line), "policy|check|%s/a.pw", dir);
    run_cli(&env, line);
    assert_int_equal(run.code, 0);
    assert_non_null(strstr(run.out, "/a.pw: valid, 2 rules, 0 warnings\n"));
    (void)snprintf(line, sizeof(line), "policy|diff|%s/a.pw|%s/b.pw", dir, dir);
    run_cli(&env, line);
    assert_int_equal(run.code, 0);
    assert_string_equal(run.out, "- attribute mm-pfs \"yes\"\n"
                                 "- rule \"Later\" attribute filterlist \"none\"\n"
                                 "- rule \"SMB\" attribute filterlist \"smb\"\n"
                                 "+ rule \"Empty\"\n"
                                 "no packet changes its verdict\n");
}

/* The sample of cli.md 5. */
static void test_check_rejects(void **state)
{
    char line[256], expected[1024];

    (void)state;
    write_text("web.pw",
               "policy \"Web\" {\n\n    rule \"Admin UI\"  permit in tcp from 10.1.1.0/24 "
               "to me port 70000\n}\n");
    (void)snprintf(line, sizeof(line), "policy|check|%s/web.pw", dir);
    (void)snprintf(expected, sizeof(expected),
                   "%s/web.pw:3:64: error: port '70000' is out of range\n"
                   "    rule \"Admin UI\"  permit in tcp from 10.1.1.0/24 to me port 70000\n"
                   "                                                               ^~~~~\n"
                   "hint: ports are 0 to 65535\n",
                   dir);
    run_cli(&env, line);
    assert_int_equal(run.code, 7);
    assert_string_equal(run.err, expected);
    assert_string_equal(run.out, "");
    with("policy|check|Stored", OK(42, WEB_JSON, ""));
    expect(0, "GET /v1/policies/Stored\n", "Stored: valid, 1 rule, 0 warnings\n", "");
    /* The login of the caller. */
    env.ssh = "10.1.4.7 50122 192.0.2.10 22";
    write_text("web.pw", "policy \"Web\" { rule \"x\" block in tcp port 22 }");
    run_cli(&env, line);
    env.ssh = NULL;
    assert_int_equal(run.code, 6);
    assert_non_null(strstr(run.out, "lock-out"));
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/pw-policy-%d", getpid());
    env.runtime_dir = dir;
    return mkdir(dir, 0700);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"portward.sock", "web.pw", "a.pw", "b.pw"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        (void)unlink(in_dir(names[i]));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_try_block),
        cmocka_unit_test(test_try_others),
        cmocka_unit_test(test_preview_not_complete),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_change_body),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_save),
        cmocka_unit_test(test_save_refused),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_diff_of_files),
        cmocka_unit_test(test_negotiate),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_check_rejects),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
