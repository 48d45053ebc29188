/* SPDX-License-Identifier: GPL-2.0-or-later */
/* struct mpp, shared by mpp.c (life and tick), records.c (what was ended), events.c (what is told),
 * rank.c and status.c (questions). */
#pragma once
#include "gate.h"
#include "load.h"
#include "machine.h"
#include "signals.h"

struct mnl_socket;
struct ring_buffer;

enum { MPP_RECORDS_MAX = 65536, MPP_JOURNAL_MAX = 16, MPP_TALLIES = 256, MPP_ENDED = 4096 };

/* Kills of one pass by port and by prefix, for the summary; the first 256 of each are counted. */
struct mpp_tally {
    uint64_t key;
    uint64_t n;
};
/* What the agent ended itself, by sock_diag, and what it could not. */
struct mpp_by_reader {
    uint64_t killed, bytes, by_reason[_MPP_REASON_MAX], failed, failed_bytes, errors;
};
struct mpp_pass {
    uint64_t killed, bytes, ipv6, by_reason[_MPP_REASON_MAX];
    struct mpp_tally ports[MPP_TALLIES], prefixes[MPP_TALLIES];
    unsigned n_ports, n_prefixes;
    struct mpp_conn top[MPP_JOURNAL_MAX]; /* by score */
    unsigned n_top;
    bool ban_full;
    struct mpp_by_reader by_reader;
};

/* What was ended of one source lately; a source that many share the slot with pushes it out. */
struct mpp_ended {
    uint64_t source, since_ns;
    unsigned n;
};

struct mpp {
    mpp_event_fn *event;
    void *ctx;
    struct mpp_kern kern;
    struct mpp_gate gate;
    struct mpp_reader reader;
    struct mpp_machine machine;
    struct ring_buffer *ring;
    struct mpp_pass pass;
    struct mpp_ended ended[MPP_ENDED];
    struct mpp_conn *records; /* circular once it is full */
    size_t n_records, cap_records, first_record;
    uint32_t generation;
    bool on;      /* for any family */
    bool by_diag; /* the settings want it */
    bool no_diag; /* this kernel has no SOCK_DESTROY */
    struct mnl_socket *diag;
    bool orphans;        /* may be ended on this kernel */
    uint64_t entered_ns; /* of the attack that goes on */
    uint64_t killed6;    /* since then, IPv6 */
    uint64_t dropped_at_enter[5], by_reason_at_enter[_MPP_REASON_MAX];
    uint64_t second_ns; /* what is done once a second was done */
    uint64_t lost;      /* told already */
};

/* decode.c */
void mpp_decode(const struct mpp_record *r, struct mpp_conn *ret);
uint64_t mpp_source(const struct mpp_conn *c); /* the key of bans */
/* The prefix of a gate's key as an address. */
struct ip mpp_prefix(enum family f, uint64_t key);

/* mpp.c */
/* One look outside of the machine's orders; stall history is kept. */
_must_check_ int engine_look(struct mpp *m, uint32_t what, kern_record_fn *fn, void *ctx,
                             struct mpp_sums *ret);

/* records.c */
_must_check_ int records_open(struct mpp *m);
void records_close(struct mpp *m);
/* Takes what the last pass ended out of the ring: keeps it, bans, tells. What is left to the reader
 * is ended here; sums then say what really was. */
void records_take(struct mpp *m, struct mpp_sums *sums);
/* Connections are ended here, not by the program that looks at them. */
bool records_end(const struct mpp *m);

/* diag_kill.c: SOCK_DESTROY of what the record names, also half-open or in TIME_WAIT. *s is opened
 * when it is NULL. -ENOENT: it is gone. -EOPNOTSUPP: not on this kernel. */
_must_check_ int diag_kill(struct mnl_socket **s, const struct mpp_record *r);
void diag_close(struct mnl_socket **s);

/* tell.c */
void tell_machine(struct mpp *m);
void tell_pass(struct mpp *m);
void tell_second(struct mpp *m);
