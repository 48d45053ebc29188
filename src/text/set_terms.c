/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/set_terms.c: few lines for many boxes (policy.md 8, `A but B`).
 * Called by print_set.c. Boxes that differ in one list only become one term: first ports, then
 * addresses, then families, then the later fragments. Invariant: the terms together are the set,
 * but for the boxes that are counted in left_out. */
#include "set.h"

#include <errno.h>
#include <string.h>

/* Pairs of terms are compared: beyond that many the text is cut anyway. */
enum { TERMS_MAX = 1000 };

static void list_done(struct set_list *l)
{
    free(l->v);
    *l = (struct set_list){0};
}

static void term_done(struct set_term *t)
{
    for (unsigned i = 0; i < SET_LISTS; i++)
        list_done(&t->list[i]);
}

void set_terms_done(struct set_terms *t)
{
    for (size_t i = 0; i < t->n; i++)
        term_done(&t->v[i]);
    free(t->v);
    *t = (struct set_terms){0};
}

static int list_add(struct set_list *l, struct ip first, struct ip last)
{
    int r = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (r == 0)
        l->v[l->n++] = (struct set_range){first, last};
    return r;
}

static int cmp_ranges(const void *a, const void *b)
{
    return ip_cmp(((const struct set_range *)a)->first, ((const struct set_range *)b)->first);
}

static int list_merge(struct set_list *into, const struct set_list *from)
{
    for (size_t i = 0; i < from->n; i++) {
        int r = list_add(into, from->v[i].first, from->v[i].last);
        if (r < 0)
            return r;
    }
    if (into->n == 0)
        return 0;
    qsort(into->v, into->n, sizeof(*into->v), cmp_ranges);
    size_t n = 1;
    for (size_t i = 1; i < into->n; i++) {
        struct set_range *last = &into->v[n - 1];
        if (ip_cmp(into->v[i].first, last->last) > 0 &&
            !ip_eq(into->v[i].first, ip_add1(last->last))) {
            into->v[n++] = into->v[i];
        } else if (ip_cmp(into->v[i].last, last->last) > 0) {
            last->last = into->v[i].last;
        }
    }
    into->n = n;
    return 0;
}

static bool list_eq(const struct set_list *a, const struct set_list *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

/* --- "PREFIX but ..." --- */

bool set_is_prefix(enum family f, const struct set_range *r, unsigned *ret_len)
{
    for (unsigned len = 0; len <= family_bits(f); len++) {
        struct ip m = ip_mask(f, len);
        if (ip_eq(ip_and(r->first, m), r->first) && ip_eq(ip_or(r->first, ip_not(f, m)), r->last)) {
            *ret_len = len;
            return true;
        }
    }
    return false;
}

static unsigned range_cost(enum family f, const struct set_range *r)
{
    unsigned len;
    return set_is_prefix(f, r, &len) ? 1 : 2;
}

static unsigned list_cost(enum family f, const struct set_list *l)
{
    unsigned cost = 0;
    for (size_t i = 0; i < l->n; i++)
        cost += range_cost(f, &l->v[i]);
    return cost;
}

int set_holes_of(const struct set_list *l, enum family f, struct set_holes *ret)
{
    struct set_holes h = {.len = family_bits(f)};
    struct ip first = l->v[0].first, last = l->v[l->n - 1].last;
    while (h.len > 0 && !ip_eq(ip_and(first, ip_mask(f, h.len)), ip_and(last, ip_mask(f, h.len))))
        h.len--;
    h.outer.first = ip_and(first, ip_mask(f, h.len));
    h.outer.last = ip_or(h.outer.first, ip_not(f, ip_mask(f, h.len)));
    struct ip at = h.outer.first;
    int r = 0;
    for (size_t i = 0; i < l->n && r == 0; i++) {
        if (ip_cmp(at, l->v[i].first) < 0)
            r = list_add(&h.but, at, ip_sub1(l->v[i].first));
        at = ip_add1(l->v[i].last);
    }
    if (r == 0 && !ip_eq(last, h.outer.last))
        r = list_add(&h.but, at, h.outer.last);
    if (r < 0) {
        list_done(&h.but);
        return r;
    }
    h.as_ranges = list_cost(f, l) < 1 + list_cost(f, &h.but);
    *ret = h;
    return 0;
}

bool set_is_any_but(const struct set_list *l, enum family f)
{
    struct set_holes h;
    if (l->n == 0 || set_holes_of(l, f, &h) < 0)
        return false;
    bool whole = h.len == 0 && !h.as_ranges;
    list_done(&h.but);
    return whole;
}

/* --- boxes to terms --- */

static struct set_range range_of(const struct box *b, unsigned list)
{
    switch (list) {
    case SET_SRC4:
    case SET_SRC6:
        return (struct set_range){b->src_first, b->src_last};
    case SET_DST4:
    case SET_DST6:
        return (struct set_range){b->dst_first, b->dst_last};
    case SET_SPORT:
        return (struct set_range){{0, b->sport_first}, {0, b->sport_last}};
    default:
        return (struct set_range){{0, b->dport_first}, {0, b->dport_last}};
    }
}

static int add_range(struct set_term *t, const struct box *b, unsigned list)
{
    struct set_range r = range_of(b, list);
    return list_add(&t->list[list], r.first, r.last);
}

static int add_term(struct set_terms *terms, const struct box *b)
{
    int r = array_reserve(&terms->v, &terms->cap, terms->n + 1, sizeof(*terms->v));
    if (r < 0)
        return r;
    struct set_term *t = &terms->v[terms->n++];
    *t = (struct set_term){.key = *b};
    unsigned six = b->family == FAMILY_6;
    const unsigned lists[] = {SET_SRC4 + six, SET_DST4 + six, SET_SPORT, SET_DPORT};
    for (unsigned i = 0; i < ARRAY_SIZE(lists) && r == 0; i++)
        r = add_range(t, b, lists[i]);
    return r;
}

static bool same_key(const struct box *a, const struct box *b, bool but_l4)
{
    return a->class == b->class && (but_l4 || a->l4 == b->l4) && a->special == b->special &&
           a->profiles == b->profiles && a->if_first == b->if_first && a->if_last == b->if_last &&
           memcmp(a->proto, b->proto, sizeof(a->proto)) == 0;
}

/* Equal lists but those in the mask. */
static bool same_lists(const struct set_term *a, const struct set_term *b, unsigned but)
{
    for (unsigned i = 0; i < SET_LISTS; i++) {
        if (!(but >> i & 1) && !list_eq(&a->list[i], &b->list[i]))
            return false;
    }
    return true;
}

static void drop_term(struct set_terms *t, size_t i)
{
    term_done(&t->v[i]);
    t->n--;
    memmove(&t->v[i], &t->v[i + 1], (t->n - i) * sizeof(*t->v));
}

/* One step of joining: may b go into a? */
typedef bool may_join_fn(const struct set_term *a, const struct set_term *b, unsigned which);

static bool may_join_list(const struct set_term *a, const struct set_term *b, unsigned which)
{
    return a->fragments == b->fragments && same_key(&a->key, &b->key, false) &&
           same_lists(a, b, 1u << which);
}

/* An IPv4 and an IPv6 term whose sides can both be said as "any" or "any but". */
static bool may_join_families(const struct set_term *a, const struct set_term *b, unsigned which)
{
    (void)which;
    if (a->list[SET_SRC4].n == 0 || a->list[SET_SRC6].n > 0 || b->list[SET_SRC4].n > 0)
        return false;
    return a->fragments == b->fragments && same_key(&a->key, &b->key, false) &&
           same_lists(a, b, 1u << SET_SRC4 | 1u << SET_SRC6 | 1u << SET_DST4 | 1u << SET_DST6) &&
           set_is_any_but(&a->list[SET_SRC4], FAMILY_4) &&
           set_is_any_but(&a->list[SET_DST4], FAMILY_4) &&
           set_is_any_but(&b->list[SET_SRC6], FAMILY_6) &&
           set_is_any_but(&b->list[SET_DST6], FAMILY_6);
}

/* a: some destination ports; b: the later fragments of the same packets. */
static bool may_join_fragments(const struct set_term *a, const struct set_term *b, unsigned which)
{
    (void)which;
    return a->key.l4 == L4_KNOWN && b->key.l4 == L4_FRAGMENT && !a->fragments &&
           same_key(&a->key, &b->key, true) && same_lists(a, b, 1u << SET_DPORT) &&
           !set_is_whole(&a->list[SET_DPORT], (struct ip){0, UINT16_MAX});
}

static int join_terms(struct set_terms *t, may_join_fn *may, unsigned which)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t j = 0; j < t->n;) {
            if (i == j || !may(&t->v[i], &t->v[j], which)) {
                j++;
                continue;
            }
            if (may == may_join_fragments)
                t->v[i].fragments = true;
            for (unsigned l = 0; l < SET_LISTS && may != may_join_fragments; l++) {
                int r = l == which || (which == SET_LISTS && l <= SET_DST6)
                            ? list_merge(&t->v[i].list[l], &t->v[j].list[l])
                            : 0;
                if (r < 0)
                    return r;
            }
            drop_term(t, j);
            if (j < i)
                i--;
        }
    }
    return 0;
}

/* --- the first joining, of any number of boxes --- */

static int cmp_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int cmp_keys(const struct box *a, const struct box *b)
{
    int c = cmp_numbers((uint64_t)a->family << 32 | (uint64_t)a->class << 24 |
                            (uint64_t)a->l4 << 16 | (uint64_t)a->special << 8 | a->profiles,
                        (uint64_t)b->family << 32 | (uint64_t)b->class << 24 |
                            (uint64_t)b->l4 << 16 | (uint64_t)b->special << 8 | b->profiles);
    if (c == 0)
        c = cmp_numbers((uint64_t)a->if_first << 16 | a->if_last,
                        (uint64_t)b->if_first << 16 | b->if_last);
    return c != 0 ? c : memcmp(a->proto, b->proto, sizeof(a->proto));
}

/* Orders by everything, `last` at the end; 0 before that if but_last. */
static int cmp_boxes(const struct box *a, const struct box *b, unsigned last, bool but_last)
{
    static const unsigned lists[] = {SET_SRC4, SET_DST4, SET_SPORT, SET_DPORT};
    int c = cmp_keys(a, b);
    for (unsigned i = 0; i <= ARRAY_SIZE(lists) && c == 0; i++) {
        unsigned list = i < ARRAY_SIZE(lists) ? lists[i] : last;
        if (i < ARRAY_SIZE(lists) ? list == last : but_last)
            continue;
        struct set_range x = range_of(a, list), y = range_of(b, list);
        c = ip_cmp(x.first, y.first);
        if (c == 0)
            c = ip_cmp(x.last, y.last);
    }
    return c;
}

static int cmp_sorted(const void *a, const void *b, void *last)
{
    return cmp_boxes(a, b, *(unsigned *)last, false);
}

/* Runs of boxes that differ in one list, after sorting with that list last. */
static size_t count_runs(struct box *v, size_t n, unsigned last)
{
    size_t runs = n > 0;
    qsort_r(v, n, sizeof(*v), cmp_sorted, &last);
    for (size_t i = 1; i < n; i++)
        runs += cmp_boxes(&v[i - 1], &v[i], last, true) != 0;
    return runs;
}

static int add_runs(struct set_terms *t, struct box *v, size_t n, unsigned last)
{
    int r = 0;
    (void)count_runs(v, n, last); /* sorts */
    for (size_t i = 0; i < n && r == 0; i++) {
        unsigned list = last + (last < SET_SPORT && v[i].family == FAMILY_6);
        if (i > 0 && t->left_out == 0 && cmp_boxes(&v[i - 1], &v[i], last, true) == 0)
            r = add_range(&t->v[t->n - 1], &v[i], list);
        else if (t->n < TERMS_MAX)
            r = add_term(t, &v[i]);
        else
            t->left_out++;
    }
    for (size_t i = 0; i < t->n && r == 0; i++) {
        for (unsigned l = 0; l < SET_LISTS && r == 0; l++)
            r = list_merge(&t->v[i].list[l], &(struct set_list){0});
    }
    return r;
}

/* Copies the boxes; there are no words for "to me or from me" in one line. */
static int copy_boxes(const struct packetset *s, struct box **ret, size_t *ret_n)
{
    struct box *v = calloc(2 * s->n + 1, sizeof(*v));
    size_t n = 0;
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < s->n; i++) {
        v[n++] = s->v[i];
        if (s->v[i].class != (CLASS_TO_ME | CLASS_FROM_ME))
            continue;
        v[n - 1].class = CLASS_TO_ME;
        v[n] = s->v[i];
        v[n++].class = CLASS_FROM_ME;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

static int first_terms(const struct packetset *s, struct set_terms *t)
{
    static const unsigned lists[] = {SET_DPORT, SET_SRC4, SET_DST4, SET_SPORT};
    _cleanup_free_ struct box *v = NULL;
    size_t n = 0, fewest = SIZE_MAX;
    unsigned best = SET_DPORT;
    int r = copy_boxes(s, &v, &n);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
        size_t runs = count_runs(v, n, lists[i]);
        if (runs < fewest) {
            fewest = runs;
            best = lists[i];
        }
    }
    return add_runs(t, v, n, best);
}

int set_terms_new(const struct packetset *s, struct set_terms *ret)
{
    static const struct {
        may_join_fn *may;
        unsigned which;
    } steps[] = {
        {may_join_list, SET_DPORT},     {may_join_list, SET_SPORT}, {may_join_list, SET_SRC4},
        {may_join_list, SET_SRC6},      {may_join_list, SET_DST4},  {may_join_list, SET_DST6},
        {may_join_families, SET_LISTS}, {may_join_fragments, 0},
    };
    _cleanup_(set_terms_done) struct set_terms t = {0};
    int r = first_terms(s, &t);
    for (unsigned i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
        r = join_terms(&t, steps[i].may, steps[i].which);
    if (r < 0)
        return r;
    *ret = t;
    t = (struct set_terms){0};
    return 0;
}
