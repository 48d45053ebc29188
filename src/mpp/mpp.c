/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/mpp.c: the life of the engine and its tick: signals -> machine -> look -> machine -> gate ->
 * events. See mpp/mpp.h. */
#include "mpp/mpp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "engine.h"

static const uint64_t second = 1000000000;

/* Before 6.11 a destroyed orphan stays for ever ("tcp: fix forever orphan socket caused by
 * tcp_abort"); what a kernel has been given since cannot be seen from outside. */
static bool can_end_orphans(void)
{
    struct utsname u;
    unsigned major = 0, minor = 0;

    if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
        return false;
    return major > 6 || (major == 6 && minor >= 11);
}

static void tell_degraded(struct mpp *m)
{
    struct mpp_event e = {.kind = MPP_EV_DEGRADED};

    if (!m->kern.degraded[0])
        return;
    memcpy(e.text, m->kern.degraded, sizeof(e.text));
    m->event(m->ctx, &e);
}

int mpp_open(const struct mpp_options *o, struct diag *d, struct mpp **ret)
{
    _cleanup_(mpp_closep) struct mpp *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    m->event = o->event;
    m->ctx = o->ctx;
    mpp_machine_init(&m->machine);
    int r = kern_open(o, d, &m->kern);
    if (r < 0)
        return r;
    r = gate_open(o, &m->gate);
    if (!r)
        r = records_open(m);
    if (r < 0)
        return diag_errno(d, r, "cannot start memory pressure protection");
    m->reader.limits_prog = m->kern.limits;
    r = mpp_read_signals(&m->reader);
    if (r < 0)
        return diag_errno(d, r, "cannot read the state of TCP memory");
    m->orphans = can_end_orphans();
    tell_degraded(m);
    *ret = TAKE_PTR(m);
    return 0;
}

struct mpp *mpp_close(struct mpp *m)
{
    if (!m)
        return NULL;
    records_close(m);
    gate_close(&m->gate);
    kern_close(&m->kern);
    free(m);
    return NULL;
}

void mpp_closep(struct mpp **m)
{
    *m = mpp_close(*m);
}

static int look(struct mpp *m, const struct mpp_scan *scan, uint64_t *ret_took,
                struct mpp_sums *ret)
{
    struct mpp_scan s = *scan;
    uint64_t begin = mpp_cpu_ns();

    if (!m->orphans)
        s.what |= MPP_DO_SKIP_ORPHANS;
    if (records_end(m))
        s.what |= MPP_DO_BY_READER;
    int r = kern_look(&m->kern, &s, NULL, NULL, ret);
    if (r == 0)
        records_take(m, ret);
    *ret_took = mpp_cpu_ns() - begin;
    return r;
}

int engine_look(struct mpp *m, uint32_t what, kern_record_fn *fn, void *ctx, struct mpp_sums *ret)
{
    const struct mpp_machine *x = &m->machine;
    struct mpp_scan scan = {
        .what = what | (m->orphans ? 0 : MPP_DO_SKIP_ORPHANS),
        .epoch = ++m->machine.epoch,
        .cutoff = mpp_cutoff(
            &x->sums, x->s.mem > mpp_lo(&x->s) ? (x->s.mem - mpp_lo(&x->s)) * x->s.page_bytes : 0),
        .floor_ms = x->floor_ms,
        .many_ms = mpp_floor_of_many(x->floor_ms),
        .idle_ms = 500,
        .idle_same = 64,
    };
    return kern_look(&m->kern, &scan, fn, ctx, ret);
}

int mpp_set_rules(struct mpp *m, const struct mpp_rules *r, const struct mpp_iface *ifaces,
                  size_t n, bool to_existing, uint64_t *ret_n)
{
    struct mpp_sums sums = {.established = 0};
    int err = gate_set_rules(&m->gate, r, ifaces, n);

    if (err < 0)
        return err;
    m->generation = r->generation;
    m->machine.gate_max = r->gate_max;
    m->by_diag = r->by_diag;
    m->on = r->on[MPP_4] || r->on[MPP_6];
    if (!m->on)
        mpp_open_gate(m);
    if (to_existing) {
        err = engine_look(m, MPP_DO_RESTAMP, NULL, NULL, &sums);
        if (err < 0)
            return err;
    }
    if (ret_n)
        *ret_n = sums.conns[0] + sums.conns[1];
    return 0;
}

void mpp_open_gate(struct mpp *m)
{
    m->machine.level = MPP_GATE_OPEN;
    memset(m->ended, 0, sizeof(m->ended));
    gate_clear_bans(&m->gate);
    gate_set(&m->gate, MPP_GATE_OPEN, 0);
}

static void once_a_second(struct mpp *m)
{
    uint64_t now = m->machine.s.now_ns;

    if (now - m->second_ns < second)
        return;
    m->second_ns = now;
    gate_expire_bans(&m->gate, now);
    tell_second(m);
}

static void act(struct mpp *m, struct mpp_orders *o)
{
    while (o->look) {
        struct mpp_sums sums;
        uint64_t took;
        int r = look(m, &o->scan, &took, &sums);

        if (r < 0) { /* no iterator: the gate alone */
            o->look = false;
            return;
        }
        (void)mpp_machine_looked(&m->machine, &sums, took, o); /* o->look says it, too */
        tell_machine(m);
    }
}

uint64_t mpp_tick(struct mpp *m)
{
    struct mpp_orders o = {.delay_us = 250000};

    if (mpp_read_signals(&m->reader) < 0)
        return o.delay_us;
    if (!m->on) { /* off: looks, does nothing */
        mpp_machine_init(&m->machine);
        m->machine.s = m->reader.s;
        once_a_second(m);
        return o.delay_us;
    }
    m->reader.s.bans = m->gate.hosts.n;
    mpp_machine_tick(&m->machine, &m->reader.s, &o);
    tell_machine(m);
    act(m, &o);
    gate_set(&m->gate, m->machine.level, mpp_now_ns());
    once_a_second(m);
    return o.delay_us;
}
