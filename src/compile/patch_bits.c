/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/patch_bits.c: the pruning bits of an entry that is put into a finished image.
 * Called by place.c after the slot is written. Invariant: bits are only ever added, so that a
 * lookup on its way finds what it would have found before. */
#include <errno.h>

#include "place.h"

static int set_bit(struct image_patcher *p, uint32_t off, uint32_t index, unsigned group)
{
    if (off == 0) /* this dimension prunes nothing */
        return 0;
    uint32_t word = off * WORDS_PER_LINE + index;
    return patch_store(p, word, patch_word(p, word) | 1ULL << group);
}

static int set_address_bits(struct image_patcher *p, const struct spot *s, bool destination)
{
    const struct img_family *f = patch_family(p, s->fam);
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

static int set_host_bit(struct image_patcher *p, const struct spot *s, bool destination)
{
    const struct img_family *f = patch_family(p, s->fam);
    uint64_t groups = destination ? f->dst_hosts : f->src_hosts;
    uint32_t off = destination ? f->dst_hosts_off : f->src_hosts_off;
    if (!(groups >> s->e.group & 1))
        return 0;
    uint32_t bit = prune_host(patch_header(p)->seed, s->fam, destination ? s->it.dst : s->it.src,
                              destination ? f->dst_hosts_bits : f->src_hosts_bits);
    uint32_t word = off * WORDS_PER_LINE + bit / 64;
    return patch_store(p, word, patch_word(p, word) | 1ULL << bit % 64);
}

static int set_port_bits(struct image_patcher *p, const struct spot *s, bool destination)
{
    const struct img_family *f = patch_family(p, s->fam);
    const struct img_port *ports = patch_ports(p, destination);
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

int patch_set_pruning(struct image_patcher *p, const struct spot *s)
{
    struct img_family f;
    patch_get(p, patch_family_line(s->fam) * WORDS_PER_LINE, &f, sizeof(f) / WORD);
    int r = set_address_bits(p, s, false);
    if (r == 0)
        r = set_address_bits(p, s, true);
    if (r == 0)
        r = set_host_bit(p, s, false);
    if (r == 0)
        r = set_host_bit(p, s, true);
    if (r == 0 && s->it.shape.proto)
        r = set_bit(p, f.proto_off, s->it.proto, s->e.group);
    if (r == 0)
        r = set_port_bits(p, s, false);
    if (r == 0)
        r = set_port_bits(p, s, true);
    if (r < 0 || s->it.proto != PROTO_ICMPV6 || s->it.shape.dport == PORTS_ANY)
        return r;
    f.icmp_typed |= 1ULL << s->e.group;
    return patch_put(p, patch_family_line(s->fam) * WORDS_PER_LINE, &f,
                     offsetof(struct img_family, icmp_typed) / WORD, 1);
}
