/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/entry.c: items become keys of the table.
 * Called by compile_image() per family once groups and port intervals are known: copies range
 * items once per interval, sorts, drops entries that can never decide, numbers the tuples.
 * Invariant: what is left, and its order, is a pure function of the set of filters. */
#include <errno.h>

#include "base/sortkey.h"
#include "build.h"

/* Entries of one key in one group match the same packets, so all but the best are only reserve.
 * That many are kept (datapath.md 3.2: different levels are different tuples, both stay); more
 * would fill a chain, which holds 16 IPv6 slots, and refuse a policy for entries that never
 * decide. */
enum { SAME_KEY_KEPT = 4 };

static uint64_t precedence(const struct entry *e)
{
    return IMG_W(e->tier, e->weight);
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int cmp_key(const struct entry *a, const struct entry *b)
{
    int c = (int)a->group - (int)b->group;
    if (c == 0) /* of a merged group: equal addresses are no equal prefixes */
        c = cmp_u64((uint64_t)a->src_len << 8 | a->dst_len, (uint64_t)b->src_len << 8 | b->dst_len);
    if (c == 0)
        c = cmp_u64(a->a_hi, b->a_hi);
    if (c == 0)
        c = cmp_u64(a->a_lo, b->a_lo);
    if (c == 0)
        c = cmp_u64(a->hi, b->hi);
    if (c == 0)
        c = cmp_u64(a->b_hi, b->b_hi);
    return c != 0 ? c : cmp_u64(a->b_lo, b->b_lo);
}

/* Within a key: the winner first, as policy.md 3 has it. */
static int cmp_entry(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    int c = cmp_key(a, b);
    if (c == 0)
        c = cmp_u64(precedence(b), precedence(a));
    if (c == 0)
        c = cmp_u64(a->order, b->order);
    if (c == 0) /* no deadline is the latest one */
        c = cmp_u64(b->deadline_ns - 1, a->deadline_ns - 1);
    return c != 0 ? c : cmp_u64(a->counter_id, b->counter_id);
}

struct entry entry_make(const struct item *it, uint8_t group, uint32_t sport, uint32_t dport)
{
    struct entry e = {
        .hi = IMG_HI(sport, dport, it->proto, it->where),
        .deadline_ns = it->deadline_ns,
        .weight = it->weight,
        .order = it->order,
        .counter_id = it->counter_id,
        .group = group,
        .tier = it->tier,
        .marks = it->marks,
        .src_len = it->shape.src_len,
        .dst_len = it->shape.dst_len,
    };
    if (it->family == FAM4) {
        e.a_lo = it->src.lo | it->dst.lo << 32;
        return e;
    }
    bool main_dst = shape_main_dst(it->shape);
    const struct ip *a = main_dst ? &it->dst : &it->src, *b = main_dst ? &it->src : &it->dst;
    e.a_hi = a->hi;
    e.a_lo = a->lo;
    e.b_hi = b->hi;
    e.b_lo = b->lo;
    return e;
}

struct ip entry_side(const struct family_build *f, unsigned fam, const struct entry *e,
                     bool destination)
{
    if (fam == FAM4)
        return (struct ip){.lo = destination ? e->a_lo >> 32 : e->a_lo & UINT32_MAX};
    if (shape_main_dst(f->groups[e->group].shape) == destination)
        return (struct ip){.hi = e->a_hi, .lo = e->a_lo};
    return (struct ip){.hi = e->b_hi, .lo = e->b_lo};
}

/* Values of the port field of an item: one, or the intervals it covers. */
static struct port_range key_values(const struct port_dim *p, enum port_kind kind,
                                    struct port_range r)
{
    if (kind == PORTS_RANGE)
        return (struct port_range){p->interval[r.first], p->interval[r.last]};
    return (struct port_range){r.first, r.first};
}

static size_t emit(const struct build *b, const struct item *it, struct entry *out)
{
    uint8_t group = (uint8_t)group_find(&b->fam[it->family], it->shape);
    struct port_range s = key_values(&b->sport, it->shape.sport, it->sport);
    struct port_range d = key_values(&b->dport, it->shape.dport, it->dport);
    size_t n = 0;
    for (uint32_t i = s.first; i <= s.last; i++) {
        for (uint32_t j = d.first; j <= d.last; j++, n++) {
            out[n] = entry_make(it, group, i, j);
        }
    }
    return n;
}

static bool is_timed_permit(const struct entry *e)
{
    return e->deadline_ns != 0 && (e->weight & 3) == ACTION_PERMIT;
}

/* What stands before an entry of the same key: everything, or everything of its weight. */
struct cover {
    bool lasting;         /* an entry that never expires */
    uint64_t deadline_ns; /* the latest end of timed permits */
};

static bool cover_has(const struct cover *c, const struct entry *e)
{
    return c->lasting || (is_timed_permit(e) && e->deadline_ns <= c->deadline_ns);
}

static void cover_add(struct cover *c, const struct entry *e)
{
    if (!is_timed_permit(e))
        c->lasting = true;
    else if (e->deadline_ns > c->deadline_ns)
        c->deadline_ns = e->deadline_ns;
}

/* Drops what an equal key of the same weight, action aside, covers for its whole life, and of
 * the reserve more than SAME_KEY_KEPT. A timed permit covers only until its end. */
static void drop_covered(struct build *b, struct family_build *f)
{
    struct cover key = {0}, weight = {0};
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct entry e = f->entries[i];
        const struct entry *before = n > 0 ? &f->entries[n - 1] : NULL;
        if (!before || cmp_key(before, &e) != 0) {
            key = weight = (struct cover){0};
            kept = 0;
        } else if (precedence(before) >> 2 != precedence(&e) >> 2) {
            weight = (struct cover){0};
        }
        if (cover_has(&weight, &e) || (kept >= SAME_KEY_KEPT && cover_has(&key, &e))) {
            if (before && before->order != e.order)
                b->stats.n_shadowed++;
            continue;
        }
        cover_add(&key, &e);
        cover_add(&weight, &e);
        kept++;
        f->entries[n++] = e;
    }
    f->n_entries = n;
}

enum { KEY_WORDS = 6 };

/* The words that cmp_key() compares, from the last one to the first. */
static inline void key_words(const struct entry *e, uint64_t ret[KEY_WORDS])
{
    ret[0] = e->b_lo;
    ret[1] = e->b_hi;
    ret[2] = e->hi;
    ret[3] = e->a_lo;
    ret[4] = e->a_hi;
    ret[5] = (uint64_t)e->group << 16 | (uint64_t)e->src_len << 8 | e->dst_len;
}

static inline uint64_t key_word(const struct entry *e, unsigned word)
{
    uint64_t words[KEY_WORDS];
    key_words(e, words);
    return words[word];
}

/* Order of the entries by key, equal keys in any order. Words that are the same in all are left
 * out. */
static int order_by_key(const struct family_build *f, struct sort_key *order)
{
    uint64_t differs[KEY_WORDS] = {0}, first[KEY_WORDS], words[KEY_WORDS];
    int r = 0;
    key_words(&f->entries[0], first);
    for (uint32_t i = 0; i < f->n_entries; i++) {
        order[i].index = i;
        key_words(&f->entries[i], words);
        for (unsigned w = 0; w < KEY_WORDS; w++)
            differs[w] |= words[w] ^ first[w];
    }
    for (unsigned w = 0; r == 0 && w < KEY_WORDS; w++) {
        if (differs[w] == 0)
            continue;
        for (size_t i = 0; i < f->n_entries; i++)
            order[i].key = key_word(&f->entries[order[i].index], w);
        r = sort_keys(order, f->n_entries);
    }
    return r;
}

/* In place: entries are large, and fresh memory costs more than moving them. Each cycle of the
 * permutation is followed once, and what is done stands at its own number. */
static void put_in_order(struct entry *v, struct sort_key *order, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct entry first = v[i];
        size_t at = i;
        while (order[at].index != i) {
            size_t from = order[at].index;
            v[at] = v[from];
            order[at].index = (uint32_t)at;
            at = from;
        }
        v[at] = first;
        order[at].index = (uint32_t)at;
    }
}

/* By cmp_entry(). Most keys are there once, so that comparing is left for few. */
static int sort_entries(struct family_build *f)
{
    size_t n = f->n_entries;
    struct entry *v = f->entries;
    _cleanup_free_ struct sort_key *order = malloc((n + 1) * sizeof(*order));
    if (!order)
        return -ENOMEM;
    int r = order_by_key(f, order);
    if (r < 0)
        return r;
    put_in_order(v, order, n);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && cmp_key(&v[from], &v[to]) == 0;)
            to++;
        if (to - from > 1)
            qsort(&v[from], to - from, sizeof(*v), cmp_entry);
    }
    return 0;
}

int entries_build(struct build *b, unsigned fam)
{
    struct family_build *f = &b->fam[fam];
    if (f->n_copies == 0)
        return 0;
    f->entries = calloc(f->n_copies, sizeof(*f->entries));
    if (!f->entries)
        return -ENOMEM;
    for (size_t i = 0; i < b->n_items; i++) {
        if (b->items[i].family == fam)
            f->n_entries += emit(b, &b->items[i], f->entries + f->n_entries);
    }
    int r = sort_entries(f);
    if (r < 0)
        return r;
    drop_covered(b, f);
    b->stats.n_entries[fam] = (uint32_t)f->n_entries;
    return 0;
}

__u64 entry_tuple(const struct entry *e)
{
    return IMG_TUPLE(precedence(e) & ~3ULL, e->group, e->deadline_ns != 0) |
           IMG_TUPLE_LENS(e->src_len, e->dst_len);
}

/* Heaviest first; ties by group, which is by shape. */
static int cmp_tuple(const void *pa, const void *pb)
{
    __u64 a = *(const __u64 *)pa, b = *(const __u64 *)pb;
    if (IMG_TUPLE_W(a) != IMG_TUPLE_W(b))
        return IMG_TUPLE_W(a) > IMG_TUPLE_W(b) ? -1 : 1;
    return cmp_u64(a, b);
}

int tuples_build(struct build *b, unsigned fam)
{
    struct family_build *f = &b->fam[fam];
    _cleanup_(idmap_done) struct idmap map = {.seed = b->o->seed};
    uint32_t id;
    for (size_t i = 0; i < f->n_entries; i++) {
        int r = idmap_add(&map, entry_tuple(&f->entries[i]), &id);
        if (r < 0)
            return r;
    }
    if (map.n > LIMIT_TUPLES)
        return refuse_tuples(b, map.n);
    if (map.n == 0)
        return 0;
    f->tuples = calloc(map.n, sizeof(*f->tuples));
    _cleanup_free_ uint16_t *number = calloc(map.n, sizeof(*number));
    if (!f->tuples || !number)
        return -ENOMEM;
    for (size_t i = 0; i < f->n_entries; i++) {
        __u64 word = entry_tuple(&f->entries[i]);
        f->tuples[idmap_get(&map, word)] = word;
    }
    f->n_tuples = (uint32_t)map.n;
    qsort(f->tuples, f->n_tuples, sizeof(*f->tuples), cmp_tuple);
    for (uint32_t t = 0; t < f->n_tuples; t++)
        number[idmap_get(&map, f->tuples[t])] = (uint16_t)t;
    for (size_t i = 0; i < f->n_entries; i++)
        f->entries[i].tuple = number[idmap_get(&map, entry_tuple(&f->entries[i]))];
    b->stats.n_tuples[fam] = f->n_tuples;
    return 0;
}
