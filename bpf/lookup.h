/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pruned tuple-space search over an image (bpf/image.h, datapath.md 3.3). An offset that leads
 * nowhere makes the result negative, and the caller fails closed while armed.
 *
 * For the verifier: one bpf_loop (Linux 5.17) walks the lines of all candidate groups, and its
 * callback is proved once. Open-coded loops of 64 groups by 8 lines by 4 slots did not pass: 8192
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
    __u64 w;      /* tier and weight with action bits, 0 = no filter matches */
    __u64 marks;  /* IMG_MARK_* of the filter, PW_MARK_TIMED */
    __u64 id;     /* of its counter */
    __u64 slot;   /* number of the slot */
    __u64 probes; /* groups looked up */
};
_Static_assert(offsetof(struct img_rule6, order) == offsetof(struct img_rule4, order) &&
                   offsetof(struct img_rule6, deadline_ns) ==
                       offsetof(struct img_rule4, deadline_ns),
               "both families' rules begin alike");

enum { PW_MARK_TIMED = 1 };

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

/* A slot whose key is equal. */
struct pw_found {
    __u64 hi;
    __u64 diff[2]; /* how its address differs from the packet's, in a merged group */
    __u32 slot, id;
};

/* Where a search is, without pointers: global functions write it. */
struct pw_key {
    __u64 seed;
    __u32 line, step; /* the chain's next line, and how far it is from there to the one after it */
    __u32 group;
    __u32 found; /* slots of the line that are left, one bit each */
    __u64 exact; /* ones, or zero in a merged group: addresses are compared later */
    /* The key of the chain that is walked. IPv4: src | dst << 32; IPv6: address of the slot. Of a
     * merged group the packet's own addresses. */
    __u64 key[2];
    __u64 hi;
    /* IPv6: whether the slot holds the destination; the masked address that it stores as a print,
     * and the print. */
    __u32 main_dst, print;
    __u64 other[2];
    __u16 sport_interval, dport_interval;
    __u16 sport_class, dport_class;
    __u8 zone;  /* of the interface; 0 if the image does not know it */
    __u8 place; /* IMG_PLACE() */
    __u8 _pad[6];
};

/* One search. */
struct pw_search {
    void *image;
    const __u8 *front; /* its first page, which begins with the header: pw_header() */
    const struct img_family *family;
    struct pw_packet *packet;
    struct pw_match *match;
    __u64 cand;   /* groups that are left */
    __u64 failed; /* the image leads nowhere */
    struct pw_key k;
    struct pw_found x;
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
    m->id = IMG_NO_COUNTER;
    return 0;
}

/* Takes a slot of the group over unless it is lighter than the best. 1 = its rule has to be asked
 * first: it is as heavy, or has a deadline. asked: that was done. */
__noinline int pw_take(struct pw_match *m, const struct pw_found *x, __u64 tuple, __u32 asked)
{
    if (!m || !x)
        return 0;
    __u64 w = IMG_TUPLE_W(tuple) | IMG_META_ACTION(x->hi), timed = IMG_TUPLE_TIMED(tuple);

    if (w < m->w)
        return 0;
    if (!asked && pw_unlikely(w == m->w || (timed && (w & 3) == PW_ACTION_PERMIT)))
        return 1;
    m->w = w;
    m->marks = IMG_META_MARKS(x->hi) | timed;
    m->id = x->id;
    m->slot = x->slot;
    return 0;
}

/* Does the packet lie outside the prefix? */
__noinline int pw_outside6(const struct pw_found *x, __u64 tuple, __u64 main_dst)
{
    if (!x)
        return 1;
    __u32 len = main_dst ? IMG_TUPLE_DST(tuple) : IMG_TUPLE_SRC(tuple);

    return (x->diff[0] & img_mask6_hi(len)) || (x->diff[1] & img_mask6_lo(len));
}

static __always_inline void pw_key4(struct pw_key *k, const struct pw_packet *p,
                                    const struct img_group *g)
{
    k->key[0] = (p->src_lo & g->src_lo & 0xffffffff) | (p->dst_lo & g->dst_lo) << 32;
    k->line = (__u32)img_hash4(k->seed, k->group, k->key[0], k->hi);
    if (!k->exact)
        k->key[0] = (p->src_lo & 0xffffffff) | p->dst_lo << 32;
}

static __always_inline void pw_key6(struct pw_key *k, const struct pw_packet *p,
                                    const struct img_group *g)
{
    __u64 src[2] = {p->src_hi & g->src_hi, p->src_lo & g->src_lo};
    __u64 dst[2] = {p->dst_hi & g->dst_hi, p->dst_lo & g->dst_lo};
    bool swap = g->main_dst;
    bool prints = swap ? g->src_hi | g->src_lo : g->dst_hi | g->dst_lo;

    k->key[0] = swap ? dst[0] : src[0];
    k->key[1] = swap ? dst[1] : src[1];
    k->other[0] = swap ? src[0] : dst[0];
    k->other[1] = swap ? src[1] : dst[1];
    k->print = prints ? img_fp6(k->seed, k->other[0], k->other[1]) : 0;
    k->line = (__u32)img_hash6(k->seed, k->group, k->key[0], k->key[1], k->hi, k->print);
    k->main_dst = swap;
    if (!k->exact) {
        k->key[0] = swap ? p->dst_hi : p->src_hi;
        k->key[1] = swap ? p->dst_lo : p->src_lo;
    }
}

/* The packet under the masks of group k->group, and where its chain begins. */
static __always_inline void pw_make_key(struct pw_key *k, const struct pw_packet *p,
                                        const struct img_group *g)
{
    __u16 sport = (p->sport & g->sport_exact) | (k->sport_interval & g->sport_interval);
    __u16 dport = (p->dport & g->dport_exact) | (k->dport_interval & g->dport_interval);

    k->hi = IMG_HI(sport, dport, p->proto & g->proto, (k->zone & g->zone) | (k->place & g->place));
    k->exact = (__u64)g->merged - 1; /* merged is 0 or 1 */
    k->found = 0;
    if (p->family == 4)
        pw_key4(k, p, g);
    else
        pw_key6(k, p, g);
    k->step = 1;
}

__noinline int pw_next_key(struct pw_key *k, const struct pw_packet *p, const struct img_group *g)
{
    if (!k || !p || !g)
        return -1;
    pw_make_key(k, p, g);
    return 0;
}

/* The same for the first group. To the verifier the function may have written anything: it follows
 * the walk once for all the ways that lead here, instead of once for each. */
__noinline int pw_first_key(struct pw_key *k, struct pw_packet *p, const struct img_group *g,
                            struct pw_meta *meta, struct pw_verdict *v)
{
    if (!k || !p || !g || !meta || !v)
        return -1;
    pw_make_key(k, p, g);
    barrier(); /* the compiler forgets, too */
    return 0;
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
    if (pw_likely(n < IMG_PAGE_LINES))
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
    struct pw_key *k = &s->k;

    k->sport_interval = k->dport_interval = 0;
    k->sport_class = k->dport_class =
        s->packet->l4 == PW_L4_ICMP ? IMG_CLASS_ICMP : IMG_CLASS_NO_L4;
    if (s->packet->l4 != PW_L4_PORTS)
        return 0;
    if (s->family->sport_words_off && pw_port(s, pw_header(s)->sport_off, s->packet->sport,
                                              &k->sport_interval, &k->sport_class) < 0)
        return -1;
    if (s->family->dport_words_off && pw_port(s, pw_header(s)->dport_off, s->packet->dport,
                                              &k->dport_interval, &k->dport_class) < 0)
        return -1;
    return 0;
}

/* What the image says about the packet's interface. */
static __always_inline int pw_where(struct pw_search *s)
{
    struct pw_key *k = &s->k;

    k->place = 0;
    if (!pw_header(s)->zones_off)
        return 0;
    const __u8 *places = pw_near(s, pw_header(s)->zones_off + k->zone / IMG_LINE_BYTES);
    if (!places)
        return -1;
    k->place = places[k->zone & (IMG_LINE_BYTES - 1)];
    if (!k->place)
        k->zone = 0;
    return 0;
}

/* Takes the groups of whole addresses away, if none of them names this one. */
static __always_inline int pw_prune_host(struct pw_search *s, __u32 off, __u32 bit,
                                         const __u64 *groups)
{
    const __u64 *words = pw_near(s, off + bit / (8 * IMG_LINE_BYTES));

    if (!words)
        return -1;
    if (!(words[bit >> 6 & 7] >> (bit & 63) & 1))
        s->cand &= ~*groups;
    return 0;
}

static __always_inline int pw_prune_hosts(struct pw_search *s, int family)
{
    const struct img_family *f = s->family;
    const struct pw_packet *p = s->packet;
    __u64 seed = pw_header(s)->seed;

    if (f->src_hosts_off &&
        pw_prune_host(s, f->src_hosts_off,
                      family == 4 ? img_host4(seed, (__u32)p->src_lo, f->src_hosts_bits & 31)
                                  : img_host6(seed, p->src_hi, p->src_lo, f->src_hosts_bits & 31),
                      &f->src_hosts) < 0)
        return -1;
    if (f->dst_hosts_off &&
        pw_prune_host(s, f->dst_hosts_off,
                      family == 4 ? img_host4(seed, (__u32)p->dst_lo, f->dst_hosts_bits & 31)
                                  : img_host6(seed, p->dst_hi, p->dst_lo, f->dst_hosts_bits & 31),
                      &f->dst_hosts) < 0)
        return -1;
    return 0;
}

static __always_inline int pw_prune_addresses(struct pw_search *s, int family)
{
    const struct img_family *f = s->family;
    const struct pw_packet *p = s->packet;
    __u64 seed = pw_header(s)->seed;
    __u32 src, dst;

    if (family == 4) {
        src = img_prune4((__u32)p->src_lo, f->src_bits & 31);
        dst = img_prune4((__u32)p->dst_lo, f->dst_bits & 31);
    } else {
        src = img_prune6(seed, p->src_hi, f->src_bits & 31);
        dst = img_prune6(seed, p->dst_hi, f->dst_bits & 31);
    }
    if (pw_prune(s, f->src_off, src, &s->cand) < 0 || pw_prune(s, f->dst_off, dst, &s->cand) < 0)
        return -1;
    return 0;
}

/* What is cheap and selective comes first: no group is left for most packets after the hosts and
 * the ports. */
static __always_inline int pw_candidates(struct pw_search *s, int family, __u32 me,
                                         bool only_icmp_typed)
{
    const struct img_family *f = s->family;

    s->cand = f->me[me & 3];
    if (only_icmp_typed)
        s->cand &= f->icmp_typed;
    if (pw_prune_hosts(s, family) < 0)
        return -1;
    if (s->cand && pw_prune(s, f->proto_off, s->packet->proto, &s->cand) < 0)
        return -1;
    if (s->cand &&
        (pw_classes(s) < 0 || pw_prune(s, f->dport_words_off, s->k.dport_class, &s->cand) < 0 ||
         pw_prune(s, f->sport_words_off, s->k.sport_class, &s->cand) < 0))
        return -1;
    return s->cand ? pw_prune_addresses(s, family) : 0;
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

/* The two words of struct img_rule4, or the four of struct img_rule6. */
static __always_inline const __u64 *pw_rule(const struct pw_search *s, __u32 slot, int family)
{
    __u32 per_line = family == 4 ? 4 : 2;
    const __u64 *rule = pw_line(s->image, s->family->rules_off + slot / per_line);

    return rule ? rule + (slot & (per_line - 1)) * (8 / per_line) : NULL;
}

/* What few slots are asked: between equal weights the smaller order wins, and a permit has its
 * time. 1 = the slot wins. */
static __always_inline int pw_rule_wins(struct pw_search *s, __u64 tuple, int family)
{
    __u64 w = IMG_TUPLE_W(tuple) | IMG_META_ACTION(s->x.hi);
    bool is_equal = w == s->match->w;
    const __u64 *rule = pw_rule(s, s->x.slot, family), *best = rule;

    if (is_equal)
        best = pw_rule(s, (__u32)s->match->slot, family);
    if (!rule || !best)
        return -1;
    if (is_equal && (__u32)rule[0] >= (__u32)best[0])
        return 0;
    if (!IMG_TUPLE_TIMED(tuple) || (w & 3) != PW_ACTION_PERMIT)
        return 1;
    return bpf_ktime_get_boot_ns() < rule[1];
}

static __noinline int pw_rule4_wins(struct pw_search *s, __u64 tuple)
{
    return pw_rule_wins(s, tuple, 4);
}

static __noinline int pw_rule6_wins(struct pw_search *s, __u64 tuple)
{
    return pw_rule_wins(s, tuple, 6);
}

/* The slot in s->x, which has the bits of the key: 1 = it is of the group and has the packet's
 * key. */
static __always_inline int pw_slot(struct pw_search *s, int family)
{
    const struct pw_found *x = &s->x;
    __u64 tuple;

    if (pw_unlikely(!IMG_META_ACTION(x->hi) || IMG_META_TUPLE(x->hi) == IMG_TUPLE_DELETED))
        return 0;
    if (pw_tuple(s, x->hi, &tuple) < 0)
        return -1;
    if (pw_unlikely(IMG_TUPLE_GROUP(tuple) != s->k.group))
        return 0;
    if (pw_unlikely(!s->k.exact) &&
        (family == 4 ? !!(x->diff[0] & img_mask4(tuple)) : pw_outside6(x, tuple, s->k.main_dst)))
        return 0;
    if (family == 6 && s->k.print) {
        /* The print is 29 bits of a keyed hash: confirmed against the address itself. */
        const __u64 *rule = pw_rule(s, x->slot, 6);
        if (!rule)
            return -1;
        if (rule[2] != s->k.other[0] || rule[3] != s->k.other[1])
            return 0;
    }
    if (pw_unlikely(pw_take(s->match, x, tuple, 0))) {
        int wins = family == 4 ? pw_rule4_wins(s, tuple) : pw_rule6_wins(s, tuple);
        if (wins < 0)
            return -1;
        if (wins)
            pw_take(s->match, x, tuple, 1);
    }
    return 1;
}

/* The next candidate group, lowest first. */
static __always_inline const struct img_group *pw_next_group(struct pw_search *s)
{
    s->k.group = pw_lowest_bit(s->cand);
    s->cand &= s->cand - 1;
    return pw_near(s, s->family->groups_off + s->k.group);
}

/* 1 if the word is zero. No branch, since nothing can foretell it: which slot of a line is the
 * packet's is chance, and a wrong guess costs as much as the rest of the look at the line. */
static __always_inline __u64 pw_is_zero(__u64 word)
{
    __u64 negative = -word;

    barrier_var(negative); /* or the compiler makes a branch of it */
    return ~(word | negative) >> 63;
}

/* The slots of a line that have the bits of the key, one bit each. */
static __always_inline __u64 pw_equal4(const struct pw_key *key, const struct img_line4 *l)
{
    __u64 found = 0;

#pragma unroll
    for (int k = 0; k < IMG_SLOTS4; k++)
        found |= pw_is_zero(((l->lo[k] ^ key->key[0]) & key->exact) |
                            ((l->hi[k] ^ key->hi) & IMG_HI_KEY))
                 << k;
    return found;
}

static __always_inline __u64 pw_equal6(const struct pw_key *key, const struct img_slot6 *slots)
{
    __u64 found = 0;

#pragma unroll
    for (int k = 0; k < IMG_SLOTS6; k++)
        found |= pw_is_zero((((slots[k].addr_hi ^ key->key[0]) | (slots[k].addr_lo ^ key->key[1])) &
                             key->exact) |
                            ((slots[k].hi ^ key->hi) & IMG_HI_KEY) |
                            (IMG_TAIL6_PRINT(slots[k].tail) ^ key->print))
                 << k;
    return found;
}

/* Slot k of a line, k below 4. */
static __always_inline void pw_find4(struct pw_search *s, const void *line, __u32 k)
{
    const __u64 *words = line;
    const __u32 *ids = (const __u32 *)((const struct img_line4 *)line)->counter_id;

    s->x.hi = words[IMG_SLOTS4 + k];
    s->x.diff[0] = words[k] ^ s->k.key[0];
    s->x.diff[1] = 0;
    s->x.id = ids[k];
}

static __always_inline void pw_find6(struct pw_search *s, const void *line, __u32 k)
{
    const struct img_slot6 *slot = (const struct img_slot6 *)line + (k & 1);

    s->x.hi = slot->hi;
    s->x.diff[0] = slot->addr_hi ^ s->k.key[0];
    s->x.diff[1] = slot->addr_lo ^ s->k.key[1];
    s->x.id = IMG_TAIL6_ID(slot->tail);
}

/* The line that is next. */
static __always_inline const void *pw_next_line(const struct pw_search *s)
{
    return pw_line(s->image, s->family->slots_off + (s->k.line & s->family->slots_mask));
}

/* img_chain(), step by step. */
static __always_inline void pw_leave_line(struct pw_key *k, __u64 goes_on)
{
    k->line += k->step;
    k->step = goes_on ? k->step + 1 : IMG_PROBES + 1;
}

static __always_inline bool pw_is_over(const struct pw_key *k)
{
    return k->step > IMG_PROBES;
}

/* Looks at the next slot of the chain's line that has the bits of the key, if there is one.
 * Negative: the image leads nowhere. is_first: of the chain. */
static __always_inline long pw_look(struct pw_search *s, const void *line, int family,
                                    bool is_first)
{
    __u32 slots = family == 4 ? IMG_SLOTS4 : IMG_SLOTS6;

    if (!line)
        return -1;
    __u64 more = family == 4 ? ((const struct img_line4 *)line)->more
                             : IMG_TAIL6_MORE(((const struct img_slot6 *)line)->tail);
    __u64 found = is_first ? 0 : s->k.found;
    if (!found)
        found = family == 4 ? pw_equal4(&s->k, line) : pw_equal6(&s->k, line);
    if (found) {
        __u32 k = pw_forget(0x1210 >> (found * 2)) & 3; /* the lowest bit of 1 to 7 */

        if (family == 4)
            pw_find4(s, line, k);
        else
            pw_find6(s, line, k);
        s->x.slot = (s->k.line & s->family->slots_mask) * slots + k;
        int r = pw_slot(s, family);
        if (r < 0)
            return r;
        /* Ours, and nobody else has this key: the chain is over. */
        __u64 over = pw_forget((__u32)r) & ~(more >> k) & 1;
        found &= (found - 1) & (over - 1);
        more &= over - 1;
    }
    s->k.found = (__u32)found;
    if (!found)
        pw_leave_line(&s->k, more & IMG_CHAIN(slots));
    return 0;
}

/* One step of the walk; 1 = the search is over, negative = the image leads nowhere. */
static __always_inline long pw_walk_on(struct pw_search *s, int family)
{
    if (pw_is_over(&s->k)) {
        if (!s->cand)
            return 1;
        const struct img_group *g = pw_next_group(s);
        if (!g)
            return -1;
        if (g->maxw < s->match->w)
            return 1;
        pw_next_key(&s->k, s->packet, g);
        s->match->probes++;
    }
    return pw_look(s, pw_next_line(s), family, false);
}

static __always_inline long pw_step(struct pw_search *s, int family)
{
    long r = pw_walk_on(s, family);

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

/* Of a walk at most: every slot of every line. */
enum { PW_STEPS = IMG_MAX_GROUPS * IMG_PROBES * IMG_SLOTS4 };

/* Walks the chains of all candidates. The first line is looked at without bpf_loop, which costs
 * calls: there is seldom another one. */
static __always_inline int pw_walk(struct pw_search *s, int family)
{
    s->match->probes = 1;
    if (pw_unlikely(pw_look(s, pw_next_line(s), family, true)))
        return -1;
    if (pw_likely(!s->cand && pw_is_over(&s->k)))
        return 0;
    s->failed = 0;
    if (family == 4)
        bpf_loop(PW_STEPS, pw_step4, s, 0);
    else
        bpf_loop(PW_STEPS, pw_step6, s, 0);
    return s->failed ? -1 : 0;
}

/* The heaviest match of the packet, match.w = 0 if there is none; that is what it must be before.
 * me: src_me | dst_me << 1. Negative: the image is damaged. */
static __always_inline int pw_search(struct pw_search *s, struct pw_meta *meta,
                                     struct pw_verdict *v, int family, __u32 me)
{
    s->family = (const void *)(s->front + (family == 4 ? IMG_FAMILY4_LINE : IMG_FAMILY6_LINE) *
                                              IMG_LINE_BYTES);
    if (!s->family->n_groups)
        return 0;
    if (pw_candidates(s, family, me, v->unmatched != PW_PASSED) < 0)
        return -1;
    if (!s->cand)
        return 0;
    if (pw_where(s) < 0)
        return -1;
    const struct img_group *g = pw_next_group(s);
    if (!g)
        return -1;
    s->k.seed = pw_header(s)->seed;
    pw_first_key(&s->k, s->packet, g, meta, v);
    return pw_walk(s, family);
}
