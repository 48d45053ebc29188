/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/refuse.c: what a person reads when a policy does not fit (policy.md 9).
 * Called by the step that meets the limit. Invariant: a message has the number, the limit, and
 * where it helps the filters to look at, and does not depend on the order of filters. */
#include <errno.h>

#include "base/strbuf.h"
#include "build.h"

enum { NAMED = 4, TEXT_BYTES = 2048 };

uint64_t copies_limit(const struct build *b)
{
    uint64_t by_filters = 4 * (uint64_t)b->e->n;
    return by_filters > LIMIT_RANGE_COPIES_MIN ? by_filters : LIMIT_RANGE_COPIES_MIN;
}

int refuse_filters(const struct build *b, uint64_t n)
{
    int r = diag_fail(b->d, DIAG_LIMIT, "too many filters: %llu, limit %d", (unsigned long long)n,
                      LIMIT_EFFECTIVE_FILTERS);
    diag_hint(b->d, "each item of a port list counts as one filter; ranges count once");
    return r;
}

int refuse_tuples(const struct build *b, size_t n)
{
    int r =
        diag_fail(b->d, DIAG_LIMIT, "too many combinations of mask shape and weight: %zu, limit %d",
                  n, LIMIT_TUPLES);
    diag_hint(b->d, "use fewer different sizes of port and address ranges");
    return r;
}

int refuse_intervals(const struct build *b, uint32_t n)
{
    int r = diag_fail(b->d, DIAG_LIMIT, "too many port intervals: %u, limit %d", n,
                      LIMIT_PORT_INTERVALS);
    diag_hint(b->d, "use ranges that begin and end at the same ports");
    return r;
}

/* Name of a filter for people: its short id, or where it was written. */
static void add_name(const struct build *b, uint32_t origin, struct strbuf *s)
{
    if (origin == ORIGIN_DERIVED) {
        strbuf_add(s, "a failsafe entry or exemption");
        return;
    }
    const struct effective_filter *ef = &b->e->v[origin];
    if (ef->filter->handle != 0)
        strbuf_addf(s, "%c%u", layer_letter(ef->layer), ef->filter->handle);
    else if (ef->filter->at.line != 0)
        strbuf_addf(s, "line %u", ef->filter->at.line);
    else
        strbuf_addf(s, "rule '%s'", ef->rule ? ef->rule : "");
}

/* --- groups --- */

static int cmp_rarest(const void *pa, const void *pb)
{
    const struct group *a = pa, *b = pb;
    if (a->n_filters != b->n_filters)
        return a->n_filters < b->n_filters ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    uint64_t x = shape_code(a->shape), y = shape_code(b->shape);
    return x < y ? -1 : x > y;
}

int refuse_groups(const struct build *b, const struct family_build *f)
{
    _cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT(TEXT_BYTES);
    qsort(f->groups, f->n_groups, sizeof(*f->groups), cmp_rarest);
    uint32_t rarest = f->groups[0].n_filters;
    unsigned n = 0;
    for (size_t g = 0; g < f->n_groups && f->groups[g].n_filters == rarest && n < NAMED; g++) {
        if (g > 0 && f->groups[g].origin == f->groups[g - 1].origin)
            continue; /* a filter may have several shapes */
        strbuf_add(&names, n++ > 0 ? ", " : "");
        add_name(b, f->groups[g].origin, &names);
    }
    if (names.error)
        return names.error;
    int r;
    if (rarest == 1)
        r = diag_fail(b->d, DIAG_LIMIT,
                      "too many mask shapes: %zu, limit %d; used by one filter only: %s",
                      f->n_groups, LIMIT_GROUPS, names.s);
    else
        r = diag_fail(b->d, DIAG_LIMIT,
                      "too many mask shapes: %zu, limit %d; used by %u filters only: %s",
                      f->n_groups, LIMIT_GROUPS, rarest, names.s);
    diag_hint(b->d, "write these filters with prefix lengths and ports like the others");
    return r;
}

/* --- copies --- */

/* The items with the most copies of different filters, most first. */
struct top {
    unsigned n;
    struct {
        const struct item *item;
        uint64_t copies;
    } v[NAMED];
};

static void top_add(struct top *t, const struct item *it, uint64_t copies)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (t->v[i].item->origin == it->origin)
            return;
    }
    unsigned i = t->n < NAMED ? t->n++ : NAMED;
    for (; i > 0; i--) {
        bool before = copies > t->v[i - 1].copies ||
                      (copies == t->v[i - 1].copies && it->order < t->v[i - 1].item->order);
        if (!before)
            break;
        if (i < NAMED)
            t->v[i] = t->v[i - 1];
    }
    if (i < NAMED) {
        t->v[i].item = it;
        t->v[i].copies = copies;
    }
}

static void add_range(struct strbuf *s, const char *what, enum port_kind kind, struct port_range r)
{
    if (kind == PORTS_RANGE)
        strbuf_addf(s, " %s %u-%u", what, r.first, r.last);
}

static uint64_t item_copies(const struct build *b, const struct item *it)
{
    uint64_t s = 1, d = 1;
    if (it->shape.sport == PORTS_RANGE)
        s += b->sport.interval[it->sport.last] - b->sport.interval[it->sport.first];
    if (it->shape.dport == PORTS_RANGE)
        d += b->dport.interval[it->dport.last] - b->dport.interval[it->dport.first];
    return s * d;
}

/* Address ranges are counted before port intervals exist (interval[] is still 0 then). */
int refuse_copies(const struct build *b)
{
    _cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT(TEXT_BYTES);
    bool ports = b->sport.n_intervals > 0;
    struct top top = {0};
    for (size_t i = 0; i < b->n_items && ports; i++) {
        uint64_t copies = item_copies(b, &b->items[i]);
        if (copies > 1)
            top_add(&top, &b->items[i], copies);
    }
    for (unsigned i = 0; i < top.n; i++) {
        const struct item *it = top.v[i].item;
        strbuf_add(&names, i > 0 ? ", " : "; most by ");
        add_name(b, it->origin, &names);
        add_range(&names, "source port", it->shape.sport, it->sport);
        add_range(&names, "port", it->shape.dport, it->dport);
    }
    if (names.error)
        return names.error;
    int r = diag_fail(b->d, DIAG_LIMIT, "%s ranges need too many copies: %llu, limit %llu%s",
                      ports ? "port" : "address", (unsigned long long)b->copies,
                      (unsigned long long)copies_limit(b), names.s ? names.s : "");
    diag_hint(b->d, ports ? "use ranges that begin and end at the same ports"
                          : "use prefixes in place of address ranges on one side");
    return r;
}

/* --- table --- */

int refuse_fit(const struct build *b, unsigned fam)
{
    const struct family_build *f = &b->fam[fam];
    int r = diag_fail(b->d, DIAG_LIMIT,
                      "IPv%d table is full: %zu entries in %u lines, %u seeds tried, %u times "
                      "doubled",
                      (int)family_of(fam), f->n_entries, f->table_lines, b->stats.seed_tries,
                      b->stats.table_doublings);
    diag_hint(b->d, "write fewer filters for the same addresses and ports");
    return r;
}

int refuse_entry(const struct build *b, const struct entry *e)
{
    return diag_fail(b->d, DIAG_INTERNAL,
                     "entry of weight %08x, counter %u is not found in the new image", e->weight,
                     e->counter_id);
}
