/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decisions of memory pressure protection without any I/O: signals and sums of a look go in,
 * orders come out, time is a number. Driven by mpp.c, by unit tests and by recorded traces.
 * docs/internals/mpp.md has the table of states. Invariant: an order to end connections is given
 * in MPP_PRUNE alone, which is entered only with the verdict "attack". */
#pragma once
#include "mpp.h"
#include "mpp/mpp.h"

struct mpp_signals {
    uint64_t now_ns;
    uint64_t mem, limits[3]; /* pages, of the host */
    uint64_t page_bytes;
    uint64_t aborts;       /* TCPAbortOnMemory of the namespace, since its beginning */
    uint64_t overflows;    /* ListenOverflows + ListenDrops */
    uint64_t queue_full;   /* TCPReqQFullDrop */
    uint64_t cookies_sent; /* SyncookiesSent */
    uint64_t cookies_back; /* SyncookiesRecv: handshakes that were completed with one */
    uint64_t inuse, alloc; /* connections of the namespace, sockets of the host */
    uint64_t available;    /* bytes of memory that can be had */
    unsigned fd_percent;   /* fullest descriptor table among the namespace's processes */
    size_t bans;           /* sources that are banned, or on probation */
};

/* What is to be done now. */
struct mpp_orders {
    bool look;
    struct mpp_scan scan; /* if look */
    unsigned level;       /* of the gate */
    uint64_t delay_us;    /* until the next tick */
};

enum { MPP_SAMPLES = 8 };
struct mpp_machine {
    enum mpp_state state;
    unsigned gate_max, level;
    struct mpp_signals s;
    struct mpp_sums sums; /* of the last look */
    uint64_t look_ns;     /* processor time of one that ended nothing */
    uint32_t epoch;

    struct {
        uint64_t t_ns, mem;
    } sample[MPP_SAMPLES];
    unsigned n_samples;
    int64_t slope;  /* pages a second */
    uint64_t fill;  /* bytes a second that come in, ended connections included */
    uint64_t freed; /* bytes ended since the last tick */
    uint64_t tick_ns;
    uint32_t floor_ms;

    uint64_t calm_since_ns;                          /* ARMED: no reason to be, 0 = there is one */
    uint64_t prune_since_ns;                         /* entered PRUNE */
    uint64_t pressure_since_ns;                      /* mem passed hi, 0 = below */
    uint64_t above_since_ns;                         /* above hi without a break, 0 = not */
    uint64_t far_since_ns;                           /* above 1.25 hi */
    uint64_t no_kill_since_ns;                       /* PRUNE without a kill */
    uint64_t innocent_since_ns;                      /* PRUNE without the verdict */
    uint64_t level_since_ns;                         /* of the gate, or of the last pressure */
    uint64_t beyond_since_ns;                        /* mem > limits[2], 0 = not */
    uint64_t abort_ns, overflow_ns, queue_full_ns;   /* last growth */
    uint64_t cookies_ns, cookies_sent, cookies_back; /* half a second ago */
    uint64_t short_since_ns;                         /* passes end less than is needed */
    uint64_t needed;                                 /* bytes, by the last pass */
    uint64_t told_ns[_MPP_EV_MAX];

    uint64_t left_ns; /* PRUNE, the last time */
    bool attack, once_more, by_idle, restricted, elsewhere, armed_by_idle;
    uint64_t ended_of_many; /* lately, of sources that have many */
    unsigned idle_step;     /* idle flood of many sources: how far down the age went */
    /* of this attack, for MPP_EV_LEAVE */
    uint64_t attacks, killed, killed_bytes, peak, most_spared, most_spared_bytes, most_exempt,
        most_profile, most_off;
    unsigned highest;
    uint32_t events; /* bits of enum mpp_event_kind, taken by the caller */
    unsigned old_level;
};

void mpp_machine_init(struct mpp_machine *m);
uint64_t mpp_hi(const struct mpp_signals *s); /* pages */
uint64_t mpp_lo(const struct mpp_signals *s);
uint64_t mpp_arm(const struct mpp_signals *s);
/* Above it an attack that was there a moment ago is fought again. */
uint64_t mpp_again(const struct mpp_signals *s);
/* The signals of a tick: what is to be done. */
void mpp_machine_tick(struct mpp_machine *m, const struct mpp_signals *s, struct mpp_orders *ret);
/* The sums of the look that was ordered, and the processor time that it took. True: another look is
 * ordered at once (the first pass of pruning). */
bool mpp_machine_looked(struct mpp_machine *m, const struct mpp_sums *sums, uint64_t took_ns,
                        struct mpp_orders *ret);

/* Lowest bucket whose bytes, with those above it, reach `need`; 0 if none does. MPP_BUCKETS if
 * nothing is needed. */
uint32_t mpp_cutoff(const struct mpp_sums *sums, uint64_t need);
/* Shortest stall that counts: half of the time until the limit is reached. */
uint32_t mpp_floor(const struct mpp_signals *s, uint64_t fill);
/* The floor of a pass when passes have ended too little for so long: half of it every 100 ms. */
uint32_t mpp_floor_after(uint32_t floor_ms, uint64_t short_ns);
/* Of sources with many that close their windows. */
uint32_t mpp_floor_of_many(uint32_t floor_ms);
/* verdict.c: what the sums mean. going_on: pruning goes on with half of the shares. */
struct mpp_shares {
    unsigned stalled, spared, idle, orphans, own; /* per cent of TCP memory; idle of connections */
    bool attack, by_idle, restricted, elsewhere;
};
struct mpp_shares mpp_judge_sums(const struct mpp_machine *m, bool going_on);
/* A symptom that unused connections cause, as far as signals alone show it. */
bool mpp_idle_symptom(const struct mpp_machine *m, bool going_on);
