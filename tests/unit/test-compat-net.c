/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net, secedit and gpupdate: every form of their words, what they print, and what they leave for
 * the front to do. */
#include "compat-host.h"

static char policies[] = "policy \"P\" { rule \"R\" { } }\npolicy \"Keep\" { rule \"K\" { } }\n";

struct tool_case {
    tool_fn *tool;
    const char *words, *out; /* squeezed; NULL = refused */
    enum tool_after after;
    unsigned notes;
    /* of what is refused */
    enum diag_code code;
    const char *message, *at;
};

static void run_case(const struct tool_case *c, bool running)
{
    struct fake_host h = {.err = running ? 0 : -ENOTCONN};
    struct fake_run x;
    char words[256], got[4096];
    (void)snprintf(words, sizeof(words), "%s", c->words);
    fake_start(&x, &h);
    fake_call(&x, c->tool, words);
    squeeze(x.t.out.s ? x.t.out.s : "", got, sizeof(got));
    if (c->out) {
        if (x.r < 0 || strcmp(got, c->out) != 0)
            fail_msg("'%s': %s; '%s'", c->words, x.d.message, got);
        assert_int_equal(x.t.after, c->after);
        if (x.t.n_remarks != c->notes)
            fail_msg("'%s': %zu remarks", c->words, x.t.n_remarks);
    } else {
        if (x.r >= 0 || x.d.code != c->code || strcmp(x.d.message, c->message) != 0)
            fail_msg("'%s': %d %d '%s'", c->words, x.r, x.d.code, x.d.message);
        assert_true(x.d.hint[0] != '\0' || x.d.code == DIAG_AGENT);
        assert_int_equal(x.d.n_spans, c->at != NULL);
        if (c->at) {
            assert_int_equal(x.d.span[0].len, strlen(c->at));
            assert_memory_equal(x.t.word + x.d.span[0].offset, c->at, strlen(c->at));
        }
        assert_int_equal(x.t.after, AFTER_NOTHING);
        assert_null(x.t.out.s);
        assert_false(x.catalog.flush);
    }
    fake_done(&x);
}

#define STOPPED(name) \
    "The " name " service is stopping. The " name " service was stopped successfully."
#define STARTED(name) \
    "The " name " service is starting. The " name " service was started successfully."
#define ALREADY "The requested service has already been started."

static void test_net(void **state)
{
    (void)state;
    static const struct tool_case running[] = {
        {tool_net, "stop|policyagent", STOPPED("IPSEC Services"), AFTER_STOP_AGENT, 0, 0, 0, 0},
        {tool_net, "STOP|PolicyAgent", STOPPED("IPSEC Services"), AFTER_STOP_AGENT, 0, 0, 0, 0},
        {tool_net, "stop|POLICYAGENT|/y", STOPPED("IPSEC Services"), AFTER_STOP_AGENT, 0, 0, 0, 0},
        {tool_net, "stop|/Y|policyagent", STOPPED("IPSEC Services"), AFTER_STOP_AGENT, 0, 0, 0, 0},
        {tool_net, "stop|IPSEC Services", STOPPED("IPSEC Services"), AFTER_STOP_AGENT, 0, 0, 0, 0},
        {tool_net, "stop|ipsec services", STOPPED("IPSEC Services"), AFTER_STOP_AGENT, 0, 0, 0, 0},
        {tool_net, "stop|IPSEC Policy Agent", STOPPED("IPSEC Services"), AFTER_STOP_AGENT, 0, 0, 0,
         0},
        {tool_net, "stop|IPsec Policy Agent", STOPPED("IPSEC Services"), AFTER_STOP_AGENT, 0, 0, 0,
         0},
        {tool_net, "start|policyagent", ALREADY, AFTER_NOTHING, 1, 0, 0, 0},
        {tool_net, "start",
         "These Windows services are started: IPSEC Services The command "
         "completed successfully.",
         AFTER_NOTHING, 0, 0, 0, 0},
    };
    static const struct tool_case stopped[] = {
        {tool_net, "start|policyagent", STARTED("IPSEC Services"), AFTER_START_AGENT, 0, 0, 0, 0},
        {tool_net, "Start|IPSEC Services", STARTED("IPSEC Services"), AFTER_START_AGENT, 0, 0, 0,
         0},
        {tool_net, "start",
         "These Windows services are started: The command completed successfully.", AFTER_NOTHING,
         0, 0, 0, 0},
        {tool_net, "stop|policyagent", NULL, 0, 0, DIAG_AGENT, "the agent is not running", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(running); i++)
        run_case(&running[i], true);
    for (size_t i = 0; i < ARRAY_SIZE(stopped); i++)
        run_case(&stopped[i], false);
}

static void test_net_refused(void **state)
{
    (void)state;
    static const struct tool_case cases[] = {
        {tool_net, "", NULL, 0, 0, DIAG_USAGE, "say what to do", NULL},
        {tool_net, "stop", NULL, 0, 0, DIAG_USAGE, "say which service", NULL},
        {tool_net, "stop|/y", NULL, 0, 0, DIAG_USAGE, "say which service", NULL},
        {tool_net, "stop|spooler", NULL, 0, 0, DIAG_UNKNOWN_OBJECT,
         "not a portward service: 'spooler'", "spooler"},
        {tool_net, "start|Server", NULL, 0, 0, DIAG_UNKNOWN_OBJECT,
         "not a portward service: 'Server'", "Server"},
        {tool_net, "stop|IPSEC|Services", NULL, 0, 0, DIAG_USAGE, "unknown word 'Services'",
         "Services"},
        {tool_net, "stop|policyagents", NULL, 0, 0, DIAG_UNKNOWN_OBJECT,
         "not a portward service: 'policyagents'", "policyagents"},
        {tool_net, "pause|policyagent", NULL, 0, 0, DIAG_USAGE, "unknown word 'pause'", "pause"},
        {tool_net, "use|x:", NULL, 0, 0, DIAG_USAGE, "unknown word 'use'", "use"},
        {tool_net, "stop|policyagent|now", NULL, 0, 0, DIAG_USAGE, "unknown word 'now'", "now"},
        {tool_net, "stop|policyagent|/force", NULL, 0, 0, DIAG_USAGE, "unknown switch '/force'",
         "/force"},
        {tool_net, "policyagent", NULL, 0, 0, DIAG_USAGE, "unknown word 'policyagent'",
         "policyagent"},
        {tool_net, "stop|policyagent|/y:1", NULL, 0, 0, DIAG_USAGE, "'/y' takes no value", ":1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        run_case(&cases[i], true);
}

static void test_personas(void **state)
{
    (void)state;
    static const char *const names[_PERSONA_MAX] = {
        [PERSONA_2000] = "IPSEC Policy Agent",
        [PERSONA_XP] = "IPSEC Services",
        [PERSONA_2003] = "IPSEC Services",
        [PERSONA_2008] = "IPsec Policy Agent",
    };
    for (int p = 0; p < _PERSONA_MAX; p++) {
        struct fake_host h = {0};
        struct fake_run x;
        char words[] = "stop|policyagent", expected[256];
        fake_start(&x, &h);
        x.t.persona = (enum persona)p;
        fake_call(&x, tool_net, words);
        assert_int_equal(x.r, 0);
        (void)snprintf(expected, sizeof(expected),
                       "The %s service is stopping.\nThe %s service was stopped successfully.\n",
                       names[p], names[p]);
        assert_string_equal(x.t.out.s, expected);
        fake_done(&x);
    }
}

/* What opens is named, and nothing that a policy blocks as well. */
static void test_opens(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct fake_filter filters[6];
        const char *local, *persistent, *remarks; /* separated by | */
    } cases[] = {
        {"one block",
         {{"d1", "block in udp from any to me port 1434", NULL, NULL, "dynamic"}},
         NULL,
         NULL,
         "no longer blocked: udp from any to me port 1434|"},
        {"blocked by a policy as well",
         {{"d1", "block in udp from any to me port 1434", NULL, NULL, "dynamic"},
          {"s1", "block in udp from any to me port 1434", "P", "R", "local"}},
         "P",
         NULL,
         "local policy 'P' stays in force without the agent|"},
        {"in part",
         {{"d1", "block in udp from any to me port 1434-1435", NULL, NULL, "dynamic"},
          {"p1", "block in udp from any to me port 1434", "Keep", "K", "persistent"}},
         NULL,
         "Keep",
         "no longer blocked: udp from any to me port 1435|persistent policy 'Keep' stays in force "
         "without the agent|"},
        {"a permit ends, too",
         {{"d1", "permit in udp from 10.0.0.1 to me port 1434", NULL, NULL, "dynamic"},
          {"s1", "block in udp from any to me port 1434", "P", "R", "local"}},
         "P",
         NULL,
         "no longer permitted: udp from 10.0.0.1 to me port 1434|local policy 'P' stays in force "
         "without the agent|"},
        {"what was denied in the clear is blocked now",
         {{"d1", "permit inpass in tcp from any to me port 77", NULL, NULL, "dynamic"},
          {"s1", "block in tcp from any port 26 to me", "P", "R", "local"}},
         "P",
         NULL,
         "no longer blocked: tcp from any port 0-25,27-65535 to me port 77|local policy 'P' stays "
         "in force without the agent|"},
        {"what was blocked is denied in the clear now",
         {{"d1", "block in tcp from any to me port 77", NULL, NULL, "dynamic"},
          {"s1", "negotiate in from any to me", "P", "R", "local"}},
         "P",
         NULL,
         "local policy 'P' stays in force without the agent|"},
        {"a name",
         {{"d1", "block out from me to host.example", NULL, NULL, "dynamic"}},
         NULL,
         NULL,
         "no longer in force: block out from me to host.example|"},
        {"no dynamic filter",
         {{"s1", "block in from any to me", "P", "R", "local"}},
         "P",
         NULL,
         "local policy 'P' stays in force without the agent|"},
        {"nothing", {{0}}, NULL, NULL, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fake_host h = {.filters = cases[i].filters,
                              .local = cases[i].local,
                              .persistent = cases[i].persistent,
                              .policies = policies};
        struct fake_run x;
        char words[] = "stop|policyagent", got[2048] = "";
        fake_start(&x, &h);
        fake_call(&x, tool_net, words);
        if (x.r < 0)
            fail_msg("%s: %s", cases[i].what, x.d.message);
        for (size_t k = 0; k < x.t.n_remarks; k++) {
            assert_int_equal(x.t.remarks[k].kind, NOTE);
            strcat(got, x.t.remarks[k].text);
            strcat(got, "|");
        }
        if (strcmp(got, cases[i].remarks) != 0)
            fail_msg("%s: '%s'", cases[i].what, got);
        assert_true(x.catalog.flush);
        assert_int_equal(x.t.after, AFTER_STOP_AGENT);
        fake_done(&x);
    }
}

#define PROPAGATION                                                                          \
    "Group policy propagation from the domain has been initiated for this computer. It may " \
    "take a few minutes for the propagation to complete and the new policy to take effect. " \
    "Please check Application Log for errors, if any."

static void test_secedit(void **state)
{
    (void)state;
    static const struct tool_case cases[] = {
        {tool_secedit, "/refreshpolicy|machine_policy", PROPAGATION, 0, 1, 0, 0, 0},
        {tool_secedit, "/REFRESHPOLICY|MACHINE_POLICY", PROPAGATION, 0, 1, 0, 0, 0},
        {tool_secedit, "-refreshpolicy|machine_policy", PROPAGATION, 0, 1, 0, 0, 0},
        {tool_secedit, "/refreshpolicy|machine_policy|/enforce", PROPAGATION, 0, 1, 0, 0, 0},
        {tool_secedit, "/refreshpolicy|user_policy", PROPAGATION, 0, 1, 0, 0, 0},
        {tool_secedit, "/refreshpolicy|user_policy|/enforce", PROPAGATION, 0, 1, 0, 0, 0},
        {tool_secedit, "\xe2\x80\x93refreshpolicy|machine_policy", PROPAGATION, 0, 2, 0, 0, 0},
        {tool_secedit, "", NULL, 0, 0, DIAG_USAGE, "only /refreshpolicy is known here", NULL},
        {tool_secedit, "/enforce", NULL, 0, 0, DIAG_USAGE, "only /refreshpolicy is known here",
         NULL},
        {tool_secedit, "/refreshpolicy", NULL, 0, 0, DIAG_USAGE,
         "say which policy: machine_policy or user_policy", NULL},
        {tool_secedit, "/refreshpolicy|machine", NULL, 0, 0, DIAG_USAGE, "unknown word 'machine'",
         "machine"},
        {tool_secedit, "/refreshpolicy|machine_policy|user_policy", NULL, 0, 0, DIAG_USAGE,
         "unknown word 'user_policy'", "user_policy"},
        {tool_secedit, "machine_policy|/refreshpolicy", NULL, 0, 0, DIAG_USAGE,
         "unknown word 'machine_policy'", "machine_policy"},
        {tool_secedit, "/configure|/db|x", NULL, 0, 0, DIAG_USAGE, "unknown switch '/configure'",
         "/configure"},
        {tool_secedit, "/refreshpolicy:machine_policy", NULL, 0, 0, DIAG_USAGE,
         "'/refreshpolicy' takes no value", ":machine_policy"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        run_case(&cases[i], true);
}

#define BOTH                                                                               \
    "Refreshing Policy... User Policy Refresh has completed. Computer Policy Refresh has " \
    "completed. To check for errors in policy processing, review the event log."
#define COMPUTER                                                                                 \
    "Refreshing Policy... Computer Policy Refresh has completed. To check for errors in policy " \
    "processing, review the event log."
#define USER                                                                                 \
    "Refreshing Policy... User Policy Refresh has completed. To check for errors in policy " \
    "processing, review the event log."

static void test_gpupdate(void **state)
{
    (void)state;
    static const struct tool_case cases[] = {
        {tool_gpupdate, "", BOTH, 0, 2, 0, 0, 0},
        {tool_gpupdate, "/force", BOTH, 0, 2, 0, 0, 0},
        {tool_gpupdate, "/target:computer", COMPUTER, 0, 1, 0, 0, 0},
        {tool_gpupdate, "/Target:Computer|/Force", COMPUTER, 0, 1, 0, 0, 0},
        {tool_gpupdate, "/target:|computer", COMPUTER, 0, 2, 0, 0, 0},
        {tool_gpupdate, "/target:computer/force", COMPUTER, 0, 2, 0, 0, 0},
        {tool_gpupdate, "/target:user", USER, 0, 1, 0, 0, 0},
        {tool_gpupdate, "/wait:0", BOTH, 0, 3, 0, 0, 0},
        {tool_gpupdate, "/wait:-1", BOTH, 0, 3, 0, 0, 0},
        {tool_gpupdate, "/logoff|/boot|/sync", BOTH, 0, 5, 0, 0, 0},
        {tool_gpupdate, "/target:everybody", NULL, 0, 0, DIAG_USAGE,
         "a target is computer or user, not 'everybody'", "everybody"},
        {tool_gpupdate, "/target", NULL, 0, 0, DIAG_USAGE, "'/target' needs a value", "/target"},
        {tool_gpupdate, "/wait:soon", NULL, 0, 0, DIAG_USAGE,
         "a number of seconds or -1 is wanted, not 'soon'", "soon"},
        {tool_gpupdate, "/wait:-2", NULL, 0, 0, DIAG_USAGE,
         "a number of seconds or -1 is wanted, not '-2'", "-2"},
        {tool_gpupdate, "/wait:9999999999", NULL, 0, 0, DIAG_USAGE,
         "a number of seconds or -1 is wanted, not '9999999999'", "9999999999"},
        {tool_gpupdate, "/force:1", NULL, 0, 0, DIAG_USAGE, "'/force' takes no value", ":1"},
        {tool_gpupdate, "now", NULL, 0, 0, DIAG_USAGE, "unknown word 'now'", "now"},
        {tool_gpupdate, "/now", NULL, 0, 0, DIAG_USAGE, "unknown switch '/now'", "/now"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        run_case(&cases[i], true);
}

static void test_no_domain(void **state)
{
    (void)state;
    static const struct {
        tool_fn *tool;
        const char *words;
    } cases[] = {{tool_secedit, "/refreshpolicy|machine_policy"},
                 {tool_gpupdate, "/target:computer"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fake_host h = {0};
        struct fake_run x;
        char words[64];
        (void)snprintf(words, sizeof(words), "%s", cases[i].words);
        fake_start(&x, &h);
        x.t.host = NULL; /* nobody is asked */
        fake_call(&x, cases[i].tool, words);
        assert_int_equal(x.r, 0);
        assert_int_equal(x.t.exit, 0);
        assert_int_equal(x.t.n_remarks, 1);
        assert_int_equal(x.t.remarks[0].kind, NOTE);
        assert_string_equal(x.t.remarks[0].text, "no domain configured: nothing to refresh");
        fake_done(&x);
    }
}

static void test_help(void **state)
{
    (void)state;
    static const struct {
        tool_fn *tool;
        const char *words, *help;
    } cases[] = {
        {tool_net, "/?", tool_net_help},           {tool_net, "-?", tool_net_help},
        {tool_net, "help", tool_net_help},         {tool_net, "stop|/?", tool_net_help},
        {tool_secedit, "/?", tool_secedit_help},   {tool_gpupdate, "/?", tool_gpupdate_help},
        {tool_gpupdate, "-?", tool_gpupdate_help},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fake_host h = {.err = -ENOTCONN};
        struct fake_run x;
        char words[64];
        (void)snprintf(words, sizeof(words), "%s", cases[i].words);
        fake_start(&x, &h);
        fake_call(&x, cases[i].tool, words);
        assert_int_equal(x.r, 0);
        assert_string_equal(x.t.out.s, cases[i].help);
        assert_int_equal(x.t.after, AFTER_NOTHING);
        for (const char *p = cases[i].help; *p; p += strcspn(p, "\n") + 1)
            assert_true(strcspn(p, "\n") <= 80);
        fake_done(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net),       cmocka_unit_test(test_net_refused),
        cmocka_unit_test(test_personas),  cmocka_unit_test(test_opens),
        cmocka_unit_test(test_secedit),   cmocka_unit_test(test_gpupdate),
        cmocka_unit_test(test_no_domain), cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
