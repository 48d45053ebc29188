/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/inherit.c: a policy that is loaded again keeps the identities of what did not change, so
 * that counters go on (policy.md 5). Called by the agent when it replaces a policy. Filters are
 * matched by sorting both sides by canonical text, so the time is n log n and no input can make
 * it worse; of equal filters each takes the identity of another one, in their order. Renames are
 * looked up one after the other: they come from people, a handful at a time. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "text/text.h"

/* The longest filter: a description in which every byte is escaped, and the rest. */
enum { FILTER_TEXT_BYTES = 4 * LIMIT_TEXT_STRING_BYTES + 64 * 1024 };

struct entry {
    char *text; /* owned */
    size_t index;
};

struct entries {
    struct entry *v;
    size_t n;
};

static void entries_done(struct entries *e)
{
    for (size_t i = 0; i < e->n; i++)
        free(e->v[i].text);
    free(e->v);
    *e = (struct entries){0};
}

static int entry_cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c != 0 ? c : x->index < y->index ? -1 : x->index > y->index;
}

static int entries_make(const struct rule *r, struct entries *ret)
{
    _cleanup_(entries_done) struct entries e = {0};
    if (r->n_filters == 0) {
        *ret = e;
        return 0;
    }
    e.v = calloc(r->n_filters, sizeof(*e.v));
    if (!e.v)
        return -ENOMEM;
    for (size_t i = 0; i < r->n_filters; i++) {
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(FILTER_TEXT_BYTES);
        int err = text_print_filter(&r->filters[i], &text);
        if (err < 0)
            return err;
        e.v[i] = (struct entry){.text = strbuf_take(&text), .index = i};
        if (!e.v[i].text)
            return -ENOMEM;
        e.n++;
    }
    qsort(e.v, e.n, sizeof(*e.v), entry_cmp);
    *ret = e;
    e = (struct entries){0}; /* handed over */
    return 0;
}

static int inherit_rule(struct rule *fresh, const struct rule *old)
{
    _cleanup_(entries_done) struct entries a = {0}, b = {0};
    int err = entries_make(fresh, &a);
    if (err == 0)
        err = entries_make(old, &b);
    if (err < 0)
        return err;
    fresh->guid = old->guid;
    for (size_t i = 0, k = 0; i < a.n && k < b.n;) {
        int c = strcmp(a.v[i].text, b.v[k].text);
        if (c == 0) {
            fresh->filters[a.v[i].index].guid = old->filters[b.v[k].index].guid;
            fresh->filters[a.v[i].index].handle = old->filters[b.v[k].index].handle;
        }
        i += c <= 0;
        k += c >= 0;
    }
    return 0;
}

int text_inherit_ids(struct policy *fresh, const struct policy *old)
{
    for (size_t i = 0; i < fresh->n_rules; i++) {
        const struct rule *r = policy_find_rule(old, fresh->rules[i].name);
        int err = r ? inherit_rule(&fresh->rules[i], r) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

/* Name that the rule had in the old policy, NULL if it was not there. */
static const char *name_before(const char *name, const struct renamed *v, size_t n)
{
    const char *before = name;
    for (size_t i = 0; i < n; i++) {
        if (utf8_casecmp(v[i].now, name) == 0)
            return v[i].before;
        if (utf8_casecmp(v[i].before, name) == 0)
            before = NULL;
    }
    return before;
}

static int check_renamed(const struct renamed *v, size_t n, struct diag *d)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (utf8_casecmp(v[i].before, v[k].before) == 0)
                return diag_fail(d, DIAG_CONFLICT, "rule '%s' cannot become '%s' and '%s'",
                                 v[i].before, v[k].now, v[i].now);
    return 0;
}

int text_inherit_renamed(struct policy *fresh, const struct policy *old, const struct renamed *v,
                         size_t n, struct diag *d)
{
    int err = check_renamed(v, n, d);
    for (size_t i = 0; err == 0 && i < fresh->n_rules; i++) {
        struct rule *r = &fresh->rules[i];
        const char *before = guid_is_null(&r->guid) ? name_before(r->name, v, n) : NULL;
        const struct rule *from = before ? policy_find_rule(old, before) : NULL;
        if (from)
            err = inherit_rule(r, from);
    }
    return err;
}
