/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_library.c: netsh ipsec static add, set, delete filterlist, filter and filteraction
 * (windows.md 4). Called through the table of commands. Invariant: lists and actions are shared;
 * what a rule refers to cannot go, and what changes in them changes every policy that uses them. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "netsh.h"

static int check_length(const struct netsh_args *a, enum netsh_tag tag, struct diag *d)
{
    if (!a->value[tag] || strlen(a->value[tag]) <= LIMIT_TEXT_STRING_BYTES)
        return 0;
    return diag_fail(d, DIAG_LIMIT, "%s is longer than %d bytes", netsh_tag_name(tag),
                     LIMIT_TEXT_STRING_BYTES);
}

int netsh_load_library(struct netsh *n, struct diag *d)
{
    struct filter_list *l;
    struct catalog *c = n->t->catalog;
    if (c->has_library)
        return 0;
    int err = catalog_list(c, "", d, &l); /* no list has an empty name: it only loads */
    return c->has_library ? 0 : err;
}

/* --- filter lists --- */

static int make_list(struct netsh *n, const struct netsh_args *a, enum netsh_tag name_tag,
                     struct diag *d)
{
    struct filter_list l = {.name = strdup(a->value[name_tag])};
    int err = l.name ? check_length(a, T_DESCRIPTION, d) : -ENOMEM;
    if (err == 0 && name_tag == T_NAME)
        err = netsh_get_text(a, T_DESCRIPTION, &l.description);
    if (err == 0)
        err = catalog_list_add(n->t->catalog, &l, d);
    filter_list_done(&l);
    return err;
}

int netsh_add_filterlist(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    int err = make_list(n, a, T_NAME, d);
    if (err == -EEXIST)
        n->error = NETSH_LIST_EXISTS;
    return err;
}

/* By name, or by GUID; lists and actions are loaded either way. */
static int find_list(struct netsh *n, const struct netsh_args *a, struct diag *d,
                     struct filter_list **ret)
{
    struct catalog *c = n->t->catalog;
    struct guid guid;
    if (a->value[T_NAME])
        return catalog_list(c, a->value[T_NAME], d, ret);
    int err = netsh_get_guid(n, a, d, &guid);
    if (err == 0)
        err = netsh_load_library(n, d);
    for (size_t i = 0; err == 0 && i < c->n_lists; i++)
        if (guid_cmp(&c->lists[i].guid, &guid) == 0) {
            *ret = &c->lists[i];
            return 0;
        }
    return err < 0 ? err
                   : netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT,
                                "no filter list has the GUID %s", a->value[T_GUID]);
}

int netsh_set_filterlist(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct filter_list *l;
    int err = check_length(a, T_DESCRIPTION, d);
    if (err == 0)
        err = find_list(n, a, d, &l);
    if (err == 0)
        err = netsh_get_text(a, T_DESCRIPTION, &l->description);
    const char *new_name = a->value[T_NEWNAME];
    if (err < 0 || !new_name || strcmp(new_name, l->name) == 0)
        return err;
    _cleanup_free_ char *old = strdup(l->name);
    err = old ? catalog_list_rename(c, old, new_name, d) : -ENOMEM;
    if (err == -EEXIST)
        n->error = NETSH_LIST_EXISTS;
    return err;
}

int netsh_delete_filterlist(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    if (!a->value[T_ALL])
        return catalog_list_delete(c, a->value[T_NAME], d);
    int err = netsh_load_library(n, d);
    for (size_t i = c->n_lists; err == 0 && i-- > 0;) {
        _cleanup_free_ char *name = strdup(c->lists[i].name);
        err = name ? catalog_list_delete(c, name, d) : -ENOMEM;
    }
    return err;
}

/* --- filters --- */

int netsh_add_filter(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    _cleanup_(filter_done) struct filter f;
    struct filter_list *l = NULL;
    filter_init(&f);
    int err = check_length(a, T_DESCRIPTION, d);
    if (err == 0)
        err = netsh_get_filter(n, a, d, &f);
    if (err < 0)
        return err;
    err = catalog_list(c, a->value[T_FILTERLIST], d, &l);
    if (err == -ENOENT) { /* windows.md 4: it is made */
        err = make_list(n, a, T_FILTERLIST, d);
        if (err == 0)
            err = catalog_list(c, a->value[T_FILTERLIST], d, &l);
    }
    if (err < 0)
        return err;
    f.guid = catalog_new_guid(c);
    return filter_list_add_filter(l, &f);
}

int netsh_delete_filter(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    _cleanup_(filter_done) struct filter want;
    struct filter_list *l;
    size_t kept = 0;
    filter_init(&want);
    int err = netsh_get_filter(n, a, d, &want);
    if (err == 0)
        err = catalog_list(n->t->catalog, a->value[T_FILTERLIST], d, &l);
    if (err < 0)
        return err;
    size_t before = l->n_filters;
    for (size_t i = 0; i < l->n_filters; i++) {
        if (netsh_filter_matches(a, &want, &l->filters[i]))
            filter_done(&l->filters[i]);
        else
            l->filters[kept++] = l->filters[i];
    }
    l->n_filters = kept;
    if (kept < before)
        return before - kept == 1 ? 0
                                  : tool_remark(n->t, NOTE, d, "%zu filters of '%s' are deleted",
                                                before - kept, l->name);
    err = netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT,
                     "filter list '%s' has no such filter", l->name);
    diag_hint(d, "show filterlist name=\"%s\" level=verbose", l->name);
    return err;
}

/* --- filter actions --- */

static int set_word(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                    const char *key, struct diag *d, struct filter_action *x)
{
    bool yes = false;
    if (!a->value[tag])
        return 0;
    int err = netsh_get_bool(n, a, tag, d, &yes);
    return err < 0 ? err : attributes_set(&x->attributes, key, yes ? "yes" : NULL);
}

/* What the tags make of the action; inpass and methods belong to negotiate only. */
static int fill_action(struct netsh *n, const struct netsh_args *a, struct diag *d,
                       struct filter_action *x)
{
    _cleanup_free_ char *raw = NULL, *native = NULL;
    enum action action = x->inpass ? ACTION_NEGOTIATE : x->action;
    bool inpass = x->inpass;
    int err;
    if ((err = check_length(a, T_DESCRIPTION, d)) < 0 ||
        (err = netsh_get_action(n, a, T_ACTION, d, &action)) < 0 ||
        (err = netsh_get_bool(n, a, T_INPASS, d, &inpass)) < 0 ||
        (err = netsh_get_qm_methods(n, a, d, &raw, &native)) < 0 ||
        (err = set_word(n, a, T_QMPFS, "qm-pfs", d, x)) < 0 ||
        (err = set_word(n, a, T_SOFT, "soft", d, x)) < 0 ||
        (err = netsh_get_text(a, T_DESCRIPTION, &x->description)) < 0)
        return err;
    if (raw && action != ACTION_NEGOTIATE)
        err = tool_remark(n->t, NOTE, d, "qmsecmethods is ignored: action is %s",
                          action_name(action));
    else if (raw)
        err = attributes_set(&x->attributes, "qm-methods", raw);
    if (err == 0 && inpass && action != ACTION_NEGOTIATE && a->value[T_INPASS])
        err = tool_remark(n->t, NOTE, d, "inpass is ignored: action is %s", action_name(action));
    if (err < 0)
        return err;
    x->inpass = inpass && action == ACTION_NEGOTIATE;
    x->action = x->inpass ? ACTION_PERMIT : action;
    if (x->action != ACTION_NEGOTIATE || native) {
        free(x->methods);
        x->methods = x->action == ACTION_NEGOTIATE ? TAKE_PTR(native) : NULL;
    }
    return 0;
}

int netsh_add_filteraction(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct filter_action x = {.name = strdup(a->value[T_NAME]), .action = ACTION_NEGOTIATE};
    int err = x.name ? fill_action(n, a, d, &x) : -ENOMEM;
    if (err == 0) {
        err = catalog_action_add(n->t->catalog, &x, d);
        if (err == -EEXIST)
            n->error = NETSH_ACTION_EXISTS;
    }
    filter_action_done(&x);
    return err;
}

static int find_action(struct netsh *n, const struct netsh_args *a, struct diag *d,
                       struct filter_action **ret)
{
    struct catalog *c = n->t->catalog;
    struct guid guid;
    if (a->value[T_NAME])
        return catalog_action(c, a->value[T_NAME], d, ret);
    int err = netsh_get_guid(n, a, d, &guid);
    if (err == 0)
        err = netsh_load_library(n, d);
    for (size_t i = 0; err == 0 && i < c->n_actions; i++)
        if (guid_cmp(&c->actions[i].guid, &guid) == 0) {
            *ret = &c->actions[i];
            return 0;
        }
    return err < 0 ? err
                   : netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT,
                                "no filter action has the GUID %s", a->value[T_GUID]);
}

int netsh_set_filteraction(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct filter_action *x;
    int err = find_action(n, a, d, &x);
    if (err == 0)
        err = fill_action(n, a, d, x);
    const char *new_name = a->value[T_NEWNAME];
    if (err < 0 || !new_name || strcmp(new_name, x->name) == 0)
        return err;
    _cleanup_free_ char *old = strdup(x->name);
    err = old ? catalog_action_rename(c, old, new_name, d) : -ENOMEM;
    if (err == -EEXIST)
        n->error = NETSH_ACTION_EXISTS;
    return err;
}

int netsh_delete_filteraction(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    if (!a->value[T_ALL])
        return catalog_action_delete(c, a->value[T_NAME], d);
    int err = netsh_load_library(n, d);
    for (size_t i = c->n_actions; err == 0 && i-- > 0;) {
        _cleanup_free_ char *name = strdup(c->actions[i].name);
        err = name ? catalog_action_delete(c, name, d) : -ENOMEM;
    }
    return err;
}
