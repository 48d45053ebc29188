/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard: a netfilter program at LOCAL_IN, FORWARD and LOCAL_OUT that judge what the classifier
 * at TCX did not (datapath.md 2.2). Loaded, pinned and attached by src/datapath/guard.c, for IPv4
 * and IPv6. What carries the tag of this boot passes without a map lookup; everything else goes
 * through the same pw_judge() as at TCX. No image drops, as there. */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "read_nf.h" /* before what parses */

#include "state_nf.h"

enum { PW_NF_DROP = 0, PW_NF_ACCEPT = 1, PW_LO = 1 };
enum { PW_LOCAL_IN = 1, PW_FORWARD = 2, PW_LOCAL_OUT = 3 }; /* NF_INET_* */
enum { PW_XFRM_OUT = 1, PW_XFRM_SOCKET_OUT = 4 }; /* policy_count: of the namespace, of sockets */

/* Filled in before loading. */
const volatile __u32 guard_secret;      /* upper 14 bits of the tag */
const volatile __u32 guard_out_program; /* id of pw_out; 0 = TCX is not used, ask the role */

static __always_inline bool pw_is_tagged(const struct sk_buff *skb, __u32 bits)
{
    __u32 tag = skb->tc_index;

    return (tag & IMG_TAG_SECRET_MASK) == guard_secret && (tag & bits);
}

static __always_inline bool pw_has_security_path(const struct sk_buff *skb)
{
    if (!bpf_core_enum_value_exists(enum skb_ext_id, SKB_EXT_SEC_PATH))
        return false;
    return skb->active_extensions & 1 << bpf_core_enum_value(enum skb_ext_id, SKB_EXT_SEC_PATH);
}

/* IPsec, segment routing, MPLS and the like go on with the inner packet without another round
 * through a device: TCX saw the outer one only. */
static __always_inline bool pw_is_decapsulated(const struct sk_buff *skb)
{
    return pw_has_security_path(skb) ||
           skb->network_header != (__u16)(skb->mac_header + skb->mac_len);
}

/* A packet that nobody judged. */
struct pw_case {
    struct pw_meta meta;
    __u32 ifindex; /* where it comes in, or leaves */
    __u8 is_protected;
};

/* On `lo`: the source is one that this host has. */
static __always_inline bool pw_is_own(struct pw_ctx *ctx)
{
    bool is4 = ctx->state->pf == PW_PF_IPV4;
    struct pw_packet p = {.family = is4 ? 4 : 6};
    union pw_bytes h;

    if (pw_load(ctx, &h, 0, is4 ? 20 : 40, BPF_HDR_START_NET) < 0)
        return false;
    if (is4) {
        p.src_lo = bpf_ntohl(h.word[3]);
    } else {
        p.src_hi = bpf_be64_to_cpu(h.twice[1]);
        p.src_lo = bpf_be64_to_cpu(h.twice[2]);
    }
    return pw_is_loopback(p.family, p.src_hi, p.src_lo) ||
           pw_local_kind(&p, p.src_hi, p.src_lo) == PW_LOCAL_UNICAST;
}

/* The three hooks: false = the packet passes, it was judged or is none of ours. Else what is to be
 * known for judging it. */
static __always_inline bool pw_asks_in(struct pw_ctx *ctx, struct pw_case *c)
{
    const struct sk_buff *skb = ctx->skb;
    bool decapsulated = pw_is_decapsulated(skb);

    if (!decapsulated && pw_is_tagged(skb, IMG_TAG_ME))
        return false;
    bool on_lo = ctx->state->in->ifindex == PW_LO;

    if (!decapsulated && on_lo && pw_is_own(ctx))
        return false;
    c->ifindex = ctx->state->in->ifindex;
    c->is_protected = pw_has_security_path(skb);
    c->meta.to_host = 1;
    c->meta.no_martian = !decapsulated && (on_lo || pw_is_tagged(skb, IMG_TAG_FORWARDED));
    c->meta.log_flags = decapsulated ? PW_RECORD_DECAPSULATED : 0;
    return true;
}

/* With br_netfilter, frames from one port of a bridge to another come by, too: their device is the
 * port they leave by, that of a forwarded packet the one it came in by. They are not forwarded by
 * IP, and TCX has its say at the ports. */
static __always_inline bool pw_is_bridged(const struct pw_ctx *ctx)
{
    const struct net_device *in = ctx->state->in;

    return in && ctx->skb->dev->ifindex != in->ifindex;
}

static __always_inline bool pw_asks_forward(struct pw_ctx *ctx, struct pw_case *c)
{
    const struct sk_buff *skb = ctx->skb;
    bool decapsulated = pw_is_decapsulated(skb);

    if ((pw_is_tagged(skb, IMG_TAG_ME | IMG_TAG_FORWARDED) && !decapsulated) || pw_is_bridged(ctx))
        return false;
    c->ifindex = ctx->state->in->ifindex;
    c->is_protected = pw_has_security_path(skb);
    c->meta.not_me = 1;
    c->meta.log_flags = decapsulated ? PW_RECORD_DECAPSULATED : 0;
    return true;
}

/* Our program stands first at the egress of this device. The kernel is asked, so that the answer
 * changes with the attachment itself. */
static __always_inline bool pw_is_covered(const struct net_device *dev)
{
    if (guard_out_program && bpf_core_field_exists(dev->tcx_egress)) {
        const struct bpf_mprog_entry *entry = dev->tcx_egress;

        return entry && entry->fp_items[0].prog->aux->id == guard_out_program;
    }
    return pw_iface(dev->ifindex).role != 0;
}

/* The route wraps the packet before the device sees it: IPsec or a lightweight tunnel. */
static __always_inline bool pw_will_change(const struct sk_buff *skb)
{
    const struct dst_entry *dst = (const void *)(skb->_skb_refdst & ~7UL);

    if (!dst)
        return false;
    return BPF_CORE_READ(dst, lwtstate) ||
           (bpf_core_field_exists(dst->xfrm) && BPF_CORE_READ(dst, xfrm));
}

/* Somebody has policies of IPsec: address translation may still lead the packet to one. */
static __always_inline bool pw_may_change(const struct net *net)
{
    if (!bpf_core_field_exists(net->xfrm))
        return false;
    return net->xfrm.policy_count[PW_XFRM_OUT] || net->xfrm.policy_count[PW_XFRM_SOCKET_OUT];
}

static __always_inline bool pw_asks_out(struct pw_ctx *ctx, struct pw_case *c)
{
    const struct net_device *out = ctx->state->out;

    if (out->ifindex == PW_LO)
        return false;
    bool covered = pw_is_covered(out), will_change = pw_will_change(ctx->skb);
    if (covered && !will_change && !pw_may_change(ctx->state->net))
        return false;
    c->ifindex = out->ifindex;
    c->is_protected = covered || will_change;
    c->meta.egress = 1;
    c->meta.from_host = 1;
    return true;
}

/* Judges the packet. A negotiate filter is content with a packet that is protected. */
static __always_inline int pw_guard_judge(struct pw_ctx *ctx, struct pw_case *c)
{
    const struct pw_ifrole role = pw_iface(c->ifindex);
    struct pw_meta *meta = &c->meta;
    const struct img_header *h;
    void *image = pw_image_at(PW_ROOT_ACTIVE, &h);
    struct pw_verdict v;

    if (!image)
        return pw_no_image(ctx, meta->egress) ? PW_NF_DROP : PW_NF_ACCEPT;
    if (!(h->flags & IMG_ARMED) && !h->n_entries)
        return PW_NF_ACCEPT;
    struct pw_packet p = {.classify_source_routes = !!(h->flags & IMG_SOURCE_ROUTE_CLASSIFY)};
    pw_parse(ctx, &p);
    meta->zone = role.zone;
    meta->accept_local = !meta->egress && (role.flags & PW_IF_ACCEPT_LOCAL);
    meta->log_flags |= PW_RECORD_GUARD;
    __u32 bits = pw_forget(pw_meta_bits(meta));
    pw_judge(image, h, &p, meta, &v);
    if (v.block && v.reason == PW_DROP_NO_SA && c->is_protected)
        v.block = 0;
    if (pw_concerns_state(h, &v))
        pw_hand_over(ctx, h, &p, &v, bits, &guard_next);
    return pw_finish(ctx, h, &p, meta, &v) ? PW_NF_DROP : PW_NF_ACCEPT;
}

/* One program for all hooks: the verifier follows the way to a verdict once. A hook that is none of
 * these is not attached to. */
SEC("?netfilter")
int pw_guard(struct bpf_nf_ctx *ctx)
{
    struct pw_case c = {.meta = {0}};
    bool asks;

    switch (ctx->state->hook) {
    case PW_LOCAL_IN:
        asks = pw_asks_in(ctx, &c);
        break;
    case PW_FORWARD:
        asks = pw_asks_forward(ctx, &c);
        break;
    default:
        asks = pw_asks_out(ctx, &c);
    }
    return asks ? pw_guard_judge(ctx, &c) : PW_NF_ACCEPT;
}

/* Goes on with what the programs of the hooks handed over. */
SEC("?netfilter")
int pw_guard_state(struct bpf_nf_ctx *ctx)
{
    return pw_state(ctx) ? PW_NF_DROP : PW_NF_ACCEPT;
}

char LICENSE[] SEC("license") = "GPL";
