/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test-compat-reg-shapes.c: registry objects that mislead, and every shape of a filter
 * on its way to the foreign forms and back. Invariant under test: an object never gets the contents
 * of another one, nothing comes back wider than it was, and what does not come back is listed. */
#include <time.h>

#include "../../src/compat/blob.h"
#include "../../src/compat/reg_tree.h"
#include "base/limits.h"
#include "compat-reg.h"
#include "text/text.h"

#define ROOT   "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec\\Policy\\Local\\"
#define BLOCK  "{3F91A819-7647-11D1-864D-D46A00000000}"
#define PERMIT "{8A171DD2-77E3-11D1-8659-A04F00000000}"

/* --- trees made by hand --- */
static struct reg_key *object(struct reg_tree *t, const char *class, unsigned id, const char *name)
{
    char path[512], guid[64];
    (void)format_into(guid, sizeof(guid), "{%08x-0000-0000-0000-000000000000}", id);
    (void)format_into(path, sizeof(path), ROOT "%s%s", class, guid);
    struct reg_key *k = reg_make(t, path);
    assert_non_null(k);
    assert_int_equal(reg_set_text(k, "ipsecName", REG_SZ, name), 0);
    assert_int_equal(reg_set_text(k, "ipsecID", REG_SZ, guid), 0);
    return k;
}

static void set_data(struct reg_key *k, struct blob_bytes *b, int err)
{
    assert_int_equal(err, 0);
    assert_int_equal(reg_set_bytes(k, "ipsecData", b->v, b->n), 0);
    blob_bytes_done(b);
}

static struct reg_key *add_list(struct reg_tree *t, unsigned id, const char *name, uint16_t port)
{
    struct reg_key *k = object(t, "ipsecFilter", id, name);
    struct port_range range = {port, port};
    struct blob_filter one = {.guid = {{1, (uint8_t)(port >> 8), (uint8_t)port}}};
    struct blob_filters b = {&one, 1, 1};
    struct blob_bytes data = {0};
    filter_init(&one.filter);
    one.filter.action = ACTION_BLOCK;
    one.filter.dst = addr_me();
    one.filter.proto = PROTO_UDP;
    one.filter.dport = (struct portset){1, &range};
    set_data(k, &data, blob_filters_write(&b, &data));
    return k;
}

static struct reg_key *add_action(struct reg_tree *t, unsigned id, const char *name,
                                  const char *action)
{
    struct reg_key *k = object(t, "ipsecNegotiationPolicy", id, name);
    struct blob_negotiation none = {0};
    struct blob_bytes data = {0};
    set_data(k, &data, blob_negotiation_write(&none, &data));
    assert_int_equal(reg_set_text(k, "ipsecNegotiationPolicyAction", REG_SZ, action), 0);
    return k;
}

static const char *leaf(char buffer[128], const char *class, unsigned id)
{
    (void)format_into(buffer, 128, "%s{%08x-0000-0000-0000-000000000000}", class, id);
    return buffer;
}

static void add_rule(struct reg_tree *t, unsigned id, const char *name, unsigned list,
                     unsigned action, const struct blob_nfa *with)
{
    struct reg_key *k = object(t, "ipsecNFA", id, name);
    struct blob_nfa b = {.interface_type = BLOB_IF_ALL, .is_active = true};
    struct blob_bytes data = {0};
    char buffer[128];
    set_data(k, &data, blob_nfa_write(with ? with : &b, &data));
    assert_int_equal(
        reg_set_text(k, "ipsecFilterReference", REG_SZ, leaf(buffer, "ipsecFilter", list)), 0);
    assert_int_equal(reg_set_text(k, "ipsecNegotiationPolicyReference", REG_SZ,
                                  leaf(buffer, "ipsecNegotiationPolicy", action)),
                     0);
}

static void add_policy(struct reg_tree *t, unsigned id, const char *name, const unsigned *rules,
                       size_t n)
{
    struct reg_key *k = object(t, "ipsecPolicy", id, name);
    const struct blob_policy b = {0};
    struct blob_bytes data = {0};
    char(*buffers)[128] = calloc(n + 1, sizeof(*buffers));
    const char **leaves = calloc(n + 1, sizeof(*leaves));
    assert_non_null(buffers);
    assert_non_null(leaves);
    set_data(k, &data, blob_policy_write(&b, &data));
    for (size_t i = 0; i < n; i++)
        leaves[i] = leaf(buffers[i], "ipsecNFA", rules[i]);
    assert_int_equal(reg_set_strings(k, "ipsecNFAReference", leaves, n), 0);
    free(leaves);
    free(buffers);
}

static int read_tree(struct world *w, struct reg_tree *t)
{
    fresh_run(w);
    w->err = convert_read_reg_tree(&w->run, t, &(struct convert_options){.file = "x"}, &w->diag);
    reg_tree_done(t);
    return code(w);
}

static char *filters_of(struct world *w, const char *policy)
{
    struct strbuf out = STRBUF_INIT(1024 * 1024);
    struct policy *p = NULL;
    if (catalog_settle(&w->catalog, &w->diag) < 0 ||
        catalog_policy(&w->catalog, policy, &w->diag, &p) < 0)
        fail_msg("%s", w->diag.message);
    assert_int_equal(strbuf_add(&out, ""), 0);
    for (size_t i = 0; i < p->n_rules; i++)
        for (size_t k = 0; k < p->rules[i].n_filters; k++) {
            struct filter f = p->rules[i].filters[k]; /* borrows everything */
            f.description = NULL;
            assert_int_equal(text_print_filter(&f, &out), 0);
            assert_int_equal(strbuf_add_char(&out, '\n'), 0);
        }
    char *s = strbuf_take(&out);
    return s ? s : strdup("");
}

static void expect_filters(struct world *w, const char *policy, const char *want)
{
    char *have = filters_of(w, policy);
    assert_string_equal(have, want);
    free(have);
}

/* Objects that claim the identity of another one of the same file: none takes its place. */
static void test_same_identity(void **state)
{
    (void)state;
    static const unsigned rules[] = {5, 6};
    for (int again = 0; again < 2; again++) {
        struct world w;
        struct reg_tree t = {0};
        char buffer[128];
        world_init(&w);
        for (int times = 0; times <= again; times++) {
            t = (struct reg_tree){0};
            (void)add_action(&t, 1, "deny", BLOCK);
            struct reg_key *k = add_action(&t, 2, "let", PERMIT);
            assert_int_equal(reg_set_text(k, "ipsecID", REG_SZ, strchr(leaf(buffer, "", 1), '{')),
                             0);
            (void)add_list(&t, 3, "a", 111);
            k = add_list(&t, 4, "b", 222);
            assert_int_equal(reg_set_text(k, "ipsecID", REG_SZ, strchr(leaf(buffer, "", 3), '{')),
                             0);
            add_rule(&t, 5, "r1", 3, 1, NULL);
            add_rule(&t, 6, "r2", 4, 2, NULL);
            add_policy(&t, 7, "P", rules, 2);
            assert_int_equal(read_tree(&w, &t), 0);
        }
        expect_filters(&w, "P",
                       "block in udp from any to me port 111\n"
                       "permit in udp from any to me port 222\n");
        assert_int_equal(w.catalog.n_lists, 2);
        assert_int_equal(w.catalog.n_actions, 2);
        world_done(&w);
    }
}

/* Keys without a GUID in their name, and one ipsecID for all. */
static void test_identity_without_key(void **state)
{
    (void)state;
    struct world w;
    struct reg_tree t = {0};
    static const unsigned rules[] = {5};
    const char *id = "{00000009-0000-0000-0000-000000000000}";
    struct blob_negotiation none = {0};
    static const char *const actions[][2] = {{"{x}", BLOCK}, {"{y}", PERMIT}};
    world_init(&w);
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        struct blob_bytes data = {0};
        (void)format_into(path, sizeof(path), ROOT "ipsecNegotiationPolicy%s", actions[i][0]);
        struct reg_key *k = reg_make(&t, path);
        assert_non_null(k);
        set_data(k, &data, blob_negotiation_write(&none, &data));
        assert_int_equal(reg_set_text(k, "ipsecID", REG_SZ, id), 0);
        assert_int_equal(reg_set_text(k, "ipsecName", REG_SZ, actions[i][0]), 0);
        assert_int_equal(reg_set_text(k, "ipsecNegotiationPolicyAction", REG_SZ, actions[i][1]), 0);
    }
    (void)add_list(&t, 3, "a", 111);
    add_rule(&t, 5, "r1", 3, 1, NULL);
    char path[512];
    (void)format_into(path, sizeof(path), ROOT "ipsecNFA{00000005-0000-0000-0000-000000000000}");
    assert_int_equal(reg_set_text(reg_find(&t, path), "ipsecNegotiationPolicyReference", REG_SZ,
                                  "ipsecNegotiationPolicy{x}"),
                     0);
    add_policy(&t, 7, "P", rules, 1);
    assert_int_equal(read_tree(&w, &t), 0);
    expect_filters(&w, "P", "block in udp from any to me port 111\n");
    world_done(&w);
}

/* A rule for one interface, and one for a kind of interface that nobody knows. */
static void test_interfaces(void **state)
{
    (void)state;
    static const unsigned rules[] = {5, 6, 7};
    struct world w;
    struct reg_tree t = {0};
    char name[] = "{NIC}";
    const struct blob_nfa unknown = {.interface_type = 7, .is_active = true},
                          named = {.interface_type = BLOB_IF_LAN,
                                   .is_active = true,
                                   .interface_name = name};
    world_init(&w);
    (void)add_action(&t, 1, "deny", BLOCK);
    (void)add_action(&t, 2, "let", PERMIT);
    (void)add_list(&t, 3, "a", 111);
    (void)add_list(&t, 4, "b", 222);
    add_rule(&t, 5, "of an unknown kind", 3, 2, &unknown);
    add_rule(&t, 6, "permit on one", 3, 2, &named);
    add_rule(&t, 7, "block on one", 4, 1, &named);
    add_policy(&t, 8, "P", rules, 3);
    assert_int_equal(read_tree(&w, &t), 6);
    assert_true(remarked(&w, "unknown type of interface 7"));
    assert_true(remarked(&w, "it is for one interface only, the rule is left out"));
    assert_true(remarked(&w, "its interface name is left out"));
    expect_filters(&w, "P", "block in udp from any to me port 222\n");
    world_done(&w);
}

/* Every object of a large file has one and the same name: time grows with their number. */
static void test_one_name(void **state)
{
    (void)state;
    enum { N = 4000 };
    struct world w;
    struct reg_tree t = {0};
    unsigned rules[N];
    struct timespec from, to;
    world_init(&w);
    for (unsigned i = 0; i < N; i++) {
        (void)add_action(&t, 1 + i, "x", i % 2 ? BLOCK : PERMIT);
        (void)add_list(&t, 100000 + i, i % 3 ? "x" : "X", (uint16_t)(i + 1));
        add_rule(&t, 200000 + i, "x", 100000 + i, 1 + i, NULL);
        rules[i] = 200000 + i;
    }
    add_policy(&t, 300000, "P", rules, N);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    assert_int_equal(read_tree(&w, &t), 0);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    assert_true(to.tv_sec - from.tv_sec < 20); /* it was hours */
    assert_int_equal(w.catalog.n_lists, N);
    struct policy *p = NULL;
    assert_int_equal(catalog_settle(&w.catalog, &w.diag), 0);
    assert_int_equal(catalog_policy(&w.catalog, "P", &w.diag, &p), 0);
    assert_int_equal(p->n_rules, N);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(p->rules[i].n_filters, 1);
        assert_int_equal(p->rules[i].filters[0].action, i % 2 ? ACTION_BLOCK : ACTION_PERMIT);
        assert_int_equal(p->rules[i].filters[0].dport.range[0].first, i + 1);
    }
    world_done(&w);
    world_init(&w);
    t = (struct reg_tree){0};
    for (unsigned i = 0; i <= LIMIT_POLICIES; i++)
        add_policy(&t, 1 + i, "P", NULL, 0);
    assert_int_equal(read_tree(&w, &t), 7);
    assert_string_equal(w.diag.message, "more than 1024 policies");
    world_done(&w);
}

/* --- native text that meets a library --- */
static void load(struct world *w, const char *text)
{
    fresh_run(w);
    if (convert_read(&w->run, CONVERT_TEXT, text, strlen(text),
                     &(struct convert_options){.file = "text"}, &w->diag) < 0)
        fail_msg("%s", w->diag.message);
}

/* A list and an action of these names mean something else here: the text is what counts. */
static void test_text_keeps_its_filters(void **state)
{
    (void)state;
    static const char library[] =
        "policy \"filterlists\" { rule \"web\" block in tcp from any to me port 443 }\n"
        "policy \"filteractions\" { rule \"deny\" permit from any to any }\n";
    struct world w;
    world_init(&w);
    assert_int_equal(catalog_library_parse(&w.catalog, library, strlen(library), &w.diag), 0);
    w.catalog.has_library = true;
    load(&w, "policy \"P\" { rule \"r\" attribute filterlist \"web\" attribute filteraction "
             "\"deny\" block in tcp from any to me port 80 }\n");
    expect_filters(&w, "P", "block in tcp from any to me port 80\n");
    assert_true(remarked(&w, "policy 'P': 1 rule keeps the filters of the text"));
    load(&w, "policy \"Q\" { rule \"r\" attribute filterlist \"web\" attribute filteraction "
             "\"deny\" permit in tcp from any to me port 443 }\n");
    expect_filters(&w, "Q", "permit in tcp from any to me port 443\n");
    assert_int_equal(w.run.n_remarks, 0); /* it is the same here, and stays bound */
    world_done(&w);
}

/* IPv6 and ranges come back behind the others: what is stored keeps its order. */
static void test_order_stays(void **state)
{
    (void)state;
    struct world w;
    struct strbuf out = STRBUF_INIT(1024 * 1024);
    struct convert_losses l = {0};
    struct policy *p = NULL;
    world_init(&w);
    static const char library[] =
        "policy \"filterlists\" { rule \"mixed\" { block in from 2001:db8::/48 to me\n"
        "block in from 192.0.2.1 to me description \"d\"\n"
        "block in from 10.0.0.1-10.0.0.9 to me\nblock in from 192.0.2.1 to me } }\n"
        "policy \"filteractions\" { rule \"deny\" block from any to any }\n";
    assert_int_equal(catalog_library_parse(&w.catalog, library, strlen(library), &w.diag), 0);
    w.catalog.has_library = true;
    load(&w, "policy \"P\" { rule \"r\" attribute filterlist \"mixed\" attribute filteraction "
             "\"deny\" { } }\n");
    char *before = filters_of(&w, "P");
    assert_int_equal(catalog_policy(&w.catalog, "P", &w.diag, &p), 0);
    assert_int_equal(convert_write_begin(CONVERT_REG, &out), 0);
    assert_int_equal(convert_write(CONVERT_REG, &w.catalog, p, false, &out, &l), 0);
    assert_int_equal(import(&w, out.s), 0);
    expect_filters(&w, "P", before);
    assert_int_equal(w.catalog.n_lists, 1);
    free(before);
    strbuf_done(&out);
    convert_losses_done(&l);
    world_done(&w);
}

/* --- every shape there and back --- */
static int round_trip(enum convert_format format, const char *text, char **ret, size_t *ret_losses)
{
    struct world a, b;
    struct strbuf out = STRBUF_INIT(16 * 1024 * 1024);
    struct convert_losses l = {0};
    struct policy *p = NULL;
    world_init(&a);
    world_init(&b);
    load(&a, text);
    assert_int_equal(catalog_settle(&a.catalog, &a.diag), 0);
    assert_int_equal(catalog_policy(&a.catalog, "G", &a.diag, &p), 0);
    assert_int_equal(convert_write_begin(format, &out), 0);
    assert_int_equal(convert_write(format, &a.catalog, p, false, &out, &l), 0);
    fresh_run(&b);
    b.err = convert_read(&b.run, format, out.s, out.len, &(struct convert_options){.file = "x"},
                         &b.diag);
    if (b.err < 0)
        fail_msg("%s: %s\n%s", convert_format_name(format), b.diag.message, text);
    int exit = code(&b);
    *ret = filters_of(&b, "G");
    *ret_losses = l.n;
    convert_losses_done(&l);
    strbuf_done(&out);
    world_done(&a);
    world_done(&b);
    return exit;
}

/* Comes back as it is, or does not come back and is a loss. */
static void check_shape(enum convert_format format, const char *filter, unsigned *ret_kept)
{
    char text[512], *have, *want;
    size_t losses;
    struct world w;
    (void)format_into(text, sizeof(text), "policy \"G\" { rule \"R\" { %s } }\n", filter);
    world_init(&w);
    load(&w, text);
    want = filters_of(&w, "G");
    world_done(&w);
    assert_int_equal(round_trip(format, text, &have, &losses), 0);
    /* netsh has no other word for it, and it weighs the same. */
    static const char all6[] = "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    char *range = strstr(have, all6);
    if (range) {
        memcpy(range, "::/0", 4);
        memmove(range + 4, range + strlen(all6), strlen(range + strlen(all6)) + 1);
    }
    if (losses == 0 && strcmp(have, want) == 0)
        ++*ret_kept;
    else if (losses == 0 || have[0] != '\0')
        fail_msg("%s: %s became %s with %zu losses", convert_format_name(format), filter, have,
                 losses);
    free(have);
    free(want);
}

static const char *const sides[] = {
    "any",
    "me",
    "192.0.2.7",
    "192.0.2.0/24",
    "0.0.0.0/0",
    "::/0",
    "0.0.0.0",
    "::",
    "255.255.255.255",
    "192.0.2.5-192.0.2.9",
    "2001:db8::1",
    "2001:db8::/48",
    "2001:db8::1-2001:db8::9",
    "127.0.0.1",
    "224.0.0.1",
    "0.0.0.0-0.0.0.9",
};
static const char *const protocols[] = {
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "0",
    "1",
    "2",
    "46",
    "47",
    "50",
    "58",
    "132",
    "255",
    "any",
    "icmp type 8",
    "icmp type 3 code 4",
    "icmpv6 type 128",
};
static const char *const tails[] = {
    "port 1",
    "port 65535",
    "mirrored",
    "port 80 mirrored",
    "on eth0",
    "profile public",
    "port 80 on eth0 mirrored",
    "port 80 profile domain",
};

static void test_shapes(void **state)
{
    (void)state;
    static const char *const actions[] = {"block", "permit", "permit inpass", "negotiate"};
    static const enum convert_format formats[] = {CONVERT_REG, CONVERT_NETSH};
    unsigned kept[2] = {0};
    for (size_t f = 0; f < 2; f++)
        for (size_t a = 0; a < ARRAY_SIZE(actions); a++) {
            char s[256];
            for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
                (void)format_into(s, sizeof(s), "%s tcp from %s to me port 80", actions[a],
                                  strcmp(sides[i], "me") == 0 ? "any" : sides[i]);
                check_shape(formats[f], s, &kept[f]);
                (void)format_into(s, sizeof(s), "%s udp from %s port 53 to any mirrored",
                                  actions[a], sides[i]);
                check_shape(formats[f], s, &kept[f]);
            }
            for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
                (void)format_into(s, sizeof(s), "%s in %s from any to me", actions[a],
                                  protocols[i]);
                check_shape(formats[f], s, &kept[f]);
            }
            for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
                (void)format_into(s, sizeof(s), "%s out tcp from me to any %s", actions[a],
                                  tails[i]);
                check_shape(formats[f], s, &kept[f]);
            }
            if (a == 1) {
                check_shape(formats[f], "permit out udp from me to any port 53 keep state",
                            &kept[f]);
                assert_true(kept[f] > 40);
            }
        }
    assert_true(kept[0] > 180 && kept[1] > 180);
}

/* What has no effect on packets is written without; ranges and lists stay. */
static void test_words_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *back;
        size_t losses;
    } rows[] = {
        {"block in tcp from any to me port 80 log", "block in tcp from any to me port 80\n", 1},
        {"block in tcp from any to me port 80 override", "block in tcp from any to me port 80\n",
         1},
        {"block in tcp from any to me port 80 override log",
         "block in tcp from any to me port 80\n", 2},
        {"block in tcp from any to me port 80 on eth0 log", "", 1},
        {"block in tcp from any port 1-9 to me port 80,90-91",
         "block in tcp from any port 1-9 to me port 80\n"
         "block in tcp from any port 1-9 to me port 90-91\n",
         0},
        {"block in tcp from any to me port 0", "block in tcp from any to me port 0\n", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[512], *have;
        size_t losses;
        (void)format_into(text, sizeof(text), "policy \"G\" { rule \"R\" { %s } }\n",
                          rows[i].filter);
        assert_int_equal(round_trip(CONVERT_REG, text, &have, &losses), 0);
        assert_string_equal(have, rows[i].back);
        assert_int_equal(losses, rows[i].losses);
        free(have);
    }
}

/* Ports one by one are another weight: a range is written only where no other filter can then win.
 * Filters of other addresses never meet. */
static void test_netsh_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *other;
        size_t losses;
    } rows[] = {
        {"block in tcp from 10.0.2.0/24 to me port 11", 0},
        {"block in tcp from 2001:db8::/24 to me port 11", 0},
        {"block in tcp from 10.0.1.128-10.0.2.127 to me port 13", 0},
        {"block in tcp from 10.0.1.0/24 to me port 11", 1},
        {"block in tcp from 10.0.1.0/24 to me port 11-20", 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[512], *have;
        size_t losses;
        (void)format_into(text, sizeof(text),
                          "policy \"G\" { rule \"R\" { permit in tcp from "
                          "10.0.1.0/24 to me port 10-12\n%s } }\n",
                          rows[i].other);
        assert_int_equal(round_trip(CONVERT_NETSH, text, &have, &losses), 0);
        assert_int_equal(losses, rows[i].losses);
        assert_int_equal(strstr(have, "10.0.1.0/24 to me port 12") != NULL, losses == 0);
        free(have);
    }
}

/* Names and texts at their limits, cut where a character ends; several actions in one rule beside
 * a rule that has the name its second part would get. */
static void test_long_names(void **state)
{
    (void)state;
    struct strbuf text = STRBUF_INIT(1024 * 1024);
    (void)strbuf_add(&text, "policy \"G\" { rule \""); /* errors are sticky */
    for (int i = 0; i < 85; i++)
        (void)strbuf_add(&text, "\xe8\xa6\x8f");
    (void)strbuf_add(&text, "\" { block in tcp from any to me port 1\n"
                            "permit in tcp from any to me port 2 }\n"
                            "rule \"R\" { block in tcp from any to me port 3\n"
                            "permit in tcp from any to me port 4 description \"");
    for (int i = 0; i < 40000; i++)
        (void)strbuf_add(&text, "x");
    assert_int_equal(strbuf_add(&text, "\" }\n"
                                       "rule \"R (2)\" { block in tcp from any to me port 5 }\n"
                                       "rule \"R (3)\" { block in tcp from any to me port 6 } }\n"),
                     0);
    for (int f = CONVERT_REG; f <= CONVERT_IPSECCMD; f++) {
        char *have;
        size_t losses;
        assert_int_equal(round_trip((enum convert_format)f, text.s, &have, &losses), 0);
        assert_string_equal(have, "block in tcp from any to me port 1\n"
                                  "permit in tcp from any to me port 2\n"
                                  "block in tcp from any to me port 3\n"
                                  "permit in tcp from any to me port 4\n"
                                  "block in tcp from any to me port 5\n"
                                  "block in tcp from any to me port 6\n");
        assert_int_equal(losses, f == CONVERT_NETSH ? 0 : 1); /* the description */
        free(have);
    }
    strbuf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_identity), cmocka_unit_test(test_identity_without_key),
        cmocka_unit_test(test_interfaces),    cmocka_unit_test(test_one_name),
        cmocka_unit_test(test_shapes),        cmocka_unit_test(test_words_left_out),
        cmocka_unit_test(test_netsh_ranges),  cmocka_unit_test(test_order_stays),
        cmocka_unit_test(test_long_names),    cmocka_unit_test(test_text_keeps_its_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
