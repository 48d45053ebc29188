/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/rounds.c: see rounds.h. Called by the scan loops.
 * A loss l per direction makes a probe miss with q = 1-(1-l)^2. A round without gain is no reason
 * to stop: with one silent port that is open it happens with probability q. So q is estimated from
 * the ports that answered, and the scan goes on until less than 0.01 answering ports can be
 * expected among the silent ones. */
#include "rounds.h"

enum {
    NEAR_WAIT_US = 4000,
    FAR_WAIT_US = 200000, /* until a round-trip time is known */
    WAIT_MAX_US = 2000000,
    ROUNDS_MIN = 3,
    CONTROLS_MIN = 20,
};

void rounds_init(struct rounds *r, bool is_near)
{
    *r = (struct rounds){.is_near = is_near};
}

/* RFC 6298, 2. */
void rounds_rtt(struct rounds *r, uint64_t rtt_us)
{
    if (!r->has_rtt) {
        r->srtt_us = rtt_us;
        r->rttvar_us = rtt_us / 2;
        r->has_rtt = true;
        return;
    }
    uint64_t apart = rtt_us > r->srtt_us ? rtt_us - r->srtt_us : r->srtt_us - rtt_us;
    r->rttvar_us = (3 * r->rttvar_us + apart) / 4;
    r->srtt_us = (7 * r->srtt_us + rtt_us) / 8;
}

void rounds_answer(struct rounds *r, uint32_t round)
{
    r->answered++;
    r->answered_first += round == 0;
}

uint64_t rounds_wait_us(const struct rounds *r)
{
    uint64_t w = r->srtt_us + 4 * r->rttvar_us;
    if (w < NEAR_WAIT_US)
        w = NEAR_WAIT_US;
    /* Nothing has answered so far: what is near may still be slow. */
    if (!r->has_rtt && (!r->is_near || r->round >= ROUNDS_MIN))
        w = FAR_WAIT_US;
    if (w < r->minimum_us)
        w = r->minimum_us;
    for (uint32_t i = 1; i < r->round && w < WAIT_MAX_US; i++)
        w *= 2;
    return w < WAIT_MAX_US ? w : WAIT_MAX_US;
}

bool rounds_are_over(const struct rounds *r, uint32_t n_silent)
{
    double q = r->answered ? 1.0 - (double)r->answered_first / r->answered : 0;
    double expected = r->answered;
    if (n_silent == 0 || r->round >= PROBE_ROUNDS_MAX)
        return true;
    if (q < 0.01)
        q = 0.01;
    for (uint32_t i = 0; i < r->round; i++)
        expected *= q;
    return r->round >= ROUNDS_MIN && expected < 0.01;
}

bool rounds_must_slow(const struct rounds *r)
{
    return r->controls >= CONTROLS_MIN && r->controls_lost * 10 > r->controls;
}

void pace_init(struct pace *p, uint32_t rate, uint64_t now_us)
{
    *p = (struct pace){.rate = rate, .start_us = now_us};
}

unsigned pace_may(const struct pace *p, uint64_t now_us, unsigned max)
{
    if (p->rate == 0)
        return max;
    uint64_t due = (now_us - p->start_us) * p->rate / 1000000 + 1;
    uint64_t may = due > p->sent ? due - p->sent : 0;
    return may < max ? (unsigned)may : max;
}

void pace_sent(struct pace *p, unsigned n)
{
    p->sent += n;
}

uint64_t pace_next_us(const struct pace *p)
{
    return p->rate == 0 ? p->start_us : p->start_us + (p->sent * 1000000 + p->rate - 1) / p->rate;
}

void pace_halve(struct pace *p, uint64_t now_us)
{
    uint64_t past = now_us > p->start_us ? now_us - p->start_us : 1;
    uint64_t rate = p->rate ? p->rate : p->sent * 1000000 / past;
    pace_init(p, rate > 2 ? (uint32_t)(rate < UINT32_MAX ? rate / 2 : UINT32_MAX / 2) : 1, now_us);
}
