/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of decisions about one parsed packet: docs/internals/parsing.md, section 6. Writes no
 * map, so that the hooks and the test entries share it; what comes of a verdict (drop, counter,
 * tag) is the caller's. */
#pragma once
#include "lookup.h"

/* False for nearly all addresses that no local prefix covers. */
static __always_inline bool pw_may_be_local(const struct pw_packet *p, __u64 hi, __u64 lo)
{
    __u32 element = p->family != 4;
    const __u64 *words = bpf_map_lookup_elem(&local_hint, &element);
    __u32 bit = img_hint(p->family == 4 ? lo : hi);

    if (!words || (p->family == 4 && lo >> 24 == 127))
        return true;
    return words[bit / 64] >> (bit % 64) & 1;
}

/* 0 = not known here. The word is read once, since it may change. */
static __always_inline int pw_exact_kind(__u32 addr)
{
    __u32 at = img_exact(addr);
    const volatile __u64 *word = bpf_map_lookup_elem(&local_exact, &at);
    __u64 w = word ? *word : 0;

    return (__u32)w == addr ? (int)(w >> 32) : 0;
}

static __always_inline int pw_local_kind(const struct pw_packet *p, __u64 hi, __u64 lo)
{
    __u32 *kind;

    if (!pw_may_be_local(p, hi, lo))
        return 0;

    if (p->family == 4) {
        int exact = pw_exact_kind((__u32)lo);
        if (exact)
            return exact;
        struct pw_lpm4 key = {.prefix_len = 32};
        __u32 addr = bpf_htonl((__u32)lo);
        __builtin_memcpy(key.addr, &addr, sizeof(addr));
        kind = bpf_map_lookup_elem(&local4, &key);
    } else {
        struct pw_lpm6 key = {.prefix_len = 128};
        __u32 addr[4] = {bpf_htonl((__u32)(hi >> 32)), bpf_htonl((__u32)hi),
                         bpf_htonl((__u32)(lo >> 32)), bpf_htonl((__u32)lo)};
        __builtin_memcpy(key.addr, addr, sizeof(addr));
        kind = bpf_map_lookup_elem(&local6, &key);
    }
    return kind ? (int)*kind : 0;
}

static __always_inline bool pw_is_loopback(const struct pw_packet *p, __u64 hi, __u64 lo)
{
    return p->family == 4 ? (lo >> 24) == 127 : hi == 0 && lo == 1;
}

static __always_inline bool pw_is_multicast(const struct pw_packet *p)
{
    if (p->family == 4)
        return p->dst_lo >> 28 == 14;
    return p->dst_hi >> 56 == 0xff;
}

static __always_inline bool pw_dst_is_me(const struct pw_packet *p, const struct pw_meta *meta)
{
    if (meta->to_host || pw_is_multicast(p) || (p->family == 4 && p->dst_lo == 0xffffffff))
        return true;
    int kind = pw_local_kind(p, p->dst_hi, p->dst_lo);
    return kind == PW_LOCAL_UNICAST || kind == PW_LOCAL_BROADCAST || kind == PW_LOCAL_ANYCAST;
}

enum { PW_ICMP_CLASSIFY, PW_ICMP_TYPED, PW_ICMP_PASS };

/* Sections 6.3 and 6.6: what the rows of neighbour and multicast discovery say. */
static __always_inline int pw_icmp_row(const struct pw_packet *p)
{
    if (p->family != 6 || p->proto != 58 || p->l4 != PW_L4_ICMP)
        return PW_ICMP_CLASSIFY;
    __u8 type = p->dport >> 8;
    if (p->hop_limit == 255) {
        if (type == 135 || type == 136)
            return PW_ICMP_PASS;
        if (type == 133 || type == 134 || type == 137)
            return PW_ICMP_TYPED;
    }
    bool link_local = p->src_hi >> 54 == 0xfe80 >> 6, unspecified = !p->src_hi && !p->src_lo;
    if (p->hop_limit == 1 && (link_local || unspecified) &&
        ((type >= 130 && type <= 132) || type == 143))
        return PW_ICMP_TYPED;
    return PW_ICMP_CLASSIFY;
}

static __always_inline void pw_block(struct pw_verdict *v, __u8 reason)
{
    v->block = 1;
    v->reason = reason;
}

/* What the best match means; later fragments, tiers and deadlines give the reason. */
static __always_inline void pw_decide(const struct pw_packet *p, struct pw_verdict *v)
{
    const struct pw_match *m = &v->match;

    __u32 action = m->w & 3;

    if (!m->w || action == PW_ACTION_PERMIT)
        return;
    if (action == PW_ACTION_NEGOTIATE)
        pw_block(v, PW_DROP_NO_SA);
    else if (m->w >> 32 == PW_TIER_OVERRIDE)
        pw_block(v, PW_DROP_OVERRIDE);
    else if (p->later_fragment)
        pw_block(v, PW_DROP_FRAGMENT);
    else
        pw_block(v, m->timed ? PW_DROP_TIMED_BLOCK : PW_DROP_FILTER);
}

/* Sections 6.6 and 6.7. */
static __always_inline void pw_classify(void *image, const struct img_header *h,
                                        struct pw_packet *p, struct pw_meta *meta, bool src_local,
                                        struct pw_verdict *v)
{
    struct pw_search s; /* what is not set here is set where it is needed first */

    s.image = image;
    s.front = (const __u8 *)h;
    s.packet = p;
    s.zone = meta->zone;
    s.verdict = v;
    s.only_icmp_typed = v->unmatched - PW_PASSED;
    if (!meta->egress)
        v->dst_me = (__u8)pw_forget(!meta->not_me && pw_dst_is_me(p, meta));
    s.me = (__u8)(meta->egress ? pw_forget(src_local || meta->from_host) : v->dst_me << 1);
    if (pw_search(&s, meta) < 0) {
        pw_no_match(&v->match);
        if (h->flags & IMG_ARMED)
            pw_block(v, PW_DROP_INTERNAL);
        return;
    }
    if (!v->match.w)
        v->kind = v->unmatched;
    pw_decide(p, v);
}

static __always_inline bool pw_is_martian(const struct pw_packet *p, const struct pw_meta *meta,
                                          bool src_local)
{
    if (meta->no_martian)
        return false;
    return pw_is_loopback(p, p->src_hi, p->src_lo) || pw_is_loopback(p, p->dst_hi, p->dst_lo) ||
           (src_local && !meta->accept_local);
}

/* What happens to the packet under this image. */
static __always_inline void pw_judge(void *image, const struct img_header *h, struct pw_packet *p,
                                     struct pw_meta *meta, struct pw_verdict *v)
{
    bool armed = h->flags & IMG_ARMED;

    *v = (struct pw_verdict){.kind = PW_QUIET, .match.order_and_id = IMG_NO_COUNTER};
    if (p->reason) {
        if (armed)
            pw_block(v, p->reason);
        return;
    }
    if (!p->family || (!armed && !h->n_entries))
        return;
    __u32 row = pw_forget(pw_icmp_row(p));
    if (row == PW_ICMP_PASS) {
        v->kind = PW_EXEMPT;
        v->dst_me = 1;
        return;
    }
    v->kind = PW_PASSED;
    v->unmatched = (__u8)(PW_PASSED + (row & PW_ICMP_TYPED)); /* the next number: PW_EXEMPT */
    bool src_local = pw_forget(pw_local_kind(p, p->src_hi, p->src_lo) == PW_LOCAL_UNICAST);
    if (!meta->egress && armed && pw_is_martian(p, meta, src_local)) {
        pw_block(v, PW_DROP_MARTIAN);
        return;
    }
    if (meta->egress && meta->judged && !(src_local && !(h->flags & IMG_MASQUERADED_PASS)))
        return;
    pw_classify(image, h, p, meta, src_local, v);
}
