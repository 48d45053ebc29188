/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/tell.c: events with their numbers (docs/events.md). A pass may end 4096 connections: the
 * journal gets the 16 worst and a summary. Called by mpp.c and records.c. */
#include <stdio.h>
#include <string.h>

#include "engine.h"

static void fill(const struct mpp *m, enum mpp_event_kind kind, struct mpp_event *e)
{
    const struct mpp_machine *x = &m->machine;
    struct mpp_shares shares = mpp_judge_sums(x, true);

    memset(e, 0, sizeof(*e));
    e->kind = kind;
    e->mem = x->s.mem;
    e->hi = mpp_hi(&x->s);
    e->lo = mpp_lo(&x->s);
    e->slope = x->slope;
    e->stalled_share = shares.stalled;
    e->spared_share = shares.spared;
    e->idle_share = shares.idle;
    e->orphan_share = shares.orphans;
}

static void tell_enter(struct mpp *m, struct mpp_event *e)
{
    uint64_t counts[_MPP_N_MAX];

    m->entered_ns = m->machine.s.now_ns;
    m->killed6 = 0;
    gate_counts(&m->gate, counts);
    memcpy(m->dropped_at_enter, counts + MPP_N_SYN_DROP, sizeof(m->dropped_at_enter));
    memcpy(m->by_reason_at_enter, counts + MPP_N_REASON, sizeof(m->by_reason_at_enter));
    m->event(m->ctx, e);
}

static void tell_leave(struct mpp *m, struct mpp_event *e)
{
    const struct mpp_machine *x = &m->machine;
    uint64_t counts[_MPP_N_MAX];

    gate_counts(&m->gate, counts);
    e->duration_ms = (x->s.now_ns - m->entered_ns) / 1000000;
    e->killed = x->killed;
    e->ipv6 = m->killed6 * 2 > x->killed;
    e->bytes = x->killed_bytes;
    e->peak = x->peak;
    e->spared_conns = x->most_spared;
    e->spared_bytes = x->most_spared_bytes;
    for (unsigned i = 0; i < 5; i++)
        e->syn_dropped[i] = counts[MPP_N_SYN_DROP + i] - m->dropped_at_enter[i];
    for (unsigned i = 0; i < _MPP_REASON_MAX; i++)
        e->by_reason[i] = counts[MPP_N_REASON + i] - m->by_reason_at_enter[i];
    m->event(m->ctx, e);
}

static const char *gate_cause(const struct mpp_machine *x)
{
    if (x->level < x->old_level)
        return "no pressure for 2 s";
    switch (x->level) {
    case MPP_GATE_COOKIES:
        return "queue of SYNs full";
    case MPP_GATE_BANS:
        return "pruning";
    case MPP_GATE_RATE:
        return "memory rises while pruning";
    default:
        return "memory beyond its limit";
    }
}

static void tell_one(struct mpp *m, enum mpp_event_kind kind)
{
    const struct mpp_machine *x = &m->machine;
    struct mpp_event e;

    fill(m, kind, &e);
    switch (kind) {
    case MPP_EV_ENTER:
        tell_enter(m, &e);
        return;
    case MPP_EV_LEAVE:
        tell_leave(m, &e);
        return;
    case MPP_EV_GATE:
        e.old_level = x->old_level;
        e.level = x->level;
        e.cause = gate_cause(x);
        break;
    case MPP_EV_PROTECTED:
        e.conn.ifindex = x->sums.spared_top_if;
        e.conn.lport = (uint16_t)x->sums.spared_top_port;
        e.spared_bytes = x->sums.stalled[1];
        break;
    default:
        break;
    }
    m->event(m->ctx, &e);
}

void tell_machine(struct mpp *m)
{
    uint32_t events = m->machine.events;

    m->machine.events = 0;
    for (unsigned k = 0; k < _MPP_EV_MAX; k++)
        if (events >> k & 1)
            tell_one(m, (enum mpp_event_kind)k);
}

static const struct mpp_tally *most(const struct mpp_tally *v, unsigned n)
{
    const struct mpp_tally *best = v;

    for (unsigned i = 1; i < n; i++)
        if (v[i].n > best->n)
            best = &v[i];
    return best;
}

void tell_pass(struct mpp *m)
{
    const struct mpp_pass *p = &m->pass;
    struct mpp_event e;

    for (unsigned i = 0; i < p->n_top; i++) {
        fill(m, MPP_EV_PRUNE, &e);
        e.conn = p->top[i];
        e.in_log = true;
        m->event(m->ctx, &e);
    }
    if (p->ban_full) {
        fill(m, MPP_EV_BAN_FULL, &e);
        m->event(m->ctx, &e);
    }
    if (!p->killed)
        return;
    fill(m, MPP_EV_SUMMARY, &e);
    e.killed = p->killed;
    m->killed6 += p->ipv6;
    e.bytes = p->bytes;
    e.ipv6 = p->ipv6 * 2 > p->killed;
    memcpy(e.by_reason, p->by_reason, sizeof(e.by_reason));
    e.port = (uint16_t)most(p->ports, p->n_ports)->key;
    e.family = e.ipv6 ? FAMILY_6 : FAMILY_4;
    e.prefix = mpp_prefix(e.family, most(p->prefixes, p->n_prefixes)->key);
    m->event(m->ctx, &e);
}

static void on_drop(void *ctx, const struct mpp_drop_key *k, uint64_t n)
{
    struct mpp *m = ctx;
    struct mpp_event e;

    fill(m, MPP_EV_SYN_DROP, &e);
    e.ifindex = k->ifindex;
    e.port = k->port;
    e.level = k->level;
    e.family = k->ipv6 ? FAMILY_6 : FAMILY_4;
    e.prefix = mpp_prefix(e.family, k->prefix);
    e.count = n;
    m->event(m->ctx, &e);
}

void tell_second(struct mpp *m)
{
    uint64_t counts[_MPP_N_MAX];
    struct mpp_event e;

    gate_take_drops(&m->gate, on_drop, m);
    gate_counts(&m->gate, counts);
    if (counts[MPP_N_LOST] > m->lost) {
        fill(m, MPP_EV_LOST, &e);
        e.count = counts[MPP_N_LOST] - m->lost;
        m->event(m->ctx, &e);
    }
    m->lost = counts[MPP_N_LOST];
}
