/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SYN gate of memory pressure protection: a ladder of levels that the agent raises while it
 * prunes (docs/internals/mpp.md), and the rate of new connections of an interface. Called by pw_in
 * of bpf/classify.bpf.c, after parsing and before the verdict; a global function, which the
 * verifier proves once. Invariants: a level holds until control.until_ns and no longer, whatever
 * becomes of the agent; a forged SYN decides nothing about a prefix that completed a handshake. */
#pragma once
#include "mpp_maps.h"
#include "verdict.h"

enum { PW_TH_SYN = 2, PW_TH_ACK = 16 };

/* Only these need the map at all. */
static __always_inline bool pw_is_syn(const struct pw_packet *p)
{
    return p->proto == 6 && (p->tcp_flags & (PW_TH_SYN | PW_TH_ACK)) == PW_TH_SYN;
}

/* Whether the gate has to be asked: nearly never. */
static __always_inline bool pw_gate_is_closed(void)
{
    const struct mpp_control *c = mpp_the_control();

    return c && (c->level > MPP_GATE_COOKIES || c->limits);
}

/* The agent enters until when no SYN passes, and takes the entry away later: until then each SYN
 * that passes holds off the next one. */
static __always_inline bool pw_has_to_wait(void *bans, __u64 key, __u64 now)
{
    __u64 *from = bpf_map_lookup_elem(bans, &key);

    if (!from)
        return false;
    __u64 old = *from;
    return now < old || __sync_val_compare_and_swap(from, old, now + MPP_RATE_NS) != old;
}

static __always_inline bool pw_is_banned(__u64 source, __u64 now)
{
    return pw_has_to_wait(&mpp_bans, source, now) ||
           pw_has_to_wait(&mpp_net_bans, source >> 8, now); /* /24, or /56 of what is a /64 */
}

/* One SYN of a prefix that never completed a handshake: only these are counted by SYN. */
static __always_inline bool pw_has_syn_token(__u64 prefix, __u64 now)
{
    struct mpp_rate *r = bpf_map_lookup_elem(&mpp_syn_rate, &prefix);

    if (r)
        return mpp_token(&r->full_ns, now, MPP_RATE_NS, MPP_RATE_BURST);
    struct mpp_rate fresh = {.full_ns = now + MPP_RATE_NS};
    bpf_map_update_elem(&mpp_syn_rate, &prefix, &fresh, BPF_NOEXIST);
    return true;
}

/* A proven prefix pays when its handshake is complete. Without SYN cookies a SYN costs memory, and
 * is paid at once. */
static __always_inline bool pw_has_token(const struct mpp_control *c, struct mpp_rate *proven,
                                         __u64 prefix, __u64 now)
{
    if (!proven)
        return pw_has_syn_token(prefix, now);
    if (!c->cookies)
        return mpp_token(&proven->full_ns, now, MPP_RATE_NS, MPP_RATE_BURST);
    __u64 full = proven->full_ns;
    return full < now || full - now + MPP_RATE_NS <= MPP_RATE_BURST;
}

static __always_inline bool pw_has_if_token(__u32 ifindex, bool proven, __u64 now)
{
    struct mpp_ifrule *i = bpf_map_lookup_elem(&mpp_ifaces, &ifindex);

    if (!i || !i->rate || proven)
        return true;
    return mpp_token(&i->full_ns, now, 1000000000 / i->rate, 2000000000);
}

static __always_inline bool pw_is_gated(const struct pw_packet *p)
{
    return p->family && pw_is_syn(p) && p->l4 == PW_L4_PORTS && !p->later_fragment &&
           !pw_is_loopback(p->family, p->src_hi, p->src_lo) &&
           pw_local_kind(p, p->dst_hi, p->dst_lo) == PW_LOCAL_UNICAST;
}

/* Why the packet is to be dropped: level + 1, 0 = it passes. Nothing of its own on the stack but
 * keys of maps: pw_in has most of it. */
__noinline int pw_gate_asks(struct pw_ctx *ctx, struct pw_packet *p)
{
    struct mpp_control *c = mpp_the_control();

    if (!p || !c || !pw_is_gated(p))
        return 0;
    mpp_count_n(MPP_N_SYN_SEEN, 1);
    const struct mpp_ruleset *rules = mpp_rules_now(c);
    __u32 ipv6 = p->family == 6;
    if (!rules || mpp_is_kept(rules, p->dport) || mpp_is_exempt(rules, ipv6, p->dport))
        return 0;
    __u64 now = bpf_ktime_get_ns(), source = ipv6 ? p->src_hi : p->src_lo;
    __u64 prefix = ipv6 ? source : source >> 8;
    __u32 level = now < c->until_ns ? c->level : MPP_GATE_OPEN;
    struct mpp_rate *proven = bpf_map_lookup_elem(&mpp_conn_rate, &prefix);

    if (proven && now - proven->last_ns > MPP_PROVEN_NS)
        proven = NULL;
    if (!pw_has_if_token(pw_ifindex(ctx), proven, now))
        return 1;
    if (level < MPP_GATE_BANS ||
        mpp_flags_now(rules, ipv6, p->dport, pw_ifindex(ctx)) & MPP_STAMP_SETTINGS)
        return 0;
    if (level == MPP_GATE_ALL)
        return MPP_GATE_ALL + 1;
    if (pw_is_banned(source, now))
        return MPP_GATE_BANS + 1;
    if (level == MPP_GATE_RATE && !pw_has_token(c, proven, prefix, now))
        return MPP_GATE_RATE + 1;
    return 0;
}

__noinline int pw_gate_counts(struct pw_ctx *ctx, struct pw_packet *p, __u32 level)
{
    if (!p || level > MPP_GATE_ALL)
        return 0;
    struct mpp_drop_key key = {.prefix = p->family == 6 ? p->src_hi : p->src_lo >> 8,
                               .ifindex = pw_ifindex(ctx),
                               .port = p->dport,
                               .level = (__u8)level,
                               .ipv6 = p->family == 6};
    __u64 one = 1, *n = bpf_map_lookup_elem(&mpp_drops, &key);

    mpp_count_n(MPP_N_SYN_DROP + level, 1);
    if (n)
        __sync_fetch_and_add(n, 1);
    else
        bpf_map_update_elem(&mpp_drops, &key, &one, BPF_NOEXIST);
    return 0;
}

/* Whether the packet is a SYN that the gate drops. */
static __always_inline bool pw_syn_gate(struct pw_ctx *ctx, struct pw_packet *p)
{
    int why = pw_is_syn(p) && pw_unlikely(pw_gate_is_closed()) ? pw_gate_asks(ctx, p) : 0;

    if (why > 0)
        pw_gate_counts(ctx, p, (__u32)why - 1);
    return why > 0;
}
