/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The short way through parse.h for the packets that nearly all are: IPv4 without options or
 * fragments, IPv6 without extension headers, both with a whole TCP, UDP or ICMP header in the
 * linear part and no VLAN tag in the data. Included by bpf/classify.bpf.c. Invariant: what it
 * accepts, pw_parse() would read in the same way; it accepts nothing that has a reason to be
 * dropped. */
#pragma once
#include "maps.h"
#include "parse.h"

/* Where the header begins in the data; more than PW_L2_MAX = not known. */
static __always_inline __u32 pw_offset(struct pw_ctx *ctx, bool mac)
{
    if (!bpf_cast_to_kern_ctx)
        return PW_NO_END;
    const struct sk_buff___pw *skb = bpf_cast_to_kern_ctx(ctx);
    __u32 headroom = (__u32)((__u64)skb->data - (__u64)skb->head);
    return (mac ? skb->mac_header : skb->network_header) - headroom;
}

/* Ports or ICMP type and code; payload: bytes of the IP packet behind its header. */
static __always_inline bool pw_linear_l4(const __u8 *at, const void *end, __u32 payload, __u8 icmp,
                                         struct pw_packet *p)
{
    const __u16 *half = (const __u16 *)at;

    if (p->proto == 6) {
        if (pw_unlikely((const void *)(at + 20) > end || payload < 20))
            return false;
        p->tcp_flags = at[13];
    } else if (p->proto == 17 || p->proto == icmp) {
        if (pw_unlikely((const void *)(at + 8) > end || payload < 8))
            return false;
        p->tcp_flags = (__u8)pw_forget(0);
    } else {
        return false;
    }
    if (pw_unlikely(p->proto == icmp)) {
        p->l4 = (__u8)pw_forget(PW_L4_ICMP);
        p->dport = bpf_ntohs(half[0]);
        return true;
    }
    p->l4 = (__u8)pw_forget(PW_L4_PORTS);
    p->sport = bpf_ntohs(half[0]);
    p->dport = bpf_ntohs(half[1]);
    return true;
}

static __always_inline bool pw_linear4(const __u8 *at, const void *end, struct pw_packet *p)
{
    const __u16 *half = (const __u16 *)at;
    const __u32 *word = (const __u32 *)at;

    if (pw_unlikely((const void *)(at + 20) > end || at[0] != 0x45 || half[3] & bpf_htons(0x3fff)))
        return false;
    p->family = 4;
    p->hop_limit = at[8];
    p->proto = at[9];
    p->src_lo = bpf_ntohl(word[3]);
    p->dst_lo = bpf_ntohl(word[4]);
    /* A total length of 0 or less than the header wraps or is too short: the long way. */
    __u32 total = bpf_ntohs(half[1]);
    return total > 20 && pw_linear_l4(at + 20, end, total - 20, 1, p);
}

static __always_inline bool pw_linear6(const __u8 *at, const void *end, struct pw_packet *p)
{
    const __u64 *twice = (const __u64 *)(at + 8);

    if (pw_unlikely((const void *)(at + 40) > end || at[0] >> 4 != 6))
        return false;
    p->family = 6;
    p->proto = at[6];
    p->hop_limit = at[7];
    p->src_hi = bpf_be64_to_cpu(twice[0]);
    p->src_lo = bpf_be64_to_cpu(twice[1]);
    p->dst_hi = bpf_be64_to_cpu(twice[2]);
    p->dst_lo = bpf_be64_to_cpu(twice[3]);
    return pw_linear_l4(at + 40, end, bpf_ntohs(*(const __u16 *)(at + 4)), 58, p);
}

static __always_inline bool pw_parse_linear(struct pw_ctx *ctx, struct pw_packet *p)
{
    const __u8 *at = (const __u8 *)(long)ctx->data;
    const void *end = (const void *)(long)ctx->data_end;
    __u32 offset = pw_offset(ctx, p->from_frame);
    __u16 type = (__u16)ctx->protocol;

    if (pw_unlikely(offset > PW_L2_MAX))
        return false;
    at += offset;
    if (p->from_frame) {
        if (pw_unlikely((const void *)(at + PW_ETH_BYTES) > end))
            return false;
        type = *(const __u16 *)(at + PW_ETH_BYTES - 2);
        at += PW_ETH_BYTES;
    }
    if (type == bpf_htons(PW_ETH_IP))
        return pw_linear4(at, end, p);
    return type == bpf_htons(PW_ETH_IPV6) && pw_linear6(at, end, p);
}

/* Fills *p; what the caller sets is read. The long way forgets what the short one wrote. */
static __always_inline void pw_parse_packet(struct pw_ctx *ctx, struct pw_packet *p)
{
    if (pw_unlikely(!pw_parse_linear(ctx, p)))
        pw_parse(ctx, p);
}
