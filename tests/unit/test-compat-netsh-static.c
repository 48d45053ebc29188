/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test-compat-netsh-static.c: netsh ipsec static (windows.md 4): what each command makes
 * of the store, references between objects, exit codes and numbers of errors, and what show prints.
 */
#include "netsh-help.h"

static void prepare(struct world *w)
{
    world_init(w);
    must(w, "ipsec static add filterlist webs");
    must(w, "ipsec static add filter webs any me protocol=tcp dstport=80 mirrored=no");
    must(w, "ipsec static add filteraction block action=block");
    must(w, "ipsec static add filteraction permit action=permit");
    must(w, "ipsec static add policy P1");
    must(w, "ipsec static add policy P2");
    must(w, "ipsec static add rule R P1 webs block");
    must(w, "ipsec static add rule R P2 webs block");
}

/* Runs of blanks count as one: how filters are aligned is not netsh's business. */
static void squeeze(char *text)
{
    char *out = text;
    for (const char *s = text; *s != '\0'; s++)
        if (*s != ' ' || out == text || out[-1] != ' ')
            *out++ = *s;
    *out = '\0';
}

static void expect(struct world *w, const char *want)
{
    char *text = catalog_text(w), *copy = strdup(want);
    assert_non_null(copy);
    squeeze(text);
    squeeze(copy);
    assert_string_equal(text, copy);
    free(text);
    free(copy);
}

/* Refused with this exit code and this beginning of the line on stdout. */
static void refused(struct world *w, const char *line, int exit, const char *out, const char *error)
{
    char *before = catalog_text(w);
    if (run_line(w, line) == 0)
        fail_msg("%s: was not refused", line);
    if (strcmp(w->diag.message, error) != 0)
        fail_msg("%s: '%s'", line, w->diag.message);
    if (diag_exit_code(w->diag.code) != exit)
        fail_msg("%s: exit %d", line, diag_exit_code(w->diag.code));
    if (strncmp(w->run.out.s, out, strlen(out)) != 0)
        fail_msg("%s: printed %s", line, w->run.out.s);
    assert_non_null(strstr(w->run.out.s, error));
    char *after = catalog_text(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *line;
        int exit;
        const char *out, *error;
    } table[] = {
        {"ipsec static add filterlist webs", 5,
         "ERR IPsec [05010] : ", "filter list 'webs' exists already"},
        {"ipsec static add filteraction BLOCK", 5,
         "ERR IPsec [05014] : ", "filter action 'BLOCK' exists already"},
        {"ipsec static add policy p1", 5, "ERR portward [201] : ", "policy 'P1' exists already"},
        {"ipsec static add rule r P1 webs block", 5,
         "ERR portward [202] : ", "policy 'P1' has a rule 'r' already"},
        {"ipsec static add rule S P1 none block", 1,
         "ERR portward [204] : ", "unknown filter list 'none'"},
        {"ipsec static add rule S P1 webs none", 1,
         "ERR portward [204] : ", "unknown filter action 'none'"},
        {"ipsec static add rule S P9 webs block", 1,
         "ERR portward [204] : ", "unknown policy 'P9'"},
        {"ipsec static delete filterlist webs", 5,
         "ERR portward [205] : ", "filter list 'webs' is used by rule 'R' of policy 'P1'"},
        {"ipsec static delete filteraction block", 5,
         "ERR portward [205] : ", "filter action 'block' is used by rule 'R' of policy 'P1'"},
        {"ipsec static delete filterlist none", 1,
         "ERR portward [204] : ", "unknown filter list 'none'"},
        {"ipsec static delete filteraction none", 1,
         "ERR portward [204] : ", "unknown filter action 'none'"},
        {"ipsec static delete policy none", 1, "ERR portward [204] : ", "unknown policy 'none'"},
        {"ipsec static delete rule none P1", 1,
         "ERR portward [204] : ", "policy 'P1' has no rule 'none'"},
        {"ipsec static delete rule id=2 policy=P1", 1,
         "ERR portward [204] : ", "policy 'P1' has no rule '2'"},
        {"ipsec static delete rule id=x policy=P1", 2,
         "ERR portward [107] : ", "id 'x' is out of range"},
        {"ipsec static delete filter webs any me protocol=udp", 1,
         "ERR portward [204] : ", "filter list 'webs' has no such filter"},
        {"ipsec static delete filter webs any me dstport=80", 2,
         "ERR portward [107] : ", "a port needs TCP or UDP"},
        {"ipsec static delete filter none any me", 1,
         "ERR portward [204] : ", "unknown filter list 'none'"},
        {"ipsec static set policy assign=y", 2,
         "ERR portward [206] : ", "which of the 2 policies is not said"},
        {"ipsec static set policy description=x", 2,
         "ERR portward [206] : ", "which policy is not said"},
        {"ipsec static set policy name=P9 assign=y", 1,
         "ERR portward [204] : ", "unknown policy 'P9'"},
        {"ipsec static set policy name=P1 gponame=G", 1,
         "ERR portward [301] : ", "gponame needs the domain tools, which are not configured"},
        {"ipsec static set policy guid=x assign=y", 2, "ERR portward [107] : ", "'x' is no GUID"},
        {"ipsec static set filterlist guid={00000000-0000-0000-0000-000000000001} newname=x", 1,
         "ERR portward [204] : ",
         "no filter list has the GUID {00000000-0000-0000-0000-000000000001}"},
        {"ipsec static set policy name=P1 newname=P2", 5,
         "ERR portward [205] : ", "policy 'P2' exists already"},
        {"ipsec static set rule name=R policy=P1 filterlist=none", 1,
         "ERR portward [204] : ", "unknown filter list 'none'"},
        {"ipsec static set rule name=R policy=P1 tunnel=\"a b\"", 2,
         "ERR portward [107] : ", "'a b' is no end of a tunnel"},
        {"ipsec static set store location=mars", 2,
         "ERR portward [107] : ", "location takes no 'mars'"},
        {"ipsec static set store location=local domain=x", 2,
         "ERR portward [107] : ", "domain goes with location=domain only"},
        {"ipsec static set batch mode=on", 2, "ERR portward [107] : ", "mode takes no 'on'"},
        {"ipsec static show policy none", 1, "ERR portward [204] : ", "unknown policy 'none'"},
        {"ipsec static show rule none P1", 1,
         "ERR portward [204] : ", "policy 'P1' has no rule 'none'"},
        {"ipsec static show filterlist none", 1,
         "ERR portward [204] : ", "unknown filter list 'none'"},
        {"ipsec static show filterlist all level=much", 2,
         "ERR portward [107] : ", "level takes no 'much'"},
        {"ipsec static importpolicy missing", 1, "ERR portward [303] : ", "no file 'missing'"},
    };
    struct world w;
    (void)state;
    prepare(&w);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        refused(&w, table[i].line, table[i].exit, table[i].out, table[i].error);
    world_done(&w);
}

/* One list in two policies: what changes in it changes both. */
static void test_shared_list(void **state)
{
    struct world w;
    (void)state;
    prepare(&w);
    must(&w, "ipsec static add filter webs 10.0.0.0 me srcmask=8 mirrored=no");
    must(&w, "ipsec static delete filter webs any me");
    must(&w, "ipsec static set filterlist webs newname=\"two words\" description=x");
    must(&w, "ipsec static set filteraction block newname=deny");
    must(&w, "ipsec static set filteraction deny action=permit");
    expect(&w, "policy \"P1\" {\n"
               "    rule \"R\" attribute filterlist \"two words\" attribute filteraction \"deny\" "
               "permit in from 10.0.0.0/8 to me\n"
               "}\n"
               "policy \"P2\" {\n"
               "    rule \"R\" attribute filterlist \"two words\" attribute filteraction \"deny\" "
               "permit in from 10.0.0.0/8 to me\n"
               "}\n");
    /* Referenced until the last rule is gone. */
    must(&w, "ipsec static delete rule R P1");
    assert_true(run_line(&w, "ipsec static delete filterlist \"two words\"") < 0);
    must(&w, "ipsec static delete policy P2");
    must(&w, "ipsec static delete filterlist \"two words\"");
    must(&w, "ipsec static delete filteraction all");
    must(&w, "ipsec static delete filterlist all");
    expect(&w, "policy \"P1\" {\n}\n");
    world_done(&w);
}

static void test_delete_filter(void **state)
{
    struct world w;
    struct filter_list *l;
    (void)state;
    world_init(&w);
    must(&w, "ipsec static add filter l any me protocol=tcp dstport=1");
    must(&w, "ipsec static add filter l any me protocol=tcp dstport=2 mirrored=no");
    must(&w, "ipsec static add filter l any me protocol=udp dstport=1");
    must(&w, "ipsec static delete filter l any me protocol=tcp dstport=2");
    assert_int_equal(catalog_list(&w.catalog, "l", NULL, &l), 0);
    assert_int_equal(l->n_filters, 2);
    assert_true(run_line(&w, "ipsec static delete filter l any me mirrored=no") < 0);
    must(&w, "ipsec static delete filter l any me mirrored=yes");
    assert_true(has_remark(&w, "2 filters of 'l' are deleted"));
    assert_int_equal(l->n_filters, 0);
    world_done(&w);
}

static void test_assign(void **state)
{
    struct world w;
    const char *name;
    (void)state;
    prepare(&w);
    must(&w, "ipsec static set policy name=P1 assign=y");
    assert_string_equal(w.run.out.s, "Ok.\n");
    assert_int_equal(catalog_assigned(&w.catalog, CATALOG_LOCAL, NULL, &name), 0);
    assert_string_equal(name, "P1");
    must(&w, "ipsec static set policy name=P1 assign=y");
    assert_true(has_remark(&w, "is assigned already"));
    must(&w, "ipsec static set policy name=P2 assign=n");
    assert_true(has_remark(&w, "policy 'P2' is not assigned"));
    assert_string_equal(name, "P1");
    must(&w, "ipsec static set policy name=P1 newname=Renamed");
    assert_string_equal(name, "Renamed");
    must(&w, "ipsec static set policy name=Renamed assign=n");
    assert_true(has_remark(&w, "policy 'Renamed' was assigned: nothing of it is blocked"));
    assert_string_equal(name, "");
    must(&w, "ipsec static add policy name=P3 assign=y");
    assert_string_equal(name, "P3");
    must(&w, "ipsec static delete policy P3");
    assert_true(has_remark(&w, "policy 'P3' was assigned"));
    assert_string_equal(name, "");
    must(&w, "ipsec static delete policy Renamed");
    must(&w, "ipsec static set policy assign=y"); /* the only one */
    assert_string_equal(name, "P2");
    must(&w, "ipsec static delete all");
    assert_true(has_remark(&w, "policy 'P2' was assigned"));
    expect(&w, "");
    assert_int_equal(w.catalog.n_lists + w.catalog.n_actions, 0);
    world_done(&w);
}

static void test_store(void **state)
{
    struct world w;
    const char *local, *persistent;
    (void)state;
    prepare(&w);
    must(&w, "ipsec static set store location=persistent");
    must(&w, "ipsec static show store");
    assert_string_equal(w.run.out.s, "Current Store            : Persistent Store\n");
    must(&w, "ipsec static set policy name=P1 assign=y");
    must(&w, "ipsec static set store location=local");
    must(&w, "ipsec static set policy name=P2 assign=y");
    assert_int_equal(catalog_assigned(&w.catalog, CATALOG_LOCAL, NULL, &local), 0);
    assert_int_equal(catalog_assigned(&w.catalog, CATALOG_PERSISTENT, NULL, &persistent), 0);
    assert_string_equal(local, "P2");
    assert_string_equal(persistent, "P1");
    must(&w, "ipsec static set store domain");
    refused(&w, "ipsec static add filterlist x", 1, "ERR portward [305] : ",
            "the store in use is the domain's, which is changed with the domain tools");
    must(&w, "ipsec static show policy all");
    must(&w, "ipsec static set store local");
    must(&w, "ipsec static add filterlist x");
    /* --explain changes nothing outside of the catalog either. */
    must(&w, "ipsec static dump");
    assert_non_null(
        strstr(w.run.out.s, "set store location=persistent\nset policy name=\"P1\" assign=yes\n"));
    world_done(&w);
}

static void test_rules(void **state)
{
    struct world w;
    (void)state;
    prepare(&w);
    must(&w, "ipsec static delete policy P2");
    must(&w, "ipsec static add rule S P1 webs permit tunnel=192.0.2.1 conntype=lan activate=n "
             "description=\"a text\" kerberos=y");
    expect(&w, "policy \"P1\" {\n"
               "    rule \"R\" attribute filterlist \"webs\" attribute filteraction \"block\" "
               "block in tcp from any to me port 80\n"
               "    inactive rule \"S\" connection lan attribute tunnel \"192.0.2.1\" attribute "
               "description \"a text\" attribute auth \"kerberos\" attribute filterlist \"webs\" "
               "attribute filteraction \"permit\" permit in tcp from any to me port 80\n"
               "}\n");
    must(&w, "ipsec static set rule id=2 policy=P1 newname=T activate=y conntype=all tunnel= "
             "description= filteraction=block");
    must(&w, "ipsec static delete rule id=1 policy=P1");
    expect(&w, "policy \"P1\" {\n"
               "    rule \"T\" attribute auth \"kerberos\" attribute filterlist \"webs\" "
               "attribute filteraction \"block\" block in tcp from any to me port 80\n"
               "}\n");
    must(&w, "ipsec static delete rule all P1");
    expect(&w, "policy \"P1\" {\n}\n");
    world_done(&w);
}

/* A permit over a name needs protocol and port, whichever way it comes. */
static void test_name_permit(void **state)
{
    struct world w;
    struct diag d = {0};
    (void)state;
    prepare(&w);
    must(&w, "ipsec static add filter named web.example.test me");
    must(&w, "ipsec static add rule Blocks P1 named block");
    refused(&w, "ipsec static add rule Permits P1 named permit", 7,
            "ERR portward [304] : ", "permit with a name needs protocol and port, or 'keep state'");
    must(&w, "ipsec static add filter keyword gateway me protocol=udp dstport=53");
    must(&w, "ipsec static add rule Permits P1 keyword permit");
    /* By a later filter of the list: found when the whole is made. */
    must(&w, "ipsec static add filter keyword gateway me");
    assert_int_equal(catalog_settle(&w.catalog, &d), -EINVAL);
    assert_int_equal(d.code, DIAG_NAME_PERMIT);
    world_done(&w);
}

/* mirrored is the default, and a permit to one port then opens all of ours to that source port. */
static void test_mirrored_hole(void **state)
{
    struct world w;
    (void)state;
    prepare(&w);
    must(&w, "ipsec static add filter names me any protocol=udp dstport=53");
    must(&w, "ipsec static add rule DNS P1 names permit");
    assert_true(has_remark(&w, "mirrored-hole: 'DNS' also opens every port of this host to that "
                               "source port; instead: portward permit out udp from me to any port "
                               "53 keep state"));
    must(&w, "ipsec static add rule B P1 names block");
    assert_int_equal(w.run.n_remarks, 0);
    world_done(&w);
}

static void test_policy_values(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec static add policy P \"a text\" y 3 60 n 180 n \"3DES-SHA1-2 DES-MD5-1\"");
    expect(&w, "policy \"P\" description \"a text\" poll 3h attribute mm-pfs \"yes\" attribute "
               "qm-per-mm \"3\" attribute mm-lifetime \"3600\" attribute default-response \"no\" "
               "attribute mm-methods \"3DES-SHA1-2 DES-MD5-1\" {\n}\n");
    must(&w, "ipsec static set policy P mmpfs=n pollinginterval=5 description=");
    must(&w, "ipsec static set defaultrule P activate=y qmpfs=y qmsecmethods=ESP[3des,sha1]:100k "
             "rootca=\"CN=X\"");
    expect(&w, "policy \"P\" poll 5m attribute mm-pfs \"no\" attribute qm-per-mm \"3\" attribute "
               "mm-lifetime \"3600\" attribute default-response \"yes\" attribute mm-methods "
               "\"3DES-SHA1-2 DES-MD5-1\" attribute default-pfs \"yes\" attribute default-methods "
               "\"ESP[3DES,SHA1]:100k\" attribute default-auth \"cert:\\\"CN=X\\\"\" {\n}\n");
    world_done(&w);
}

static void test_actions(void **state)
{
    struct world w;
    struct filter_action *x;
    (void)state;
    world_init(&w);
    must(&w, "ipsec static add filteraction Default");
    assert_int_equal(catalog_action(&w.catalog, "default", NULL, &x), 0);
    assert_int_equal(x->action, ACTION_NEGOTIATE);
    must(&w,
         "ipsec static set filteraction Default qmsec=\"ESP[3DES,SHA1]:50000k/900s ESP[DES,MD5]\" "
         "qmpfs=y soft=y");
    assert_string_equal(x->methods, "esp 3des-sha1,des-md5 rekey 50000k/15m");
    assert_string_equal(attributes_get(&x->attributes, "qm-methods"),
                        "ESP[3DES,SHA1]:50000k/900s ESP[DES,MD5]");
    assert_string_equal(attributes_get(&x->attributes, "qm-pfs"), "yes");
    must(&w, "ipsec static set filteraction Default inpass=y qmpfs=n");
    assert_true(x->inpass);
    assert_int_equal(x->action, ACTION_PERMIT);
    assert_null(x->methods);
    assert_null(attributes_get(&x->attributes, "qm-pfs"));
    must(&w, "ipsec static set filteraction Default action=block");
    assert_false(x->inpass);
    assert_int_equal(x->action, ACTION_BLOCK);
    must(&w, "ipsec static add filteraction B action=block qmsec=ESP[3DES,SHA1] inpass=y");
    assert_true(has_remark(&w, "qmsecmethods is ignored: action is block"));
    assert_true(has_remark(&w, "inpass is ignored: action is block"));
    world_done(&w);
}

/* A wrong method is refused with its own number (7 if it is well-formed). */
static void test_methods(void **state)
{
    static const struct {
        const char *value;
        int exit;
    } table[] = {
        {"ESP", 2},
        {"ESP[", 2},
        {"ESP[3DES", 2},
        {"ESP[3DES,", 2},
        {"ESP[3DES,SHA1", 2},
        {"ESP[3DES,SHA1]x", 2},
        {"ESP[3DES,SHA1]:", 2},
        {"ESP[3DES,SHA1]:5", 2},
        {"ESP[3DES,SHA1]:5x", 2},
        {"ESP[3DES,SHA1]:5k/", 2},
        {"ESP[3DES,SHA1]:5k/5k", 2},
        {"ESP[3DES,SHA1]:0k", 2},
        {"ESP[3DES,SHA1]:99999999999k", 2},
        {"ESP[AES,SHA1]", 2},
        {"ESP[3DES,SHA9]", 2},
        {"AH[]", 2},
        {"", 2},
        {" ", 2},
        {"ESP[NONE,NONE]", 7},
        {"ESP[3DES,NONE]", 7},
        {"AH[NONE]", 7},
        {"AH[MD5]+ESP[DES,NONE]", 7},
    };
    struct world w;
    char line[256];
    (void)state;
    world_init(&w);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        (void)snprintf(line, sizeof(line),
                       "ipsec static add filteraction x action=negotiate qmsecmethods=\"%s\"",
                       table[i].value);
        if (run_line(&w, line) == 0)
            fail_msg("'%s' was accepted", table[i].value);
        if (diag_exit_code(w.diag.code) != table[i].exit)
            fail_msg("'%s': exit %d", table[i].value, diag_exit_code(w.diag.code));
        if (table[i].value[0] > ' ')
            assert_int_equal(strncmp(w.run.out.s, "ERR portward [108] : ", 21), 0);
    }
    world_done(&w);
}

static void test_show(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    refused(&w, "ipsec static show policy all", 1, "ERR IPsec [05072] : ", "there are no policies");
    refused(&w, "ipsec static show all", 1, "ERR IPsec [05072] : ", "there are no policies");
    world_done(&w);
    prepare(&w);
    must(&w, "ipsec static show filterlist webs level=verbose");
    assert_non_null(strstr(w.run.out.s,
                           "-----------------------------------------------------------\n"
                           "Source IP Address        : <Any IP Address>\n"
                           "Source Mask              : 0.0.0.0\n"
                           "Destination IP Address   : <My IP Address>\n"
                           "Destination Mask         : 255.255.255.255\n"
                           "Protocol                 : TCP\n"
                           "Source Port              : ANY\n"
                           "Destination Port         : 80\n"));
    must(&w, "ipsec static show filterlist rule=R");
    assert_non_null(strstr(w.run.out.s, "FilterList Name          : webs\n"));
    must(&w, "ipsec static show filteraction all format=table");
    assert_non_null(strstr(w.run.out.s, "block                          BLOCK\n"));
    must(&w, "ipsec static show policy all");
    assert_int_equal(strncmp(w.run.out.s, "Policy Name              : P1\n", 29), 0);
    assert_non_null(strstr(w.run.out.s, "\n\nPolicy Name              : P2\n"));
    assert_non_null(strstr(w.run.out.s, "No. of policies : 2\n"));
    must(&w, "ipsec static show rule all P1 level=verbose");
    assert_non_null(strstr(w.run.out.s, "Rule Name                : R\n"));
    assert_non_null(strstr(w.run.out.s, "Action                   : block\n"));
    must(&w, "ipsec static show rule all P1 type=tunnel");
    assert_string_equal(w.run.out.s, "No. of Rules : 0\n");
    must(&w, "ipsec static show rule default P1");
    assert_non_null(strstr(w.run.out.s, "Default Response Rule"));
    must(&w, "ipsec static show all");
    assert_non_null(strstr(w.run.out.s, "FilterAction Name        : permit\n"));
    must(&w, "ipsec static show gpoassignedpolicy");
    assert_true(has_remark(&w, "no domain configured"));
    must(&w, "ipsec static show policy P1 format=table wide=y");
    assert_non_null(strstr(w.run.out.s, "P1"));
    world_done(&w);
}

/* Forms of show rule on the pages of Microsoft, and name=all. */
static void test_show_rule_forms(void **state)
{
    static const struct {
        const char *line;
        unsigned rules; /* shown */
    } rows[] = {
        {"show rule all", 3},
        {"show rule name=all", 3},
        {"show rule name=ALL policy=P1", 2},
        {"show rule all policy=P1", 2},
        {"show rule all policy=P1 type=tunnel", 1},
        {"show rule all P1 transport", 1},
        {"show rule all type=tunnel level=verbose format=list", 1},
        {"show rule name=R1 policy=P1 level=normal format=table wide=yes", 1},
        {"show rule name=R1", 2}, /* of either policy */
        {"show rule R2", 1},
        {"show rule id=2 policy=P1", 1},
    };
    struct world w;
    (void)state;
    world_init(&w);
    must(&w, "ipsec static add filter L any me protocol=TCP dstport=80 mirrored=no");
    must(&w, "ipsec static add filteraction block action=block");
    must(&w, "ipsec static add policy P1");
    must(&w, "ipsec static add policy P2");
    must(&w, "ipsec static add rule R1 P1 L block");
    must(&w, "ipsec static add rule R2 P1 L block tunnel=192.0.2.1");
    must(&w, "ipsec static add rule R1 P2 L block");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char line[128], want[64];
        (void)snprintf(line, sizeof(line), "ipsec static %s", rows[i].line);
        (void)snprintf(want, sizeof(want), "No. of Rules : %u\n", rows[i].rules);
        must(&w, line);
        if (!strstr(w.run.out.s, want))
            fail_msg("%s: %s", line, w.run.out.s);
    }
    must(&w, "ipsec static show policy name=all");
    assert_non_null(strstr(w.run.out.s, "No. of policies : 2"));
    assert_true(has_remark(&w, "read name=all as all"));
    must(&w, "ipsec static show filterlist name=all");
    must(&w, "ipsec static show filteraction name=all");
    assert_int_not_equal(run_line(&w, "ipsec static show rule id=1"), 0);
    assert_int_not_equal(run_line(&w, "ipsec static show rule nowhere"), 0);
    /* What changes something never takes a name for all of them. */
    assert_int_not_equal(run_line(&w, "ipsec static delete policy name=all"), 0);
    must(&w, "ipsec static show policy all");
    assert_non_null(strstr(w.run.out.s, "No. of policies : 2"));
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_shared_list),
        cmocka_unit_test(test_delete_filter),   cmocka_unit_test(test_assign),
        cmocka_unit_test(test_store),           cmocka_unit_test(test_rules),
        cmocka_unit_test(test_name_permit),     cmocka_unit_test(test_policy_values),
        cmocka_unit_test(test_mirrored_hole),   cmocka_unit_test(test_actions),
        cmocka_unit_test(test_methods),         cmocka_unit_test(test_show),
        cmocka_unit_test(test_show_rule_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
