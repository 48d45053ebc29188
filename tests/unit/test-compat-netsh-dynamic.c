/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test-compat-netsh-dynamic.c: netsh ipsec dynamic (windows.md 5, 13, 14): the halves of
 * a rule, what delete and set find again, main mode and quick mode policies, properties. */
#include "netsh-help.h"

#define BLOCK  " actioninbound=block actionoutbound=block"
#define PERMIT " actioninbound=permit actionoutbound=permit"

static void expect(struct world *w, const char *line, const char *want)
{
    char *text = catalog_text(w);
    if (strcmp(text, want) != 0)
        fail_msg("%s: made\n%s", line, text);
    free(text);
}

/* One line on an empty catalog. */
static void test_halves(void **state)
{
    static const struct {
        const char *line, *made, *error;
    } table[] = {
        {"any me protocol=tcp dstport=445" BLOCK, "block in tcp from any to me port 445 mirrored\n",
         NULL},
        {"any me protocol=tcp dstport=445 mirrored=no" BLOCK,
         "block in tcp from any to me port 445\n", NULL},
        {"any me protocol=tcp dstport=445 actioninbound=block actionoutbound=permit",
         "block in tcp from any to me port 445\npermit out tcp from me port 445 to any\n", NULL},
        {"any me protocol=tcp dstport=445 mirrored=n actioninbound=block actionoutbound=permit",
         "block in tcp from any to me port 445\n", NULL},
        {"me any protocol=tcp dstport=25 mirrored=n actioninbound=block actionoutbound=permit",
         "permit out tcp from me to any port 25\n", NULL},
        {"any any mirrored=no" BLOCK, "block from any to any\n", NULL},
        {"any any protocol=tcp dstport=23 mirrored=no actioninbound=block actionoutbound=permit",
         "block in tcp from any to me port 23\npermit out tcp from me to any port 23\n", NULL},
        {"any any protocol=tcp dstport=23 actioninbound=block actionoutbound=permit",
         "block in tcp from any to me port 23\npermit out tcp from me to any port 23\n"
         "block in tcp from any port 23 to me\npermit out tcp from me port 23 to any\n",
         NULL},
        {"10.0.0.0 10.0.0.1 srcmask=8 mirrored=no" BLOCK, "block from 10.0.0.0/8 to 10.0.0.1\n",
         NULL},
        /* 192.168.1.1 is this host's. */
        {"10.0.0.9 192.168.1.1 mirrored=no actioninbound=block actionoutbound=permit",
         "block from 10.0.0.9 to 192.168.1.1\n", NULL},
        {"192.168.1.1 10.0.0.9 mirrored=no actioninbound=block actionoutbound=permit",
         "permit from 192.168.1.1 to 10.0.0.9\n", NULL},
        {"any 10.0.0.9 mirrored=no actioninbound=block actionoutbound=permit",
         "block from any to 10.0.0.9\npermit out from me to 10.0.0.9\n", NULL},
        {"10.0.0.9 any mirrored=no actioninbound=block actionoutbound=permit",
         "block from 10.0.0.9 to any\n", NULL},
        {"192.168.0.0 any srcmask=16 mirrored=no actioninbound=block actionoutbound=permit", NULL,
         "which packets come in and which go out cannot be told"},
        {"any me", NULL, "a rule that negotiates needs mmpolicy="},
        {"any me mmpolicy=M", NULL, "unknown mmpolicy 'M'"},
        {"any me actioninbound=block", NULL, "a rule that negotiates needs mmpolicy="},
        {"any me conntype=dialup" BLOCK, NULL, "not enforced here: conntype=dialup"},
        {"web.example.test me" PERMIT, NULL,
         "permit with a name needs protocol and port, or 'keep state'"},
        {"any me dstport=80" BLOCK, NULL, "a port needs TCP or UDP"},
        {"any", NULL, "add rule needs dstaddr="},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct world w;
        char line[512];
        world_init(&w);
        (void)snprintf(line, sizeof(line), "ipsec dynamic add rule %s", table[i].line);
        int err = run_line(&w, line);
        if (table[i].error) {
            if (err == 0)
                fail_msg("%s: was not refused", line);
            if (strcmp(w.diag.message, table[i].error) != 0)
                fail_msg("%s: %s", line, w.diag.message);
        } else {
            if (err < 0)
                fail_msg("%s: %s", line, w.diag.message);
            expect(&w, line, table[i].made);
        }
        world_done(&w);
    }
}

/* Without a host nobody knows which address is local. */
static void test_offline(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.offline = true;
    assert_true(run_line(&w, "ipsec dynamic add rule 10.0.0.9 192.168.1.1 actioninbound=block "
                             "actionoutbound=permit") < 0);
    assert_string_equal(w.diag.message, "which packets come in and which go out cannot be told");
    world_done(&w);
}

/* Each added line is found again by its keys, whatever the actions are. */
static void test_delete(void **state)
{
    static const char *const lines[] = {
        "any me protocol=tcp dstport=445",
        "any me protocol=tcp dstport=445 mirrored=no",
        "me any protocol=udp dstport=53",
        "any any",
        "any any protocol=tcp dstport=23",
        "any 10.0.0.9",
        "10.0.0.9 any",
        "192.168.1.1 10.0.0.9 protocol=tcp srcport=7",
    };
    static const char *const actions[] = {
        BLOCK,
        PERMIT,
        " actioninbound=block actionoutbound=permit",
        " actioninbound=permit actionoutbound=block",
    };
    static const char other[] = "block in tcp from any to me port 9\n";
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        for (size_t k = 0; k < ARRAY_SIZE(actions); k++) {
            struct world w;
            char line[512];
            world_init(&w);
            must(&w, "ipsec dynamic add rule any me protocol=tcp dstport=9 mirrored=no" BLOCK);
            (void)snprintf(line, sizeof(line), "ipsec dynamic delete rule %s", lines[i]);
            assert_true(run_line(&w, line) < 0);
            assert_string_equal(w.diag.message, "there is no such dynamic rule");
            assert_int_equal(diag_exit_code(w.diag.code), 1);
            (void)snprintf(line, sizeof(line), "ipsec dynamic add rule %s%s", lines[i], actions[k]);
            must(&w, line);
            assert_true(w.catalog.n_dynamic > 1);
            (void)snprintf(line, sizeof(line), "ipsec dynamic delete rule %s", lines[i]);
            must(&w, line);
            expect(&w, line, other);
            world_done(&w);
        }
}

/* Deleting any to any does not take away what is narrower, if the rule itself is there. */
static void test_delete_exact(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec dynamic add rule any me mirrored=no" BLOCK);
    must(&w, "ipsec dynamic add rule any any mirrored=yes" BLOCK);
    must(&w, "ipsec dynamic delete rule any any");
    expect(&w, "delete any any", "block in from any to me\n");
    assert_true(run_line(&w, "ipsec dynamic delete rule any me mirrored=yes protocol=tcp") < 0);
    must(&w, "ipsec dynamic delete rule any me");
    expect(&w, "delete any me", "");
    world_done(&w);
}

static void test_set(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec dynamic add rule any me protocol=tcp dstport=445" BLOCK);
    must(&w, "ipsec dynamic set rule any me protocol=tcp dstport=445 actionoutbound=permit");
    expect(&w, "set out",
           "block in tcp from any to me port 445\n"
           "permit out tcp from me port 445 to any\n");
    must(&w, "ipsec dynamic set rule any me protocol=tcp dstport=445 actioninbound=permit");
    expect(&w, "set in", "permit in tcp from any to me port 445 mirrored\n");
    assert_true(run_line(&w, "ipsec dynamic set rule any me actioninbound=block") < 0);
    world_done(&w);
}

static void test_delete_all(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec dynamic add mmpolicy M");
    must(&w, "ipsec dynamic add rule any me" BLOCK);
    must(&w, "ipsec dynamic delete all");
    assert_true(w.catalog.flush);
    expect(&w, "delete all", "dialect.mmpolicies=(none)\n");
    world_done(&w);
}

static void test_known(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec dynamic add rule any me" BLOCK);
    must(&w, "ipsec dynamic add rule any me" BLOCK);
    assert_true(has_remark(&w, "this filter is there already"));
    assert_int_equal(w.catalog.n_dynamic, 1);
    world_done(&w);
}

static void test_negotiate(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec dynamic add mmpolicy \"my mm\" 10 60 300 \"3DES-SHA1-2\"");
    must(&w, "ipsec dynamic add qmpolicy qm soft=n pfsgroup=GRP2 qmsec=ESP[3DES,SHA1]");
    must(&w, "ipsec dynamic add rule any me \"my mm\" qm mirrored=no psk=secret");
    assert_true(has_remark(&w, "denied in the clear"));
    assert_true(has_remark(&w, "psk is kept with the rule of a policy only"));
    assert_int_equal(w.catalog.n_secrets, 0);
    expect(&w, "negotiate",
           "negotiate in from any to me\n"
           "dialect.mmpolicies=\"my mm\" \"10\" \"60\" \"300\" \"3DES-SHA1-2\"\n"
           "dialect.qmpolicies=\"qm\" \"n\" \"GRP2\" \"ESP[3DES,SHA1]\"\n");
    world_done(&w);
}

static void test_ike_policies(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec dynamic add mmpolicy name=\"a \\ b\" qmpermm=1");
    must(&w, "ipsec dynamic add mmpolicy name=c");
    assert_true(run_line(&w, "ipsec dynamic add mmpolicy name=C") < 0);
    assert_int_equal(strncmp(w.run.out.s, "ERR IPsec [13003] : ", 20), 0);
    assert_int_equal(diag_exit_code(w.diag.code), 5);
    assert_true(run_line(&w, "ipsec dynamic add mmpolicy name=d qmpermm=x") < 0);
    assert_true(run_line(&w, "ipsec dynamic add qmpolicy name=d pfsgroup=GRP9") < 0);
    must(&w, "ipsec dynamic set mmpolicy name=\"a \\ b\" mmlifetime=5");
    must(&w, "ipsec dynamic show mmpolicy all");
    assert_string_equal(w.run.out.s, "MM Policy Name           : a \\ b\n"
                                     "qmpermm                  : 1\n"
                                     "mmlifetime               : 5\n\n"
                                     "MM Policy Name           : c\n\n");
    assert_true(run_line(&w, "ipsec dynamic delete mmpolicy d") < 0);
    assert_string_equal(w.diag.message, "unknown mmpolicy 'd'");
    must(&w, "ipsec dynamic delete mmpolicy c");
    expect(&w, "delete", "dialect.mmpolicies=\"a \\\\ b\" \"1\" \"5\" \"\" \"\"\n");
    must(&w, "ipsec dynamic delete mmpolicy all");
    must(&w, "ipsec dynamic show mmpolicy");
    assert_string_equal(w.run.out.s, "No mmpolicy\n");
    world_done(&w);
}

static void test_config(void **state)
{
    static const struct {
        const char *line, *setting, *error, *note;
    } table[] = {
        {"ipsecexempt 0", "filter.exempt=0\n", NULL, "source port 88 bypasses every filter"},
        {"ipsecexempt 1", "filter.exempt=1\n", NULL, NULL},
        {"ipsecexempt 2", "filter.exempt=2\n", NULL, "source port 88 bypasses every filter"},
        {"property=ipsecexempt value=3", "filter.exempt=3\n", NULL, NULL},
        {"ipsecexempt 4", NULL, "ipsecexempt takes no '4'", NULL},
        {"ipsecexempt x", NULL, "ipsecexempt takes no 'x'", NULL},
        {"bootmode stateful", "boot.mode=stateful\n", NULL, NULL},
        {"bootmode Permit", "boot.mode=permit\n", NULL, NULL},
        {"bootmode open", NULL, "bootmode takes no 'open'", NULL},
        {"bootexemptions \"TCP:0:3389:inbound udp:0:53:outbound\"",
         "boot.exempt=in tcp/3389 from any, out udp/53 from any\n", NULL, NULL},
        {"bootexemptions none", "boot.exempt=\n", NULL, NULL},
        {"bootexemptions TCP:1024:3389:inbound", NULL,
         "an exemption by source port is not possible here", NULL},
        {"bootexemptions TCP:0:0:inbound", NULL, "bootexemptions takes no 'TCP:0:0:inbound'", NULL},
        {"bootexemptions ICMP:0:1:inbound", NULL, "bootexemptions takes no 'ICMP:0:1:inbound'",
         NULL},
        {"bootexemptions TCP:0:3389", NULL, "bootexemptions takes no 'TCP:0:3389'", NULL},
        {"ipsecdiagnostics 7", "dialect.ipsecdiagnostics=7\n", NULL, "is stored and has no effect"},
        {"ipsecdiagnostics 8", NULL, "ipsecdiagnostics takes no '8'", NULL},
        {"ikelogging 1", "dialect.ikelogging=1\n", NULL, "is stored and has no effect"},
        {"strongcrlcheck 2", "dialect.strongcrlcheck=2\n", NULL, "is stored and has no effect"},
        {"ipsecloginterval 60", "dialect.ipsecloginterval=60\n", NULL,
         "is stored and has no effect"},
        {"ipsecloginterval 59", NULL, "ipsecloginterval takes no '59'", NULL},
        {"unknown 1", NULL, "unknown property 'unknown'", NULL},
        {"ipsecexempt", NULL, "set config needs value=", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct world w;
        char line[256];
        world_init(&w);
        (void)snprintf(line, sizeof(line), "ipsec dynamic set config %s", table[i].line);
        int err = run_line(&w, line);
        if (table[i].error) {
            if (err == 0)
                fail_msg("%s: was not refused", line);
            assert_string_equal(w.diag.message, table[i].error);
        } else {
            if (err < 0)
                fail_msg("%s: %s", line, w.diag.message);
            expect(&w, line, table[i].setting);
            assert_string_equal(w.run.out.s, "Ok.\n");
            assert_int_equal(w.run.n_remarks, table[i].note != NULL);
            assert_true(!table[i].note || has_remark(&w, table[i].note));
        }
        world_done(&w);
    }
}

static void test_show(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec dynamic add rule any me protocol=tcp dstport=445" BLOCK);
    must(&w, "ipsec dynamic add rule 10.0.0.1 me mirrored=no" PERMIT);
    must(&w, "ipsec dynamic show rule");
    assert_non_null(strstr(w.run.out.s, "No. of dynamic filters : 2\n"));
    must(&w, "ipsec dynamic show rule all srcaddr=10.0.0.1");
    assert_non_null(strstr(w.run.out.s, "No. of dynamic filters : 1\n"));
    must(&w, "ipsec dynamic show rule actioninbound=block");
    assert_non_null(strstr(w.run.out.s, "No. of dynamic filters : 1\n"));
    must(&w, "ipsec dynamic show rule type=tunnel");
    assert_non_null(strstr(w.run.out.s, "No. of dynamic filters : 0\n"));
    must(&w, "ipsec dynamic show qmfilter all");
    assert_non_null(strstr(w.run.out.s, "Destination Port         : 445\n"));
    must(&w, "ipsec dynamic show config");
    assert_non_null(strstr(w.run.out.s, "ipsecexempt              : 3\n"));
    must(&w, "ipsec dynamic show all");
    assert_non_null(strstr(w.run.out.s, "bootmode                 : stateful\n"));
    must(&w, "ipsec dynamic show mmsas all");
    must(&w, "ipsec dynamic show qmsas");
    must(&w, "ipsec dynamic show stats");
    assert_non_null(strstr(w.run.out.s, "Filters in force         : 0\n"));
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves),       cmocka_unit_test(test_offline),
        cmocka_unit_test(test_delete),       cmocka_unit_test(test_delete_exact),
        cmocka_unit_test(test_set),          cmocka_unit_test(test_delete_all),
        cmocka_unit_test(test_known),        cmocka_unit_test(test_negotiate),
        cmocka_unit_test(test_ike_policies), cmocka_unit_test(test_config),
        cmocka_unit_test(test_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
