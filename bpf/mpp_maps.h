/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps that the SYN gate of the classifier and bpf/mpp.bpf.c share, and the one formula that
 * says whether a connection is a candidate. Included by bpf/classify.bpf.c (syngate.h) and
 * bpf/mpp.bpf.c; the loader of the latter takes over the maps of the former. Who writes what:
 * settings, interfaces, control and bans the agent, the classifier only moves the time of a ban
 * that is over; conn_rate completed handshakes alone. */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "mpp.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct mpp_control);
} mpp_control SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, MPP_SLOTS);
    __type(key, __u32);
    __type(value, struct mpp_ruleset);
} mpp_settings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MPP_IFACES_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, struct mpp_ifrule);
} mpp_ifaces SEC(".maps");

/* From when on a SYN may pass; no LRU, so that a flood of sources cannot push a ban out. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MPP_BANS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u64);
    __type(value, __u64);
} mpp_bans SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MPP_NET_BANS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u64);
    __type(value, __u64);
} mpp_net_bans SEC(".maps");

/* Prefixes that completed a handshake. Forged SYNs neither make nor charge an entry. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, MPP_CONN_RATE_MAX);
    __type(key, __u64);
    __type(value, struct mpp_rate);
} mpp_conn_rate SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, MPP_SYN_RATE_MAX);
    __type(key, __u64);
    __type(value, struct mpp_rate);
} mpp_syn_rate SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MPP_DROPS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct mpp_drop_key);
    __type(value, __u64);
} mpp_drops SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, _MPP_N_MAX);
    __type(key, __u32);
    __type(value, __u64);
} mpp_counts SEC(".maps");

/* New connections of one prefix at level 3, and the memory of a completed handshake. */
#define MPP_RATE_NS    100000000ULL  /* 10 a second */
#define MPP_RATE_BURST 2000000000ULL /* 20 at once */
#define MPP_PROVEN_NS  600000000000ULL

static __always_inline void mpp_count_n(__u32 index, __u64 by)
{
    __u64 *n = bpf_map_lookup_elem(&mpp_counts, &index);

    if (n)
        *n += by;
}

static __always_inline struct mpp_control *mpp_the_control(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&mpp_control, &zero);
}

static __always_inline const struct mpp_ruleset *mpp_rules_now(const struct mpp_control *c)
{
    __u32 slot = c->slot;

    return bpf_map_lookup_elem(&mpp_settings, &slot);
}

/* A token of a bucket that gets one each interval and holds `burst` ns of them. The bucket is the
 * time at which it will be full again. */
static __always_inline __u32 mpp_token(__u64 *full_ns, __u64 now, __u64 interval, __u64 burst)
{
    __u64 full = *full_ns, start = full > now ? full : now;

    if (start - now + interval > burst)
        return 0;
    return __sync_val_compare_and_swap(full_ns, full, start + interval) == full;
}

/* Takes one although there is none: what has happened is charged. */
static __always_inline void mpp_charge(__u64 *full_ns, __u64 now, __u64 interval, __u64 burst)
{
    __u64 full = *full_ns, start = full > now ? full : now;

    *full_ns = start - now > burst ? start : start + interval;
}

static __always_inline __u32 mpp_is_exempt(const struct mpp_ruleset *r, __u32 ipv6, __u16 port)
{
    __u32 word = port >> 6;

    if (ipv6 > 1 || word >= MPP_PORT_WORD_COUNT)
        return 0;
    return r->exempt[ipv6][word] >> (port & 63) & 1;
}

/* The settings of this moment as flags of a stamp; none of MPP_STAMP_SETTINGS: a candidate. */
static __always_inline __u32 mpp_flags_now(const struct mpp_ruleset *r, __u32 ipv6, __u16 lport,
                                           __u32 ifindex)
{
    const struct mpp_ifrule *i = bpf_map_lookup_elem(&mpp_ifaces, &ifindex);
    __u32 flags = ipv6 ? MPP_STAMP_IPV6 : 0;

    if (!r->generation || !r->on[ipv6 & 1])
        flags |= MPP_STAMP_OFF;
    if (mpp_is_exempt(r, ipv6, lport))
        flags |= MPP_STAMP_EXEMPT;
    if (i && r->profiles && i->spare)
        flags |= MPP_STAMP_SPARED;
    if (i && i->off >> (ipv6 & 1) & 1)
        flags |= MPP_STAMP_IF_OFF;
    return flags;
}

static __always_inline __u32 mpp_is_kept(const struct mpp_ruleset *r, __u16 port)
{
    for (int i = 0; i < MPP_KEEP_MAX; i++)
        if (r->keep[i] && r->keep[i] == port)
            return 1;
    return 0;
}
