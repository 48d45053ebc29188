/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/policy.c: policies, rules and lists of them.
 * Used by the parser, the store and the agent. Invariants: rule names are unique in a policy
 * without regard to case; no array exceeds its limit; ownership moves only on success. */
#include "model/policy.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/strbuf.h"
#include "base/utf8.h"

int name_validate(const char *name, const char *what, struct span at, struct diag *d)
{
    size_t len = strlen(name);
    if (len == 0)
        return diag_fail_at(d, DIAG_LIMIT, at, "%s name is empty", what);
    if (len > LIMIT_NAME_BYTES) {
        int r = diag_fail_at(d, DIAG_LIMIT, at, "%s name of %zu bytes is too long", what, len);
        diag_hint(d, "names have at most %d bytes", LIMIT_NAME_BYTES);
        return r;
    }
    if (!utf8_valid(name, len))
        return diag_fail_at(d, DIAG_SYNTAX, at, "%s name '%s' is not UTF-8", what, name);
    if (utf8_has_control(name, len))
        return diag_fail_at(d, DIAG_SYNTAX, at, "%s name '%s' has a control character", what, name);
    return 0;
}

void rule_init(struct rule *r)
{
    *r = (struct rule){0};
}

void rule_done(struct rule *r)
{
    for (size_t i = 0; i < r->n_filters; i++)
        filter_done(&r->filters[i]);
    free(r->filters);
    attributes_done(&r->attributes);
    free(r->name);
    rule_init(r);
}

int rule_reserve_filter(struct rule *r, struct filter **ret)
{
    int err = array_reserve(&r->filters, &r->cap_filters, r->n_filters + 1, sizeof(*r->filters));
    if (err == 0)
        *ret = &r->filters[r->n_filters];
    return err;
}

int rule_add_filter(struct rule *r, struct filter *f)
{
    struct filter *place;
    int err = rule_reserve_filter(r, &place);
    if (err < 0)
        return err;
    *place = *f;
    r->n_filters++;
    filter_init(f);
    return 0;
}

int policy_new(const char *name, struct policy **ret)
{
    _cleanup_(policy_freep) struct policy *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->local_permits = p->weak = -1;
    p->name = strdup(name);
    if (!p->name)
        return -ENOMEM;
    *ret = TAKE_PTR(p);
    return 0;
}

struct policy *policy_free(struct policy *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->n_rules; i++)
        rule_done(&p->rules[i]);
    free(p->rules);
    free(p->name);
    free(p->description);
    attributes_done(&p->attributes);
    free(p);
    return NULL;
}

void policy_freep(struct policy **p)
{
    *p = policy_free(*p);
}

static struct rule *find_rule(const struct policy *p, const char *name, uint32_t hash)
{
    for (size_t i = 0; i < p->n_rules; i++) {
        struct rule *r = &p->rules[i];
        if (r->name_hash == hash && utf8_casecmp(r->name, name) == 0)
            return r;
    }
    return NULL;
}

int policy_add_rule(struct policy *p, struct rule *r, struct diag *d)
{
    int err = name_validate(r->name ? r->name : "", "rule", r->at, d);
    if (err < 0)
        return err;
    uint32_t hash = utf8_casehash(r->name);
    const struct rule *other = find_rule(p, r->name, hash);
    if (other) {
        err = diag_fail_at(d, DIAG_DUPLICATE, r->at, "rule '%s' exists already in policy '%s'",
                           r->name, p->name);
        diag_add_span(d, other->at);
        diag_hint(d, "give one of them another name");
        return err;
    }
    if (p->n_rules >= LIMIT_RULES_PER_POLICY) {
        err = diag_fail_at(d, DIAG_LIMIT, r->at, "policy '%s' has more than %d rules", p->name,
                           LIMIT_RULES_PER_POLICY);
        diag_add_span(d, p->at);
        diag_hint(d, "one rule may hold many filters: rule \"NAME\" { FILTER ... }");
        return err;
    }
    err = array_reserve(&p->rules, &p->cap_rules, p->n_rules + 1, sizeof(*p->rules));
    if (err < 0)
        return err;
    r->name_hash = hash;
    p->rules[p->n_rules++] = *r;
    rule_init(r);
    return 0;
}

struct rule *policy_find_rule(const struct policy *p, const char *name)
{
    return find_rule(p, name, utf8_casehash(name));
}

void policy_remove_rule(struct policy *p, size_t i)
{
    assert(i < p->n_rules);
    rule_done(&p->rules[i]);
    memmove(&p->rules[i], &p->rules[i + 1], (p->n_rules - i - 1) * sizeof(*p->rules));
    p->n_rules--;
}

size_t policy_n_filters(const struct policy *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_rules; i++)
        n += p->rules[i].n_filters;
    return n;
}

void policy_list_done(struct policy_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        policy_free(l->v[i]);
    free(l->v);
    *l = (struct policy_list){0};
}

int policy_list_add(struct policy_list *l, struct policy *p)
{
    int r = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (r < 0)
        return r;
    l->v[l->n++] = p;
    return 0;
}
