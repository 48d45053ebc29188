/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of decisions about one parsed packet: docs/internals/parsing.md, section 6. Writes no
 * map, so that the hooks and the test entries share it; what comes of a verdict (drop, counter,
 * tag) is the caller's. */
#pragma once
#include "lookup.h"

/* False for nearly all addresses that no local prefix covers. */
static __always_inline bool pw_may_be_local(int family, __u64 hi, __u64 lo)
{
    __u32 element = family != 4;
    const __u64 *words = bpf_map_lookup_elem(&local_hint, &element);
    __u32 bit = img_hint(family == 4 ? lo : hi);

    if (pw_unlikely(!words || (family == 4 && lo >> 24 == 127)))
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

/* What the tries say. */
static __always_inline int pw_trie_kind(int family, __u64 hi, __u64 lo)
{
    __u32 *kind;

    if (family == 4) {
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

/* Of an address that is probably another host's. */
static __always_inline int pw_kind_of_peer(int family, __u64 hi, __u64 lo)
{
    int exact;

    if (pw_likely(!pw_may_be_local(family, hi, lo)))
        return 0;
    exact = family == 4 ? pw_exact_kind((__u32)lo) : 0;
    return exact ? exact : pw_trie_kind(family, hi, lo);
}

/* Of one that is probably ours: the first question is answered with yes. */
static __always_inline int pw_kind_of_own(int family, __u64 hi, __u64 lo)
{
    int exact = family == 4 ? pw_exact_kind((__u32)lo) : 0;

    if (pw_likely(exact) || !pw_may_be_local(family, hi, lo))
        return exact;
    return pw_trie_kind(family, hi, lo);
}

static __always_inline int pw_local_kind(const struct pw_packet *p, __u64 hi, __u64 lo)
{
    return p->family == 4 ? pw_kind_of_peer(4, hi, lo) : pw_kind_of_peer(6, hi, lo);
}

static __always_inline bool pw_is_loopback(int family, __u64 hi, __u64 lo)
{
    return family == 4 ? (lo >> 24) == 127 : hi == 0 && lo == 1;
}

static __always_inline bool pw_is_multicast(int family, const struct pw_packet *p)
{
    return family == 4 ? p->dst_lo >> 28 == 14 : p->dst_hi >> 56 == 0xff;
}

static __always_inline bool pw_dst_is_me(const struct pw_packet *p, const struct pw_meta *meta,
                                         int family)
{
    if (meta->to_host || pw_is_multicast(family, p) || (family == 4 && p->dst_lo == 0xffffffff))
        return true;
    int kind = pw_kind_of_own(family, p->dst_hi, p->dst_lo);
    return kind == PW_LOCAL_UNICAST || kind == PW_LOCAL_BROADCAST || kind == PW_LOCAL_ANYCAST;
}

enum { PW_ICMP_CLASSIFY, PW_ICMP_TYPED, PW_ICMP_PASS };

/* Sections 6.3 and 6.6: what the rows of neighbour and multicast discovery say. */
static __always_inline int pw_icmp_row(const struct pw_packet *p)
{
    if (pw_likely(p->proto != 58 || p->l4 != PW_L4_ICMP))
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
        pw_block(v, m->marks & PW_MARK_TIMED ? PW_DROP_TIMED_BLOCK : PW_DROP_FILTER);
}

static __always_inline bool pw_is_martian(const struct pw_packet *p, const struct pw_meta *meta,
                                          int family, bool src_local)
{
    if (meta->no_martian)
        return false;
    return pw_is_loopback(family, p->src_hi, p->src_lo) ||
           pw_is_loopback(family, p->dst_hi, p->dst_lo) || (src_local && !meta->accept_local);
}

static __always_inline void pw_is_damaged(const struct img_header *h, struct pw_verdict *v)
{
    pw_no_match(&v->match);
    v->kind = PW_PASSED;
    if (h->flags & IMG_ARMED)
        pw_block(v, PW_DROP_INTERNAL);
}

/* Sections 6.4 to 6.7 of a packet of one family. */
static __always_inline void pw_classify(void *image, const struct img_header *h,
                                        struct pw_packet *p, struct pw_meta *meta, int family,
                                        struct pw_verdict *v)
{
    struct pw_search s; /* what is not set here is set where it is needed first */
    bool egress = meta->egress;
    __u32 me;

    bool src_local = pw_forget(pw_kind_of_peer(family, p->src_hi, p->src_lo) == PW_LOCAL_UNICAST);
    if (!egress && (h->flags & IMG_ARMED) &&
        pw_unlikely(pw_is_martian(p, meta, family, src_local))) {
        pw_block(v, PW_DROP_MARTIAN);
        return;
    }
    if (egress && meta->judged && !(src_local && !(h->flags & IMG_MASQUERADED_PASS)))
        return;
    if (!egress)
        v->dst_me = (__u8)pw_forget(!meta->not_me && pw_dst_is_me(p, meta, family));
    me = egress ? pw_forget(src_local || meta->from_host) : (__u32)v->dst_me << 1;
    s.image = image;
    s.front = (const __u8 *)h;
    s.packet = p;
    s.match = &v->match;
    s.k.zone = meta->zone;
    if (pw_unlikely(pw_search(&s, meta, v, family, me) < 0)) {
        pw_is_damaged(h, v);
        return;
    }
    if (!v->match.w)
        v->kind = v->unmatched;
    pw_decide(p, v);
}

/* What happens to the packet under this image. */
static __always_inline void pw_judge(void *image, const struct img_header *h, struct pw_packet *p,
                                     struct pw_meta *meta, struct pw_verdict *v)
{
    bool armed = h->flags & IMG_ARMED;

    *v = (struct pw_verdict){.kind = PW_QUIET, .unmatched = PW_PASSED, .match.id = IMG_NO_COUNTER};
    if (pw_unlikely(p->reason)) {
        if (armed)
            pw_block(v, p->reason);
        return;
    }
    if (pw_unlikely(!p->family || (!armed && !h->n_entries)))
        return;
    v->kind = PW_PASSED;
    if (p->family == 4) {
        pw_classify(image, h, p, meta, 4, v);
        return;
    }
    __u32 row = pw_forget(pw_icmp_row(p));
    if (pw_unlikely(row == PW_ICMP_PASS)) {
        v->kind = PW_EXEMPT;
        v->dst_me = 1;
        return;
    }
    v->unmatched = (__u8)(PW_PASSED + (row & PW_ICMP_TYPED)); /* the next number: PW_EXEMPT */
    pw_classify(image, h, p, meta, 6, v);
}
