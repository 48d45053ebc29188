/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/notes.c: what people should know about a change that was made: permits that stay open
 * beside a new block, filters that differ only in their action, traffic that is not covered.
 * Called by change.c after the flip. Notes never fail a change: without memory they are short. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sortkey.h"
#include "base/strbuf.h"
#include "expand.h"
#include "internal.h"
#include "text/text.h"

enum { CONFLICTS_MAX = 10, NOTES_MAX = 100, MESSAGE_MAX = 4096 };

void agent_warnings_done(struct agent_warnings *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->v[i].message);
        free(w->v[i].hint);
    }
    free(w->v);
    *w = (struct agent_warnings){0};
}

void warning_add(struct agent_warnings *w, const char *code, const char *hint, const char *fmt, ...)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(MESSAGE_MAX);
    va_list ap;
    va_start(ap, fmt);
    int err = strbuf_vaddf(&text, fmt, ap);
    va_end(ap);
    if (err < 0 || array_reserve(&w->v, &w->cap, w->n + 1, sizeof(*w->v)) < 0)
        return;
    struct agent_warning *to = &w->v[w->n];
    *to = (struct agent_warning){.code = code, .message = strbuf_take(&text)};
    to->hint = hint ? strdup(hint) : NULL;
    if (to->message)
        w->n++;
    else
        free(to->hint);
}

/* --- conflicts --- */
/* Same packets, another action; filter_eq() compares the action too, so it is made equal. */
static bool differs_only_in_action(const struct filter *f, const struct filter *g)
{
    if (filter_effect(f) == filter_effect(g) || f->proto != g->proto ||
        f->override != g->override || !addr_eq(&f->src, &g->src) || !addr_eq(&f->dst, &g->dst))
        return false;
    struct filter same = *g; /* a view: nothing of it is freed */
    same.action = f->action;
    same.inpass = f->inpass;
    return filter_eq(f, &same);
}

static const char *shown_name(const struct effective_filter *ef, char id[16], char out[320])
{
    filter_id(ef->filter, ef->layer, id);
    (void)snprintf(out, 320, ef->rule ? "%s \"%s\"" : "%s", id, ef->rule); /* cut */
    return out;
}

static void warn_conflict(struct job *j, const struct effective_filter *fresh,
                          const struct effective_filter *other)
{
    char fresh_id[16], other_id[16], other_name[320];
    filter_id(fresh->filter, fresh->layer, fresh_id);
    shown_name(other, other_id, other_name);
    enum action mine = filter_effect(fresh->filter), theirs = filter_effect(other->filter);
    bool fresh_loses = mine < theirs; /* field G of the weight */
    const char *winner = action_name(fresh_loses ? theirs : mine);
    warning_add(&j->result.warnings, "conflict", NULL,
                "conflict: %s differs only in its action, %s wins; %s has no effect", other_name,
                winner, fresh_loses ? fresh_id : other_id);
}

static void find_conflicts(const struct desired *x, struct job *j, size_t index)
{
    const struct effective_filter *fresh = &x->e.v[index];
    for (size_t i = 0; i < x->n_written && j->result.warnings.n < CONFLICTS_MAX; i++)
        if (differs_only_in_action(fresh->filter, x->e.v[i].filter))
            warn_conflict(j, fresh, &x->e.v[i]);
}

static bool blocks_own(const struct filter *f)
{
    return f->action == ACTION_BLOCK && f->src.kind == ADDR_ME && f->dst.kind != ADDR_ME;
}

/* A block of what this host sends does not cover what it forwards (policy.md 2). f: one of the n
 * that were added. */
static void note_forwarded(struct agent *a, struct job *j, const struct filter *f, size_t n)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(MESSAGE_MAX);
    struct filter wider = *f; /* a view: nothing of it is freed */
    char more[64] = "";
    if (j->result.warnings.n >= NOTES_MAX)
        return;
    wider.src = addr_any();
    if (text_print_filter(&wider, &text) < 0)
        return;
    if (n > 1)
        format_into(more, sizeof(more), " (the first of %zu such filters)", n);
    warning_add(&j->result.warnings, "forwarded-not-covered", NULL,
                "forwarded traffic%s is not covered; add: %s%s",
                a->config.filter.masqueraded_pass ? ", that of containers included," : "", text.s,
                more);
}

void notes_for_one(struct agent *a, const struct desired *x, struct job *j, size_t index)
{
    if (x->e.v[index].filter->action != ACTION_BLOCK)
        return;
    if (blocks_own(desired_written(x, index)))
        note_forwarded(a, j, desired_written(x, index), 1);
    preview_exceptions(a, x, index, j);
}

void notes_for_filter(struct agent *a, const struct desired *x, struct job *j, size_t index)
{
    find_conflicts(x, j, index);
    notes_for_one(a, x, j, index);
}

/* A print of what filters that differ only in their action have in common. */
uint64_t notes_key(const struct filter *f)
{
    static const struct hash_seed seed = {0x636f6e66, 0x6c696374}; /* a sort, not a table */
    const struct addr *a[2] = {&f->src, &f->dst};
    const struct portset *p[2] = {&f->sport, &f->dport};
    uint64_t r[2 * 6 + 2] = {(uint64_t)(f->proto + 1), f->override};
    for (size_t i = 0; i < 2; i++) {
        uint64_t *to = &r[2 + 6 * i];
        to[0] = (uint64_t)a[i]->kind << 8 | a[i]->prefix_len;
        to[1] = a[i]->first.hi;
        to[2] = a[i]->first.lo;
        to[3] = a[i]->last.lo;
        to[4] = p[i]->n;
        to[5] = p[i]->n ? (uint64_t)p[i]->range[0].first << 16 | p[i]->range[0].last : 0;
    }
    return siphash24(r, sizeof(r), seed);
}

/* Sorted by key, filters that differ only in their action are neighbours. Equal keys of other
 * filters are rare; a bound keeps an odd policy from costing more than it is worth. */
static void report_neighbours(const struct desired *x, struct job *j, const struct sort_key *k,
                              size_t n, const bool *fresh)
{
    enum { NEIGHBOURS = 16 };
    const struct effective_filter *v = x->e.v;
    for (size_t i = 0; i < n; i++)
        for (size_t m = i + 1; m < n && m <= i + NEIGHBOURS && k[m].key == k[i].key; m++) {
            size_t p = k[i].index, q = k[m].index;
            if ((!fresh[p] && !fresh[q]) || !differs_only_in_action(v[p].filter, v[q].filter))
                continue;
            if (j->result.warnings.n >= CONFLICTS_MAX)
                return;
            warn_conflict(j, fresh[q] ? &v[q] : &v[p], fresh[q] ? &v[p] : &v[q]);
        }
}

/* One note for all fresh filters of policies. */
static void note_forwarded_policies(struct agent *a, const struct desired *x, struct job *j)
{
    const struct filter *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < x->n_fresh; i++) {
        const struct filter *f = desired_written(x, x->fresh[i]);
        if (x->e.v[x->fresh[i]].layer == LAYER_DYNAMIC || !blocks_own(f))
            continue;
        first = first ? first : f;
        n++;
    }
    if (first)
        note_forwarded(a, j, first, n);
}

/* Without another action no filter contradicts one; large lists mostly have one alone. */
static bool is_of_one_action(const struct desired *x)
{
    for (size_t i = 1; i < x->e.n; i++)
        if (filter_effect(x->e.v[i].filter) != filter_effect(x->e.v[0].filter))
            return false;
    return true;
}

static void find_conflicts_of_fresh(const struct desired *x, struct job *j)
{
    _cleanup_free_ struct sort_key *k = calloc(x->e.n + 1, sizeof(*k));
    _cleanup_free_ bool *fresh = calloc(x->e.n + 1, sizeof(*fresh));
    if (!k || !fresh)
        return;
    for (size_t i = 0; i < x->e.n; i++) /* 40 bits: each byte is one pass of the sort */
        k[i] = (struct sort_key){notes_key(x->e.v[i].filter) >> 24, (uint32_t)i};
    for (size_t i = 0; i < x->n_fresh; i++)
        fresh[x->fresh[i]] = true;
    if (sort_keys(k, x->e.n) == 0)
        report_neighbours(x, j, k, x->e.n, fresh);
}

void notes_for_policies(struct agent *a, const struct desired *x, struct job *j)
{
    if (!is_of_one_action(x))
        find_conflicts_of_fresh(x, j);
    note_forwarded_policies(a, x, j);
}
