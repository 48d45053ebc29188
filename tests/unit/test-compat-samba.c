/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-compat-samba.c: the default policies of Windows 2000 as Samba provisions a domain with
 * them, read from its package at test time: real blobs of all five classes. Without the package
 * samba-ad-provision the test is skipped, and says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
/* cmocka.h needs the four above first */
#include <cmocka.h>

#include "../../src/compat/blob.h"
#include "../../src/compat/convert_internal.h"
#include "../../src/compat/reg_tree.h"
#include "text/text.h"

#define LDIF "/usr/share/samba/setup/provision.ldif"
enum { BLOB_MAX = 4096 };

struct object {
    char cn[96];
    uint8_t data[BLOB_MAX];
    size_t n;
};
static struct object objects[64];
static size_t n_objects;

static size_t from_base64(const char *s, uint8_t *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n = 0;
    unsigned have = 0;
    for (; *s && *s != '='; s++) {
        const char *digit = strchr(digits, *s);
        if (!digit)
            continue;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8 && n < BLOB_MAX) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return n;
}

/* --- the same objects as the keys of a registry export --- */
#define ROOT "SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local\\"
static struct reg_tree tree;

static struct reg_key *key_of(const char *cn)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "HKEY_LOCAL_MACHINE\\" ROOT "%s", cn);
    return reg_make(&tree, path);
}

/* References become paths, and those that can be several are lists. */
static void take_value(const char *line, const char *cn)
{
    static const struct {
        const char *name;
        bool reference, list;
    } names[] = {
        {"ipsecName", false, false},
        {"ipsecID", false, false},
        {"description", false, false},
        {"ipsecNegotiationPolicyAction", false, false},
        {"ipsecNegotiationPolicyType", false, false},
        {"ipsecISAKMPReference", true, false},
        {"ipsecNegotiationPolicyReference", true, false},
        {"ipsecNFAReference", true, true},
        {"ipsecFilterReference", true, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t n = strlen(names[i].name);
        if (strncasecmp(line, names[i].name, n) != 0 || strncmp(line + n, ": ", 2) != 0)
            continue;
        const char *value = line + n + 2;
        char path[256];
        if (names[i].reference) {
            (void)snprintf(path, sizeof(path), ROOT "%.*s", (int)strcspn(value + 3, ","),
                           value + 3);
            value = path;
        }
        struct reg_key *k = key_of(cn);
        const struct reg_value *have = reg_value_find(k, names[i].name);
        char *all[8];
        size_t count = 0;
        for (; names[i].list && have && count < have->n_strings; count++)
            all[count] = strdup(have->strings[count]);
        all[count] = strdup(value);
        int err = names[i].list
                      ? reg_set_strings(k, names[i].name, (const char *const *)all, count + 1)
                      : reg_set_text(k, names[i].name, REG_SZ, value);
        for (size_t j = 0; j <= count; j++)
            free(all[j]);
        if (err < 0)
            abort();
    }
}

static void take_line(const char *line, char *cn, size_t cn_size)
{
    if (strncmp(line, "dn: CN=", 7) == 0)
        (void)snprintf(cn, cn_size, "%.*s", (int)strcspn(line + 7, ","), line + 7);
    else if (strncmp(line, "dn: ", 4) == 0)
        cn[0] = '\0';
    if (strncmp(cn, "ipsec", 5) == 0)
        take_value(line, cn);
    if (strncmp(line, "ipsecData:: ", 12) != 0 || n_objects >= 64)
        return;
    struct object *o = &objects[n_objects++];
    (void)snprintf(o->cn, sizeof(o->cn), "%s", cn);
    o->n = from_base64(line + 12, o->data);
    if (reg_set_bytes(key_of(cn), "ipsecData", o->data, o->n) < 0)
        abort();
}

/* LDIF: a line that begins with a blank goes on the one before. */
static void read_ldif(FILE *file)
{
    static char whole[2 * BLOB_MAX];
    char line[1024], cn[96] = "";
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != ' ') {
            take_line(whole, cn, sizeof(cn));
            whole[0] = '\0';
        }
        size_t have = strlen(whole);
        (void)snprintf(whole + have, sizeof(whole) - have, "%s", line + (line[0] == ' '));
    }
    take_line(whole, cn, sizeof(cn));
}

static const struct object *object(const char *cn)
{
    for (size_t i = 0; i < n_objects; i++)
        if (strcmp(objects[i].cn, cn) == 0)
            return &objects[i];
    fail_msg("%s is not in " LDIF, cn);
    return &objects[0]; /* not reached */
}

static void filters(void **state)
{
    (void)state;
    static const struct {
        const char *cn, *description;
        int proto;
    } cases[] = {
        {"ipsecFilter{7238523A-70FA-11D1-864C-14A300000000}", NULL, PROTO_ANY},
        {"ipsecFilter{72385235-70FA-11D1-864C-14A300000000}", "ICMP", PROTO_ICMP},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct object *o = object(cases[i].cn);
        struct blob_filters b = {0};
        struct diag d = {0};
        assert_int_equal(blob_filters_read(o->data, o->n, &d, &b), 0);
        assert_int_equal(b.n, 1);
        assert_int_equal(b.v[0].filter.src.kind, ADDR_ME);
        assert_int_equal(b.v[0].filter.dst.kind, ADDR_ANY);
        assert_int_equal(b.v[0].filter.proto, cases[i].proto);
        assert_true(b.v[0].filter.mirrored);
        assert_false(b.v[0].is_tunnel);
        if (cases[i].description)
            assert_string_equal(b.v[0].description, cases[i].description);
        else
            assert_null(b.v[0].description);
        blob_filters_done(&b);
    }
}

struct offer {
    uint32_t algorithm, integrity, operation, seconds;
};

/* Permit has no offers; request security ends with one without algorithms, which stands for
 * talking in the clear; require security has none of that kind. */
static void actions(void **state)
{
    (void)state;
    static const struct {
        const char *cn;
        size_t n;
        bool soft;
        struct offer v[6];
    } cases[] = {
        {"ipsecNegotiationPolicy{7238523B-70FA-11D1-864C-14A300000000}", 0, false, {{0}}},
        {"ipsecNegotiationPolicy{72385233-70FA-11D1-864C-14A300000000}",
         5,
         true,
         {{3, 2, 2, 900}, {1, 2, 2, 900}, {2, 0, 1, 300}, {1, 0, 1, 300}, {0}}},
        {"ipsecNegotiationPolicy{7238523F-70FA-11D1-864C-14A300000000}",
         4,
         false,
         {{3, 2, 2, 900}, {3, 1, 2, 900}, {1, 2, 2, 900}, {1, 1, 2, 900}}},
        {"ipsecNegotiationPolicy{59319BDF-5EE3-11D2-ACE8-0060B0ECCA17}",
         6,
         false,
         {{3, 2, 2, 0}, {3, 1, 2, 0}, {1, 2, 2, 0}, {1, 1, 2, 0}, {2, 0, 1, 0}, {1, 0, 1, 0}}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct object *o = object(cases[i].cn);
        struct blob_negotiation b = {0};
        struct diag d = {0};
        assert_int_equal(blob_negotiation_read(o->data, o->n, &d, &b), 0);
        assert_int_equal(b.n_offers, cases[i].n);
        for (size_t j = 0; j < b.n_offers; j++) {
            const struct offer *want = &cases[i].v[j];
            bool clear = cases[i].soft && j + 1 == b.n_offers;
            assert_int_equal(b.offers[j].n_algorithms, clear ? 0 : 1);
            assert_int_equal(b.offers[j].algorithm[0].algorithm, want->algorithm);
            assert_int_equal(b.offers[j].algorithm[0].integrity, want->integrity);
            assert_int_equal(b.offers[j].algorithm[0].operation, want->operation);
            assert_int_equal(b.offers[j].seconds, want->seconds);
            assert_int_equal(b.offers[j].kilobytes, want->seconds > 0 ? 100000 : 0);
            assert_int_equal(b.offers[j].pfs, 0);
        }
        blob_negotiation_done(&b);
    }
}

static void check_nfa(const struct object *o)
{
    struct blob_nfa b = {0};
    struct diag d = {0};
    assert_int_equal(blob_nfa_read(o->data, o->n, &d, &b), 0);
    assert_int_equal(b.n_auth, 1);
    assert_int_equal(b.auth[0].method, BLOB_AUTH_KERBEROS);
    assert_null(b.auth[0].data);
    assert_true(b.interface_type == BLOB_IF_ALL);
    assert_false(b.is_tunnel);
    assert_true(b.is_active);
    blob_nfa_done(&b);
}

static void check_isakmp(const struct object *o)
{
    static const uint32_t offers[4][3] = {{3, 2, 2}, {3, 1, 2}, {1, 2, 1}, {1, 1, 1}};
    struct blob_isakmp b = {0};
    struct diag d = {0};
    assert_int_equal(blob_isakmp_read(o->data, o->n, &d, &b), 0);
    assert_int_equal(b.n_offers, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(b.offers[i].encryption, offers[i][0]);
        assert_int_equal(b.offers[i].hash, offers[i][1]);
        assert_int_equal(b.offers[i].group, offers[i][2]);
        assert_int_equal(b.offers[i].seconds, 28800);
    }
    blob_isakmp_done(&b);
}

/* Three policies with their main mode, seven rules; one object is the version, which is none. */
static void every_object(void **state)
{
    (void)state;
    static const size_t want[_BLOB_CLASS_MAX] = {3, 3, 7, 6, 2};
    size_t n[_BLOB_CLASS_MAX] = {0}, others = 0;
    for (size_t i = 0; i < n_objects; i++) {
        const struct object *o = &objects[i];
        struct blob_policy p = {0};
        struct diag d = {0};
        int class = blob_class_of(o->data, o->n);
        if (class < 0) {
            others++;
            continue;
        }
        n[class]++;
        if (class == BLOB_POLICY) {
            assert_int_equal(blob_policy_read(o->data, o->n, &d, &p), 0);
            assert_int_equal(p.poll_s, 10800);
        }
        if (class == BLOB_NFA)
            check_nfa(o);
        if (class == BLOB_ISAKMP)
            check_isakmp(o);
    }
    for (size_t i = 0; i < _BLOB_CLASS_MAX; i++)
        assert_int_equal(n[i], want[i]);
    assert_int_equal(others, 1);
}

/* As [MS-GPIPSEC] means them: each answers requests for security; the two servers let ICMP pass,
 * and accept what comes in the clear but answer with security, one of them only if the other side
 * can. */
static void whole_policies(void **state)
{
    (void)state;
    static const uint64_t seed[2] = {1, 2};
    static const struct {
        const char *name, *parts[6];
        size_t rules;
    } cases[] = {
        {"Client (Respond Only)", {"attribute default-response \"yes\""}, 0},
        {"Server (Request Security)",
         {"attribute default-response \"yes\"", "attribute filterlist \"All IP Traffic\"",
          "permit inpass out from me to any mirrored", "permit out icmp from me to any mirrored"},
         2},
        {"Secure Server (Require Security)",
         {"attribute default-response \"yes\"", "attribute filterlist \"All ICMP Traffic\"",
          "permit inpass out from me to any mirrored", "permit out icmp from me to any mirrored"},
         2},
    };
    struct catalog c;
    struct tool_run t;
    struct diag d = {0};
    struct filter_action *a = NULL;
    catalog_init(&c, NULL, seed);
    tool_run_init(&t, &c, NULL);
    struct convert_options o = {.file = "provision.ldif"};
    if (convert_read_reg_tree(&t, &tree, &o, &d) < 0 || catalog_settle(&c, &d) < 0)
        fail_msg("%s", d.message);
    if (t.partly)
        fail_msg("%s", t.remarks[0].text);
    assert_int_equal(c.n_policies, ARRAY_SIZE(cases));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct strbuf text = STRBUF_INIT(64 * 1024);
        struct policy *p = NULL;
        assert_int_equal(catalog_policy(&c, cases[i].name, &d, &p), 0);
        assert_int_equal(p->n_rules, cases[i].rules);
        assert_int_equal(p->poll_s, 0); /* three hours, the default */
        assert_int_equal(text_print_policy(p, &text), 0);
        for (size_t j = 0; cases[i].parts[j]; j++)
            if (!strstr(text.s, cases[i].parts[j]))
                fail_msg("%s is not in:\n%s", cases[i].parts[j], text.s);
        strbuf_done(&text);
    }
    assert_int_equal(catalog_action(&c, "Request Security (Optional)", &d, &a), 0);
    assert_string_equal(attributes_get(&a->attributes, "soft"), "yes");
    assert_true(a->inpass);
    assert_string_equal(attributes_get(&a->attributes, "qm-methods"),
                        "ESP[3DES,SHA1]:100000k/900s ESP[NONE,SHA1]:100000k/900s "
                        "AH[SHA1]:100000k/300s AH[MD5]:100000k/300s");
    assert_int_equal(catalog_action(&c, "Require Security", &d, &a), 0);
    assert_null(attributes_get(&a->attributes, "soft"));
    assert_true(a->inpass); /* "accepts unsecured communication" */
    assert_string_equal(attributes_get(&a->attributes, "qm-methods"),
                        "ESP[3DES,SHA1]:100000k/900s ESP[3DES,MD5]:100000k/900s "
                        "ESP[NONE,SHA1]:100000k/900s ESP[NONE,MD5]:100000k/900s");
    tool_run_done(&t);
    catalog_done(&c);
    reg_tree_done(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters),
        cmocka_unit_test(actions),
        cmocka_unit_test(every_object),
        cmocka_unit_test(whole_policies),
    };
    FILE *file = fopen(LDIF, "r");
    if (!file) {
        puts("1..0 # SKIP no " LDIF ": install the package samba-ad-provision");
        return 0;
    }
    read_ldif(file);
    (void)fclose(file);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
