/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State at the guard: netfilter programs can neither look sockets up nor write into them, so that
 * everything the guard judges is in the tables (datapath.md 9). Included by bpf/guard.bpf.c. */
#pragma once
#include "state.h"

static __always_inline __u64 pw_identity(struct pw_ctx *ctx)
{
    return (__u64)(long)ctx->skb;
}

static __always_inline __u32 pw_user(struct pw_ctx *ctx)
{
    const struct sock *sk = ctx->skb->sk;

    return sk ? BPF_CORE_READ(sk, sk_uid.val) : 0;
}

/* Everything about the packet that later steps ask for. */
static __always_inline __u32 pw_meta_bits(const struct pw_meta *m)
{
    return pw_meta_flags(m) | (__u32)m->zone << 8 | (__u32)m->log_flags << 16;
}

static __always_inline void pw_meta_again(struct pw_ctx *ctx, struct pw_work *w)
{
    __u32 bits = w->bits;

    (void)ctx;
    w->meta = (struct pw_meta){
        .egress = !!(bits & PW_FLOW_EGRESS),
        .judged = !!(bits & PW_FLOW_JUDGED),
        .from_host = !!(bits & PW_FLOW_FROM_HOST),
        .to_host = !!(bits & PW_FLOW_TO_HOST),
        .not_me = !!(bits & PW_FLOW_NOT_ME),
        .no_martian = !!(bits & PW_FLOW_NO_MARTIAN),
        .zone = (__u8)(bits >> 8),
        .log_flags = (__u8)(bits >> 16),
    };
}

/* Else the compiler leaves out what nobody reads, and the verifier sees a call without a context.
 */
#define pw_unused(v) barrier_var(v)

__noinline int pw_socket_find(struct pw_ctx *ctx, struct pw_work *w, __u32 lo)
{
    pw_unused(ctx);
    pw_unused(w);
    pw_unused(lo);
    return PW_IN_NOTHING;
}

__noinline int pw_socket_note(struct pw_ctx *ctx, struct pw_work *w)
{
    pw_unused(ctx);
    pw_unused(w);
    return 0;
}

__noinline int pw_socket_write(struct pw_ctx *ctx, struct pw_work *w, __u32 keep)
{
    pw_unused(ctx);
    pw_unused(w);
    pw_unused(keep);
    return 0;
}
