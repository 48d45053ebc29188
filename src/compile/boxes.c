/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/boxes.c: exact operations on single boxes of packets (model/packetset.h).
 * Called by everything that analyses policies. Invariants: no box is ever empty, pieces of a
 * difference are disjoint, and ports are cut last, so that only boxes of L4_KNOWN and of
 * protocols with ports (or ICMP types) have less than all ports. */
#include <string.h>

#include "analysis.h"

static struct ip ip_min(struct ip a, struct ip b)
{
    return ip_cmp(a, b) < 0 ? a : b;
}

static struct ip ip_max(struct ip a, struct ip b)
{
    return ip_cmp(a, b) > 0 ? a : b;
}

static bool proto_overlaps(const uint64_t a[4], const uint64_t b[4])
{
    return (a[0] & b[0]) | (a[1] & b[1]) | (a[2] & b[2]) | (a[3] & b[3]);
}

bool box_overlaps(const struct box *a, const struct box *b)
{
    return a->family == b->family && (a->class & b->class) && (a->l4 & b->l4) &&
           (a->special & b->special) && (a->profiles & b->profiles) &&
           a->dport_first <= b->dport_last && b->dport_first <= a->dport_last &&
           a->sport_first <= b->sport_last && b->sport_first <= a->sport_last &&
           proto_overlaps(a->proto, b->proto) && ip_cmp(a->src_first, b->src_last) <= 0 &&
           ip_cmp(b->src_first, a->src_last) <= 0 && ip_cmp(a->dst_first, b->dst_last) <= 0 &&
           ip_cmp(b->dst_first, a->dst_last) <= 0 && a->if_first <= b->if_last &&
           b->if_first <= a->if_last;
}

bool box_intersect(const struct box *a, const struct box *b, struct box *ret)
{
    if (!box_overlaps(a, b))
        return false;
    struct box x = *a;
    x.class &= b->class;
    x.l4 &= b->l4;
    x.special &= b->special;
    x.profiles &= b->profiles;
    for (unsigned i = 0; i < ARRAY_SIZE(x.proto); i++)
        x.proto[i] &= b->proto[i];
    x.if_first = a->if_first > b->if_first ? a->if_first : b->if_first;
    x.if_last = a->if_last < b->if_last ? a->if_last : b->if_last;
    x.src_first = ip_max(a->src_first, b->src_first);
    x.src_last = ip_min(a->src_last, b->src_last);
    x.dst_first = ip_max(a->dst_first, b->dst_first);
    x.dst_last = ip_min(a->dst_last, b->dst_last);
    x.sport_first = a->sport_first > b->sport_first ? a->sport_first : b->sport_first;
    x.sport_last = a->sport_last < b->sport_last ? a->sport_last : b->sport_last;
    x.dport_first = a->dport_first > b->dport_first ? a->dport_first : b->dport_first;
    x.dport_last = a->dport_last < b->dport_last ? a->dport_last : b->dport_last;
    *ret = x;
    return true;
}

bool box_eq(const struct box *a, const struct box *b)
{
    return box_contains(a, b) && box_contains(b, a);
}

bool box_contains(const struct box *o, const struct box *i)
{
    return o->family == i->family && !(i->class & ~o->class) && !(i->l4 & ~o->l4) &&
           !(i->special & ~o->special) && !(i->profiles & ~o->profiles) &&
           !(i->proto[0] & ~o->proto[0]) && !(i->proto[1] & ~o->proto[1]) &&
           !(i->proto[2] & ~o->proto[2]) && !(i->proto[3] & ~o->proto[3]) &&
           o->if_first <= i->if_first && i->if_last <= o->if_last &&
           ip_cmp(o->src_first, i->src_first) <= 0 && ip_cmp(i->src_last, o->src_last) <= 0 &&
           ip_cmp(o->dst_first, i->dst_first) <= 0 && ip_cmp(i->dst_last, o->dst_last) <= 0 &&
           o->sport_first <= i->sport_first && i->sport_last <= o->sport_last &&
           o->dport_first <= i->dport_first && i->dport_last <= o->dport_last;
}

/* What box_subtract() has cut off, and what is left to be cut. */
struct cut {
    struct box left;
    struct box *piece;
    unsigned n;
};

static void cut_mask(struct cut *c, uint8_t *mask, uint8_t keep)
{
    uint8_t off = *mask & (uint8_t)~keep;
    *mask &= keep;
    if (!off)
        return;
    uint8_t kept = *mask;
    *mask = off;
    c->piece[c->n++] = c->left;
    *mask = kept;
}

static void cut_range(struct cut *c, uint16_t *first, uint16_t *last, uint16_t b_first,
                      uint16_t b_last)
{
    uint16_t a_first = *first, a_last = *last;
    if (a_first < b_first) {
        *last = (uint16_t)(b_first - 1);
        c->piece[c->n++] = c->left;
        *first = b_first;
        *last = a_last;
    }
    if (a_last > b_last) {
        *first = (uint16_t)(b_last + 1);
        c->piece[c->n++] = c->left;
        *last = b_last;
        *first = a_first < b_first ? b_first : a_first;
    }
}

static void cut_addresses(struct cut *c, struct ip *first, struct ip *last, struct ip b_first,
                          struct ip b_last)
{
    struct ip a_last = *last;
    if (ip_cmp(*first, b_first) < 0) {
        *last = ip_sub1(b_first);
        c->piece[c->n++] = c->left;
        *first = b_first;
        *last = a_last;
    }
    if (ip_cmp(a_last, b_last) > 0) {
        struct ip a_first = *first;
        *first = ip_add1(b_last);
        c->piece[c->n++] = c->left;
        *first = a_first;
        *last = b_last;
    }
}

static void cut_protocols(struct cut *c, const uint64_t keep[4])
{
    struct box off = c->left;
    bool some = false;
    for (unsigned i = 0; i < ARRAY_SIZE(off.proto); i++) {
        off.proto[i] &= ~keep[i];
        c->left.proto[i] &= keep[i];
        some = some || off.proto[i];
    }
    if (some)
        c->piece[c->n++] = off;
}

unsigned box_subtract(const struct box *a, const struct box *b, struct box ret[BOX_PIECES])
{
    struct cut c = {.left = *a, .piece = ret};
    if (!box_overlaps(a, b)) {
        ret[0] = *a;
        return 1;
    }
    cut_mask(&c, &c.left.class, b->class);
    cut_mask(&c, &c.left.profiles, b->profiles);
    cut_range(&c, &c.left.if_first, &c.left.if_last, b->if_first, b->if_last);
    cut_addresses(&c, &c.left.src_first, &c.left.src_last, b->src_first, b->src_last);
    cut_addresses(&c, &c.left.dst_first, &c.left.dst_last, b->dst_first, b->dst_last);
    cut_protocols(&c, b->proto);
    cut_mask(&c, &c.left.special, b->special);
    cut_mask(&c, &c.left.l4, b->l4);
    cut_range(&c, &c.left.sport_first, &c.left.sport_last, b->sport_first, b->sport_last);
    cut_range(&c, &c.left.dport_first, &c.left.dport_last, b->dport_first, b->dport_last);
    return c.n;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int cmp_addresses(struct ip a_first, struct ip a_last, struct ip b_first, struct ip b_last)
{
    int c = ip_cmp(a_first, b_first);
    return c != 0 ? c : ip_cmp(a_last, b_last);
}

static int cmp_dimension(const struct box *a, const struct box *b, enum dimension d)
{
    switch (d) {
    case DIM_CLASS:
        return (int)a->class - (int)b->class;
    case DIM_L4:
        return (int)a->l4 - (int)b->l4;
    case DIM_SPECIAL:
        return (int)a->special - (int)b->special;
    case DIM_PROFILE:
        return (int)a->profiles - (int)b->profiles;
    case DIM_INTERFACE:
        return cmp_u64((uint64_t)a->if_first << 16 | a->if_last,
                       (uint64_t)b->if_first << 16 | b->if_last);
    case DIM_PROTO:
        return memcmp(a->proto, b->proto, sizeof(a->proto));
    case DIM_SRC:
        return cmp_addresses(a->src_first, a->src_last, b->src_first, b->src_last);
    case DIM_DST:
        return cmp_addresses(a->dst_first, a->dst_last, b->dst_first, b->dst_last);
    case DIM_SPORT:
        return cmp_u64((uint64_t)a->sport_first << 16 | a->sport_last,
                       (uint64_t)b->sport_first << 16 | b->sport_last);
    case DIM_DPORT:
        return cmp_u64((uint64_t)a->dport_first << 16 | a->dport_last,
                       (uint64_t)b->dport_first << 16 | b->dport_last);
    case _DIM_MAX:
        break;
    }
    return 0;
}

int box_cmp_except(const struct box *a, const struct box *b, enum dimension except)
{
    int c = (int)a->family - (int)b->family;
    for (unsigned d = 0; c == 0 && d < _DIM_MAX; d++)
        c = d == except ? 0 : cmp_dimension(a, b, (enum dimension)d);
    return c;
}

int box_cmp(const struct box *a, const struct box *b)
{
    return box_cmp_except(a, b, _DIM_MAX);
}

int box_cmp_along(const struct box *a, const struct box *b, enum dimension d)
{
    int c = box_cmp_except(a, b, d);
    return c != 0 ? c : cmp_dimension(a, b, d);
}

static bool touches16(uint16_t first, uint16_t *last, uint16_t b_first, uint16_t b_last)
{
    if (b_first < first || (uint32_t)*last + 1 < b_first)
        return false;
    if (b_last > *last)
        *last = b_last;
    return true;
}

static bool touches_ip(struct ip first, struct ip *last, struct ip b_first, struct ip b_last)
{
    struct ip after = ip_add1(*last);
    if (ip_cmp(b_first, first) < 0 || (ip_cmp(*last, b_first) < 0 && !ip_eq(after, b_first)))
        return false;
    *last = ip_max(*last, b_last);
    return true;
}

bool box_extend(struct box *a, const struct box *b, enum dimension d)
{
    switch (d) {
    case DIM_CLASS:
        a->class |= b->class;
        return true;
    case DIM_L4:
        a->l4 |= b->l4;
        return true;
    case DIM_SPECIAL:
        a->special |= b->special;
        return true;
    case DIM_PROFILE:
        a->profiles |= b->profiles;
        return true;
    case DIM_PROTO:
        for (unsigned i = 0; i < ARRAY_SIZE(a->proto); i++)
            a->proto[i] |= b->proto[i];
        return true;
    case DIM_INTERFACE:
        return touches16(a->if_first, &a->if_last, b->if_first, b->if_last);
    case DIM_SRC:
        return touches_ip(a->src_first, &a->src_last, b->src_first, b->src_last);
    case DIM_DST:
        return touches_ip(a->dst_first, &a->dst_last, b->dst_first, b->dst_last);
    case DIM_SPORT:
        return touches16(a->sport_first, &a->sport_last, b->sport_first, b->sport_last);
    case DIM_DPORT:
        return touches16(a->dport_first, &a->dport_last, b->dport_first, b->dport_last);
    case _DIM_MAX:
        break;
    }
    return false;
}
