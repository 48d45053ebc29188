/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/lookup.c: reads a finished image as bpf/classify.bpf.c does, step by step
 * (datapath.md 3.3). Called by the verification of every image, by unit tests and benchmarks;
 * it is no oracle: eval is. Invariant: nothing here knows how the image was built. */
#include <errno.h>
#include <string.h>

#include "build.h"

/* One packet against one image. */
struct query {
    const struct image *img;
    const struct img_header *h;
    const struct img_family *f;
    const struct packet *p;
    bool v4;
    unsigned me;            /* src_me | dst_me << 1 */
    uint8_t zone, place;    /* of the interface, as the image knows it */
    uint16_t sport, dport;  /* values of the exact fields */
    struct img_port sp, dp; /* interval and class */
};

/* Key of one group, and the walk along its chain. */
struct walk {
    uint64_t a_hi, a_lo, b_hi, b_lo, hi;
    uint32_t print, group, home, pos;
    bool over; /* no other slot has the key */
};

static const void *line_of(const struct image *img, uint32_t line)
{
    return (const uint8_t *)img->lines + (size_t)line * IMG_LINE_BYTES;
}

static struct query make_query(const struct image *img, const struct packet *p, unsigned me)
{
    struct query q = {.img = img, .h = line_of(img, IMG_HEADER_LINE), .p = p, .me = me};
    q.v4 = p->family == FAMILY_4;
    q.f = line_of(img, q.v4 ? IMG_FAMILY4_LINE : IMG_FAMILY6_LINE);
    if (!p->l4_known) {
        q.sp.class = q.dp.class = IMG_CLASS_NO_L4;
    } else if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6) {
        q.dport = (uint16_t)(p->icmp_type << 8 | p->icmp_code);
        q.sp.class = q.dp.class = IMG_CLASS_ICMP;
    } else {
        q.sport = p->sport;
        q.dport = p->dport;
        if (q.h->sport_off != 0)
            q.sp = ((const struct img_port *)line_of(img, q.h->sport_off))[p->sport];
        if (q.h->dport_off != 0)
            q.dp = ((const struct img_port *)line_of(img, q.h->dport_off))[p->dport];
    }
    return q;
}

static void find_place(struct query *q)
{
    q->zone = q->p->meta.zone;
    if (q->h->zones_off == 0)
        return;
    q->place = ((const __u8 *)line_of(q->img, q->h->zones_off))[q->zone];
    if (q->place == 0)
        q->zone = 0;
}

static __u64 word_at(const struct image *img, uint32_t off, uint32_t index)
{
    return off == 0 ? ~0ULL : ((const __u64 *)line_of(img, off))[index];
}

static uint32_t prune_index(const struct query *q, struct ip a, uint32_t bits)
{
    if (bits == 0)
        return 0;
    return q->v4 ? img_prune4((uint32_t)a.lo, bits) : img_prune6(q->h->seed, a.hi, bits);
}

/* The groups that remain, where some of them give a whole address. */
static uint64_t without_hosts(const struct query *q, uint64_t cand, bool destination)
{
    const struct img_family *f = q->f;
    uint64_t groups = destination ? f->dst_hosts : f->src_hosts;
    if (!(cand & groups))
        return cand;
    uint32_t bit = prune_host(q->h->seed, q->v4 ? FAM4 : FAM6, destination ? q->p->dst : q->p->src,
                              destination ? f->dst_hosts_bits : f->src_hosts_bits);
    uint64_t word = word_at(q->img, destination ? f->dst_hosts_off : f->src_hosts_off, bit / 64);
    return word >> bit % 64 & 1 ? cand : cand & ~groups;
}

static uint64_t candidates(const struct query *q)
{
    const struct img_family *f = q->f;
    uint64_t cand = f->me[q->me] &
                    word_at(q->img, f->src_off, prune_index(q, q->p->src, f->src_bits)) &
                    word_at(q->img, f->dst_off, prune_index(q, q->p->dst, f->dst_bits)) &
                    word_at(q->img, f->proto_off, q->p->proto) &
                    word_at(q->img, f->sport_words_off, q->sp.class) &
                    word_at(q->img, f->dport_words_off, q->dp.class);
    return without_hosts(q, without_hosts(q, cand, false), true);
}

static const struct img_group *group_at(const struct query *q, unsigned g)
{
    return (const struct img_group *)line_of(q->img, q->f->groups_off) + g;
}

static struct ip masked(struct ip ip, uint64_t hi, uint64_t lo)
{
    return (struct ip){.hi = ip.hi & hi, .lo = ip.lo & lo};
}

/* The packet under the masks of the group; where its chain begins is not known yet. */
static struct walk make_key(const struct query *q, unsigned g)
{
    const struct img_group *gr = group_at(q, g);
    const struct packet *p = q->p;
    struct walk w = {.group = g};
    w.hi = IMG_HI((q->sport & gr->sport_exact) | (q->sp.interval & gr->sport_interval),
                  (q->dport & gr->dport_exact) | (q->dp.interval & gr->dport_interval),
                  p->proto & gr->proto, (q->zone & gr->zone) | (q->place & gr->place));
    struct ip src = masked(p->src, gr->src_hi, gr->src_lo);
    struct ip dst = masked(p->dst, gr->dst_hi, gr->dst_lo);
    if (q->v4) {
        w.a_lo = src.lo | dst.lo << 32;
        return w;
    }
    struct ip a = gr->main_dst ? dst : src, b = gr->main_dst ? src : dst;
    w.a_hi = a.hi;
    w.a_lo = a.lo;
    w.b_hi = b.hi;
    w.b_lo = b.lo;
    return w;
}

static void find_home(const struct query *q, struct walk *w)
{
    const struct img_group *gr = group_at(q, w->group);
    uint64_t hash;
    if (q->v4) {
        hash = img_hash4(q->h->seed, w->group, w->a_lo, w->hi);
    } else {
        bool has_other = gr->main_dst ? gr->src_hi != 0 : gr->dst_hi != 0;
        w->print = has_other ? img_fp6(q->h->seed, w->b_hi, w->b_lo) : 0;
        hash = img_hash6(q->h->seed, w->group, w->a_hi, w->a_lo, w->hi, w->print);
    }
    w->home = (uint32_t)hash & q->f->slots_mask;
}

static const struct img_line4 *line4_at(const struct query *q, uint32_t line)
{
    return (const struct img_line4 *)line_of(q->img, q->f->slots_off) + line;
}

static __u64 lo4_at(const struct query *q, uint32_t slot)
{
    return line4_at(q, slot / IMG_SLOTS4)->lo[slot % IMG_SLOTS4];
}

static const struct img_slot6 *slot6_at(const struct query *q, uint32_t slot)
{
    return (const struct img_slot6 *)line_of(q->img, q->f->slots_off) + slot;
}

static unsigned more_at(const struct query *q, uint32_t line)
{
    return q->v4 ? line4_at(q, line)->more : IMG_TAIL6_MORE(slot6_at(q, line * IMG_SLOTS6)->tail);
}

static const struct img_rule4 *rule4_at(const struct query *q, uint32_t slot)
{
    return (const struct img_rule4 *)line_of(q->img, q->f->rules_off) + slot;
}

static const struct img_rule6 *rule6_at(const struct query *q, uint32_t slot)
{
    return (const struct img_rule6 *)line_of(q->img, q->f->rules_off) + slot;
}

static uint64_t tuple_at(const struct query *q, uint64_t hi)
{
    return word_at(q->img, q->f->tuples_off, (uint32_t)IMG_META_TUPLE(hi));
}

/* Of a merged group the packet's own address is compared, under the lengths of the slot's tuple. */
static bool merged_matches(const struct query *q, const struct img_group *gr, uint32_t slot,
                           uint64_t tuple)
{
    const struct packet *p = q->p;
    if (q->v4)
        return ((lo4_at(q, slot) ^ (p->src.lo | p->dst.lo << 32)) & img_mask4(tuple)) == 0;
    const struct img_slot6 *s = slot6_at(q, slot);
    struct ip a = gr->main_dst ? p->dst : p->src;
    uint32_t len = (uint32_t)(gr->main_dst ? IMG_TUPLE_DST(tuple) : IMG_TUPLE_SRC(tuple));
    return ((s->addr_hi ^ a.hi) & img_mask6_hi(len)) == 0 &&
           ((s->addr_lo ^ a.lo) & img_mask6_lo(len)) == 0;
}

/* Does a used slot hold the key of the walk? */
static bool slot_matches(const struct query *q, const struct walk *w, uint32_t slot, uint64_t hi)
{
    if ((hi & IMG_HI_KEY) != w->hi || IMG_META_TUPLE(hi) == IMG_TUPLE_DELETED ||
        IMG_TUPLE_GROUP(tuple_at(q, hi)) != w->group)
        return false;
    const struct img_group *gr = group_at(q, w->group);
    if (gr->merged && !merged_matches(q, gr, slot, tuple_at(q, hi)))
        return false;
    if (q->v4)
        return gr->merged || lo4_at(q, slot) == w->a_lo;
    const struct img_slot6 *s = slot6_at(q, slot);
    if (!gr->merged && (s->addr_hi != w->a_hi || s->addr_lo != w->a_lo))
        return false;
    if (IMG_TAIL6_PRINT(s->tail) != w->print)
        return false;
    if (w->print == 0)
        return true;
    const struct img_rule6 *rule = rule6_at(q, slot);
    return rule->other_hi == w->b_hi && rule->other_lo == w->b_lo;
}

/* Next slot with the key; *ret_hi is its second word. False at the end of the chain. */
static bool next_match(const struct query *q, struct walk *w, uint32_t *ret_slot, uint64_t *ret_hi)
{
    unsigned per_line = q->v4 ? IMG_SLOTS4 : IMG_SLOTS6;
    while (w->pos < IMG_PROBES * per_line && !w->over) {
        uint32_t line = img_chain(w->home, w->pos / per_line) & q->f->slots_mask;
        uint32_t slot = line * per_line + w->pos % per_line;
        unsigned more = more_at(q, line), k = w->pos % per_line;
        uint64_t hi = q->v4 ? line4_at(q, line)->hi[k] : slot6_at(q, slot)->hi;
        w->pos++;
        w->over = w->pos % per_line == 0 && !(more & IMG_CHAIN(per_line));
        if (IMG_META_ACTION(hi) != 0 && slot_matches(q, w, slot, hi)) {
            w->over = w->over || !(more & 1U << k);
            *ret_slot = slot;
            *ret_hi = hi;
            return true;
        }
    }
    return false;
}

struct rule {
    uint32_t counter_id, order;
    uint64_t deadline_ns;
};

static struct rule rule_at(const struct query *q, uint32_t slot)
{
    if (q->v4) {
        const struct img_rule4 *r = rule4_at(q, slot);
        uint32_t id = line4_at(q, slot / IMG_SLOTS4)->counter_id[slot % IMG_SLOTS4];
        return (struct rule){id, r->order, r->deadline_ns};
    }
    const struct img_rule6 *r = rule6_at(q, slot);
    return (struct rule){IMG_TAIL6_ID(slot6_at(q, slot)->tail), r->order, r->deadline_ns};
}

static void probe_group(const struct query *q, unsigned g, uint64_t now_ns, struct image_hit *best)
{
    struct walk w = make_key(q, g);
    find_home(q, &w);
    uint32_t slot;
    uint64_t hi;
    while (next_match(q, &w, &slot, &hi)) {
        uint64_t tuple = tuple_at(q, hi), weight = IMG_TUPLE_W(tuple) | IMG_META_ACTION(hi);
        if (weight < best->w)
            continue;
        struct rule rule = rule_at(q, slot);
        if (IMG_TUPLE_TIMED(tuple) && IMG_META_ACTION(hi) == ACTION_PERMIT &&
            now_ns >= rule.deadline_ns)
            continue;
        if (weight > best->w || rule.order < best->order) {
            best->w = weight;
            best->counter_id = rule.counter_id;
            best->order = rule.order;
        }
    }
}

/* Discovery messages of policy.md 6, other than neighbour solicitation and advertisement: only
 * filters that give an ICMPv6 type are looked at. */
static bool only_typed(const struct packet *p)
{
    if (p->family != FAMILY_6 || p->proto != PROTO_ICMPV6 || !p->l4_known)
        return false;
    bool link_local = p->src.hi >> 54 == 0xfe80 >> 6;
    bool unspecified = p->src.hi == 0 && p->src.lo == 0;
    switch (p->icmp_type) {
    case 133: /* router solicitation, advertisement, redirect: RFC 4861 */
    case 134:
    case 137:
        return p->hop_limit == 255;
    case 130: /* multicast listener: RFC 2710, RFC 3810 */
    case 131:
    case 132:
    case 143:
        return p->hop_limit == 1 && (link_local || unspecified);
    default:
        return false;
    }
}

struct image_hit image_lookup(const struct image *img, const struct packet *p, bool src_me,
                              bool dst_me, uint64_t now_ns)
{
    struct query q = make_query(img, p, (unsigned)src_me | (unsigned)dst_me << 1);
    struct image_hit best = {.counter_id = IMG_NO_COUNTER};
    find_place(&q);
    uint64_t cand = candidates(&q);
    if (only_typed(p))
        cand &= q.f->icmp_typed;
    for (; cand != 0; cand &= cand - 1) {
        unsigned g = (unsigned)__builtin_ctzll(cand);
        if (group_at(&q, g)->maxw < best.w)
            break;
        best.probes++;
        probe_group(&q, g, now_ns, &best);
    }
    return best;
}

static bool same_key(const struct walk *a, const struct walk *b)
{
    return a->hi == b->hi && a->a_hi == b->a_hi && a->a_lo == b->a_lo && a->b_hi == b->b_hi &&
           a->b_lo == b->b_lo;
}

/* The slot of entry e, which has the weight and rule of e, is found for both packets: the group
 * is a candidate for each, and both have the key of the slot. */
bool image_has_entry(const struct image *img, const struct packet *low, const struct packet *high,
                     unsigned me, const struct entry *e)
{
    struct query q = make_query(img, low, me), q_high = make_query(img, high, me);
    q.zone = q.place = q_high.zone = q_high.place = (uint8_t)(e->hi >> 40);
    if (!(candidates(&q) & candidates(&q_high) & 1ULL << e->group))
        return false;
    struct walk w = make_key(&q, e->group), w_high = make_key(&q_high, e->group);
    uint64_t weight = IMG_W(e->tier, e->weight);
    uint32_t slot;
    uint64_t hi;
    if (!same_key(&w, &w_high) || group_at(&q, e->group)->maxw < weight)
        return false;
    find_home(&q, &w);
    while (next_match(&q, &w, &slot, &hi)) {
        struct rule rule = rule_at(&q, slot);
        uint64_t tuple = tuple_at(&q, hi);
        if (IMG_TUPLE_SRC(tuple) == e->src_len && IMG_TUPLE_DST(tuple) == e->dst_len &&
            (IMG_TUPLE_W(tuple_at(&q, hi)) | IMG_META_ACTION(hi)) == weight &&
            IMG_META_MARKS(hi) == e->marks &&
            IMG_TUPLE_TIMED(tuple_at(&q, hi)) == (e->deadline_ns != 0) && rule.order == e->order &&
            rule.counter_id == e->counter_id && rule.deadline_ns == e->deadline_ns)
            return true;
    }
    return false;
}
