/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a round is over, when there is need of another one, and how fast probes leave (exposure.md
 * 3.1, 3.3). Numbers in, numbers out: no clock and no socket, so that tests have any time they
 * like. All methods of the scan use it. */
#pragma once
#include "exposureprobe/probe.h"

struct rounds {
    bool is_near; /* this host or a veth: answers come within milliseconds */
    uint64_t srtt_us, rttvar_us;
    bool has_rtt;
    uint32_t round;          /* begun, from 1 */
    uint32_t answered;       /* ports that answered at all */
    uint32_t answered_first; /* of them those that answered a probe of round 1 */
    uint32_t minimum_us;     /* of the wait of the first round */
    /* Ports that have answered are asked once more in each later round, as a control. */
    uint32_t controls, controls_lost;
};
void rounds_init(struct rounds *r, bool is_near);
/* A wait of the first round that is longer than the method's own. */
void rounds_rtt(struct rounds *r, uint64_t rtt_us);
/* round: of the probe that was answered, from 0. */
void rounds_answer(struct rounds *r, uint32_t round);
/* How long nothing may arrive until the round is over. */
uint64_t rounds_wait_us(const struct rounds *r);
/* Whether the scan is over: n_silent ports have not answered. */
bool rounds_are_over(const struct rounds *r, uint32_t n_silent);
/* Whether the round lost more than 10 % of its controls: the rate is too high. */
bool rounds_must_slow(const struct rounds *r);

/* At most `rate` probes a second from `start_us` on, 0 = no limit. */
struct pace {
    uint32_t rate;
    uint64_t start_us, sent;
};
void pace_init(struct pace *p, uint32_t rate, uint64_t now_us);
/* How many probes may leave now, at most max. */
unsigned pace_may(const struct pace *p, uint64_t now_us, unsigned max);
void pace_sent(struct pace *p, unsigned n);
/* When the next one may. */
uint64_t pace_next_us(const struct pace *p);
void pace_halve(struct pace *p, uint64_t now_us);
