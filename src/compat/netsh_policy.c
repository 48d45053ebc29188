/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_policy.c: netsh ipsec static add, set, delete policy and set defaultrule
 * (windows.md 4). Called through the table of commands. Invariant: main mode values are attributes
 * without effect on packets; only assign changes what is enforced. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "netsh.h"

/* Attributes shared with the other forms: mm-lifetime in seconds, as in the registry. */
static const struct netsh_range poll_range = {1, 5256000, "minutes"};
static const struct netsh_range life_range = {1, 5256000, "minutes"};
static const struct netsh_range per_mm_range = {0, 1000000, NULL};

static int set_attribute(struct attributes *v, const char *key, const char *value, struct diag *d)
{
    int err = attributes_set(v, key, value);
    if (err == -E2BIG)
        return diag_fail(d, DIAG_LIMIT, "'%s' is longer than %d bytes", key,
                         LIMIT_TEXT_STRING_BYTES);
    return err;
}

static int set_bool_attribute(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                              const char *key, struct diag *d, struct attributes *v)
{
    bool yes = false;
    if (!a->value[tag])
        return 0;
    int err = netsh_get_bool(n, a, tag, d, &yes);
    return err < 0 ? err : set_attribute(v, key, yes ? "yes" : "no", d);
}

static int set_number_attribute(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                                const struct netsh_range *range, const char *key, struct diag *d,
                                struct attributes *v)
{
    uint32_t value = 0;
    char text[16];
    if (!a->value[tag])
        return 0;
    int err = netsh_get_number(n, a, tag, range, d, &value);
    if (err < 0)
        return err;
    uint64_t factor = tag == T_MMLIFETIME ? 60 : 1;
    (void)format_into(text, sizeof(text), "%llu", (unsigned long long)(value * factor));
    return set_attribute(v, key, text, d);
}

static int set_main_mode(struct netsh *n, const struct netsh_args *a, struct diag *d,
                         struct policy *p)
{
    struct attributes *v = &p->attributes;
    _cleanup_free_ char *methods = NULL;
    int err;
    if ((err = set_bool_attribute(n, a, T_MMPFS, "mm-pfs", d, v)) < 0 ||
        (err = set_number_attribute(n, a, T_QMPERMM, &per_mm_range, "qm-per-mm", d, v)) < 0 ||
        (err = set_number_attribute(n, a, T_MMLIFETIME, &life_range, "mm-lifetime", d, v)) < 0 ||
        (err = set_bool_attribute(n, a, T_ACTIVATEDEFAULTRULE, "default-response", d, v)) < 0 ||
        (err = netsh_get_mm_methods(n, a, d, &methods)) < 0)
        return err;
    return methods ? set_attribute(v, "mm-methods", methods, d) : 0;
}

static int check_description(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    const char *s = a->value[T_DESCRIPTION];
    return s && strlen(s) > LIMIT_TEXT_STRING_BYTES
               ? netsh_fail(n, d, NETSH_REFUSED, DIAG_LIMIT, "description is longer than %d bytes",
                            LIMIT_TEXT_STRING_BYTES)
               : 0;
}

static int assign(struct netsh *n, const struct policy *p, struct diag *d)
{
    const char *before;
    int err = catalog_assigned(n->t->catalog, n->slot, d, &before);
    if (err == 0 && strcmp(before, p->name) == 0)
        return tool_remark(n->t, NOTE, d, "policy '%s' is assigned already", p->name);
    return err < 0 ? err : catalog_assign(n->t->catalog, n->slot, p->name, d);
}

static int unassign(struct netsh *n, const struct policy *p, struct diag *d)
{
    const char *before;
    int err = catalog_assigned(n->t->catalog, n->slot, d, &before);
    if (err < 0)
        return err;
    if (strcmp(before, p->name) != 0)
        return tool_remark(n->t, NOTE, d, "policy '%s' is not assigned", p->name);
    return catalog_assign(n->t->catalog, n->slot, NULL, d);
}

static int apply_assign(struct netsh *n, const struct netsh_args *a, const struct policy *p,
                        struct diag *d)
{
    bool yes = false;
    if (!a->value[T_ASSIGN])
        return 0;
    int err = netsh_get_bool(n, a, T_ASSIGN, d, &yes);
    if (err < 0)
        return err;
    return yes ? assign(n, p, d) : unassign(n, p, d);
}

/* What add and set have in common. */
static int fill(struct netsh *n, const struct netsh_args *a, struct diag *d, struct policy *p)
{
    uint32_t minutes = p->poll_s / 60;
    int err = check_description(n, a, d);
    if (err == 0)
        err = netsh_get_number(n, a, T_POLLINGINTERVAL, &poll_range, d, &minutes);
    if (err < 0)
        return err;
    if (a->value[T_POLLINGINTERVAL])
        p->poll_s = minutes * 60;
    err = set_main_mode(n, a, d, p);
    if (err == 0)
        err = netsh_get_text(a, T_DESCRIPTION, &p->description);
    return err;
}

int netsh_add_policy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct policy *p;
    bool made;
    int err = catalog_policy_make(c, a->value[T_NAME], d, &p, &made);
    if (err < 0)
        return err;
    if (!made) {
        err = netsh_fail(n, d, NETSH_POLICY_EXISTS, DIAG_CONFLICT, "policy '%s' exists already",
                         p->name);
        diag_hint(d, "set policy name=\"%s\" changes it", p->name);
        return err;
    }
    err = fill(n, a, d, p);
    if (err < 0)
        return err;
    catalog_policy_changed(c, p, "add policy (netsh)");
    bool yes = false;
    err = netsh_get_bool(n, a, T_ASSIGN, d, &yes);
    return err < 0 || !yes ? err : assign(n, p, d);
}

/* By GUID among all. */
static int find_by_guid(struct netsh *n, const struct netsh_args *a, struct diag *d,
                        struct policy **ret)
{
    struct catalog *c = n->t->catalog;
    struct guid guid;
    int err = netsh_get_guid(n, a, d, &guid);
    if (err == 0)
        err = catalog_load_all(c, d);
    if (err < 0)
        return err;
    for (size_t i = 0; i < c->n_policies; i++)
        if (c->policies[i].now && guid_cmp(&c->policies[i].now->guid, &guid) == 0) {
            *ret = c->policies[i].now;
            return 0;
        }
    return netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT, "no policy has the GUID %s",
                      a->value[T_GUID]);
}

/* set policy assign=y without a name: the only one there is. */
static int find_only(struct netsh *n, const struct netsh_args *a, struct diag *d,
                     struct policy **ret)
{
    struct catalog *c = n->t->catalog;
    size_t found = 0;
    int err = catalog_load_all(c, d);
    for (size_t i = 0; err == 0 && i < c->n_policies; i++)
        if (c->policies[i].now) {
            *ret = c->policies[i].now;
            found++;
        }
    if (err < 0 || (found == 1 && a->value[T_ASSIGN]))
        return err;
    err = netsh_fail(n, d, NETSH_WHICH_POLICY, DIAG_USAGE,
                     a->value[T_ASSIGN] ? "which of the %zu policies is not said"
                                        : "which policy is not said",
                     found);
    diag_hint(d, "add name=NAME");
    return err;
}

static int find(struct netsh *n, const struct netsh_args *a, struct diag *d, struct policy **ret)
{
    if (a->value[T_NAME])
        return catalog_policy(n->t->catalog, a->value[T_NAME], d, ret);
    return a->value[T_GUID] ? find_by_guid(n, a, d, ret) : find_only(n, a, d, ret);
}

int netsh_set_policy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct policy *p;
    if (a->value[T_GPONAME]) {
        int err = netsh_fail(n, d, NETSH_DOMAIN, DIAG_UNKNOWN_OBJECT,
                             "gponame needs the domain tools, which are not configured");
        diag_hint(d, "leave gponame out to assign the policy on this host");
        return err;
    }
    int err = find(n, a, d, &p);
    if (err < 0)
        return err;
    const char *new_name = a->value[T_NEWNAME];
    if (new_name && strcmp(new_name, p->name) != 0) {
        _cleanup_free_ char *old = strdup(p->name);
        err = old ? catalog_policy_rename(c, old, new_name, d) : -ENOMEM;
        if (err == 0)
            err = catalog_policy(c, new_name, d, &p);
    }
    if (err == 0)
        err = fill(n, a, d, p);
    if (err < 0)
        return err;
    catalog_policy_changed(c, p, "set policy (netsh)");
    return apply_assign(n, a, p, d);
}

static int delete_one(struct netsh *n, const char *name, struct diag *d)
{
    struct policy *p;
    int err = catalog_policy(n->t->catalog, name, d, &p);
    if (err < 0)
        return err;
    _cleanup_free_ char *copy = strdup(p->name);
    return copy ? catalog_policy_delete(n->t->catalog, copy, d) : -ENOMEM;
}

int netsh_delete_policy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    if (!a->value[T_ALL])
        return delete_one(n, a->value[T_NAME], d);
    int err = catalog_load_all(c, d);
    for (size_t i = c->n_policies; err == 0 && i-- > 0;)
        if (c->policies[i].now)
            err = delete_one(n, c->policies[i].now->name, d);
    return err;
}

int netsh_set_defaultrule(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct policy *p;
    _cleanup_free_ char *raw = NULL, *native = NULL, *auth = NULL;
    int err = catalog_policy(n->t->catalog, a->value[T_POLICY], d, &p);
    if (err < 0)
        return err;
    struct attributes *v = &p->attributes;
    if ((err = set_bool_attribute(n, a, T_ACTIVATE, "default-response", d, v)) < 0 ||
        (err = set_bool_attribute(n, a, T_QMPFS, "default-pfs", d, v)) < 0 ||
        (err = netsh_get_qm_methods(n, a, d, &raw, &native)) < 0 ||
        (err = netsh_get_auth(n, a, d, &auth)) < 0 ||
        (err = raw ? set_attribute(v, "default-methods", raw, d) : 0) < 0 ||
        (err = auth ? set_attribute(v, "default-auth", auth, d) : 0) < 0)
        return err;
    catalog_policy_changed(n->t->catalog, p, "set defaultrule (netsh)");
    return 0;
}
