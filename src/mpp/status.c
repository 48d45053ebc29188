/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/status.c: the answer to `portward mpp status`. Takes one look at all connections, which ends
 * none. */
#include <stdio.h>
#include <string.h>

#include "engine.h"

static void fill_counts(const struct mpp *m, struct mpp_status *s)
{
    uint64_t n[_MPP_N_MAX];

    gate_counts(&m->gate, n);
    s->killed = n[MPP_N_KILLED];
    s->killed_bytes = n[MPP_N_KILLED_BYTES];
    memcpy(s->by_reason, n + MPP_N_REASON, sizeof(s->by_reason));
    s->syn_seen = n[MPP_N_SYN_SEEN];
    memcpy(s->syn_dropped, n + MPP_N_SYN_DROP, sizeof(s->syn_dropped));
    s->stamped = n[MPP_N_STAMPED];
    s->adopted = n[MPP_N_ADOPTED];
    s->lost = n[MPP_N_LOST];
    s->errors = n[MPP_N_ERRORS];
    s->events = s->killed - s->lost;
}

static void fill_state(const struct mpp *m, struct mpp_status *s)
{
    const struct mpp_machine *x = &m->machine;

    s->state = x->state;
    s->page_bytes = x->s.page_bytes;
    s->mem = x->s.mem;
    s->hi = mpp_hi(&x->s);
    s->lo = mpp_lo(&x->s);
    s->arm = mpp_arm(&x->s);
    memcpy(s->limits, x->s.limits, sizeof(s->limits));
    s->gate_level = x->level;
    s->gate_highest = x->highest;
    s->cookies_forced = m->gate.cookies_before >= 0;
    s->attacks = x->attacks;
    s->spared_exempt = x->most_exempt;
    s->spared_profile = x->most_profile;
    s->spared_off = x->most_off;
    s->bans32 = (unsigned)m->gate.hosts.n;
    s->bans24 = (unsigned)m->gate.nets.n;
}

static enum mpp_pruner pruner_of(const struct mpp *m)
{
    if (!m->kern.iter || (records_end(m) && m->no_diag))
        return MPP_BY_NOTHING;
    return records_end(m) ? MPP_BY_DIAG : MPP_BY_DESTROY;
}

int mpp_status(struct mpp *m, struct mpp_status *ret)
{
    struct mpp_sums sums = {.established = 0};
    struct mpp_status s = {
        .pruner = pruner_of(m),
        .orphans = m->orphans,
        .stamps_at_creation = m->kern.sockops >= 0,
        .generation = m->generation,
        .kernel_generation = gate_generation(&m->gate),
    };

    if (!m->machine.s.page_bytes) { /* before the first tick */
        int r = mpp_read_signals(&m->reader);
        if (r < 0)
            return r;
        m->machine.s = m->reader.s;
    }
    fill_state(m, &s);
    fill_counts(m, &s);
    memcpy(s.degraded, m->kern.degraded, sizeof(s.degraded));
    if (m->kern.iter) {
        int r = engine_look(m, 0, NULL, NULL, &sums);
        if (r < 0)
            return r;
    }
    s.candidates = sums.conns[0];
    s.exempt = sums.exempt;
    s.spared = sums.spared;
    s.off = sums.off;
    s.kept = sums.kept;
    s.n_adopted = sums.adopted;
    *ret = s;
    return 0;
}
