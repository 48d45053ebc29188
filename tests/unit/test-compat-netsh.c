/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test-compat-netsh.c: scripts of netsh, kept batches, files, and the way back.
 * Invariant under test: a script is one change or none, and what is written as a script makes the
 * same again. */
#include <libgen.h>

#include "../../src/compat/convert_internal.h"
#include "compat/convert.h"
#include "netsh-help.h"

/* A file beside the packet tests, found from this one. */
static char *read_data(const char *name)
{
    char here[] = __FILE__, path[4096];
    char *text = calloc(1, 65536);
    (void)snprintf(path, sizeof(path), "%s/../netns/data/%s", dirname(here), name);
    FILE *f = fopen(path, "re");
    if (!f)
        fail_msg("%s cannot be read", path);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, f) > 0);
    (void)fclose(f);
    return text;
}

/* Canonical text of the policy in a native file. */
static char *native_text(const char *text)
{
    struct diag_list dl = {0};
    struct policy_list list = {0};
    struct strbuf out = STRBUF_INIT(1024 * 1024);
    if (text_parse_policies(text, strlen(text), &dl, &list) < 0)
        fail_msg("%u: %s", dl.d[0].span[0].line, dl.d[0].message);
    assert_int_equal(list.n, 1);
    assert_int_equal(text_print_policy(list.v[0], &out), 0);
    policy_list_done(&list);
    return strbuf_take(&out);
}

static void test_forty_commands(void **state)
{
    struct world w;
    char *script = read_data("netsh-40.netsh"), *native = read_data("netsh-40.pw");
    (void)state;
    world_init(&w);
    size_t n_commands = 0;
    for (const char *s = script; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL)
        n_commands += *s != '#' && *s != '\n';
    assert_true(n_commands >= 40);
    if (run_script(&w, script) < 0)
        fail_msg("%s", w.diag.message);
    char *want = native_text(native), *have = catalog_text(&w);
    char *expected = calloc(1, strlen(want) + 64);
    assert_non_null(expected);
    (void)sprintf(expected, "%sassigned 0 Office server\n", want);
    assert_string_equal(have, expected);
    free(expected);
    free(want);
    free(have);
    free(script);
    free(native);
    world_done(&w);
}

static void test_contexts(void **state)
{
    struct world w;
    struct filter_list *l;
    (void)state;
    world_init(&w);
    /* A bare context line holds for the next lines; a full line does not change it. */
    assert_int_equal(run_script(&w, "ipsec static\n"
                                    "add filterlist a\n"
                                    "ipsec dynamic set config ipsecexempt 3\n"
                                    "add filterlist b\r\n"
                                    "\n   # a comment\n"
                                    "dynamic set config bootmode block\n"
                                    "pushd ipsec dynamic\n"
                                    "set config strongcrlcheck 0\n"
                                    "popd\n"
                                    "  add filterlist c\t\n"
                                    "..\n"
                                    "static add filterlist d\n"
                                    "netsh ipsec static add filterlist e"),
                     0);
    for (const char *name = "a\0b\0c\0d\0e\0"; *name; name += 2)
        assert_int_equal(catalog_list(&w.catalog, name, NULL, &l), 0);
    char *text = catalog_text(&w);
    assert_string_equal(text, "filter.exempt=3\nboot.mode=block\ndialect.strongcrlcheck=0\n");
    free(text);
    assert_int_equal(run_script(&w, "\xef\xbb\xbfipsec static add filterlist bom\n"), 0);
    world_done(&w);
}

static void test_first_error(void **state)
{
    static const struct {
        const char *script, *error;
    } bad[] = {
        {"ipsec static\nadd filterlist a\nadd filterlist a\nwrong",
         "script:3: filter list 'a' exists already"},
        {"popd", "script:1: popd without pushd"},
        {"pushd ipsec static\npushd nowhere", "script:2: unknown command 'nowhere'"},
        {"pushd ipsec static add filterlist a", "script:1: pushd takes a context"},
        {"\n\n\nadd filterlist a", "script:4: unknown context 'add'"},
        {"exec", "script:1: exec takes one file"},
        {"ipsec static add filterlist \x80", "script:1: the line is not UTF-8 text"},
        {"ipsec static add policy \"\"", NULL},
        {"ipsec static\nadd policy P\nadd rule R P none none",
         "script:3: unknown filter list 'none'"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct world w;
        world_init(&w);
        assert_true(run_script(&w, bad[i].script) < 0);
        if (bad[i].error)
            assert_string_equal(w.diag.message, bad[i].error);
        assert_int_equal(strncmp(w.run.out.s, "ERR ", 4), 0);
        world_done(&w);
    }
    /* A script that runs itself ends. */
    struct world w;
    world_init(&w);
    assert_true(run_script(&w, "exec script") < 0);
    assert_non_null(strstr(w.diag.message, "scripts run scripts 8 deep"));
    world_done(&w);
}

static void test_exec(void **state)
{
    struct world w;
    struct filter_list *l;
    (void)state;
    world_init(&w);
    set_file(&w, "ipsec static add filterlist from-file\n");
    must(&w, "exec script");
    assert_int_equal(catalog_list(&w.catalog, "from-file", NULL, &l), 0);
    world_done(&w);
}

/* --- set batch --- */

static void test_batch(void **state)
{
    struct world w;
    struct filter_list *l;
    struct policy *p;
    (void)state;
    world_init(&w);
    must(&w, "ipsec static set batch mode=enable");
    must(&w, "ipsec static add filterlist name=\"two words\"");
    assert_true(has_remark(&w, "kept until"));
    must(&w, "ipsec static add filter \"two words\" any me description=\"a b\" protocol = tcp");
    must(&w, "ipsec static add policy P");
    assert_int_equal(catalog_list(&w.catalog, "two words", NULL, &l), -ENOENT);
    /* A wrong line is refused at once and not kept. */
    assert_true(run_line(&w, "ipsec static add filter wrong=1") < 0);
    must(&w, "ipsec static show store");
    must(&w, "ipsec static set batch mode=disable");
    assert_int_equal(catalog_list(&w.catalog, "two words", NULL, &l), 0);
    assert_int_equal(l->n_filters, 1);
    assert_string_equal(l->filters[0].description, "a b");
    assert_int_equal(l->filters[0].proto, PROTO_TCP);
    assert_int_equal(catalog_policy(&w.catalog, "P", NULL, &p), 0);
    assert_null(w.session[1]);
    must(&w, "ipsec static set batch mode=disable");
    assert_true(has_remark(&w, "set batch is not enabled"));
    world_done(&w);
}

/* Lines of a script are kept, too, and a failed script keeps none of its lines. */
static void test_batch_script(void **state)
{
    struct world w;
    struct filter_list *l;
    (void)state;
    world_init(&w);
    must(&w, "ipsec static set batch enable");
    assert_int_equal(run_script(&w, "ipsec static\nadd filterlist a\nadd filterlist b\n"), 0);
    assert_true(run_script(&w, "ipsec static\nadd filterlist c\nwrong\n") < 0);
    assert_string_equal(w.session[1], "# set batch\n"
                                      "ipsec static add filterlist name=\"a\"\n"
                                      "ipsec static add filterlist name=\"b\"\n");
    assert_int_equal(run_script(&w, "ipsec static\nadd filterlist d\nset batch disable\n"), 0);
    for (const char *name = "a\0b\0d\0"; *name; name += 2)
        assert_int_equal(catalog_list(&w.catalog, name, NULL, &l), 0);
    assert_int_equal(catalog_list(&w.catalog, "c", NULL, &l), -ENOENT);
    assert_null(w.session[1]);
    world_done(&w);
}

/* What cannot be run stays kept. */
static void test_batch_refused(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec static set batch enable");
    must(&w, "ipsec static add filterlist a");
    must(&w, "ipsec static add filterlist a");
    assert_true(run_line(&w, "ipsec static set batch disable") < 0);
    assert_string_equal(w.diag.message, "set batch:3: filter list 'a' exists already");
    assert_non_null(w.session[1]);
    world_done(&w);
}

/* --- files --- */

static void test_export(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    assert_true(run_line(&w, "ipsec static exportpolicy out.txt") < 0);
    assert_int_equal(strncmp(w.run.out.s, "ERR IPsec [05072] : ", 20), 0);
    must(&w, "ipsec static add policy P");
    must(&w, "ipsec static exportpolicy file=out.netsh");
    assert_string_equal(w.written_name, "out.netsh");
    assert_non_null(strstr(w.written, "add policy name=\"P\"\n"));
    world_done(&w);
}

/* A second catalog made by the script of the first one. */
static void import_into(struct world *w, const char *script)
{
    struct convert_options o = {.file = "script"};
    world_init(w);
    tool_run_init(&w->run, &w->catalog, NULL);
    w->has_run = true;
    if (convert_read_netsh(&w->run, script, strlen(script), &o, &w->diag) < 0)
        fail_msg("%s\n%s", w->diag.message, script);
}

static void test_dump_makes_it_again(void **state)
{
    struct world w, again;
    char *script = read_data("netsh-40.netsh");
    (void)state;
    world_init(&w);
    assert_int_equal(run_script(&w, script), 0);
    must(&w, "ipsec static add filteraction name=Secure action=negotiate qmpfs=y soft=y "
             "qmsecmethods=\"ESP[3DES,SHA1]:50000k/900s ESP[DES,MD5]\"");
    must(&w, "ipsec static add filteraction name=Pass inpass=y");
    must(&w, "ipsec static add filterlist empty");
    must(&w, "ipsec static add policy name=Other mmpfs=y qmpermm=3 mmlifetime=60 "
             "activatedefaultrule=y mmsecmethods=3DES-SHA1-2");
    must(&w, "ipsec static add rule R1 Other empty Secure conntype=lan tunnel=192.0.2.1 "
             "rootca=\"CN=\\'X\\'\" kerberos=y");
    must(&w, "ipsec static add rule R2 Other Ping Pass");
    must(&w, "ipsec static set defaultrule Other qmpfs=n qmsec=AH[MD5] kerberos=y");
    must(&w, "ipsec static dump");
    assert_false(w.run.partly);
    char *dump = strdup(w.run.out.s);
    import_into(&again, dump);
    char *have = catalog_text(&again), *want = catalog_text(&w);
    assert_string_equal(have, want);
    free(have);
    free(want);
    /* And on top of itself: it begins with delete all. */
    assert_int_equal(run_script(&w, dump), 0);
    must(&w, "ipsec static dump");
    assert_string_equal(w.run.out.s, dump);
    free(dump);
    free(script);
    world_done(&w);
    world_done(&again);
}

/* Native rules have no list: the writer makes one for each action. */
static const char native[] = "policy \"N\" local-permits yes {\n"
                             "    rule \"Mixed\" {\n"
                             "        block in tcp from any to me port 5001-5005\n"
                             "        permit in tcp from 10.0.0.0/8 to me port 80,443\n"
                             "        block in udp from 0.0.0.0/0 to me port 53 log\n"
                             "        block in from ::/0 to me override\n"
                             "    }\n"
                             "    rule \"Lost\" {\n"
                             "        permit out udp from me to any port 53 keep state\n"
                             "        block in icmp type 8 from any to me\n"
                             "        block in tcp from any to me port 1 on eth0\n"
                             "        block in tcp from any to me port 2 profile public\n"
                             "        block in tcp from any to me port 1000-3000\n"
                             "        block in tcp from any to me port 700-710\n"
                             "        permit in tcp from any to me port 705\n"
                             "    }\n"
                             "    inactive rule \"Empty\" { }\n"
                             "}\n";
static const char written[] =
    "policy \"N\" {\n"
    "    rule \"Mixed\" attribute filterlist \"N: Mixed\" attribute filteraction \"N: block\" {\n"
    "        block in tcp from any to me port 5001\n"
    "        block in tcp from any to me port 5002\n"
    "        block in tcp from any to me port 5003\n"
    "        block in tcp from any to me port 5004\n"
    "        block in tcp from any to me port 5005\n"
    "        block in udp from 0.0.0.0/0 to me port 53\n"
    "        block in from ::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff to me\n"
    "    }\n"
    "    rule \"Mixed (2)\" attribute filterlist \"N: Mixed 2\" attribute filteraction \"N: permit\" {\n"
    "        permit in tcp from 10.0.0.0/8 to me port 80\n"
    "        permit in tcp from 10.0.0.0/8 to me port 443\n"
    "    }\n"
    "    rule \"Lost\" attribute filterlist \"N: Lost\" attribute filteraction \"N: permit\" permit in tcp from any to me port 705\n"
    "    rule \"Lost (3)\" attribute filterlist \"N: Lost 2\" attribute filteraction \"N: block\" { }\n"
    "    inactive rule \"Empty\" attribute filterlist \"N: Empty\" attribute filteraction \"N: block\" { }\n"
    "}\n";

/* Single ports weigh more than ranges: the first one would win at port 1, which is permitted. */
static const char inpass_range[] = "policy \"N\" {\n"
                                   "    rule \"A\" permit inpass out dccp from me to any port 1-4\n"
                                   "    rule \"B\" permit out dccp from me to any port 1\n"
                                   "}\n";

static void load_native(struct world *w, const char *text)
{
    struct diag_list dl = {0};
    struct policy_list list = {0};
    struct policy *p;
    bool made, replaced;
    if (text_parse_policies(text, strlen(text), &dl, &list) < 0)
        fail_msg("%u: %s", dl.d[0].span[0].line, dl.d[0].message);
    assert_int_equal(catalog_policy_make(&w->catalog, list.v[0]->name, NULL, &p, &made), 0);
    p->local_permits = list.v[0]->local_permits;
    while (list.v[0]->n_rules > 0) {
        struct rule r = list.v[0]->rules[0];
        rule_init(&list.v[0]->rules[0]);
        policy_remove_rule(list.v[0], 0);
        assert_int_equal(catalog_rule_put(&w->catalog, p, &r, NULL, &replaced), 0);
    }
    policy_list_done(&list);
}

static bool has_loss(const struct convert_losses *l, const char *part)
{
    for (size_t i = 0; i < l->n; i++)
        if (strstr(l->v[i], part))
            return true;
    return false;
}

static void test_range_beside_inpass(void **state)
{
    struct world w;
    struct policy *p;
    struct strbuf out = STRBUF_INIT(1024 * 1024);
    struct convert_losses losses = {0};
    (void)state;
    world_init(&w);
    load_native(&w, inpass_range);
    assert_int_equal(catalog_policy(&w.catalog, "N", NULL, &p), 0);
    assert_int_equal(convert_write_netsh(&w.catalog, p, false, &out, &losses), 0);
    assert_int_equal(losses.n, 1);
    assert_true(has_loss(&losses, "left out (port range): permit inpass out dccp"));
    strbuf_done(&out);
    convert_losses_done(&losses);
    world_done(&w);
}

static void test_losses(void **state)
{
    static const char *const parts[] = {
        "without local-permits",
        "without log: block in udp from 0.0.0.0/0",
        "without override: block in from ::/0",
        "left out (keep state): permit out udp",
        "left out (ICMP type): block in icmp type 8",
        "left out (interface): block in tcp from any to me port 1 on eth0",
        "left out (profile): block in tcp from any to me port 2 profile public",
        "left out (more than 1024 ports): block in tcp from any to me port 1000-3000",
        "left out (port range): block in tcp from any to me port 700-710",
    };
    struct world w, again;
    struct policy *p;
    struct strbuf out = STRBUF_INIT(1024 * 1024);
    struct convert_losses losses = {0};
    (void)state;
    world_init(&w);
    load_native(&w, native);
    assert_int_equal(catalog_policy(&w.catalog, "N", NULL, &p), 0);
    assert_int_equal(convert_write_netsh(&w.catalog, p, false, &out, &losses), 0);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (!has_loss(&losses, parts[i]))
            fail_msg("not listed: %s", parts[i]);
    assert_int_equal(losses.n, ARRAY_SIZE(parts));
    import_into(&again, out.s);
    char *have = catalog_text(&again), *want = native_text(written);
    assert_string_equal(have, want);
    free(have);
    free(want);
    strbuf_done(&out);
    convert_losses_done(&losses);
    world_done(&w);
    world_done(&again);
}

/* A script for the whole of netsh: lines of other contexts are left out and listed. */
static void test_import_foreign(void **state)
{
    static const char script[] = "pushd interface ip\nset address name=LAN source=dhcp\n"
                                 "ipsec static add filterlist inside\n..\npushd ipv6\npopd\npopd\n"
                                 "interface portproxy reset\n"
                                 "pushd ipsec static\nadd filterlist kept\npopd\n";
    struct world w;
    struct filter_list *l;
    struct convert_options o = {.file = "all.netsh", .strict = true};
    (void)state;
    import_into(&w, script);
    assert_int_equal(catalog_list(&w.catalog, "kept", NULL, &l), 0);
    assert_int_equal(catalog_list(&w.catalog, "inside", NULL, &l), 0);
    assert_true(w.run.partly);
    assert_true(has_remark(&w, "script:1: left out: unknown context 'ip'"));
    assert_true(has_remark(&w, "script:8: left out: unknown context 'portproxy'"));
    assert_true(has_remark(&w, "script:2: left out: 'set' is no command of ipsec"));
    assert_int_equal(w.run.n_remarks, 3);
    assert_true(convert_read_netsh(&w.run, script, strlen(script), &o, &w.diag) < 0);
    world_done(&w);
}

static void test_import_name(void **state)
{
    static const char script[] = "ipsec static add policy Old\n";
    struct world w;
    struct policy *p;
    struct convert_options o = {.file = "x", .name = "New"};
    (void)state;
    world_init(&w);
    tool_run_init(&w.run, &w.catalog, NULL);
    w.has_run = true;
    assert_int_equal(convert_read_netsh(&w.run, script, strlen(script), &o, &w.diag), 0);
    assert_int_equal(catalog_policy(&w.catalog, "New", NULL, &p), 0);
    assert_int_equal(catalog_policy(&w.catalog, "Old", NULL, &p), -ENOENT);
    world_done(&w);
}

/* netsh's own verbs, by the name of the file and by what is in it. */
static void test_files(void **state)
{
    struct world w;
    struct policy *p;
    (void)state;
    world_init(&w);
    set_file(&w, "policy \"P\" {\n    rule \"R\" block in tcp from any to me port 80\n}\n");
    must(&w, "ipsec static importpolicy file=old.pw");
    assert_int_equal(catalog_policy(&w.catalog, "P", NULL, &p), 0);
    must(&w, "ipsec static exportpolicy file=new.pw");
    assert_non_null(strstr(w.written, "block in tcp from any to me port 80"));
    set_file(&w, "pushd ipsec static\nadd policy Q\n");
    must(&w, "ipsec static importpolicy file=script");
    assert_int_equal(catalog_policy(&w.catalog, "Q", NULL, &p), 0);
    set_file(&w, "\x01\x02");
    assert_true(run_line(&w, "ipsec static importpolicy file=x.ipsec") < 0);
    assert_string_equal(w.diag.message, "'x.ipsec' has no form that can be imported");
    assert_string_equal(w.diag.hint, "export the registry tree instead: reg export");
    assert_int_equal(diag_exit_code(w.diag.code), 7);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forty_commands), cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_first_error),    cmocka_unit_test(test_exec),
        cmocka_unit_test(test_batch),          cmocka_unit_test(test_batch_refused),
        cmocka_unit_test(test_batch_script),   cmocka_unit_test(test_export),
        cmocka_unit_test(test_files),          cmocka_unit_test(test_dump_makes_it_again),
        cmocka_unit_test(test_losses),         cmocka_unit_test(test_range_beside_inpass),
        cmocka_unit_test(test_import_foreign), cmocka_unit_test(test_import_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
