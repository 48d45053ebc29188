/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pruned tuple-space search over an image (bpf/image.h, datapath.md 3.3). An offset that leads
 * nowhere makes the result negative, and the caller fails closed while armed.
 *
 * For the verifier: one bpf_loop (Linux 5.17) walks the lines of all candidate groups, and its
 * callback is proved once. Open-coded loops of 64 groups by 8 lines by 4 slots do not pass: 8192
 * pending jumps, then a million instructions. Everything read from an image stays an unknown number
 * that is only used as an index of an array map, where the kernel checks it. */
#pragma once
#include "maps.h"
#include "parse.h"

/* The best match so far, and the slot that is examined. Only global functions and whole words
 * write here: what they leave behind are unknown numbers to the verifier, so that the states before
 * and after a match look the same to it. */
struct pw_match {
    __u64 w; /* tier and weight with action bits, 0 = no filter matches */
    __u64 timed;
    __u64 order_and_id; /* of its rule: counter_id, order << 32 */
    __u64 probes;       /* groups looked up */
    __u64 line, end;    /* the chain's next line, and where it ends at the latest */
    /* A slot with an equal key, and what the tables say about it. */
    __u64 hi;
    __u64 group;
    __u64 tuple;
    __u64 deadline_ns;
    __u64 new_order_and_id;
    /* IPv6: the masked address that the slot stores as a print, and the print. */
    __u64 other[2];
    __u64 other_fp;
};
_Static_assert(offsetof(struct img_rule4, counter_id) == 0 &&
                   offsetof(struct img_rule4, order) == 4 &&
                   __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "order_and_id");

/* One search. */
struct pw_search {
    void *image;
    const struct img_family *family; /* first line only */
    const struct pw_packet *packet;
    struct pw_match *match;
    __u64 seed;
    __u64 cand;   /* groups that are left */
    __u64 failed; /* the image leads nowhere */
    /* The key of the chain that is walked. IPv4: src | dst << 32; IPv6: address of the slot. */
    __u64 key[2];
    __u64 key_hi;
    __u32 sport_off; /* img_header.sport_off, .dport_off */
    __u32 dport_off;
    __u32 me; /* src_me | dst_me << 1 */
    __u16 sport_interval, dport_interval;
    __u16 sport_class, dport_class;
    __u8 zone;
    __u8 only_icmp_typed; /* section 6.6 of parsing.md */
};

__noinline int pw_no_match(struct pw_match *m)
{
    if (!m)
        return 0;
    __builtin_memset(m, 0, sizeof(*m));
    m->order_and_id = IMG_NO_COUNTER;
    return 0;
}

/* Takes the slot over unless it is of another group, is lighter than the best, loses the tie, or
 * its time has run out. */
__noinline int pw_take(struct pw_match *m)
{
    if (!m)
        return 0;
    __u64 w = IMG_TUPLE_W(m->tuple) | IMG_META_ACTION(m->hi);
    __u64 timed = IMG_TUPLE_TIMED(m->tuple);

    if (IMG_TUPLE_GROUP(m->tuple) != m->group || w < m->w)
        return 0;
    if (w == m->w && m->new_order_and_id >> 32 >= m->order_and_id >> 32)
        return 0;
    if (timed && (w & 3) == PW_ACTION_PERMIT && bpf_ktime_get_boot_ns() >= m->deadline_ns)
        return 0;
    m->w = w;
    m->timed = timed;
    m->order_and_id = m->new_order_and_id;
    return 1;
}

static __always_inline void *pw_line(void *image, __u32 n)
{
    return bpf_map_lookup_elem(image, &n);
}

/* ANDs word `index` of the array at line `off` into *cand; off 0 = the array prunes nothing. */
static __always_inline int pw_prune(void *image, __u32 off, __u32 index, __u64 *cand)
{
    if (!off)
        return 0;
    const __u64 *word = pw_line(image, off + (index >> 3));
    if (!word)
        return -1;
    *cand &= word[index & 7];
    return 0;
}

static __always_inline int pw_port(void *image, __u32 off, __u16 port, __u16 *ret_interval,
                                   __u16 *ret_class)
{
    const struct img_port *ports = pw_line(image, off + (port >> 4));

    if (!ports)
        return -1;
    *ret_interval = ports[port & 15].interval;
    *ret_class = ports[port & 15].class;
    return 0;
}

/* Interval and class of both ports, if any group of the family uses them. */
static __always_inline int pw_classes(struct pw_search *s)
{
    s->sport_class = s->dport_class =
        s->packet->l4 == PW_L4_ICMP ? IMG_CLASS_ICMP : IMG_CLASS_NO_L4;
    if (s->packet->l4 != PW_L4_PORTS)
        return 0;
    if (s->family->sport_words_off &&
        pw_port(s->image, s->sport_off, s->packet->sport, &s->sport_interval, &s->sport_class) < 0)
        return -1;
    if (s->family->dport_words_off &&
        pw_port(s->image, s->dport_off, s->packet->dport, &s->dport_interval, &s->dport_class) < 0)
        return -1;
    return 0;
}

static __always_inline int pw_candidates(struct pw_search *s, __u32 family_line)
{
    const struct img_family *f = s->family;
    const struct pw_packet *p = s->packet;
    /* Second line of struct img_family. */
    const __u64 *more = pw_line(s->image, family_line + 1);
    __u32 src, dst;

    if (!more)
        return -1;
    __u64 cand = more[s->me & 3];
    if (s->only_icmp_typed)
        cand &= more[offsetof(struct img_family, icmp_typed) / 8 - IMG_LINE_BYTES / 8];
    if (p->family == 4) {
        src = img_prune4((__u32)p->src_lo, f->src_bits & 31);
        dst = img_prune4((__u32)p->dst_lo, f->dst_bits & 31);
    } else {
        src = img_prune6(s->seed, p->src_hi, f->src_bits & 31);
        dst = img_prune6(s->seed, p->dst_hi, f->dst_bits & 31);
    }
    if (pw_prune(s->image, f->proto_off, p->proto, &cand) < 0 ||
        pw_prune(s->image, f->dport_words_off, s->dport_class, &cand) < 0 ||
        pw_prune(s->image, f->sport_words_off, s->sport_class, &cand) < 0 ||
        pw_prune(s->image, f->src_off, src, &cand) < 0 ||
        pw_prune(s->image, f->dst_off, dst, &cand) < 0)
        return -1;
    s->cand = cand;
    return 0;
}

/* The part of a key that both families share: IMG_HI of the packet under the group's masks. */
static __always_inline __u64 pw_key_hi(const struct pw_search *s, const struct img_group *g)
{
    const struct pw_packet *p = s->packet;
    __u16 sport = (p->sport & g->sport_exact) | (s->sport_interval & g->sport_interval);
    __u16 dport = (p->dport & g->dport_exact) | (s->dport_interval & g->dport_interval);

    return IMG_HI(sport, dport, p->proto & g->proto, s->zone & g->zone);
}

/* The two words of struct img_rule4, or the four of struct img_rule6, of a slot with an equal
 * key; the rest of the match is filled from them and from the tuple. per_line: slots in a line, a
 * power of two. */
static __always_inline const __u64 *pw_rule(struct pw_search *s, __u64 hi, __u32 slot,
                                            __u32 per_line)
{
    struct pw_match *m = s->match;
    __u32 number = (__u32)IMG_META_TUPLE(hi);
    const __u64 *tuples = pw_line(s->image, s->family->tuples_off + (number >> 3));
    const __u64 *rule = pw_line(s->image, s->family->rules_off + slot / per_line);

    if (!tuples || !rule)
        return NULL;
    rule += (slot & (per_line - 1)) * (8 / per_line);
    m->hi = hi;
    m->tuple = tuples[number & 7];
    m->new_order_and_id = rule[0];
    m->deadline_ns = rule[1];
    return rule;
}

static __always_inline int pw_slot4(struct pw_search *s, __u64 hi, __u32 slot)
{
    if (!pw_rule(s, hi, slot, 4))
        return -1;
    pw_take(s->match);
    return 0;
}

static __always_inline int pw_slot6(struct pw_search *s, __u64 hi, __u32 slot)
{
    struct pw_match *m = s->match;
    const __u64 *rule = pw_rule(s, hi, slot, 2);

    if (!rule)
        return -1;
    /* The print is 64 bits of a keyed hash: confirmed against the address itself. */
    if (m->other_fp && (rule[2] != m->other[0] || rule[3] != m->other[1]))
        return 0;
    pw_take(m);
    return 0;
}

/* Number of the lowest bit set; word != 0. clang 14 crashes on __builtin_ctzll for this target. */
static __always_inline __u32 pw_lowest_bit(__u64 word)
{
    __u64 low = word & -word;

    return (!!(low & 0xffffffff00000000ULL) << 5) | (!!(low & 0xffff0000ffff0000ULL) << 4) |
           (!!(low & 0xff00ff00ff00ff00ULL) << 3) | (!!(low & 0xf0f0f0f0f0f0f0f0ULL) << 2) |
           (!!(low & 0xccccccccccccccccULL) << 1) | !!(low & 0xaaaaaaaaaaaaaaaaULL);
}

static __always_inline void pw_key4(struct pw_search *s, const struct img_group *g)
{
    const struct pw_packet *p = s->packet;

    s->key[0] = (p->src_lo & g->src_lo & 0xffffffff) | (p->dst_lo & g->dst_lo) << 32;
    s->match->line = img_hash4(s->seed, (__u32)s->match->group, s->key[0], s->key_hi);
}

static __always_inline void pw_key6(struct pw_search *s, const struct img_group *g)
{
    const struct pw_packet *p = s->packet;
    struct pw_match *m = s->match;
    __u64 src[2] = {p->src_hi & g->src_hi, p->src_lo & g->src_lo};
    __u64 dst[2] = {p->dst_hi & g->dst_hi, p->dst_lo & g->dst_lo};
    bool swap = g->main_dst;
    bool prints = swap ? g->src_hi | g->src_lo : g->dst_hi | g->dst_lo;

    s->key[0] = swap ? dst[0] : src[0];
    s->key[1] = swap ? dst[1] : src[1];
    m->other[0] = swap ? src[0] : dst[0];
    m->other[1] = swap ? src[1] : dst[1];
    m->other_fp = prints ? img_fp6(s->seed, m->other[0], m->other[1]) : 0;
    m->line = img_hash6(s->seed, (__u32)m->group, s->key[0], s->key[1], s->key_hi, m->other_fp);
}

/* Begins the chain of the next candidate group, lowest first. 1 = the search is over. */
static __always_inline long pw_next_group(struct pw_search *s, int family)
{
    struct pw_match *m = s->match;

    if (!s->cand)
        return 1;
    m->group = pw_lowest_bit(s->cand);
    s->cand &= s->cand - 1;
    const struct img_group *g = pw_line(s->image, s->family->groups_off + (__u32)m->group);
    if (!g)
        return -1;
    if (g->maxw < m->w)
        return 1;
    m->probes++;
    s->key_hi = pw_key_hi(s, g);
    if (family == 4)
        pw_key4(s, g);
    else
        pw_key6(s, g);
    m->end = m->line + IMG_PROBES;
    return 0;
}

/* Looks through one line. 1 = the chain ends here. */
static __always_inline long pw_line4(struct pw_search *s)
{
    __u32 line = (__u32)s->match->line & s->family->slots_mask;
    const struct img_slot4 *slots = pw_line(s->image, s->family->slots_off + line);

    if (!slots)
        return -1;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        __u64 hi = slots[k].hi;
        if (!IMG_META_ACTION(hi))
            return 1;
        if (slots[k].lo == s->key[0] && (hi & IMG_HI_KEY) == s->key_hi &&
            IMG_META_TUPLE(hi) != IMG_TUPLE_DELETED && pw_slot4(s, hi, line * 4 + k) < 0)
            return -1;
    }
    return 0;
}

static __always_inline long pw_line6(struct pw_search *s)
{
    __u32 line = (__u32)s->match->line & s->family->slots_mask;
    const struct img_slot6 *slots = pw_line(s->image, s->family->slots_off + line);

    if (!slots)
        return -1;
#pragma unroll
    for (int k = 0; k < 2; k++) {
        __u64 hi = slots[k].hi;
        if (!IMG_META_ACTION(hi))
            return 1;
        if (slots[k].addr_lo == s->key[1] && slots[k].addr_hi == s->key[0] &&
            (hi & IMG_HI_KEY) == s->key_hi && slots[k].other_fp == s->match->other_fp &&
            IMG_META_TUPLE(hi) != IMG_TUPLE_DELETED && pw_slot6(s, hi, line * 2 + k) < 0)
            return -1;
    }
    return 0;
}

/* One line of the walk; 1 = the search is over. */
static __always_inline long pw_step(struct pw_search *s, int family)
{
    struct pw_match *m = s->match;
    long r = m->line != m->end ? 0 : pw_next_group(s, family);

    if (r == 0) {
        r = family == 4 ? pw_line4(s) : pw_line6(s);
        m->line = r == 1 ? m->end : m->line + 1;
        r = r < 0 ? r : 0;
    }
    if (r < 0)
        s->failed = 1;
    return r != 0;
}

static long pw_step4(__u32 index, struct pw_search *s)
{
    (void)index;
    return pw_step(s, 4);
}

static long pw_step6(__u32 index, struct pw_search *s)
{
    (void)index;
    return pw_step(s, 6);
}

/* The heaviest match of the packet, match->w = 0 if there is none. Negative: the image is
 * damaged. */
static __always_inline int pw_search(struct pw_search *s)
{
    bool is4 = s->packet->family == 4;
    __u32 line = is4 ? IMG_FAMILY4_LINE : IMG_FAMILY6_LINE;

    s->family = pw_line(s->image, line);
    if (!s->family)
        return -1;
    if (!s->family->n_groups)
        return 0;
    if (pw_classes(s) < 0 || pw_candidates(s, line) < 0)
        return -1;
    if (!s->cand)
        return 0;
    if (is4)
        bpf_loop(IMG_MAX_GROUPS * IMG_PROBES, pw_step4, s, 0);
    else
        bpf_loop(IMG_MAX_GROUPS * IMG_PROBES, pw_step6, s, 0);
    return s->failed ? -1 : 0;
}
