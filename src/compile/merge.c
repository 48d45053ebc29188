/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/merge.c: puts groups together that differ only in the length of prefixes (datapath.md
 * 3.2), so that a packet is looked up fewer times.
 * Called by shape.c when there are more groups than words have bits, or very many filters. Groups
 * become neighbours of their own kind; a pair becomes one group under the shorter lengths, under
 * which its entries hash, while each slot keeps its own prefix and its tuple the lengths.
 * Invariants: no more than SAME_COARSE entries share one chain; what is merged follows from the set
 * of shapes and items alone, never from their order. */
#include <errno.h>
#include <string.h>

#include "build.h"

enum {
    SAME_COARSE = 8, /* entries of one coarse key: a quarter of a chain */
    MANY_ITEMS =
        10000, /* from which on a group that is not looked up is worth more than its bits */
};

struct pair {
    uint64_t cost; /* bits of prefix that are lost, times the entries that lose them */
    uint32_t a, b; /* groups */
};

struct merge {
    struct build *b;
    struct family_build *f;
    unsigned fam;
    uint32_t *next;    /* of every item: number + 1 of the next one of its group */
    uint32_t *head;    /* of every group */
    uint32_t *n_items; /* of every group */
    uint32_t *into;    /* of every group: the one that took it, or itself */
    struct pair *pairs;
    uint32_t *by_kind; /* groups, sorted */
    size_t n_left;
};

static void merge_done(struct merge *m)
{
    free(m->next);
    free(m->head);
    free(m->n_items);
    free(m->into);
    free(m->pairs);
    free(m->by_kind);
}

/* The shape without what merging takes away. IPv6: the side that is a print keeps its length. */
static uint64_t kind_code(unsigned fam, struct shape s)
{
    bool main_dst = fam == FAM6 && shape_main_dst(s);
    if (fam == FAM4 || !main_dst)
        s.src_len = 0;
    if (fam == FAM4 || main_dst)
        s.dst_len = 0;
    return shape_code(s) << 1 | main_dst;
}

static struct shape coarser(struct shape a, struct shape b)
{
    struct shape s = a;
    s.src_len = a.src_len < b.src_len ? a.src_len : b.src_len;
    s.dst_len = a.dst_len < b.dst_len ? a.dst_len : b.dst_len;
    return s;
}

static int lists_build(struct merge *m)
{
    struct build *b = m->b;
    size_t n = m->f->n_groups;
    m->next = calloc(b->n_items + 1, sizeof(*m->next));
    m->head = calloc(n, sizeof(*m->head));
    m->n_items = calloc(n, sizeof(*m->n_items));
    m->into = calloc(n, sizeof(*m->into));
    m->pairs = calloc(n, sizeof(*m->pairs));
    m->by_kind = calloc(n, sizeof(*m->by_kind));
    if (!m->next || !m->head || !m->n_items || !m->into || !m->pairs || !m->by_kind)
        return -ENOMEM;
    for (size_t i = 0; i < b->n_items; i++) {
        if (b->items[i].family != m->fam)
            continue;
        uint32_t g = group_find(m->f, b->items[i].shape);
        m->next[i] = m->head[g];
        m->head[g] = (uint32_t)i + 1;
        m->n_items[g]++;
    }
    for (size_t g = 0; g < n; g++)
        m->into[g] = m->by_kind[g] = (uint32_t)g;
    return 0;
}

/* --- pairs --- */

static int cmp_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int cmp_kind(const void *pa, const void *pb, void *arg)
{
    const struct merge *m = arg;
    struct shape a = m->f->groups[*(const uint32_t *)pa].shape;
    struct shape b = m->f->groups[*(const uint32_t *)pb].shape;
    int c = cmp_u64(kind_code(m->fam, a), kind_code(m->fam, b));
    return c != 0 ? c : cmp_u64(shape_code(a), shape_code(b));
}

static int cmp_pair(const void *pa, const void *pb)
{
    const struct pair *a = pa, *b = pb;
    int c = cmp_u64(a->cost, b->cost);
    if (c == 0)
        c = cmp_u64(a->a, b->a);
    return c != 0 ? c : cmp_u64(a->b, b->b);
}

static uint64_t lost_bits(struct shape from, struct shape to)
{
    return (uint64_t)(from.src_len - to.src_len) + (uint64_t)(from.dst_len - to.dst_len);
}

/* May the two be one group? Not if an address that prunes would not prune any more, unless there is
 * no other way. */
static bool pair_fits(const struct merge *m, uint32_t a, uint32_t b, bool must)
{
    struct shape x = m->f->groups[a].shape, y = m->f->groups[b].shape, s = coarser(x, y);
    if (kind_code(m->fam, x) != kind_code(m->fam, y))
        return false;
    for (int dst = 0; dst < 2 && !must; dst++) {
        bool prunes = prune_selective(s, m->fam, dst);
        if (prunes != prune_selective(x, m->fam, dst) || prunes != prune_selective(y, m->fam, dst))
            return false;
    }
    return true;
}

/* Neighbours among the groups that are left, the cheapest first. */
static size_t find_pairs(struct merge *m, bool must)
{
    size_t n = 0, n_kinds = 0;
    for (size_t g = 0; g < m->f->n_groups; g++) {
        if (m->into[g] == g)
            m->by_kind[n_kinds++] = (uint32_t)g;
    }
    qsort_r(m->by_kind, n_kinds, sizeof(*m->by_kind), cmp_kind, m);
    for (size_t i = 1; i < n_kinds; i++) {
        uint32_t a = m->by_kind[i - 1], b = m->by_kind[i];
        if (!pair_fits(m, a, b, must))
            continue;
        struct shape x = m->f->groups[a].shape, y = m->f->groups[b].shape, s = coarser(x, y);
        m->pairs[n++] = (struct pair){
            .cost = lost_bits(x, s) * m->n_items[a] + lost_bits(y, s) * m->n_items[b],
            .a = a,
            .b = b,
        };
    }
    qsort(m->pairs, n, sizeof(*m->pairs), cmp_pair);
    return n;
}

/* --- the chain of a coarse key --- */

/* What entries of an item have in common under the lengths of s. Copies of a range count as if all
 * were under each of its intervals. */
static uint64_t coarse_key(unsigned fam, const struct item *it, struct shape s)
{
    struct ip src = ip_and(it->src, ip_mask(family_of(fam), s.src_len));
    struct ip dst = ip_and(it->dst, ip_mask(family_of(fam), s.dst_len));
    uint16_t sport = s.sport == PORTS_RANGE ? 0 : it->sport.first;
    uint16_t dport = s.dport == PORTS_RANGE ? 0 : it->dport.first;
    uint64_t ports = IMG_HI(sport, dport, it->proto, it->where);
    return img_mix(img_mix(src.hi ^ ports, src.lo), img_mix(dst.hi ^ ports, dst.lo + 1));
}

static int add_keys(const struct merge *m, uint32_t group, struct shape s, struct idmap *map,
                    uint8_t *count)
{
    for (uint32_t i = m->head[group]; i != 0; i = m->next[i - 1]) {
        uint32_t id;
        int r = idmap_add(map, coarse_key(m->fam, &m->b->items[i - 1], s), &id);
        if (r < 0)
            return r;
        if (count[id] == SAME_COARSE)
            return -E2BIG;
        count[id]++;
    }
    return 0;
}

/* 0, or -E2BIG: too many entries would share a chain. */
static int check_chains(const struct merge *m, uint32_t a, uint32_t b)
{
    _cleanup_(idmap_done) struct idmap map = {.seed = m->b->o->seed};
    _cleanup_free_ uint8_t *count = calloc((size_t)m->n_items[a] + m->n_items[b] + 1, 1);
    struct shape s = coarser(m->f->groups[a].shape, m->f->groups[b].shape);
    if (!count)
        return -ENOMEM;
    int r = add_keys(m, a, s, &map, count);
    return r < 0 ? r : add_keys(m, b, s, &map, count);
}

/* --- merging --- */

/* b goes into a. */
static void join(struct merge *m, uint32_t a, uint32_t b)
{
    struct group *x = &m->f->groups[a], *y = &m->f->groups[b];
    x->shape = coarser(x->shape, y->shape);
    x->merged = true;
    x->maxw = x->maxw > y->maxw ? x->maxw : y->maxw;
    x->n_filters += y->n_filters;
    x->icmp_typed |= y->icmp_typed;
    if (y->order < x->order) {
        x->order = y->order;
        x->origin = y->origin;
    }
    uint32_t *last = &m->head[a];
    while (*last != 0)
        last = &m->next[*last - 1];
    *last = m->head[b];
    m->n_items[a] += m->n_items[b];
    m->into[b] = a;
    m->n_left--;
}

/* Each group is in one pair of a pass at most. Number of pairs that became one, or -ENOMEM. */
static int pass(struct merge *m, size_t target, bool must)
{
    size_t n = find_pairs(m, must);
    _cleanup_free_ bool *busy = calloc(m->f->n_groups, sizeof(*busy));
    int n_merged = 0;
    if (!busy)
        return -ENOMEM;
    for (size_t i = 0; i < n && m->n_left > target; i++) {
        const struct pair *p = &m->pairs[i];
        if (busy[p->a] || busy[p->b])
            continue;
        int r = check_chains(m, p->a, p->b);
        if (r == -E2BIG)
            continue;
        if (r < 0)
            return r;
        busy[p->a] = busy[p->b] = true;
        join(m, p->a, p->b);
        n_merged++;
    }
    return n_merged;
}

static int reduce(struct merge *m, size_t target, bool must)
{
    int n = 1;
    while (n > 0 && m->n_left > target)
        n = pass(m, target, must);
    return n < 0 ? n : 0;
}

/* Takes the groups that are gone out of the array. Shapes keep the number of their group. */
static void close_gaps(struct merge *m)
{
    struct family_build *f = m->f;
    for (size_t i = 0; i < f->shapes.n; i++) {
        uint32_t g = f->group_of_shape[i];
        while (m->into[g] != g)
            g = m->into[g];
        f->group_of_shape[i] = g;
    }
    size_t n = 0;
    for (size_t g = 0; g < f->n_groups; g++) {
        if (m->into[g] != g)
            continue;
        m->head[g] = (uint32_t)n;
        f->groups[n++] = f->groups[g];
    }
    for (size_t i = 0; i < f->shapes.n; i++)
        f->group_of_shape[i] = m->head[f->group_of_shape[i]];
    f->n_groups = n;
}

int merge_groups(struct build *b, unsigned fam)
{
    struct family_build *f = &b->fam[fam];
    enum merge_mode mode = b->o->merge;
    size_t target = mode == MERGE_FORCED || f->n_items > MANY_ITEMS ? 1 : LIMIT_GROUPS;
    if (mode == MERGE_NEVER || f->n_groups <= target)
        return 0;
    _cleanup_(merge_done) struct merge m = {.b = b, .f = f, .fam = fam, .n_left = f->n_groups};
    int r = lists_build(&m);
    if (r == 0)
        r = reduce(&m, target, mode == MERGE_FORCED);
    if (r == 0)
        r = reduce(&m, LIMIT_GROUPS, true);
    if (r == 0)
        close_gaps(&m);
    return r;
}
