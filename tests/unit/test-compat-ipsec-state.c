/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecpol and ipseccmd: what is stored for each switch, what is told, what is asked of the host
 * and what is shown. */
#include "compat-ipsec.h"

/* --- what is stored --- */
struct stored {
    const char *args, *policies, *dynamic; /* NULL: not looked at; the policy P is left out */
    const char *remark;                    /* part of one, NULL = none at all */
};
static const struct stored stored[] = {
    {"-P Q:30 -W reg -R R -F *=0:80:tcp 0=*:25:TCP -f *=0:23:TCP -N pass",
     "policy \"Q\" poll 30m { rule \"R\" { permit in tcp from any to me port 80 permit out tcp from "
     "me to any port 25 permit in tcp from any to me port 23 } }",
     NULL, NULL},
    {"-w REG -p Q:0 -1p", "policy \"Q\" poll 3h attribute mm-pfs \"yes\" { }", NULL, NULL},
    {"-w REG -p \"a:b\" -1p", "policy \"a:b\" attribute mm-pfs \"yes\" { }", NULL, NULL},
    {"-w REG -p Q -r R -f *=0:80:TCP -n BLOCK -lan",
     "policy \"Q\" { rule \"R\" connection lan block in tcp from any to me port 80 }", NULL, NULL},
    {"-dialup -w REG -n BLOCK -f *=0:80:TCP -r R -p Q",
     "policy \"Q\" { rule \"R\" connection dialup block in tcp from any to me port 80 }", NULL,
     NULL},
    {"-w REG -p Q -r R -f 0+192.0.2.1:139:TCP -n ESP[3DES,SHA]",
     "policy \"Q\" { rule \"R\" attribute qm-methods \"ESP[3DES,SHA1]\" negotiate esp 3des-sha1 "
     "out tcp from me to 192.0.2.1 port 139 mirrored }",
     NULL, "rule 'R' needs negotiated security"},
    {"-w REG -p Q -r R -f 0+192.0.2.1 -n ESP[3DES,SHA]5000K/3600SP2 esp[des,md5]5000k/3600sp2",
     "policy \"Q\" { rule \"R\" attribute qm-methods \"ESP[3DES,SHA1]:5000k/3600s "
     "ESP[DES,MD5]:5000k/3600s\" attribute qm-pfs \"2\" negotiate esp 3des-sha1,des-md5 rekey "
     "5000k/1h pfs modp1024 out from me to 192.0.2.1 mirrored }",
     NULL, "rule 'R' needs negotiated security"},
    {"-w REG -p Q -r R -f 0+192.0.2.1 -n ESP[3DES,SHA]100K ESP[DES,MD5]",
     "policy \"Q\" { rule \"R\" attribute qm-methods \"ESP[3DES,SHA1]:100k ESP[DES,MD5]\" "
     "negotiate esp 3des-sha1,des-md5 rekey 100k out from me to 192.0.2.1 mirrored }",
     NULL, "limits of the first method"},
    {"-w REG -p Q -r R -f 0+192.0.2.1 -n AH[SHA]P AH[MD5]P",
     "policy \"Q\" { rule \"R\" attribute qm-methods \"AH[SHA1] AH[MD5]\" attribute qm-pfs \"yes\" "
     "negotiate ah sha1,md5 pfs out from me to 192.0.2.1 mirrored }",
     NULL, "denied in the clear"},
    {"-w REG -p Q -r R -f 0+192.0.2.1 -n ESP[NONE,SHA]", NULL, NULL, "does not encrypt"},
    {"-w REG -p Q -r R -f 0=192.0.2.1 -n ESP[3DES,SHA] -t 192.0.2.9",
     "policy \"Q\" { rule \"R\" attribute tunnel \"192.0.2.9\" attribute qm-methods "
     "\"ESP[3DES,SHA1]\" negotiate esp 3des-sha1 tunnel to 192.0.2.9 out from me to 192.0.2.1 }",
     NULL, "denied in the clear"},
    {"-w REG -p Q -r R -f 0=192.0.2.1 -n ESP[3DES,SHA] -t gw.example.com",
     "policy \"Q\" { rule \"R\" attribute tunnel \"gw.example.com\" attribute qm-methods "
     "\"ESP[3DES,SHA1]\" negotiate esp 3des-sha1 out from me to 192.0.2.1 }",
     NULL, "denied in the clear"},
    {"-w REG -p Q -r R -f 0+192.0.2.1 -n ESP[3DES,SHA] -a K \"C:CN=My CA\"",
     "policy \"Q\" { rule \"R\" attribute auth \"kerberos cert:\\\"CN=My CA\\\"\" attribute "
     "qm-methods \"ESP[3DES,SHA1]\" negotiate esp 3des-sha1 out from me to 192.0.2.1 mirrored }",
     NULL, "denied in the clear"},
    {"-w REG -p Q -r R -f 0+192.0.2.1 -n ESP[3DES,SHA] -1s 3DES-SHA-2 des-md5-1 -1k 10Q/3600S -1p "
     "-1e 60 -soft",
     "policy \"Q\" attribute mm-methods \"3DES-SHA1-2 DES-MD5-1\" attribute mm-pfs \"yes\" "
     "attribute mm-lifetime \"3600\" attribute qm-per-mm \"10\" attribute soft-sa \"60\" { rule "
     "\"R\" attribute qm-methods \"ESP[3DES,SHA1]\" attribute soft \"yes\" negotiate esp 3des-sha1 "
     "ike 3des-sha1-modp1024,des-md5-modp768 ike-life 1h ike-pfs soft 1m out from me to 192.0.2.1 "
     "mirrored }",
     NULL, "denied in the clear"},
    {"-w REG -p Q -r R -f 0+192.0.2.1 -n ESP[3DES,SHA] -soft", NULL, NULL, "denied in the clear"},
    {"-w REG -p Q -r R -f *=0:80:TCP -n BLOCK -soft",
     "policy \"Q\" { rule \"R\" block in tcp from any to me port 80 }", NULL,
     "-soft has no effect on BLOCK"},
    {"-w REG -p Q -1f 0=192.0.2.1 0=192.0.2.0/255.255.255.0",
     "policy \"Q\" attribute mm-filters \"0=192.0.2.1 0=192.0.2.0/255.255.255.0\" { }", NULL, NULL},
    {"-w REG -p Q -r R -f *=0:80:TCP -n INPASS",
     "policy \"Q\" { rule \"R\" permit inpass in tcp from any to me port 80 }", NULL,
     "denied in the clear"},
    {"-w REG -p Q -r R -f DEFAULT -n ESP[3DES,SHA]",
     "policy \"Q\" attribute default-response \"yes\" { }", NULL, "default response rule"},
    {"-w REG -p Q -r R -f 0+*:53:UDP -n PASS",
     "policy \"Q\" { rule \"R\" permit out udp from me to any port 53 mirrored }", NULL,
     "mirrored-hole: '0+*:53:UDP' also opens every port of this host to that source port; instead: "
     "portward permit out udp from me to any port 53 keep state"},
    {"-w REG -p Q -r R -f *:53+0::UDP -n PASS", NULL, NULL,
     "portward permit out udp from me to any port 53 keep state"},
    {"-w REG -p Q -r R -f *+0:80:TCP -n PASS",
     "policy \"Q\" { rule \"R\" permit in tcp from any to me port 80 mirrored }", NULL, NULL},
    {"-w REG -p Q -r R -f 0+*:53:UDP -n BLOCK", NULL, NULL, NULL},
    {"-w REG -p Q -r R -f 0=www.example.com:80:TCP -n PASS",
     "policy \"Q\" { rule \"R\" permit out tcp from me to www.example.com port 80 }", NULL, NULL},
    {"-w REG -p Q -r R -f *=0:80:TCP -n BLOCK -y",
     "policy \"Q\" { rule \"R\" block in tcp from any to me port 80 }", NULL, "was not assigned"},
    {"-w REG:\\\\. -p Q -r R -f *=0:80:TCP -n BLOCK", NULL, NULL, NULL},
    {"\\\\127.0.0.1 -w REG -p Q -r R -f *=0:80:TCP -n BLOCK", NULL, NULL, NULL},
    {"\\localhost -w REG -p Q -r R -f *=0:80:TCP -n BLOCK", NULL, NULL,
     "read '\\localhost' as '\\\\localhost'"},
    {"-f [*=0:1434:UDP] (10.1.1.0/255.255.255.0=0:1434:UDP)", "",
     "block in udp from any to me port 1434;permit in udp from 10.1.1.0/24 to me port 1434;",
     "dynamic: ends at reboot"},
    {"-f [*=0:1434:UDP] -f [*=0:1434:UDP]", "", "block in udp from any to me port 1434;",
     "'[*=0:1434:UDP]' is there already"},
    {"-f *=0:80:TCP -n BLOCK", "", "block in tcp from any to me port 80;", "ends at reboot"},
    {"-f *=0:80:TCP -n PASS", "", "permit in tcp from any to me port 80;", NULL},
    {"-f *=0:80:TCP", "", "negotiate in tcp from any to me port 80;", "denied in the clear"},
    {"-f *=0:80:TCP -n INPASS", "", "permit inpass in tcp from any to me port 80;",
     "ends at reboot"},
    {"-f (*=0:80:TCP) -n BLOCK", "", "permit in tcp from any to me port 80;",
     "the brackets decide, not -n"},
    {"-f [*=0:80:TCP] -n BLOCK", "", "block in tcp from any to me port 80;", "ends at reboot"},
    {"-f [{eth0}=*:80:TCP]", "", "block out tcp from me to any port 80 on eth0;", "ends at reboot"},
    {"-f *=0:80:TCP -n BLOCK ESP[3DES,SHA]", "", "block in tcp from any to me port 80;",
     "BLOCK decides, the rest is ignored"},
    {"-f DEFAULT", "", "", "matches no packet"},
    {"-f 0+192.0.2.1 -n ESP[3DES,SHA] -a KERBEROS", "",
     "negotiate esp 3des-sha1 out from me to 192.0.2.1 mirrored;",
     "with the rule of a policy only"},
    {"-f (0=www.example.com:80:TCP)", "", "permit out tcp from me to www.example.com port 80;",
     "every address of the name is permitted"},
};

static void test_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(stored); i++) {
        struct catalog c;
        struct run x;
        catalog_init(&c, NULL, seed);
        run_line(&x, &c, NULL, "ipseccmd", stored[i].args, false);
        if (x.r < 0)
            fail_msg("'%s': %s", stored[i].args, x.d.message);
        _cleanup_free_ char *policies = policies_text(&c), *dynamic = dynamic_text(&c);
        if (stored[i].policies && strcmp(policies, stored[i].policies) != 0)
            fail_msg("'%s':\n%s", stored[i].args, policies);
        if (stored[i].dynamic)
            assert_string_equal(dynamic, stored[i].dynamic);
        bool found = false;
        for (size_t k = 0; stored[i].remark && k < x.t.n_remarks; k++)
            found = found || strstr(x.t.remarks[k].text, stored[i].remark);
        if (stored[i].remark ? !found : x.t.n_remarks > 0)
            fail_msg("'%s': remarks", stored[i].args);
        tool_run_done(&x.t);
        catalog_done(&c);
    }
}

/* What a command says of a rule that is there. */
static void test_existing_rules(void **state)
{
    (void)state;
    struct catalog c;
    struct run x;
    catalog_init(&c, NULL, seed);
    run_lines(&c, start);
    run_line(&x, &c, NULL, "ipseccmd", "-w REG -p P -r \"rule a\" -f DEFAULT -n BLOCK", false);
    assert_int_equal(x.r, 0);
    assert_true(
        has_remark(&x.t, NOTE_WARNING, "rule 'rule a' stays as it is: DEFAULT makes no rule"));
    assert_int_equal(n_rules(&c), 2);
    tool_run_done(&x.t);
    run_line(&x, &c, NULL, "ipseccmd", "-w REG -p P -r \"Rule A\" -r \"rule a\" -o", false);
    if (x.r < 0)
        fail_msg("%s", x.d.message);
    assert_int_equal(n_rules(&c), 1);
    tool_run_done(&x.t);
    run_line(&x, &c, NULL, "ipseccmd", "-w REG -p P -r \"Rule B\" -r \"Rule A\" -o", false);
    assert_int_equal(x.r, -ENOENT);
    assert_int_equal(n_rules(&c), 1);
    tool_run_done(&x.t);
    catalog_done(&c);
}

static void test_secret(void **state)
{
    (void)state;
    struct catalog c;
    struct run x;
    catalog_init(&c, NULL, seed);
    run_line(&x, &c, NULL, "ipseccmd",
             "-w REG -p Q -r R -f 0+192.0.2.1 -n ESP[3DES,SHA] -a \"PRESHARE:my secret key\"",
             false);
    assert_int_equal(x.r, 0);
    assert_int_equal(c.n_secrets, 1);
    assert_string_equal(c.secrets[0].value, "my secret key");
    _cleanup_free_ char *policies = policies_text(&c);
    assert_null(strstr(policies, "my secret"));
    assert_non_null(strstr(policies, c.secrets[0].id));
    assert_non_null(strstr(policies, "auth \"psk:"));
    for (size_t i = 0; i < x.t.n_remarks; i++)
        assert_null(strstr(x.t.remarks[i].text, "my secret"));
    tool_run_done(&x.t);
    catalog_done(&c);
}

/* What a command tells when it ends or takes away protection, and what is kept of it. */
static void test_assignment(void **state)
{
    static const struct {
        const char *args;
        enum tool_note_kind kind;
        const char *remark, *change; /* NULL: none; the policy is gone */
        const char *assigned, *persistent;
    } lines[] = {
        {"-w REG -p P -x", NOTE, NULL, "add rule \"Rule B\" (ipseccmd)", "P", ""},
        {"-w reg -p p -y", NOTE_WARNING, "not assigned any more", "add rule \"Rule B\" (ipseccmd)",
         "", ""},
        {"-w REG -p P -o", NOTE_WARNING, "policy 'P' was assigned", NULL, "", ""},
        {"-w REG -p P -o -y", NOTE_WARNING, "policy 'P' was assigned", NULL, "", ""},
        {"-w REG -p P -r \"rule a\" -r \"RULE B\" -o", NOTE_WARNING, "policy 'P' was assigned",
         NULL, "", ""},
        {"-w REG -p P -r \"Rule A\" -o -x", NOTE, "-x is ignored",
         "delete rule \"Rule A\" (ipseccmd)", "P", ""},
        {"-w REG -p P -r \"Rule A\" -o -y", NOTE_WARNING, "not assigned any more",
         "delete rule \"Rule A\" (ipseccmd)", "", ""},
        {"-w REG -p P -r \"rule A\" -f *=0:99:TCP -n BLOCK", NOTE, NULL,
         "replace rule \"rule A\" (ipseccmd)", "P", ""},
        {"-w REG -p P:30", NOTE, NULL, "change options (ipseccmd)", "P", ""},
        {"-w PERS -p P -x", NOTE, NULL, "add rule \"Rule B\" (ipseccmd)", "P", "P"},
        {"-w REG -p Q -r R -f *=0:99:TCP -n BLOCK -x", NOTE, NULL, "add rule \"Rule B\" (ipseccmd)",
         "Q", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct catalog c;
        struct run x;
        struct policy *p = NULL;
        const char *name;
        catalog_init(&c, NULL, seed);
        run_lines(&c, start);
        run_line(&x, &c, NULL, "ipseccmd", lines[i].args, false);
        assert_int_equal(x.r, 0);
        if (lines[i].remark)
            assert_true(has_remark(&x.t, lines[i].kind, lines[i].remark));
        else
            assert_int_equal(x.t.n_remarks, 0);
        assert_int_equal(catalog_assigned(&c, CATALOG_LOCAL, &x.d, &name), 0);
        assert_string_equal(name, lines[i].assigned);
        assert_int_equal(catalog_assigned(&c, CATALOG_PERSISTENT, &x.d, &name), 0);
        assert_string_equal(name, lines[i].persistent);
        assert_int_equal(catalog_policy(&c, "P", &x.d, &p), lines[i].change ? 0 : -ENOENT);
        for (size_t k = 0; lines[i].change && k < c.n_policies; k++)
            if (c.policies[k].now == p)
                assert_string_equal(c.policies[k].change, lines[i].change);
        tool_run_done(&x.t);
        catalog_done(&c);
    }
}

/* --- the host --- */
struct fake {
    bool terminal, yes;
    const char *file;
};

static bool fake_confirm(void *ctx, const char *question, bool *ret_yes)
{
    const struct fake *f = ctx;
    assert_non_null(question);
    *ret_yes = f->yes;
    return f->terminal;
}

static int fake_read(void *ctx, const char *name, size_t max, struct diag *d, char **ret,
                     size_t *ret_len)
{
    const struct fake *f = ctx;
    assert_string_equal(name, "rules.txt");
    assert_true(strlen(f->file) < max);
    (void)d;
    *ret = strdup(f->file);
    *ret_len = strlen(f->file);
    return *ret ? 0 : -ENOMEM;
}

static bool fake_is_local(void *ctx, const char *name)
{
    (void)ctx;
    return strcasecmp(name, "myhost") == 0;
}

static int fake_addresses(void *ctx, struct diag *d, struct addr **ret, size_t *ret_n)
{
    (void)ctx;
    (void)d;
    *ret = calloc(1, sizeof(**ret));
    assert_non_null(*ret);
    (*ret)[0] = addr_host(FAMILY_4, (struct ip){0, 0xc0a80101});
    *ret_n = 1;
    return 0;
}

static int fake_filters(void *ctx, struct diag *d, struct tool_filter **ret, size_t *ret_n)
{
    static const struct {
        const char *id, *text, *policy, *rule, *layer;
        uint64_t packets;
    } filters[] = {
        {"s1", "block in udp from any to me port 1434", "P", "Rule A", "local", 7},
        {"d1", "permit in tcp from 10.1.1.0/24 to me port 80", NULL, NULL, "dynamic", 3},
    };
    (void)ctx;
    (void)d;
    struct tool_filter *v = calloc(ARRAY_SIZE(filters), sizeof(*v));
    assert_non_null(v);
    for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
        (void)snprintf(v[i].id, sizeof(v[i].id), "%s", filters[i].id);
        (void)snprintf(v[i].layer, sizeof(v[i].layer), "%s", filters[i].layer);
        v[i].text = strdup(filters[i].text);
        v[i].policy = filters[i].policy ? strdup(filters[i].policy) : NULL;
        v[i].rule = filters[i].rule ? strdup(filters[i].rule) : NULL;
        v[i].weight = 0x40006203;
        v[i].packets = filters[i].packets;
        v[i].bytes = 100 * filters[i].packets;
    }
    *ret = v;
    *ret_n = ARRAY_SIZE(filters);
    return 0;
}

static void test_host(void **state)
{
    static const struct {
        const char *args;
        struct fake host;
        int exit; /* of the tool, or of the refusal */
        const char *message;
        size_t n_dynamic;
    } lines[] = {
        {"-f [*=0:80:TCP] -confirm", {true, true, NULL}, 0, NULL, 1},
        {"-f [*=0:80:TCP] -confirm", {true, false, NULL}, 1, NULL, 0},
        {"-f [*=0:80:TCP] -confirm", {false, true, NULL}, 2, "there is no terminal to ask on", 0},
        {"\\\\MyHost -f [*=0:80:TCP]", {false, false, NULL}, 0, NULL, 1},
        {"\\\\yours -f [*=0:80:TCP]", {false, false, NULL}, 1, "'yours' is not this host", 0},
        {"-file rules.txt",
         {false, false,
          "rem two commands\r\n\r\nipseccmd -f [*=0:80:TCP] > nul\r\n-f \"[*=0:23:TCP]\"\n"},
         0,
         NULL,
         2},
        {"-file rules.txt",
         {false, false, "-u\n-f *=0:80 -n BLOCK\n"},
         2,
         "rules.txt:2: a port needs TCP or UDP",
         0},
        {"-file rules.txt",
         {false, false, "-file other.txt\n"},
         2,
         "rules.txt:1: a file of commands cannot name another one",
         0},
        {"-file rules.txt",
         {false, false, "-w REG -p \"P\"-x\n"},
         2,
         "rules.txt:1: a switch is glued to a name",
         0},
        {"-file rules.txt",
         {false, false, "-w REG -p \"P -x\n"},
         2,
         "rules.txt:1: unbalanced quotes",
         0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct fake f = lines[i].host;
        struct tool_host host = {
            .ctx = &f, .confirm = fake_confirm, .read_file = fake_read, .is_local = fake_is_local};
        struct catalog c;
        struct run x;
        catalog_init(&c, NULL, seed);
        run_line(&x, &c, &host, "ipseccmd", lines[i].args, false);
        if (lines[i].message) {
            assert_true(x.r < 0);
            assert_string_equal(x.d.message, lines[i].message);
            assert_int_equal(diag_exit_code(x.d.code), lines[i].exit);
        } else {
            assert_int_equal(x.r, 0);
            assert_int_equal(x.t.exit, lines[i].exit);
            assert_int_equal(c.n_dynamic, lines[i].n_dynamic);
        }
        tool_run_done(&x.t);
        catalog_done(&c);
    }
}

static void test_show(void **state)
{
    static const struct {
        const char *args, *out;
    } lines[] = {
        {"show policies", "P  assigned  2 rules  poll 180 min  local\n"
                          "Q  -  0 rules  poll 30 min  local\n"},
        {"SHOW Auth sas GPO", "Authentication: none\nSecurity associations: none\n"
                              "Policy of the domain: none\n"},
        {"show stats", "Permitted : 3 packets, 300 bytes\nNegotiate : 0 packets, 0 bytes\n"
                       "Blocked   : 7 packets, 700 bytes\n"},
    };
    static const char *const parts[] = {"Filters: 2\n",       "Filter name: Rule A\n",
                                        "Weight: 40006203\n", "Dest Addr : 192.168.1.1",
                                        "Dest Port : 1434\n", "Inbound Block\n",
                                        "Filter name: d1\n",  "Src Addr : 10.1.1.0",
                                        "Inbound Permit\n",   "P  assigned  2 rules"};
    struct tool_host host = {.addresses = fake_addresses, .filters = fake_filters};
    struct catalog c;
    struct run x;
    (void)state;
    catalog_init(&c, NULL, seed);
    run_lines(&c, start);
    run_lines(&c, "-w REG -p Q:30");
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        run_line(&x, &c, &host, "ipseccmd", lines[i].args, false);
        assert_int_equal(x.r, 0);
        assert_string_equal(x.t.out.s, lines[i].out);
        tool_run_done(&x.t);
    }
    run_line(&x, &c, &host, "ipseccmd", "show all", false);
    assert_int_equal(x.r, 0);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (!strstr(x.t.out.s, parts[i]))
            fail_msg("no '%s' in\n%s", parts[i], x.t.out.s);
    tool_run_done(&x.t);
    run_line(&x, &c, NULL, "ipseccmd", "show filters", false);
    assert_int_equal(diag_exit_code(x.d.code), 2);
    tool_run_done(&x.t);
    catalog_done(&c);
}

/* The tool of Windows 2000 knew less; what it did not know is done with a note. */
static void test_personas(void **state)
{
    static const struct {
        const char *args;
        bool late;
    } lines[] = {
        {"-f [*=0:80:TCP]", false},
        {"-w REG -p Q -1e 300", true},
        {"-w REG -p Q -1f 0=192.0.2.1", true},
        {"-w REG -p Q -1p", false},
        {"show policies", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        for (size_t k = 0; k < 2; k++) {
            struct catalog c;
            struct run x;
            catalog_init(&c, NULL, seed);
            run_line(&x, &c, NULL, k ? "ipsecpol" : "ipseccmd", lines[i].args, false);
            assert_int_equal(x.r, 0);
            assert_int_equal(has_remark(&x.t, NOTE, "of Windows 2000 has no"), k && lines[i].late);
            tool_run_done(&x.t);
            catalog_done(&c);
        }
}

static void test_help(void **state)
{
    static const char *const words[] = {"-?", "/?"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        struct catalog c;
        struct run x;
        catalog_init(&c, NULL, seed);
        run_line(&x, &c, NULL, "ipsecpol", words[i], false);
        assert_int_equal(x.r, 0);
        assert_string_equal(x.t.out.s, tool_ipsec_help);
        tool_run_done(&x.t);
        catalog_done(&c);
    }
    for (const char *s = tool_ipsec_help; *s;) {
        size_t n = strcspn(s, "\n");
        assert_true(n <= 80);
        s += n + (s[n] == '\n');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored),   cmocka_unit_test(test_existing_rules),
        cmocka_unit_test(test_secret),   cmocka_unit_test(test_assignment),
        cmocka_unit_test(test_host),     cmocka_unit_test(test_show),
        cmocka_unit_test(test_personas), cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
