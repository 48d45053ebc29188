/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log: records of packets that a filter with `log` decided, and of drops that no filter decided
 * (datapath.md 8). Called by pw_finish() in finish.h, never by a test entry. Invariant: a flood
 * costs a look at the number of the timer tick; what is written is bounded per filter and in all,
 * and what is not written is counted. Two CPUs that ask a bucket at the same time get one token. */
#pragma once
#include "record.h"
#include "verdict.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, PW_LOG_RING_BYTES);
} log_ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, PW_BUCKETS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct pw_bucket);
} log_buckets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, PW_LOG_STATS);
    __type(key, __u32);
    __type(value, __u64);
} log_stats SEC(".maps");

enum { PW_LOG_ETHERNET = 0x100 }; /* flag of pw_log() beside PW_RECORD_*: frames have addresses */

static __always_inline void pw_log_stat(__u32 index)
{
    __u64 *n = bpf_map_lookup_elem(&log_stats, &index);

    if (n)
        *n += 1;
}

/* One token of a bucket that gets one each interval. The bucket is the time at which it will be
 * full again, so that nobody has to fill it. */
static __always_inline bool pw_token(struct pw_bucket *b, __u64 now, const struct img_rate *r)
{
    __u64 next = b->next_ns, start = next > now ? next : now;

    if (!r->interval_us || start - now > (__u64)r->tolerance_us * 1000)
        return false;
    return __sync_val_compare_and_swap(&b->next_ns, next, start + (__u64)r->interval_us * 1000) ==
           next;
}

static __always_inline bool pw_total_token(__u32 bucket, __u64 now, const struct img_rate *r)
{
    struct pw_bucket *b = bpf_map_lookup_elem(&log_buckets, &bucket);

    return b && pw_token(b, now, r);
}

/* A part of the total is kept for what is no plain block by a filter. */
static __always_inline bool pw_total(const struct pw_verdict *v, const struct img_log *rates,
                                     __u64 now)
{
    if (v->block && v->reason != PW_DROP_FILTER &&
        pw_total_token(PW_BUCKET_RESERVED, now, &rates->reserved))
        return true;
    return pw_total_token(PW_BUCKET_COMMON, now, &rates->common);
}

static __always_inline void pw_log_address(const struct pw_packet *p, __u64 hi, __u64 lo, __u8 *to)
{
    __u32 words[4] = {bpf_htonl((__u32)(hi >> 32)), bpf_htonl((__u32)hi),
                      bpf_htonl((__u32)(lo >> 32)), bpf_htonl((__u32)lo)};

    if (p->family == 4)
        words[2] = bpf_htonl(0xffff);
    __builtin_memcpy(to, words, sizeof(words));
}

/* Eight bytes of the packet, or those that are left of it, zeros behind. Small on the stack: it is
 * called from far below. */
__noinline __u64 pw_log_bytes(struct pw_ctx *ctx, __u32 at, __u32 start)
{
    union pw_bytes h = {.twice = {0}};
    __u64 bytes = 0;

    if (pw_load(ctx, &h, at, 8, start) == 0)
        return h.twice[0];
    for (int i = 0; i < 8; i++) {
        if (pw_load(ctx, &h, at + i, 1, start) < 0)
            break;
        bytes |= (__u64)h.b[0] << 8 * i;
    }
    return bytes;
}

static __always_inline void pw_log_packet(struct pw_ctx *ctx, struct pw_packet *p,
                                          struct pw_record *r)
{
    __u32 start = p->from_frame ? BPF_HDR_START_MAC : BPF_HDR_START_NET;
    __u32 net = p->from_frame && !p->net ? PW_ETH_BYTES : p->net;

    r->ifindex = pw_ifindex(ctx);
    r->length = pw_length(ctx);
    r->segments = (__u32)pw_segments(ctx);
    r->vlan = pw_vlan_id(ctx);
    r->family = p->family;
    r->protocol = p->proto;
    r->tcp_flags = p->tcp_flags;
    if (p->family) {
        pw_log_address(p, p->src_hi, p->src_lo, r->src);
        pw_log_address(p, p->dst_hi, p->dst_lo, r->dst);
    }
    if (p->l4 == PW_L4_ICMP) {
        r->icmp_type = (__u8)(p->dport >> 8);
        r->icmp_code = (__u8)p->dport;
    } else {
        r->sport = p->sport;
        r->dport = p->dport;
    }
#pragma unroll
    for (int i = 0; i < PW_RECORD_HEAD / 8; i++) {
        __u64 bytes = pw_log_bytes(ctx, net + 8 * i, start);

        __builtin_memcpy(r->head + 8 * i, &bytes, sizeof(bytes));
    }
}

static __always_inline void pw_log_mac(struct pw_ctx *ctx, struct pw_record *r)
{
    __u64 bytes = pw_log_bytes(ctx, 6, BPF_HDR_START_MAC);

    __builtin_memcpy(r->mac, &bytes, sizeof(r->mac));
}

static __always_inline struct pw_bucket *pw_bucket_of(const struct pw_verdict *v)
{
    __u32 id = (__u32)v->match.id;
    __u32 index = id == IMG_NO_COUNTER
                      ? PW_BUCKET_REASONS + (v->block ? v->reason & (PW_STAT_MAX - 1) : 0)
                      : PW_BUCKET_FILTERS + (id & (PW_BUCKETS_OF_FILTERS - 1));

    return bpf_map_lookup_elem(&log_buckets, &index);
}

/* Whether a record of the verdict may be written; if not, it is counted. */
static __always_inline bool pw_may_log(const struct pw_verdict *v, const struct img_log *rates)
{
    struct pw_bucket *b = pw_bucket_of(v);
    __u64 tick = bpf_jiffies64(); /* no call, unlike every clock */

    if (!b)
        return false;
    if (b->refused != tick) {
        __u64 now = pw_clock_ns();

        if (!pw_token(b, now, &rates->filter))
            b->refused = tick; /* and until the next one */
        else if (pw_total(v, rates, now))
            return true;
    }
    __sync_fetch_and_add(&b->suppressed, 1);
    return false;
}

/* A record of this packet, for which there is a token. */
__noinline int pw_log(struct pw_ctx *ctx, struct pw_packet *p, struct pw_verdict *v,
                      __u32 generation, __u32 flags)
{
    if (!p || !v)
        return -1;
    struct pw_bucket *b = pw_bucket_of(v);
    struct pw_record *r = bpf_ringbuf_reserve(&log_ring, sizeof(*r), 0);

    if (!r) {
        pw_log_stat(PW_LOG_LOST);
        return -1;
    }
    __builtin_memset(r, 0, sizeof(*r));
    r->time_ns = bpf_ktime_get_boot_ns();
    r->generation = generation;
    r->counter_id = (__u32)v->match.id;
    r->version = PW_RECORD_VERSION;
    r->flags = (__u8)flags | (p->fragment ? PW_RECORD_FRAGMENT : 0);
    r->reason = v->block ? v->reason : 0;
    r->weight = (__u32)v->match.w;
    pw_log_packet(ctx, p, r);
    if (flags & PW_LOG_ETHERNET)
        pw_log_mac(ctx, r);
    if (b) {
        __u64 all = b->suppressed;

        r->suppressed = (__u32)(all - __sync_lock_test_and_set(&b->reported, all));
    }
    bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
    pw_log_stat(PW_LOG_WRITTEN);
    return 0;
}
