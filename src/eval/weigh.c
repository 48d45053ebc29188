/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/weigh.c: the weight of one expansion, read from the table of policy.md 3 a second time and
 * on purpose without model/weight.c: a slip there shows up as a difference between eval and the
 * compiled image. Called by match.c. Pure arithmetic, no table. */
#include "internal.h"

/* Smallest n with 2^n >= last - first + 1. */
static unsigned ceil_log2(struct ip first, struct ip last)
{
    unsigned n = 0;
    struct ip span = {last.hi - first.hi - (last.lo < first.lo ? 1 : 0), last.lo - first.lo};
    while (span.hi || span.lo) {
        span = (struct ip){span.hi >> 1, span.lo >> 1 | span.hi << 63};
        n++;
    }
    return n;
}

/* 0 (any) to 128 (host or me). */
static unsigned specificity(const struct addr *a)
{
    unsigned prefix_len;
    if (a->kind == ADDR_ME || a->kind == ADDR_HOST)
        return 128;
    if (a->kind == ADDR_PREFIX)
        prefix_len = a->prefix_len;
    else if (a->kind == ADDR_RANGE)
        prefix_len = family_bits(a->family) - ceil_log2(a->first, a->last);
    else
        return 0;
    return a->family == FAMILY_4 ? prefix_len * 4 : prefix_len;
}

/* any 0; exact 17; a range of s ports max(1, 16 - ceil(log2 s)). */
static unsigned port_scale(const struct port_range *r)
{
    if (!r)
        return 0;
    unsigned bits = ceil_log2((struct ip){0, r->first}, (struct ip){0, r->last});
    if (bits == 0)
        return 17;
    return bits >= 15 ? 1 : 16 - bits;
}

/* ICMP type with code counts as exact, type alone as a range of 256. */
static unsigned destination_scale(const struct filter *f, const struct expansion *x)
{
    static const struct port_range codes = {0, 255};
    if (f->icmp_type >= 0)
        return f->icmp_code >= 0 ? 17 : port_scale(&codes);
    return port_scale(x->dport);
}

/* inpass ranks with negotiate, which it demands. */
static unsigned action_number(const struct filter *f)
{
    switch (f->action) {
    case ACTION_BLOCK:
        return 3;
    case ACTION_NEGOTIATE:
        return 2;
    case ACTION_PERMIT:
        return f->inpass ? 2 : 1;
    }
    return 0;
}

uint32_t expansion_weight(const struct filter *f, const struct expansion *x)
{
    uint32_t w = 0;
    w |= (specificity(x->src) + specificity(x->dst)) << 23;               /* A, bits 31-23 */
    w |= specificity(x->src) << 15;                                       /* B, bits 22-15 */
    w |= (f->proto != PROTO_ANY ? 1u : 0u) << 14;                         /* C */
    w |= destination_scale(f, x) << 9;                                    /* D, bits 13-9 */
    w |= port_scale(x->sport) << 4;                                       /* E, bits 8-4 */
    w |= (f->interface ? 2u : f->profile != PROFILE_NONE ? 1u : 0u) << 2; /* F */
    w |= action_number(f);                                                /* G */
    return w;
}
