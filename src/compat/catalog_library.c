/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/catalog_library.c: filter lists and filter actions that rules share.
 * Used by netsh and the converters. Invariant: names are unique without regard to case; nothing
 * that a rule refers to can be deleted. */
#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "catalog_internal.h"

static int catch_up_lists(struct catalog *c)
{
    if (c->list_index.n > c->n_lists)
        c->list_index.n = 0;
    int r = 0;
    while (r == 0 && c->list_index.n < c->n_lists)
        r = index_add(&c->list_index, utf8_casehash(c->lists[c->list_index.n].name));
    return r;
}

static int catch_up_actions(struct catalog *c)
{
    if (c->action_index.n > c->n_actions)
        c->action_index.n = 0;
    int r = 0;
    while (r == 0 && c->action_index.n < c->n_actions)
        r = index_add(&c->action_index, utf8_casehash(c->actions[c->action_index.n].name));
    return r;
}

struct filter_list *find_list(struct catalog *c, const char *name)
{
    const struct catalog_index *x = &c->list_index;
    uint32_t hash = utf8_casehash(name);
    if (catch_up_lists(c) < 0)
        return NULL;
    for (size_t i = index_scan(x, 0, hash); i < x->n; i = index_scan(x, i + 1, hash))
        if (utf8_casecmp(c->lists[i].name, name) == 0)
            return &c->lists[i];
    return NULL;
}

struct filter_action *find_action(struct catalog *c, const char *name)
{
    const struct catalog_index *x = &c->action_index;
    uint32_t hash = utf8_casehash(name);
    if (catch_up_actions(c) < 0)
        return NULL;
    for (size_t i = index_scan(x, 0, hash); i < x->n; i = index_scan(x, i + 1, hash))
        if (utf8_casecmp(c->actions[i].name, name) == 0)
            return &c->actions[i];
    return NULL;
}

int catalog_load_library(struct catalog *c, struct diag *d)
{
    if (c->has_library)
        return 0;
    if (c->source && c->source->library) {
        int r = c->source->library(c->source->ctx, d, &c->library_before);
        if (r == 0)
            r = catalog_library_parse(c, c->library_before, strlen(c->library_before), d);
        if (r < 0)
            return r;
    }
    c->has_library = true;
    return 0;
}

static const char *list_name_at(const void *ctx, size_t i)
{
    return ((const struct catalog *)ctx)->lists[i].name;
}

static const char *action_name_at(const void *ctx, size_t i)
{
    return ((const struct catalog *)ctx)->actions[i].name;
}

int catalog_list(struct catalog *c, const char *name, struct diag *d, struct filter_list **ret)
{
    int r = catalog_load_library(c, d);
    if (r < 0)
        return r;
    *ret = find_list(c, name);
    if (*ret)
        return 0;
    struct name_choice choice = {"filter list", name, c->n_lists, list_name_at, c};
    return fail_unknown_name(&choice, d);
}

int catalog_action(struct catalog *c, const char *name, struct diag *d, struct filter_action **ret)
{
    int r = catalog_load_library(c, d);
    if (r < 0)
        return r;
    *ret = find_action(c, name);
    if (*ret)
        return 0;
    struct name_choice choice = {"filter action", name, c->n_actions, action_name_at, c};
    return fail_unknown_name(&choice, d);
}

int catalog_list_add(struct catalog *c, struct filter_list *l, struct diag *d)
{
    int r = name_validate(l->name, "filter list", (struct span){0}, d);
    if (r == 0)
        r = catalog_load_library(c, d);
    if (r < 0)
        return r;
    if (find_list(c, l->name))
        return diag_fail(d, DIAG_CONFLICT, "filter list '%s' exists already", l->name);
    r = array_reserve(&c->lists, &c->cap_lists, c->n_lists + 1, sizeof(*c->lists));
    if (r == 0)
        r = index_add(&c->list_index, utf8_casehash(l->name));
    if (r < 0)
        return r;
    if (guid_is_null(&l->guid))
        l->guid = catalog_new_guid(c);
    c->lists[c->n_lists++] = *l;
    *l = (struct filter_list){0};
    return 0;
}

int catalog_action_add(struct catalog *c, struct filter_action *a, struct diag *d)
{
    int r = name_validate(a->name, "filter action", (struct span){0}, d);
    if (r == 0)
        r = catalog_load_library(c, d);
    if (r < 0)
        return r;
    if (find_action(c, a->name))
        return diag_fail(d, DIAG_CONFLICT, "filter action '%s' exists already", a->name);
    r = array_reserve(&c->actions, &c->cap_actions, c->n_actions + 1, sizeof(*c->actions));
    if (r == 0)
        r = index_add(&c->action_index, utf8_casehash(a->name));
    if (r < 0)
        return r;
    if (guid_is_null(&a->guid))
        a->guid = catalog_new_guid(c);
    c->actions[c->n_actions++] = *a;
    *a = (struct filter_action){0};
    return 0;
}

/* The next rule, from *policy and *rule on, whose attribute `key` is this name. */
static struct rule *next_reference(struct catalog *c, const char *key, const char *name,
                                   size_t *policy, size_t *rule)
{
    for (; *policy < c->n_policies; (*policy)++, *rule = 0) {
        const struct policy *p = c->policies[*policy].now;
        for (; p && *rule < p->n_rules; (*rule)++) {
            const char *value = attributes_get(&p->rules[*rule].attributes, key);
            if (value && utf8_casecmp(value, name) == 0)
                return &p->rules[*rule];
        }
    }
    return NULL;
}

struct object_kind {
    const char *what, *key;
};
static const struct object_kind list_kind = {"filter list", ATTRIBUTE_LIST};
static const struct object_kind action_kind = {"filter action", ATTRIBUTE_ACTION};

static int refuse_referenced(struct catalog *c, const struct object_kind *kind, const char *name,
                             struct diag *d)
{
    size_t policy = 0, rule = 0;
    int r = catalog_load_all(c, d);
    if (r < 0)
        return r;
    const struct rule *user = next_reference(c, kind->key, name, &policy, &rule);
    if (!user)
        return 0;
    return diag_fail(d, DIAG_CONFLICT, "%s '%s' is used by rule '%s' of policy '%s'", kind->what,
                     name, user->name, c->policies[policy].now->name);
}

static int rename_references(struct catalog *c, const struct object_kind *kind, const char *name,
                             const char *new_name, struct diag *d)
{
    size_t policy = 0, rule = 0;
    struct rule *user;
    int r = catalog_load_all(c, d);
    while (r == 0 && (user = next_reference(c, kind->key, name, &policy, &rule))) {
        r = attributes_set(&user->attributes, kind->key, new_name);
        rule++;
    }
    return r;
}

int catalog_list_delete(struct catalog *c, const char *name, struct diag *d)
{
    struct filter_list *l = NULL;
    int r = catalog_list(c, name, d, &l);
    if (r == 0)
        r = refuse_referenced(c, &list_kind, l->name, d);
    if (r < 0)
        return r;
    size_t i = (size_t)(l - c->lists);
    filter_list_done(l);
    c->lists[i] = c->lists[--c->n_lists];
    index_remove(&c->list_index, i);
    return 0;
}

int catalog_action_delete(struct catalog *c, const char *name, struct diag *d)
{
    struct filter_action *a = NULL;
    int r = catalog_action(c, name, d, &a);
    if (r == 0)
        r = refuse_referenced(c, &action_kind, a->name, d);
    if (r < 0)
        return r;
    size_t i = (size_t)(a - c->actions);
    filter_action_done(a);
    c->actions[i] = c->actions[--c->n_actions];
    index_remove(&c->action_index, i);
    return 0;
}

int catalog_list_rename(struct catalog *c, const char *name, const char *new_name, struct diag *d)
{
    struct filter_list *l = NULL;
    int r = name_validate(new_name, "filter list", (struct span){0}, d);
    if (r == 0)
        r = catalog_list(c, name, d, &l);
    if (r < 0)
        return r;
    const struct filter_list *other = find_list(c, new_name);
    if (other && other != l)
        return diag_fail(d, DIAG_CONFLICT, "filter list '%s' exists already", other->name);
    r = rename_references(c, &list_kind, l->name, new_name, d);
    char *copy = r < 0 ? NULL : strdup(new_name);
    if (!copy)
        return r < 0 ? r : -ENOMEM;
    free(l->name);
    l->name = copy;
    c->list_index.v[l - c->lists] = utf8_casehash(copy);
    return 0;
}

int catalog_action_rename(struct catalog *c, const char *name, const char *new_name, struct diag *d)
{
    struct filter_action *a = NULL;
    int r = name_validate(new_name, "filter action", (struct span){0}, d);
    if (r == 0)
        r = catalog_action(c, name, d, &a);
    if (r < 0)
        return r;
    const struct filter_action *other = find_action(c, new_name);
    if (other && other != a)
        return diag_fail(d, DIAG_CONFLICT, "filter action '%s' exists already", other->name);
    r = rename_references(c, &action_kind, a->name, new_name, d);
    char *copy = r < 0 ? NULL : strdup(new_name);
    if (!copy)
        return r < 0 ? r : -ENOMEM;
    free(a->name);
    a->name = copy;
    c->action_index.v[a - c->actions] = utf8_casehash(copy);
    return 0;
}

int filter_list_add_filter(struct filter_list *l, struct filter *f)
{
    int r = array_reserve(&l->filters, &l->cap_filters, l->n_filters + 1, sizeof(*l->filters));
    if (r < 0)
        return r;
    l->filters[l->n_filters++] = *f;
    filter_init(f);
    return 0;
}

bool filter_list_same_filters(const struct filter_list *a, const struct filter_list *b)
{
    if (a->n_filters != b->n_filters)
        return false;
    for (size_t i = 0; i < a->n_filters; i++)
        if (!filter_eq(&a->filters[i], &b->filters[i]))
            return false;
    return true;
}

bool filter_action_same_effect(const struct filter_action *a, const struct filter_action *b)
{
    if (a->action != b->action || a->inpass != b->inpass || !a->methods != !b->methods)
        return false;
    return !a->methods || strcmp(a->methods, b->methods) == 0;
}
