/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/selftest.c: compares program and evaluator over probe packets.
 * Called by install.c between candidate and flip, and at start about an adopted image. The
 * clock and the program are the caller's, so that a test can put a lying one in. Invariant: a
 * difference is reported with the packet, never skipped. */
#include "selftest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "expand.h"
#include "probe.h"
#include "text/text.h"

/* Work is counted in filters looked at; one is about 16 ns in the evaluator, and a packet costs
 * about 150 of them in the kernel and in making it. */
enum {
    WORK_SMALL = 1000000, /* up to SMALL filters: at most 16 ms, rarely needed in full */
    SMALL = 1000,
    WORK_LARGE = 500000, /* above: 8 ms, so that one more filter is answered in 15 ms */
    WORK_PER_FRESH = 250,
    WORK_MAX = 50000000, /* about 0.8 s, if every filter must be looked at */
    PACKETS_MAX = 7000,  /* about 20 ms */
    WORK_PER_PACKET = 150,
    CORNERS_MAX = 20000,
    CORNERS_PER_FILTER = 20,
    RANDOM_MIN = 1000,
    RETRIES = 3, /* a permit may expire between the two questions */
};

struct selftest_plan selftest_plan(size_t n, size_t n_fresh, size_t cost)
{
    uint64_t work = n <= SMALL ? WORK_SMALL : WORK_LARGE;
    work += (uint64_t)n_fresh * WORK_PER_FRESH;
    if (work > WORK_MAX)
        work = WORK_MAX;
    uint64_t packets = work / (cost + WORK_PER_PACKET);
    if (packets > PACKETS_MAX)
        packets = PACKETS_MAX;
    uint64_t corners = n * CORNERS_PER_FILTER;
    if (corners > CORNERS_MAX)
        corners = CORNERS_MAX;
    uint64_t random = RANDOM_MIN;
    if (corners + random > packets) {
        corners = corners < packets / 2 ? corners : packets / 2;
        random = packets - corners < RANDOM_MIN ? packets - corners : RANDOM_MIN;
    }
    return (struct selftest_plan){(uint32_t)corners, (uint32_t)random};
}

static bool agree(const struct verdict *v, const struct datapath_answer *a)
{
    if (v->block != a->block || v->reason != a->reason)
        return false;
    if (v->decider != DECIDED_FILTER)
        return true;
    return a->by_filter && a->counter_id == v->counter_id && a->tier == v->tier &&
           a->weight == v->weight;
}

static void describe(const struct selftest *t, const struct packet *p, const struct verdict *v,
                     const struct datapath_answer *a, struct diag *d)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(1024);
    if (text_print_packet(p, &text) < 0)
        text.s = NULL;
    diag_fail(d, DIAG_SELF_TEST,
              "the new filters were not put in force: for '%s' the program says %s (%s, weight "
              "%x, counter %u), the evaluator %s (%s, weight %x, counter %u)",
              text.s ? text.s : "a packet", a->block ? "block" : "permit",
              drop_reason_name(a->reason), a->weight, a->counter_id, v->block ? "block" : "permit",
              drop_reason_name(v->reason), v->weight, v->counter_id);
    diag_hint(d, "report this as a bug with the policy and seed %llu", (unsigned long long)t->seed);
}

static int ask_one(struct selftest *t, const struct packet *p, struct diag *d)
{
    uint8_t frame[EVAL_FRAME_BYTES];
    size_t len = eval_build_frame(p, frame);
    struct datapath_answer a;
    struct verdict v;
    struct effective e = *t->e;
    int r = t->near ? near_of(t->near, p, &e) : 0;
    if (r < 0)
        return r;
    for (int i = 0; i < RETRIES; i++) {
        v = eval_frame(&e, frame, len, &p->meta, t->now_ns());
        int err = t->ask(t->ctx, frame, len, &p->meta, &a);
        if (err < 0)
            return diag_errno(d, err, "cannot test the new filters");
        if (agree(&v, &a)) {
            t->n_decided += v.decider == DECIDED_FILTER;
            return 0;
        }
    }
    describe(t, p, &v, &a, d);
    return -EIO;
}

static int some_corners(struct selftest *t, const struct filter *f, uint32_t max, struct rng *r,
                        struct diag *d)
{
    struct packet p[PROBE_CORNERS_MAX];
    unsigned n = probe_corners(f, t->e->host, r, p);
    if (n > max)
        n = max;
    for (unsigned i = 0; i < n; i++) {
        int err = ask_one(t, &p[i], d);
        if (err < 0)
            return err;
    }
    t->n_corners += n;
    return 0;
}

static int corners_of(struct selftest *t, const struct filter *f, struct rng *r, struct diag *d)
{
    return some_corners(t, f, PROBE_CORNERS_MAX, r, d);
}

int selftest_filter(struct selftest *t, const struct filter *f, uint32_t max, struct diag *d)
{
    struct rng r = {t->seed};
    return some_corners(t, f, max, &r, d);
}

static int all_corners(struct selftest *t, uint32_t budget, struct rng *r, struct diag *d)
{
    /* A stride that visits the whole list when the budget is smaller than the list. */
    size_t n_fresh_max = budget / CORNERS_PER_FILTER + 1, err_free = 0;
    budget += t->n_corners; /* those of failsafe entries come on top: what is new is always asked */
    size_t step = t->n_fresh > n_fresh_max ? t->n_fresh / n_fresh_max : 1;
    for (size_t i = 0; i < t->n_fresh && t->n_corners < budget; i += step) {
        int err = corners_of(t, t->e->v[t->fresh[i]].filter, r, d);
        if (err < 0)
            return err;
        err_free++;
    }
    size_t left = n_fresh_max > err_free ? n_fresh_max - err_free : 1;
    step = t->e->n > left ? t->e->n / left : 1;
    for (size_t i = 0; i < t->e->n && t->n_corners < budget; i += step) {
        int err = corners_of(t, t->e->v[i].filter, r, d);
        if (err < 0)
            return err;
    }
    return 0;
}

static int failsafe_corners(struct selftest *t, struct rng *r, struct diag *d)
{
    const struct filter_settings *s = t->e->settings;
    for (unsigned i = 0; i < s->n_failsafe; i++) {
        struct port_range port;
        struct filter f;
        failsafe_to_filter(&s->failsafe[i], &port, &f);
        int err = corners_of(t, &f, r, d);
        if (err < 0)
            return err;
    }
    return 0;
}

static const struct filter *pick(const struct effective *e, struct rng *r)
{
    return e->n > 0 ? e->v[rng_below(r, (uint32_t)e->n)].filter : NULL;
}

static int run(struct selftest *t, struct diag *d)
{
    struct rng r = {t->seed};
    struct selftest_plan plan = selftest_plan(t->e->n, t->n_fresh, t->near->cost);
    t->n_corners = t->n_random = t->n_decided = 0;
    int err = failsafe_corners(t, &r, d);
    if (err == 0)
        err = all_corners(t, plan.n_corners, &r, d);
    for (; err == 0 && t->n_random < plan.n_random; t->n_random++) {
        struct packet p = probe_random(pick(t->e, &r), pick(t->e, &r), t->e->host, &r);
        err = ask_one(t, &p, d);
    }
    return err;
}

int selftest_run(struct selftest *t, struct diag *d)
{
    _cleanup_(near_done) struct near near = {0};
    int err = near_build(&near, t->e, t->e->n);
    if (err < 0)
        return diag_errno(d, err, "cannot test the new filters");
    t->near = &near;
    err = run(t, d);
    t->near = NULL;
    return err;
}
