/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portward.conf: every key with every value, every kind of error with its place, and that a
 * text with an error changes nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/agent/config.h"

static struct agent_config parse_ok(const char *text)
{
    struct agent_config c;
    struct diag d = {0};
    agent_config_init(&c);
    int err = agent_config_parse("x.conf", text, strlen(text), &c, &d);
    if (err < 0)
        print_message("%s\n", d.message);
    assert_int_equal(err, 0);
    return c;
}

static void refused(const char *text, enum diag_code code, const char *message, const char *hint)
{
    struct agent_config c, before;
    struct diag d = {0};
    agent_config_init(&c);
    c.filter.exempt = 2;
    before = c;
    assert_true(agent_config_parse("x.conf", text, strlen(text), &c, &d) < 0);
    assert_string_equal(d.message, message);
    assert_int_equal(d.code, code);
    assert_non_null(strstr(d.hint, hint));
    assert_memory_equal(&c, &before, sizeof(c));
}

static void test_defaults(void **state _unused_)
{
    struct agent_config c = parse_ok("");
    assert_int_equal(c.filter.exempt, 3);
    assert_false(c.filter.masqueraded_pass);
    assert_false(c.filter.source_route_classify);
    assert_false(c.filter.dhcp_client_off);
    assert_false(c.filter.counters_off);
    assert_int_equal(c.filter.n_failsafe, 0);
    assert_int_equal(c.hook, HOOK_AUTO);
    assert_false(c.lost_on_stop);
}

static void test_log_and_scan(void **state _unused_)
{
    struct agent_config c = parse_ok("");
    assert_int_equal(c.log.max_kib, 4096);
    assert_true(!c.log.no_journal && !*c.log.json_file && !*c.log.pfirewall_file);
    assert_true(!c.scan.off && !c.scan.block_s && !c.scan.block_unproven);
    assert_true(c.scan.fast == 15 && c.scan.slow == 30 && c.scan.sweep == 15);
    c = parse_ok("[log]\njournal = off\njson-file = /var/log/x.json\npfirewall-file = /a\n"
                 "max-size = 64\n[scan]\ndetect = off\nfast = 3\nslow = 100\nsweep = 60\n"
                 "block = 1d\nblock-proven = no\nignore = 192.0.2.1, 2001:db8::/32 ,10.0.0.0/8\n");
    assert_true(c.log.no_journal && c.log.max_kib == 64);
    assert_string_equal(c.log.json_file, "/var/log/x.json");
    assert_true(c.scan.off && c.scan.block_unproven && c.scan.block_s == 86400);
    assert_true(c.scan.fast == 3 && c.scan.slow == 100 && c.scan.sweep == 60);
    assert_int_equal(c.scan.n_ignore, 3);
    assert_int_equal(c.scan.ignore[1].len, 32);
    refused("[scan]\nfast = 2\n", DIAG_SYNTAX, "x.conf:2: value '2' does not fit 'fast'",
            "3 to 100");
    refused("[scan]\nblock = 10\n", DIAG_SYNTAX, "x.conf:2: value '10' does not fit 'block'",
            "10s to 24h");
    refused("[scan]\nignore = 10.0.0.1/8\n", DIAG_SYNTAX,
            "x.conf:2: value '10.0.0.1/8' does not fit 'ignore'", "192.0.2.10");
    refused("[scan]\nignore = 10.0.0.1,\n", DIAG_SYNTAX,
            "x.conf:2: value '10.0.0.1,' does not fit 'ignore'", "192.0.2.10");
    refused("[log]\njson-file = drop.json\n", DIAG_SYNTAX,
            "x.conf:2: value 'drop.json' does not fit 'json-file'", "/var/log");
    refused("[log]\nmax-size = 1\n", DIAG_SYNTAX, "x.conf:2: value '1' does not fit 'max-size'",
            "64 to");
}

static void test_every_key(void **state _unused_)
{
    assert_int_equal(parse_ok("[filter]\nexempt = 0\n").filter.exempt, 0);
    assert_int_equal(parse_ok("[filter]\nexempt=1").filter.exempt, 1);
    assert_int_equal(parse_ok("[filter]\n\texempt\t=\t2\r\n").filter.exempt, 2);
    assert_true(parse_ok("[filter]\nmasqueraded = pass\n").filter.masqueraded_pass);
    assert_false(parse_ok("[filter]\nmasqueraded = judge\n").filter.masqueraded_pass);
    assert_true(parse_ok("[filter]\nsource-route = classify\n").filter.source_route_classify);
    assert_false(parse_ok("[filter]\nsource-route = drop\n").filter.source_route_classify);
    assert_true(parse_ok("[filter]\ndhcp-client = off\n").filter.dhcp_client_off);
    assert_false(parse_ok("[filter]\ndhcp-client = auto\n").filter.dhcp_client_off);
    assert_int_equal(parse_ok("[datapath]\nhook = tcx\n").hook, HOOK_TCX);
    assert_int_equal(parse_ok("[datapath]\nhook = clsact\n").hook, HOOK_CLSACT);
    assert_int_equal(parse_ok("[datapath]\nhook = auto\n").hook, HOOK_AUTO);
    assert_true(parse_ok("[datapath]\ncounters = off\n").filter.counters_off);
    assert_false(parse_ok("[datapath]\ncounters = on\n").filter.counters_off);
    assert_true(parse_ok("[dynamic]\nlost-on-stop = yes\n").lost_on_stop);
    assert_false(parse_ok("[dynamic]\nlost-on-stop = no\n").lost_on_stop);
}

static void test_failsafe(void **state _unused_)
{
    struct agent_config c = parse_ok("# comment\n; another\n\n[ safety ]\n"
                                     "failsafe = tcp/22 from 192.0.2.0/24, udp/53 from any\n");
    assert_int_equal(c.filter.n_failsafe, 2);
    assert_int_equal(c.filter.failsafe[0].port, 22);
    assert_int_equal(c.filter.failsafe[0].prefix_len, 24);
    assert_int_equal(c.filter.failsafe[1].family, FAMILY_ANY);
}

static void test_later_file_replaces(void **state _unused_)
{
    struct agent_config c = parse_ok("[safety]\nfailsafe = tcp/22 from any, tcp/23 from any\n"
                                     "[filter]\nexempt = 1\n");
    struct diag d = {0};
    const char *more = "[safety]\nfailsafe = tcp/2222 from 192.0.2.1\n";
    assert_int_equal(agent_config_parse("y.conf", more, strlen(more), &c, &d), 0);
    assert_int_equal(c.filter.n_failsafe, 1);
    assert_int_equal(c.filter.failsafe[0].port, 2222);
    assert_int_equal(c.filter.exempt, 1);
    const char *none = "[safety]\nfailsafe =\n";
    assert_int_equal(agent_config_parse("z.conf", none, strlen(none), &c, &d), 0);
    assert_int_equal(c.filter.n_failsafe, 0);
}

static void test_errors(void **state _unused_)
{
    refused("[filter]\n\nexmpt = 3\n", DIAG_UNKNOWN_WORD,
            "x.conf:3: unknown key 'exmpt' in [filter]",
            "exempt, masqueraded, source-route, dhcp-client");
    refused("[filters]\n", DIAG_UNKNOWN_WORD, "x.conf:1: unknown section [filters]", "[filter]");
    refused("[filter\n", DIAG_SYNTAX, "x.conf:1: section '[filter' does not end with ']'", "[");
    refused("exempt = 3\n", DIAG_SYNTAX, "x.conf:1: key 'exempt' stands before any section", "[");
    refused("[filter]\nexempt\n", DIAG_SYNTAX,
            "x.conf:2: 'exempt' is neither a section nor 'key = value'", "exempt = 3");
    refused("[filter]\nexempt = 4\n", DIAG_SYNTAX, "x.conf:2: value '4' does not fit 'exempt'",
            "exempt = 0|1|2|3");
    refused("[filter]\nexempt =\n", DIAG_SYNTAX, "x.conf:2: value '' does not fit 'exempt'",
            "exempt = ");
    refused("[filter]\nexempt = 3 # no\n", DIAG_SYNTAX,
            "x.conf:2: value '3 # no' does not fit 'exempt'", "exempt = ");
    refused("[filter]\nmasqueraded = 0|1\n", DIAG_SYNTAX,
            "x.conf:2: value '0|1' does not fit 'masqueraded'", "judge|pass");
    refused("[dynamic]\nlost-on-stop = true\n", DIAG_SYNTAX,
            "x.conf:2: value 'true' does not fit 'lost-on-stop'", "no|yes");
    refused("[filter]\nexempt = 3\nexempt = 3\n", DIAG_DUPLICATE,
            "x.conf:3: key 'exempt' is given twice in [filter]", "later file");
    refused("[filter]\nhook = tcx\n", DIAG_UNKNOWN_WORD, "x.conf:2: unknown key 'hook' in [filter]",
            "exempt");
}

static void test_profiles(void **state _unused_)
{
    struct agent_config c;
    struct diag d;
    struct config_value v;
    static const char first[] = "[profiles]\neth0 = private\nwg* = domain\n",
                      second[] = "[profiles]\neth0 = public\n";
    agent_config_init(&c);
    assert_int_equal(agent_config_parse("a.conf", first, strlen(first), &c, &d), 0);
    assert_int_equal(agent_config_parse("b.conf", second, strlen(second), &c, &d), 0);
    assert_int_equal(c.profiles.n, 2);
    assert_int_equal(profile_patterns_find(&c.profiles, "eth0"), PROFILE_PUBLIC);
    assert_int_equal(profile_patterns_find(&c.profiles, "wg7"), PROFILE_DOMAIN);
    assert_int_equal(profile_patterns_find(&c.profiles, "eth1"), PROFILE_NONE);
    assert_true(agent_config_value(&c, CONFIG_KEYS, &v));
    assert_string_equal(v.key, "profiles.eth0");
    assert_string_equal(v.value, "public");
    assert_string_equal(v.file, "b.conf");
    assert_int_equal(v.line, 2);
    assert_true(agent_config_value(&c, CONFIG_KEYS + 1, &v));
    assert_false(agent_config_value(&c, CONFIG_KEYS + 2, &v));
    refused("[profiles]\neth0 = work\n", DIAG_SYNTAX, "x.conf:2: value 'work' does not fit 'eth0'",
            "domain|private|public");
    refused("[profiles]\neth0 = public\neth0 = public\n", DIAG_DUPLICATE,
            "x.conf:3: 'eth0' is given twice in [profiles]", "later file");
    refused("[profiles]\neth[0] = public\n", DIAG_SYNTAX,
            "x.conf:2: 'eth[0]' is no name of an interface", "wg*");
    char many[65 * 24] = "[profiles]\n";
    for (unsigned i = 0; i <= LIMIT_PROFILE_PATTERNS; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "e%u = public\n", i);
    refused(many, DIAG_LIMIT, "x.conf:66: more than 64 entries in [profiles]", "");
}

/* The most exact name wins, of equals the stricter; the order is of no account. */
static void test_profile_patterns(void **state _unused_)
{
    static const struct profile_pattern v[] = {
        {"*", PROFILE_PRIVATE},   {"eth*", PROFILE_DOMAIN}, {"eth?", PROFILE_PUBLIC},
        {"et*", PROFILE_PRIVATE}, {"eth0", PROFILE_DOMAIN}, {"w**g", PROFILE_DOMAIN},
    };
    static const struct {
        const char *name;
        enum profile profile;
    } rows[] = {{"eth0", PROFILE_DOMAIN}, {"eth1", PROFILE_PUBLIC}, {"eth10", PROFILE_DOMAIN},
                {"etx", PROFILE_PRIVATE}, {"lo", PROFILE_PRIVATE},  {"wlang", PROFILE_DOMAIN},
                {"eth", PROFILE_DOMAIN},  {"*", PROFILE_PRIVATE}};
    for (unsigned turn = 0; turn < ARRAY_SIZE(v); turn++) {
        struct profile_patterns l = {.n = ARRAY_SIZE(v)};
        for (unsigned i = 0; i < ARRAY_SIZE(v); i++)
            l.v[i] = v[(i + turn) % ARRAY_SIZE(v)];
        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
            assert_int_equal(profile_patterns_find(&l, rows[i].name), rows[i].profile);
    }
}

/* [rpc] is text: what it means, and whether it means anything, is the business of confine.c. */
static void test_rpc(void **state _unused_)
{
    struct agent_config c;
    struct diag d;
    static const char text[] = "[rpc]\nports = 5021-5001\nconfine = a.service b.service\n"
                               "guard = no\n",
                      long_name[] = "[rpc]\nconfine = ";
    agent_config_init(&c);
    assert_null(agent_config_rpc(&c, "ports"));
    assert_int_equal(agent_config_parse("a.conf", text, strlen(text), &c, &d), 0);
    assert_string_equal(agent_config_rpc(&c, "ports"), "5021-5001");
    assert_string_equal(agent_config_rpc(&c, "confine"), "a.service b.service");
    assert_string_equal(agent_config_rpc(&c, "guard"), "no");
    assert_true(c.guard); /* that of [datapath] is another one */
    assert_null(agent_config_rpc(&c, "reserve"));
    assert_null(agent_config_rpc(&c, "none"));
    char big[CONFIG_RPC_BYTES + sizeof(long_name)];
    memset(big, 'x', sizeof(big));
    memcpy(big, long_name, sizeof(long_name) - 1);
    assert_int_equal(agent_config_parse("b.conf", big, sizeof(big) - 1, &c, &d), -E2BIG);
    assert_string_equal(agent_config_rpc(&c, "confine"), "a.service b.service");
}

static void test_later_versions(void **state _unused_)
{
    static const char *const sections[] = {"boot", "domain", "compat", "console"};
    static const char *const keys[][2] = {
        {"datapath", "raw-egress"},  {"datapath", "attach"},     {"safety", "confirm"},
        {"safety", "auto-confirm"},  {"safety", "confirm-from"}, {"safety", "management"},
        {"safety", "failsafe-lock"},
    };
    char text[128], message[160];
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        snprintf(text, sizeof(text), "[%s]\n", sections[i]);
        snprintf(message, sizeof(message),
                 "x.conf:1: section [%s] is not supported by this version", sections[i]);
        refused(text, DIAG_NOT_ENFORCED, message, "remove");
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        snprintf(text, sizeof(text), "[%s]\n%s = on\n", keys[i][0], keys[i][1]);
        snprintf(message, sizeof(message),
                 "x.conf:2: key '%s' in [%s] is not supported by this version", keys[i][1],
                 keys[i][0]);
        refused(text, DIAG_NOT_ENFORCED, message, "remove");
    }
}

static void test_failsafe_errors(void **state _unused_)
{
    struct agent_config c;
    struct diag d = {0};
    const char *text = "[filter]\nexempt = 1\n[safety]\nfailsafe = tcp/22\n";
    agent_config_init(&c);
    assert_true(agent_config_parse("x.conf", text, strlen(text), &c, &d) < 0);
    assert_memory_equal(d.message, "x.conf:4: ", 10);
    assert_int_equal(c.filter.exempt, 3);
}

static void test_nul_byte(void **state _unused_)
{
    struct agent_config c;
    struct diag d = {0};
    agent_config_init(&c);
    assert_true(agent_config_parse("x.conf", "[filter]\0\n", 10, &c, &d) < 0);
    assert_non_null(strstr(d.message, "NUL"));
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_files(void **state _unused_)
{
    char dir[] = "/tmp/pw-config-XXXXXX", path[256], sub[256];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/own.conf", dir);
    struct agent_options o = {.config = path, .vendor_dir = dir};
    struct agent_config c;
    struct diag d = {0};
    /* Neither exists: defaults; but a check of a file that is not there fails. */
    assert_int_equal(agent_config_load(&o, &d, &c), 0);
    assert_int_equal(c.filter.exempt, 3);
    assert_true(agent_check_config(&o, &d) < 0);
    assert_non_null(strstr(d.message, path));
    /* The vendor's values lie under the administrator's. */
    write_file(dir, "portward.conf", "[filter]\nexempt = 1\nmasqueraded = pass\n");
    write_file(dir, "own.conf", "[filter]\nexempt = 2\n");
    assert_int_equal(agent_config_load(&o, &d, &c), 0);
    assert_int_equal(c.filter.exempt, 2);
    assert_true(c.filter.masqueraded_pass);
    assert_int_equal(agent_check_config(&o, &d), 0);
    /* conf.d beside a named file is not ours. */
    snprintf(sub, sizeof(sub), "%s/conf.d", dir);
    assert_int_equal(mkdir(sub, 0700), 0);
    write_file(sub, "a.conf", "[nonsense]\n");
    assert_int_equal(agent_config_load(&o, &d, &c), 0);
    /* What cannot be read is an error, not a default. */
    o.config = sub;
    assert_true(agent_config_load(&o, &d, &c) < 0);
    assert_non_null(strstr(d.message, "cannot read configuration"));
    static const char *const names[] = {"conf.d/a.conf", "own.conf", "portward.conf"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(sub), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_log_and_scan),
        cmocka_unit_test(test_failsafe),
        cmocka_unit_test(test_later_file_replaces),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_profile_patterns),
        cmocka_unit_test(test_rpc),
        cmocka_unit_test(test_later_versions),
        cmocka_unit_test(test_failsafe_errors),
        cmocka_unit_test(test_nul_byte),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
