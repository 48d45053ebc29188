/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/coop.c: the cooperative scan (exposure.md 3.6). Called by child.c. The target's
 * side says which tagged probes reached its first hook and which were delivered behind all of its
 * filters; nothing here is concluded from silence. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "board.h"
#include "wire_io.h"

/* Until what is on the way is there; doubled each round. */
static const uint64_t NEAR_PAUSE_US = 2000, FAR_PAUSE_US = 100000;

/* What the target has said at the end. */
struct said {
    struct probe_ports arrived, delivered, bound;
    struct wire_line line;
};

/* Ports whose probe has arrived are not silent any more. */
static void note_arrivals(struct board *b, const struct probe_ports *arrived)
{
    for (unsigned i = 0; i < PROBE_PORTS; i++) {
        if (!probe_ports_has(arrived, i) || !board_is_silent(b, i))
            continue;
        /* Judged at the end; until then only that it is not silent counts. */
        b->out->port[i].state = PROBE_UNKNOWN;
        b->out->answered++;
        b->n_silent--;
        rounds_answer(&b->rounds, b->rounds.round - 1);
    }
}

static int ask_arrivals(struct board *b, struct wire *w, struct said *s, struct diag *d)
{
    int err = wire_send(w, "count\n", d);
    if (err == 0)
        err = wire_next(w, d, &s->line);
    if (err == 0 && s->line.word != WIRE_ARRIVED)
        err = diag_fail(d, DIAG_SYSTEM, "the target's side does not count");
    if (err == 0)
        note_arrivals(b, &s->line.ports);
    return err;
}

static int ask_end(struct board *b, struct wire *w, struct said *s, struct diag *d)
{
    int err = wire_send(w, "end\n", d);
    for (;;) {
        if (err == 0)
            err = wire_next(w, d, &s->line);
        if (err < 0)
            return err;
        switch (s->line.word) {
        case WIRE_ARRIVED:
            s->arrived = s->line.ports;
            break;
        case WIRE_DELIVERED:
            s->delivered = s->line.ports;
            break;
        case WIRE_BOUND:
            s->bound = s->line.ports;
            break;
        case WIRE_DECIDED:
            if (b->out->n_decisions < PROBE_DECISIONS_MAX)
                b->out->decisions[b->out->n_decisions++] = s->line.decision;
            break;
        case WIRE_END:
            return 0;
        case WIRE_READY:
        case WIRE_ERROR:
        case WIRE_KEY:
        case WIRE_COUNT:
        case _WIRE_WORD_MAX:
            return diag_fail(d, DIAG_SYSTEM, "the target's side sent what is no result");
        }
    }
}

static void judge_udp(struct board *b, const struct said *s, unsigned port)
{
    struct probe_port *p = &b->out->port[port];
    if (!probe_ports_has(&s->arrived, port)) {
        if (b->failed[port] || board_must_stop()) {
            p->state = PROBE_NOT_SCANNED; /* board_finish() says why */
            return;
        }
        *p = (struct probe_port){.state = PROBE_FILTERED, .why = PROBE_WHY_PATH};
    } else if (!probe_ports_has(&s->delivered, port)) {
        *p = (struct probe_port){.state = PROBE_FILTERED, .why = PROBE_WHY_TARGET};
    } else {
        p->state = probe_ports_has(&s->bound, port) ? PROBE_OPEN : PROBE_CLOSED;
        p->why = PROBE_WHY_NONE;
    }
}

static void pause_us(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    (void)nanosleep(&t, NULL); /* a signal ends the scan */
}

static int udp_rounds(struct udp *u, struct board *b, struct wire *w, struct said *s,
                      struct diag *d)
{
    int err;
    do {
        board_next_round(b, false);
        err = udp_send_tagged(u, b, w->key);
        if (err < 0)
            return board_must_stop() ? 0 : err;
        pause_us((b->rounds.is_near ? NEAR_PAUSE_US : FAR_PAUSE_US) << (b->rounds.round - 1));
        err = ask_arrivals(b, w, s, d);
    } while (err == 0 && !board_is_over(b));
    return err;
}

int coop_udp_run(struct udp *u, struct board *b, struct wire *w, struct diag *d)
{
    _cleanup_free_ struct said *s = calloc(1, sizeof(*s));
    int err = s ? wire_begin(w, b->request, d) : -ENOMEM;
    if (err == 0)
        err = board_start(b); /* the time until the target listens is not the scan's */
    if (err == 0)
        err = udp_rounds(u, b, w, s, d);
    if (err == 0)
        err = ask_end(b, w, s, d);
    for (unsigned i = 0; err == 0 && i < PROBE_PORTS; i++)
        if (probe_ports_has(b->request->ports, i))
            judge_udp(b, s, i);
    return err;
}

/* What was silent for the SYN scan. */
int coop_finish_tcp(struct board *b, struct wire *w, struct diag *d)
{
    _cleanup_free_ struct said *s = calloc(1, sizeof(*s));
    int err = s ? ask_end(b, w, s, d) : -ENOMEM;
    for (unsigned i = 0; err == 0 && i < PROBE_PORTS; i++) {
        struct probe_port *p = &b->out->port[i];
        if (!board_is_silent(b, i) || b->failed[i])
            continue;
        p->state = PROBE_FILTERED;
        p->why = !probe_ports_has(&s->arrived, i)     ? PROBE_WHY_PATH
                 : !probe_ports_has(&s->delivered, i) ? PROBE_WHY_TARGET
                                                      : PROBE_WHY_NO_ANSWER;
    }
    return err;
}
