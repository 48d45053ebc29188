/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader (read.h) of netfilter programs, and the few kernel structures they look into, with
 * offsets taken from the running kernel. A packet at LOCAL_IN, FORWARD and LOCAL_OUT begins at its
 * IP header. Included by bpf/guard.bpf.c before everything that parses. */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "read.h"

#define pw_ctx bpf_nf_ctx

enum { PW_PF_IPV4 = 2, PW_PF_IPV6 = 10 };

enum skb_ext_id {
    SKB_EXT_SEC_PATH = 1,
};

struct dst_entry {
    void *xfrm;
    void *lwtstate;
} __attribute__((preserve_access_index));

struct bpf_prog_aux {
    __u32 id;
} __attribute__((preserve_access_index));

struct bpf_prog {
    struct bpf_prog_aux *aux;
} __attribute__((preserve_access_index));

struct bpf_mprog_fp {
    struct bpf_prog *prog;
} __attribute__((preserve_access_index));

struct bpf_mprog_entry {
    struct bpf_mprog_fp fp_items[1];
} __attribute__((preserve_access_index));

struct net_device {
    int ifindex;
    struct bpf_mprog_entry *tcx_egress;
} __attribute__((preserve_access_index));

struct netns_xfrm {
    unsigned int policy_count[6];
} __attribute__((preserve_access_index));

struct net {
    struct netns_xfrm xfrm;
} __attribute__((preserve_access_index));

struct skb_shared_info {
    unsigned short gso_size, gso_segs;
} __attribute__((preserve_access_index));

typedef struct {
    unsigned int val;
} kuid_t;

struct sock {
    kuid_t sk_uid;
} __attribute__((preserve_access_index));

struct sk_buff {
    struct net_device *dev;
    struct sock *sk;
    unsigned long _skb_refdst;
    unsigned int len;
    __u16 mac_len;
    __u8 active_extensions;
    __u16 tc_index;
    __u16 network_header, mac_header;
    unsigned int end;
    unsigned char *head;
} __attribute__((preserve_access_index));

struct nf_hook_state {
    __u8 hook;
    __u8 pf;
    struct net_device *in, *out;
    struct net *net;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
    const struct nf_hook_state *state;
    struct sk_buff *skb;
};

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ret) __ksym;

/* Reads n bytes wherever they lie. Only the IP header can be counted from. */
__noinline int pw_load(struct pw_ctx *ctx, union pw_bytes *to, __u32 at, __u32 n, __u32 start)
{
    struct bpf_dynptr packet;

    if (!to || n == 0 || n > sizeof(*to) || start != BPF_HDR_START_NET)
        return -1;
    if (bpf_dynptr_from_skb((struct __sk_buff *)ctx->skb, 0, &packet) < 0)
        return -1;
    return bpf_dynptr_read(to, n, &packet, at, 0) < 0 ? -1 : 0;
}

static __always_inline __u16 pw_ethertype(const struct pw_ctx *ctx)
{
    return ctx->state->pf == PW_PF_IPV4 ? 0x0800 : 0x86dd;
}

static __always_inline __u32 pw_has_vlan_tag(const struct pw_ctx *ctx)
{
    (void)ctx; /* the tags are off, and were judged where they were on */
    return 0;
}

static __always_inline const struct skb_shared_info *pw_shared(const struct pw_ctx *ctx)
{
    return (const void *)(ctx->skb->head + ctx->skb->end);
}

static __always_inline __u32 pw_gso_size(const struct pw_ctx *ctx)
{
    return BPF_CORE_READ(pw_shared(ctx), gso_size);
}

static __always_inline __u64 pw_segments(const struct pw_ctx *ctx)
{
    __u16 n = BPF_CORE_READ(pw_shared(ctx), gso_segs);

    return n ? n : 1;
}

static __always_inline __u32 pw_ifindex(const struct pw_ctx *ctx)
{
    const struct net_device *in = ctx->state->in;

    return in ? in->ifindex : ctx->state->out->ifindex;
}

static __always_inline __u16 pw_vlan_id(const struct pw_ctx *ctx)
{
    (void)ctx; /* see pw_has_vlan_tag() */
    return 0;
}

static __always_inline __u32 pw_length(const struct pw_ctx *ctx)
{
    return ctx->skb->len;
}

static __always_inline __u64 pw_clock_ns(void)
{
    return bpf_ktime_get_ns(); /* the coarse one is not for netfilter programs */
}

static __always_inline bool pw_is_for_one(const struct pw_ctx *ctx)
{
    (void)ctx; /* what addresses say is asked as well */
    return true;
}
