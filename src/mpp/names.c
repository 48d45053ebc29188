/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/names.c: words for the numbers of the engine, as events, the API and the command line print
 * them. Called by the agent and the API. Pure. Invariant: a word never changes its meaning; the
 * documents (docs/api.md, docs/events.md) list them. */
#include "mpp/mpp.h"

static const char *name_of(const char *const *names, size_t n, size_t i)
{
    return i < n && names[i] ? names[i] : "unknown";
}

const char *mpp_reason_name(enum mpp_reason r)
{
    static const char *const names[_MPP_REASON_MAX] = {
        [MPP_NO_REASON] = "none",
        [MPP_ZERO_WINDOW] = "zero-window",
        [MPP_SMALL_WINDOW] = "small-window",
        [MPP_NO_ACK] = "no-ack",
        [MPP_NO_PROGRESS] = "no-progress",
        [MPP_ORPHAN] = "orphan",
        [MPP_IDLE_UNUSED] = "idle-unused",
        [MPP_SLOW_DRAIN] = "slow-drain",
    };
    return name_of(names, ARRAY_SIZE(names), r);
}

const char *mpp_verdict_name(enum mpp_verdict v)
{
    static const char *const names[] = {
        [MPP_WOULD_PRUNE] = "would-prune",
        [MPP_BELOW_CUTOFF] = "below-cutoff",
        [MPP_NOT_STALLED] = "not-stalled",
        [MPP_IS_EXEMPT] = "exempt",
        [MPP_IS_SPARED] = "spared",
        [MPP_IS_OFF] = "off",
        [MPP_IS_KEPT] = "kept",
    };
    return name_of(names, ARRAY_SIZE(names), v);
}

const char *mpp_tcp_state_name(uint8_t state)
{
    static const char *const names[] = {
        NULL,    "ESTABLISHED", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",  "TIME-WAIT",
        "CLOSE", "CLOSE-WAIT",  "LAST-ACK", "LISTEN",   "CLOSING",    "NEW-SYN-RECV"};
    return name_of(names, ARRAY_SIZE(names), state);
}

const char *mpp_state_name(enum mpp_state s)
{
    static const char *const names[] = {"normal", "armed", "prune", "recover"};
    return name_of(names, ARRAY_SIZE(names), s);
}

const char *mpp_pruner_name(enum mpp_pruner p)
{
    static const char *const names[] = {"bpf_sock_destroy", "sock_diag", "nothing"};
    return name_of(names, ARRAY_SIZE(names), p);
}
