/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scripts of ipseccmd lines: how a line is split, policies written and read again, and what the
 * form cannot say. */
#include "../../src/compat/convert_internal.h"
#include "../../src/compat/ipsec_line.h"
#include "compat-ipsec.h"

/* --- lines of scripts --- */
static void test_split(void **state)
{
    static const struct {
        const char *line, *words; /* joined by '|' */
        const char *message;
    } lines[] = {
        {"ipseccmd -p \"A B\" -x", "ipseccmd|-p|A B|-x", NULL},
        {"  a\t b \r", "a|b", NULL},
        {"\"C:\\Program Files\\x.exe\" a", "C:\\Program Files\\x.exe|a", NULL},
        {"a \"x \\\"y\\\"\" b", "a|x \"y\"|b", NULL},
        {"a \"x\\\\\" b", "a|x\\|b", NULL},
        {"a 100%% b", "a|100%|b", NULL},
        {"a \"\" b", "a||b", NULL},
        {"a >nul 2>&1", "a", NULL},
        {"a > NUL", "a", NULL},
        {"a 2> nul b", "a|b", NULL},
        {"a -f *=0:80:TCP", "a|-f|*=0:80:TCP", NULL},
        {"", "", NULL},
        {"rem a b", "", NULL},
        {"REM", "", NULL},
        {":: a", "", NULL},
        {":label", "", NULL},
        {"# a", "", NULL},
        {"@echo off", "", NULL},
        {"remark", "remark", NULL},
        {"a > file", NULL, "only a shell understands this line"},
        {"a | b", NULL, "only a shell understands this line"},
        {"a && b", NULL, "only a shell understands this line"},
        {"a %PORT%", NULL, "a variable has no value here"},
        {"a %1", NULL, "a variable has no value here"},
        {"a \"b", NULL, "unbalanced quotes"},
        {"a \"b\"-x", NULL, "a switch is glued to a name"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        _cleanup_(line_words_done) struct line_words w = {0};
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
        struct diag d = {0};
        int r = line_split(lines[i].line, strlen(lines[i].line), &d, &w);
        if (lines[i].message) {
            assert_int_equal(r, -EINVAL);
            assert_string_equal(d.message, lines[i].message);
            continue;
        }
        if (r < 0)
            fail_msg("'%s': %s", lines[i].line, d.message);
        for (size_t k = 0; k < w.n; k++)
            assert_int_equal(strbuf_addf(&text, "%s%s", k ? "|" : "", w.v[k]), 0);
        assert_string_equal(text.s ? text.s : "", lines[i].words);
    }
}

/* --- scripts out and in --- */
static struct policy *parse_policy(const char *text)
{
    struct diag_list errors = {0};
    struct policy_list l = {0};
    if (text_parse_policies(text, strlen(text), &errors, &l) < 0)
        fail_msg("%s: %s", text, errors.d[0].message);
    assert_int_equal(l.n, 1);
    struct policy *p = l.v[0];
    l.v[0] = NULL;
    policy_list_done(&l);
    return p;
}

static int read_script(struct run *x, struct catalog *c, const char *script,
                       const struct convert_options *o)
{
    memset(x, 0, sizeof(*x));
    catalog_init(c, NULL, seed);
    tool_run_init(&x->t, c, NULL);
    x->r = convert_read_ipseccmd(&x->t, script, strlen(script), o, &x->d);
    return x->r;
}

/* Policies that the form can say: the same text comes back. */
static const char *const round_trips[] = {
    "policy \"P\" { rule \"A\" block in udp from any to me port 1434 }",
    "policy \"P\" poll 30m { rule \"A\" block in udp from any to me port 1434 rule \"B\" block out "
    "udp from me to any port 1434 }",
    "policy \"P:80\" poll 3h { rule \"A\" block in udp from any to me port 1434 }",
    "policy \"Block RPC Ports\" { rule \"B\" { block in tcp from any to me port 135 block in tcp "
    "from any to me port 5001-5021 } rule \"A\" permit in tcp from 10.1.1.0/24 to me port "
    "135,5001-5021 }",
    "policy \"P\" { rule \"A\" connection lan block from any to any mirrored rule \"B\" connection "
    "dialup permit out gre from me to 192.0.2.1 }",
    "policy \"a 'b' & 100% \\\\\" { rule \"c%d%\\\\\" block in from any to me }",
    "policy \"P\" { rule \"A\" permit out tcp from me to www.example.com port 80 }",
    "policy \"P\" { rule \"A\" permit inpass in tcp from any to me port 80 }",
    "policy \"P\" { rule \"A\" attribute auth \"kerberos cert:\\\"CN=My CA\\\"\" attribute "
    "qm-methods \"ESP[3DES,SHA1]:5000k/3600s\" attribute qm-pfs \"2\" negotiate esp 3des-sha1 "
    "rekey 5000k/1h pfs modp1024 out from me to 192.0.2.1 mirrored }",
    "policy \"P\" attribute soft-sa \"20\" { rule \"A\" attribute tunnel \"192.0.2.9\" attribute qm-methods \"AH[SHA1]\" attribute "
    "soft \"yes\" negotiate ah sha1 tunnel to 192.0.2.9 soft 1m out from me to 192.0.2.1 }",
    "policy \"P\" attribute mm-methods \"3DES-SHA1-2\" attribute mm-filters \"0=192.0.2.1\" "
    "attribute mm-pfs \"yes\" attribute mm-lifetime \"3600\" attribute qm-per-mm \"10\" attribute "
    "soft-sa \"60\" attribute default-response \"yes\" { }",
};

static char *squeezed(const struct policy *p)
{
    struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    assert_int_equal(text_print_policy(p, &text), 0);
    char *out = strbuf_take(&text);
    assert_non_null(out);
    return out;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(round_trips); i++)
        for (int assigned = 0; assigned < 2; assigned++) {
            _cleanup_(policy_freep) struct policy *p = parse_policy(round_trips[i]);
            _cleanup_(strbuf_done) struct strbuf script = STRBUF_INIT(TEXT_BYTES);
            _cleanup_(convert_losses_done) struct convert_losses l = {0};
            struct catalog c;
            struct run x;
            struct policy *back;
            const char *name;
            catalog_init(&c, NULL, seed);
            assert_int_equal(convert_write_ipseccmd(&c, p, assigned, &script, &l), 0);
            catalog_done(&c);
            if (l.n > 0)
                fail_msg("%s: lost %s", round_trips[i], l.v[0]);
            if (read_script(&x, &c, script.s, NULL) < 0)
                fail_msg("%s\n%s", script.s, x.d.message);
            assert_false(x.t.partly);
            assert_int_equal(catalog_policy(&c, p->name, &x.d, &back), 0);
            _cleanup_free_ char *before = squeezed(p), *after = squeezed(back);
            if (strcmp(before, after) != 0)
                fail_msg("%s\n%s\n%s", before, script.s, after);
            assert_int_equal(catalog_assigned(&c, CATALOG_LOCAL, &x.d, &name), 0);
            assert_string_equal(name, assigned ? p->name : "");
            tool_run_done(&x.t);
            catalog_done(&c);
        }
}

static const struct {
    const char *policy;
    const char *loss; /* part of the only one, NULL = nothing is lost */
    const char *kept; /* part of the script, NULL = nothing but the policy */
} losses[] = {
    {"policy \"P\" { rule \"A\" block in from 2001:db8::1 to me }", "IPv6 addresses", NULL},
    {"policy \"P\" { rule \"A\" block in from 10.0.0.1-10.0.0.9 to me }", "ranges of addresses",
     NULL},
    {"policy \"P\" { rule \"A\" block in icmp type 8 from any to me }", "ICMP types", NULL},
    {"policy \"P\" { rule \"A\" block in from any to me on eth0 }", "interfaces have no form",
     NULL},
    {"policy \"P\" { rule \"A\" block in from any to me profile public }", "profiles", NULL},
    {"policy \"P\" { rule \"A\" permit out udp from me to any port 53 keep state }", "'keep state'",
     NULL},
    {"policy \"P\" { rule \"A\" permit out udp from me to dns port 53 }", "server keywords", NULL},
    {"policy \"P\" { rule \"A\" block from me to me }", "this host on both sides", NULL},
    {"policy \"P\" { rule \"A\" negotiate out from me to 192.0.2.1 }", "methods have no form",
     NULL},
    {"policy \"P\" { rule \"A\" negotiate esp aes256gcm16 out from me to 192.0.2.1 }",
     "methods have no form", NULL},
    {"policy \"P\" { rule \"A\" negotiate esp 3des-sha1 pfs modp2048 out from me to 192.0.2.1 }",
     "methods have no form", NULL},
    {"policy \"P\" { rule \"A\" negotiate esp 3des-sha1 eager out from me to 192.0.2.1 }",
     "methods have no form", NULL},
    {"policy \"P\" { rule \"A\" attribute qm-methods \"ESP[3DES,SHA1]:1k\" negotiate esp 3des-sha1 "
     "out from me to 192.0.2.1 }",
     "attribute qm-methods, written as ESP[3DES,SHA1]", "-n ESP[3DES,SHA]\r\n"},
    {"policy \"P\" { inactive rule \"A\" block in from any to me }", "inactive", NULL},
    {"policy \"P\" { rule \"A\" { } }", "no filters", NULL},
    {"policy \"P\" { rule \"A\" block in tcp from any to me port 80 override }", "'override'",
     "-f \"*=0:80:TCP\" -n BLOCK"},
    {"policy \"P\" { rule \"A\" block in tcp from any to me port 80 log }", "'log'",
     "-f \"*=0:80:TCP\" -n BLOCK"},
    {"policy \"P\" { rule \"A\" block in tcp from any to me port 80 description \"x\" }",
     "description", "-f \"*=0:80:TCP\" -n BLOCK"},
    {"policy \"P\" description \"x\" { rule \"A\" block in tcp from any to me port 80 }",
     "description", "-f \"*=0:80:TCP\" -n BLOCK"},
    {"policy \"P\" local-permits yes { rule \"A\" block in tcp from any to me port 80 }",
     "local-permits", "-f \"*=0:80:TCP\" -n BLOCK"},
    {"policy \"P\" poll 90s { rule \"A\" block in tcp from any to me port 80 }", "poll interval",
     "-p \"P:1\""},
    {"policy \"P\" { rule \"A\" attribute filterlist \"webs\" block in tcp from any to me port 80 }",
     NULL, "-f \"*=0:80:TCP\" -n BLOCK"},
    /* No text of a policy becomes a command of cmd.exe. */
    {"policy \"a\\\" & calc & \\\"\" { rule \"A\" block in tcp from any to me port 80 }",
     "quotes in the name", "-p \"a_ & calc & _\" -r \"A\" -f"},
    {"policy \"P\" { rule \"a\\\"\" block in tcp from any to me port 80 rule \"a_ (2)\" block in tcp "
     "from any to me port 81 }",
     "quotes in the name", "-r \"a_ (3)\" -f \"*=0:80:TCP\""},
    {"policy \"P\" { rule \"A\" attribute tunnel \"x & calc\" block in tcp from any to me port 80 }",
     "attribute tunnel", "-r \"A\" -f \"*=0:80:TCP\" -n BLOCK\r\n"},
    {"policy \"P\" { rule \"A\" attribute auth \"kerberos & calc\" block in tcp from any to me port "
     "80 }",
     "attribute auth", "-r \"A\" -f \"*=0:80:TCP\" -n BLOCK\r\n"},
    {"policy \"P\" { rule \"A\" attribute auth \"cert:\\\"x\\\\\\\" & calc\\\"\" block in tcp from any to "
     "me port 80 }",
     "attribute auth", "-r \"A\" -f \"*=0:80:TCP\" -n BLOCK\r\n"},
    {"policy \"P\" attribute mm-filters \"0=* & calc\" { rule \"A\" block in tcp from any to me port "
     "80 }",
     "attribute mm-filters", "-n BLOCK\r\nipseccmd -w REG -p \"P\"\r\n"},
    {"policy \"P\" attribute mm-filters \"0=192.0.2.1 -x\" { rule \"A\" block in tcp from any to me "
     "port 80 }",
     "attribute mm-filters", "-n BLOCK\r\nipseccmd -w REG -p \"P\"\r\n"},
    {"policy \"P\" attribute mm-methods \"3DES-SHA1-2|calc\" { rule \"A\" block in tcp from any to me "
     "port 80 }",
     "attribute mm-methods", "-n BLOCK\r\nipseccmd -w REG -p \"P\"\r\n"},
    {"policy \"P\" { rule \"A\" attribute auth \"psk:88c862ed-162d-4ad7-a2ea-594a6e7633cf\" "
     "negotiate esp 3des-sha1 out from me to 192.0.2.1 }",
     "preshared key", "-r \"A\" -f \"0=192.0.2.1\" -n ESP[3DES,SHA]"},
};

static void test_losses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
        _cleanup_(policy_freep) struct policy *p = parse_policy(losses[i].policy);
        _cleanup_(strbuf_done) struct strbuf script = STRBUF_INIT(TEXT_BYTES);
        _cleanup_(convert_losses_done) struct convert_losses l = {0};
        struct catalog c;
        catalog_init(&c, NULL, seed);
        assert_int_equal(convert_write_ipseccmd(&c, p, false, &script, &l), 0);
        if (l.n != (losses[i].loss ? 1 : 0) || (l.n == 1 && !strstr(l.v[0], losses[i].loss)))
            fail_msg("%s: %zu losses, %s", losses[i].policy, l.n, l.n ? l.v[0] : "");
        if (losses[i].kept && !strstr(script.s, losses[i].kept))
            fail_msg("%s", script.s);
        if (!losses[i].kept)
            assert_null(strstr(script.s, " -r "));
        assert_null(strstr(script.s, "88c862ed"));
        catalog_done(&c);
    }
}

/* A rule of several actions, and one too long for a line, are several; nothing is lost. */
static void test_parts(void **state)
{
    (void)state;
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    _cleanup_(strbuf_done) struct strbuf script = STRBUF_INIT(TEXT_BYTES);
    _cleanup_(convert_losses_done) struct convert_losses l = {0};
    struct catalog c;
    struct run x;
    enum { FILTERS = 1000 };
    (void)strbuf_add(&text, "policy \"P\" { rule \"A (2)\" block in from 192.0.2.1 to me rule "
                            "\"A\" { permit in tcp from 10.1.1.0/24 to me port 80\n");
    for (unsigned i = 0; i < FILTERS; i++)
        (void)strbuf_addf(&text, "block in tcp from any to me port %u\n", 1000 + i);
    assert_int_equal(strbuf_add(&text, "} }"), 0);
    _cleanup_(policy_freep) struct policy *p = parse_policy(text.s);
    catalog_init(&c, NULL, seed);
    assert_int_equal(convert_write_ipseccmd(&c, p, true, &script, &l), 0);
    catalog_done(&c);
    assert_int_equal(l.n, 0);
    for (const char *s = script.s; *s;) {
        size_t n = strcspn(s, "\n");
        assert_true(n < 8191);
        s += n + (s[n] == '\n');
    }
    assert_int_equal(read_script(&x, &c, script.s, NULL), 0);
    struct policy *back;
    assert_int_equal(catalog_policy(&c, "P", &x.d, &back), 0);
    assert_true(back->n_rules >= 4);
    assert_int_equal(policy_n_filters(back), policy_n_filters(p));
    for (size_t i = 0; i < p->n_rules; i++)
        for (size_t k = 0; k < p->rules[i].n_filters; k++) {
            bool found = false;
            for (size_t a = 0; a < back->n_rules; a++)
                for (size_t b = 0; b < back->rules[a].n_filters; b++)
                    found = found || filter_eq(&p->rules[i].filters[k], &back->rules[a].filters[b]);
            assert_true(found);
        }
    assert_int_equal(policy_find_rule(back, "A (2)")->n_filters, 1);
    tool_run_done(&x.t);
    catalog_done(&c);
}

/* --- random policies --- */
static unsigned pick(unsigned *seed_word, unsigned n)
{
    *seed_word = *seed_word * 1664525u + 1013904223u; /* Numerical Recipes */
    return (*seed_word >> 8) % n;
}

static size_t random_ports(unsigned *w, char *out, size_t size)
{
    unsigned first = pick(w, 60000), kind = pick(w, 4);
    if (kind == 0)
        return format_into(out, size, " port %u", first + 1);
    if (kind == 1)
        return format_into(out, size, " port %u-%u", first, first + pick(w, 5000));
    if (kind == 2)
        return format_into(out, size, " port %u,%u,%u-65535", first + 1, first + 3, first + 5);
    return format_into(out, size, "%s", "");
}

static size_t random_side(unsigned *w, bool ports, char *out, size_t size)
{
    static const char *const addresses[] = {
        "any", "me", "192.0.2.1", "198.51.100.0/24", "10.0.0.0/8",        "www.example.com",
        "any", "me", "0.0.0.0/0", "2001:db8::1",     "10.0.0.1-10.0.0.9", "dns",
    };
    size_t n = format_into(out, size, "%s", addresses[pick(w, ARRAY_SIZE(addresses))]);
    return ports ? n + random_ports(w, out + n, size - n) : n;
}

static void random_filter(unsigned *w, char *out, size_t size)
{
    static const char *const actions[] = {
        "block",    "block", "permit", "permit inpass", "negotiate esp des-md5 rekey 10m",
        "negotiate"};
    static const char *const protocols[] = {"", "tcp", "udp", "tcp", "47", "icmp", "255", "0"};
    static const char *const ends[] = {"", "", "", " mirrored", " keep state", " override", " log"};
    unsigned proto = pick(w, ARRAY_SIZE(protocols));
    bool ports = proto >= 1 && proto <= 3;
    size_t n = format_into(out, size, "%s %s from ", actions[pick(w, ARRAY_SIZE(actions))],
                           protocols[proto]);
    n += random_side(w, ports, out + n, size - n);
    n += format_into(out + n, size - n, " to ");
    n += random_side(w, ports, out + n, size - n);
    (void)format_into(out + n, size - n, "%s", ends[pick(w, ARRAY_SIZE(ends))]);
}

/* Whatever is no loss comes back as it was. */
static void test_random(void **state)
{
    (void)state;
    const char *given = getenv("PORTWARD_SEED");
    unsigned w = given ? (unsigned)strtoul(given, NULL, 0) : 20240305u, n_kept = 0, n_lost = 0;
    print_message("PORTWARD_SEED=%u\n", w);
    for (unsigned i = 0; i < 5000; i++) {
        _cleanup_(strbuf_done) struct strbuf script = STRBUF_INIT(TEXT_BYTES);
        _cleanup_(convert_losses_done) struct convert_losses l = {0};
        _cleanup_(policy_freep) struct policy *p = NULL;
        _cleanup_(rule_done) struct rule r;
        _cleanup_(filter_done) struct filter f;
        char text[512];
        struct diag d = {0};
        rule_init(&r);
        filter_init(&f);
        random_filter(&w, text, sizeof(text));
        if (text_parse_filter(text, strlen(text), &d, &f) < 0)
            continue; /* two families, a permit with a name */
        assert_int_equal(policy_new("P", &p), 0);
        r.name = strdup("R");
        assert_non_null(r.name);
        assert_int_equal(rule_add_filter(&r, &f), 0);
        assert_int_equal(policy_add_rule(p, &r, &d), 0);
        struct catalog c;
        struct run x;
        struct policy *back = NULL;
        catalog_init(&c, NULL, seed);
        assert_int_equal(convert_write_ipseccmd(&c, p, false, &script, &l), 0);
        catalog_done(&c);
        if (read_script(&x, &c, script.s, NULL) < 0)
            fail_msg("%s\n%s\n%s", text, script.s, x.d.message);
        assert_int_equal(catalog_policy(&c, "P", &x.d, &back), 0);
        const struct filter *was = &p->rules[0].filters[0];
        bool named = was->override || was->log; /* lost, but written */
        assert_true(l.n == 1 || (l.n == 0 && !named));
        if (back->n_rules == 1 && l.n == 0)
            assert_true(filter_eq(&back->rules[0].filters[0], was));
        assert_true(l.n == 1 || back->n_rules == 1);
        n_kept += back->n_rules == 1;
        n_lost += back->n_rules == 0;
        tool_run_done(&x.t);
        catalog_done(&c);
    }
    print_message("%u written, %u without a form\n", n_kept, n_lost);
    assert_true(n_kept > 500 && n_lost > 500);
}

static void test_read(void **state)
{
    static const struct {
        const char *script;
        struct convert_options o;
        const char *policies; /* NULL: refused */
        const char *told;     /* part of the message, or of a warning */
    } scripts[] = {
        {"\xef\xbb\xbf@echo off\r\nrem x\r\nC:\\tools\\IPSECCMD.EXE -w REG -p P -r R ^\r\n -f "
         "*=0:80:TCP -n BLOCK\r\n",
         {.file = "f"},
         "policy \"P\" { rule \"R\" block in tcp from any to me port 80 }",
         NULL},
        {"ipsecpol -w REG -p P -r R -f *=0:80:TCP -n BLOCK\nping host\n",
         {.file = "f"},
         "policy \"P\" { rule \"R\" block in tcp from any to me port 80 }",
         "f:2: no command of ipsecpol or ipseccmd, line not imported"},
        {"ipseccmd -u\nipseccmd show all\nipseccmd -w REG -p P -1p\n",
         {.file = "f"},
         "policy \"P\" attribute mm-pfs \"yes\" { }",
         "f:1: '-u' ends what is in force now, line not imported"},
        {"ipseccmd -w REG -p P -r R -f *=0:%PORT%:TCP -n BLOCK\n",
         {.file = "f"},
         "",
         "f:1: a variable has no value here, line not imported"},
        {"ping host\n",
         {.file = "f", .strict = true},
         NULL,
         "f:1: no command of ipsecpol or ipseccmd"},
        {"\nipseccmd -w REG -p P -r R -f *=0:80 -n BLOCK\n",
         {.file = "f"},
         NULL,
         "f:2: a port needs TCP or UDP"},
        {"ipseccmd -w REG -p P:30 -r R -f *=0:80:TCP -n BLOCK\nipseccmd -w REG -p p -x\n",
         {.file = "f", .name = "New"},
         "policy \"New\" poll 30m { rule \"R\" block in tcp from any to me port 80 }",
         NULL},
        /* Dashes of a web page are switches here, too. */
        {"ipseccmd \xe2\x80\x93w REG \xe2\x80\x93p P -r R -f *=0:80:TCP -n BLOCK\n",
         {.file = "f", .name = "New"},
         "policy \"New\" { rule \"R\" block in tcp from any to me port 80 }",
         NULL},
        {"ipseccmd \xe2\x80\x93u\nipseccmd -w REG -p P -1p\n",
         {.file = "f"},
         "policy \"P\" attribute mm-pfs \"yes\" { }",
         "f:1: '-u' ends what is in force now, line not imported"},
        {"ipseccmd -w REG -p P -1p\nipseccmd -w REG -p Q -1p\n",
         {.file = "f", .name = "New"},
         NULL,
         "f:2: policies 'P' and 'Q' cannot both be 'New'"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        struct catalog c;
        struct run x;
        int r = read_script(&x, &c, scripts[i].script, &scripts[i].o);
        assert_int_equal(r < 0, scripts[i].policies == NULL);
        if (r < 0) {
            assert_string_equal(x.d.message, scripts[i].told);
        } else {
            _cleanup_free_ char *policies = policies_text(&c);
            assert_string_equal(policies, scripts[i].policies);
            assert_int_equal(x.t.partly, scripts[i].told != NULL);
            if (scripts[i].told)
                assert_true(has_remark(&x.t, NOTE_WARNING, scripts[i].told));
        }
        tool_run_done(&x.t);
        catalog_done(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_losses), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_random), cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
