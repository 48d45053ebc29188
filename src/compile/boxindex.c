/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/boxindex.c: which parts overlap a box, without asking each.
 * Called by winner.c and whoever asks about one point. Per family three interval trees over all
 * parts: by source, destination, destination port. A tree is an array sorted by the first value,
 * the middle one of a stretch being its root, with the highest last value below it. A question
 * goes to the tree in which fewest parts overlap, which two binary searches tell. Invariant: what
 * overlaps is always found. */
#include <errno.h>

#include "rules.h"

struct interval {
    struct ip first, last;
};
struct node {
    struct interval at;
    struct ip highest;
    uint32_t part;
};
struct tree {
    struct node *v;
    struct ip *lasts; /* of all, sorted */
    size_t n;
};

enum { BY_SRC, BY_DST, BY_PORT, N_KEYS };
struct box_index {
    const struct part *parts;
    struct tree tree[2][N_KEYS]; /* IPv4, IPv6 */
};

static struct interval interval_of(const struct box *b, unsigned key)
{
    if (key == BY_SRC)
        return (struct interval){b->src_first, b->src_last};
    if (key == BY_DST)
        return (struct interval){b->dst_first, b->dst_last};
    return (struct interval){{0, b->dport_first}, {0, b->dport_last}};
}

static int cmp_nodes(const void *pa, const void *pb)
{
    const struct node *a = pa, *b = pb;
    int c = ip_cmp(a->at.first, b->at.first);
    return c != 0 ? c : a->part < b->part ? -1 : 1;
}

static int cmp_lasts(const void *a, const void *b)
{
    return ip_cmp(*(const struct ip *)a, *(const struct ip *)b);
}

struct stretch {
    size_t from, to;
};
enum { DEPTH = 64 }; /* a size_t can be halved that often; two entries a level */

/* From the leaves up: each node takes the highest of its own and its children's. */
static void fill_highest(struct node *v, size_t n)
{
    for (size_t size = 1; size / 2 < n; size *= 2) {
        struct stretch stack[2 * DEPTH] = {{0, n}};
        unsigned depth = 1;
        while (depth > 0) {
            struct stretch s = stack[--depth];
            size_t mid = s.from + (s.to - s.from) / 2, count = s.to - s.from;
            if (count <= size && count > size / 2) {
                struct ip highest = v[mid].at.last;
                size_t left = s.from + (mid - s.from) / 2, right = mid + 1 + (s.to - mid - 1) / 2;
                if (mid > s.from && ip_cmp(v[left].highest, highest) > 0)
                    highest = v[left].highest;
                if (mid + 1 < s.to && ip_cmp(v[right].highest, highest) > 0)
                    highest = v[right].highest;
                v[mid].highest = highest;
            } else if (count > size) {
                if (mid > s.from)
                    stack[depth++] = (struct stretch){s.from, mid};
                if (mid + 1 < s.to)
                    stack[depth++] = (struct stretch){mid + 1, s.to};
            }
        }
    }
}

static int tree_build(struct tree *t, const struct part *parts, size_t n, enum family f,
                      unsigned key)
{
    t->v = calloc(n + 1, sizeof(*t->v));
    t->lasts = calloc(n + 1, sizeof(*t->lasts));
    if (!t->v || !t->lasts)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].box.family != f)
            continue;
        struct interval at = interval_of(&parts[i].box, key);
        t->lasts[t->n] = at.last;
        t->v[t->n++] = (struct node){.at = at, .part = (uint32_t)i};
    }
    qsort(t->v, t->n, sizeof(*t->v), cmp_nodes);
    qsort(t->lasts, t->n, sizeof(*t->lasts), cmp_lasts);
    fill_highest(t->v, t->n);
    return 0;
}

int box_index_new(const struct part *parts, size_t n, struct box_index **ret)
{
    struct box_index *x = calloc(1, sizeof(*x));
    if (!x)
        return -ENOMEM;
    x->parts = parts;
    int r = 0;
    for (unsigned i = 0; i < 2 * N_KEYS && r == 0; i++)
        r = tree_build(&x->tree[i / N_KEYS][i % N_KEYS], parts, n, i / N_KEYS ? FAMILY_6 : FAMILY_4,
                       i % N_KEYS);
    if (r < 0)
        box_index_free(x);
    else
        *ret = x;
    return r;
}

struct box_index *box_index_free(struct box_index *x)
{
    for (unsigned i = 0; x && i < 2 * N_KEYS; i++) {
        free(x->tree[i / N_KEYS][i % N_KEYS].v);
        free(x->tree[i / N_KEYS][i % N_KEYS].lasts);
    }
    free(x);
    return NULL;
}

/* How many intervals begin at most at `last`, minus how many end before `first`. */
static size_t count_overlaps(const struct tree *t, const struct interval *at)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ip_cmp(t->v[mid].at.first, at->last) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    size_t begun = low;
    for (low = 0, high = t->n; low < high;) {
        size_t mid = low + (high - low) / 2;
        if (ip_cmp(t->lasts[mid], at->first) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return begun - low;
}

/* The tree in which fewest parts overlap b; how many. */
static const struct tree *choose_tree(const struct box_index *x, const struct box *b,
                                      struct interval *ret_at, size_t *ret_n)
{
    const struct tree *trees = x->tree[b->family == FAMILY_6], *best = &trees[0];
    *ret_n = SIZE_MAX;
    for (unsigned key = 0; key < N_KEYS; key++) {
        struct interval i = interval_of(b, key);
        size_t n = count_overlaps(&trees[key], &i);
        if (n < *ret_n) {
            *ret_n = n;
            *ret_at = i;
            best = &trees[key];
        }
    }
    return best;
}

/* Calls visit for every part whose interval overlaps *at. Returns how many nodes were seen. */
typedef void node_fn(void *arg, uint32_t part);
static size_t walk_tree(const struct tree *t, const struct interval *at, node_fn *visit, void *arg)
{
    struct stretch stack[2 * DEPTH] = {{0, t->n}};
    unsigned depth = t->n > 0;
    size_t seen = 0;
    while (depth > 0) {
        struct stretch s = stack[--depth];
        size_t mid = s.from + (s.to - s.from) / 2;
        const struct node *m = &t->v[mid];
        seen++;
        if (ip_cmp(m->highest, at->first) < 0)
            continue;
        if (mid > s.from)
            stack[depth++] = (struct stretch){s.from, mid};
        if (ip_cmp(m->at.first, at->last) > 0)
            continue;
        if (mid + 1 < s.to)
            stack[depth++] = (struct stretch){mid + 1, s.to};
        if (ip_cmp(m->at.last, at->first) >= 0)
            visit(arg, m->part);
    }
    return seen;
}

struct find_all {
    const struct part *parts;
    const struct box *b;
    uint64_t *hits;
};

static void visit_all(void *arg, uint32_t part)
{
    struct find_all *f = arg;
    if (box_overlaps(&f->parts[part].box, f->b))
        f->hits[part / 64] |= 1ULL << part % 64;
}

size_t rules_find(const struct rules *r, const struct box *b, uint64_t *hits)
{
    struct find_all f = {.parts = r->v, .b = b, .hits = hits};
    if (!r->index) {
        for (size_t i = 0; i < r->n; i++)
            visit_all(&f, (uint32_t)i);
        return r->n;
    }
    struct interval at = {{0}, {0}};
    size_t n;
    const struct tree *t = choose_tree(r->index, b, &at, &n);
    return walk_tree(t, &at, visit_all, &f);
}

struct find_first {
    const struct part *parts;
    const struct box *b;
    uint32_t first, last; /* last: lowered to what was found */
    size_t without;
    bool found;
};

static void visit_first(void *arg, uint32_t part)
{
    struct find_first *f = arg;
    const struct part *p = &f->parts[part];
    if (part < f->first || part > f->last || (p->index == f->without && p->index != SIZE_MAX) ||
        !box_overlaps(&p->box, f->b))
        return;
    f->found = true;
    f->last = part;
}

uint32_t rules_next(const struct rules *r, const struct box *b, const struct part_list *range,
                    size_t from, size_t max)
{
    struct interval at = {{0}, {0}};
    struct find_first f = {.parts = r->v,
                           .b = b,
                           .first = range->v[from],
                           .last = range->v[range->n - 1],
                           .without = range->without};
    size_t n;
    const struct tree *t = choose_tree(r->index, b, &at, &n);
    if (n > max)
        return NEXT_MANY;
    (void)walk_tree(t, &at, visit_first, &f);
    return f.found ? f.last : NEXT_NONE;
}

const struct part *rules_decide(const struct rules *r, const struct box *point)
{
    if (r->n == 0)
        return NULL;
    struct interval at = {{0}, {0}};
    struct find_first f = {
        .parts = r->v, .b = point, .last = (uint32_t)r->n - 1, .without = SIZE_MAX};
    size_t n;
    const struct tree *t = choose_tree(r->index, point, &at, &n);
    (void)walk_tree(t, &at, visit_first, &f);
    return f.found ? &r->v[f.last] : NULL;
}
