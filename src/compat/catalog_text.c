/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/catalog_text.c: the library of filter lists and filter actions as text, and back.
 * Called when a catalog reads the library and when the difference is made. Invariant: the text is
 * that of policies, so there is one grammar; printing what was parsed gives the same text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "catalog_internal.h"
#include "text/text.h"

#define LISTS_POLICY   "filterlists"
#define ACTIONS_POLICY "filteractions"

/* Rules of one of these policies; below LIMIT_RULES_PER_POLICY. */
enum { OBJECTS_PER_POLICY = 4000 };
_Static_assert((int)OBJECTS_PER_POLICY < (int)LIMIT_RULES_PER_POLICY, "a full policy is valid");

static int set_identity(struct rule *r, const char *name, const struct guid *guid,
                        const char *description)
{
    char text[GUID_TEXT_BYTES];
    guid_print(guid, text);
    r->name = strdup(name);
    int err = r->name ? attributes_set(&r->attributes, "guid", text) : -ENOMEM;
    return err == 0 && description ? attributes_set(&r->attributes, "description", description)
                                   : err;
}

static int list_to_rule(const struct filter_list *l, struct rule *r)
{
    int err = set_identity(r, l->name, &l->guid, l->description);
    for (size_t i = 0; err == 0 && i < l->n_filters; i++) {
        struct filter f;
        err = filter_copy(&l->filters[i], &f);
        if (err < 0)
            break;
        f.action = ACTION_BLOCK;
        err = rule_add_filter(r, &f);
        filter_done(&f);
    }
    return err;
}

static int action_to_rule(const struct filter_action *a, struct rule *r)
{
    struct filter f;
    int err = set_identity(r, a->name, &a->guid, a->description);
    for (size_t i = 0; err == 0 && i < a->attributes.n; i++)
        err = attributes_set(&r->attributes, a->attributes.v[i].key, a->attributes.v[i].value);
    if (err < 0)
        return err;
    filter_init(&f);
    f.action = a->action;
    f.inpass = a->inpass;
    f.methods = a->methods ? strdup(a->methods) : NULL;
    err = a->methods && !f.methods ? -ENOMEM : rule_add_filter(r, &f);
    filter_done(&f);
    return err;
}

/* Sorted by name, so that one library has one text. */
static int compare_lists(const void *a, const void *b)
{
    const struct filter_list *const *x = a, *const *y = b;
    return utf8_casecmp((*x)->name, (*y)->name);
}

static int compare_actions(const void *a, const void *b)
{
    const struct filter_action *const *x = a, *const *y = b;
    return utf8_casecmp((*x)->name, (*y)->name);
}

/* One kind of objects as policies "NAME", "NAME 2" ... */
struct printer {
    const char *name;
    const void **v; /* sorted */
    size_t n;
    int (*to_rule)(const void *object, struct rule *r);
    struct strbuf *out;
};

static int any_list_to_rule(const void *object, struct rule *r)
{
    return list_to_rule(object, r);
}

static int any_action_to_rule(const void *object, struct rule *r)
{
    return action_to_rule(object, r);
}

static int print_part(const struct printer *k, size_t from)
{
    char name[64];
    _cleanup_(policy_freep) struct policy *p = NULL;
    (void)snprintf(name, sizeof(name), "%s", k->name); /* short words */
    if (from > 0)
        (void)snprintf(name, sizeof(name), "%s %zu", k->name, from / OBJECTS_PER_POLICY + 1);
    int err = policy_new(name, &p);
    for (size_t i = from; err == 0 && i < k->n && i - from < OBJECTS_PER_POLICY; i++) {
        struct rule r;
        rule_init(&r);
        err = k->to_rule(k->v[i], &r);
        if (err == 0)
            err = policy_add_rule(p, &r, NULL);
        rule_done(&r);
    }
    return err < 0 ? err : text_print_policy(p, k->out);
}

static int print_kind(const struct printer *k)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < k->n; i += OBJECTS_PER_POLICY)
        err = print_part(k, i);
    return err;
}

int catalog_library_print(const struct catalog *c, struct strbuf *out)
{
    size_t n = c->n_lists > c->n_actions ? c->n_lists : c->n_actions;
    _cleanup_free_ const void **v = calloc(n + 1, sizeof(*v));
    struct printer k = {LISTS_POLICY, v, c->n_lists, any_list_to_rule, out};
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < c->n_lists; i++)
        v[i] = &c->lists[i];
    qsort(v, c->n_lists, sizeof(*v), compare_lists);
    int err = print_kind(&k);
    for (size_t i = 0; i < c->n_actions; i++)
        v[i] = &c->actions[i];
    qsort(v, c->n_actions, sizeof(*v), compare_actions);
    k = (struct printer){ACTIONS_POLICY, v, c->n_actions, any_action_to_rule, out};
    return err < 0 ? err : print_kind(&k);
}

/* Takes guid and description out of the attributes; both stay null if absent. */
static int take_identity(struct rule *r, struct guid *ret_guid, char **ret_description)
{
    const char *guid = attributes_get(&r->attributes, "guid");
    const char *description = attributes_get(&r->attributes, "description");
    if (guid && guid_parse(guid, ret_guid) < 0)
        return -EINVAL;
    *ret_description = description ? strdup(description) : NULL;
    if (description && !*ret_description)
        return -ENOMEM;
    int err = attributes_set(&r->attributes, "guid", NULL);
    return err < 0 ? err : attributes_set(&r->attributes, "description", NULL);
}

static int list_from_rule(struct catalog *c, struct rule *r, struct diag *d)
{
    struct filter_list l = {0};
    int err = take_identity(r, &l.guid, &l.description);
    if (err == 0) {
        l.name = TAKE_PTR(r->name);
        l.filters = TAKE_PTR(r->filters);
        l.n_filters = r->n_filters;
        l.cap_filters = r->cap_filters;
        r->n_filters = r->cap_filters = 0;
        err = catalog_list_add(c, &l, d);
    }
    filter_list_done(&l);
    return err;
}

static int action_from_rule(struct catalog *c, struct rule *r, struct diag *d)
{
    struct filter_action a = {0};
    if (r->n_filters != 1)
        return diag_fail(d, DIAG_CORRUPT, "filter action '%s' has %zu actions", r->name,
                         r->n_filters);
    int err = take_identity(r, &a.guid, &a.description);
    if (err == 0) {
        a.name = TAKE_PTR(r->name);
        a.action = r->filters[0].action;
        a.inpass = r->filters[0].inpass;
        a.methods = TAKE_PTR(r->filters[0].methods);
        a.attributes = r->attributes;
        r->attributes = (struct attributes){0};
        err = catalog_action_add(c, &a, d);
    }
    filter_action_done(&a);
    return err;
}

static bool name_begins(const char *name, const char *word)
{
    size_t n = strlen(word);
    return strncmp(name, word, n) == 0 && (name[n] == '\0' || name[n] == ' ');
}

static int take_policy(struct catalog *c, struct policy *p, struct diag *d)
{
    bool lists = name_begins(p->name, LISTS_POLICY);
    if (!lists && !name_begins(p->name, ACTIONS_POLICY))
        return diag_fail(d, DIAG_CORRUPT, "the library of filter lists holds a policy '%s'",
                         p->name);
    for (size_t i = 0; i < p->n_rules; i++) {
        struct rule *r = &p->rules[i];
        int err = lists ? list_from_rule(c, r, d) : action_from_rule(c, r, d);
        if (err < 0)
            return err;
    }
    return 0;
}

int catalog_library_parse(struct catalog *c, const char *text, size_t len, struct diag *d)
{
    _cleanup_(policy_list_done) struct policy_list list = {0};
    struct diag_list errors = {0};
    bool had = c->has_library;
    if (len == 0)
        return 0;
    int err = text_parse_policies(text, len, &errors, &list);
    if (err < 0 && errors.n > 0)
        return diag_fail(d, DIAG_CORRUPT, "the library of filter lists cannot be read: %s",
                         errors.d[0].message);
    c->has_library = true; /* adding to it does not read it again */
    for (size_t i = 0; err == 0 && i < list.n; i++)
        err = take_policy(c, list.v[i], d);
    c->has_library = had;
    return err;
}
