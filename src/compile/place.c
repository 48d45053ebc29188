/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/place.c: one entry in a finished image: its group, its chain, its slot, and the stores
 * that put it there or take it out.
 * Called by patch.c. Invariant: the stores of an entry are recorded in the order rule, key, action,
 * pruning bits; a deleted slot is only used again by its own key. */
#include <errno.h>
#include <string.h>

#include "place.h"

enum {
    /* Lines that a new entry may lie from the begin of its chain: half of what a lookup walks, so
     * that many additions make a new, larger table before lookups become long. */
    PATCH_LINES = IMG_PROBES / 2,
    SLOT4_HI = 1, /* word of a slot */
    SLOT6_HI = 2,
};
_Static_assert(offsetof(struct img_slot4, hi) == SLOT4_HI * WORD, "word of hi");
_Static_assert(offsetof(struct img_slot6, hi) == SLOT6_HI * WORD, "word of hi");

/* --- the image as words --- */

static const void *line_of(const struct image_patcher *p, uint32_t line)
{
    return (const uint8_t *)p->img->lines + (size_t)line * IMG_LINE_BYTES;
}

const struct img_header *patch_header(const struct image_patcher *p)
{
    return line_of(p, IMG_HEADER_LINE);
}

static uint32_t family_line(unsigned fam)
{
    return fam == FAM4 ? IMG_FAMILY4_LINE : IMG_FAMILY6_LINE;
}

static const struct img_family *family(const struct image_patcher *p, unsigned fam)
{
    return line_of(p, family_line(fam));
}

/* Place of a word among those stored, or the free one where it belongs. At most half are used. */
static uint32_t pending_at(const struct image_patcher *p, uint32_t word)
{
    uint32_t i = word * 0x9e3779b1U >> 20;
    _Static_assert(PENDING == 1 << 12, "bits of the hash");
    while (p->pending[i].word != 0 && p->pending[i].word != word + 1)
        i = (i + 1) % PENDING;
    return i;
}

static uint64_t get(const struct image_patcher *p, uint32_t word)
{
    const struct pending *w = &p->pending[pending_at(p, word)];
    uint64_t value;
    if (w->word != 0)
        return p->out->v[w->at].value;
    memcpy(&value, (const uint8_t *)p->img->lines + (size_t)word * WORD, WORD);
    return value;
}

void patch_get(const struct image_patcher *p, uint32_t at, void *part, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t value = get(p, at + i);
        memcpy((uint8_t *)part + (size_t)i * WORD, &value, WORD);
    }
}

void patch_forget(struct image_patcher *p)
{
    if (p->out->n > PENDING / 64) {
        memset(p->pending, 0, sizeof(p->pending));
        return;
    }
    /* A word may stand behind others that are cleared first: all up to the next free one go. */
    for (size_t k = 0; k < p->out->n; k++) {
        uint32_t i = p->out->v[k].word * 0x9e3779b1U >> 20;
        for (; p->pending[i].word != 0; i = (i + 1) % PENDING)
            p->pending[i].word = 0;
    }
}

static int put(struct image_patcher *p, uint32_t word, uint64_t value)
{
    struct image_patch *o = p->out;
    uint64_t before = get(p, word);
    if (before == value)
        return 0;
    if (o->n >= PATCH_STORES)
        return -EAGAIN;
    int r = array_reserve(&o->v, &o->cap, o->n + 1, sizeof(*o->v));
    if (r < 0)
        return r;
    p->pending[pending_at(p, word)] = (struct pending){.word = word + 1, .at = (uint32_t)o->n};
    o->v[o->n++] = (struct image_store){.word = word, .value = value, .before = before};
    return 0;
}

/* Words [first, first + n) of a part that begins at `word`. */
int patch_put(struct image_patcher *p, uint32_t word, const void *part, uint32_t first, uint32_t n)
{
    int r = 0;
    for (uint32_t i = first; i < first + n && r == 0; i++) {
        uint64_t value;
        memcpy(&value, (const uint8_t *)part + (size_t)i * WORD, WORD);
        r = put(p, word + i, value);
    }
    return r;
}

static int set_bit(struct image_patcher *p, uint32_t off, uint32_t index, unsigned group)
{
    if (off == 0) /* this dimension prunes nothing */
        return 0;
    uint32_t word = off * WORDS_PER_LINE + index;
    return put(p, word, get(p, word) | 1ULL << group);
}

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
    const struct img_family *f = family(p, fam);
    const struct img_group *groups = line_of(p, f->groups_off);
    struct img_group want = shape_masks(fam, s);
    for (unsigned g = 0; g < f->n_groups; g++) {
        if (group_is(f, fam, &groups[g], &want, g, s)) {
            *ret = (uint8_t)g;
            return 0;
        }
    }
    return -EAGAIN;
}

static const struct img_port *ports_of(const struct image_patcher *p, bool destination)
{
    uint32_t off = destination ? patch_header(p)->dport_off : patch_header(p)->sport_off;
    return off == 0 ? NULL : line_of(p, off);
}

/* The value of the port field in the key; of a range, that of its first interval. */
static uint32_t key_value(const struct image_patcher *p, bool destination, uint8_t kind,
                          struct port_range r)
{
    const struct img_port *ports = ports_of(p, destination);
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
        (const struct img_group *)line_of(p, family(p, s.fam)->groups_off) + group;
    s.print = entry_print(seed, s.fam, &s.e);
    s.hash = entry_hash(seed, s.fam, masks, &s.e, s.print);
    *ret = s;
    return 0;
}

static bool is_one_interval(const struct image_patcher *p, bool destination, uint8_t kind,
                            struct port_range r)
{
    const struct img_port *ports = ports_of(p, destination);
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

static unsigned slots_per_line(const struct spot *s)
{
    return s->fam == FAM4 ? IMG_LINE_BYTES / sizeof(struct img_slot4)
                          : IMG_LINE_BYTES / sizeof(struct img_slot6);
}

static uint32_t slot_words(const struct spot *s)
{
    return WORDS_PER_LINE / slots_per_line(s);
}

/* First word of a slot, and of its rule. */
static uint32_t slot_at(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    return family(p, s->fam)->slots_off * WORDS_PER_LINE + slot * slot_words(s);
}

static uint32_t rule_at(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    return family(p, s->fam)->rules_off * WORDS_PER_LINE + slot * slot_words(s);
}

static uint64_t slot_hi(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    return get(p, slot_at(p, s, slot) + (s->fam == FAM4 ? SLOT4_HI : SLOT6_HI));
}

static bool slot_has_key(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    if ((slot_hi(p, s, slot) & IMG_HI_KEY) != s->e.hi)
        return false;
    if (s->fam == FAM4)
        return get(p, slot_at(p, s, slot)) == s->e.a_lo;
    struct img_slot6 six;
    struct img_rule6 rule;
    patch_get(p, slot_at(p, s, slot), &six, sizeof(six) / WORD);
    patch_get(p, rule_at(p, s, slot), &rule, sizeof(rule) / WORD);
    return six.addr_hi == s->e.a_hi && six.addr_lo == s->e.a_lo && six.other_fp == s->print &&
           rule.other_hi == s->e.b_hi && rule.other_lo == s->e.b_lo;
}

/* Both kinds of rule begin alike. */
struct img_rule4 spot_rule(const struct image_patcher *p, const struct spot *s, uint32_t slot)
{
    struct img_rule4 rule;
    patch_get(p, rule_at(p, s, slot), &rule, sizeof(rule) / WORD);
    return rule;
}
_Static_assert(offsetof(struct img_rule6, deadline_ns) == offsetof(struct img_rule4, deadline_ns),
               "both kinds of rule begin alike");

static uint32_t chain_slot(const struct image_patcher *p, const struct spot *s, unsigned i)
{
    unsigned n = slots_per_line(s);
    uint32_t line = (uint32_t)(s->hash + i / n) & family(p, s->fam)->slots_mask;
    return line * n + i % n;
}

/* The end of the chain, or a deleted slot of the same key. */
static int find_room(const struct image_patcher *p, const struct spot *s, uint32_t *ret_slot)
{
    for (unsigned i = 0; i < PATCH_LINES * slots_per_line(s); i++) {
        uint32_t slot = chain_slot(p, s, i);
        uint64_t hi = slot_hi(p, s, slot);
        if (IMG_META_ACTION(hi) == 0 ||
            (IMG_META_TUPLE(hi) == IMG_TUPLE_DELETED && slot_has_key(p, s, slot))) {
            *ret_slot = slot;
            return 0;
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
    uint32_t tuples = family(p, s->fam)->tuples_off * WORDS_PER_LINE;
    for (unsigned i = 0; i < IMG_PROBES * slots_per_line(s); i++) {
        uint32_t slot = chain_slot(p, s, i);
        uint64_t hi = slot_hi(p, s, slot);
        if (IMG_META_ACTION(hi) == 0)
            return -EAGAIN;
        if (IMG_META_TUPLE(hi) != IMG_TUPLE_DELETED &&
            is_tuple_of(get(p, tuples + (uint32_t)IMG_META_TUPLE(hi)), &s->e) &&
            slot_has_key(p, s, slot) && spot_rule(p, s, slot).counter_id == s->e.counter_id) {
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
    uint32_t n_have = family(p, s->fam)->n_tuples;
    const __u64 *have = line_of(p, family(p, s->fam)->tuples_off);
    __u64 want = entry_tuple(&s->e);
    patch_get(p, family_line(s->fam) * WORDS_PER_LINE, &f, sizeof(f) / WORD);
    for (uint32_t t = 0; t < f.n_tuples; t++) {
        if ((t < n_have ? have[t] : get(p, f.tuples_off * WORDS_PER_LINE + t)) == want) {
            s->e.tuple = (uint16_t)t;
            return 0;
        }
    }
    if (f.n_tuples % WORDS_PER_LINE == 0 || f.n_tuples >= IMG_MAX_TUPLES)
        return -EAGAIN;
    s->e.tuple = (uint16_t)f.n_tuples++;
    int r = put(p, f.tuples_off * WORDS_PER_LINE + s->e.tuple, want);
    return r < 0 ? r
                 : patch_put(p, family_line(s->fam) * WORDS_PER_LINE, &f,
                             offsetof(struct img_family, n_tuples) / WORD, 1);
}

/* A lookup stops at the first group that is too light: none before this one may be. */
static int raise_groups(struct image_patcher *p, const struct spot *s)
{
    uint32_t off = family(p, s->fam)->groups_off;
    uint64_t w = IMG_W(s->e.tier, s->e.weight);
    int r = 0;
    for (unsigned g = 0; g <= s->e.group && r == 0; g++) {
        uint32_t maxw =
            (off + g) * WORDS_PER_LINE + (uint32_t)offsetof(struct img_group, maxw) / WORD;
        if (get(p, maxw) < w)
            r = put(p, maxw, w);
    }
    return r;
}

static int put_slot4(struct image_patcher *p, const struct spot *s, uint32_t slot, uint64_t hi)
{
    struct img_rule4 rule = {s->e.counter_id, s->e.order, s->e.deadline_ns};
    uint32_t at = slot_at(p, s, slot);
    int r = patch_put(p, rule_at(p, s, slot), &rule, 0, sizeof(rule) / WORD);
    if (r == 0)
        r = put(p, at, s->e.a_lo);
    return r < 0 ? r : put(p, at + SLOT4_HI, hi);
}

static int put_slot6(struct image_patcher *p, const struct spot *s, uint32_t slot, uint64_t hi)
{
    struct img_rule6 rule = {.counter_id = s->e.counter_id,
                             .order = s->e.order,
                             .deadline_ns = s->e.deadline_ns,
                             .other_hi = s->e.b_hi,
                             .other_lo = s->e.b_lo};
    struct img_slot6 six = {
        .addr_hi = s->e.a_hi, .addr_lo = s->e.a_lo, .hi = hi, .other_fp = s->print};
    uint32_t words = slot_words(s), at = slot_at(p, s, slot);
    int r = patch_put(p, rule_at(p, s, slot), &rule, 0, words);
    if (r == 0)
        r = patch_put(p, at, &six, 0, SLOT6_HI);
    if (r == 0)
        r = patch_put(p, at, &six, SLOT6_HI + 1, words - SLOT6_HI - 1);
    return r < 0 ? r : put(p, at + SLOT6_HI, hi);
}

static int set_address_bits(struct image_patcher *p, const struct spot *s, bool destination)
{
    const struct img_family *f = family(p, s->fam);
    uint32_t off = destination ? f->dst_off : f->src_off;
    uint32_t bits = destination ? f->dst_bits : f->src_bits;
    struct ip a = destination ? s->it.dst : s->it.src;
    uint8_t len = destination ? s->it.shape.dst_len : s->it.shape.src_len;
    if (off == 0 || !prune_selective(s->it.shape, s->fam, destination))
        return 0; /* the group has its bit everywhere */
    if (s->fam == FAM6)
        return set_bit(p, off, img_prune6(patch_header(p)->seed, a.hi, bits), s->e.group);
    uint32_t first = img_prune4((uint32_t)a.lo, bits);
    uint32_t n = len < bits ? 1u << (bits - len) : 1;
    int r = 0;
    for (uint32_t i = first; i < first + n && r == 0; i++)
        r = set_bit(p, off, i, s->e.group);
    return r;
}

static int set_port_bits(struct image_patcher *p, const struct spot *s, bool destination)
{
    const struct img_family *f = family(p, s->fam);
    const struct img_port *ports = ports_of(p, destination);
    uint32_t off = destination ? f->dport_words_off : f->sport_words_off;
    uint8_t kind = destination ? s->it.shape.dport : s->it.shape.sport;
    struct port_range r = destination ? s->it.dport : s->it.sport;
    if (kind == PORTS_ANY)
        return 0;
    if (s->it.proto == PROTO_ICMP || s->it.proto == PROTO_ICMPV6)
        return set_bit(p, off, IMG_CLASS_ICMP, s->e.group);
    int err = ports ? 0 : -EAGAIN;
    for (uint32_t port = r.first; port <= r.last && err == 0; port++)
        if (port == r.first || ports[port].class != ports[port - 1].class)
            err = set_bit(p, off, ports[port].class, s->e.group);
    return err;
}

static int set_pruning(struct image_patcher *p, const struct spot *s)
{
    struct img_family f;
    patch_get(p, family_line(s->fam) * WORDS_PER_LINE, &f, sizeof(f) / WORD);
    int r = set_address_bits(p, s, false);
    if (r == 0)
        r = set_address_bits(p, s, true);
    if (r == 0 && s->it.shape.proto)
        r = set_bit(p, f.proto_off, s->it.proto, s->e.group);
    if (r == 0)
        r = set_port_bits(p, s, false);
    if (r == 0)
        r = set_port_bits(p, s, true);
    if (r < 0 || s->it.proto != PROTO_ICMPV6 || s->it.shape.dport == PORTS_ANY)
        return r;
    f.icmp_typed |= 1ULL << s->e.group;
    return patch_put(p, family_line(s->fam) * WORDS_PER_LINE, &f,
                     offsetof(struct img_family, icmp_typed) / WORD, 1);
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
    int r = find_room(p, s, &slot);
    if (r == 0)
        r = take_tuple(p, s);
    if (r == 0)
        r = raise_groups(p, s);
    if (r < 0)
        return r;
    uint64_t hi = s->e.hi | entry_meta(&s->e);
    r = s->fam == FAM4 ? put_slot4(p, s, slot, hi) : put_slot6(p, s, slot, hi);
    if (r == 0)
        r = set_pruning(p, s);
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
    uint32_t at = slot_at(p, s, slot) + (s->fam == FAM4 ? SLOT4_HI : SLOT6_HI);
    uint64_t hi = s->e.hi | IMG_META(IMG_TUPLE_DELETED, 0, 0, s->e.weight & 3);
    p->n_entries--;
    return put(p, at, hi);
}
