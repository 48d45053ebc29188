/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/weight.c: precedence as a number (policy.md 3).
 * Called by compile for every expansion, and by list and explain; eval has its own reading of
 * the table. Invariant: a weight is a pure function of one expanded filter; neither order nor
 * time nor identity reaches this code. */
#include "model/weight.h"

/* Places of the fields of policy.md 3 in the 32 bits. */
enum {
    SHIFT_ADDRESSES = 23,
    SHIFT_SOURCE = 15,
    SHIFT_PROTOCOL = 14,
    SHIFT_DPORT = 9,
    SHIFT_SPORT = 4,
    SHIFT_WHERE = 2,
};
enum {
    ADDRESS_EXACT = 128,
    PORT_EXACT = 17,
    PORT_BITS = 16,
    WHERE_PROFILE = 1,
    WHERE_INTERFACE = 2
};

/* ceil(log2(last - first + 1)): the bits of last - first, which also holds for 2^128. */
static unsigned range_bits(struct ip first, struct ip last)
{
    uint64_t hi = last.hi - first.hi - (last.lo < first.lo), lo = last.lo - first.lo;
    if (hi != 0)
        return 128 - (unsigned)__builtin_clzll(hi);
    return lo == 0 ? 0 : 64 - (unsigned)__builtin_clzll(lo);
}

unsigned weight_address(const struct addr *a)
{
    unsigned per_bit = a->family == FAMILY_4 ? 4 : 1; /* both families share the scale 0..128 */
    switch (a->kind) {
    case ADDR_ME:
    case ADDR_HOST:
        return ADDRESS_EXACT;
    case ADDR_PREFIX:
        return per_bit * a->prefix_len;
    case ADDR_RANGE:
        return per_bit * (family_bits(a->family) - range_bits(a->first, a->last));
    case ADDR_ANY:
    case ADDR_NAME:
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
    case _ADDR_KIND_MAX:
        return 0;
    }
    return 0;
}

/* A range of 2^bits values or less, more than half of that. */
static unsigned port_field(unsigned bits)
{
    return bits >= PORT_BITS ? 1 : PORT_BITS - bits;
}

unsigned weight_ports(const struct port_range *range)
{
    if (!range)
        return 0;
    unsigned more = (unsigned)range->last - range->first;
    if (more == 0)
        return PORT_EXACT;
    return port_field(32 - (unsigned)__builtin_clz(more));
}

unsigned weight_icmp(int type, int code)
{
    if (type < 0)
        return 0;
    return code >= 0 ? PORT_EXACT : port_field(8); /* 256 codes */
}

uint32_t filter_weight(const struct filter *f, const struct addr *src, const struct addr *dst,
                       const struct port_range *sport, const struct port_range *dport)
{
    unsigned source = weight_address(src);
    unsigned addresses = source + weight_address(dst);
    unsigned d = f->icmp_type >= 0 ? weight_icmp(f->icmp_type, f->icmp_code) : weight_ports(dport);
    unsigned where = f->interface                 ? WHERE_INTERFACE
                     : f->profile != PROFILE_NONE ? WHERE_PROFILE
                                                  : 0;
    return addresses << SHIFT_ADDRESSES | source << SHIFT_SOURCE |
           (f->proto != PROTO_ANY ? 1u : 0u) << SHIFT_PROTOCOL | d << SHIFT_DPORT |
           weight_ports(sport) << SHIFT_SPORT | where << SHIFT_WHERE | (unsigned)filter_effect(f);
}

struct weight_fields weight_split(uint32_t w)
{
    return (struct weight_fields){
        .addresses = w >> SHIFT_ADDRESSES,
        .source = w >> SHIFT_SOURCE & 0xff,
        .protocol = w >> SHIFT_PROTOCOL & 1,
        .dport = w >> SHIFT_DPORT & 0x1f,
        .sport = w >> SHIFT_SPORT & 0x1f,
        .where = w >> SHIFT_WHERE & 3,
        .action = w & 3,
    };
}

const char *weight_decider(uint32_t a, uint32_t b)
{
    struct weight_fields x = weight_split(a), y = weight_split(b);
    if (x.addresses != y.addresses)
        return "addresses";
    if (x.source != y.source)
        return "source";
    if (x.protocol != y.protocol)
        return "protocol";
    if (x.dport != y.dport)
        return "destination port";
    if (x.sport != y.sport)
        return "source port";
    if (x.where != y.where)
        return "where";
    return x.action != y.action ? "action" : NULL;
}
