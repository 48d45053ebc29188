/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/verify.c: no image leaves the compiler before every entry was found in its bytes.
 * Called last by compile_image(). For each entry a packet in its corner is looked up through
 * the pruning words and the chain, as the datapath would; the prototype lost filters silently
 * (datapath.md 3.6). */
#include "build.h"

/* The packet with the smallest values that the entry matches. */
static struct packet corner_packet(const struct build *b, unsigned fam, const struct entry *e)
{
    const struct family_build *f = &b->fam[fam];
    struct shape s = f->groups[e->group].shape;
    uint16_t sport = (uint16_t)e->hi, dport = (uint16_t)(e->hi >> 16);
    struct packet p = {
        .meta.zone = (uint8_t)(e->hi >> 40),
        .family = family_of(fam),
        .src = entry_side(f, fam, e, false),
        .dst = entry_side(f, fam, e, true),
        .proto = (uint8_t)(e->hi >> 32),
        .l4_known = s.sport != PORTS_ANY || s.dport != PORTS_ANY,
        .icmp_type = (uint8_t)(dport >> 8),
        .icmp_code = (uint8_t)dport,
    };
    p.sport = s.sport == PORTS_RANGE ? b->sport.first[sport - 1] : sport;
    p.dport = s.dport == PORTS_RANGE ? b->dport.first[dport - 1] : dport;
    return p;
}

int image_verify(const struct build *b, const struct image *img)
{
    for (unsigned fam = 0; fam < N_FAMILIES; fam++) {
        const struct family_build *f = &b->fam[fam];
        for (size_t i = 0; i < f->n_entries; i++) {
            const struct entry *e = &f->entries[i];
            struct shape s = f->groups[e->group].shape;
            struct packet p = corner_packet(b, fam, e);
            if (!image_has_entry(img, &p, (unsigned)s.src_me | (unsigned)s.dst_me << 1, e))
                return refuse_entry(b, e);
        }
    }
    return 0;
}
