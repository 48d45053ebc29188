/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/decode.c: a record of the kernel (bpf/mpp.h) as a connection, and the keys of prefixes as
 * addresses. Pure. Called by records.c, rank.c, tell.c. */
#include <arpa/inet.h>
#include <string.h>

#include "engine.h"

_Static_assert((int)MPP_F_EXEMPT == (int)MPP_STAMP_EXEMPT &&
                   (int)MPP_F_SPARED == (int)MPP_STAMP_SPARED &&
                   (int)MPP_F_OFF == (int)MPP_STAMP_OFF &&
                   (int)MPP_F_IF_OFF == (int)MPP_STAMP_IF_OFF &&
                   (int)MPP_F_ADOPTED == (int)MPP_STAMP_ADOPTED &&
                   (int)MPP_F_IPV6 == (int)MPP_STAMP_IPV6 && (int)MPP_F_KEPT == (int)MPP_STAMP_KEPT,
               "one set of flags");
_Static_assert((int)MPP_ZERO_WINDOW == (int)MPP_R_ZERO_WINDOW &&
                   (int)MPP_ORPHAN == (int)MPP_R_ORPHAN &&
                   (int)MPP_IDLE_UNUSED == (int)MPP_R_IDLE &&
                   (int)MPP_SLOW_DRAIN == (int)MPP_R_SLOW_DRAIN &&
                   (int)_MPP_REASON_MAX == (int)_MPP_R_MAX,
               "one set of reasons");

static enum mpp_verdict verdict_of(const struct mpp_record *r)
{
    if (r->flags & MPP_STAMP_EXEMPT)
        return MPP_IS_EXEMPT;
    if (r->flags & (MPP_STAMP_OFF | MPP_STAMP_IF_OFF))
        return MPP_IS_OFF;
    if (r->flags & MPP_STAMP_SPARED)
        return MPP_IS_SPARED;
    if (r->flags & MPP_STAMP_KEPT)
        return MPP_IS_KEPT;
    if (r->over)
        return MPP_WOULD_PRUNE;
    return r->score || r->reason ? MPP_BELOW_CUTOFF : MPP_NOT_STALLED;
}

void mpp_decode(const struct mpp_record *r, struct mpp_conn *ret)
{
    enum family f = r->family == 6 ? FAMILY_6 : FAMILY_4;

    *ret = (struct mpp_conn){
        .family = f,
        .local = ip_from_bytes(f, r->local),
        .peer = ip_from_bytes(f, r->peer),
        .lport = r->lport,
        .rport = r->rport,
        .ifindex = r->ifindex,
        .state = r->state,
        .flags = r->flags,
        .reason = r->reason < _MPP_REASON_MAX ? (enum mpp_reason)r->reason : MPP_NO_REASON,
        .verdict = verdict_of(r),
        .queued = r->queued,
        .snd_wnd = r->snd_wnd,
        .stall_ms = r->stall_ms,
        .score = r->score,
        .same_source = r->same,
        .generation = r->generation,
        .age_ms = r->time_ns > r->born_ns ? (r->time_ns - r->born_ns) / 1000000 : 0,
    };
}

uint64_t mpp_source(const struct mpp_conn *c)
{
    return c->family == FAMILY_6 ? c->peer.hi : c->peer.lo;
}

struct ip mpp_prefix(enum family f, uint64_t key)
{
    if (f == FAMILY_6)
        return (struct ip){.hi = key};
    return (struct ip){.lo = key << 8};
}
