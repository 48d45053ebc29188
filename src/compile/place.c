/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/place.c: one entry in a finished image: its group, its chain, its slot, and the stores
 * that put it there or take it out.
 * Called by patch.c. Invariant: the stores of an entry are recorded in the order rule, bits that
 * prolong walks, counter, key, action, pruning bits; a deleted slot is only used again by its own
 * key. */
#include <errno.h>
#include <string.h>

#include "place.h"

enum {
    /* Additions end where so much of a table is used: many of them make a new, larger one before
     * lookups become long. The whole table decides, and not how many lines of one chain are full:
     * in a new image one chain of some hundred begins with five full ones, one of a million has
     * no free slot. */
    PATCH_PERCENT = 66,
    /* Words of a line. */
    LINE4_HI = offsetof(struct img_line4, hi) / WORD,
    LINE4_IDS = offsetof(struct img_line4, counter_id) / WORD, /* two counters each */
    LINE4_MORE = offsetof(struct img_line4, more) / WORD,      /* in the upper half */
    SLOT6_WORDS = sizeof(struct img_slot6) / WORD,
    SLOT6_HI = offsetof(struct img_slot6, hi) / WORD,
    SLOT6_TAIL = offsetof(struct img_slot6, tail) / WORD,
    MORE4_SHIFT = 32,
};
_Static_assert(LINE4_IDS *WORD == offsetof(struct img_line4, counter_id) &&
                   LINE4_MORE * WORD + MORE4_SHIFT / 8 == offsetof(struct img_line4, more),
               "halves of words");

/* --- where an entry belongs --- */

/* A merged group takes prefixes of any length that its own masks cover. IPv6: on the side whose
 * address is in the slot. */
static bool takes_prefix(unsigned fam, const struct img_group *have, const struct img_group *want)
{
    if (!have->merged || have->main_dst != want->main_dst)
        return false;
    bool same_src = have->src_hi == want->src_hi && have->src_lo == want->src_lo;
    bool same_dst = have->dst_hi == want->dst_hi && have->dst_lo == want->dst_lo;
    if (fam == FAM6 && !(have->main_dst ? same_src : same_dst))
        return false;
    return (have->src_hi & want->src_hi) == have->src_hi &&
           (have->src_lo & want->src_lo) == have->src_lo &&
           (have->dst_hi & want->dst_hi) == have->dst_hi &&
           (have->dst_lo & want->dst_lo) == have->dst_lo;
}

static bool group_is(const struct img_family *f, unsigned fam, const struct img_group *have,
                     const struct img_group *want, unsigned g, struct shape s)
{
    struct img_group masks = *have;
    __u64 bit = 1ULL << g;
    masks.maxw = 0;
    if (takes_prefix(fam, have, want)) {
        masks.merged = 0;
        masks.src_hi = want->src_hi;
        masks.src_lo = want->src_lo;
        masks.dst_hi = want->dst_hi;
        masks.dst_lo = want->dst_lo;
    }
    /* A group without `me` of one side has its bit where only the other side is `me`. */
    return memcmp(&masks, want, sizeof(masks)) == 0 && !(f->me[2] & bit) == s.src_me &&
           !(f->me[1] & bit) == s.dst_me;
}

static int find_group(const struct image_patcher *p, unsigned fam, struct shape s, uint8_t *ret)
{
    const struct img_family *f = patch_family(p, fam);
    const struct img_group *groups = patch_line(p, f->groups_off);
    struct img_group want = shape_masks(fam, s);
    for (unsigned g = 0; g < f->n_groups; g++) {
        if (group_is(f, fam, &groups[g], &want, g, s)) {
            *ret = (uint8_t)g;
            return 0;
        }
    }
    return -EAGAIN;
}

/* The value of the port field in the key; of a range, that of its first interval. */
static uint32_t key_value(const struct image_patcher *p, bool destination, uint8_t kind,
                          struct port_range r)
{
    const struct img_port *ports = patch_ports(p, destination);
    return kind == PORTS_RANGE && ports ? ports[r.first].interval : r.first;
}

int spot_make(const struct image_patcher *p, const struct item *it, struct spot *ret)
{
    uint8_t group;
    int r = find_group(p, it->family, it->shape, &group);
    if (r < 0)
        return r;
    struct spot s = {.it = *it, .fam = it->family};
    uint32_t sport = key_value(p, false, it->shape.sport, it->sport);
    uint32_t dport = key_value(p, true, it->shape.dport, it->dport);
    uint64_t seed = patch_header(p)->seed;
    s.e = entry_make(it, group, sport, dport);
    const struct img_group *masks =
        (const struct img_group *)patch_line(p, patch_family(p, s.fam)->groups_off) + group;
    s.print = entry_print(seed, s.fam, &s.e);
    s.hash = entry_hash(seed, s.fam, masks, &s.e, s.print);
    *ret = s;
    return 0;
}

static bool is_one_interval(const struct image_patcher *p, bool destination, uint8_t kind,
                            struct port_range r)
{
    const struct img_port *ports = patch_ports(p, destination);
    if (kind != PORTS_RANGE)
        return true;
    if (!ports)
        return false;
    uint16_t number = ports[r.first].interval;
    return ports[r.last].interval == number &&
           (r.first == 0 || ports[r.first - 1].interval != number) &&
           (r.last == UINT16_MAX || ports[r.last + 1].interval != number);
}

bool spot_is_single(const struct image_patcher *p, const struct item *it)
{
    return is_one_interval(p, false, it->shape.sport, it->sport) &&
           is_one_interval(p, true, it->shape.dport, it->dport);
}

/* Word of a line that holds a slot, of a part of it, and of its rule. */
static uint32_t line_word(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    return (patch_family(p, s->fam)->slots_off + slot / slots_per_line(s->fam)) * WORDS_PER_LINE;
}

static uint32_t hi_word(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    uint32_t k = slot % slots_per_line(s->fam);
    return line_word(p, s, slot) + (s->fam == FAM4 ? LINE4_HI + k : k * SLOT6_WORDS + SLOT6_HI);
}

static uint32_t rule_word(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    return patch_family(p, s->fam)->rules_off * WORDS_PER_LINE + slot * (rule_bytes(s->fam) / WORD);
}

static uint64_t slot_hi(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    return patch_word(p, hi_word(p, s, slot));
}

/* The word with the counter's id, and where in it that begins. */
static uint32_t id_word(const struct image_patcher *p, const struct spot *s, uint32_t slot,
                        unsigned *ret_shift)
{
    uint32_t k = slot % slots_per_line(s->fam), line = line_word(p, s, slot);
    *ret_shift = s->fam == FAM4 ? k % 2 * 32 : 0;
    return line + (s->fam == FAM4 ? LINE4_IDS + k / 2 : k * SLOT6_WORDS + SLOT6_TAIL);
}

static uint32_t slot_counter(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    unsigned shift;
    uint32_t word = id_word(p, s, slot, &shift);
    return (uint32_t)(patch_word(p, word) >> shift);
}

/* `more` of the line of a slot. */
static uint32_t more_word(const struct image_patcher *p, const struct spot *s, uint32_t slot,
                          unsigned *ret_shift)
{
    *ret_shift = s->fam == FAM4 ? MORE4_SHIFT : IMG_MORE6_SHIFT;
    return line_word(p, s, slot) + (s->fam == FAM4 ? (uint32_t)LINE4_MORE : (uint32_t)SLOT6_TAIL);
}

static bool goes_on(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    unsigned shift;
    uint32_t word = more_word(p, s, slot, &shift);
    return patch_word(p, word) >> shift & IMG_CHAIN(slots_per_line(s->fam));
}

static int add_more(struct image_patcher *p, const struct spot *s, uint32_t slot, unsigned bits)
{
    unsigned shift;
    uint32_t word = more_word(p, s, slot, &shift);
    return patch_store(p, word, patch_word(p, word) | (uint64_t)bits << shift);
}

/* As a walk compares keys: of the group, or of another one with the same bits. */
static bool slot_has_print(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    uint32_t k = slot % slots_per_line(s->fam), line = line_word(p, s, slot);
    if ((slot_hi(p, s, slot) & IMG_HI_KEY) != s->e.hi)
        return false;
    if (s->fam == FAM4)
        return patch_word(p, line + k) == s->e.a_lo;
    struct img_slot6 six;
    patch_get(p, line + k * SLOT6_WORDS, &six, SLOT6_WORDS);
    return six.addr_hi == s->e.a_hi && six.addr_lo == s->e.a_lo &&
           IMG_TAIL6_PRINT(six.tail) == s->print;
}

static bool slot_has_key(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    if (!slot_has_print(p, s, slot))
        return false;
    if (s->fam == FAM4)
        return true;
    struct img_rule6 rule;
    patch_get(p, rule_word(p, s, slot), &rule, sizeof(rule) / WORD);
    return rule.other_hi == s->e.b_hi && rule.other_lo == s->e.b_lo;
}

uint32_t spot_order(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    struct img_rule4 rule; /* both kinds begin alike */
    patch_get(p, rule_word(p, s, slot), &rule, sizeof(rule) / WORD);
    return rule.order;
}

static uint32_t chain_slot(const struct image_patcher *p, const struct spot *s, unsigned i)
{
    unsigned n = slots_per_line(s->fam);
    uint32_t line = img_chain(s->hash, i / n) & patch_family(p, s->fam)->slots_mask;
    return line * n + i % n;
}

/* Slots of all lines that a walk looks at. */
static unsigned chain_slots(const struct image_patcher *p, const struct spot *s)
{
    unsigned n = slots_per_line(s->fam), lines = 1;
    while (lines < IMG_PROBES && goes_on(p, s, chain_slot(p, s, (lines - 1) * n)))
        lines++;
    return lines * n;
}

/* Counts a slot that was empty as used, if additions may have one more. */
static int use_slot(struct image_patcher *p, const struct spot *s)
{
    struct img_family f;
    patch_get(p, patch_family_line(s->fam) * WORDS_PER_LINE, &f, sizeof(f) / WORD);
    uint64_t n_slots = ((uint64_t)f.slots_mask + 1) * slots_per_line(s->fam);
    f.n_used++;
    if (f.n_used * UINT64_C(100) > n_slots * PATCH_PERCENT)
        return -EAGAIN;
    return patch_put(p, patch_family_line(s->fam) * WORDS_PER_LINE, &f,
                     offsetof(struct img_family, n_used) / WORD, 1);
}

/* An empty slot, or a deleted one of the same key. */
static int take_room(struct image_patcher *p, const struct spot *s, uint32_t *ret_slot)
{
    for (unsigned i = 0; i < IMG_PROBES * slots_per_line(s->fam); i++) {
        uint32_t slot = chain_slot(p, s, i);
        uint64_t hi = slot_hi(p, s, slot);
        bool is_empty = IMG_META_ACTION(hi) == 0;
        if (is_empty || (IMG_META_TUPLE(hi) == IMG_TUPLE_DELETED && slot_has_key(p, s, slot))) {
            *ret_slot = slot;
            return is_empty ? use_slot(p, s) : 0;
        }
    }
    return -EAGAIN;
}

static bool is_tuple_of(__u64 tuple, const struct entry *e)
{
    return IMG_TUPLE_GROUP(tuple) == e->group && IMG_TUPLE_SRC(tuple) == e->src_len &&
           IMG_TUPLE_DST(tuple) == e->dst_len;
}

/* The slot in which the entry is now. The deadline of a block may have changed since it was
 * written, since no verdict depends on it; the counter says whose slot it is. */
int spot_find(const struct image_patcher *p, const struct spot *s, uint32_t *ret_slot)
{
    uint32_t tuples = patch_family(p, s->fam)->tuples_off * WORDS_PER_LINE;
    for (unsigned i = 0; i < chain_slots(p, s); i++) {
        uint32_t slot = chain_slot(p, s, i);
        uint64_t hi = slot_hi(p, s, slot);
        if (IMG_META_ACTION(hi) != 0 && IMG_META_TUPLE(hi) != IMG_TUPLE_DELETED &&
            is_tuple_of(patch_word(p, tuples + (uint32_t)IMG_META_TUPLE(hi)), &s->e) &&
            slot_has_key(p, s, slot) && slot_counter(p, s, slot) == s->e.counter_id) {
            *ret_slot = slot;
            return 0;
        }
    }
    return -EAGAIN;
}

/* --- adding --- */

/* Number of the tuple; a new one takes a word that is left in the last line. Those of the image do
 * not change. */
static int take_tuple(struct image_patcher *p, struct spot *s)
{
    struct img_family f;
    uint32_t n_have = patch_family(p, s->fam)->n_tuples;
    const __u64 *have = patch_line(p, patch_family(p, s->fam)->tuples_off);
    __u64 want = entry_tuple(&s->e);
    patch_get(p, patch_family_line(s->fam) * WORDS_PER_LINE, &f, sizeof(f) / WORD);
    for (uint32_t t = 0; t < f.n_tuples; t++) {
        if ((t < n_have ? have[t] : patch_word(p, f.tuples_off * WORDS_PER_LINE + t)) == want) {
            s->e.tuple = (uint16_t)t;
            return 0;
        }
    }
    if (f.n_tuples % WORDS_PER_LINE == 0 || f.n_tuples >= IMG_MAX_TUPLES)
        return -EAGAIN;
    s->e.tuple = (uint16_t)f.n_tuples++;
    int r = patch_store(p, f.tuples_off * WORDS_PER_LINE + s->e.tuple, want);
    return r < 0 ? r
                 : patch_put(p, patch_family_line(s->fam) * WORDS_PER_LINE, &f,
                             offsetof(struct img_family, n_tuples) / WORD, 1);
}

/* A lookup stops at the first group that is too light: none before this one may be. */
static int raise_groups(struct image_patcher *p, const struct spot *s)
{
    uint32_t off = patch_family(p, s->fam)->groups_off;
    uint64_t w = IMG_W(s->e.tier, s->e.weight);
    int r = 0;
    for (unsigned g = 0; g <= s->e.group && r == 0; g++) {
        uint32_t maxw =
            (off + g) * WORDS_PER_LINE + (uint32_t)offsetof(struct img_group, maxw) / WORD;
        if (patch_word(p, maxw) < w)
            r = patch_store(p, maxw, w);
    }
    return r;
}

static int put_id(struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    unsigned shift;
    uint32_t word = id_word(p, s, slot, &shift);
    uint64_t id = s->e.counter_id, old = patch_word(p, word) & ~(UINT64_C(0xffffffff) << shift);
    if (s->fam == FAM6) /* the rest of a tail: print, and what is said about the line */
        old = (old & ~IMG_TAIL6(0, IMG_PRINT_MASK)) | IMG_TAIL6(0, s->print);
    return patch_store(p, word, old | id << shift);
}

static int put_rule(struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    struct img_rule6 rule = {.order = s->e.order, /* both kinds begin alike */
                             .deadline_ns = s->e.deadline_ns,
                             .other_hi = s->e.b_hi,
                             .other_lo = s->e.b_lo};
    return patch_put(p, rule_word(p, s, slot), &rule, 0, rule_bytes(s->fam) / WORD);
}

/* The lines before the slot say that the chain goes on, and slots with the same key that they are
 * not alone: a walk becomes longer before there is something to find. */
static int prolong_walks(struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    unsigned n = slots_per_line(s->fam);
    const struct img_group *groups = patch_line(p, patch_family(p, s->fam)->groups_off);
    bool is_shared = groups[s->e.group].merged;
    int r = 0;
    for (unsigned i = 0; r == 0 && chain_slot(p, s, i) / n != slot / n; i += n)
        r = add_more(p, s, chain_slot(p, s, i), IMG_CHAIN(n));
    for (unsigned i = 0, end = chain_slots(p, s); i < end && r == 0; i++) {
        uint32_t other = chain_slot(p, s, i);
        if (other == slot || IMG_META_ACTION(slot_hi(p, s, other)) == 0 ||
            !slot_has_print(p, s, other))
            continue;
        is_shared = true;
        r = add_more(p, s, other, 1U << other % n);
    }
    return r < 0 || !is_shared ? r : add_more(p, s, slot, 1U << slot % n);
}

static int put_slot(struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    uint32_t k = slot % slots_per_line(s->fam), line = line_word(p, s, slot);
    int r = put_rule(p, s, slot);
    if (r == 0)
        r = prolong_walks(p, s, slot);
    if (r == 0)
        r = put_id(p, s, slot);
    if (r == 0 && s->fam == FAM4)
        r = patch_store(p, line + k, s->e.a_lo);
    if (r == 0 && s->fam == FAM6)
        r = patch_store(p, line + k * SLOT6_WORDS, s->e.a_hi);
    if (r == 0 && s->fam == FAM6)
        r = patch_store(p, line + k * SLOT6_WORDS + 1, s->e.a_lo);
    return r < 0 ? r : patch_store(p, hi_word(p, s, slot), s->e.hi | entry_meta(&s->e));
}

/* The packet with the smallest or largest values that the entry matches. */
static struct packet corner(const struct spot *s, bool high)
{
    const struct item *it = &s->it;
    struct packet p = {
        .family = family_of(s->fam),
        .src = corner_ip(s->fam, it->src, it->shape.src_len, high),
        .dst = corner_ip(s->fam, it->dst, it->shape.dst_len, high),
        .proto = it->shape.proto || !high ? it->proto : 0xff,
        .l4_known = it->shape.sport != PORTS_ANY || it->shape.dport != PORTS_ANY,
        .sport = high ? it->sport.last : it->sport.first,
        .dport = high ? it->dport.last : it->dport.first,
    };
    if (it->shape.dport == PORTS_ICMP_TYPE && high)
        p.dport |= 0xff;
    p.icmp_type = (uint8_t)(p.dport >> 8);
    p.icmp_code = (uint8_t)p.dport;
    return p;
}

bool spot_is_found(const struct image *img, const struct spot *s)
{
    struct packet low = corner(s, false), high = corner(s, true);
    unsigned me = (unsigned)s->it.shape.src_me | (unsigned)s->it.shape.dst_me << 1;
    return image_has_entry(img, &low, &high, me, &s->e);
}

int spot_add(struct image_patcher *p, struct spot *s)
{
    uint32_t slot;
    int r = take_room(p, s, &slot);
    if (r == 0)
        r = take_tuple(p, s);
    if (r == 0)
        r = raise_groups(p, s);
    if (r < 0)
        return r;
    r = put_slot(p, s, slot);
    if (r == 0)
        r = patch_set_pruning(p, s);
    p->n_entries++;
    return r;
}

/* --- deleting --- */

/* losers: an entry that others cover has no slot. */
int spot_delete(struct image_patcher *p, const struct spot *s, bool losers)
{
    uint32_t slot;
    int r = spot_find(p, s, &slot);
    if (r < 0)
        return losers ? 0 : r;
    uint64_t hi = s->e.hi | IMG_META(IMG_TUPLE_DELETED, 0, 0, s->e.weight & 3);
    p->n_entries--;
    return patch_store(p, hi_word(p, s, slot), hi);
}
