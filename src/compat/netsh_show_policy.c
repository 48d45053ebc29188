/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_show_policy.c: netsh ipsec static show policy, rule, all, gpoassignedpolicy, store
 * (windows.md 4, "Known output"). Called through the table of commands. Invariant: keys of
 * authentication are never shown. */
#include <string.h>

#include "netsh.h"

static const char *yes_no(bool yes)
{
    return yes ? "YES" : "NO";
}

static const char *attribute(const struct attributes *v, const char *key, const char *otherwise)
{
    const char *s = attributes_get(v, key);
    return s ? s : otherwise;
}

/* Kinds only. */
static void print_auth(struct strbuf *out, const char *auth)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(256 * 1024);
    if (!auth || netsh_print_auth(auth, &text))
        netsh_print_field(out, "Authentication", text.len > 0 ? text.s + 1 : "KERBEROS");
    else
        netsh_print_field(out, "Authentication",
                          text.len > 0 ? "several, among them a preshared key" : "PRESHARED KEY");
}

static void print_rule(struct netsh *n, const struct rule *r, size_t number,
                       const struct netsh_look *look)
{
    struct strbuf *out = &n->t->out;
    const char *list = attribute(&r->attributes, "filterlist", "NONE");
    const char *action = attribute(&r->attributes, "filteraction", "NONE");
    const char *tunnel = attributes_get(&r->attributes, "tunnel");
    char text[48], guid[GUID_TEXT_BYTES];
    if (look->table) {
        const struct netsh_column row[] = {
            {yes_no(!r->inactive), 7},      {r->name, 24}, {list, 20}, {action, 20},
            {tunnel ? tunnel : "NONE", 15},
        };
        netsh_print_row(out, row, ARRAY_SIZE(row), look->wide);
        return;
    }
    guid_print(&r->guid, guid);
    (void)format_into(text, sizeof(text), "%zu, {%s}", number, guid);
    netsh_print_field(out, "Rule ID", text);
    netsh_print_field(out, "Rule Name", r->name);
    netsh_print_field(out, "Description", attribute(&r->attributes, "description", "NONE"));
    netsh_print_field(out, "FilterList Name", list);
    netsh_print_field(out, "FilterAction Name", action);
    netsh_print_field(out, "Activated", yes_no(!r->inactive));
    netsh_print_field(out, "Tunnel Dest IP Address", tunnel ? tunnel : "NONE");
    netsh_print_field(out, "Connection Type", connection_name(r->connection));
    if (look->verbose) {
        print_auth(out, attributes_get(&r->attributes, "auth"));
        for (size_t i = 0; i < r->n_filters; i++) {
            netsh_print_filter(out, &r->filters[i], look);
            netsh_print_field(out, "Action", action_name(r->filters[i].action));
        }
    }
    (void)strbuf_add_char(out, '\n');
}

static int is_assigned(struct netsh *n, const struct policy *p, struct diag *d, bool *ret)
{
    const char *name;
    int err = netsh_load_store(n, d);
    if (err == 0)
        err = catalog_assigned(n->t->catalog, n->slot, d, &name);
    *ret = err == 0 && strcmp(name, p->name) == 0;
    return err;
}

static void print_main_mode(struct strbuf *out, const struct policy *p)
{
    netsh_print_field(out, "Master PFS", attribute(&p->attributes, "mm-pfs", "no"));
    netsh_print_field(out, "QM per MM", attribute(&p->attributes, "qm-per-mm", "0"));
    netsh_print_field(out, "MM Lifetime (seconds)",
                      attribute(&p->attributes, "mm-lifetime", "28800"));
    netsh_print_field(
        out, "MM Security Methods",
        attribute(&p->attributes, "mm-methods", "3DES-SHA1-2 3DES-MD5-2 DES-SHA1-1 DES-MD5-1"));
    netsh_print_field(out, "Default Response Rule",
                      attribute(&p->attributes, "default-response", "no"));
}

static int print_policy(struct netsh *n, const struct policy *p, const struct netsh_look *look,
                        struct diag *d)
{
    struct strbuf *out = &n->t->out;
    char text[64];
    bool assigned;
    int err = is_assigned(n, p, d, &assigned);
    if (err < 0)
        return err;
    (void)format_into(text, sizeof(text), "%zu", p->n_rules);
    if (look->table) {
        const struct netsh_column row[] = {{p->name, 40}, {text, 6}, {yes_no(assigned), 8}};
        netsh_print_row(out, row, ARRAY_SIZE(row), look->wide);
        return 0;
    }
    netsh_print_field(out, "Policy Name", p->name);
    netsh_print_field(out, "Description", p->description ? p->description : "NONE");
    netsh_print_field(out, "Assigned", yes_no(assigned));
    netsh_print_field(out, "No. of Rules", text);
    (void)format_into(text, sizeof(text), "%u minutes", p->poll_s ? p->poll_s / 60 : 180);
    netsh_print_field(out, "Polling Interval", text);
    if (look->verbose) {
        char guid[GUID_TEXT_BYTES];
        guid_print(&p->guid, guid);
        (void)format_into(text, sizeof(text), "{%s}", guid);
        netsh_print_field(out, "GUID", text);
        print_main_mode(out, p);
        (void)strbuf_add_char(out, '\n');
        for (size_t i = 0; i < p->n_rules; i++)
            print_rule(n, &p->rules[i], i + 1, look);
    }
    (void)strbuf_add_char(out, '\n');
    return 0;
}

static int show_policies(struct netsh *n, const struct netsh_look *look, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    size_t shown = 0;
    int err = catalog_load_all(c, d);
    if (err == 0)
        err = catalog_settle(c, d);
    for (size_t i = 0; err == 0 && i < c->n_policies; i++)
        if (c->policies[i].now) {
            err = print_policy(n, c->policies[i].now, look, d);
            shown++;
        }
    if (err < 0)
        return err;
    if (shown == 0)
        return netsh_fail_no_policies(n, d);
    (void)strbuf_addf(&n->t->out, "No. of policies : %zu\n", shown);
    return 0;
}

int netsh_show_policy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct netsh_look look;
    struct policy *p;
    int err = netsh_get_look(n, a, false, d, &look);
    if (err < 0)
        return err;
    if (a->value[T_ALL])
        return show_policies(n, &look, d);
    err = catalog_policy(n->t->catalog, a->value[T_NAME], d, &p);
    if (err == 0)
        err = catalog_settle(n->t->catalog, d);
    return err < 0 ? err : print_policy(n, p, &look, d);
}

/* --- rules --- */

/* What show rule was asked for. */
struct rule_wish {
    const struct netsh_args *args;
    struct netsh_look look;
    int type; /* -1 = any, 1 = tunnels */
    size_t shown;
};

static void show_default_rule(struct netsh *n, const struct policy *p)
{
    struct strbuf *out = &n->t->out;
    const char *active = attribute(&p->attributes, "default-response", "no");
    netsh_print_field(out, "Rule Name", "Default Response Rule");
    netsh_print_field(out, "Activated", yes_no(strcmp(active, "yes") == 0));
    netsh_print_field(out, "PFS", attribute(&p->attributes, "default-pfs", "no"));
    netsh_print_field(out, "Security Methods",
                      attribute(&p->attributes, "default-methods", "NONE"));
    print_auth(out, attributes_get(&p->attributes, "default-auth"));
}

/* only NULL = all rules. */
static void show_rules(struct netsh *n, const struct policy *p, const struct rule *only,
                       struct rule_wish *w)
{
    if (w->args->value[T_DEFAULT]) {
        show_default_rule(n, p);
        w->shown++;
        return;
    }
    for (size_t i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        bool tunnel = attributes_get(&r->attributes, "tunnel");
        if ((only && r != only) || (w->type >= 0 && tunnel != (w->type == 1)))
            continue;
        print_rule(n, r, i + 1, &w->look);
        w->shown++;
    }
}

/* Without policy=: the rules of every policy, each under its name. */
static int show_rules_of_all(struct netsh *n, struct rule_wish *w, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    const char *name = w->args->value[T_NAME], *id = w->args->value[T_ID];
    struct guid guid = {{0}};
    bool found = !name && !id;
    if (id && guid_parse(id, &guid) < 0) {
        int err = netsh_fail_value(n, w->args, T_ID, d, "'%s' is a number in a policy", id);
        diag_hint(d, "add policy=NAME, or give the rule's GUID");
        return err;
    }
    int err = catalog_load_all(c, d);
    if (err == 0)
        err = catalog_settle(c, d);
    for (size_t i = 0; err == 0 && i < c->n_policies; i++) {
        const struct policy *p = c->policies[i].now;
        const struct rule *only = p && name ? policy_find_rule(p, name) : NULL;
        for (size_t k = 0; p && id && !only && k < p->n_rules; k++)
            if (guid_cmp(&p->rules[k].guid, &guid) == 0)
                only = &p->rules[k];
        if (!p || ((name || id) && !only))
            continue;
        found = true;
        netsh_print_field(&n->t->out, "Policy Name", p->name);
        show_rules(n, p, only, w);
        (void)strbuf_add_char(&n->t->out, '\n'); /* sticky */
    }
    if (err == 0 && !found)
        err = netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT, "no policy has a rule '%s'",
                         name ? name : id);
    return err;
}

static int show_rules_of(struct netsh *n, struct rule_wish *w, struct diag *d)
{
    const struct netsh_args *a = w->args;
    struct policy *p;
    struct rule *only = NULL;
    int err = catalog_policy(n->t->catalog, a->value[T_POLICY], d, &p);
    if (err == 0)
        err = catalog_settle(n->t->catalog, d);
    if (err == 0 && (a->value[T_NAME] || a->value[T_ID]))
        err = netsh_find_rule(n, a, p, d, &only);
    if (err == 0)
        show_rules(n, p, only, w);
    return err;
}

int netsh_show_rule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    static const char *const types[] = {"transport", "tunnel", NULL};
    struct rule_wish w = {.args = a, .type = -1};
    int err = netsh_get_look(n, a, false, d, &w.look);
    if (err == 0)
        err = netsh_get_choice(n, a, T_TYPE, types, d, &w.type);
    if (err == 0)
        err = a->value[T_POLICY] ? show_rules_of(n, &w, d) : show_rules_of_all(n, &w, d);
    if (err == 0 && !a->value[T_DEFAULT])
        (void)strbuf_addf(&n->t->out, "No. of Rules : %zu\n", w.shown);
    return err;
}

int netsh_show_all(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct netsh_look look;
    struct catalog *c = n->t->catalog;
    int err = netsh_get_look(n, a, true, d, &look);
    if (err == 0)
        err = show_policies(n, &look, d);
    if (err == 0)
        err = netsh_load_library(n, d);
    if (err < 0)
        return err;
    for (size_t i = 0; i < c->n_lists; i++)
        netsh_print_list(n, &c->lists[i], &look);
    for (size_t i = 0; i < c->n_actions; i++)
        netsh_print_action(n, &c->actions[i], &look);
    return 0;
}

int netsh_show_gpo(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    (void)a;
    netsh_print_field(&n->t->out, "Active Directory Policy", "NONE");
    return tool_remark(n->t, NOTE, d, "no domain configured");
}

int netsh_show_store(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    static const char *const names[] = {"Local Store", "Persistent Store", "Domain Store"};
    (void)a;
    int err = netsh_load_store(n, d);
    if (err < 0)
        return err;
    netsh_print_field(&n->t->out, "Current Store",
                      names[n->domain ? 2 : n->slot == CATALOG_PERSISTENT]);
    return 0;
}
