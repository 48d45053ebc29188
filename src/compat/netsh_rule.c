/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_rule.c: netsh ipsec static add, set, delete rule (windows.md 4).
 * Called through the table of commands. Invariant: a rule made here names its list and action in
 * its attributes; catalog_settle() makes its filters, which were all checked here. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "mirror_hole.h"
#include "netsh.h"

int netsh_check_pair(struct netsh *n, const struct filter_list *l, const struct filter_action *x,
                     const char *rule, struct diag *d)
{
    for (size_t i = 0; i < l->n_filters; i++) {
        struct filter f = l->filters[i]; /* borrows everything */
        f.action = x->action;
        f.inpass = x->inpass;
        f.methods = x->methods;
        int err = filter_validate(&f, d);
        if (err < 0) {
            n->error = NETSH_REFUSED;
            return err;
        }
        err = mirror_hole_check(n->t, rule, &f, d);
        if (err < 0)
            return err;
    }
    return 0;
}

static int check_names(struct netsh *n, const struct rule *r, struct diag *d)
{
    struct filter_list *l;
    struct filter_action *x;
    const char *list = attributes_get(&r->attributes, "filterlist");
    const char *action = attributes_get(&r->attributes, "filteraction");
    int err = list ? catalog_list(n->t->catalog, list, d, &l) : 0;
    if (err == 0 && action)
        err = catalog_action(n->t->catalog, action, d, &x);
    return err < 0 || !list || !action ? err : netsh_check_pair(n, l, x, r->name, d);
}

/* The stored spelling of what the tag names. */
static int bind_rule(struct netsh *n, const struct netsh_args *a, struct diag *d, struct rule *r)
{
    struct filter_list *l;
    struct filter_action *x;
    int err = 0;
    if (a->value[T_FILTERLIST]) {
        err = catalog_list(n->t->catalog, a->value[T_FILTERLIST], d, &l);
        if (err == 0)
            err = attributes_set(&r->attributes, "filterlist", l->name);
    }
    if (err == 0 && a->value[T_FILTERACTION]) {
        err = catalog_action(n->t->catalog, a->value[T_FILTERACTION], d, &x);
        if (err == 0)
            err = attributes_set(&r->attributes, "filteraction", x->name);
    }
    return err < 0 ? err : check_names(n, r, d);
}

static int set_text(const struct netsh_args *a, enum netsh_tag tag, const char *key, struct diag *d,
                    struct rule *r)
{
    const char *s = a->value[tag];
    if (!s)
        return 0;
    int err = attributes_set(&r->attributes, key, s[0] != '\0' ? s : NULL);
    if (err == -E2BIG)
        return diag_fail(d, DIAG_LIMIT, "%s is longer than %d bytes", netsh_tag_name(tag),
                         LIMIT_TEXT_STRING_BYTES);
    return err;
}

static int set_tunnel(struct netsh *n, const struct netsh_args *a, struct diag *d, struct rule *r)
{
    const char *s = a->value[T_TUNNEL];
    static const char plain[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._:";
    if (s && (strspn(s, plain) != strlen(s) || strlen(s) > LIMIT_NAME_BYTES)) {
        int err = netsh_fail_value(n, a, T_TUNNEL, d, "'%s' is no end of a tunnel", s);
        diag_hint(d, "tunnel=%s", netsh_tag_values(T_TUNNEL));
        return err;
    }
    return set_text(a, T_TUNNEL, "tunnel", d, r);
}

/* What add and set have in common. */
static int fill(struct netsh *n, const struct netsh_args *a, struct diag *d, struct rule *r)
{
    _cleanup_free_ char *auth = NULL;
    bool active = !r->inactive;
    int err;
    if ((err = netsh_get_connection(n, a, d, &r->connection)) < 0 ||
        (err = netsh_get_bool(n, a, T_ACTIVATE, d, &active)) < 0 ||
        (err = set_tunnel(n, a, d, r)) < 0 ||
        (err = set_text(a, T_DESCRIPTION, "description", d, r)) < 0 ||
        (err = netsh_get_auth(n, a, d, &auth)) < 0)
        return err;
    r->inactive = !active;
    if (auth)
        err = attributes_set(&r->attributes, "auth", auth);
    return err < 0 ? err : bind_rule(n, a, d, r);
}

int netsh_add_rule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct policy *p;
    struct rule r;
    bool replaced;
    const char *name = a->value[T_NAME];
    int err = catalog_policy(c, a->value[T_POLICY], d, &p);
    if (err == 0)
        err = name_validate(name, "rule", (struct span){0}, d);
    if (err < 0)
        return err;
    if (policy_find_rule(p, name)) {
        err = netsh_fail(n, d, NETSH_RULE_EXISTS, DIAG_CONFLICT,
                         "policy '%s' has a rule '%s' already", p->name, name);
        diag_hint(d, "set rule name=\"%s\" policy=\"%s\" changes it", name, p->name);
        return err;
    }
    rule_init(&r);
    r.name = strdup(name);
    err = r.name ? fill(n, a, d, &r) : -ENOMEM;
    if (err == 0)
        err = catalog_rule_put(c, p, &r, d, &replaced);
    rule_done(&r);
    if (err == 0)
        catalog_policy_changed(c, p, "add rule \"%s\" (netsh)", name);
    return err;
}

static int fail_no_rule(struct netsh *n, const struct policy *p, const char *name, struct diag *d)
{
    char names[DIAG_HINT_BYTES - 32] = "";
    for (size_t i = 0, used = 0; i < p->n_rules && used + 1 < sizeof(names); i++)
        used += format_into(names + used, sizeof(names) - used, "%s'%s'", i > 0 ? ", " : "",
                            p->rules[i].name);
    int err = netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT, "policy '%s' has no rule '%s'",
                         p->name, name);
    diag_hint(d, p->n_rules > 0 ? "its rules: %s" : "it has no rules%s", names);
    return err;
}

int netsh_find_rule(struct netsh *n, const struct netsh_args *a, struct policy *p, struct diag *d,
                    struct rule **ret)
{
    const char *name = a->value[T_NAME], *id = a->value[T_ID];
    struct guid guid;
    if (name) {
        *ret = policy_find_rule(p, name);
        return *ret ? 0 : fail_no_rule(n, p, name, d);
    }
    bool by_guid = guid_parse(id, &guid) == 0;
    uint32_t number = 0;
    static const struct netsh_range range = {1, LIMIT_RULES_PER_POLICY, NULL};
    int err = by_guid ? 0 : netsh_get_number(n, a, T_ID, &range, d, &number);
    if (err < 0)
        return err;
    for (size_t i = 0; i < p->n_rules; i++)
        if (by_guid ? guid_cmp(&p->rules[i].guid, &guid) == 0 : i + 1 == number) {
            *ret = &p->rules[i];
            return 0;
        }
    return fail_no_rule(n, p, id, d);
}

static int rename_rule(struct netsh *n, const struct netsh_args *a, struct policy *p,
                       struct rule **r, struct diag *d)
{
    const char *name = a->value[T_NEWNAME];
    if (!name || strcmp(name, (*r)->name) == 0)
        return 0;
    struct rule *other = policy_find_rule(p, name);
    int err = name_validate(name, "rule", (struct span){0}, d);
    if (err < 0)
        return err;
    if (other && other != *r)
        return netsh_fail(n, d, NETSH_RULE_EXISTS, DIAG_CONFLICT,
                          "policy '%s' has a rule '%s' already", p->name, name);
    /* Renaming is removing and adding (model/policy.h); the identity stays. */
    size_t at = (size_t)(*r - p->rules);
    struct rule moved = **r;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    rule_init(*r);
    policy_remove_rule(p, at);
    free(moved.name);
    moved.name = copy;
    err = policy_add_rule(p, &moved, d);
    rule_done(&moved);
    *r = policy_find_rule(p, name);
    return err;
}

int netsh_set_rule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct policy *p;
    struct rule *r;
    int err = catalog_policy(c, a->value[T_POLICY], d, &p);
    if (err == 0)
        err = netsh_find_rule(n, a, p, d, &r);
    if (err == 0)
        err = rename_rule(n, a, p, &r, d);
    if (err == 0)
        err = fill(n, a, d, r);
    if (err == 0)
        catalog_policy_changed(c, p, "set rule \"%s\" (netsh)", r->name);
    return err;
}

int netsh_delete_rule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct policy *p;
    struct rule *r;
    int err = catalog_policy(c, a->value[T_POLICY], d, &p);
    if (err < 0)
        return err;
    if (a->value[T_ALL]) {
        while (err == 0 && p->n_rules > 0) {
            _cleanup_free_ char *name = strdup(p->rules[p->n_rules - 1].name);
            err = name ? catalog_rule_delete(c, p, name, d) : -ENOMEM;
        }
    } else {
        err = netsh_find_rule(n, a, p, d, &r);
        _cleanup_free_ char *name = err == 0 ? strdup(r->name) : NULL;
        if (err == 0)
            err = name ? catalog_rule_delete(c, p, name, d) : -ENOMEM;
    }
    if (err == 0)
        catalog_policy_changed(c, p, "delete rule (netsh)");
    return err;
}
