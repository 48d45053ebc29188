/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/catalog_policy.c: policies and rules of the catalog.
 * Used by every tool. Invariant: an entry knows how the policy was stored, so that what changed can
 * be told from what was only looked at, also after a new name or a deletion. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "catalog_internal.h"
#include "text/text.h"

void catalog_policy_done(struct catalog_policy *p)
{
    policy_free(p->now);
    free(p->before);
    for (size_t i = 0; i < p->n_rules_before; i++)
        free(p->rules_before[i].name);
    free(p->rules_before);
    *p = (struct catalog_policy){0};
}

struct catalog_policy *catalog_entry(struct catalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_policies; i++)
        if (c->policies[i].now && utf8_casecmp(c->policies[i].now->name, name) == 0)
            return &c->policies[i];
    return NULL;
}

/* Entry that was stored under this name. */
static struct catalog_policy *entry_before(struct catalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_policies; i++)
        if (c->policies[i].before && utf8_casecmp(c->policies[i].before_name, name) == 0)
            return &c->policies[i];
    return NULL;
}

static int new_entry(struct catalog *c, struct catalog_policy **ret)
{
    int r = array_reserve(&c->policies, &c->cap_policies, c->n_policies + 1, sizeof(*c->policies));
    if (r < 0)
        return r;
    c->policies[c->n_policies] = (struct catalog_policy){0};
    *ret = &c->policies[c->n_policies++];
    return 0;
}

static int remember_rules(struct catalog_policy *e, const struct policy *p)
{
    if (p->n_rules == 0)
        return 0;
    e->rules_before = calloc(p->n_rules, sizeof(*e->rules_before));
    if (!e->rules_before)
        return -ENOMEM;
    for (size_t i = 0; i < p->n_rules; i++) {
        e->rules_before[i].guid = p->rules[i].guid;
        e->rules_before[i].name = strdup(p->rules[i].name);
        if (!e->rules_before[i].name)
            return -ENOMEM;
        e->n_rules_before++;
    }
    return 0;
}

/* Takes a policy that was read from the source in. */
static int adopt(struct catalog *c, struct policy *p, struct diag *d, struct catalog_policy **ret)
{
    _cleanup_(policy_freep) struct policy *owned = p;
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    struct catalog_policy *e = NULL;
    int r = catalog_check_bound(c, p, d);
    if (r == 0)
        r = text_print_policy(p, &text);
    if (r == 0)
        r = new_entry(c, &e);
    if (r < 0)
        return r;
    (void)snprintf(e->before_name, sizeof(e->before_name), "%s", p->name); /* fits: limit 255 */
    e->before = strbuf_take(&text);
    r = e->before ? remember_rules(e, p) : -ENOMEM;
    if (r < 0) {
        catalog_policy_done(e);
        c->n_policies--;
        return r;
    }
    e->now = TAKE_PTR(owned);
    *ret = e;
    return 0;
}

static const char *policy_name_at(const void *ctx, size_t i)
{
    const struct catalog *c = ctx;
    return c->policies[i].now ? c->policies[i].now->name : NULL;
}

static int fail_unknown_policy(struct catalog *c, const char *name, struct diag *d)
{
    struct name_choice choice = {"policy", name, 0, policy_name_at, c};
    int r = diag_fail(d, DIAG_UNKNOWN_OBJECT, "unknown policy '%s'", name);
    if (!c->source || !c->source->names || c->has_names) {
        choice.n = c->n_policies;
        return fail_unknown_name(&choice, d);
    }
    diag_hint(d, "portward policy list");
    return r;
}

static int load_entry(struct catalog *c, const char *name, struct diag *d,
                      struct catalog_policy **ret)
{
    struct policy *p = NULL;
    if (entry_before(c, name) || c->has_names || !c->source)
        return fail_unknown_policy(c, name, d);
    int r = c->source->policy(c->source->ctx, name, d, &p);
    return r < 0 ? r : adopt(c, p, d, ret);
}

static int find_policy(struct catalog *c, const char *name, struct diag *d,
                       struct catalog_policy **ret)
{
    *ret = catalog_entry(c, name);
    return *ret ? 0 : load_entry(c, name, d, ret);
}

int catalog_policy(struct catalog *c, const char *name, struct diag *d, struct policy **ret)
{
    struct catalog_policy *e = NULL;
    int r = find_policy(c, name, d, &e);
    if (r == 0)
        *ret = e->now;
    return r;
}

int catalog_policy_make(struct catalog *c, const char *name, struct diag *d, struct policy **ret,
                        bool *ret_made)
{
    struct catalog_policy *e = NULL;
    _cleanup_(policy_freep) struct policy *p = NULL;
    int r = name_validate(name, "policy", (struct span){0}, d);
    if (r == 0)
        r = find_policy(c, name, d, &e);
    if (r == 0) {
        *ret = e->now;
        *ret_made = false;
        return 0;
    }
    if (r != -ENOENT)
        return r;
    r = policy_new(name, &p);
    if (r < 0)
        return r;
    p->guid = catalog_new_guid(c);
    e = entry_before(c, name);
    if (!e || e->now) /* none, or that one has another name now */
        r = new_entry(c, &e);
    if (r < 0)
        return r;
    e->now = TAKE_PTR(p);
    *ret = e->now;
    *ret_made = true;
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct catalog_policy *x = a, *y = b;
    if (!x->now || !y->now)
        return !x->now - !y->now; /* deleted ones last */
    int r = utf8_casecmp(x->now->name, y->now->name);
    return r ? r : strcmp(x->now->name, y->now->name);
}

static void names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int catalog_load_all(struct catalog *c, struct diag *d)
{
    if (!c->has_names && c->source) {
        char **names = NULL;
        size_t n = 0;
        int r = c->source->names(c->source->ctx, d, &names, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct catalog_policy *e = NULL;
            if (!entry_before(c, names[i]))
                r = load_entry(c, names[i], d, &e);
            if (r == -ENOENT) /* deleted since the names were read */
                r = 0;
        }
        names_free(names, n);
        if (r < 0)
            return r;
    }
    c->has_names = true;
    if (c->n_policies > 1)
        qsort(c->policies, c->n_policies, sizeof(*c->policies), compare_entries);
    return 0;
}

static int load_assigned(struct catalog *c, struct diag *d)
{
    for (int i = 0; i < _CATALOG_SLOT_MAX; i++) {
        const char *name;
        int r = catalog_assigned(c, (enum catalog_slot)i, d, &name);
        if (r < 0)
            return r;
    }
    return 0;
}

int catalog_policy_rename(struct catalog *c, const char *name, const char *new_name, struct diag *d)
{
    struct catalog_policy *e = NULL, *other = NULL;
    int r = name_validate(new_name, "policy", (struct span){0}, d);
    if (r == 0)
        r = load_assigned(c, d);
    if (r == 0 && utf8_casecmp(name, new_name) != 0) {
        r = find_policy(c, new_name, d, &other);
        if (r == 0)
            return diag_fail(d, DIAG_CONFLICT, "policy '%s' exists already", other->now->name);
        r = r == -ENOENT ? 0 : r;
    }
    if (r == 0)
        r = find_policy(c, name, d, &e);
    if (r < 0)
        return r;
    char *copy = strdup(new_name);
    if (!copy)
        return -ENOMEM;
    for (int i = 0; i < _CATALOG_SLOT_MAX; i++)
        if (utf8_casecmp(c->assigned[i], e->now->name) == 0)
            (void)snprintf(c->assigned[i], sizeof(c->assigned[i]), "%s", copy);
    free(e->now->name);
    e->now->name = copy;
    return 0;
}

int catalog_policy_delete(struct catalog *c, const char *name, struct diag *d)
{
    struct catalog_policy *e = NULL;
    int r = load_assigned(c, d);
    if (r == 0)
        r = find_policy(c, name, d, &e);
    if (r < 0)
        return r;
    for (int i = 0; i < _CATALOG_SLOT_MAX; i++)
        if (utf8_casecmp(c->assigned[i], e->now->name) == 0)
            c->assigned[i][0] = '\0';
    e->now = policy_free(e->now);
    if (!e->before) {
        catalog_policy_done(e);
        *e = c->policies[--c->n_policies];
    }
    return 0;
}

int catalog_rule_put(struct catalog *c, struct policy *p, struct rule *r, struct diag *d,
                     bool *ret_replaced)
{
    for (size_t i = 0; i < r->n_filters; i++) {
        int err = filter_validate(&r->filters[i], d);
        if (err < 0) {
            diag_name_rule(d, p->name, r->name);
            return err;
        }
    }
    struct rule *old = policy_find_rule(p, r->name);
    *ret_replaced = old != NULL;
    if (!old) {
        if (guid_is_null(&r->guid))
            r->guid = catalog_new_guid(c);
        return policy_add_rule(p, r, d);
    }
    r->guid = old->guid;
    r->name_hash = old->name_hash;
    char *name = TAKE_PTR(old->name); /* stored spelling stays */
    free(r->name);
    r->name = name;
    rule_done(old);
    *old = *r;
    rule_init(r);
    return 0;
}

static const char *rule_name_at(const void *ctx, size_t i)
{
    const struct policy *p = ctx;
    return p->rules[i].name;
}

int catalog_rule_delete(struct catalog *c _unused_, struct policy *p, const char *name,
                        struct diag *d)
{
    struct rule *r = policy_find_rule(p, name);
    if (!r) {
        struct name_choice choice = {"rule", name, p->n_rules, rule_name_at, p};
        return fail_unknown_name(&choice, d);
    }
    policy_remove_rule(p, (size_t)(r - p->rules));
    return 0;
}

void catalog_policy_changed(struct catalog *c, const struct policy *p, const char *fmt, ...)
{
    for (size_t i = 0; i < c->n_policies; i++) {
        struct catalog_policy *e = &c->policies[i];
        va_list ap;
        if (e->now != p)
            continue;
        va_start(ap, fmt);
        (void)vsnprintf(e->change, sizeof(e->change), fmt, ap); /* cut to fit */
        va_end(ap);
        size_t n = strlen(e->change);
        while (n > 0 && !utf8_valid(e->change, n))
            e->change[--n] = '\0';
        return;
    }
}
