/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives every bind() to port 0 of a confined unit a port of the set (rpc.md 4). Loaded, pinned and
 * attached at the root of the cgroup tree by src/rpc/load.c; works alone from then on. A bind
 * cannot be tried again from here, so a collision has to be impossible beforehand:
 *   bind4/6       a free number is taken by compare-and-swap and written into the address
 *   post_bind4/6  the kernel took it; an explicit bind inside the set takes its own reference
 *   connect4/6    who has a number and calls out is a client
 *   sock_release  the last close gives the number back
 * The tables are described in bpf/rpc.h. Other network namespaces pass after one comparison. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "rpc_alloc.h"

enum {
    RPC_SOL_SOCKET = 1,
    RPC_SO_REUSEADDR = 2,
    RPC_NO_PORT_BIT = 18, /* INET_FLAGS_BIND_ADDRESS_NO_PORT, Linux 6.6 */
    RPC_EACCES = 13,
    RPC_EADDRINUSE = 98,
    RPC_SECOND = 1000000000,
};

struct inet_sock {
    unsigned long inet_flags;
} __attribute__((preserve_access_index));

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

/* Filled in before loading. */
const volatile __u64 rpc_netns;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RPC_UNITS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u64);
    __type(value, struct rpc_unit);
} rpc_units SEC(".maps");

/* By the cookie of the socket. Socket storage would fit as well, but costs 600 ns per bind. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, RPC_SOCKS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u64);
    __type(value, struct rpc_sock);
} rpc_socks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, RPC_RING_BYTES);
} rpc_ring SEC(".maps");

/* --- who asks --- */

/* The innermost unit of the current task. */
static __always_inline struct rpc_unit *rpc_unit_of_task(__u64 *ret_id)
{
    struct rpc_unit *found = NULL;

    for (int level = 1; level <= RPC_LEVELS; level++) {
        __u64 id = bpf_get_current_ancestor_cgroup_id(level);

        if (!id)
            break;
        struct rpc_unit *u = bpf_map_lookup_elem(&rpc_units, &id);

        if (u) {
            found = u;
            *ret_id = id;
        }
    }
    return found;
}

/* A client that leaves the choice to connect(). */
static __always_inline bool rpc_wants_no_port(struct bpf_sock_addr *ctx)
{
    if (!bpf_core_field_exists(struct inet_sock, inet_flags))
        return false;
    const struct inet_sock *inet =
        bpf_rdonly_cast(ctx->sk, bpf_core_type_id_kernel(struct inet_sock));

    return inet && inet->inet_flags >> RPC_NO_PORT_BIT & 1;
}

/* --- what is told --- */

/* Of several at once one is told, at most one in `every`; the others are counted. */
static __always_inline __u64 rpc_may_tell(__u64 *last, __u64 *quiet, __u64 every)
{
    __u64 now = bpf_ktime_get_ns(), before = *last;

    if ((before && now - before < every) ||
        __sync_val_compare_and_swap(last, before, now) != before) {
        __sync_fetch_and_add(quiet, 1);
        return 0;
    }
    __u64 n = *quiet;

    __sync_fetch_and_sub(quiet, n);
    return n + 1;
}

struct rpc_news {
    __u64 unit, count;
    __u32 reserve;
    __u16 port;
    __u8 proto, kind;
};

static __always_inline void rpc_tell(struct rpc_conf *c, const struct rpc_table *t,
                                     const struct rpc_news *n)
{
    struct rpc_record *r = bpf_ringbuf_reserve(&rpc_ring, sizeof(*r), 0);

    if (!r) {
        rpc_count(c, RPC_STAT_LOST);
        return;
    }
    __builtin_memset(r, 0, sizeof(*r));
    r->unit = n->unit;
    r->count = n->count;
    r->pid = bpf_get_current_pid_tgid() >> 32;
    r->held = t->held;
    r->clients = t->clients;
    r->reserve = n->reserve;
    r->port = n->port;
    r->proto = n->proto;
    r->kind = n->kind;
    bpf_get_current_comm(r->comm, sizeof(r->comm));
    bpf_ringbuf_submit(r, 0);
}

static __always_inline int rpc_refuse(int err)
{
    bpf_set_retval(-err);
    return 0;
}

/* --- what a socket holds --- */

static __always_inline void rpc_add_unit(__u64 id, __u32 proto, int held, int clients)
{
    struct rpc_unit *u = id ? bpf_map_lookup_elem(&rpc_units, &id) : NULL;

    if (!u)
        return;
    __sync_fetch_and_add(&u->held[proto & 1], held);
    __sync_fetch_and_add(&u->clients[proto & 1], clients);
}

/* Takes the number off the socket; how it goes back is the caller's business. */
static __always_inline __u16 rpc_forget(__u64 cookie, const struct rpc_sock *st,
                                        struct rpc_table *t)
{
    struct rpc_sock was = *st;
    int client = was.flags & RPC_SOCK_CLIENT ? 1 : 0;

    bpf_map_delete_elem(&rpc_socks, &cookie);
    if (!(was.flags & RPC_SOCK_FOREIGN)) {
        __sync_fetch_and_add(&t->held, -1);
        if (client)
            __sync_fetch_and_add(&t->clients, -1);
        rpc_add_unit(was.unit, was.proto, -1, -client);
    }
    return was.port;
}

/* The kernel never took it, or has let it go. */
static __always_inline void rpc_give_back_now(__u64 cookie, const struct rpc_sock *st)
{
    struct rpc_table *t = rpc_table_of(st->proto);

    if (t)
        rpc_free_now(t, rpc_forget(cookie, st, t));
}

/* --- bind to a number --- */

static __always_inline int rpc_on_explicit(struct bpf_sock_addr *ctx, struct rpc_conf *c,
                                           struct rpc_table *t, __u32 proto)
{
    __u16 port = bpf_ntohs(ctx->user_port);
    struct rpc_sock *st;
    __u64 id = 0;

    if (!rpc_is_member(t, port) || rpc_unit_of_task(&id))
        return 1;
    id = bpf_get_socket_cookie(ctx);
    st = bpf_map_lookup_elem(&rpc_socks, &id);
    if (st && st->port == port)
        return 1;
    rpc_count(c, RPC_STAT_GUARDED);
    struct rpc_news n = {.port = port, .proto = proto, .kind = RPC_RECORD_GUARD};

    n.count = rpc_may_tell(&c->guard_event_ns, &c->guard_quiet, RPC_SECOND);
    if (n.count)
        rpc_tell(c, t, &n);
    return c->guard ? rpc_refuse(RPC_EACCES) : 1;
}

/* --- bind to port 0 --- */

static __always_inline __u32 rpc_reserve(const struct rpc_conf *c, const struct rpc_table *t)
{
    __u32 half = t->n_ports / 2, want = c->reserve;

    if (want == RPC_RESERVE_AUTO) {
        want = t->peak + RPC_RESERVE_MORE;
        if (want < RPC_RESERVE_MIN)
            want = RPC_RESERVE_MIN;
    }
    return want < half ? want : half;
}

/* The rest of the set is kept for those who listen: who calls out has no need of it. */
static __always_inline bool rpc_is_reserved(struct rpc_conf *c, struct rpc_table *t,
                                            struct rpc_unit *u, struct rpc_news *n)
{
    n->reserve = rpc_reserve(c, t);
    if (!n->reserve || u->clients[n->proto & 1] <= 0 ||
        t->clients < (__s32)(t->n_ports - n->reserve))
        return false;
    rpc_count(c, RPC_STAT_OVERFLOWS);
    __sync_fetch_and_add(&u->overflows, 1);
    n->kind = RPC_RECORD_RESERVE;
    n->count = rpc_may_tell(&u->reserve_event_ns[n->proto & 1], &u->reserve_quiet[n->proto & 1],
                            60ull * RPC_SECOND);
    if (n->count)
        rpc_tell(c, t, n);
    return true;
}

static __always_inline int rpc_no_port_left(struct rpc_conf *c, struct rpc_table *t,
                                            struct rpc_unit *u, struct rpc_news *n, bool loose)
{
    rpc_count(c, RPC_STAT_EXHAUSTED);
    __sync_fetch_and_add(&u->exhausted, 1);
    n->kind = RPC_RECORD_EXHAUSTED;
    n->count = rpc_may_tell(&u->exhausted_event_ns[n->proto & 1], &u->exhausted_quiet[n->proto & 1],
                            RPC_SECOND);
    if (n->count)
        rpc_tell(c, t, n);
    if (!loose)
        return rpc_refuse(RPC_EADDRINUSE);
    rpc_count(c, RPC_STAT_OVERFLOWS);
    __sync_fetch_and_add(&u->overflows, 1);
    return 1;
}

static __always_inline void rpc_count_hold(struct rpc_table *t, struct rpc_unit *u, __u32 proto)
{
    __s32 waiting = __sync_fetch_and_add(&t->held, 1) + 1 - t->clients;

    __sync_fetch_and_add(&u->held[proto & 1], 1);
    __sync_fetch_and_add(&u->rewrites, 1);
    if (waiting > t->peak)
        t->peak = waiting;
}

/* What the socket has: 1 = it is bound already, and the kernel will say so. */
static __always_inline bool rpc_is_bound(struct rpc_conf *c, __u64 cookie)
{
    const struct rpc_sock *st = bpf_map_lookup_elem(&rpc_socks, &cookie);

    if (!st)
        return false;
    if (st->flags & RPC_SOCK_CONFIRMED)
        return true;
    rpc_give_back_now(cookie, st);
    rpc_count(c, RPC_STAT_RETRIES);
    return false;
}

static __always_inline int rpc_rewrite(struct bpf_sock_addr *ctx, struct rpc_conf *c,
                                       struct rpc_unit *u, struct rpc_news *n, bool loose)
{
    __u64 cookie = bpf_get_socket_cookie(ctx);
    struct rpc_table *t = rpc_table_of(n->proto);
    int one = 1;

    if (!t || rpc_is_bound(c, cookie) || rpc_is_reserved(c, t, u, n))
        return 1;
    int port = rpc_allocate(c, n->proto);

    if (port < 0)
        return rpc_no_port_left(c, t, u, n, loose);
    struct rpc_sock st = {.unit = n->unit, .port = port, .proto = n->proto};

    if (bpf_map_update_elem(&rpc_socks, &cookie, &st, BPF_ANY)) {
        rpc_free_now(t, port);
        rpc_count(c, RPC_STAT_REFUSED);
        return loose ? 1 : rpc_refuse(RPC_EADDRINUSE);
    }
    rpc_count_hold(t, u, n->proto);
    ctx->user_port = bpf_htons(port);
    /* Connections that outlive their listener would make the next bind of the number fail. Not for
     * UDP, where it means sharing. */
    if (n->proto == RPC_TCP)
        bpf_setsockopt(ctx, RPC_SOL_SOCKET, RPC_SO_REUSEADDR, &one, sizeof(one));
    rpc_count(c, RPC_STAT_REWRITES);
    return 1;
}

static __always_inline int rpc_on_bind(struct bpf_sock_addr *ctx)
{
    __u32 proto = ctx->protocol == IPPROTO_UDP ? RPC_UDP : RPC_TCP;

    if ((ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP) || !ctx->sk ||
        bpf_get_netns_cookie(ctx) != rpc_netns)
        return 1;
    struct rpc_table *t = rpc_table_of(proto);
    struct rpc_conf *c = rpc_conf_get();

    if (!t || !c)
        return 1;
    if (ctx->user_port)
        return rpc_on_explicit(ctx, c, t, proto);
    struct rpc_news n = {.proto = proto};
    struct rpc_unit *u = rpc_unit_of_task(&n.unit);

    if (!u)
        return 1;
    __u32 mode = c->mode[u->class & (RPC_CLASSES - 1)];

    if (mode == RPC_MODE_PASS)
        return 1;
    if (mode == RPC_MODE_REFUSE) {
        rpc_count(c, RPC_STAT_REFUSED);
        return rpc_refuse(RPC_EACCES);
    }
    if (rpc_wants_no_port(ctx)) {
        rpc_count(c, RPC_STAT_NO_PORT);
        return 1;
    }
    return rpc_rewrite(ctx, c, u, &n, mode == RPC_MODE_LOOSE);
}

SEC("cgroup/bind4")
int pw_rpc_bind4(struct bpf_sock_addr *ctx)
{
    return rpc_on_bind(ctx);
}

SEC("cgroup/bind6")
int pw_rpc_bind6(struct bpf_sock_addr *ctx)
{
    return rpc_on_bind(ctx);
}

/* --- afterwards --- */

/* An explicit bind inside the set. */
static __always_inline void rpc_note_foreign(struct rpc_conf *c, struct rpc_table *t, __u64 cookie,
                                             const struct rpc_sock *st)
{
    if (bpf_map_update_elem(&rpc_socks, &cookie, st, BPF_ANY)) {
        rpc_count(c, RPC_STAT_REFUSED); /* nobody would give a reference back */
        return;
    }
    __sync_fetch_and_add(&t->refs[st->port], 1);
    rpc_set_busy(t, st->port);
    rpc_count(c, RPC_STAT_FOREIGN);
}

static __always_inline int rpc_on_post_bind(struct bpf_sock *sk)
{
    __u32 port = sk->src_port, proto = sk->protocol == IPPROTO_UDP ? RPC_UDP : RPC_TCP;

    if ((sk->protocol != IPPROTO_TCP && sk->protocol != IPPROTO_UDP) || port >= RPC_PORTS ||
        bpf_get_netns_cookie(sk) != rpc_netns)
        return 1;
    struct rpc_table *t = rpc_table_of(proto);
    struct rpc_conf *c = rpc_conf_get();

    /* refs: the port has left the set between the two hooks */
    if (!t || !c || (!rpc_is_member(t, port) && !t->refs[port]))
        return 1;
    __u64 cookie = bpf_get_socket_cookie(sk);
    struct rpc_sock *st = bpf_map_lookup_elem(&rpc_socks, &cookie);

    if (st && st->port == port) {
        st->flags |= RPC_SOCK_CONFIRMED;
        return 1;
    }
    if (st)
        rpc_give_back_now(cookie, st); /* an attempt that failed, before an explicit bind */
    if (!rpc_is_member(t, port))
        return 1;
    struct rpc_sock foreign = {
        .port = port, .proto = proto, .flags = RPC_SOCK_CONFIRMED | RPC_SOCK_FOREIGN};

    rpc_note_foreign(c, t, cookie, &foreign);
    return 1;
}

SEC("cgroup/post_bind4")
int pw_rpc_post_bind4(struct bpf_sock *sk)
{
    return rpc_on_post_bind(sk);
}

SEC("cgroup/post_bind6")
int pw_rpc_post_bind6(struct bpf_sock *sk)
{
    return rpc_on_post_bind(sk);
}

static __always_inline int rpc_on_connect(struct bpf_sock_addr *ctx)
{
    if (bpf_get_netns_cookie(ctx) != rpc_netns)
        return 1;
    __u64 cookie = bpf_get_socket_cookie(ctx);
    struct rpc_sock *st = bpf_map_lookup_elem(&rpc_socks, &cookie);

    if (!st || st->flags & (RPC_SOCK_CLIENT | RPC_SOCK_FOREIGN))
        return 1;
    struct rpc_table *t = rpc_table_of(st->proto);

    if (!t)
        return 1;
    st->flags |= RPC_SOCK_CLIENT;
    __sync_fetch_and_add(&t->clients, 1);
    rpc_add_unit(st->unit, st->proto, 0, 1);
    return 1;
}

SEC("cgroup/connect4")
int pw_rpc_connect4(struct bpf_sock_addr *ctx)
{
    return rpc_on_connect(ctx);
}

SEC("cgroup/connect6")
int pw_rpc_connect6(struct bpf_sock_addr *ctx)
{
    return rpc_on_connect(ctx);
}

SEC("cgroup/sock_release")
int pw_rpc_release(struct bpf_sock *sk)
{
    if (bpf_get_netns_cookie(sk) != rpc_netns)
        return 1;
    __u64 cookie = bpf_get_socket_cookie(sk);
    struct rpc_sock *st = bpf_map_lookup_elem(&rpc_socks, &cookie);

    if (!st)
        return 1;
    __u32 proto = st->proto;
    struct rpc_table *t = rpc_table_of(proto);

    if (t)
        rpc_free_later(t, proto, rpc_forget(cookie, st, t));
    return 1;
}

char LICENSE[] SEC("license") = "GPL";
