/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The allocator of bpf/rpc.bpf.c: which free port of the set is next. rpc.h describes the tables.
 * Invariant: a port is handed out by the swap of its reference from 0 to 1 and by nothing else;
 * whoever changes a hint after the reference may be overtaken, which the next search repairs. */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "bits.h"
#include "rpc.h"

enum {
    RPC_TRIES_IN_WORD = 8,
    RPC_TRIES_OLDEST = 3,
    RPC_WORD_BITS = 64,
    RPC_TICK_SHIFT = 10,
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct rpc_conf);
} rpc_conf SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, RPC_PROTOS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct rpc_table);
} rpc_tables SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, RPC_PENDING);
    __type(key, __u32);
    __type(value, struct rpc_pending);
} rpc_pendings SEC(".maps");

static __always_inline struct rpc_conf *rpc_conf_get(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&rpc_conf, &zero);
}

static __always_inline struct rpc_table *rpc_table_of(__u32 proto)
{
    return bpf_map_lookup_elem(&rpc_tables, &proto);
}

static __always_inline void rpc_count(struct rpc_conf *c, __u32 which)
{
    __sync_fetch_and_add(&c->stat[which & (RPC_STATS - 1)], 1);
}

static __always_inline __u64 rpc_bit(__u32 port)
{
    return 1ull << (port & (RPC_WORD_BITS - 1));
}

static __always_inline __u32 rpc_word(__u32 port)
{
    return port / RPC_WORD_BITS & (RPC_WORDS - 1);
}

static __always_inline bool rpc_is_member(const struct rpc_table *t, __u32 port)
{
    return t->member[rpc_word(port)] & rpc_bit(port);
}

static __always_inline bool rpc_is_free(const struct rpc_table *t, __u32 port)
{
    return t->member[rpc_word(port)] & ~t->busy[rpc_word(port)] & rpc_bit(port);
}

static __always_inline void rpc_set_busy(struct rpc_table *t, __u32 port)
{
    __sync_fetch_and_or(&t->busy[rpc_word(port)], rpc_bit(port));
}

/* --- giving back --- */

static __always_inline void rpc_clear_hints(struct rpc_table *t, __u32 port)
{
    __sync_fetch_and_and(&t->busy[rpc_word(port)], ~rpc_bit(port));
    __sync_fetch_and_and(&t->limbo[rpc_word(port)], ~rpc_bit(port));
    t->hint = port;
}

/* The kernel does not have it. */
static __always_inline void rpc_free_now(struct rpc_table *t, __u32 port)
{
    port &= RPC_PORTS - 1;
    t->freed[port] = bpf_ktime_get_ns() >> RPC_TICK_SHIFT;
    if (__sync_fetch_and_add(&t->refs[port], -1) == 1)
        rpc_clear_hints(t, port);
}

/* Puts what this thread gave back last in place of what it gave back before, which is free now. */
static __always_inline void rpc_settle(__u64 pending)
{
    __u32 tid = bpf_get_current_pid_tgid(), at = tid & (RPC_PENDING - 1);
    struct rpc_pending *p = bpf_map_lookup_elem(&rpc_pendings, &at);

    if (!p || (!pending && p->v >> 32 != tid))
        return;
    __u64 v = __sync_lock_test_and_set(&p->v, pending ? (__u64)tid << 32 | pending : 0);

    if (v >> 32 != tid)
        return; /* another thread's: it stays in limbo */
    struct rpc_table *t = rpc_table_of(v >> 16 & 1);
    __u32 port = v & (RPC_PORTS - 1);

    if (t && !t->refs[port])
        rpc_clear_hints(t, port);
}

/* The kernel still has it, for a moment. */
static __always_inline void rpc_free_later(struct rpc_table *t, __u32 proto, __u32 port)
{
    port &= RPC_PORTS - 1;
    t->freed[port] = bpf_ktime_get_ns() >> RPC_TICK_SHIFT;
    if (__sync_fetch_and_add(&t->refs[port], -1) != 1)
        return;
    __sync_fetch_and_or(&t->limbo[rpc_word(port)], rpc_bit(port));
    rpc_settle((__u64)(proto & 1) << 16 | port);
}

/* --- taking --- */

static __always_inline bool rpc_take(struct rpc_table *t, __u32 port)
{
    bool mine;

    port &= RPC_PORTS - 1;
    mine = !t->refs[port] && __sync_val_compare_and_swap(&t->refs[port], 0, 1) == 0;
    rpc_set_busy(t, port);
    if (mine || t->refs[port])
        __sync_fetch_and_and(&t->limbo[rpc_word(port)], ~rpc_bit(port));
    if (!mine && !t->refs[port]) /* given back meanwhile: the hint must not hide it for good */
        __sync_fetch_and_or(&t->limbo[rpc_word(port)], rpc_bit(port));
    return mine;
}

struct rpc_search {
    __u32 proto, first, n, start;
    __u64 mask; /* bits of the word at start that come first */
    __s32 got;
    __u32 now, age;
};

/* First pass: what is surely free, from the cursor on and round. The word at the cursor is looked
 * at twice, for its upper and at last for its lower part. */
static long rpc_try_word(__u32 i, struct rpc_search *s)
{
    struct rpc_table *t = rpc_table_of(s->proto);
    __u32 at = s->start + i;

    if (!t)
        return 1;
    if (at >= s->n)
        at -= s->n;
    __u32 word = (s->first + at) & (RPC_WORDS - 1);
    __u64 free = t->member[word] & ~t->busy[word];

    if (i == 0)
        free &= s->mask;
    else if (i == s->n)
        free &= ~s->mask;
    for (int k = 0; k < RPC_TRIES_IN_WORD && free; k++) {
        __u32 port = word * RPC_WORD_BITS + pw_lowest_bit(free);

        free &= free - 1;
        if (rpc_take(t, port)) {
            s->got = port;
            return 1;
        }
    }
    return 0;
}

/* Second pass: of those that the kernel may still have, the one given back longest ago. */
static long rpc_look_for_oldest(__u32 i, struct rpc_search *s)
{
    struct rpc_table *t = rpc_table_of(s->proto);

    if (!t)
        return 1;
    __u32 word = (s->first + i) & (RPC_WORDS - 1);
    __u64 limbo = t->member[word] & t->limbo[word];

    for (int k = 0; k < RPC_WORD_BITS && limbo; k++) {
        __u32 port = (word * RPC_WORD_BITS + pw_lowest_bit(limbo)) & (RPC_PORTS - 1);
        __u32 age = s->now - t->freed[port];

        limbo &= limbo - 1;
        if (s->got < 0 || age > s->age) {
            s->got = port;
            s->age = age;
        }
    }
    return 0;
}

static __always_inline int rpc_take_oldest(struct rpc_conf *c, struct rpc_table *t,
                                           struct rpc_search *s)
{
    for (int k = 0; k < RPC_TRIES_OLDEST; k++) {
        s->got = -1;
        s->now = bpf_ktime_get_ns() >> RPC_TICK_SHIFT;
        bpf_loop(s->n, rpc_look_for_oldest, s, 0);
        if (s->got < 0)
            return -1;
        if (rpc_take(t, s->got)) {
            rpc_count(c, RPC_STAT_LIMBO);
            return s->got;
        }
    }
    return -1;
}

/* A port with one reference, or -1. */
static __always_inline int rpc_allocate(struct rpc_conf *c, __u32 proto)
{
    struct rpc_table *t = rpc_table_of(proto);

    if (!t || !t->n_words)
        return -1;
    rpc_settle(0);
    __u32 cursor = t->cursor & (RPC_PORTS - 1);
    struct rpc_search s = {.proto = proto, .first = t->first_word, .n = t->n_words, .got = -1};

    s.start = rpc_word(cursor) - s.first;
    if (s.start >= s.n) /* the set was changed */
        s.start = cursor = 0;
    s.mask = -rpc_bit(cursor);
    bpf_loop(1, rpc_try_word, &s, 0);
    __u32 hint = t->hint & (RPC_PORTS - 1);

    if (s.got < 0 && rpc_is_free(t, hint) && rpc_take(t, hint))
        s.got = hint;
    if (s.got < 0)
        bpf_loop(s.n + 1, rpc_try_word, &s, 0);
    if (s.got < 0)
        s.got = rpc_take_oldest(c, t, &s);
    if (s.got >= 0)
        t->cursor = s.got + 1;
    return s.got;
}
