/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/machine.c: NORMAL - ARMED - PRUNE - RECOVER, see machine.h. Pure. */
#include "machine.h"

#include <string.h>

enum {
    MS = 1000000,
    TICK_NORMAL_US = 100000, /* at 150 MB/s 250 ms are too coarse */
    TICK_CALM_US = 250000,   /* ARMED, far below hi: each tick is a look */
    TICK_HURRY_US = 50000,   /* hi will be reached within a second */
    TICK_PRUNE_US = 25000,
    FLOOR_MIN_MS = 250,
    FLOOR_MAX_MS = 5000,
    KILLS = 4096, /* of one pass */
    IDLE_MS = 500,
    IDLE_SAME = 64,
    IDLE_OLDEST_MS = 8000,
    IDLE_STEPS = 4,
    OLD_MS = 2000,
    OLD_SAME = 8,
    ALARM_S = 5, /* until hi at this slope */
    ONCE_MORE_S = 10,
    CROWD = 256, /* new connections a second that are worth a look */
    COOKIES_SENT = 64,
};
static const uint64_t second_ns = 1000000000;

void mpp_machine_init(struct mpp_machine *m)
{
    *m = (struct mpp_machine){.gate_max = MPP_GATE_RATE, .floor_ms = FLOOR_MAX_MS, .epoch = 1};
}

uint64_t mpp_hi(const struct mpp_signals *s)
{
    uint64_t a = s->limits[1] * 3 / 4, b = s->limits[2] / 2;
    return a < b ? a : b;
}

uint64_t mpp_lo(const struct mpp_signals *s)
{
    return mpp_hi(s) * 7 / 10;
}

uint64_t mpp_arm(const struct mpp_signals *s)
{
    return mpp_hi(s) / 2;
}

uint64_t mpp_again(const struct mpp_signals *s)
{
    return (mpp_lo(s) + mpp_hi(s)) / 2;
}

uint32_t mpp_cutoff(const struct mpp_sums *sums, uint64_t need)
{
    uint64_t sum = 0;

    if (!need)
        return MPP_BUCKETS;
    for (uint32_t b = MPP_BUCKETS; b-- > 0;) {
        sum += sums->hist[b];
        if (sum >= need)
            return b;
    }
    return 0;
}

uint32_t mpp_floor(const struct mpp_signals *s, uint64_t fill)
{
    uint64_t room = (s->limits[2] - mpp_hi(s)) * s->page_bytes;
    uint64_t ms = fill ? room * 500 / fill : FLOOR_MAX_MS;

    if (s->mem >= s->limits[2]) /* no time is left */
        return FLOOR_MIN_MS;
    return (uint32_t)(ms < FLOOR_MIN_MS ? FLOOR_MIN_MS : ms > FLOOR_MAX_MS ? FLOOR_MAX_MS : ms);
}

uint32_t mpp_floor_after(uint32_t floor_ms, uint64_t short_ns)
{
    uint64_t halvings = short_ns / (100 * (uint64_t)MS);
    uint32_t ms = halvings < 16 ? floor_ms >> halvings : 0;

    return ms > FLOOR_MIN_MS ? ms : FLOOR_MIN_MS;
}

uint32_t mpp_floor_of_many(uint32_t floor_ms)
{
    return floor_ms * 2 / 5 > MPP_SHORT_MS ? floor_ms * 2 / 5 : MPP_SHORT_MS;
}

/* --- signals --- */

/* Far more cookies go out than come back: SYNs of nobody. The kernel's own count of queues that are
 * full grows with every SYN once cookies are forced. */
static void note_cookies(struct mpp_machine *m, const struct mpp_signals *s)
{
    if (s->now_ns - m->cookies_ns < second_ns / 2)
        return;
    if (m->cookies_ns &&
        s->cookies_sent - m->cookies_sent > 2 * (s->cookies_back - m->cookies_back) + COOKIES_SENT)
        m->queue_full_ns = s->now_ns;
    m->cookies_ns = s->now_ns;
    m->cookies_sent = s->cookies_sent;
    m->cookies_back = s->cookies_back;
}

static void note_growth(struct mpp_machine *m, const struct mpp_signals *s)
{
    if (m->tick_ns && s->aborts > m->s.aborts)
        m->abort_ns = s->now_ns;
    if (m->tick_ns && s->overflows > m->s.overflows)
        m->overflow_ns = s->now_ns;
    if (m->tick_ns && s->queue_full > m->s.queue_full)
        m->queue_full_ns = s->now_ns;
    note_cookies(m, s);
}

/* Over up to eight samples; what was ended counts as if it were still there. */
static void measure_slope(struct mpp_machine *m, const struct mpp_signals *s)
{
    if (m->n_samples == MPP_SAMPLES) {
        memmove(m->sample, m->sample + 1, sizeof(m->sample) - sizeof(m->sample[0]));
        m->n_samples--;
    }
    m->sample[m->n_samples].t_ns = s->now_ns;
    m->sample[m->n_samples++].mem = s->mem;
    uint64_t since = m->n_samples > 4 ? m->n_samples - 4 : 0;
    uint64_t dt = s->now_ns - m->sample[since].t_ns;
    int64_t grown = (int64_t)s->mem - (int64_t)m->sample[since].mem;
    m->slope = dt ? grown * (int64_t)second_ns / (int64_t)dt : 0;
    uint64_t tick = s->now_ns - m->tick_ns;
    int64_t in = ((int64_t)s->mem - (int64_t)m->s.mem) * (int64_t)s->page_bytes + (int64_t)m->freed;
    uint64_t rate = m->tick_ns && tick && in > 0 ? (uint64_t)in * 1000 / (tick / MS + 1) : 0;
    m->fill = rate > m->fill - m->fill / 8 ? rate : m->fill - m->fill / 8;
    m->freed = 0;
    m->floor_ms = mpp_floor(s, m->fill);
}

static void note_pressure(struct mpp_machine *m)
{
    bool above = m->s.mem > mpp_hi(&m->s), beyond = m->s.mem > m->s.limits[2];

    m->above_since_ns = !above ? 0 : m->above_since_ns ? m->above_since_ns : m->s.now_ns;
    bool far = m->s.mem > mpp_hi(&m->s) / 4 * 5;
    m->far_since_ns = !far ? 0 : m->far_since_ns ? m->far_since_ns : m->s.now_ns;
    if (above && !m->pressure_since_ns)
        m->pressure_since_ns = m->s.now_ns;
    if (m->s.mem < mpp_lo(&m->s))
        m->pressure_since_ns = 0;
    m->beyond_since_ns = !beyond ? 0 : m->beyond_since_ns ? m->beyond_since_ns : m->s.now_ns;
    if (m->s.mem > m->peak)
        m->peak = m->s.mem;
}

/* Memory reaches hi in less than that at this slope. */
static bool is_near(const struct mpp_machine *m, uint64_t seconds)
{
    uint64_t hi = mpp_hi(&m->s);

    return m->s.mem >= hi || (m->slope > 0 && (hi - m->s.mem) / (uint64_t)m->slope < seconds);
}

static bool is_alarming(const struct mpp_machine *m)
{
    return m->s.mem >= mpp_arm(&m->s) || (m->s.mem > mpp_hi(&m->s) / 10 && is_near(m, ALARM_S));
}

/* Many connections came since the last tick: worth a look for unused ones. */
static bool is_crowding(const struct mpp_machine *m, const struct mpp_signals *before)
{
    uint64_t ms = (m->s.now_ns - m->tick_ns) / MS;
    bool many = m->tick_ns && m->s.inuse >= 2 * CROWD && m->s.inuse > before->inuse &&
                (m->s.inuse - before->inuse) * 1000 >= CROWD * ms;

    return mpp_idle_symptom(m, false) || many;
}

/* --- states --- */

static void say(struct mpp_machine *m, enum mpp_event_kind e)
{
    m->events |= 1U << e;
    m->told_ns[e] = m->s.now_ns;
}

/* Once in ten seconds, as long as it lasts. */
static void say_seldom(struct mpp_machine *m, enum mpp_event_kind e)
{
    if (!m->told_ns[e] || m->s.now_ns - m->told_ns[e] > 10 * second_ns)
        say(m, e);
}

static void set_level(struct mpp_machine *m, unsigned level)
{
    if (level > m->gate_max)
        level = m->gate_max;
    if (level == m->level)
        return;
    m->old_level = m->level;
    m->level = level;
    m->level_since_ns = m->s.now_ns;
    if (level > m->highest)
        m->highest = level;
    say(m, MPP_EV_GATE);
}

static void enter_prune(struct mpp_machine *m)
{
    m->state = MPP_PRUNE;
    m->once_more = m->left_ns && m->s.now_ns - m->left_ns < ONCE_MORE_S * second_ns;
    m->prune_since_ns = m->no_kill_since_ns = m->s.now_ns;
    m->innocent_since_ns = m->short_since_ns = 0;
    m->idle_step = 0;
    m->attacks++;
    m->killed = m->killed_bytes = m->most_spared = m->most_spared_bytes = 0;
    m->peak = m->s.mem;
    say(m, MPP_EV_ENTER);
    if (m->level < MPP_GATE_BANS)
        set_level(m, MPP_GATE_BANS);
}

static void leave_prune(struct mpp_machine *m)
{
    m->state = MPP_RECOVER;
    m->left_ns = m->s.now_ns;
    m->short_since_ns = 0;
    m->level_since_ns = m->s.now_ns;
    say(m, MPP_EV_LEAVE);
}

/* The last step of the gate, or the pressure, is two seconds ago. */
static bool is_held(const struct mpp_machine *m)
{
    return m->s.now_ns - m->level_since_ns >= 2 * second_ns;
}

/* PRUNE: the ladder up. */
static void raise_gate(struct mpp_machine *m)
{
    bool rising = m->slope > 0 && m->far_since_ns && m->s.now_ns - m->far_since_ns > second_ns;

    m->level_since_ns = m->s.now_ns;
    if (m->restricted) {
        if (m->level > MPP_GATE_BANS)
            set_level(m, MPP_GATE_BANS);
        return;
    }
    if (m->beyond_since_ns && m->s.now_ns - m->beyond_since_ns > second_ns &&
        m->gate_max >= MPP_GATE_ALL)
        set_level(m, MPP_GATE_ALL);
    else if (rising && m->level < MPP_GATE_RATE)
        set_level(m, MPP_GATE_RATE);
}

/* Elsewhere: one level down in two seconds; SYN cookies while the queues of SYNs are full, and no
 * further than the bans reach that are still to be kept. */
static void lower_gate(struct mpp_machine *m)
{
    bool flooded = m->queue_full_ns && m->s.now_ns - m->queue_full_ns < 2 * second_ns;
    unsigned least = m->s.bans ? MPP_GATE_BANS : MPP_GATE_OPEN;

    if (m->level <= MPP_GATE_COOKIES && flooded)
        set_level(m, MPP_GATE_COOKIES);
    else if (m->level > least && is_held(m))
        set_level(m, m->level - 1);
}

static void order_look(struct mpp_machine *m, struct mpp_orders *o, uint32_t what)
{
    uint32_t floor_ms = m->floor_ms;

    if (m->short_since_ns)
        floor_ms = mpp_floor_after(floor_ms, m->s.now_ns - m->short_since_ns);
    o->look = true;
    o->scan = (struct mpp_scan){
        .what = what,
        .epoch = ++m->epoch,
        .cutoff = MPP_BUCKETS,
        .floor_ms = floor_ms,
        .many_ms = mpp_floor_of_many(floor_ms),
        .idle_ms = IDLE_MS,
        .idle_same = IDLE_SAME,
        .old_ms = OLD_MS > m->floor_ms ? OLD_MS : m->floor_ms,
        .old_same = OLD_SAME,
        .pressure_ns = m->pressure_since_ns ? m->pressure_since_ns : m->s.now_ns,
        .budget_kills = KILLS,
    };
}

/* Where pruning ends. What comes back within seconds grows again: then there has to be more room.
 */
static uint64_t mark_of(const struct mpp_machine *m)
{
    return m->once_more ? mpp_arm(&m->s) : mpp_lo(&m->s);
}

static uint64_t bytes_to_end(const struct mpp_machine *m)
{
    uint64_t lo = mark_of(m), quarter = mpp_hi(&m->s) * m->s.page_bytes / 4;

    if (m->restricted)
        return m->sums.stalled[0] > quarter ? m->sums.stalled[0] - quarter : 0;
    return m->s.mem > lo ? (m->s.mem - lo) * m->s.page_bytes : 0;
}

static void order_idle(struct mpp_machine *m, struct mpp_orders *o)
{
    o->scan.what |= MPP_DO_IDLE;
    o->scan.budget_bytes = UINT64_MAX;
    /* Not of few sources: the oldest first, until the symptom goes. */
    if (m->s.now_ns - m->no_kill_since_ns > second_ns && m->idle_step < IDLE_STEPS) {
        m->idle_step++;
        m->no_kill_since_ns = m->s.now_ns;
    }
    if (m->idle_step) {
        o->scan.idle_same = 0;
        o->scan.idle_ms = IDLE_OLDEST_MS >> m->idle_step;
    }
}

/* Sources with many connections make the attack: then a client that pauses is not ended with them.
 * Not if they are no clear majority, nor once memory stays above hi for a second. */
static bool is_of_many(const struct mpp_machine *m)
{
    uint64_t many = m->ended_of_many + m->sums.crowd[1];

    return many && m->sums.crowd[0] * 2 <= many &&
           (!m->above_since_ns || m->s.now_ns - m->above_since_ns < second_ns);
}

/* A pass: what the last look found decides who. */
static void order_prune(struct mpp_machine *m, struct mpp_orders *o)
{
    uint64_t need = m->by_idle && m->s.mem < mark_of(m) ? 0 : bytes_to_end(m);
    bool above = m->s.mem > mpp_hi(&m->s);

    order_look(m, o, need ? MPP_DO_PRUNE : 0);
    if (m->restricted)
        o->scan.what |= MPP_DO_RESTRICTED;
    o->scan.cutoff = m->restricted ? 0 : mpp_cutoff(&m->sums, need);
    if (!m->restricted && o->scan.cutoff < MPP_FIRST_OF_MANY && is_of_many(m))
        o->scan.cutoff = MPP_FIRST_OF_MANY;
    o->scan.budget_bytes = m->needed = need;
    if (m->by_idle)
        order_idle(m, o);
    else if (above && !m->restricted && m->s.now_ns - m->no_kill_since_ns > 2 * second_ns)
        o->scan.what |= MPP_DO_SLOW;
}

/* Ten times as long as a look takes, so that looking costs a tenth of a core at most; while
 * pruning not longer than a quarter of a second. */
static uint64_t not_before(const struct mpp_machine *m, uint64_t us)
{
    uint64_t rest = m->look_ns / 100; /* in us */
    uint64_t most = m->state == MPP_PRUNE ? TICK_CALM_US : 4 * TICK_CALM_US;

    rest = rest > us ? rest : us;
    return rest < most ? rest : most;
}

/* ARMED and RECOVER: looks, so that there is history, and the attack is seen that comes again. */
static void tick_armed(struct mpp_machine *m, bool crowding, struct mpp_orders *o)
{
    bool quarter = m->s.mem > mpp_hi(&m->s) / 4 || m->armed_by_idle;
    uint64_t us = is_near(m, 1) ? TICK_HURRY_US : quarter ? TICK_NORMAL_US : TICK_CALM_US;

    if (is_alarming(m) || crowding) {
        m->calm_since_ns = 0;
    } else if (!m->calm_since_ns) {
        m->calm_since_ns = m->s.now_ns;
    } else if (m->s.now_ns - m->calm_since_ns > 5 * second_ns) {
        m->state = MPP_NORMAL;
    }
    if (m->state != MPP_NORMAL)
        order_look(m, o, 0);
    o->delay_us = not_before(m, us);
}

void mpp_machine_tick(struct mpp_machine *m, const struct mpp_signals *s, struct mpp_orders *ret)
{
    struct mpp_signals before = m->s;

    *ret = (struct mpp_orders){.delay_us = TICK_NORMAL_US};
    note_growth(m, s);
    measure_slope(m, s);
    m->s = *s;
    note_pressure(m);
    bool crowding = is_crowding(m, &before);
    m->tick_ns = s->now_ns;
    if (m->state == MPP_RECOVER && m->level <= MPP_GATE_BANS && is_held(m))
        m->state = MPP_ARMED;
    if (m->state == MPP_NORMAL && (is_alarming(m) || crowding)) {
        m->state = MPP_ARMED;
        m->armed_by_idle = crowding;
        m->calm_since_ns = 0;
        m->epoch++; /* what was seen before is no history */
    }
    if (m->state == MPP_PRUNE) {
        raise_gate(m);
        order_prune(m, ret);
        ret->delay_us = not_before(m, TICK_PRUNE_US);
    } else {
        lower_gate(m);
        if (m->state != MPP_NORMAL)
            tick_armed(m, crowding || m->state == MPP_RECOVER, ret);
    }
    ret->level = m->level;
}

/* --- after a look --- */

static void tell_of_settings(struct mpp_machine *m, const struct mpp_shares *x)
{
    m->restricted = x->restricted;
    m->elsewhere = x->elsewhere;
    if (x->restricted)
        say_seldom(m, x->elsewhere ? MPP_EV_ELSEWHERE : MPP_EV_PROTECTED);
}

static void count_spared(struct mpp_machine *m)
{
    const struct mpp_sums *u = &m->sums;

    if (u->conns[1] > m->most_spared)
        m->most_spared = u->conns[1];
    if (u->stalled[1] > m->most_spared_bytes)
        m->most_spared_bytes = u->stalled[1];
    if (u->exempt > m->most_exempt)
        m->most_exempt = u->exempt;
    if (u->spared > m->most_profile)
        m->most_profile = u->spared;
    if (u->off > m->most_off)
        m->most_off = u->off;
}

/* As far as the histogram tells it. */
static uint64_t ended_of_many(const struct mpp_sums *u)
{
    uint64_t n = 0;

    for (unsigned b = MPP_FIRST_OF_MANY; b < MPP_BUCKETS; b++)
        n += u->hist_conns[b];
    return n < u->killed ? n : u->killed;
}

static void looked_in_prune(struct mpp_machine *m)
{
    struct mpp_shares x = mpp_judge_sums(m, true);

    m->ended_of_many += ended_of_many(&m->sums);
    m->killed += m->sums.killed;
    m->killed_bytes += m->sums.killed_bytes;
    m->freed += m->sums.killed_bytes;
    if (m->sums.killed)
        m->no_kill_since_ns = m->s.now_ns;
    if (m->sums.killed_bytes >= m->needed)
        m->short_since_ns = 0;
    else if (!m->short_since_ns)
        m->short_since_ns = m->s.now_ns;
    m->by_idle = x.by_idle;
    tell_of_settings(m, &x);
    count_spared(m);
    if (x.attack)
        m->innocent_since_ns = 0;
    else if (!m->innocent_since_ns)
        m->innocent_since_ns = m->s.now_ns;
    bool innocent = m->innocent_since_ns && m->s.now_ns - m->innocent_since_ns > second_ns / 4;
    /* Down to lo, not just below hi: between the marks the gate would stay closed. */
    if (innocent || (m->s.mem < mark_of(m) && !x.by_idle))
        leave_prune(m);
}

bool mpp_machine_looked(struct mpp_machine *m, const struct mpp_sums *sums, uint64_t took_ns,
                        struct mpp_orders *ret)
{
    m->sums = *sums;
    m->ended_of_many -= m->ended_of_many / 16; /* what is long ago says nothing */
    if (!sums->killed)                         /* ending takes longer than looking */
        m->look_ns = took_ns;
    ret->look = false;
    if (m->state == MPP_PRUNE) {
        looked_in_prune(m);
        ret->level = m->level;
        return false;
    }
    struct mpp_shares x = mpp_judge_sums(m, false);
    bool above = m->s.mem > mpp_hi(&m->s);
    bool again = m->level >= MPP_GATE_BANS && m->s.mem > mpp_again(&m->s);
    m->attack = x.attack && (above || again || x.by_idle);
    if (m->attack) {
        tell_of_settings(m, &x);
        m->by_idle = x.by_idle;
        enter_prune(m);
        count_spared(m);
        order_prune(m, ret);
        ret->level = m->level;
        ret->delay_us = TICK_PRUNE_US;
        return true;
    }
    if (above && m->s.now_ns - m->pressure_since_ns > second_ns / 2)
        say_seldom(m, MPP_EV_NO_ATTACK);
    return false;
}
