/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/catalog*.c, commit.c, native.c: what a catalog remembers of what was stored, bound rules,
 * the difference as one batch and as commands. The source is a few strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../src/compat/front.h"
#include "base/limits.h"
#include "text/text.h"

/* --- a source of strings --- */
struct stored {
    const char *policies[6]; /* texts, NULL at the end */
    const char *library, *local, *persistent;
    const char *dynamic[4];
    unsigned n_policy, n_names; /* questions */
};

static struct policy *parse_policy(const char *text)
{
    struct policy_list list = {0};
    struct diag_list errors = {0};
    if (text_parse_policies(text, strlen(text), &errors, &list) < 0)
        fail_msg("%s: %s", text, errors.d[0].message);
    struct policy *p = list.v[0];
    free(list.v);
    return p;
}

static int get_policy(void *ctx, const char *name, struct diag *d, struct policy **ret)
{
    struct stored *s = ctx;
    s->n_policy++;
    for (size_t i = 0; s->policies[i]; i++) {
        struct policy *p = parse_policy(s->policies[i]);
        if (strcasecmp(p->name, name) == 0) {
            for (size_t k = 0; k < p->n_rules; k++)
                p->rules[k].guid.b[0] = (uint8_t)(k + 1);
            *ret = p;
            return 0;
        }
        policy_free(p);
    }
    return diag_fail(d, DIAG_UNKNOWN_OBJECT, "unknown policy '%s'", name);
}

static int get_names(void *ctx, struct diag *d, char ***ret, size_t *ret_n)
{
    (void)d;
    struct stored *s = ctx;
    char **names = calloc(8, sizeof(*names));
    assert_non_null(names);
    s->n_names++;
    for (size_t i = 0; s->policies[i]; i++) {
        struct policy *p = parse_policy(s->policies[i]);
        names[(*ret_n)++] = strdup(p->name);
        policy_free(p);
    }
    *ret = names;
    return 0;
}

static int get_library(void *ctx, struct diag *d, char **ret)
{
    (void)d;
    const struct stored *s = ctx;
    *ret = strdup(s->library ? s->library : "");
    return 0;
}

static int get_assigned(void *ctx, enum catalog_slot slot, struct diag *d, char ret[256])
{
    (void)d;
    const struct stored *s = ctx;
    const char *name = slot == CATALOG_LOCAL ? s->local : s->persistent;
    (void)snprintf(ret, 256, "%s", name ? name : "");
    return 0;
}

static int get_dynamic(void *ctx, struct diag *d, struct catalog_dynamic **ret, size_t *ret_n)
{
    const struct stored *s = ctx;
    struct catalog_dynamic *v = calloc(8, sizeof(*v));
    assert_non_null(v);
    for (*ret_n = 0; s->dynamic[*ret_n]; (*ret_n)++) {
        const char *text = s->dynamic[*ret_n];
        assert_int_equal(text_parse_filter(text, strlen(text), d, &v[*ret_n].filter), 0);
        (void)snprintf(v[*ret_n].id, sizeof(v[0].id), "d%zu", *ret_n + 1);
    }
    *ret = v;
    return 0;
}

static struct catalog_source source_of(struct stored *s)
{
    return (struct catalog_source){s,           get_policy, get_names, get_library, get_assigned,
                                   get_dynamic, NULL};
}

static const uint64_t seed[2] = {1, 2};

#define WITH_CATALOG(c, stored)                        \
    struct catalog_source source_ = source_of(stored); \
    _cleanup_(catalog_done) struct catalog c;          \
    struct diag d = {0};                               \
    catalog_init(&c, &source_, seed)

/* The OPs of the batch, one word of each, then its object: "policy-load A, assign A". */
static char *ops_of(struct catalog *c)
{
    json_t *ops = NULL, *op;
    size_t i;
    struct strbuf b = STRBUF_INIT(1 << 20);
    assert_int_equal(commit_ops(c, &ops), 0);
    json_array_foreach(ops, i, op)
    {
        const char *text = agent_text(op, "text"), *name = agent_text(op, "name");
        const char *from = agent_text(op, "renamed_from"), *kind = agent_text(op, "op");
        char first[300] = "";
        if (strcmp(kind, "policy-load") == 0 && !*name)
            (void)sscanf(text, "policy \"%299[^\"]", first);
        (void)strbuf_addf(&b, "%s%s%s%s", i ? ", " : "", kind, *name || *first ? " " : "",
                          *name ? name : first);
        if (strcmp(kind, "filter-add") == 0)
            (void)strbuf_addf(&b, " %s", text);
        if (*from)
            (void)strbuf_addf(&b, " from %s", from);
    }
    json_decref(ops);
    return strbuf_take(&b);
}

static void expect_ops(struct catalog *c, const char *want)
{
    struct diag d = {0};
    assert_int_equal(catalog_settle(c, &d), 0);
    char *got = ops_of(c);
    assert_string_equal(got, want);
    free(got);
}

static void put_rule(struct catalog *c, struct policy *p, const char *name, const char *filter)
{
    struct rule r;
    struct filter f;
    struct diag d = {0};
    bool replaced;
    rule_init(&r);
    r.name = strdup(name);
    assert_int_equal(text_parse_filter(filter, strlen(filter), &d, &f), 0);
    assert_int_equal(rule_add_filter(&r, &f), 0);
    assert_int_equal(catalog_rule_put(c, p, &r, &d, &replaced), 0);
    rule_done(&r);
}

static struct filter *filter_of(const char *text)
{
    static struct filter f;
    struct diag d = {0};
    assert_int_equal(text_parse_filter(text, strlen(text), &d, &f), 0);
    return &f;
}

#define WEB  "policy \"Web\" {\n    rule \"In\"  block in tcp from any to me port 80\n}\n"
#define MAIL "policy \"Mail\" {\n    rule \"In\"  block in tcp from any to me port 25\n}\n"

/* --- tests --- */
static void test_looking_changes_nothing(void **state)
{
    (void)state;
    struct stored s = {
        .policies = {WEB, MAIL}, .local = "Web", .dynamic = {"block in udp from any to me port 1"}};
    WITH_CATALOG(c, &s);
    struct policy *p, *again;
    const char *assigned;
    assert_int_equal(catalog_policy(&c, "wEB", &d, &p), 0);
    assert_string_equal(p->name, "Web");
    assert_int_equal(catalog_policy(&c, "Web", &d, &again), 0);
    assert_ptr_equal(p, again);
    assert_int_equal(s.n_policy, 1); /* asked once */
    assert_int_equal(catalog_load_all(&c, &d), 0);
    assert_int_equal(s.n_policy, 2);
    assert_string_equal(c.policies[0].now->name, "Mail");
    assert_int_equal(catalog_assigned(&c, CATALOG_LOCAL, &d, &assigned), 0);
    assert_string_equal(assigned, "Web");
    assert_int_equal(catalog_assign(&c, CATALOG_LOCAL, "web", &d), 0);
    assert_int_equal(catalog_load_dynamic(&c, &d), 0);
    expect_ops(&c, "");
    assert_int_equal(catalog_policy(&c, "Nothing", &d, &p), -ENOENT);
    assert_int_equal(d.code, DIAG_UNKNOWN_OBJECT);
    assert_string_equal(d.hint, "known: 'Mail', 'Web'");
}

static void test_make_assign_delete(void **state)
{
    (void)state;
    struct stored s = {.policies = {WEB}, .local = "Web"};
    WITH_CATALOG(c, &s);
    struct policy *p;
    bool made;
    assert_int_equal(catalog_policy_make(&c, "New", &d, &p, &made), 0);
    assert_true(made);
    put_rule(&c, p, "R", "block in tcp port 135");
    catalog_policy_changed(&c, p, "add rule \"%s\"", "R");
    assert_int_equal(catalog_assign(&c, CATALOG_LOCAL, "new", &d), 0);
    assert_int_equal(catalog_policy_delete(&c, "Web", &d), 0);
    expect_ops(&c, "policy-delete Web, policy-load New, assign New");
    assert_int_equal(catalog_policy(&c, "Web", &d, &p), -ENOENT); /* not asked again */
    assert_int_equal(catalog_policy_make(&c, "Web", &d, &p, &made), 0);
    assert_true(made);
    put_rule(&c, p, "In", "block in tcp port 80");
    expect_ops(&c, "policy-load New, assign New"); /* Web is what was stored */
    assert_int_equal(catalog_policy_delete(&c, "New", &d), 0);
    const char *assigned;
    assert_int_equal(catalog_assigned(&c, CATALOG_LOCAL, &d, &assigned), 0);
    assert_string_equal(assigned, "");
    expect_ops(&c, "unassign");
}

static void test_rename(void **state)
{
    (void)state;
    struct stored s = {.policies = {WEB, MAIL}, .local = "Web"};
    WITH_CATALOG(c, &s);
    struct policy *p;
    bool made;
    assert_int_equal(catalog_policy_rename(&c, "Web", "mail", &d), -EEXIST);
    assert_int_equal(catalog_policy_rename(&c, "Web", "Old", &d), 0);
    expect_ops(&c, "policy-load Old from Web"); /* the assignment goes along */
    assert_int_equal(catalog_policy(&c, "Web", &d, &p), -ENOENT);
    assert_int_equal(catalog_policy_make(&c, "Web", &d, &p, &made), 0);
    expect_ops(&c, "policy-load Old from Web, policy-load Web");
    /* Two that exchange their names. */
    assert_int_equal(catalog_policy_delete(&c, "Web", &d), 0);
    assert_int_equal(catalog_policy_rename(&c, "Mail", "Web", &d), 0);
    assert_int_equal(catalog_policy_rename(&c, "Old", "Mail", &d), 0);
    expect_ops(&c, "policy-load Web (renamed) from Web, policy-load Web from Mail, "
                   "policy-load Mail from Web (renamed)");
}

static void test_renamed_rule(void **state)
{
    (void)state;
    struct stored s = {.policies = {WEB}};
    WITH_CATALOG(c, &s);
    struct policy *p;
    json_t *ops = NULL;
    assert_int_equal(catalog_policy(&c, "Web", &d, &p), 0);
    struct rule r = p->rules[0];
    p->n_rules = 0; /* moved out, and in under another name */
    free(r.name);
    r.name = strdup("Inbound");
    assert_int_equal(policy_add_rule(p, &r, &d), 0);
    assert_int_equal(commit_ops(&c, &ops), 0);
    const json_t *map = json_object_get(json_array_get(ops, 0), "renamed_rules");
    assert_string_equal(agent_text(map, "Inbound"), "In");
    json_decref(ops);
}

static void test_dynamic(void **state)
{
    (void)state;
    struct stored s = {
        .dynamic = {"block in udp from any to me port 1", "permit in udp from any to me port 2"}};
    WITH_CATALOG(c, &s);
    bool known;
    assert_int_equal(catalog_dynamic_add(&c, filter_of("block in udp port 1"), &d, &known), 0);
    assert_true(known);
    assert_int_equal(catalog_dynamic_add(&c, filter_of("block in udp port 3"), &d, &known), 0);
    assert_false(known);
    assert_int_equal(catalog_dynamic_add(&c, filter_of("block in udp port 3"), &d, &known), 0);
    assert_true(known);
    c.dynamic[1].gone = true;
    expect_ops(&c, "filter-delete, filter-add block in udp from any to me port 3");
    assert_int_equal(catalog_dynamic_add(&c, filter_of("permit in udp port 2"), &d, &known), 0);
    assert_false(known); /* it stays after all */
    expect_ops(&c, "filter-add block in udp from any to me port 3");
    catalog_dynamic_flush(&c);
    assert_int_equal(catalog_dynamic_add(&c, filter_of("block in udp port 1"), &d, &known), 0);
    assert_false(known); /* the stored one goes with the flush */
    expect_ops(&c, "flush, filter-add block in udp from any to me port 1");
}

#define LIBRARY                                                                     \
    "policy \"filterlists\" {\n"                                                    \
    "    rule \"webs\" attribute guid \"11111111-1111-4111-8111-111111111111\" {\n" \
    "        block in tcp from any to me port 80\n"                                 \
    "        block in tcp from any to me port 443\n"                                \
    "    }\n"                                                                       \
    "}\n"                                                                           \
    "policy \"filteractions\" {\n"                                                  \
    "    rule \"deny\" attribute guid \"22222222-2222-4222-8222-222222222222\" "    \
    "block from any to any\n"                                                       \
    "}\n"
#define BOUND                                                                          \
    "policy \"Bound\" {\n"                                                             \
    "    rule \"R\" attribute filterlist \"webs\" attribute filteraction \"deny\" {\n" \
    "        block in tcp from any to me port 80\n"                                    \
    "        block in tcp from any to me port 443\n"                                   \
    "    }\n"                                                                          \
    "}\n"
#define LOOSE                                                                          \
    "policy \"Loose\" {\n"                                                             \
    "    rule \"R\" attribute filterlist \"webs\" attribute filteraction \"deny\" {\n" \
    "        block in tcp from any to me port 81\n"                                    \
    "    }\n"                                                                          \
    "}\n"

static void test_library_text(void **state)
{
    (void)state;
    struct stored s = {.library = LIBRARY};
    WITH_CATALOG(c, &s);
    struct filter_list *l;
    struct filter_action *a;
    struct strbuf b = STRBUF_INIT(1 << 20);
    assert_int_equal(catalog_list(&c, "WEBS", &d, &l), 0);
    assert_int_equal(l->n_filters, 2);
    assert_int_equal(catalog_action(&c, "deny", &d, &a), 0);
    assert_int_equal(a->action, ACTION_BLOCK);
    assert_int_equal(catalog_library_print(&c, &b), 0);
    assert_string_equal(b.s, LIBRARY);
    strbuf_done(&b);
    expect_ops(&c, "");
    assert_int_equal(catalog_list(&c, "nets", &d, &l), -ENOENT);
    assert_string_equal(d.hint, "known: 'webs'");
    struct filter_list twice = {.name = strdup("Webs")};
    assert_int_equal(catalog_list_add(&c, &twice, &d), -EEXIST);
    assert_int_equal(d.code, DIAG_CONFLICT);
    filter_list_done(&twice);
    assert_int_equal(catalog_list_delete(&c, "webs", &d), 0); /* nothing refers to it */
    expect_ops(&c, "library");
}

static void test_bound_rules(void **state)
{
    (void)state;
    struct stored s = {.policies = {BOUND, LOOSE, WEB}, .library = LIBRARY};
    WITH_CATALOG(c, &s);
    struct filter_list *l;
    struct policy *p;
    assert_int_equal(catalog_list(&c, "webs", &d, &l), 0);
    assert_int_equal(filter_list_add_filter(l, filter_of("block in tcp port 8080")), 0);
    /* A changed list brings in the policies it concerns, and no other is touched. */
    expect_ops(&c, "library, policy-load Bound");
    assert_int_equal(catalog_policy(&c, "Bound", &d, &p), 0);
    assert_int_equal(p->rules[0].n_filters, 3);
    /* Filters that somebody else changed are the truth: the rule is no longer bound. */
    assert_int_equal(catalog_policy(&c, "Loose", &d, &p), 0);
    assert_null(attributes_get(&p->rules[0].attributes, "filterlist"));
    assert_int_equal(p->rules[0].n_filters, 1);
    assert_int_equal(catalog_list_delete(&c, "webs", &d), -EEXIST);
    assert_string_equal(d.message, "filter list 'webs' is used by rule 'R' of policy 'Bound'");
    assert_int_equal(catalog_list_rename(&c, "webs", "sites", &d), 0);
    assert_int_equal(catalog_policy(&c, "Bound", &d, &p), 0);
    assert_string_equal(attributes_get(&p->rules[0].attributes, "filterlist"), "sites");
    struct filter_action *a;
    assert_int_equal(catalog_action(&c, "deny", &d, &a), 0);
    a->action = ACTION_PERMIT;
    expect_ops(&c, "library, policy-load Bound");
    assert_int_equal(p->rules[0].filters[2].action, ACTION_PERMIT);
}

static void test_bound_rule_refused(void **state)
{
    (void)state;
    struct stored s = {.policies = {BOUND}, .library = LIBRARY};
    WITH_CATALOG(c, &s);
    struct filter_list *l;
    struct filter_action *a;
    assert_int_equal(catalog_list(&c, "webs", &d, &l), 0);
    assert_int_equal(filter_list_add_filter(l, filter_of("block from ads.example to me")), 0);
    assert_int_equal(catalog_action(&c, "deny", &d, &a), 0);
    a->action = ACTION_PERMIT;
    assert_int_equal(catalog_settle(&c, &d), -EINVAL);
    assert_int_equal(d.code, DIAG_NAME_PERMIT);
    assert_non_null(strstr(d.message, "policy 'Bound', rule 'R': "));
}

static void test_values(void **state)
{
    (void)state;
    struct stored s = {.library = ""};
    WITH_CATALOG(c, &s);
    char attribute[48], *value;
    json_t *ops = NULL;
    assert_int_equal(catalog_setting_set(&c, "filter.exempt", "2"), 0);
    assert_int_equal(catalog_setting_set(&c, "filter.exempt", "1"), 0);
    assert_int_equal(catalog_setting_set(&c, "boot.mode", NULL), 0);
    assert_int_equal(catalog_setting_get(&c, "filter.exempt", &d, &value), 0);
    assert_string_equal(value, "1");
    free(value);
    assert_int_equal(catalog_setting_get(&c, "boot.mode", &d, &value), 0);
    assert_null(value);
    assert_int_equal(catalog_secret_add(&c, "open sesame", attribute), 0);
    assert_memory_equal(attribute, "psk:", 4);
    assert_int_equal(commit_ops(&c, &ops), 0);
    assert_int_equal(json_array_size(ops), 3);
    assert_string_equal(agent_text(json_array_get(ops, 0), "id"), attribute + 4);
    assert_string_equal(agent_text(json_array_get(ops, 1), "value"), "1");
    assert_true(json_is_null(json_object_get(json_array_get(ops, 2), "value")));
    json_decref(ops);
}

static void expect_native(struct catalog *c, const char *want)
{
    struct strbuf b = STRBUF_INIT(1 << 20);
    struct diag d = {0};
    assert_int_equal(catalog_settle(c, &d), 0);
    assert_int_equal(native_print(c, &b), 0);
    assert_string_equal(b.s ? b.s : "", want);
    strbuf_done(&b);
}

static void test_native(void **state)
{
    (void)state;
    struct stored s = {
        .policies = {WEB}, .local = "Web", .dynamic = {"block in udp from any to me port 1"}};
    WITH_CATALOG(c, &s);
    struct policy *p;
    bool made, known;
    expect_native(&c, "");
    assert_int_equal(catalog_policy(&c, "Web", &d, &p), 0);
    put_rule(&c, p, "It's \"new\"", "block in tcp port 81");
    put_rule(&c, p, "In", "permit in tcp port 80");
    assert_int_equal(catalog_policy_make(&c, "B 1", &d, &p, &made), 0);
    put_rule(&c, p, "R", "block in udp port 7");
    assert_int_equal(catalog_assign(&c, CATALOG_LOCAL, "B 1", &d), 0);
    assert_int_equal(catalog_load_dynamic(&c, &d), 0);
    c.dynamic[0].gone = true;
    assert_int_equal(catalog_dynamic_add(&c, filter_of("permit in udp port 3"), &d, &known), 0);
    expect_native(&c,
                  "portward rule add --replace Web In permit in tcp from any to me port 80\n"
                  "portward rule add Web 'It'\\''s \"new\"' block in tcp from any to me port 81\n"
                  "portward rule add --create \"B 1\" R block in udp from any to me port 7\n"
                  "portward policy assign \"B 1\"\n"
                  "portward delete d1\n"
                  "portward permit in udp from any to me port 3\n");
}

static void test_native_load(void **state)
{
    (void)state;
    struct stored s = {.policies = {WEB}, .local = "Web"};
    WITH_CATALOG(c, &s);
    struct policy *p;
    assert_int_equal(catalog_policy(&c, "Web", &d, &p), 0);
    p->poll_s = 3600;
    expect_native(&c, "portward policy load --replace - <<'PORTWARD'\n"
                      "policy \"Web\" poll 1h {\n"
                      "    rule \"In\"  block in tcp from any to me port 80\n"
                      "}\nPORTWARD\n");
    assert_int_equal(catalog_policy_delete(&c, "Web", &d), 0);
    expect_native(&c, "portward policy unassign -y\nportward policy delete Web\n");
}

/* 10,000 filters into one list, 10,000 lists and 10,000 rules of several policies: seconds would
 * mean that looking one up takes longer the more there are. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 10000, PER_POLICY = 2500 };
    struct stored s = {.library = ""};
    WITH_CATALOG(c, &s);
    char name[64];
    clock_t begin = clock();
    struct filter_list big = {.name = strdup("big")};
    assert_int_equal(catalog_list_add(&c, &big, &d), 0);
    for (int i = 0; i < MANY; i++) {
        struct filter_list l = {0}, *found;
        (void)snprintf(name, sizeof(name), "list %d", i);
        l.name = strdup(name);
        assert_int_equal(catalog_list_add(&c, &l, &d), 0);
        assert_int_equal(catalog_list(&c, "BIG", &d, &found), 0);
        (void)snprintf(name, sizeof(name), "block in tcp port %d", i + 1);
        assert_int_equal(filter_list_add_filter(found, filter_of(name)), 0);
    }
    for (int i = 0; i < MANY; i++) {
        struct policy *p;
        bool made, known;
        (void)snprintf(name, sizeof(name), "policy %d", i / PER_POLICY);
        assert_int_equal(catalog_policy_make(&c, name, &d, &p, &made), 0);
        (void)snprintf(name, sizeof(name), "rule %d", i);
        put_rule(&c, p, name, "block in udp port 9");
        (void)snprintf(name, sizeof(name), "block in tcp port %d", i + 1);
        assert_int_equal(catalog_dynamic_add(&c, filter_of(name), &d, &known), 0);
        assert_false(known);
    }
    assert_int_equal(catalog_settle(&c, &d), 0);
    double took = (double)(clock() - begin) / CLOCKS_PER_SEC;
    struct strbuf b = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    assert_int_equal(catalog_library_print(&c, &b), 0);
    assert_non_null(strstr(b.s, "policy \"filterlists 3\""));
    _cleanup_(catalog_done) struct catalog back;
    catalog_init(&back, NULL, seed);
    assert_int_equal(catalog_library_parse(&back, b.s, b.len, &d), 0);
    assert_int_equal(back.n_lists, MANY + 1);
    strbuf_done(&b);
    print_message("# 40,000 lookups and additions: %.2f s\n", took);
    assert_true(took < 20.0); /* with sanitizers; without them below one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looking_changes_nothing),
        cmocka_unit_test(test_make_assign_delete),
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_renamed_rule),
        cmocka_unit_test(test_dynamic),
        cmocka_unit_test(test_library_text),
        cmocka_unit_test(test_bound_rules),
        cmocka_unit_test(test_bound_rule_refused),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_native_load),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
