/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a packet to addresses, protocol and ports: docs/internals/parsing.md, sections 2 to 5, in
 * their order. Bytes are read relative to the network header, so that the same code serves
 * Ethernet and devices without a MAC header; frames that leave through Ethernet from their first
 * byte, as the receiver reads them. A global function: the verifier proves it once,
 * whatever calls it. Packets are read through the reader (read_skb.h, read_nf.h) that a program
 * includes before this file. */
#pragma once
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "image.h"
#include "read.h"

enum { PW_L4_NONE, PW_L4_PORTS, PW_L4_ICMP };

struct pw_packet {
    __u64 src_hi, src_lo, dst_hi, dst_lo; /* host order, IPv4 in the low 32 bits of *_lo */
    __u16 sport;
    __u16 dport; /* or ICMP type << 8 | code */
    __u8 family; /* 4, 6; 0 = not IP */
    __u8 proto;
    __u8 hop_limit;
    __u8 l4; /* PW_L4_* */
    __u8 later_fragment;
    __u8 reason;                 /* PW_DROP_* or 0 */
    __u8 classify_source_routes; /* set by the caller */
    __u8 from_frame;             /* set by the caller: sent, with an Ethernet header */
    __u8 tcp_flags;
    __u8 fragment; /* any, also the first */
    __u8 net;      /* where its IP header is, see pw_cursor; 0 = as without a VLAN tag */
    __u8 l4_at;    /* where the header behind it is, in PW_L4_UNIT from there; 0 = too far */
};

enum {
    PW_ETH_IP = 0x0800,
    PW_ETH_IPV6 = 0x86dd,
    PW_ETH_8021Q = 0x8100,
    PW_ETH_8021AD = 0x88a8,
    PW_VLAN_MAX = 8,
    PW_EXT_MAX = 8,
    PW_OPTIONS_MAX = 40, /* bytes of options in a header of IPv4 */
    PW_ETH_BYTES = 14,
    PW_NO_END = 0xffffffff,
    PW_L4_UNIT = 4, /* headers of IP end at such a place */
};

/* Where the header that is read next lies, and what is known about the packet around it. */
struct pw_cursor {
    __u32 net;           /* IP header, from what `start` says */
    __u32 start;         /* BPF_HDR_START_* */
    __u32 end;           /* of the IP packet, from the IP header; PW_NO_END */
    __u32 at;            /* next header, from the IP header */
    __u8 first_fragment; /* offset 0 and more to come */
    __u8 fragment_seen;
    union pw_bytes h; /* read last */
};

static __always_inline int pw_read(struct pw_ctx *ctx, struct pw_cursor *c, __u32 at, __u32 n)
{
    return pw_load(ctx, &c->h, at, n, c->start);
}

/* Reads n bytes at c->at that must be present: readable and not beyond the packet's end. */
static __always_inline int pw_present(struct pw_ctx *ctx, struct pw_cursor *c, __u32 n)
{
    if (c->at + n > c->end)
        return -1;
    return pw_read(ctx, c, c->net + c->at, n);
}

/* Section 2. The EtherType in host order, or the negative reason; c->net = where its header is. */
static __always_inline int pw_vlan(struct pw_ctx *ctx, struct pw_cursor *c, __u8 from_frame)
{
    __u16 type = pw_ethertype(ctx);
    __u32 tags = pw_has_vlan_tag(ctx);

    /* A packet socket puts any number into skb->protocol, and the network header of the tagged
     * frames it sends lies behind their tags (packet_parse_headers). */
    if (from_frame) {
        c->start = BPF_HDR_START_MAC;
        c->net = PW_ETH_BYTES;
        if (pw_read(ctx, c, PW_ETH_BYTES - 2, 2) < 0)
            return -PW_DROP_BAD_HEADER;
        type = bpf_ntohs(c->h.half[0]);
    }
    for (int i = 0; i <= PW_VLAN_MAX; i++) {
        if (type != PW_ETH_8021Q && type != PW_ETH_8021AD)
            return type;
        if (tags == PW_VLAN_MAX)
            return -PW_DROP_VLAN_DEPTH;
        if (pw_read(ctx, c, c->net, 4) < 0)
            return -PW_DROP_BAD_HEADER;
        type = bpf_ntohs(c->h.half[1]);
        c->net += 4;
        tags++;
    }
    return -PW_DROP_VLAN_DEPTH;
}

/* Section 5. */
static __always_inline int pw_l4(struct pw_ctx *ctx, struct pw_cursor *c, struct pw_packet *p)
{
    __u32 need;

    switch (p->proto) {
    case 6:
        need = 20;
        break;
    case 17:
    case 136:
    case 1:
    case 58:
        need = 8;
        break;
    case 132:
    case 33:
        need = 12;
        break;
    default:
        return 0;
    }
    if (pw_present(ctx, c, need) < 0)
        return c->first_fragment ? PW_DROP_TINY_FRAGMENT : PW_DROP_TRUNCATED_L4;
    p->l4_at = c->at < 256 * PW_L4_UNIT ? (__u8)(c->at / PW_L4_UNIT) : 0;
    __u16 first = bpf_ntohs(c->h.half[0]), second = bpf_ntohs(c->h.half[1]);
    if (p->proto == 1 || p->proto == 58) {
        p->l4 = PW_L4_ICMP;
        p->dport = first;
    } else {
        p->l4 = PW_L4_PORTS;
        p->tcp_flags = p->proto == 6 ? c->h.b[13] : 0;
        p->sport = first;
        p->dport = second;
    }
    return 0;
}

/* The walk over the options of an IPv4 header, from its beginning. */
struct pw_options4 {
    struct pw_ctx *ctx;
    struct pw_cursor *cursor;
    __u32 at, end;
    int result; /* 1 = source-routed, negative reason */
};

static __always_inline int pw_option_byte(const struct pw_options4 *o, __u32 at)
{
    struct pw_cursor *c = o->cursor;

    return pw_read(o->ctx, c, c->net + at, 1) < 0 ? -1 : c->h.b[0];
}

/* One option; 1 = the walk ends. */
static long pw_option4(__u32 index, struct pw_options4 *o)
{
    (void)index;
    if (o->at >= o->end)
        return 1;
    int kind = pw_option_byte(o, o->at);
    if (kind == 1) {
        o->at++;
        return 0;
    }
    if (kind == 131 || kind == 137)
        o->result = 1;
    if (kind == 0 || kind == 131 || kind == 137)
        return 1;
    int len = kind < 0 || o->at + 2 > o->end ? -1 : pw_option_byte(o, o->at + 1);
    if (len < 2 || o->at + (__u32)len > o->end) {
        o->result = -PW_DROP_BAD_HEADER;
        return 1;
    }
    o->at += (__u32)len;
    return 0;
}

/* Section 3.3: 1 = source-routed, 0 = not, negative reason. */
static __always_inline int pw_options4(struct pw_ctx *ctx, struct pw_cursor *c, __u32 header_bytes)
{
    struct pw_options4 o = {.ctx = ctx, .cursor = c, .at = 20, .end = header_bytes};

    bpf_loop(PW_OPTIONS_MAX, pw_option4, &o, 0);
    return o.result;
}

/* Section 3. */
static __always_inline int pw_ip4(struct pw_ctx *ctx, struct pw_cursor *c, struct pw_packet *p)
{
    if (pw_read(ctx, c, c->net, 20) < 0)
        return PW_DROP_BAD_HEADER;
    __u32 w = bpf_ntohl(c->h.word[0]), bytes = ((w >> 24) & 15) * 4, total = w & 0xffff;
    if (w >> 28 != 4 || bytes < 20)
        return PW_DROP_BAD_HEADER;
    if (!(total == 0 && pw_gso_size(ctx))) {
        if (total < bytes)
            return PW_DROP_BAD_HEADER;
        c->end = total;
    }
    p->hop_limit = (__u8)(bpf_ntohl(c->h.word[2]) >> 24);
    p->proto = (__u8)(bpf_ntohl(c->h.word[2]) >> 16);
    p->src_lo = bpf_ntohl(c->h.word[3]);
    p->dst_lo = bpf_ntohl(c->h.word[4]);
    __u32 fragment = bpf_ntohl(c->h.word[1]) & 0x3fff; /* MF and the offset in 8 bytes */
    if (bytes > 20) {
        if (pw_read(ctx, c, c->net + bytes - 1, 1) < 0)
            return PW_DROP_BAD_HEADER;
        int routed = pw_options4(ctx, c, bytes);
        if (routed < 0)
            return -routed;
        if (routed && !p->classify_source_routes)
            return PW_DROP_SOURCE_ROUTE;
    }
    if (fragment & 0x1fff) {
        p->later_fragment = 1;
        return p->proto == 6 && (fragment & 0x1fff) == 1 ? PW_DROP_TINY_FRAGMENT : 0;
    }
    c->first_fragment = fragment != 0;
    c->at = bytes;
    return pw_l4(ctx, c, p);
}

static __always_inline int pw_is_ext(__u8 next)
{
    const __u64 low = 1ULL << 0 | 1ULL << 43 | 1ULL << 44 | 1ULL << 51 | 1ULL << 60;

    if (next < 64)
        return (low >> next) & 1;
    return next == 135 || next == 139 || next == 140;
}

/* One extension header of section 4.3: 1 = a later fragment, the walk ends; 0 = go on;
 * negative reason. */
static __always_inline int pw_ext(struct pw_ctx *ctx, struct pw_cursor *c, struct pw_packet *p)
{
    __u8 type = p->proto;

    if (pw_present(ctx, c, 8) < 0)
        return c->first_fragment ? -PW_DROP_TINY_FRAGMENT : -PW_DROP_TRUNCATED_L4;
    p->proto = c->h.b[0];
    if (type == 43 && c->h.b[3] > 0 && !p->classify_source_routes)
        return -PW_DROP_SOURCE_ROUTE;
    if (type == 51) {
        c->at += (c->h.b[1] + 2) * 4;
    } else if (type != 44) {
        c->at += (c->h.b[1] + 1) * 8;
    } else {
        __u32 fragment = bpf_ntohs(c->h.half[1]);
        c->at += 8;
        if (c->fragment_seen)
            return -PW_DROP_EXT_HEADERS;
        c->fragment_seen = 1;
        if (fragment & 0xfff8) {
            p->later_fragment = 1;
            return p->proto == 6 && fragment >> 3 == 1 ? -PW_DROP_TINY_FRAGMENT : 1;
        }
        c->first_fragment = fragment & 1;
    }
    return 0;
}

/* Section 4. */
static __always_inline int pw_ip6(struct pw_ctx *ctx, struct pw_cursor *c, struct pw_packet *p)
{
    if (pw_read(ctx, c, c->net, 40) < 0)
        return PW_DROP_BAD_HEADER;
    __u64 w = bpf_be64_to_cpu(c->h.twice[0]);
    if (w >> 60 != 6)
        return PW_DROP_BAD_HEADER;
    p->proto = (__u8)(w >> 8);
    p->hop_limit = (__u8)w;
    p->src_hi = bpf_be64_to_cpu(c->h.twice[1]);
    p->src_lo = bpf_be64_to_cpu(c->h.twice[2]);
    p->dst_hi = bpf_be64_to_cpu(c->h.twice[3]);
    p->dst_lo = bpf_be64_to_cpu(c->h.twice[4]);
    __u32 payload = (w >> 16) & 0xffff;
    if (payload || !(pw_gso_size(ctx) || p->proto == 0))
        c->end = 40 + payload;
    c->at = 40;
    for (int i = 0; i <= PW_EXT_MAX; i++) {
        if (!pw_is_ext(p->proto))
            return pw_l4(ctx, c, p);
        if (i == PW_EXT_MAX)
            break;
        int r = pw_ext(ctx, c, p);
        if (r < 0)
            return -r;
        if (r > 0)
            return 0;
    }
    return PW_DROP_EXT_HEADERS;
}

/* Fills *p; what the caller sets is read. The result is p->reason. */
__noinline int pw_parse(struct pw_ctx *ctx, struct pw_packet *p)
{
    struct pw_cursor c = {.end = PW_NO_END, .start = BPF_HDR_START_NET};

    if (!p)
        return PW_DROP_INTERNAL;
    __u8 classify = p->classify_source_routes, from_frame = p->from_frame;
    __builtin_memset(p, 0, sizeof(*p));
    p->classify_source_routes = classify;
    p->from_frame = from_frame;
    int type = pw_vlan(ctx, &c, from_frame);
    if (type < 0) {
        p->reason = (__u8)-type;
    } else if (type == PW_ETH_IP) {
        p->family = 4;
        p->reason = (__u8)pw_ip4(ctx, &c, p);
    } else if (type == PW_ETH_IPV6) {
        p->family = 6;
        p->reason = (__u8)pw_ip6(ctx, &c, p);
    }
    p->net = (__u8)c.net;
    p->fragment = p->later_fragment | c.first_fragment;
    return p->reason;
}
