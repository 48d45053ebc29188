/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine of TCP memory pressure protection: stamps connections when they are made, watches the
 * host's TCP memory, and while an attack fills it, ends the connections that hold memory without
 * taking data and closes the SYN gate step by step. docs/internals/mpp.md tells how it decides.
 *
 * Called by the agent only, in its one thread (src/agent/pressure.c). Life: mpp_open() ->
 * mpp_set_rules() -> mpp_tick() again and again -> mpp_close(). Questions may be asked at any time
 * between. Invariants: nothing is ended unless the state is MPP_PRUNE and the rules of the moment
 * at which the connection was made allow it; the gate opens by itself 2 s after the last tick. */
#pragma once
#include "base/diag.h"
#include "model/ip.h"

struct mpp;

/* --- what the settings come to (rules.c makes it of struct mpp_settings) --- */
enum mpp_category { MPP_PUBLIC, MPP_PRIVATE, MPP_DOMAIN };
struct mpp_iface {
    uint32_t ifindex;
    char name[16];
    enum mpp_category category;
    bool off[2];   /* by enum mpp_family: the interface switch */
    uint32_t rate; /* new connections a second, 0 = no limit */
};
enum mpp_family { MPP_4, MPP_6 };
enum { MPP_PORT_WORDS = 65536 / 64, MPP_KEEP_PORTS = 16 };
struct mpp_rules {
    uint32_t generation; /* of the settings, goes into every stamp; never 0 */
    bool on[2];          /* by enum mpp_family */
    bool profiles;
    uint64_t exempt[2][MPP_PORT_WORDS]; /* bit = local port, by enum mpp_family */
    uint16_t keep[MPP_KEEP_PORTS];      /* failsafe ports: never ended, never gated; 0 = unused */
    unsigned gate_max;                  /* highest level of the gate, 0-4; 3 if nothing is said */
    bool by_diag; /* sock_diag ends connections, whatever else the kernel has */
};

/* --- events --- */
enum mpp_event_kind {
    MPP_EV_ENTER,     /* pressure, and an attack */
    MPP_EV_LEAVE,     /* it is over */
    MPP_EV_NO_ATTACK, /* pressure without an attack: nothing is ended */
    MPP_EV_PROTECTED, /* settings spare who causes it: ended is only what is restricted */
    MPP_EV_ELSEWHERE, /* most of the memory is not this namespace's: the same */
    MPP_EV_PRUNE,     /* one connection was ended */
    MPP_EV_SUMMARY,   /* of one pass */
    MPP_EV_GATE,      /* another level */
    MPP_EV_BAN_FULL,  /* no ban could be entered */
    MPP_EV_SYN_DROP,  /* dropped by the gate within a second, by interface, port, prefix */
    MPP_EV_LOST,      /* records of ended connections were lost */
    MPP_EV_DEGRADED,  /* a part does not work on this kernel, or failed: .text */
    _MPP_EV_MAX,
};

enum mpp_reason {
    MPP_NO_REASON,
    MPP_ZERO_WINDOW,
    MPP_SMALL_WINDOW,
    MPP_NO_ACK,
    MPP_NO_PROGRESS,
    MPP_ORPHAN,
    MPP_IDLE_UNUSED,
    MPP_SLOW_DRAIN,
    _MPP_REASON_MAX,
};
const char *mpp_reason_name(enum mpp_reason r); /* "zero-window" */

/* Flags of a stamp: why a connection is not a candidate, and what is known about it. */
enum {
    MPP_F_EXEMPT = 1,   /* its port was exempt */
    MPP_F_SPARED = 2,   /* profiles, domain or private interface */
    MPP_F_OFF = 4,      /* off for its family */
    MPP_F_IF_OFF = 8,   /* off for its interface */
    MPP_F_ADOPTED = 16, /* older than the programs: judged at first sight */
    MPP_F_IPV6 = 32,
    MPP_F_KEPT = 64, /* failsafe port or loopback: of the moment, not of the stamp */
};

/* Why it would be ended now, or why not. */
enum mpp_verdict {
    MPP_WOULD_PRUNE,
    MPP_BELOW_CUTOFF, /* stalled, others more so */
    MPP_NOT_STALLED,
    MPP_IS_EXEMPT,
    MPP_IS_SPARED,
    MPP_IS_OFF,
    MPP_IS_KEPT,
};
const char *mpp_verdict_name(enum mpp_verdict v); /* "would-prune" */

/* One connection: the audit record of an ended one, a line of top and simulate. */
struct mpp_conn {
    enum family family; /* IPv4-mapped addresses are IPv4 */
    struct ip local, peer;
    uint16_t lport, rport;
    uint32_t ifindex; /* 0 = not known */
    uint8_t state;    /* TCP_* of the kernel */
    uint8_t flags;    /* MPP_F_* */
    enum mpp_reason reason;
    enum mpp_verdict verdict;
    uint32_t queued, snd_wnd, stall_ms, score, same_source, generation;
    uint64_t age_ms; /* of the stamp */
};
const char *mpp_tcp_state_name(uint8_t state); /* "ESTABLISHED" */

/* What one kind of event carries; members that say nothing are 0. */
struct mpp_event {
    enum mpp_event_kind kind;
    uint64_t mem, hi, lo;                                           /* pages */
    int64_t slope;                                                  /* pages a second */
    uint64_t stalled_share, spared_share, idle_share, orphan_share; /* per cent */
    /* LEAVE, SUMMARY */
    uint64_t duration_ms, killed, bytes, peak, syn_dropped[5];
    uint64_t spared_conns, spared_bytes; /* that settings protected */
    uint64_t by_reason[_MPP_REASON_MAX];
    bool ipv6;                 /* most of the killed were IPv6 */
    unsigned old_level, level; /* GATE */
    const char *cause;         /* GATE: static text */
    struct mpp_conn conn;      /* PRUNE; PROTECTED: ifindex and lport that hold most */
    bool in_log;               /* PRUNE: one of the 16 of a pass that belong into the journal */
    uint32_t ifindex;          /* SYN_DROP */
    uint16_t port;             /* SYN_DROP, SUMMARY: the port with most kills */
    enum family family;        /* SYN_DROP, SUMMARY: of prefix */
    struct ip prefix;          /* SYN_DROP, SUMMARY: /24 or /64 with most kills */
    uint64_t count;            /* SYN_DROP, LOST */
    char text[160];            /* DEGRADED */
};
typedef void mpp_event_fn(void *ctx, const struct mpp_event *e);

/* --- life --- */
/* Descriptors of maps that the ingress program has too, in the order of bpf/mpp.h (MPP_MAP_*);
 * datapath_mpp_map() lends them. */
enum { MPP_SHARED_MAPS = 12 };
struct mpp_options {
    const char *pin_dir;     /* directory of a bpffs for pins of this namespace, "<cookie>/mpp" */
    const char *runtime_dir; /* keeps the old value of tcp_syncookies */
    uint64_t netns_cookie;
    int shared[MPP_SHARED_MAPS];
    mpp_event_fn *event;
    void *ctx;
};
/* Loads what this kernel can; what it cannot is said in the status and in one event each. Negative
 * only if nothing at all works (memory, no maps). Puts tcp_syncookies back that a killed agent
 * left. */
_must_check_ int mpp_open(const struct mpp_options *o, struct diag *d, struct mpp **ret);
/* Opens the gate, puts tcp_syncookies back; stamps stay pinned. NULL is fine. */
struct mpp *mpp_close(struct mpp *m);
void mpp_closep(struct mpp **m);

/* New rules for connections from now on; in one step for the kernel. to_existing: living ones get
 * a new stamp, too; their number in *ret_n (may be NULL). */
_must_check_ int mpp_set_rules(struct mpp *m, const struct mpp_rules *r,
                               const struct mpp_iface *ifaces, size_t n, bool to_existing,
                               uint64_t *ret_n);
/* Looks, decides and acts. Returns after how many microseconds it wants to be called again. */
uint64_t mpp_tick(struct mpp *m);
/* Opens the gate at once and puts tcp_syncookies back (`reset`). */
void mpp_open_gate(struct mpp *m);

/* --- questions --- */
enum mpp_state { MPP_NORMAL, MPP_ARMED, MPP_PRUNE, MPP_RECOVER };
const char *mpp_state_name(enum mpp_state s); /* "normal" */
enum mpp_pruner {
    MPP_BY_DESTROY, /* bpf_sock_destroy */
    MPP_BY_DIAG,    /* SOCK_DESTROY of sock_diag */
    MPP_BY_NOTHING, /* this kernel cannot end connections: the gate alone */
};
const char *mpp_pruner_name(enum mpp_pruner p); /* "bpf_sock_destroy" */

struct mpp_status {
    enum mpp_state state;
    uint64_t page_bytes;
    uint64_t mem, arm, hi, lo, limits[3]; /* pages; limits: tcp_mem */
    unsigned gate_level, gate_highest;
    bool cookies_forced; /* tcp_syncookies is 2 because of us */
    enum mpp_pruner pruner;
    bool orphans;            /* are ended, too */
    bool stamps_at_creation; /* else at first sight */
    uint32_t generation, kernel_generation;
    /* since the maps were made */
    uint64_t attacks, killed, killed_bytes, by_reason[_MPP_REASON_MAX];
    uint64_t syn_seen, syn_dropped[5];                  /* by level; [0]: connection rate limit */
    uint64_t spared_exempt, spared_profile, spared_off; /* highest number during an attack */
    uint64_t stamped, adopted, events, lost, errors;
    /* by a look taken for this answer */
    uint64_t candidates, exempt, spared, off, kept, n_adopted;
    unsigned bans32, bans24;
    char degraded[160]; /* "" = everything works */
};
_must_check_ int mpp_status(struct mpp *m, struct mpp_status *ret);

struct mpp_ranking {
    struct mpp_conn *v;                /* owned, by score, the highest first; at most `max` */
    size_t n, total;                   /* total: all connections of the namespace */
    uint64_t need;                     /* bytes that pruning would want back now */
    uint64_t would_conns, would_bytes; /* that would be ended now */
    bool attack;                       /* is what the verdict would be now */
    uint64_t by_verdict[MPP_IS_KEPT + 1], bytes_by_verdict[MPP_IS_KEPT + 1];
};
void mpp_ranking_done(struct mpp_ranking *r);
/* The connections that hold most, ranked as pruning ranks them; ends none. Without pressure there
 * is no history: two looks 250 ms apart are taken (the call takes that long). */
_must_check_ int mpp_rank(struct mpp *m, size_t max, struct mpp_ranking *ret);
/* The records of ended connections that are kept, the newest last; at most 65,536. Owned array. */
_must_check_ int mpp_records(struct mpp *m, size_t max, struct mpp_conn **ret, size_t *ret_n);
