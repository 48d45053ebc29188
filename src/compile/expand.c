/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/expand.c: from what an administrator writes to what a table can hold.
 * Called first by compile_image(). Makes items of the effective filters (mirrored twins, port
 * lists, address ranges, both families) and of what the settings and the host derive: failsafe
 * entries (policy.md 3), the level's exemptions and the DHCP client entries (policy.md 6).
 * Invariant: an item's weight is the weight of what was written, not of the part that it is. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/sortkey.h"
#include "build.h"
#include "derive.h"

/* What all items of one filter have in common. */
struct source {
    const struct filter *f;
    enum tier tier;
    uint8_t place, where;
    uint64_t deadline_ns;
    uint32_t order, counter_id, origin;
};

/* One way of a filter: as written, or its twin. */
struct way {
    const struct addr *src_addr, *dst_addr;
    const struct side *src, *dst;
    const struct portset *sport, *dport;
};

static uint32_t n_port_items(const struct portset *s)
{
    return s->n > 0 ? s->n : 1;
}

static enum port_kind port_kind(const struct port_range *r)
{
    return !r ? PORTS_ANY : r->first == r->last ? PORTS_EXACT : PORTS_RANGE;
}

static int push_item(struct build *b, const struct item *it)
{
    int r = array_reserve(&b->items, &b->cap_items, b->n_items + 1, sizeof(*b->items));
    if (r == 0)
        b->items[b->n_items++] = *it;
    return r;
}

/* Fills the ports of one pair of port items and pushes it for every pair of prefixes. */
static int add_ports(struct build *b, struct item *it, const struct source *s,
                     const struct way *way, const struct port_range *const port[2])
{
    const struct filter *f = s->f;
    it->weight = filter_weight(f, way->src_addr, way->dst_addr, port[0], port[1]);
    it->sport = port[0] ? *port[0] : (struct port_range){0};
    it->dport = port[1] ? *port[1] : (struct port_range){0};
    it->shape.sport = (uint8_t)port_kind(port[0]);
    it->shape.dport = (uint8_t)port_kind(port[1]);
    if (f->icmp_type >= 0) {
        int code = f->icmp_code >= 0 ? f->icmp_code : 0;
        it->shape.dport = f->icmp_code >= 0 ? PORTS_EXACT : PORTS_ICMP_TYPE;
        it->dport.first = it->dport.last = (uint16_t)(f->icmp_type << 8 | code);
    }
    for (unsigned i = 0; i < way->src->n; i++) {
        for (unsigned j = 0; j < way->dst->n; j++) {
            it->src = way->src->prefix[i].ip;
            it->dst = way->dst->prefix[j].ip;
            it->shape.src_len = way->src->prefix[i].len;
            it->shape.dst_len = way->dst->prefix[j].len;
            int r = push_item(b, it);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int add_way(struct build *b, const struct source *s, unsigned fam, const struct way *way)
{
    uint32_t n_sport = n_port_items(way->sport), n_dport = n_port_items(way->dport);
    b->copies += ((uint64_t)way->src->n * way->dst->n - 1) * n_sport * n_dport;
    if (b->copies > copies_limit(b)) /* count on for the message, but hold nothing more */
        return 0;
    const struct filter *f = s->f;
    struct item it = {
        .deadline_ns = s->deadline_ns,
        .order = s->order,
        .counter_id = s->counter_id,
        .origin = s->origin,
        .shape = {.src_me = way->src->me,
                  .dst_me = way->dst->me,
                  .proto = f->proto != PROTO_ANY,
                  .place = s->place},
        .family = (uint8_t)fam,
        .tier = (uint8_t)s->tier,
        .proto = (uint8_t)(f->proto == PROTO_ANY ? 0 : f->proto),
        .marks = (uint8_t)((f->log ? IMG_MARK_LOG : 0) | (f->keep_state ? IMG_MARK_STATE : 0)),
        .where = s->where,
    };
    for (uint32_t i = 0; i < n_sport; i++) {
        for (uint32_t j = 0; j < n_dport; j++) {
            const struct port_range *port[2] = {
                way->sport->n > 0 ? &way->sport->range[i] : NULL,
                way->dport->n > 0 ? &way->dport->range[j] : NULL,
            };
            int r = add_ports(b, &it, s, way, port);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int add_filter(struct build *b, const struct source *s)
{
    const struct filter *f = s->f;
    enum family only = filter_family(f);
    bool twin = f->mirrored && !(addr_eq(&f->src, &f->dst) && portset_eq(&f->sport, &f->dport));
    for (unsigned fam = FAM4; fam < N_FAMILIES; fam++) {
        if (only != FAMILY_ANY && only != family_of(fam))
            continue;
        side_set(&b->src, &f->src, family_of(fam));
        side_set(&b->dst, &f->dst, family_of(fam));
        int r = add_way(b, s, fam,
                        &(struct way){.src_addr = &f->src,
                                      .dst_addr = &f->dst,
                                      .src = &b->src,
                                      .dst = &b->dst,
                                      .sport = &f->sport,
                                      .dport = &f->dport});
        if (r == 0 && twin)
            r = add_way(b, s, fam,
                        &(struct way){.src_addr = &f->dst,
                                      .dst_addr = &f->src,
                                      .src = &b->dst,
                                      .dst = &b->src,
                                      .sport = &f->dport,
                                      .dport = &f->sport});
        if (r < 0)
            return r;
    }
    return 0;
}

/* Permit entries of the tiers above the filters. They carry no counter, and since all of them
 * permit, one order for all of them is enough. */
static int add_derived(void *arg, const struct derived *x)
{
    return add_filter(arg, &(struct source){.f = x->f,
                                            .tier = x->tier,
                                            .place = x->zone ? PLACE_ZONE : PLACE_ANY,
                                            .where = x->zone,
                                            .order = UINT32_MAX,
                                            .counter_id = IMG_NO_COUNTER,
                                            .origin = ORIGIN_DERIVED});
}

/* --- effective filters --- */

enum { LAYER_BITS = 2 };
_Static_assert(_LAYER_MAX <= 1 << LAYER_BITS, "layers fit");

/* Layer, GUID and counter of a filter as one number of 192 bits, from its highest word on. */
enum { RANK_WORDS = 3, RANK_FEW = 32, RANK_WINDOW = 32 };

static uint64_t rank_word(const struct build *b, uint32_t i, unsigned word)
{
    const struct effective_filter *ef = &b->e->v[i];
    uint64_t half[2];
    memcpy(half, ef->filter->guid.b, sizeof(half));
    if (word == 0)
        return (uint64_t)ef->layer << (64 - LAYER_BITS) | be64toh(half[0]) >> LAYER_BITS;
    if (word == 1)
        return be64toh(half[0]) << (64 - LAYER_BITS) | be64toh(half[1]) >> LAYER_BITS;
    return be64toh(half[1]) << (64 - LAYER_BITS) | ef->counter_id;
}

static int cmp_rank(const struct build *b, uint32_t i, uint32_t k)
{
    const struct effective_filter *x = &b->e->v[i], *y = &b->e->v[k];
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    int c = guid_cmp(&x->filter->guid, &y->filter->guid);
    return c != 0 ? c : x->counter_id < y->counter_id ? -1 : x->counter_id > y->counter_id;
}

static void sort_few_ranks(const struct build *b, struct sort_key *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct sort_key moved = v[i];
        size_t at = i;
        for (; at > 0 && cmp_rank(b, moved.index, v[at - 1].index) < 0; at--)
            v[at] = v[at - 1];
        v[at] = moved;
    }
}

/* Bits that differ within this word, of a number that is the same before it. */
static uint64_t rank_differs(const struct build *b, const struct sort_key *v, size_t n,
                             unsigned word)
{
    uint64_t first = rank_word(b, v[0].index, word), differs = 0;
    for (size_t i = 1; i < n; i++)
        differs |= rank_word(b, v[i].index, word) ^ first;
    return differs;
}

/* By cmp_rank(), from this word on: those before are equal. Sorted are 32 bits from the first one
 * on that differs; GUIDs are random, so that these mostly decide, and few are left to compare. */
static int sort_ranks(const struct build *b, struct sort_key *v, size_t n, unsigned word)
{
    uint64_t differs = 0;
    if (n <= RANK_FEW) {
        sort_few_ranks(b, v, n);
        return 0;
    }
    while (word < RANK_WORDS && (differs = rank_differs(b, v, n, word)) == 0)
        word++;
    if (word == RANK_WORDS)
        return 0;
    unsigned same = (unsigned)__builtin_clzll(differs);
    for (size_t i = 0; i < n; i++) {
        v[i].key = rank_word(b, v[i].index, word) << same;
        if (same > 0 && word + 1 < RANK_WORDS)
            v[i].key |= rank_word(b, v[i].index, word + 1) >> (64 - same);
        v[i].key >>= 64 - RANK_WINDOW;
    }
    int r = sort_keys(v, n);
    for (size_t from = 0, to; from < n && r == 0; from = to) {
        for (to = from + 1; to < n && v[to].key == v[from].key;)
            to++;
        if (to - from > 1)
            r = sort_ranks(b, &v[from], to - from, word);
    }
    return r;
}

/* Rank by layer, then GUID, with gaps for filters that are added in place (patch.c). Filters
 * without identity of their own share a rank, so that their place in the list never shows. */
static int rank_filters(struct build *b)
{
    size_t n = b->e->n;
    _cleanup_free_ struct sort_key *v = malloc((n + 1) * sizeof(*v));
    b->order = malloc((n + 1) * sizeof(*b->order));
    if (!v || !b->order)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        v[i] = (struct sort_key){.index = (uint32_t)i};
    int r = sort_ranks(b, v, n, 0);
    if (r < 0)
        return r;
    uint32_t number = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (v[i - 1].key != v[i].key || cmp_rank(b, v[i - 1].index, v[i].index) != 0))
            number = (uint32_t)i;
        b->order[v[i].index] =
            ((number + 1) << ORDER_GAP_BITS) + (b->e->v[v[i].index].layer << ORDER_LAYER_BITS);
    }
    return 0;
}

struct at_place {
    struct build *b;
    struct source s;
};

static int add_at_place(void *arg, uint8_t place, uint8_t where)
{
    struct at_place *x = arg;
    x->s.place = place;
    x->s.where = where;
    return add_filter(x->b, &x->s);
}

int expand_filter(struct build *b, const struct effective_filter *ef, uint32_t order,
                  uint32_t origin)
{
    if (filter_is_resolved(ef->filter))
        return 0; /* stands for no address (effective.h) */
    struct at_place x = {.b = b,
                         .s = {.f = ef->filter,
                               .tier = ef->filter->override ? TIER_OVERRIDE : TIER_ORDINARY,
                               .deadline_ns = ef->deadline_ns,
                               .order = order,
                               .counter_id = ef->counter_id,
                               .origin = origin}};
    return where_each(b->e->host, ef, add_at_place, &x);
}

static int check_filters(struct build *b)
{
    if (b->e->n > LIMIT_EFFECTIVE_FILTERS)
        return refuse_filters(b, b->e->n);
    for (size_t i = 0; i < b->e->n; i++) {
        const struct filter *f = b->e->v[i].filter;
        b->n_expanded += (uint64_t)n_port_items(&f->sport) * n_port_items(&f->dport);
        b->keeps_state = b->keeps_state || f->keep_state;
    }
    return b->n_expanded > LIMIT_EFFECTIVE_FILTERS ? refuse_filters(b, b->n_expanded) : 0;
}

int expand_all(struct build *b)
{
    int r = check_filters(b);
    if (r == 0)
        r = rank_filters(b);
    for (size_t i = 0; i < b->e->n && r == 0; i++)
        r = expand_filter(b, &b->e->v[i], b->order[i], (uint32_t)i);
    if (r == 0)
        r = derive_entries(b->e, add_derived, b);
    if (r == 0 && b->copies > copies_limit(b))
        r = refuse_copies(b);
    return r;
}
