/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scan detection: what a source tried in vain, ports by ports (exposure.md 7). Called by
 * pw_finish() in finish.h for packets that are dropped on the way in, and for answers of this host
 * that say that a port is closed; every other packet costs two comparisons at most. Invariants: no
 * verdict changes; a source that repeats a port is counted once; memory is that of the maps. */
#pragma once
#include "scan_maps.h"
#include "verdict.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, SCAN_ACTIVE_MAX);
    __type(key, __u64);
    __type(value, struct scan_progress);
} scan_active SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, SCAN_RING_BYTES);
} scan_ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, _SCAN_N_MAX);
    __type(key, __u32);
    __type(value, __u64);
} scan_counts SEC(".maps");

enum {
    SCAN_ANSWER = 0x100, /* the packet answers one, whose source is its receiver */
    SCAN_PORT_SHIFT = 16,
};
enum { SCAN_TH_FIN = 1, SCAN_TH_SYN = 2, SCAN_TH_RST = 4, SCAN_TH_PSH = 8, SCAN_TH_ACK = 16 };
enum {
    SCAN_WELL_KNOWN = 1024, /* what comes from below may be a late answer, and */
    SCAN_EPHEMERAL = 32768, /* is none of ours if it goes below that */
    SCAN_TRACE_FIRST = 33434,
    SCAN_TRACE_LAST = 33533,
};

static __always_inline void pw_scan_stat(__u32 index)
{
    __u64 *n = bpf_map_lookup_elem(&scan_counts, &index);

    if (n)
        *n += 1;
}

/* --- what the packet tried --- */

/* Segments that open a connection, or that belong to none: 0 for whatever may be an answer. */
static __always_inline __u32 pw_scan_tcp(__u8 flags)
{
    if (flags & (SCAN_TH_ACK | SCAN_TH_RST))
        return 0;
    if (flags & SCAN_TH_SYN)
        return SCAN_SYN;
    if (flags & SCAN_TH_FIN)
        return flags & SCAN_TH_PSH ? SCAN_XMAS : SCAN_FIN;
    return flags ? 0 : SCAN_NULL;
}

/* Late answers and what traceroute sends are no scan. */
static __always_inline __u32 pw_scan_udp(const struct pw_packet *p)
{
    if (p->sport < SCAN_WELL_KNOWN && p->dport >= SCAN_EPHEMERAL)
        return 0;
    return p->dport >= SCAN_TRACE_FIRST && p->dport <= SCAN_TRACE_LAST ? 0 : SCAN_UDP;
}

static __always_inline __u32 pw_scan_dropped(struct pw_ctx *ctx, const struct pw_packet *p,
                                             const struct pw_verdict *v)
{
    __u32 kind = p->proto == 6 ? pw_scan_tcp(p->tcp_flags) : pw_scan_udp(p);

    if (v->reason != PW_DROP_FILTER && v->reason != PW_DROP_OVERRIDE &&
        v->reason != PW_DROP_TIMED_BLOCK && v->reason != PW_DROP_NO_SA)
        return 0;
    if (p->l4 != PW_L4_PORTS || p->later_fragment || !pw_is_for_one(ctx) ||
        pw_is_multicast(p->family, p))
        return 0;
    if (!kind || (p->proto != 6 && p->proto != 17))
        return 0;
    return kind | (__u32)p->dport << SCAN_PORT_SHIFT;
}

/* n bytes of the header behind that of IP. Packets read the short way (parse_linear.h) have it
 * right behind the shortest one. */
static __always_inline int pw_scan_read(struct pw_ctx *ctx, const struct pw_packet *p, __u32 at,
                                        __u32 n, union pw_bytes *h)
{
    __u32 net = p->from_frame && !p->net ? PW_ETH_BYTES : p->net;
    __u32 l4 = p->l4_at ? p->l4_at * PW_L4_UNIT : p->family == 4 ? 20 : 40;

    return pw_load(ctx, h, net + l4 + at, n, p->from_frame ? BPF_HDR_START_MAC : BPF_HDR_START_NET);
}

/* A reset without a sequence number: the kernel has no socket for what came (RFC 9293, 3.10.7.1).
 */
static __always_inline __u32 pw_scan_reset(struct pw_ctx *ctx, const struct pw_packet *p)
{
    union pw_bytes h;

    if ((p->tcp_flags & ~SCAN_TH_ACK) != SCAN_TH_RST || !(p->tcp_flags & SCAN_TH_ACK))
        return 0;
    if (pw_scan_read(ctx, p, 4, 4, &h) < 0 || h.word[0])
        return 0;
    return SCAN_CLOSED_TCP | SCAN_ANSWER | (__u32)p->sport << SCAN_PORT_SHIFT;
}

/* Port unreachable, with the packet that it is about behind eight bytes. */
static __always_inline __u32 pw_scan_unreachable(struct pw_ctx *ctx, const struct pw_packet *p)
{
    union pw_bytes h;
    __u32 at = 8;

    if (p->dport != (p->family == 4 ? 3 << 8 | 3 : 1 << 8 | 4))
        return 0;
    if (p->family == 4) {
        if (pw_scan_read(ctx, p, at, 1, &h) < 0)
            return 0;
        at += (h.b[0] & 15) * 4;
    } else {
        at += 40; /* with extension headers the port is a wrong one, which counts as one */
    }
    if (pw_scan_read(ctx, p, at, 4, &h) < 0)
        return 0;
    return SCAN_CLOSED_UDP | SCAN_ANSWER | (__u32)bpf_ntohs(h.half[1]) << SCAN_PORT_SHIFT;
}

/* --- sketches --- */

static __always_inline __u32 pw_ones(__u64 x)
{
    x -= (x >> 1) & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (__u32)((x * 0x0101010101010101ULL) >> 56);
}

/* Windows that are over begin anew. */
static __always_inline void pw_scan_windows(struct scan_entry *e, const struct scan_control *c,
                                            __u32 now)
{
    if (now - e->fast_at > c->fast_ticks) {
        e->fast[0] = e->fast[1] = e->sweep = 0;
        e->fast_at = now;
    }
    if (now - e->slow_at > c->slow_ticks) {
        e->slow[0] = e->slow[1] = 0;
        e->slow_at = now;
        e->count = 0;
        e->kinds = 0;
    }
}

/* Where a packet is in the sketches. */
struct pw_scan_bits {
    __u64 at, port, host;
};

/* Whether it is in all of them, so that neither the clock nor a threshold need be looked at: what
 * comes again and again is cheap. */
static __always_inline bool pw_scan_is_known(struct scan_entry *e, const struct scan_control *c,
                                             __u64 port, __u64 to, struct pw_scan_bits *ret)
{
    __u64 hash = img_mix(c->seed, port) >> 57, at = hash >> 6, bit = 1ULL << (hash & 63);
    __u64 host = 1ULL << (img_mix(c->seed, to) >> 58);

    ret->at = at & 1;
    ret->port = bit;
    ret->host = host;
    if (e->port != (__u16)port) {
        e->port = (__u16)port;
        e->sweep = host;
    }
    return e->sweep & host && e->slow[at & 1] & bit && e->fast[at & 1] & bit;
}

/* Puts it there; 1 + SCAN_FAST, _SLOW or _SWEEP if that makes a scan. */
static __always_inline __u32 pw_scan_add(struct scan_entry *e, const struct scan_control *c,
                                         const struct pw_scan_bits *b)
{
    e->sweep |= b->host;
    e->slow[b->at & 1] |= b->port;
    e->fast[b->at & 1] |= b->port;
    if (pw_ones(e->fast[0]) + pw_ones(e->fast[1]) >= c->fast_bits)
        return 1 + SCAN_FAST;
    if (pw_ones(e->slow[0]) + pw_ones(e->slow[1]) >= c->slow_bits)
        return 1 + SCAN_SLOW;
    return pw_ones(e->sweep) >= c->sweep_bits ? 1 + SCAN_SWEEP : 0;
}

/* --- one source --- */

static __always_inline __u32 pw_scan_now(void)
{
    return (__u32)(pw_clock_ns() >> SCAN_TICK_SHIFT);
}

/* Its entry; *source becomes the key under which it is. */
static __always_inline struct scan_entry *pw_scan_entry(const struct scan_control *c, __u32 ipv6,
                                                        __u64 *source, bool *proven)
{
    struct scan_set *s = scan_set_at(&scan_proven, *source, c, SCAN_PROVEN_SETS);
    struct scan_entry *e = s ? scan_find(s, *source) : NULL;

    *proven = e;
    if (e)
        return e;
    if (ipv6)
        *source &= c->mask6;
    s = scan_set_at(&scan_spoofable, *source, c, SCAN_SPOOFABLE_SETS);
    e = s ? scan_find(s, *source) : NULL;
    if (e || !s)
        return e;
    pw_scan_stat(ipv6 ? SCAN_N_NEW6 : SCAN_N_NEW4);
    if (scan_replace(s, *source, c, pw_scan_now(), &e))
        pw_scan_stat(SCAN_N_PUSHED);
    return e;
}

/* A packet of a scan that is followed. False: it has ended. */
static __always_inline bool pw_scan_go_on(__u64 source, __u32 what)
{
    struct scan_progress *g = bpf_map_lookup_elem(&scan_active, &source);

    if (!g)
        return false;
    g->last_ns = bpf_ktime_get_boot_ns();
    g->count++;
    g->kinds |= what & 0xff;
    __u32 at = g->n_ports;
    if (at < SCAN_PORTS) {
        g->port[at] = (__u16)(what >> SCAN_PORT_SHIFT);
        g->n_ports = at + 1;
    }
    return true;
}

/* The one packet with which a scan begins, of all CPUs. */
static __always_inline void pw_scan_begin(struct pw_ctx *ctx, const struct pw_packet *p,
                                          struct scan_entry *e, __u64 source, __u32 what,
                                          __u32 pace)
{
    static const struct scan_progress fresh = {.count = 0};
    bool answer = what & SCAN_ANSWER;

    if (bpf_map_update_elem(&scan_active, &source, &fresh, BPF_NOEXIST) < 0) {
        if (bpf_map_lookup_elem(&scan_active, &source))
            e->hot = 1; /* another entry of it was pushed out */
        else
            pw_scan_stat(SCAN_N_LOST);
        return;
    }
    struct scan_record *r = bpf_ringbuf_reserve(&scan_ring, sizeof(*r), 0);
    if (!r) {
        bpf_map_delete_elem(&scan_active, &source);
        pw_scan_stat(SCAN_N_LOST);
        return;
    }
    __builtin_memset(r, 0, sizeof(*r));
    r->time_ns = bpf_ktime_get_boot_ns();
    r->source = source;
    r->src_hi = answer ? p->dst_hi : p->src_hi;
    r->src_lo = answer ? p->dst_lo : p->src_lo;
    r->dst_hi = answer ? p->src_hi : p->dst_hi;
    r->dst_lo = answer ? p->src_lo : p->dst_lo;
    r->ifindex = pw_ifindex(ctx);
    r->count = e->count;
    r->port = (__u16)(what >> SCAN_PORT_SHIFT);
    r->family = p->family;
    r->kinds = e->kinds;
    r->kind = (__u8)what;
    r->pace = (__u8)(pace - 1);
    r->proven = pace >> 8 & 1;
    bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
    pw_scan_stat(SCAN_N_DETECTED);
    e->hot = 1;
}

/* Counts one packet of the kind and port that `what` says. */
static __always_inline void pw_scan_count(struct pw_ctx *ctx, struct pw_packet *p, __u32 what)
{
    const struct scan_control *c = scan_the_control();

    if (!c)
        return;
    bool answer = what & SCAN_ANSWER, proven;
    __u64 hi = answer ? p->dst_hi : p->src_hi, to = answer ? p->src_lo : p->dst_lo;
    __u64 source = p->family == 6 ? hi : answer ? p->dst_lo : p->src_lo;
    __u64 udp = what & (SCAN_UDP | SCAN_CLOSED_UDP) ? 1ULL << 16 : 0;
    struct scan_entry *e = pw_scan_entry(c, p->family == 6, &source, &proven);
    struct pw_scan_bits bits;
    __u32 pace = 0;

    if (!e)
        return;
    if (!pw_scan_is_known(e, c, udp | what >> SCAN_PORT_SHIFT, to, &bits)) {
        pw_scan_windows(e, c, pw_scan_now());
        pace = pw_scan_add(e, c, &bits);
    }
    e->count++;
    e->kinds |= (__u8)what;
    if (e->hot && !pw_scan_go_on(source, what))
        e->hot = 0;
    else if (pace && !e->hot)
        pw_scan_begin(ctx, p, e, source, what, pace | (proven ? 0x100 : 0));
}

/* A packet that is dropped on the way in. Global functions, which the verifier proves once. */
__noinline int pw_scan_in(struct pw_ctx *ctx, struct pw_packet *p, struct pw_verdict *v)
{
    __u32 what = p && v ? pw_scan_dropped(ctx, p, v) : 0;

    if (what)
        pw_scan_count(ctx, p, what);
    return 0;
}

/* What an answer of this host says about the packet it answers, and counting that. */
__noinline __u32 pw_scan_answered(struct pw_ctx *ctx, struct pw_packet *p)
{
    if (!p)
        return 0;
    return p->l4 == PW_L4_ICMP ? pw_scan_unreachable(ctx, p) : pw_scan_reset(ctx, p);
}

__noinline int pw_scan_out(struct pw_ctx *ctx, struct pw_packet *p, __u32 what)
{
    if (p)
        pw_scan_count(ctx, p, what);
    return 0;
}

static __always_inline bool pw_scan_is_on(void)
{
    const struct scan_control *c = scan_the_control();

    return c && c->on;
}

/* The hook in pw_finish(). */
static __always_inline void pw_scan(struct pw_ctx *ctx, struct pw_packet *p,
                                    const struct pw_meta *meta, struct pw_verdict *v)
{
    if (!meta->egress) {
        if (v->block && pw_scan_is_on())
            pw_scan_in(ctx, p, v);
        return;
    }
    if ((!(p->tcp_flags & SCAN_TH_RST) && p->l4 != PW_L4_ICMP) || meta->judged || !pw_scan_is_on())
        return;
    __u32 what = pw_scan_answered(ctx, p);
    if (what)
        pw_scan_out(ctx, p, what);
}
