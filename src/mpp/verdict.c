/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/verdict.c: is it an attack, and whose memory is it? Pure. Called by machine.c. Invariants:
 * pressure alone is no attack; what settings spare, or another namespace holds, never leads to the
 * end of a healthy connection here, and never switches protection off either. */
#include "machine.h"

enum {
    ATTACK_PERCENT = 50,
    HARD_PERCENT = 25, /* when the kernel already resets connections */
    GOING_ON_PERCENT = 25,
    CONNECTION_BYTES = 2500,
    FD_PERCENT = 80,
    FD_GOING_ON_PERCENT = 50,
    BACKLOG = 256, /* connections that nobody has accepted */
};
static const uint64_t recent_ns = 1000000000;

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)(part * 100 / whole) : 0;
}

static bool is_recent(const struct mpp_machine *m, uint64_t at_ns)
{
    return at_ns && m->s.now_ns - at_ns < recent_ns;
}

bool mpp_idle_symptom(const struct mpp_machine *m, bool going_on)
{
    return m->s.fd_percent >= (going_on ? FD_GOING_ON_PERCENT : FD_PERCENT) ||
           is_recent(m, m->overflow_ns) ||
           m->s.alloc * CONNECTION_BYTES > m->s.available / (going_on ? 4 : 2);
}

static bool is_idle_flood(const struct mpp_machine *m, const struct mpp_shares *x, bool going_on)
{
    bool symptom = mpp_idle_symptom(m, going_on) || m->sums.backlog_full > 0 ||
                   m->sums.backlog >= (going_on ? BACKLOG / 2 : BACKLOG);

    return symptom && x->idle >= (going_on ? GOING_ON_PERCENT : ATTACK_PERCENT);
}

struct mpp_shares mpp_judge_sums(const struct mpp_machine *m, bool going_on)
{
    const struct mpp_sums *u = &m->sums;
    uint64_t mem = m->s.mem * m->s.page_bytes, quarter = mpp_hi(&m->s) * m->s.page_bytes / 4;
    uint64_t stalled = u->stalled[0] + u->stalled[1];
    struct mpp_shares x = {
        .spared = percent(u->stalled[1], mem),
        .orphans = percent(u->orphans, mem),
        .own = percent(u->queued, mem),
        .idle = percent(u->unused[0], u->established),
    };

    /* Memory that another namespace holds hides no attack here. */
    x.elsewhere = u->queued * 2 < mem;
    x.stalled = percent(stalled, x.elsewhere ? u->queued : mem);
    bool hard = is_recent(m, m->abort_ns) || m->s.mem > m->s.limits[1];
    unsigned need = going_on ? GOING_ON_PERCENT : hard ? HARD_PERCENT : ATTACK_PERCENT;
    bool by_memory = (x.stalled >= need || x.orphans >= need) && stalled >= quarter;
    x.by_idle = is_idle_flood(m, &x, going_on);
    x.attack = by_memory || x.by_idle;
    x.restricted = by_memory && (x.elsewhere || u->stalled[0] * 2 < stalled);
    return x;
}
