/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One scan as it runs, in the child: which ports still are silent, when what was sent, what came.
 * The three methods (syn.c, connect.c, udp.c) send and listen; the board counts and decides. What
 * the parent gets to see lies in struct shared, memory of both processes. */
#pragma once
#include "answer.h"
#include "base/rng.h"
#include "rounds.h"

struct shared {
    struct probe_port port[PROBE_PORTS];
    uint8_t service[PROBE_PORTS];
    uint64_t sent;
    uint32_t rounds, answered, elapsed_us, local_errors;
    int32_t first_errno;
    uint8_t is_stopped, backed_off;
    uint32_t n_decisions;
    struct probe_decision decisions[PROBE_DECISIONS_MAX];
    int32_t error; /* negative: the scan failed */
    char message[DIAG_MESSAGE_BYTES];
};

/* In memory that is shared with the helper of synhelp.c. */
struct board {
    const struct probe_request *request;
    struct shared *out;
    struct rounds rounds;
    struct pace pace;
    uint32_t rate;                /* as it is now; falls when answers get lost */
    uint64_t start_us, last_us;   /* last: an answer that said something new */
    uint32_t *sent_at;            /* [round][port], microseconds since start_us */
    uint8_t failed[PROBE_PORTS];  /* the last probe could not be sent */
    uint8_t control[PROBE_PORTS]; /* asked again in this round, although it has answered */
    uint16_t todo[PROBE_PORTS];   /* ports of this round, in this order */
    uint32_t n_todo, n_silent, max_rounds;
    struct rng rng; /* for the choice of controls */
    int events;     /* open ports as they come, 2 bytes each */
};
void board_init(struct board *b, const struct probe_request *r, struct shared *out, int events);
void board_done(struct board *b);
_must_check_ int board_new(struct board **ret); /* zeroed */
_must_check_ int board_start(struct board *b);  /* the clock runs from here */

uint64_t board_now_us(void);
bool board_must_stop(void); /* SIGINT, SIGTERM */
void board_catch_signals(void);

static inline bool board_is_silent(const struct board *b, unsigned port)
{
    return probe_ports_has(b->request->ports, port) && b->out->port[port].state == 0;
}
/* Begins the next round: fills todo. with_controls: also some that have answered. */
void board_next_round(struct board *b, bool with_controls);
/* A probe left, or did not for a reason of this host (err > 0). */
void board_sent(struct board *b, uint16_t port, uint64_t now_us);
void board_failed(struct board *b, uint16_t port, int err);
/* An answer came. rtt_us 0: taken from when the probe was sent. */
void board_take(struct board *b, const struct answer *a, uint64_t now_us);
/* The round's wait is over. */
bool board_round_is_over(const struct board *b, uint64_t now_us);
/* After a round: whether there is to be no other one; slows down if it has to. */
bool board_is_over(struct board *b);
/* What silence means, once everything is over. */
void board_finish(struct board *b);

/* The methods. 0 or -errno with *d. open: with rights; run: without. */
struct syn;
struct udp;
struct wire;
_must_check_ int syn_open(const struct probe_request *r, struct diag *d, struct syn **ret);
_must_check_ int syn_run(struct syn *s, struct board *b, struct diag *d);
void syn_use_key(struct syn *s, const uint64_t key[2]);
_must_check_ int connect_run(struct board *b, struct diag *d);
_must_check_ int udp_open(const struct probe_request *r, struct diag *d, struct udp **ret);
_must_check_ int udp_run(struct udp *u, struct board *b, struct diag *d);
void syn_freep(struct syn **s);
void udp_freep(struct udp **u);
/* With the target's side: all datagrams are tagged, and it says which came (coop.c). */
_must_check_ int coop_udp_run(struct udp *u, struct board *b, struct wire *w, struct diag *d);
_must_check_ int coop_finish_tcp(struct board *b, struct wire *w, struct diag *d);
/* Sends the ports of this round with the tag as payload. */
_must_check_ int udp_send_tagged(struct udp *u, struct board *b, const uint64_t key[2]);
