/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State at TCX: connections of this host carry theirs in the socket (datapath.md 9), so that no
 * flood can push it out of a table. Included by bpf/classify.bpf.c. A stamp holds for the very
 * tuple that it names: a socket may be connected more than once. */
#pragma once
#include "state.h"

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct pw_stamp);
} st_sk SEC(".maps");

/* States of TCP, include/net/tcp_states.h. */
enum { PW_SYN_SENT = 2, PW_TIME_WAIT = 6, PW_CLOSED = 7, PW_LISTEN = 10 };

static __always_inline __u64 pw_identity(struct pw_ctx *ctx)
{
    return (__u64)(long)ctx;
}

static __always_inline __u32 pw_user(struct pw_ctx *ctx)
{
    return bpf_get_socket_uid(ctx);
}

/* The connection between flow's ends, of which the source (lo) or the destination is here. */
static __always_inline struct bpf_sock *pw_socket(struct pw_ctx *ctx, const struct pw_flow *f,
                                                  bool lo)
{
    struct bpf_sock_tuple t = {};
    __u64 here[2] = {lo ? f->src_hi : f->dst_hi, lo ? f->src_lo : f->dst_lo};
    __u64 peer[2] = {lo ? f->dst_hi : f->src_hi, lo ? f->dst_lo : f->src_lo};
    __u16 here_port = bpf_htons(lo ? f->sport : f->dport);
    __u16 peer_port = bpf_htons(lo ? f->dport : f->sport);

    if (f->family == 4) {
        t.ipv4.saddr = bpf_htonl((__u32)peer[1]);
        t.ipv4.daddr = bpf_htonl((__u32)here[1]);
        t.ipv4.sport = peer_port;
        t.ipv4.dport = here_port;
        return bpf_skc_lookup_tcp(ctx, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
    }
    for (int i = 0; i < 2; i++) {
        t.ipv6.saddr[2 * i] = bpf_htonl((__u32)(peer[i] >> 32));
        t.ipv6.saddr[2 * i + 1] = bpf_htonl((__u32)peer[i]);
        t.ipv6.daddr[2 * i] = bpf_htonl((__u32)(here[i] >> 32));
        t.ipv6.daddr[2 * i + 1] = bpf_htonl((__u32)here[i]);
    }
    t.ipv6.sport = peer_port;
    t.ipv6.dport = here_port;
    return bpf_skc_lookup_tcp(ctx, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
}

static __always_inline bool pw_same_flow(const struct pw_flow *a, const struct pw_flow *b)
{
    return a->src_hi == b->src_hi && a->src_lo == b->src_lo && a->dst_hi == b->dst_hi &&
           a->dst_lo == b->dst_lo && a->sport == b->sport && a->dport == b->dport &&
           a->family == b->family;
}

static __always_inline int pw_stamp_of(struct bpf_sock *sk, struct pw_work *w, __u32 lo)
{
    if (sk->state == PW_TIME_WAIT)
        return PW_IN_TIME_WAIT;
    if (sk->state == PW_LISTEN || sk->state == PW_CLOSED)
        return PW_IN_NOTHING;
    const struct pw_stamp *s = bpf_sk_storage_get(&st_sk, sk, 0, 0);
    if (s && pw_same_flow(&s->flow, &w->flow)) {
        w->entry = s->entry;
        return PW_IN_SOCKET;
    }
    if (lo || sk->state == PW_SYN_SENT)
        return PW_IN_NOTHING;
    w->entry = (struct pw_entry){.zone = w->meta.zone, .last_seen_ns = w->now_ns};
    return PW_IN_ACCEPTED;
}

__noinline int pw_socket_find(struct pw_ctx *ctx, struct pw_work *w, __u32 lo)
{
    if (!w)
        return PW_IN_NOTHING;
    struct bpf_sock *sk = pw_socket(ctx, &w->flow, lo);
    if (!sk)
        return PW_IN_NOTHING;
    int where = pw_stamp_of(sk, w, lo);
    bpf_sk_release(sk);
    return where;
}

/* The packet is one of this socket's, which address translation has not touched. */
static __always_inline bool pw_is_from(const struct bpf_sock *sk, const struct pw_flow *f)
{
    if (sk->src_port != f->sport || sk->dst_port != bpf_htons(f->dport))
        return false;
    if (f->family == 4)
        return sk->src_ip4 == bpf_htonl((__u32)f->src_lo) &&
               sk->dst_ip4 == bpf_htonl((__u32)f->dst_lo);
    return sk->src_ip6[0] == bpf_htonl((__u32)(f->src_hi >> 32)) &&
           sk->src_ip6[1] == bpf_htonl((__u32)f->src_hi) &&
           sk->src_ip6[2] == bpf_htonl((__u32)(f->src_lo >> 32)) &&
           sk->src_ip6[3] == bpf_htonl((__u32)f->src_lo) &&
           sk->dst_ip6[0] == bpf_htonl((__u32)(f->dst_hi >> 32)) &&
           sk->dst_ip6[1] == bpf_htonl((__u32)f->dst_hi) &&
           sk->dst_ip6[2] == bpf_htonl((__u32)(f->dst_lo >> 32)) &&
           sk->dst_ip6[3] == bpf_htonl((__u32)f->dst_lo);
}

/* A packet of ours: the first one of a connection leaves the stamp. */
static __always_inline int pw_stamp_sender(struct pw_ctx *ctx, struct pw_work *w)
{
    struct bpf_sock *sk = ctx->sk;

    if (!sk)
        return 0;
    sk = bpf_sk_fullsock(sk);
    if (!sk || sk->protocol != 6 || !pw_is_from(sk, &w->flow))
        return 0;
    if (!pw_is_opening(&w->packet))
        return 1;
    struct pw_stamp *s = bpf_sk_storage_get(&st_sk, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!s)
        return 0;
    struct pw_entry e = {
        .last_seen_ns = w->now_ns,
        .flags = pw_meta_flags(&w->meta),
        .zone = w->meta.zone,
        .owner = bpf_get_socket_uid(ctx),
    };
    pw_learn(&e, &w->v.match, w->epoch);
    s->flow = w->flow;
    s->entry = e;
    return 1;
}

/* On ingress a connection of this host is found anew when it answers. */
__noinline int pw_socket_note(struct pw_ctx *ctx, struct pw_work *w)
{
    if (!w)
        return 0;
    if (w->meta.egress)
        return pw_stamp_sender(ctx, w);
    if (!w->v.dst_me)
        return 0;
    struct bpf_sock *sk = pw_socket(ctx, &w->flow, false);
    if (!sk)
        return 0;
    bpf_sk_release(sk);
    return 1;
}

__noinline int pw_socket_write(struct pw_ctx *ctx, struct pw_work *w, __u32 keep)
{
    if (!w)
        return 0;
    struct bpf_sock *sk = pw_socket(ctx, &w->flow, w->entry.flags & PW_FLOW_EGRESS);
    if (!sk)
        return 0;
    if (!keep) {
        bpf_sk_storage_delete(&st_sk, sk);
    } else {
        struct pw_stamp *s = bpf_sk_storage_get(&st_sk, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

        if (s) {
            s->flow = w->flow;
            s->entry = w->entry;
        }
    }
    bpf_sk_release(sk);
    return 0;
}
