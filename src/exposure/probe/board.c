/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/board.c: see board.h. Called by the methods, in the child only. */
#include "board.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { CONTROLS = 64 };
static const size_t sent_at_bytes = (size_t)PROBE_ROUNDS_MAX * PROBE_PORTS * sizeof(uint32_t);

static volatile sig_atomic_t must_stop;

static void on_signal(int sig _unused_)
{
    must_stop = 1;
}

void board_catch_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &a, NULL); /* valid signals: cannot fail */
    (void)sigaction(SIGTERM, &a, NULL);
}

bool board_must_stop(void)
{
    return must_stop;
}

uint64_t board_now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int board_new(struct board **ret)
{
    void *p = mmap(NULL, sizeof(**ret), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    *ret = p;
    return 0;
}

void board_init(struct board *b, const struct probe_request *r, struct shared *out, int events)
{
    *b = (struct board){.request = r, .out = out, .events = events, .rate = r->rate};
    b->max_rounds = PROBE_ROUNDS_MAX;
    rounds_init(&b->rounds, r->route->is_local || r->route->is_veth);
    b->n_silent = probe_ports_count(r->ports);
}

void board_done(struct board *b)
{
    if (b->sent_at)
        (void)munmap(b->sent_at, sent_at_bytes);
    b->sent_at = NULL;
}

int board_start(struct board *b)
{
    void *p = mmap(NULL, sent_at_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    b->sent_at = p;
    if (getrandom(&b->rng, sizeof(b->rng), 0) != (ssize_t)sizeof(b->rng))
        return -EIO;
    b->start_us = b->last_us = board_now_us();
    return 0;
}

/* Random ones of those that answered, spread over the round. */
static void add_controls(struct board *b)
{
    uint16_t known[PROBE_PORTS];
    uint32_t n = 0;
    for (unsigned i = 0; i < PROBE_PORTS; i++) {
        uint8_t state = b->out->port[i].state;
        if (state == PROBE_OPEN || state == PROBE_CLOSED)
            known[n++] = (uint16_t)i;
    }
    for (uint32_t i = 0; i < CONTROLS && n > 0; i++) {
        uint32_t pick = rng_below(&b->rng, n);
        uint16_t port = known[pick];
        known[pick] = known[--n];
        uint32_t at = rng_below(&b->rng, b->n_todo + 1);
        b->control[port] = 1;
        b->rounds.controls++;
        b->rounds.controls_lost++; /* until it answers */
        b->todo[b->n_todo] = b->todo[at];
        b->todo[at] = port;
        b->n_todo++;
    }
}

void board_next_round(struct board *b, bool with_controls)
{
    b->rounds.round++;
    b->out->rounds = b->rounds.round;
    b->n_todo = 0;
    b->rounds.controls = b->rounds.controls_lost = 0;
    memset(b->control, 0, sizeof(b->control));
    for (unsigned i = 0; i < PROBE_PORTS; i++)
        if (board_is_silent(b, i))
            b->todo[b->n_todo++] = (uint16_t)i;
    if (with_controls && b->rounds.round > 1)
        add_controls(b);
    pace_init(&b->pace, b->rate, board_now_us());
    b->last_us = board_now_us();
}

void board_sent(struct board *b, uint16_t port, uint64_t now_us)
{
    uint32_t round = b->rounds.round - 1;
    b->sent_at[(size_t)round * PROBE_PORTS + port] = (uint32_t)(now_us - b->start_us) | 1;
    b->failed[port] = 0;
    (void)__atomic_fetch_add(&b->out->sent, 1, __ATOMIC_RELAXED);
}

void board_failed(struct board *b, uint16_t port, int err)
{
    b->failed[port] = 1;
    (void)__atomic_fetch_add(&b->out->local_errors, 1, __ATOMIC_RELAXED);
    if (!b->out->first_errno)
        b->out->first_errno = err;
}

static void tell_open(struct board *b, uint16_t port)
{
    /* Two bytes are written whole or not at all; who does not listen any more misses them. */
    (void)!write(b->events, &port, sizeof(port));
}

static void take_rtt(struct board *b, const struct answer *a, uint64_t now_us)
{
    uint32_t sent = b->sent_at[(size_t)a->round * PROBE_PORTS + a->port];
    uint64_t now = now_us - b->start_us;
    if (!sent || now < sent)
        return;
    uint64_t rtt = now - sent > 0 ? now - sent : 1;
    b->out->port[a->port].rtt_us = rtt < UINT32_MAX ? (uint32_t)rtt : UINT32_MAX;
    rounds_rtt(&b->rounds, rtt);
}

void board_take(struct board *b, const struct answer *a, uint64_t now_us)
{
    struct probe_port *p = &b->out->port[a->port];
    if (a->round >= b->rounds.round || !probe_ports_has(b->request->ports, a->port))
        return;
    if (b->control[a->port] && a->round == b->rounds.round - 1) {
        b->control[a->port] = 0;
        b->rounds.controls_lost--;
        b->last_us = now_us;
    }
    /* A later RST or error does not take back that it was open. */
    if (p->state != PROBE_NOT_SCANNED && (a->state != PROBE_OPEN || p->state == PROBE_OPEN))
        return;
    bool is_new = p->state == PROBE_NOT_SCANNED;
    p->state = (uint8_t)a->state;
    p->why = (uint8_t)a->why;
    if (a->why == PROBE_WHY_NONE)
        take_rtt(b, a, now_us);
    if (a->state == PROBE_OPEN)
        tell_open(b, a->port);
    if (!is_new)
        return;
    rounds_answer(&b->rounds, a->round);
    b->out->answered++;
    b->n_silent--;
    b->last_us = now_us;
}

bool board_round_is_over(const struct board *b, uint64_t now_us)
{
    return b->n_silent == 0 || board_must_stop() ||
           now_us - b->last_us >= rounds_wait_us(&b->rounds);
}

bool board_is_over(struct board *b)
{
    if (rounds_must_slow(&b->rounds)) {
        pace_halve(&b->pace, board_now_us());
        b->rate = b->pace.rate;
        b->out->backed_off = 1;
    }
    return board_must_stop() || b->rounds.round >= b->max_rounds ||
           rounds_are_over(&b->rounds, b->n_silent);
}

/* A silent port. */
static void judge_silence(const struct board *b, unsigned port, bool cut_short)
{
    struct probe_port *p = &b->out->port[port];
    if (b->failed[port]) {
        p->state = PROBE_UNKNOWN;
        p->why = PROBE_WHY_LOCAL_ERROR;
    } else if (cut_short) {
        p->state = PROBE_UNKNOWN;
        p->why = PROBE_WHY_CUT_SHORT;
    } else if (b->request->method == PROBE_UDP) {
        p->state = PROBE_UNKNOWN;
        p->why = PROBE_WHY_SILENT;
    } else {
        p->state = PROBE_FILTERED;
        p->why = PROBE_WHY_SILENT;
    }
}

void board_finish(struct board *b)
{
    struct rounds r = b->rounds;
    r.round--; /* without the limit of rounds: would another one have been needed? */
    bool limit = b->rounds.round >= PROBE_ROUNDS_MAX && !rounds_are_over(&r, b->n_silent);
    bool cut_short = board_must_stop() || limit;
    for (unsigned i = 0; i < PROBE_PORTS; i++)
        if (board_is_silent(b, i))
            judge_silence(b, i, cut_short);
    b->out->is_stopped = board_must_stop();
    b->out->elapsed_us = (uint32_t)(board_now_us() - b->start_us);
}
