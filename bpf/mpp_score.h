/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How bad a connection is: pure arithmetic over what a look found, the same code in the kernel
 * (mpp.bpf.c) and in the unit tests.
 * docs/internals/mpp.md gives the reasons for the numbers. */
#pragma once
#include "mpp.h"

/* What is read of one connection. */
struct mpp_look {
    __u64 acked, received;
    __u32 queued, snd_wnd, mss, in_flight, rtt_us; /* the shortest round trip */
    __u32 retransmits;
    __u8 orphan;
};

/* A peer that offers a window and owes no acknowledgement: it is us who do not send. */
static inline __u32 mpp_is_ours(const struct mpp_look *l)
{
    return l->snd_wnd >= l->mss && !l->in_flight && !l->orphan;
}

/* Shorter stalls mean nothing. Who took what is queued many times over pauses, or waits for this
 * host: bulk transfers that fill memory stall all together once it is short. Who has taken a lot
 * with an open window may be held up by the way there: packets are lost, and sent again after 200
 * ms. Nobody waits for orphans. */
static inline __u32 mpp_short_ms(const struct mpp_look *l)
{
    if (!l->orphan && l->acked >= (__u64)l->queued * MPP_LIVELY_QUEUES)
        return MPP_LIVELY_MS;
    if (!l->orphan && l->snd_wnd >= l->mss && l->acked >= MPP_TRUST_BYTES)
        return MPP_TRUST_MS;
    return MPP_SHORT_MS;
}

static inline __u32 mpp_reason_of(const struct mpp_look *l)
{
    if (l->orphan)
        return MPP_R_ORPHAN;
    if (!l->snd_wnd)
        return MPP_R_ZERO_WINDOW;
    if (l->snd_wnd < l->mss)
        return MPP_R_SMALL_WINDOW;
    return l->retransmits ? MPP_R_NO_ACK : MPP_R_NO_PROGRESS;
}

/* Whose floor is the lower one: sources with many whose windows are closed. Nobody waits for what
 * such a source has orphaned. */
static inline __u32 mpp_floor_for(const struct mpp_look *l, __u32 same, __u32 floor_ms,
                                  __u32 many_ms)
{
    if (same < MPP_SAME_MAX)
        return floor_ms;
    if (l->orphan)
        return many_ms < MPP_ORPHAN_MS ? many_ms : MPP_ORPHAN_MS;
    return l->snd_wnd < l->mss ? many_ms : floor_ms;
}

/* A far peer acknowledges late: four round trips at least, of the shortest that was seen. Who only
 * acknowledges late makes the mean ones long. */
static inline __u32 mpp_floor_ms(const struct mpp_look *l, __u32 floor_ms)
{
    __u32 late = l->rtt_us / 250, least = mpp_short_ms(l); /* 4 of them in ms */

    late = late < MPP_LATE_MS ? late : MPP_LATE_MS;
    least = late > least ? late : least;
    return least > floor_ms ? least : floor_ms;
}

static inline __u32 mpp_score_of(__u32 stall_ms, __u32 same)
{
    __u32 weight = same < 1 ? 1 : same > MPP_SAME_MAX ? MPP_SAME_MAX : same;

    return (stall_ms > MPP_STALL_MAX_MS ? MPP_STALL_MAX_MS : stall_ms) * weight;
}

/* Connections of sources that have many rank above all others, however short they stall: a pause of
 * a client must not weigh more than the attack. Below, fine under one second, where sources with
 * one connection each lie. */
static inline __u32 mpp_bucket_of(__u32 score, __u32 same)
{
    const __u32 most = MPP_STALL_MAX_MS * MPP_SAME_MAX, half = MPP_BUCKETS / 2;
    __u32 fine = MPP_BUCKET_MS / 16, bucket;

    if (same >= MPP_SAME_MAX)
        bucket = half + score / (most / half + 1);
    else if (score < MPP_BUCKET_MS)
        return score / fine;
    else
        bucket = 16 + (score - MPP_BUCKET_MS) / (most / 16 + 1);
    return bucket < MPP_BUCKETS ? bucket : MPP_BUCKETS - 1;
}

/* Seconds to drain what is queued, at the rate since the stamp was made. */
static inline __u64 mpp_drain_s(__u32 queued, __u64 acked, __u64 age_ms)
{
    __u64 per_s = age_ms ? acked * 1000 / age_ms : 0;

    return per_s ? queued / per_s : 1000000;
}
