/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_policy_library.c: filter lists and filter actions of a registry export (windows.md
 * 15). Called by reg_policy_read.c, before the rules that refer to them. Invariant: two objects of
 * one file never become one unless they mean the same, and an object that is there already is
 * replaced only by the object of its identity. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "reg_policy_reader.h"
#include "text/text.h"

/* --- filter lists --- */
static int trim_description(struct policy_reader *p, const struct reg_key *k, struct filter *f)
{
    size_t n = f->description ? strlen(f->description) : 1;
    if (n > 0 && n <= LIMIT_TEXT_STRING_BYTES)
        return 0;
    free(f->description);
    f->description = NULL;
    return n == 0 ? 0 : reg_broken(p, k, "the description of a filter is too long and is left out");
}

static int list_filters(struct policy_reader *p, const struct reg_key *k, struct blob_filters *b,
                        struct filter_list *l)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < b->n; i++) {
        struct filter *f = &b->v[i].filter;
        struct diag why = {0};
        f->guid = b->v[i].guid;
        if (!f->description)
            f->description = TAKE_PTR(b->v[i].description);
        err = trim_description(p, k, f);
        if (err < 0)
            return err;
        f->action = ACTION_BLOCK;
        err = filter_validate(f, &why) < 0 ? reg_broken(p, k, why.message)
                                           : filter_list_add_filter(l, f);
    }
    return err;
}

static void free_texts(char **v, size_t n)
{
    for (size_t i = 0; v && i < n; i++)
        free(v[i]);
    free(v);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The filters as text, sorted; NULL if there is no memory. */
static char **sorted_texts(const struct filter_list *l)
{
    char **v = calloc(l->n_filters + 1, sizeof(*v));
    for (size_t i = 0; v && i < l->n_filters; i++) {
        struct strbuf text = STRBUF_INIT(1024 * 1024);
        if (text_print_filter(&l->filters[i], &text) == 0)
            v[i] = strbuf_take(&text);
        strbuf_done(&text);
        if (!v[i]) {
            free_texts(v, i);
            return NULL;
        }
    }
    if (v)
        qsort(v, l->n_filters, sizeof(*v), compare_texts);
    return v;
}

/* The form puts filters of its second version behind the others: that alone is no change. */
static int keep_order(struct filter_list *l, struct filter_list *old)
{
    bool same = l->n_filters == old->n_filters;
    char **a = same ? sorted_texts(l) : NULL, **b = same ? sorted_texts(old) : NULL;
    int err = same && (!a || !b) ? -ENOMEM : 0;
    for (size_t i = 0; same && err == 0 && i < l->n_filters; i++)
        same = strcmp(a[i], b[i]) == 0;
    free_texts(a, l->n_filters);
    free_texts(b, old->n_filters);
    if (err < 0 || !same)
        return err;
    struct filter *filters = l->filters;
    size_t cap = l->cap_filters;
    l->filters = old->filters;
    l->cap_filters = old->cap_filters;
    old->filters = filters;
    old->cap_filters = cap;
    return 0;
}

static bool list_is_taken(void *ctx, const char *name)
{
    struct catalog *c = ctx;
    struct filter_list *l;
    struct diag ignored;
    return catalog_list(c, name, &ignored, &l) == 0;
}

/* The one with the identity of l, which must not be of this file, else the one of its name. */
static int find_stored_list(struct policy_reader *p, struct filter_list *l,
                            struct filter_list **ret)
{
    struct catalog *c = p->r->t->catalog;
    struct diag ignored;
    *ret = NULL;
    int err = catalog_list(c, l->name, &ignored, ret);
    for (size_t i = 0; i < c->n_lists; i++) {
        if (guid_is_null(&l->guid) || guid_cmp(&c->lists[i].guid, &l->guid) != 0)
            continue;
        if (reg_is_of_file(&p->lists, c->lists[i].name))
            l->guid = (struct guid){{0}};
        else
            *ret = &c->lists[i];
    }
    return err == -ENOENT ? 0 : err;
}

/* The same object read again takes the place of what it was; another list of this name stays, and
 * the new one gets a number. */
static int place_list(struct policy_reader *p, struct filter_list *l, char **ret_name)
{
    struct catalog *c = p->r->t->catalog;
    const struct reg_taken taken = {list_is_taken, c};
    char name[LIMIT_NAME_BYTES + 1];
    struct filter_list *old;
    int err = find_stored_list(p, l, &old);
    if (err == 0 && old &&
        (guid_cmp(&old->guid, &l->guid) == 0 || filter_list_same_filters(old, l))) {
        err = keep_order(l, old);
        if (err < 0)
            return err;
        char *kept = TAKE_PTR(old->name);
        l->guid = old->guid;
        free(l->name);
        l->name = kept;
        filter_list_done(old);
        *old = *l;
        *l = (struct filter_list){0};
        *ret_name = strdup(kept);
        return *ret_name ? 0 : -ENOMEM;
    }
    if (err == 0)
        err = reg_names_free(&p->names, "list", l->name, &taken, name);
    if (err < 0)
        return err;
    free(l->name);
    l->name = strdup(name);
    *ret_name = strdup(name);
    if (!l->name || !*ret_name)
        return -ENOMEM;
    return catalog_list_add(c, l, p->r->d);
}

int reg_read_list(struct policy_reader *p, const struct reg_key *k, struct reg_object *o)
{
    _cleanup_(filter_list_done) struct filter_list l = {.name = reg_name_of(k)};
    _cleanup_(blob_filters_done) struct blob_filters b = {0};
    const struct reg_value *v;
    struct diag why = {0};
    int err = l.name ? reg_data_of(p, k, &v) : -ENOMEM;
    if (err > 0)
        err = reg_judge(p, k, blob_filters_read(v->bytes, v->n_bytes, &why, &b), &why);
    if (err > 0 && name_validate(l.name, "filter list", (struct span){0}, &why) < 0)
        err = reg_broken(p, k, why.message);
    if (err <= 0)
        return err;
    reg_identity_of(k, &l.guid);
    err = reg_describe(k, &l.description);
    if (err == 0)
        err = list_filters(p, k, &b, &l);
    return err < 0 ? err : place_list(p, &l, &o->name);
}

/* --- filter actions --- */
static const struct {
    const char *guid;
    enum action action;
    bool inpass;
} action_guids[] = {
    {GUID_BLOCK, ACTION_BLOCK, false},
    {GUID_PERMIT, ACTION_PERMIT, false},
    {GUID_SECURE, ACTION_NEGOTIATE, false},
    {GUID_INPASS, ACTION_PERMIT, true},
};

static bool action_of(const char *guid, struct filter_action *a)
{
    for (size_t i = 0; guid && i < ARRAY_SIZE(action_guids); i++)
        if (strcasecmp(guid, action_guids[i].guid) == 0) {
            a->action = action_guids[i].action;
            a->inpass = action_guids[i].inpass;
            return true;
        }
    return false;
}

/* The documents disagree whether 0 or 1 means with PFS: the value is kept as it stands there. */
static int set_pfs(struct policy_reader *p, const struct reg_key *k,
                   const struct blob_negotiation *b, struct filter_action *a)
{
    uint32_t pfs = 0;
    bool differ = false;
    char text[16];
    for (size_t i = 0; i < b->n_offers; i++) {
        if (b->offers[i].n_algorithms == 0)
            continue;
        differ = differ || (pfs != 0 && b->offers[i].pfs != pfs);
        pfs = pfs != 0 ? pfs : b->offers[i].pfs;
    }
    if (pfs == 0)
        return 0;
    (void)format_into(text, sizeof(text), "%u", pfs);
    int err = attributes_set(&a->attributes, "qm-pfs", pfs == 1 ? "yes" : text);
    if (err == 0)
        err = tool_remark(p->r->t, NOTE_WARNING, p->r->d,
                          "%s%s: its PFS value %u is kept, documents disagree whether 0 or 1 "
                          "means with PFS",
                          reg_place_of(p->r, k->line).text, k->path, pfs);
    return err == 0 && differ
               ? reg_broken(p, k, "its methods differ in PFS, the first one stands for all")
               : err;
}

static int action_methods(struct policy_reader *p, const struct reg_key *k,
                          const struct blob_negotiation *b, struct filter_action *a)
{
    _cleanup_free_ char *raw = NULL, *native = NULL;
    bool lost, soft = false;
    if (a->action != ACTION_NEGOTIATE && !a->inpass)
        return 0;
    int err = reg_methods_print(b, &raw, &native, &lost);
    for (size_t i = 0; i < b->n_offers; i++)
        soft = soft || b->offers[i].n_algorithms == 0;
    if (err == 0 && raw)
        err = attributes_set(&a->attributes, "qm-methods", raw);
    if (err == 0 && soft)
        err = attributes_set(&a->attributes, "soft", "yes");
    if (err == 0)
        err = set_pfs(p, k, b, a);
    if (err == 0 && lost)
        err = reg_broken(p, k, "a security method has no words here and is left out");
    if (err == 0 && !a->inpass)
        a->methods = TAKE_PTR(native);
    return err;
}

static bool same_action(const struct filter_action *a, const struct filter_action *b)
{
    return filter_action_same_effect(a, b) && attributes_eq(&a->attributes, &b->attributes);
}

static bool action_is_taken(void *ctx, const char *name)
{
    struct catalog *c = ctx;
    struct filter_action *a;
    struct diag ignored;
    return catalog_action(c, name, &ignored, &a) == 0;
}

static int find_stored_action(struct policy_reader *p, struct filter_action *a,
                              struct filter_action **ret)
{
    struct catalog *c = p->r->t->catalog;
    struct diag ignored;
    *ret = NULL;
    int err = catalog_action(c, a->name, &ignored, ret);
    for (size_t i = 0; i < c->n_actions; i++) {
        if (guid_is_null(&a->guid) || guid_cmp(&c->actions[i].guid, &a->guid) != 0)
            continue;
        if (reg_is_of_file(&p->actions, c->actions[i].name))
            a->guid = (struct guid){{0}};
        else
            *ret = &c->actions[i];
    }
    return err == -ENOENT ? 0 : err;
}

static int place_action(struct policy_reader *p, struct filter_action *a, char **ret_name)
{
    struct catalog *c = p->r->t->catalog;
    const struct reg_taken taken = {action_is_taken, c};
    char name[LIMIT_NAME_BYTES + 1];
    struct filter_action *old;
    int err = find_stored_action(p, a, &old);
    if (err == 0 && old && (guid_cmp(&old->guid, &a->guid) == 0 || same_action(old, a))) {
        char *kept = TAKE_PTR(old->name);
        a->guid = old->guid;
        free(a->name);
        a->name = kept;
        filter_action_done(old);
        *old = *a;
        *a = (struct filter_action){0};
        *ret_name = strdup(kept);
        return *ret_name ? 0 : -ENOMEM;
    }
    if (err == 0)
        err = reg_names_free(&p->names, "action", a->name, &taken, name);
    if (err < 0)
        return err;
    free(a->name);
    a->name = strdup(name);
    *ret_name = strdup(name);
    if (!a->name || !*ret_name)
        return -ENOMEM;
    return catalog_action_add(c, a, p->r->d);
}

int reg_read_action(struct policy_reader *p, const struct reg_key *k, struct reg_object *o)
{
    _cleanup_(filter_action_done) struct filter_action a = {.name = reg_name_of(k)};
    _cleanup_(blob_negotiation_done) struct blob_negotiation b = {0};
    const struct reg_value *v;
    struct diag why = {0};
    const char *type = reg_text_of(k, "ipsecNegotiationPolicyType");
    o->response = type && strcasecmp(type, GUID_TYPE_RESPONSE) == 0;
    if (o->response)
        return 0;
    int err = a.name ? reg_data_of(p, k, &v) : -ENOMEM;
    if (err > 0)
        err = reg_judge(p, k, blob_negotiation_read(v->bytes, v->n_bytes, &why, &b), &why);
    if (err > 0 && name_validate(a.name, "filter action", (struct span){0}, &why) < 0)
        err = reg_broken(p, k, why.message);
    if (err > 0 && !action_of(reg_text_of(k, "ipsecNegotiationPolicyAction"), &a))
        err = reg_broken(p, k, "ipsecNegotiationPolicyAction is none that is known");
    if (err <= 0)
        return err;
    reg_identity_of(k, &a.guid);
    err = reg_describe(k, &a.description);
    if (err == 0)
        err = action_methods(p, k, &b, &a);
    return err < 0 ? err : place_action(p, &a, &o->name);
}
