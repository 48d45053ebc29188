/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader (read.h) of classifier programs, whose context is the packet itself. Included by
 * bpf/classify.bpf.c before everything that parses. */
#pragma once
#include <linux/bpf.h>
#include <linux/if_packet.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "read.h"

#define pw_ctx __sk_buff

/* More than any MAC header: how far the data may begin before the network header when bytes have
 * to be pulled. */
enum { PW_L2_MAX = 64 };

/* The fields of the kernel's struct sk_buff that say where headers begin. Linux 6.2 gives access to
 * them; where it does not, the function is absent. */
struct sk_buff___pw {
    unsigned char *head, *data;
    __u16 network_header, mac_header;
} __attribute__((preserve_access_index));
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

/* Reads n bytes from the linear part, after pulling if that is too short. at counts from start. */
__noinline int pw_load(struct pw_ctx *ctx, union pw_bytes *to, __u32 at, __u32 n, __u32 start)
{
    if (!to || n == 0 || n > sizeof(*to))
        return -1;
    if (bpf_skb_load_bytes_relative(ctx, at, to, n, start) == 0)
        return 0;
    if (at + n > ctx->len)
        return -1;
    __u32 want = at + n + PW_L2_MAX;
    if (bpf_skb_pull_data(ctx, want < ctx->len ? want : ctx->len) < 0)
        return -1;
    return bpf_skb_load_bytes_relative(ctx, at, to, n, start) < 0 ? -1 : 0;
}

static __always_inline __u16 pw_ethertype(const struct pw_ctx *ctx)
{
    return bpf_ntohs((__u16)ctx->protocol);
}

static __always_inline __u32 pw_has_vlan_tag(const struct pw_ctx *ctx)
{
    return ctx->vlan_present ? 1 : 0;
}

static __always_inline __u32 pw_gso_size(const struct pw_ctx *ctx)
{
    return ctx->gso_size;
}

static __always_inline __u64 pw_segments(const struct pw_ctx *ctx)
{
    return ctx->gso_segs ? ctx->gso_segs : 1;
}

static __always_inline __u32 pw_ifindex(const struct pw_ctx *ctx)
{
    return ctx->ifindex;
}

static __always_inline __u16 pw_vlan_id(const struct pw_ctx *ctx)
{
    return ctx->vlan_present ? ctx->vlan_tci & 0xfff : 0;
}

static __always_inline __u32 pw_length(const struct pw_ctx *ctx)
{
    return ctx->len;
}

static __always_inline __u64 pw_clock_ns(void)
{
    return bpf_ktime_get_coarse_ns();
}

/* The frame was sent to this host, not to a group. */
static __always_inline bool pw_is_for_one(const struct pw_ctx *ctx)
{
    return ctx->pkt_type == PACKET_HOST;
}
