/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/verify.c: no image leaves the compiler before every entry was found in its bytes.
 * Called last by compile_image(). For each entry the packets in its lowest and its highest
 * corner are looked up through the pruning words and the chain, as the datapath would; the
 * prototype lost filters silently (datapath.md 3.6). */
#include "build.h"

struct ip corner_ip(unsigned fam, struct ip first, uint8_t len, bool high)
{
    enum family f = family_of(fam);
    if (!high || len == family_bits(f))
        return first;
    return ip_or(first, ip_not(f, ip_mask(f, len)));
}

static uint16_t corner_port(const struct port_dim *p, enum port_kind kind, uint16_t value,
                            bool high)
{
    if (kind == PORTS_ICMP_TYPE)
        return high ? value | 0xff : value;
    if (kind != PORTS_RANGE)
        return value;
    if (high)
        return value == p->n_intervals ? UINT16_MAX : (uint16_t)(p->first[value] - 1);
    return p->first[value - 1];
}

/* The packet with the smallest or the largest values that the entry matches. */
static struct packet corner_packet(const struct build *b, unsigned fam, const struct entry *e,
                                   bool high)
{
    const struct family_build *f = &b->fam[fam];
    struct shape s = f->groups[e->group].shape;
    struct packet p = {
        .family = family_of(fam),
        .src = corner_ip(fam, entry_side(f, fam, e, false), e->src_len, high),
        .dst = corner_ip(fam, entry_side(f, fam, e, true), e->dst_len, high),
        .proto = (uint8_t)(s.proto || !high ? e->hi >> 32 : 0xff),
        .l4_known = s.sport != PORTS_ANY || s.dport != PORTS_ANY,
        .sport = corner_port(&b->sport, s.sport, (uint16_t)e->hi, high),
        .dport = corner_port(&b->dport, s.dport, (uint16_t)(e->hi >> 16), high),
    };
    p.icmp_type = (uint8_t)(p.dport >> 8);
    p.icmp_code = (uint8_t)p.dport;
    return p;
}

int image_verify(const struct build *b, const struct image *img)
{
    for (unsigned fam = 0; fam < N_FAMILIES; fam++) {
        const struct family_build *f = &b->fam[fam];
        for (size_t i = 0; i < f->n_entries; i++) {
            const struct entry *e = &f->entries[i];
            entry_prefetch(b, fam, i + ENTRIES_AHEAD);
            struct shape s = f->groups[e->group].shape;
            unsigned me = (unsigned)s.src_me | (unsigned)s.dst_me << 1;
            struct packet low = corner_packet(b, fam, e, false);
            struct packet high = corner_packet(b, fam, e, true);
            if (!image_has_entry(img, &low, &high, me, e))
                return refuse_entry(b, e);
        }
    }
    return 0;
}
