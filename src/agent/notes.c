/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/notes.c: what people should know about a change that was made: permits that stay open
 * beside a new block, filters that differ only in their action, traffic that is not covered.
 * Called by change.c after the flip. Notes never fail a change: without memory they are short. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "expand.h"
#include "internal.h"
#include "text/text.h"

enum { EXCEPTIONS_MAX = 100, CONFLICTS_MAX = 10, MESSAGE_MAX = 4096 };

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

/* --- do two filters share a packet? --- */
static bool addr_range_of(const struct addr *a, struct ip *ret_first, struct ip *ret_last)
{
    switch (a->kind) {
    case ADDR_HOST:
        *ret_first = *ret_last = a->first;
        return true;
    case ADDR_PREFIX:
        *ret_first = a->first;
        *ret_last = ip_or(a->first, ip_not(a->family, ip_mask(a->family, a->prefix_len)));
        return true;
    case ADDR_RANGE:
        *ret_first = a->first;
        *ret_last = a->last;
        return true;
    case ADDR_ANY:
    case ADDR_ME:
    case ADDR_NAME:
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
    case _ADDR_KIND_MAX:
        break;
    }
    return false;
}

static bool ranges_meet(struct ip a1, struct ip a2, struct ip b1, struct ip b2)
{
    return ip_cmp(a1, b2) <= 0 && ip_cmp(b1, a2) <= 0;
}

/* Whether an address of a, which names addresses, can be one of this host. */
static bool touches_me(const struct host *h, const struct addr *a)
{
    struct ip first, last;
    if (!addr_range_of(a, &first, &last))
        return true;
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *l = &h->local[i];
        struct ip end = ip_or(l->prefix, ip_not(l->family, ip_mask(l->family, l->prefix_len)));
        if (l->family == a->family && ranges_meet(first, last, l->prefix, end))
            return true;
    }
    return false;
}

static bool addrs_meet(const struct host *h, const struct addr *a, const struct addr *b)
{
    struct ip a1, a2, b1, b2;
    if (a->kind == ADDR_ME || b->kind == ADDR_ME)
        return touches_me(h, a->kind == ADDR_ME ? b : a);
    if (!addr_range_of(a, &a1, &a2) || !addr_range_of(b, &b1, &b2))
        return true;
    return a->family == b->family && ranges_meet(a1, a2, b1, b2);
}

static bool ports_meet(const struct port_range *a, const struct port_range *b)
{
    return !a || !b || (a->first <= b->last && b->first <= a->last);
}

static bool numbers_meet(int a, int b)
{
    return a < 0 || b < 0 || a == b;
}

static bool expansions_meet(const struct host *h, const struct filter *f, const struct expansion *x,
                            const struct filter *g, const struct expansion *y)
{
    enum family ff = filter_family(f), fg = filter_family(g);
    return (ff == FAMILY_ANY || fg == FAMILY_ANY || ff == fg) && numbers_meet(f->proto, g->proto) &&
           numbers_meet(f->icmp_type, g->icmp_type) && numbers_meet(f->icmp_code, g->icmp_code) &&
           ports_meet(x->sport, y->sport) && ports_meet(x->dport, y->dport) &&
           addrs_meet(h, x->src, y->src) && addrs_meet(h, x->dst, y->dst);
}

/* Whether permit g decides any packet that block f matches: an expansion of g that shares a
 * packet with one of f and is stronger. */
static bool stays_open(const struct host *h, const struct filter *f, const struct filter *g)
{
    uint32_t nf = expansion_count(f), ng = expansion_count(g);
    if (f->override)
        return false;
    for (uint32_t k = 0; k < ng; k++) {
        struct expansion y = expansion_at(g, k);
        for (uint32_t i = 0; i < nf; i++) {
            struct expansion x = expansion_at(f, i);
            if (y.weight > x.weight && expansions_meet(h, f, &x, g, &y))
                return true;
        }
    }
    return false;
}

static int compare_weight(const void *pa, const void *pb)
{
    const struct agent_filter *a = pa, *b = pb;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return guid_cmp(&a->guid, &b->guid);
}

static void find_exceptions(struct agent *a, struct job *j, const struct filter *block)
{
    const struct host *h = datapath_host(a->dp);
    struct agent_filters *l = &j->result.exceptions;
    for (size_t i = 0; i < a->in_force->e.n && l->n < EXCEPTIONS_MAX; i++) {
        const struct filter *g = a->in_force->e.v[i].filter;
        struct agent_filter v;
        if (g->action != ACTION_PERMIT || !stays_open(h, block, g))
            continue;
        if (view_filter(a, a->in_force, i, NULL, &v) < 0 || filters_add(l, &v) < 0)
            break;
    }
    if (l->n > 1)
        qsort(l->v, l->n, sizeof(*l->v), compare_weight);
}

/* --- conflicts --- */
/* Same packets, another action; filter_eq() compares the action too, so it is made equal. */
static bool differs_only_in_action(const struct filter *f, const struct filter *g)
{
    if (f->action == g->action || f->proto != g->proto || f->override != g->override ||
        !addr_eq(&f->src, &g->src) || !addr_eq(&f->dst, &g->dst))
        return false;
    struct filter same = *g; /* a view: nothing of it is freed */
    same.action = f->action;
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
    bool fresh_loses = fresh->filter->action < other->filter->action; /* field G of the weight */
    const char *winner = action_name(fresh_loses ? other->filter->action : fresh->filter->action);
    warning_add(&j->result.warnings, "conflict", NULL,
                "conflict: %s differs only in its action, %s wins; %s has no effect", other_name,
                winner, fresh_loses ? fresh_id : other_id);
}

static void find_conflicts(struct agent *a, struct job *j, size_t index)
{
    const struct effective_filter *fresh = &a->in_force->e.v[index];
    for (size_t i = 0; i < a->in_force->e.n && j->result.warnings.n < CONFLICTS_MAX; i++)
        if (differs_only_in_action(fresh->filter, a->in_force->e.v[i].filter))
            warn_conflict(j, fresh, &a->in_force->e.v[i]);
}

/* A block of what this host sends does not cover what it forwards (policy.md 2). */
static void note_forwarded(struct agent *a, struct job *j, const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(MESSAGE_MAX);
    struct filter wider = *f; /* a view: nothing of it is freed */
    if (f->action != ACTION_BLOCK || f->src.kind != ADDR_ME || f->dst.kind == ADDR_ME)
        return;
    wider.src = addr_any();
    if (text_print_filter(&wider, &text) < 0)
        return;
    warning_add(&j->result.warnings, "forwarded-not-covered", NULL,
                "forwarded traffic%s is not covered; add: %s",
                a->config.filter.masqueraded_pass ? ", that of containers included," : "", text.s);
}

void notes_for_filter(struct agent *a, struct job *j, size_t index)
{
    const struct filter *f = a->in_force->e.v[index].filter;
    find_conflicts(a, j, index);
    if (f->action != ACTION_BLOCK)
        return;
    note_forwarded(a, j, f);
    find_exceptions(a, j, f);
}

/* A print of what filters that differ only in their action have in common. */
struct keyed {
    uint64_t key;
    size_t index;
};

static uint64_t key_of(const struct filter *f)
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

static int compare_keys(const void *pa, const void *pb)
{
    const struct keyed *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Sorted by key, filters that differ only in their action are neighbours. Equal keys of other
 * filters are rare; a bound keeps an odd policy from costing more than it is worth. */
static void report_neighbours(struct agent *a, struct job *j, const struct keyed *k, size_t n,
                              const bool *fresh)
{
    enum { NEIGHBOURS = 16 };
    const struct effective_filter *v = a->in_force->e.v;
    for (size_t i = 0; i < n; i++)
        for (size_t m = i + 1; m < n && m <= i + NEIGHBOURS && k[m].key == k[i].key; m++) {
            size_t x = k[i].index, y = k[m].index;
            if ((!fresh[x] && !fresh[y]) || !differs_only_in_action(v[x].filter, v[y].filter))
                continue;
            if (j->result.warnings.n >= CONFLICTS_MAX)
                return;
            warn_conflict(j, fresh[y] ? &v[y] : &v[x], fresh[y] ? &v[x] : &v[y]);
        }
}

void notes_for_policies(struct agent *a, struct job *j)
{
    const struct desired *x = a->in_force;
    _cleanup_free_ struct keyed *k = calloc(x->e.n + 1, sizeof(*k));
    _cleanup_free_ bool *fresh = calloc(x->e.n + 1, sizeof(*fresh));
    if (!k || !fresh)
        return;
    for (size_t i = 0; i < x->e.n; i++)
        k[i] = (struct keyed){key_of(x->e.v[i].filter), i};
    for (size_t i = 0; i < x->n_fresh; i++)
        fresh[x->fresh[i]] = true;
    qsort(k, x->e.n, sizeof(*k), compare_keys);
    report_neighbours(a, j, k, x->e.n, fresh);
}
