/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/install.c: the way of one generation into force (datapath.md 6): compile, candidate,
 * self-test, flip, visible, settled.
 * Called by change.c with a desired state; answers through job_installed(). One at a time.
 * Invariants: until datapath_flip() was accepted every failure leaves the old generation in
 * force and known; the snapshot of the dynamic layer on disk is never older than what the
 * kernel enforces; an old image's counter ids are reused only after the flip settled. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "internal.h"
#include "quick.h"
#include "selftest.h"

enum {
    POLL_US = 50,             /* a new image is visible after 0.1 ms (datapath.md 6) */
    CANDIDATE_TIMEOUT_S = 30, /* the kernel's grace period took 0.6 s at worst */
    COUNTER_BLOCK = 4096,
    /* Bytes of the journal before both files are written anew: about what they have. */
    JOURNAL_MIN = 65536,
    JOURNAL_PER_FILTER = 200,
    JOURNAL_PER_COUNTER = 20,
};

static int ask_slot(struct datapath *dp, unsigned slot, const uint8_t *frame, size_t len,
                    const struct packet_meta *meta, struct datapath_answer *ret)
{
    return datapath_test(dp, slot, frame, len, meta, ret);
}

static int ask_candidate(void *ctx, const uint8_t *frame, size_t len,
                         const struct packet_meta *meta, struct datapath_answer *ret)
{
    return ask_slot(ctx, DATAPATH_CANDIDATE, frame, len, meta, ret);
}

static int ask_active(void *ctx, const uint8_t *frame, size_t len, const struct packet_meta *meta,
                      struct datapath_answer *ret)
{
    return ask_slot(ctx, DATAPATH_ACTIVE, frame, len, meta, ret);
}

/* compiled: the interfaces the image was compiled for. The kernel's address maps are live, derived
 * entries are part of the image. */
static int self_test(struct agent *a, struct desired *x, const struct host *compiled,
                     selftest_ask_fn ask, struct diag *d)
{
    const struct host *live = datapath_host(a->dp);
    struct host h = {.local = live->local,
                     .n_local = live->n_local,
                     .ifaces = compiled->ifaces,
                     .n_ifaces = compiled->n_ifaces};
    struct selftest t = {.e = &x->e,
                         .fresh = x->fresh,
                         .n_fresh = x->n_fresh,
                         .ask = ask,
                         .ctx = a->dp,
                         .now_ns = agent_now_ns};
    if (getrandom(&t.seed, sizeof(t.seed), 0) != sizeof(t.seed))
        return diag_errno(d, errno, "cannot draw a seed");
    x->e.host = &h;
    int err = selftest_run(&t, d);
    x->e.host = live;
    if (err == -EIO && d->code == DIAG_SELF_TEST)
        event_log(EV_SELF_TEST_FAILED, "DIFFERENCE", d->message, NULL);
    return err;
}

void install_take(struct agent *a, struct desired **x)
{
    live_done(&a->live);
    desired_free(a->in_force);
    a->in_force = TAKE_PTR(*x);
}

static void stop_timer(struct install *in)
{
    in->timer = sd_event_source_disable_unref(in->timer);
}

/* Ends an installation before its flip. */
static void fail(struct agent *a, int err, const struct diag *d)
{
    struct install *in = &a->install;
    datapath_abandon(a->dp);
    in->next = desired_free(in->next);
    in->state = in->worker_done ? INSTALL_IDLE : INSTALL_SETTLE;
    stop_timer(in);
    job_installed(a, err, d);
}

static void flip_is_visible(struct agent *a)
{
    struct install *in = &a->install;
    install_take(a, &in->next);
    a->run = in->run;
    a->stats = in->stats;
    a->in_force_since_ns = agent_now_ns();
    phase_end(a->current, AGENT_PHASE_FLIP, &in->phase_ns);
    counter_ids_commit(a->ids);
    in->state = INSTALL_SETTLE;
    stop_timer(in);
    struct diag none = {0};
    job_installed(a, 0, &none);
}

/* A counter that cannot be set to zero shows a wrong number, it changes no verdict: said once. */
static void reset_counter(struct agent *a, uint32_t id, int *err)
{
    int now = datapath_counter_reset(a->dp, id);
    if (now < 0 && *err == 0)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-now), "SOURCE", "counters", NULL);
    if (now < 0)
        *err = now;
}

/* Image ids whose owners are not known (the file was lost) count from somewhere: zero all that
 * hold something. */
static void reset_unknown(struct agent *a)
{
    _cleanup_free_ struct counter *c = calloc(COUNTER_BLOCK, sizeof(*c));
    int err = 0;
    for (uint32_t first = 0; c && first < DATAPATH_COUNTER_IDS; first += COUNTER_BLOCK) {
        if (datapath_counters(a->dp, first, COUNTER_BLOCK, c) < 0)
            break;
        for (uint32_t i = 0; i < COUNTER_BLOCK; i++)
            if (c[i].packets)
                reset_counter(a, first + i, &err);
    }
    a->counters_unknown = false;
}

static void recycle_ids(struct agent *a)
{
    uint32_t id;
    int err = 0;
    while (!a->patched && counter_ids_recycle(a->ids, &id))
        reset_counter(a, id, &err);
}

static int begin_now(struct agent *a, struct desired **next, struct diag *d);

/* No CPU uses the old image any more. */
static void settled(struct agent *a)
{
    struct install *in = &a->install;
    if (a->counters_unknown)
        reset_unknown(a);
    recycle_ids(a);
    in->state = INSTALL_IDLE;
    if (!in->waits) {
        quick_prepare(a);
        queue_wake(a);
        return;
    }
    _cleanup_(desired_freep) struct desired *next = TAKE_PTR(in->next);
    struct diag d = {0};
    in->waits = false;
    int err = begin_now(a, &next, &d);
    if (err < 0)
        job_installed(a, err, &d);
}

/* Until both files are written nothing continues them: the journal before names another serial. */
static struct snapshot_origin next_origin(struct agent *a, const struct runstate *run)
{
    uint64_t now = agent_now_ns();
    a->journal.limit = 0;
    a->origin.serial = now > a->origin.serial ? now : a->origin.serial + 1;
    struct snapshot_origin o = a->origin;
    o.generation = run->generation;
    return o;
}

/* The snapshot of what the new generation enforces goes to disk before it can decide; with what was
 * before, if a kill before the commit takes the other half of the change back. */
int install_write_files(struct agent *a, const struct desired *x, const struct runstate *run,
                        struct diag *d)
{
    struct snapshot_origin o = next_origin(a, run);
    if (run != &a->run) /* not what is in force already */
        o.before = batch_before(a);
    int err = snapshot_write(a->options.runtime_dir, &x->layers.dynamic, &o, d);
    if (err == 0)
        err = runstate_write(a->options.runtime_dir, run, a->ids, &o, d);
    if (err == 0)
        journal_end(&a->journal, a->options.runtime_dir,
                    JOURNAL_MIN + x->layers.dynamic.n * JOURNAL_PER_FILTER +
                        (uint64_t)counter_ids_limit(a->ids) * JOURNAL_PER_COUNTER);
    return err;
}

/* The flip did not happen: what is in force is written down again. */
void install_restore_files(struct agent *a)
{
    struct diag d = {0};
    if (a->in_force && install_write_files(a, a->in_force, &a->run, &d) < 0)
        event_log(EV_WORKER_FAILED, "ERROR", d.message, NULL);
}

/* Permits must end with the agent, also on a full disk: the snapshot without them is the smaller
 * one, and the counters, which may begin anew, make room for it; at last the journal, without which
 * a start would be refused if we died here, everything enforced. */
static int write_last_snapshot(struct agent *a, const struct desired *x, const struct runstate *run,
                               struct diag *d)
{
    struct snapshot_origin o = next_origin(a, run);
    runstate_remove(a->options.runtime_dir);
    int err = snapshot_write(a->options.runtime_dir, &x->layers.dynamic, &o, d);
    if (err != -ENOSPC)
        return err;
    journal_end(&a->journal, a->options.runtime_dir, 0);
    return snapshot_write(a->options.runtime_dir, &x->layers.dynamic, &o, d);
}

static void start_flip(struct agent *a)
{
    struct install *in = &a->install;
    struct diag d = {0};
    int err = install_write_files(a, in->next, &in->run, &d);
    if (err == -ENOSPC && a->current->kind == JOB_STOP)
        err = write_last_snapshot(a, in->next, &in->run, &d);
    if (err == 0)
        err = datapath_flip(a->dp, &d);
    if (err < 0) {
        install_restore_files(a);
        fail(a, err, &d);
        return;
    }
    in->state = INSTALL_FLIP;
    in->worker_done = false;
    a->patched = false;
}

static void candidate_is_visible(struct agent *a)
{
    struct diag d = {0};
    phase_end(a->current, AGENT_PHASE_LOAD, &a->install.phase_ns);
    int err = self_test(a, a->install.next, &a->install.compiled, ask_candidate, &d);
    phase_end(a->current, AGENT_PHASE_SELF_TEST, &a->install.phase_ns);
    if (err < 0) {
        fail(a, err, &d);
        return;
    }
    a->install.state = INSTALL_TESTED;
}

/* One look at where the installation is. */
static void advance(struct agent *a)
{
    struct install *in = &a->install;
    if (in->state == INSTALL_CANDIDATE) {
        if (datapath_visible(a->dp, DATAPATH_CANDIDATE, in->run.generation) == 1)
            candidate_is_visible(a);
        else if (agent_now_ns() - in->started_ns > CANDIDATE_TIMEOUT_S * 1000000000ULL) {
            struct diag d = {0};
            diag_fail(&d, DIAG_SYSTEM, "the kernel did not take the new filters within %d s",
                      CANDIDATE_TIMEOUT_S);
            fail(a, -ETIMEDOUT, &d);
        }
    }
    if (in->state == INSTALL_TESTED && in->worker_done)
        start_flip(a);
    if (in->state == INSTALL_FLIP &&
        (in->worker_done || datapath_visible(a->dp, DATAPATH_ACTIVE, in->run.generation) == 1))
        flip_is_visible(a);
    if (in->state == INSTALL_SETTLE && in->worker_done)
        settled(a);
}

static int poll_timer(sd_event_source *s, uint64_t usec _unused_, void *userdata)
{
    struct agent *a = userdata;
    advance(a);
    enum install_state state = a->install.state;
    if (!a->install.timer || (state != INSTALL_CANDIDATE && state != INSTALL_FLIP))
        return 0;
    int err = sd_event_source_set_time_relative(s, POLL_US);
    return err < 0 ? err : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* The poll timer runs while something is waited for; it is made anew for each stage. */
static int start_polling(struct agent *a)
{
    stop_timer(&a->install);
    /* Accuracy 1 us: 0 would mean sd-event's default of 250 ms. */
    return sd_event_add_time_relative(a->event, &a->install.timer, CLOCK_MONOTONIC, POLL_US, 1,
                                      poll_timer, a);
}

void install_worker_ready(struct agent *a)
{
    struct install *in = &a->install;
    int err = datapath_worker_process(a->dp);
    if (err == -EAGAIN)
        return;
    in->worker_done = true;
    if (err < 0 && in->state != INSTALL_IDLE) {
        struct diag d = {0};
        diag_errno(&d, err, "the kernel refused the new filters");
        event_log(EV_WORKER_FAILED, "ERROR", d.message, NULL);
        /* What failed after the flip leaves the new generation in force: it is answered so. */
        bool flipped =
            in->state == INSTALL_FLIP && datapath_generation(a->dp) == in->run.generation;
        if (!flipped && in->state != INSTALL_SETTLE) {
            if (in->state == INSTALL_FLIP)
                install_restore_files(a);
            fail(a, err, &d);
            queue_wake(a);
            return;
        }
    }
    enum install_state before = in->state;
    advance(a);
    if (in->state == INSTALL_FLIP && before != INSTALL_FLIP && start_polling(a) < 0)
        in->timer = NULL; /* the worker's end answers instead, some milliseconds later */
}

static int compile_next(struct agent *a, const struct desired *x, struct install *in,
                        struct image *img, struct diag *d)
{
    struct compile_options o = {.generation = in->run.generation,
                                .state_epoch = in->run.generation,
                                .tag_secret = datapath_tag_secret(a->dp)};
    if (getrandom(&o.seed, sizeof(o.seed), 0) != sizeof(o.seed))
        return diag_errno(d, errno, "cannot draw a seed");
    return compile_image(&x->e, &o, d, img, &in->stats);
}

/* Numbers only grow, also over failed attempts, killed agents and lost databases: a candidate is
 * recognised by its number. */
uint64_t install_next_number(struct agent *a)
{
    uint64_t n = a->unused_number;
    struct diag d;
    a->unused_number = 0;
    if (n > datapath_generation(a->dp) && n == a->last_number)
        return n;
    if (store_next_generation(a->store, &d, &n) < 0)
        n = 0; /* the floor below is enough to go on */
    if (n <= datapath_generation(a->dp))
        n = datapath_generation(a->dp) + 1;
    if (n <= datapath_newest(a->dp))
        n = datapath_newest(a->dp) + 1;
    if (n <= a->last_number)
        n = a->last_number + 1;
    a->last_number = n;
    return n;
}

static int begin_now(struct agent *a, struct desired **next, struct diag *d)
{
    struct install *in = &a->install;
    _cleanup_(image_done) struct image img = {0};
    in->run = (struct runstate){.generation = install_next_number(a),
                                .digest = {(*next)->digest[0], (*next)->digest[1]}};
    (*next)->e.host = datapath_host(a->dp);
    host_done(&in->compiled);
    int err = host_copy(datapath_host(a->dp), &in->compiled);
    uint64_t since = agent_now_ns();
    if (err == 0)
        err = compile_next(a, *next, in, &img, d);
    phase_end(a->current, AGENT_PHASE_COMPILE, &since);
    in->phase_ns = since;
    if (err == 0)
        err = datapath_candidate(a->dp, &img, counter_ids_limit(a->ids), d);
    if (err < 0)
        return err;
    in->worker_done = false;
    in->state = INSTALL_CANDIDATE;
    in->started_ns = agent_now_ns();
    err = start_polling(a);
    if (err < 0) {
        datapath_abandon(a->dp);
        in->state = INSTALL_SETTLE;
        return diag_errno(d, err, "cannot start a timer");
    }
    in->next = TAKE_PTR(*next);
    return 0;
}

int install_try(struct agent *a, const struct desired *next, struct diag *d)
{
    struct install numbers = {.run = {.generation = a->run.generation + 1}};
    _cleanup_(image_done) struct image img = {0};
    return compile_next(a, next, &numbers, &img, d);
}

int install_begin(struct agent *a, struct desired **next, struct diag *d)
{
    struct install *in = &a->install;
    if (in->state == INSTALL_IDLE)
        return begin_now(a, next, d);
    in->next = TAKE_PTR(*next);
    in->waits = true;
    return 0;
}

bool install_is_ready(const struct agent *a)
{
    return a->install.state == INSTALL_IDLE ||
           (a->install.state == INSTALL_SETTLE && !a->install.waits);
}

bool install_is_in_force(struct agent *a, struct desired *next)
{
    struct diag d = {0};
    return datapath_adopted(a->dp) && a->run.generation != 0 &&
           a->run.generation == datapath_generation(a->dp) && a->run.digest[0] == next->digest[0] &&
           a->run.digest[1] == next->digest[1] &&
           self_test(a, next, datapath_host(a->dp), ask_active, &d) == 0;
}

int install_adopt(struct agent *a, struct desired **next, struct diag *d)
{
    struct install numbers = {.run = a->run};
    _cleanup_(image_done) struct image img = {0};
    int err = install_write_files(a, *next, &a->run, d);
    if (err == 0 && !a->in_force) /* only its statistics are wanted */
        err = compile_next(a, *next, &numbers, &img, d);
    if (err < 0)
        return err;
    if (!a->in_force) {
        a->stats = numbers.stats;
        a->in_force_since_ns = agent_now_ns();
    }
    install_take(a, next);
    a->host_print = host_print(datapath_host(a->dp), a->in_force->places);
    counter_ids_commit(a->ids);
    if (a->install.state == INSTALL_IDLE) /* else packets may still meet the image before */
        recycle_ids(a); /* equal digests: the image uses none of the retired ones */
    return 0;
}

void install_done(struct agent *a)
{
    stop_timer(&a->install);
    a->install.next = desired_free(a->install.next);
    host_done(&a->install.compiled);
}
