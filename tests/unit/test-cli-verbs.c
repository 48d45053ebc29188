/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every verb against a stand-in for the agent that answers with canned documents: what it asks
 * for, what it prints (the samples of cli.md), and its exit code. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli_stand_in.h"

#define BLOCK_445                                                                             \
    "{\"id\":\"d17\",\"layer\":\"dynamic\",\"tier\":\"ordinary\",\"weight\":\"40006203\","    \
    "\"action\":\"block\",\"text\":\"block in tcp from any to me port 445\",\"policy\":null," \
    "\"rule\":null,\"packets\":38,\"bytes\":2280,\"expires_in_s\":7435,\"ends\":\"expiry\","  \
    "\"reason\":\"SMB worm\",\"expanded\":1}"
#define PERMIT_LAN                                                                       \
    "{\"id\":\"s14\",\"layer\":\"local\",\"tier\":\"ordinary\",\"weight\":\"70306201\"," \
    "\"action\":\"permit\",\"text\":\"permit in tcp from 10.1.1.0/24 to me port 445\","  \
    "\"policy\":\"P\",\"rule\":\"Allow SMB from LAN\",\"packets\":912,\"bytes\":731424," \
    "\"expires_in_s\":null,\"ends\":\"never\",\"reason\":null,\"expanded\":1,"           \
    "\"set\":\"tcp from 10.1.1.0/24 to me port 445\"}"

static void test_block(void **state)
{
    (void)state;
    with("block|in|tcp|port|445|for|2h|reason|SMB worm|--utc",
         OK(43,
            "{\"filter\":" BLOCK_445 ",\"change\":\"added\",\"exceptions\":[" PERMIT_LAN "],"
            "\"elapsed_ms\":9,\"interfaces\":3}",
            ""));
    expect(0,
           "POST /v1/filters {\"text\":\"block in tcp port 445 for 2h reason \\\"SMB worm\\\"\"}\n",
           "d17  block in tcp from any to me port 445  expires 04:51:07, at the latest at reboot\n"
           "still allowed  tcp from 10.1.1.0/24 to me port 445: s14 \"Allow SMB from LAN\" is more "
           "specific\n"
           "generation 43 active on 3 interfaces in 9 ms\n",
           "hint: to close it for them too: portward block in tcp port 445 override\n");
}

static void test_block_until_reboot(void **state)
{
    (void)state;
    with("block|out|tcp|port|25|--reason|spam",
         OK(45,
            "{\"filter\":{\"id\":\"d19\",\"action\":\"block\",\"text\":\"block out tcp from me to "
            "any port 25\",\"expires_in_s\":null,\"ends\":\"reboot\"},\"change\":\"added\","
            "\"exceptions\":[],\"elapsed_ms\":8,\"interfaces\":1}",
            "{\"code\":\"forwarded-not-covered\",\"message\":\"forwarded traffic is not covered; "
            "add: block tcp from any to any port 25\",\"hint\":null}"));
    expect(0, "POST /v1/filters {\"reason\":\"spam\",\"text\":\"block out tcp port 25\"}\n",
           "d19  block out tcp from me to any port 25  ends at reboot; to keep it: portward rule "
           "add\n"
           "generation 45 active on 1 interface in 8 ms\n",
           "note: forwarded traffic is not covered; add: block tcp from any to any port 25\n");
}

static void test_permit(void **state)
{
    static const char answer[] = OK(
        46,
        "{\"filter\":{\"id\":\"d20\",\"action\":\"permit\",\"text\":\"permit in tcp from any to "
        "me port 135\",\"expires_in_s\":null,\"ends\":\"agent-stop\"},\"change\":\"none\","
        "\"exceptions\":[],\"elapsed_ms\":0,\"interfaces\":3}",
        "{\"code\":\"conflict\",\"message\":\"conflict: s11 \\\"Block Inbound TCP 135\\\" differs "
        "only in its action, block wins; d20 has no effect\",\"hint\":null}");

    (void)state;
    with("permit|in|tcp|port|135", answer);
    expect(0, "POST /v1/filters {\"text\":\"permit in tcp port 135\"}\n",
           "d20  permit in tcp from any to me port 135  ends when the agent is stopped, or at "
           "reboot\n"
           "no change\n",
           "warning: conflict: s11 \"Block Inbound TCP 135\" differs only in its action, block "
           "wins; d20 has no effect\n");
    with("permit|-q|in|tcp|port|135", answer);
    assert_string_equal(run.out, "");
    with("permit|--json|in|tcp|port|135", answer);
    expect(0, "POST /v1/filters {\"text\":\"permit in tcp port 135\"}\n", answer, "");
}

/* A place the agent points at is shown in the text it was sent. */
static void test_error_of_agent(void **state)
{
    static const char answer[] = FAILURE(
        7, "{\"code\":\"not-enforced\",\"message\":\"not enforced here: keep state\","
           "\"hint\":null,\"spans\":[{\"line\":1,\"column\":15,\"length\":10,\"offset\":14}]}");

    (void)state;
    with("permit|out|udp|keep|state", answer);
    expect(7, "POST /v1/filters {\"text\":\"permit out udp keep state\"}\n", "",
           "portward: not enforced here: keep state\n"
           "    permit out udp keep state\n"
           "                  ^~~~~~~~~~\n");
    with("permit|--json|out|udp|keep|state", answer);
    assert_string_equal(run.out, answer);
    assert_string_equal(run.err, "");
    assert_int_equal(run.code, 7);
}

static void test_exit_of_agent(void **state)
{
    static const char *const answers[] = {
        FAILURE(1, "{\"code\":\"system\",\"message\":\"m\"}"),
        FAILURE(4, "{\"code\":\"permission\",\"message\":\"m\"}"),
        FAILURE(5, "{\"code\":\"conflict\",\"message\":\"m\"}"),
        FAILURE(9, "{\"code\":\"overridden\",\"message\":\"m\"}"),
    };
    static const int codes[] = {1, 4, 5, 9};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        with("flush", answers[i]);
        expect(codes[i], "POST /v1/flush {}\n", "", "portward: m\n");
    }
    /* Not documents of ours. */
    with("flush", "[]");
    assert_int_equal(run.code, 3);
    with("flush", "{\"ok\":true}");
    assert_int_equal(run.code, 3);
    with("flush", "{\"ok\":false}");
    assert_int_equal(run.code, 3);
}

static void test_list(void **state)
{
    static const char answer[] = OK(
        43,
        "{\"filters\":[{\"id\":\"d3\",\"layer\":\"dynamic\",\"tier\":\"override\",\"weight\":"
        "\"40006203\",\"action\":\"block\",\"text\":\"block in tcp from any to me port 7 override\","
        "\"rule\":null,\"packets\":0,\"expires_in_s\":null,\"reason\":null}," PERMIT_LAN
        "," BLOCK_445 "]}",
        "");

    (void)state;
    with("list", answer);
    expect(0, "GET /v1/filters\n",
           "ID   WEIGHT             LAYER    FILTER                                         HITS  "
           "EXPIRES    RULE\n"
           "d3   override 40006203  dynamic  block in tcp from any to me port 7 override       0  "
           "-          -\n"
           "s14  70306201           local    permit in tcp from 10.1.1.0/24 to me port 445   912  "
           "-          Allow SMB from LAN\n"
           "d17  40006203           dynamic  block in tcp from any to me port 445             38  "
           "2 h 3 min  \"SMB worm\"\n",
           "");
    with("list|--all|--policy|A/B|--layer|local|--no-header", OK(43, "{\"filters\":[]}", ""));
    expect(0, "GET /v1/filters?layer=local&policy=A%2FB&all=1\n", "", "");
}

static void test_config(void **state)
{
    static const char all[] =
        OK(43,
           "{\"settings\":[{\"key\":\"boot.mode\",\"value\":null,\"source\":\"default\"},"
           "{\"key\":\"filter.exempt\",\"value\":\"0\",\"source\":\"database\"},"
           "{\"key\":\"mpp.x\",\"value\":\"\",\"source\":\"database\"}]}",
           "");

    (void)state;
    with("config|show", all);
    expect(0, "GET /v1/settings\n",
           "KEY            VALUE  SOURCE\n"
           "boot.mode      -      default\n"
           "filter.exempt  0      database\n"
           "mpp.x          \"\"     database\n",
           "");
    with("config|show|a&b|--no-header", OK(43, "{\"settings\":[]}", ""));
    expect(0, "GET /v1/settings?key=a%26b\n", "", "");
    with("config|reset|filter.exempt|--dry-run|--reason|r",
         OK(43,
            "{\"results\":[{\"change\":\"deleted\"}],\"elapsed_ms\":1,\"interfaces\":1,"
            "\"preview\":{\"equal\":true,\"complete\":true,\"arms\":false,\"disarms\":false,"
            "\"connections\":0,\"changes\":[]}}",
            ""));
    expect(0,
           "POST /v1/batch {\"reason\":\"r\",\"dry_run\":true,\"ops\":[{\"op\":\"setting\","
           "\"key\":\"filter.exempt\"}]}\n",
           "would reset    filter.exempt\n"
           "no packet changes its verdict\n"
           "nothing changed\n",
           "");
}

static void test_list_colour(void **state)
{
    static const char answer[] = OK(43, "{\"filters\":[" BLOCK_445 "]}", "");

    (void)state;
    env.out_tty = true;
    with("list|--no-header", answer);
    assert_non_null(strstr(run.out, "\033[1md17\033[0m"));
    assert_non_null(strstr(run.out, "\033[31mblock in"));
    env.no_color = "1";
    with("list|--no-header", answer);
    assert_null(strchr(run.out, '\033'));
    env.no_color = NULL;
    env.term = "dumb";
    with("list|--no-header", answer);
    assert_null(strchr(run.out, '\033'));
    env.term = "xterm";
    env.out_tty = false;
    with("list", answer);
    assert_null(strchr(run.out, '\033'));
    with("list|--color|always", answer);
    assert_non_null(strchr(run.out, '\033'));
}

static void test_delete(void **state)
{
    (void)state;
    with("delete|d17|d3|block|in|tcp|port|7|override",
         OK(46, "{\"deleted\":[" BLOCK_445 "," PERMIT_LAN "]}", ""));
    expect(0, "DELETE /v1/filters {\"items\":[\"d17\",\"d3\",\"block in tcp port 7 override\"]}\n",
           "deleted d17  block in tcp from any to me port 445\n"
           "deleted s14  permit in tcp from 10.1.1.0/24 to me port 445; generation 46\n",
           "");
}

static void test_flush(void **state)
{
    (void)state;
    with("flush|--reason|over", OK(47, "{\"deleted\":3,\"policy\":\"Block RPC Ports\"}", ""));
    expect(0, "POST /v1/flush {\"reason\":\"over\"}\n",
           "deleted 3 dynamic filters; local policy \"Block RPC Ports\" stays assigned; generation "
           "47\n",
           "");
    with("flush", OK(47, "{\"deleted\":1,\"policy\":null}", ""));
    assert_string_equal(run.out,
                        "deleted 1 dynamic filter; no local policy is assigned; generation 47\n");
    with("flush", OK(47, "{\"deleted\":0,\"policy\":null}", ""));
    assert_string_equal(run.out, "no change: there is no dynamic filter\n");
}

static void test_policy_list(void **state)
{
    (void)state;
    with("policy|list|--utc",
         OK(43,
            "{\"policies\":[{\"name\":\"Block RPC Ports\",\"layer\":\"local\",\"state\":"
            "\"assigned\",\"rules\":3,\"filters\":4,\"revision\":7,\"changed\":"
            "\"2025-11-22T02:41:00Z\"},{\"name\":\"日本\",\"layer\":\"local\",\"state\":"
            "\"stored\",\"rules\":12,\"filters\":40,\"revision\":118,\"changed\":"
            "\"2024-11-21T17:03:00Z\"}]}",
            ""));
    expect(0, "GET /v1/policies\n",
           "NAME             LAYER  STATE     RULES  REVISION  CHANGED\n"
           "Block RPC Ports  local  assigned      3         7  22 Nov 02:41\n"
           "日本             local  stored       12       118  21 Nov 2024\n",
           "");
}

static void test_policy_show(void **state)
{
    (void)state;
    with("policy|show|Block RPC Ports|--source",
         OK(43,
            "{\"name\":\"Block RPC Ports\",\"revision\":7,\"text\":\"policy \\\"x\\\" {\\n}\\n\"}",
            ""));
    expect(0, "GET /v1/policies/Block%20RPC%20Ports?source=1\n", "policy \"x\" {\n}\n", "");
}

static void test_policy_load(void **state)
{
    char text[] = "policy \"Web\" {\n    rule \"a\"  block in tcp from any to me port 7 # x\n}\n";
    char bad[] = "policy \"Web\" {\n    rule \"a\"  blok in\n}\n", empty[] = "# nothing\n";

    (void)state;
    env.in = fmemopen(text, strlen(text), "r");
    with("policy|load|-|--replace|--name|B",
         OK(43,
            "{\"policies\":[{\"name\":\"B\",\"revision\":8,\"rules\":1,\"filters\":1,\"assigned\":"
            "false,\"change\":\"replaced\"}]}",
            ""));
    fclose(env.in);
    expect(
        0,
        "POST /v1/policies?name=B&replace=1 policy \"Web\" {\n    rule \"a\"  block in tcp from any "
        "to me port 7 # x\n}\n\n",
        "stored \"B\" revision 8 (1 rule, 0 warnings), not assigned\n", "");
    env.in = fmemopen(text, strlen(text), "r");
    with("policy|load|-",
         OK(44,
            "{\"policies\":[{\"name\":\"Web\",\"revision\":9,\"rules\":12,\"assigned\":true,"
            "\"change\":\"added\"}]}",
            "{\"code\":\"cost\",\"message\":\"w\",\"hint\":null}"));
    fclose(env.in);
    assert_string_equal(
        run.out, "stored \"Web\" revision 9 (12 rules, 1 warning), assigned; generation 44\n");
    assert_string_equal(run.err, "warning: w\n");
    env.in = fmemopen(bad, strlen(bad), "r");
    run_cli(&env, "policy|load|-");
    fclose(env.in);
    assert_int_equal(run.code, 7); /* in a file even an unknown word is a rejected policy */
    assert_string_equal(run.err, "stdin:2:15: error: unknown word 'blok'\n"
                                 "    rule \"a\"  blok in\n"
                                 "              ^~~~\n"
                                 "hint: did you mean 'block'?\n");
    env.in = fmemopen(empty, strlen(empty), "r");
    run_cli(&env, "policy|load|-");
    fclose(env.in);
    assert_int_equal(run.code, 7);
    env.in = NULL;
}

static void test_policy_assign(void **state)
{
    (void)state;
    with("policy|assign|Web",
         OK(48, "{\"name\":\"Web\",\"before\":\"Old\",\"elapsed_ms\":9,\"interfaces\":3}", ""));
    expect(0, "POST /v1/policies/Web/assign {}\n",
           "\"Web\" is now the local policy, before: \"Old\"\n"
           "generation 48 active on 3 interfaces in 9 ms\n",
           "");
    with("policy|assign|Web|--persistent",
         OK(48, "{\"name\":\"Web\",\"before\":\"Web\",\"elapsed_ms\":0,\"interfaces\":3}", ""));
    expect(0, "POST /v1/policies/Web/assign {\"persistent\":true}\n",
           "no change: \"Web\" is the persistent policy\n", "");
}

static void test_policy_unassign(void **state)
{
    static const char *const answers[] = {
        OK(45, "{\"policy\":{\"local\":\"Block RPC Ports\",\"persistent\":null}}", ""),
        OK(46, "{\"name\":\"Block RPC Ports\"}", ""),
        OK(46, "{\"name\":null}", ""),
    };
    char yes[] = "y\n", no[] = "\n";

    (void)state;
    with("policy|unassign|-y", answers[1]);
    expect(0, "POST /v1/unassign {}\n", "unassigned \"Block RPC Ports\"; generation 46\n", "");
    with("policy|unassign|-y", answers[2]);
    assert_string_equal(run.out, "no change: no local policy is assigned\n");
    env.in_tty = env.err_tty = true;
    env.term = "dumb";
    env.in = fmemopen(yes, strlen(yes), "r");
    converse("policy|unassign", answers, 2);
    fclose(env.in);
    expect(0, "GET /v1/status\nPOST /v1/unassign {}\n",
           "unassigned \"Block RPC Ports\"; generation 46\n",
           "this opens the host to everything the policy blocks\n"
           "unassign \"Block RPC Ports\"? [y/N] ");
    env.in = fmemopen(no, strlen(no), "r");
    converse("policy|unassign", answers, 1);
    fclose(env.in);
    assert_int_equal(run.code, 1);
    assert_string_equal(asked, "GET /v1/status\n");
    assert_non_null(strstr(run.err, "nothing changed\n"));
    env.in = NULL;
    env.in_tty = env.err_tty = false;
    env.term = "xterm";
}

static void test_policy_delete(void **state)
{
    (void)state;
    with("policy|delete|A/B", OK(46, "{\"name\":\"A/B\",\"rules\":3,\"revision\":7}", ""));
    expect(0, "DELETE /v1/policies/A%2FB {}\n",
           "deleted \"A/B\" (3 rules); undo with: portward policy rollback \"A/B@7\"\n", "");
}

static void test_rule(void **state)
{
    (void)state;
    with("rule|add|P|Block 1025|block|in|tcp|port|1025|--create",
         OK(48,
            "{\"policy\":\"P\",\"rule\":\"Block 1025\",\"ids\":[\"s19\"],\"revision\":9,"
            "\"assigned\":true,\"change\":\"added\"}",
            ""));
    expect(0,
           "POST /v1/policies/P/rules {\"name\":\"Block 1025\",\"text\":\"block in tcp port 1025\","
           "\"create\":true}\n",
           "added s19 to \"P\" revision 9; generation 48\n", "");
    with("rule|add|P|R|block|in|udp|--replace",
         OK(48,
            "{\"policy\":\"P\",\"rule\":\"R\",\"ids\":[\"s20\"],\"revision\":10,\"assigned\":false,"
            "\"change\":\"replaced\"}",
            ""));
    assert_string_equal(run.out, "replaced by s20 in \"P\" revision 10, not assigned\n");
    with("rule|delete|P|Block 1025",
         OK(49,
            "{\"policy\":\"P\",\"rule\":\"Block 1025\",\"ids\":[\"s19\",\"s20\"],\"revision\":10,"
            "\"assigned\":true,\"change\":\"deleted\"}",
            ""));
    expect(0, "DELETE /v1/policies/P/rules/Block%201025 {}\n",
           "deleted s19, s20 from \"P\" revision 10; generation 49\n", "");
}

#define WINNER                                                                                      \
    "{\"id\":\"s12\",\"layer\":\"local\",\"tier\":\"ordinary\",\"weight\":\"70306201\","            \
    "\"action\":\"permit\",\"text\":\"permit in tcp from 10.1.1.0/24 to me port 135\","             \
    "\"policy\":\"Block RPC Ports\",\"rule\":\"Allow 135 from LAN\",\"fields\":{\"addresses\":224," \
    "\"source\":96,\"destination\":128,\"protocol\":1,\"destination_port\":17,\"source_port\":0,"   \
    "\"where\":0}}"
#define RUNNER_UP                                                                                \
    "{\"id\":\"s11\",\"layer\":\"local\",\"tier\":\"ordinary\",\"weight\":\"40006203\","         \
    "\"action\":\"block\",\"text\":\"block in tcp from any to me port 135\",\"policy\":"         \
    "\"Block RPC Ports\",\"rule\":\"Block Inbound TCP 135\",\"fields\":{\"addresses\":128,"      \
    "\"source\":0,\"destination\":128,\"protocol\":1,\"destination_port\":17,\"source_port\":0," \
    "\"where\":0}}"
#define EXPLANATION(agrees)                                                                     \
    OK(42,                                                                                      \
       "{\"packet\":\"p\",\"verdict\":\"permit\",\"decider\":\"filter\",\"reason\":null,"       \
       "\"winner\":" WINNER ",\"runner_up\":" RUNNER_UP ",\"lost_in\":\"addresses\","           \
       "\"others\":[],\"n_others\":0,\"kernel\":{\"agrees\":" #agrees ",\"verdict\":\"block\"," \
       "\"generation\":42,\"id\":\"s11\",\"weight\":\"40006203\"},\"path\":{\"interface\":"     \
       "\"eth0\",\"role\":\"normal\",\"attached\":true,\"hook\":\"tcx\"}}",                     \
       "")
#define EXPLAINED                                                                           \
    "permit by s12 \"Allow 135 from LAN\" (policy \"Block RPC Ports\", local)\n"            \
    "winner     permit in tcp from 10.1.1.0/24 to me port 135\n"                            \
    "           weight 70306201: addresses 224 (96 + 128), protocol, destination port 17, " \
    "source port 0\n"                                                                       \
    "runner-up  s11 \"Block Inbound TCP 135\"  block in tcp from any to me port 135\n"      \
    "           weight 40006203: addresses 128 (0 + 128): loses there\n"                    \
    "others     none\n"                                                                     \
    "path       eth0 normal, TCX\n"

static void test_explain(void **state)
{
    (void)state;
    with("explain|in|tcp|from|10.1.1.7|to|192.0.2.10|port|135|on|eth0|--live|--expect|permit",
         EXPLANATION(true));
    expect(0,
           "POST /v1/explain {\"packet\":\"in tcp from 10.1.1.7 to 192.0.2.10 port 135 on eth0\","
           "\"live\":true}\n",
           EXPLAINED "kernel     agrees, generation 42\n", "");
    with("explain|in|tcp|from|10.1.1.7|to|me|port|135|--live", EXPLANATION(false));
    assert_int_equal(run.code, 1);
    assert_string_equal(run.out, EXPLAINED "kernel     DISAGREES, generation 42: block by s11\n");
    assert_non_null(strstr(run.err, "the loaded program and the evaluator disagree"));
    with("explain|in|tcp|from|10.1.1.7|to|me|port|135|--live|--json|--expect|block",
         EXPLANATION(false));
    assert_int_equal(run.code, 1); /* an error comes before a finding */
    with("explain|in|tcp|from|10.1.1.7|to|me|port|135|--expect|block", EXPLANATION(true));
    assert_int_equal(run.code, 6);
    assert_string_equal(run.err, "portward: expected block, the verdict is permit\n");
}

static void test_explain_state(void **state)
{
    (void)state;
    with("explain|in|udp|from|10.1.1.7|port|53|to|me|port|4000",
         OK(42,
            "{\"packet\":\"p\",\"verdict\":\"block\",\"decider\":\"no-match\",\"reason\":null,"
            "\"winner\":null,\"runner_up\":null,\"lost_in\":null,\"others\":[],\"n_others\":0,"
            "\"kernel\":null,\"path\":{\"interface\":\"eth0\",\"role\":\"normal\","
            "\"attached\":true,\"hook\":\"tcx\",\"beside\":[{\"text\":\"XDP program 'x'\"},"
            "{\"text\":\"XFRM policy\"}]},\"state\":{\"table\":\"out-new\",\"opened\":\"out\","
            "\"exists\":true,\"answer\":true,\"passes\":true,\"filter\":\"d7\"}}",
            ""));
    assert_string_equal(run.out,
                        "block: no filter matches\n"
                        "others     none\n"
                        "state      answers a flow in out-new, permitted by d7: passes for "
                        "that, whatever the verdict above\n"
                        "path       eth0 normal, TCX\n"
                        "beside     XDP program 'x'\n"
                        "           XFRM policy\n");
}

static void test_explain_no_filter(void **state)
{
    (void)state;
    with("explain|in|udp|from|10.1.1.7|to|me|port|53",
         OK(42,
            "{\"packet\":\"p\",\"verdict\":\"permit\",\"decider\":\"no-match\",\"reason\":null,"
            "\"winner\":null,\"runner_up\":null,\"lost_in\":null,\"others\":[],\"n_others\":0,"
            "\"kernel\":null,\"path\":{\"interface\":null}}",
            ""));
    assert_int_equal(run.code, 0);
    assert_string_equal(run.out, "permit: no filter matches\n"
                                 "others     none\n"
                                 "path       interface not known\n");
    with("explain|in|tcp|from|10.1.1.7|to|me|port|22",
         OK(42,
            "{\"packet\":\"p\",\"verdict\":\"permit\",\"decider\":\"failsafe\",\"reason\":null,"
            "\"exemption\":\"failsafe\",\"winner\":null,\"runner_up\":null,\"lost_in\":null,"
            "\"others\":[],\"n_others\":0,\"kernel\":null,\"path\":{\"interface\":null}}",
            ""));
    assert_non_null(strstr(run.out, "permit by failsafe\n")); /* said once */
}

static void test_counters(void **state)
{
    (void)state;
    with("counters", OK(42, "{\"counters\":[" PERMIT_LAN "," BLOCK_445 "]}", ""));
    expect(0, "GET /v1/counters\n",
           "ID   ACTION  PACKETS   BYTES  RULE\n"
           "s14  permit      912  731424  Allow SMB from LAN\n"
           "d17  block        38    2280  \"SMB worm\"\n",
           "");
    with("counters|--reset|--reason|new", OK(42, "{\"reset\":2}", ""));
    expect(0, "POST /v1/counters/reset {\"reason\":\"new\"}\n", "reset 2 counters\n", "");
}

static void test_state_verbs(void **state)
{
    (void)state;
    with("state|list",
         OK(42,
            "{\"flows\":[{\"protocol\":\"udp\",\"source\":\"192.0.2.10\",\"source_port\":40912,"
            "\"destination\":\"192.0.2.53\",\"destination_port\":53,\"opened\":\"out\",\"kept\":"
            "\"table\",\"answered\":true,\"idle_s\":12,\"filter\":\"s14\",\"rule\":\"DNS\","
            "\"policy\":\"Office\"},{\"protocol\":\"tcp\",\"source\":\"2001:db8::7\","
            "\"source_port\":5000,\"destination\":\"2001:db8::1\",\"destination_port\":22,"
            "\"opened\":\"in\",\"kept\":\"connection\",\"answered\":null,\"idle_s\":3,"
            "\"filter\":\"d2\",\"rule\":null,\"policy\":null}],\"total\":5}",
            ""));
    expect(0, "GET /v1/flows\n",
           "PROTO  LOCAL             REMOTE              IDLE  RULE\n"
           "udp    192.0.2.10:40912  192.0.2.53:53       12 s  DNS\n"
           "tcp    [2001:db8::1]:22  [2001:db8::7]:5000     -  d2\n",
           "note: 3 more are not shown\n");
    with("state|delete|192.0.2.53", OK(42, "{\"deleted\":2}", ""));
    expect(0, "POST /v1/flows/delete {\"text\":\"192.0.2.53\"}\n", "deleted 2 flows\n", "");
}

#define STATUS(warnings)                                                                                \
    OK(42,                                                                                              \
       "{\"host\":\"web01\",\"version\":\"0.1.0\",\"netns_cookie\":1,\"pid\":812,\"uptime_s\":"         \
       "273600,\"memory_bytes\":5347737,\"enforcement\":{\"state\":\"active\",\"armed\":true,"          \
       "\"generation\":42,\"since_s\":360,\"hook\":\"tcx\",\"guard\":\"on\",\"interfaces\":[{\"name\":" \
       "\"eth0\",\"role\":\"normal\",\"attached_in\":true,\"attached_out\":true},{\"name\":\"lo\","     \
       "\"role\":\"none\",\"attached_in\":false,\"attached_out\":false}]},\"policy\":{\"local\":"       \
       "\"Block RPC Ports\",\"persistent\":null},\"dynamic\":{\"filters\":2,\"next_expiry_s\":"         \
       "6780}}",                                                                                        \
       warnings)

static void test_status(void **state)
{
    (void)state;
    with("status", STATUS(""));
    expect(0, "GET /v1/status\n",
           "web01  portward 0.1.0, network namespace cookie 1\n"
           "enforcement  active, generation 42 for 6 min, 1 of 1 interface, TCX\n"
           "guard        on\n"
           "policy       local \"Block RPC Ports\"\n"
           "dynamic      2 filters, next expiry in 1 h 53 min\n"
           "agent        running, pid 812, 5.1 MiB, up 3 d 4 h\n",
           "");
    with("status", STATUS("{\"code\":\"x\",\"message\":\"eth1 is not covered\",\"hint\":null}"));
    assert_int_equal(run.code, 6);
    assert_non_null(strstr(run.out, "warning      eth1 is not covered\n"));
    with("status|--json", STATUS("{\"code\":\"x\",\"message\":\"m\",\"hint\":null}"));
    assert_int_equal(run.code, 6);
}

/* Names from elsewhere never reach the terminal raw. */
static void test_control_bytes(void **state)
{
    (void)state;
    with("flush", OK(47, "{\"deleted\":3,\"policy\":\"a\\u001b[2Jb\"}", ""));
    assert_null(strchr(run.out, '\033'));
    assert_non_null(strstr(run.out, "\"a\\x1b[2Jb\""));
    with("flush", FAILURE(1, "{\"code\":\"system\",\"message\":\"m\\u001b[2J\"}"));
    assert_null(strchr(run.err, '\033'));
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/pw-verbs-%d", getpid());
    env.runtime_dir = dir;
    return mkdir(dir, 0700);
}

static int tear_down(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/portward.sock", dir);
    (void)unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_block_until_reboot),
        cmocka_unit_test(test_permit),
        cmocka_unit_test(test_error_of_agent),
        cmocka_unit_test(test_exit_of_agent),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_list_colour),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_policy_list),
        cmocka_unit_test(test_policy_show),
        cmocka_unit_test(test_policy_load),
        cmocka_unit_test(test_policy_assign),
        cmocka_unit_test(test_policy_unassign),
        cmocka_unit_test(test_policy_delete),
        cmocka_unit_test(test_rule),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_explain_state),
        cmocka_unit_test(test_explain_no_filter),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_state_verbs),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_control_bytes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
