/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pruned tuple-space search over an image (bpf/image.h, datapath.md 3.3). An offset that leads
 * nowhere makes the result negative, and the caller fails closed while armed.
 *
 * For the verifier: one bpf_loop (Linux 5.17) walks the lines of all candidate groups, and its
 * callback is proved once. Open-coded loops of 64 groups by 8 lines by 4 slots do not pass: 8192
 * pending jumps, then a million instructions. Everything read from an image stays an unknown number
 * that is only used as an index of an array map, where the kernel checks it. */
#pragma once
#include "bits.h"
#include "maps.h"
#include "parse.h"

/* The best match so far. Only global functions and whole words write here: what they leave behind
 * are unknown numbers to the verifier, so that the states before and after a match look the same to
 * it. */
struct pw_match {
    __u64 w; /* tier and weight with action bits, 0 = no filter matches */
    __u64 timed;
    __u64 marks;        /* IMG_MARK_* of the filter */
    __u64 order_and_id; /* of its rule: counter_id, order << 32 */
    __u64 probes;       /* groups looked up */
};
_Static_assert(offsetof(struct img_rule4, counter_id) == 0 &&
                   offsetof(struct img_rule4, order) == 4 &&
                   offsetof(struct img_rule4, deadline_ns) == 8 &&
                   __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "order_and_id");
_Static_assert(offsetof(struct img_rule6, counter_id) == 0 &&
                   offsetof(struct img_rule6, order) == 4 &&
                   offsetof(struct img_rule6, deadline_ns) == 8,
               "both families' rules begin alike");

struct pw_meta {
    __u8 egress; /* a constant in the hooks of TCX */
    __u8 judged;
    __u8 to_host;
    __u8 from_host;  /* egress: from me, whatever the source */
    __u8 not_me;     /* ingress: forwarded, whatever the destination */
    __u8 no_martian; /* its addresses were looked at, or are in their place */
    __u8 accept_local;
    __u8 zone;
    __u8 ethernet;  /* of the interface: frames have MAC addresses */
    __u8 log_flags; /* PW_RECORD_* that the hook knows */
};

enum { PW_QUIET, PW_PASSED, PW_EXEMPT }; /* pw_verdict.kind of a packet that passes */

struct pw_verdict {
    struct pw_match match; /* w = 0: no filter decided */
    __u8 block;
    __u8 reason;    /* PW_DROP_* of a block */
    __u8 kind;      /* what to count: not classified, passed, exempt */
    __u8 unmatched; /* kind, if no filter matches */
    __u8 dst_me;    /* ingress, valid unless kind is PW_QUIET: judged as a packet for this host */
};

/* A slot of a merged IPv6 group: whether it holds the destination, and how its address differs from
 * the packet's. */
struct pw_side6 {
    __u64 main_dst;
    __u64 diff[2];
};

/* One search. What its walk needs is filled when there are candidates, which is seldom. */
struct pw_search {
    void *image;
    const __u8 *front; /* its first page, which begins with the header: pw_header() */
    const struct img_family *family;
    struct pw_packet *packet;
    struct pw_verdict *verdict;
    __u64 cand;      /* groups that are left */
    __u64 line, end; /* the chain's next line, and where it ends at the latest */
    /* The key of the chain that is walked. IPv4: src | dst << 32; IPv6: address of the slot. Of a
     * merged group the packet's own addresses. */
    __u64 key[2];
    __u64 group;
    struct pw_side6 side6;
    /* IPv6: the masked address that the slot stores as a print, and the print. */
    __u64 other[2];
    __u64 other_fp;
    __u64 key_hi;
    __u16 sport_interval, dport_interval;
    __u16 sport_class, dport_class;
    __u8 zone;            /* of the interface; 0 if the image does not know it */
    __u8 place;           /* IMG_PLACE() */
    __u8 only_icmp_typed; /* section 6.6 of parsing.md */
    __u8 me;              /* src_me | dst_me << 1 */
    __u8 merged;          /* of the group */
    __u8 failed;          /* the image leads nowhere */
};

static __always_inline const struct img_header *pw_header(const struct pw_search *s)
{
    return (const void *)s->front;
}

__noinline int pw_no_match(struct pw_match *m)
{
    if (!m)
        return 0;
    __builtin_memset(m, 0, sizeof(*m));
    m->order_and_id = IMG_NO_COUNTER;
    return 0;
}

/* Nothing has matched yet. A global function, which may have written anything to the verifier: it
 * follows the walk once for all the ways that lead here, instead of once for each. */
__noinline int pw_begin(struct pw_verdict *v, struct pw_packet *p, struct pw_meta *meta)
{
    if (!v || !p || !meta)
        return 0;
    v->match = (struct pw_match){.order_and_id = IMG_NO_COUNTER};
    barrier(); /* the compiler forgets, too */
    return 0;
}

/* Takes a slot with an equal key over unless it is of another group, is lighter than the best,
 * loses the tie, or its time has run out. hi: of the slot; rule: what both families have in common.
 */
__noinline int pw_take(struct pw_match *m, struct img_rule4 *rule, __u64 hi, __u64 tuple,
                       __u64 group)
{
    if (!m || !rule)
        return 0;
    __u64 w = IMG_TUPLE_W(tuple) | IMG_META_ACTION(hi);
    __u64 timed = IMG_TUPLE_TIMED(tuple);

    if (IMG_TUPLE_GROUP(tuple) != group || w < m->w)
        return 0;
    __u64 order_and_id = *(const volatile __u64 *)(const void *)rule; /* both at once */
    if (w == m->w && order_and_id >> 32 >= m->order_and_id >> 32)
        return 0;
    if (timed && (w & 3) == PW_ACTION_PERMIT && bpf_ktime_get_boot_ns() >= rule->deadline_ns)
        return 0;
    m->w = w;
    m->timed = timed;
    m->marks = IMG_META_MARKS(hi);
    m->order_and_id = order_and_id;
    return 1;
}

/* Does the packet lie outside the prefix? */
__noinline int pw_outside6(const struct pw_side6 *x, __u64 tuple)
{
    if (!x)
        return 1;
    __u32 len = x->main_dst ? IMG_TUPLE_DST(tuple) : IMG_TUPLE_SRC(tuple);

    return (x->diff[0] & img_mask6_hi(len)) || (x->diff[1] & img_mask6_lo(len));
}

static __always_inline void *pw_line(void *image, __u32 n)
{
    n = pw_forget(n);
    __u32 page = n / IMG_PAGE_LINES;
    __u8 *at = bpf_map_lookup_elem(image, &page);

    if (!at)
        return NULL;
    barrier_var(at); /* the check stays before the addition */
    return at + (n % IMG_PAGE_LINES) * IMG_LINE_BYTES;
}

/* The same without a call for what lies on the first page, as all parts do that are small. */
static __always_inline const void *pw_near(const struct pw_search *s, __u32 n)
{
    n = pw_forget(n);
    if (n < IMG_PAGE_LINES)
        return s->front + n * IMG_LINE_BYTES;
    return pw_line(s->image, n);
}

/* ANDs word `index` of the array at line `off` into *cand; off 0 = the array prunes nothing. */
static __always_inline int pw_prune(const struct pw_search *s, __u32 off, __u32 index, __u64 *cand)
{
    if (!off)
        return 0;
    const __u64 *word = pw_near(s, off + (index >> 3));
    if (!word)
        return -1;
    *cand &= word[index & 7];
    return 0;
}

static __always_inline int pw_port(const struct pw_search *s, __u32 off, __u16 port,
                                   __u16 *ret_interval, __u16 *ret_class)
{
    const struct img_port *ports = pw_near(s, off + (port >> 4));

    if (!ports)
        return -1;
    *ret_interval = ports[port & 15].interval;
    *ret_class = ports[port & 15].class;
    return 0;
}

/* Interval and class of both ports, if any group of the family uses them. */
static __always_inline int pw_classes(struct pw_search *s)
{
    s->sport_interval = s->dport_interval = 0;
    s->sport_class = s->dport_class =
        s->packet->l4 == PW_L4_ICMP ? IMG_CLASS_ICMP : IMG_CLASS_NO_L4;
    if (s->packet->l4 != PW_L4_PORTS)
        return 0;
    if (s->family->sport_words_off && pw_port(s, pw_header(s)->sport_off, s->packet->sport,
                                              &s->sport_interval, &s->sport_class) < 0)
        return -1;
    if (s->family->dport_words_off && pw_port(s, pw_header(s)->dport_off, s->packet->dport,
                                              &s->dport_interval, &s->dport_class) < 0)
        return -1;
    return 0;
}

/* What the image says about the packet's interface. */
static __always_inline int pw_where(struct pw_search *s)
{
    s->place = 0;
    if (!pw_header(s)->zones_off)
        return 0;
    const __u8 *places = pw_near(s, pw_header(s)->zones_off + s->zone / IMG_LINE_BYTES);
    if (!places)
        return -1;
    s->place = places[s->zone & (IMG_LINE_BYTES - 1)];
    if (!s->place)
        s->zone = 0;
    return 0;
}

/* What is cheap and selective comes first: no group is left for most packets after the ports. */
static __always_inline int pw_candidates(struct pw_search *s)
{
    const struct img_family *f = s->family;
    const struct pw_packet *p = s->packet;
    __u64 cand = f->me[s->me & 3];
    __u32 src, dst;

    if (s->only_icmp_typed)
        cand &= f->icmp_typed;
    if (pw_prune(s, f->proto_off, p->proto, &cand) < 0)
        return -1;
    if (cand && (pw_classes(s) < 0 || pw_prune(s, f->dport_words_off, s->dport_class, &cand) < 0 ||
                 pw_prune(s, f->sport_words_off, s->sport_class, &cand) < 0))
        return -1;
    s->cand = cand;
    if (!cand)
        return 0;
    if (p->family == 4) {
        src = img_prune4((__u32)p->src_lo, f->src_bits & 31);
        dst = img_prune4((__u32)p->dst_lo, f->dst_bits & 31);
    } else {
        src = img_prune6(pw_header(s)->seed, p->src_hi, f->src_bits & 31);
        dst = img_prune6(pw_header(s)->seed, p->dst_hi, f->dst_bits & 31);
    }
    if (pw_prune(s, f->src_off, src, &s->cand) < 0 || pw_prune(s, f->dst_off, dst, &s->cand) < 0)
        return -1;
    return 0;
}

/* The part of a key that both families share: IMG_HI of the packet under the group's masks. */
static __always_inline __u64 pw_key_hi(const struct pw_search *s, const struct img_group *g)
{
    const struct pw_packet *p = s->packet;
    __u16 sport = (p->sport & g->sport_exact) | (s->sport_interval & g->sport_interval);
    __u16 dport = (p->dport & g->dport_exact) | (s->dport_interval & g->dport_interval);

    return IMG_HI(sport, dport, p->proto & g->proto, (s->zone & g->zone) | (s->place & g->place));
}

/* The tuple of a slot whose key is equal. */
static __always_inline int pw_tuple(const struct pw_search *s, __u64 hi, __u64 *ret)
{
    __u32 number = (__u32)IMG_META_TUPLE(hi);
    const __u64 *tuples = pw_near(s, s->family->tuples_off + (number >> 3));

    if (!tuples)
        return -1;
    *ret = tuples[number & 7];
    return 0;
}

/* The two words of struct img_rule4, or the four of struct img_rule6. per_line: slots in a line, a
 * power of two. */
static __always_inline __u64 *pw_rule(const struct pw_search *s, __u32 slot, __u32 per_line)
{
    __u64 *rule = pw_line(s->image, s->family->rules_off + slot / per_line);

    return rule ? rule + (slot & (per_line - 1)) * (8 / per_line) : NULL;
}

static __always_inline int pw_slot4(struct pw_search *s, __u64 hi, __u32 slot, __u64 diff)
{
    __u64 tuple;

    if (pw_tuple(s, hi, &tuple) < 0)
        return -1;
    if (diff & img_mask4(tuple))
        return 0;
    void *rule = pw_rule(s, slot, 4);
    if (!rule)
        return -1;
    pw_take(&s->verdict->match, rule, hi, tuple, s->group);
    return 0;
}

static __always_inline int pw_slot6(struct pw_search *s, __u64 hi, __u32 slot)
{
    __u64 tuple;

    if (pw_tuple(s, hi, &tuple) < 0)
        return -1;
    if (s->merged && pw_outside6(&s->side6, tuple))
        return 0;
    __u64 *rule = pw_rule(s, slot, 2);
    if (!rule)
        return -1;
    /* The print is 64 bits of a keyed hash: confirmed against the address itself. */
    if (s->other_fp && (rule[2] != s->other[0] || rule[3] != s->other[1]))
        return 0;
    pw_take(&s->verdict->match, (void *)rule, hi, tuple, s->group);
    return 0;
}

static __always_inline void pw_key4(struct pw_search *s, const struct img_group *g)
{
    const struct pw_packet *p = s->packet;

    s->key[0] = (p->src_lo & g->src_lo & 0xffffffff) | (p->dst_lo & g->dst_lo) << 32;
    s->line = img_hash4(pw_header(s)->seed, (__u32)s->group, s->key[0], s->key_hi);
    if (s->merged)
        s->key[0] = (p->src_lo & 0xffffffff) | p->dst_lo << 32;
}

static __always_inline void pw_key6(struct pw_search *s, const struct img_group *g)
{
    const struct pw_packet *p = s->packet;
    __u64 src[2] = {p->src_hi & g->src_hi, p->src_lo & g->src_lo};
    __u64 dst[2] = {p->dst_hi & g->dst_hi, p->dst_lo & g->dst_lo};
    __u64 seed = pw_header(s)->seed;
    bool swap = g->main_dst;
    bool prints = swap ? g->src_hi | g->src_lo : g->dst_hi | g->dst_lo;

    s->key[0] = swap ? dst[0] : src[0];
    s->key[1] = swap ? dst[1] : src[1];
    s->other[0] = swap ? src[0] : dst[0];
    s->other[1] = swap ? src[1] : dst[1];
    s->other_fp = prints ? img_fp6(seed, s->other[0], s->other[1]) : 0;
    s->line = img_hash6(seed, (__u32)s->group, s->key[0], s->key[1], s->key_hi, s->other_fp);
    s->side6.main_dst = swap;
    if (s->merged) {
        s->key[0] = swap ? p->dst_hi : p->src_hi;
        s->key[1] = swap ? p->dst_lo : p->src_lo;
    }
}

/* Begins the chain of the next candidate group, lowest first. 1 = the search is over. */
static __always_inline long pw_next_group(struct pw_search *s, int family)
{
    struct pw_match *m = &s->verdict->match;

    if (!s->cand)
        return 1;
    s->group = pw_lowest_bit(s->cand);
    s->cand &= s->cand - 1;
    const struct img_group *g = pw_near(s, s->family->groups_off + (__u32)s->group);
    if (!g)
        return -1;
    if (g->maxw < m->w)
        return 1;
    m->probes++;
    s->merged = g->merged;
    s->key_hi = pw_key_hi(s, g);
    if (family == 4)
        pw_key4(s, g);
    else
        pw_key6(s, g);
    s->end = s->line + IMG_PROBES;
    return 0;
}

/* Looks through one line. 1 = the chain ends here. */
static __always_inline long pw_line4(struct pw_search *s)
{
    __u32 line = (__u32)s->line & s->family->slots_mask;
    const struct img_slot4 *slots = pw_line(s->image, s->family->slots_off + line);

    if (!slots)
        return -1;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        __u64 hi = slots[k].hi;
        if (!IMG_META_ACTION(hi))
            return 1;
        __u64 diff = slots[k].lo ^ s->key[0];
        if ((!diff || s->merged) && (hi & IMG_HI_KEY) == s->key_hi &&
            IMG_META_TUPLE(hi) != IMG_TUPLE_DELETED && pw_slot4(s, hi, line * 4 + k, diff) < 0)
            return -1;
    }
    return 0;
}

static __always_inline long pw_line6(struct pw_search *s)
{
    __u32 line = (__u32)s->line & s->family->slots_mask;
    const struct img_slot6 *slots = pw_line(s->image, s->family->slots_off + line);

    if (!slots)
        return -1;
#pragma unroll
    for (int k = 0; k < 2; k++) {
        __u64 hi = slots[k].hi;
        if (!IMG_META_ACTION(hi))
            return 1;
        s->side6.diff[0] = slots[k].addr_hi ^ s->key[0];
        s->side6.diff[1] = slots[k].addr_lo ^ s->key[1];
        if ((!(s->side6.diff[0] | s->side6.diff[1]) || s->merged) &&
            (hi & IMG_HI_KEY) == s->key_hi && slots[k].other_fp == s->other_fp &&
            IMG_META_TUPLE(hi) != IMG_TUPLE_DELETED && pw_slot6(s, hi, line * 2 + k) < 0)
            return -1;
    }
    return 0;
}

/* The line that is next; negative: the image leads nowhere. */
static __always_inline long pw_look(struct pw_search *s, int family)
{
    long r = family == 4 ? pw_line4(s) : pw_line6(s);

    s->line = r == 1 ? s->end : s->line + 1;
    return r < 0 ? r : 0;
}

/* One line of the walk; 1 = the search is over. */
static __always_inline long pw_step(struct pw_search *s, int family)
{
    long r = s->line != s->end ? 0 : pw_next_group(s, family);

    if (r == 0)
        r = pw_look(s, family);
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

/* Walks the chains of all candidates. The first line is looked at without bpf_loop, which costs
 * calls: there is seldom another one. */
static __always_inline void pw_walk(struct pw_search *s, int family)
{
    if (pw_next_group(s, family) || pw_look(s, family)) {
        s->failed = 1;
        return;
    }
    if (!s->cand && s->line == s->end)
        return;
    if (family == 4)
        bpf_loop(IMG_MAX_GROUPS * IMG_PROBES, pw_step4, s, 0);
    else
        bpf_loop(IMG_MAX_GROUPS * IMG_PROBES, pw_step6, s, 0);
}

/* The heaviest match of the packet, match->w = 0 if there is none; that is what it must be before.
 * Negative: the image is damaged. */
static __always_inline int pw_search(struct pw_search *s, struct pw_meta *meta)
{
    bool is4 = s->packet->family == 4;

    s->family =
        (const void *)(s->front + (is4 ? IMG_FAMILY4_LINE : IMG_FAMILY6_LINE) * IMG_LINE_BYTES);
    if (!s->family->n_groups)
        return 0;
    if (pw_candidates(s) < 0)
        return -1;
    if (!s->cand)
        return 0;
    if (pw_where(s) < 0)
        return -1;
    s->failed = 0;
    pw_begin(s->verdict, s->packet, meta);
    if (is4)
        pw_walk(s, 4);
    else
        pw_walk(s, 6);
    return s->failed ? -1 : 0;
}
