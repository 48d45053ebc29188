/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/catalog_settle.c: filters of rules that join a filter list with a filter action.
 * Called once before the difference is used, and for every policy that is read. Invariant: after
 * catalog_settle() each bound rule holds its list times its action, and nothing else. */
#include <errno.h>
#include <string.h>

#include "catalog_internal.h"

static void rule_names(const struct rule *r, const char **ret_list, const char **ret_action)
{
    *ret_list = attributes_get(&r->attributes, ATTRIBUTE_LIST);
    *ret_action = attributes_get(&r->attributes, ATTRIBUTE_ACTION);
}

static bool is_bound(const struct rule *r)
{
    const char *list, *action;
    rule_names(r, &list, &action);
    return list && action;
}

static int unbind(struct rule *r)
{
    int err = attributes_set(&r->attributes, ATTRIBUTE_LIST, NULL);
    return err < 0 ? err : attributes_set(&r->attributes, ATTRIBUTE_ACTION, NULL);
}

/* The list's filter with the action. */
static int derive(const struct filter *f, const struct filter_action *a, struct filter *ret)
{
    int r = filter_copy(f, ret);
    if (r < 0)
        return r;
    free(ret->methods);
    ret->methods = a->methods ? strdup(a->methods) : NULL;
    ret->action = a->action;
    ret->inpass = a->inpass;
    memset(&ret->guid, 0, sizeof(ret->guid));
    ret->handle = 0;
    if (a->methods && !ret->methods) {
        filter_done(ret);
        return -ENOMEM;
    }
    return 0;
}

/* What the list's filter with the action is, compared without making it. */
static bool is_derived(const struct filter *have, const struct filter *f,
                       const struct filter_action *a)
{
    struct filter want = *f; /* borrows everything */
    want.action = a->action;
    want.inpass = a->inpass;
    want.methods = a->methods;
    return filter_eq(have, &want);
}

static bool is_settled(const struct rule *r, const struct filter_list *l,
                       const struct filter_action *a)
{
    if (r->n_filters != l->n_filters)
        return false;
    for (size_t i = 0; i < r->n_filters; i++)
        if (!is_derived(&r->filters[i], &l->filters[i], a))
            return false;
    return true;
}

static int make_filters(const struct policy *p, struct rule *r, const struct filter_list *l,
                        const struct filter_action *a, struct diag *d)
{
    struct rule made;
    rule_init(&made);
    int err = 0;
    for (size_t i = 0; err == 0 && i < l->n_filters; i++) {
        struct filter f;
        err = derive(&l->filters[i], a, &f);
        if (err < 0)
            break;
        err = filter_validate(&f, d);
        if (err < 0)
            diag_name_rule(d, p->name, r->name);
        else
            err = rule_add_filter(&made, &f);
        filter_done(&f);
    }
    if (err < 0) {
        rule_done(&made);
        return err;
    }
    for (size_t i = 0; i < r->n_filters; i++)
        filter_done(&r->filters[i]);
    free(r->filters);
    r->filters = made.filters;
    r->n_filters = made.n_filters;
    r->cap_filters = made.cap_filters;
    return 0;
}

/* The library as stored, whatever was changed since. */
static int stored_library(struct catalog *c, struct diag *d, struct catalog **ret)
{
    if (!c->stored) {
        int r = catalog_load_library(c, d);
        struct catalog *s = r < 0 ? NULL : calloc(1, sizeof(*s));
        if (!s)
            return r < 0 ? r : -ENOMEM;
        catalog_init(s, NULL, c->guid_seed);
        s->has_library = true;
        c->stored = s;
        const char *text = c->library_before ? c->library_before : "";
        r = catalog_library_parse(s, text, strlen(text), d);
        if (r < 0)
            return r;
    }
    *ret = c->stored;
    return 0;
}

/* Unbinds the rules whose filters are not those of their list and action in this library. */
static int unbind_others(struct catalog *library, struct policy *p, bool keep_empty,
                         size_t *ret_unbound)
{
    for (size_t i = 0; i < p->n_rules; i++) {
        struct rule *r = &p->rules[i];
        const char *list, *action;
        if (!is_bound(r) || (keep_empty && r->n_filters == 0))
            continue;
        rule_names(r, &list, &action);
        const struct filter_list *l = find_list(library, list);
        const struct filter_action *a = find_action(library, action);
        if (l && a && is_settled(r, l, a))
            continue;
        int err = unbind(r);
        if (err < 0)
            return err;
        ++*ret_unbound;
    }
    return 0;
}

static bool has_bound(const struct policy *p)
{
    for (size_t i = 0; i < p->n_rules; i++)
        if (is_bound(&p->rules[i]))
            return true;
    return false;
}

int catalog_check_bound(struct catalog *c, struct policy *p, struct diag *d)
{
    struct catalog *stored = NULL;
    size_t unbound = 0;
    if (!has_bound(p))
        return 0;
    int err = stored_library(c, d, &stored);
    return err < 0 ? err : unbind_others(stored, p, false, &unbound);
}

int catalog_check_given(struct catalog *c, struct policy *p, struct diag *d, size_t *ret_unbound)
{
    *ret_unbound = 0;
    if (!has_bound(p))
        return 0;
    int err = catalog_load_library(c, d);
    return err < 0 ? err : unbind_others(c, p, true, ret_unbound);
}

static int settle_policy(struct catalog *c, struct policy *p, struct diag *d)
{
    for (size_t i = 0; i < p->n_rules; i++) {
        struct rule *r = &p->rules[i];
        const char *list, *action;
        rule_names(r, &list, &action);
        if (!list || !action)
            continue;
        int err = catalog_load_library(c, d);
        if (err < 0)
            return err;
        const struct filter_list *l = find_list(c, list);
        const struct filter_action *a = find_action(c, action);
        if (!l || !a)
            err = unbind(r);
        else if (!is_settled(r, l, a))
            err = make_filters(p, r, l, a, d);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Whether a list or action that rules of unread policies may refer to is another one now. */
static bool library_changed(struct catalog *c, struct catalog *stored)
{
    for (size_t i = 0; i < stored->n_lists; i++) {
        const struct filter_list *l = find_list(c, stored->lists[i].name);
        if (!l || !filter_list_same_filters(l, &stored->lists[i]))
            return true;
    }
    for (size_t i = 0; i < stored->n_actions; i++) {
        const struct filter_action *a = find_action(c, stored->actions[i].name);
        if (!a || !filter_action_same_effect(a, &stored->actions[i]))
            return true;
    }
    return false;
}

int catalog_settle(struct catalog *c, struct diag *d)
{
    int r = 0;
    if (c->has_library && c->library_before && c->library_before[0] != '\0') {
        struct catalog *stored = NULL;
        r = stored_library(c, d, &stored);
        if (r == 0 && library_changed(c, stored))
            r = catalog_load_all(c, d);
    }
    for (size_t i = 0; r == 0 && i < c->n_policies; i++)
        if (c->policies[i].now)
            r = settle_policy(c, c->policies[i].now, d);
    return r;
}
