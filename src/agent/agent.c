/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/agent.c: the life of the agent: opens what it owns, runs the event loop, ends.
 * Called by src/portwardd. Invariants: locks first, kernel last, so that a start that fails has
 * changed nothing; an orderly end leaves blocks in force and ends dynamic permits. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "internal.h"
#include "pressure.h"
#include "quick.h"

enum {
    RECONCILE_US = 500000, /* datapath.h */
    LOG_POLL_US = 200000,  /* the ring holds what comes in that time twice over */
    LOG_POLLS_PER_SECOND = 5,
    RESYNC_EVERY = 60, /* reconciliations: 30 s, datapath.h */
    SWEEP_EVERY = 10,  /* of the same timer: 5 s */
    EXPIRY_ACCURACY_US = 1000,
    STOP_TIMEOUT_US = 20000000, /* a generation takes some 10 ms, 0.6 s at worst seen */
};

uint64_t agent_now_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_BOOTTIME, &t) < 0)
        return 0; /* CLOCK_BOOTTIME exists since Linux 2.6.39 */
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

int agent_random_guid(struct guid *ret)
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return -errno;
    *ret = guid_from_random(bytes);
    return 0;
}

unsigned agent_count_attached(struct agent *a)
{
    _cleanup_free_ struct iface_status *s = NULL;
    size_t n = 0;
    unsigned attached = 0;
    if (!a->dp || datapath_iface_status(a->dp, &s, &n) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        attached += s[i].attached_in && s[i].attached_out;
    return attached;
}

sd_event *agent_event(struct agent *a)
{
    return a->event;
}

const char *agent_runtime_dir(const struct agent *a)
{
    return a->options.runtime_dir;
}

/* --- event sources --- */
static int on_worker(sd_event_source *s _unused_, int fd _unused_, uint32_t events _unused_,
                     void *userdata)
{
    install_worker_ready(userdata);
    return 0;
}

void agent_look_for_host_change(struct agent *a)
{
    if (a->in_force && host_print(datapath_host(a->dp), a->in_force->places) != a->host_print &&
        agent_queue_internal(a, JOB_HOST, NULL) < 0)
        event_log(EV_AGENT_FAILED, "ERROR", "out of memory", NULL);
}

static void host_was_read(struct agent *a, int err, unsigned changes)
{
    if (err < 0)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-err), "SOURCE", "rtnetlink", NULL);
    resolver_routes_changed(a);
    if (changes & HOST_CHANGED_IFACES)
        event_log(EV_HOST_CHANGED, NULL);
    if (changes) {
        agent_look_for_host_change(a);
        pressure_look_for_ifaces(a);
    }
}

static int on_rtnl(sd_event_source *s _unused_, int fd _unused_, uint32_t events _unused_,
                   void *userdata)
{
    struct agent *a = userdata;
    unsigned changes = 0;
    int err = datapath_rtnl_process(a->dp, &changes);
    host_was_read(a, err, changes);
    return 0;
}

/* A program of somebody else was put in front of ours: what it lets pass, ours is not asked. */
static void log_order(struct agent *a)
{
    struct front_news n;
    while (datapath_front_news(a->dp, &n)) {
        event_log(EV_TAMPER, "INTERFACE", n.name, "DIRECTION", n.dir == DIR_IN ? "in" : "out",
                  "IN_FRONT", n.program, "OVERTAKEN", n.overtaken ? "yes" : "no", NULL);
    }
}

static int on_reconcile(sd_event_source *s, uint64_t usec _unused_, void *userdata)
{
    struct agent *a = userdata;
    int n = datapath_reconcile(a->dp);
    if (n > 0) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%d", n); /* fits */
        event_log(EV_TAMPER, "REPAIRED", number, NULL);
    }
    log_order(a);
    confine_reconcile(a);
    pressure_look_for_ifaces(a);
    if (a->reconciled % SWEEP_EVERY == 0)
        flows_sweep(a);
    kept_expire(a);
    if (!a->current)
        store_tidy(a->store);
    if (++a->reconciled % RESYNC_EVERY == 0) {
        unsigned changes = 0;
        int read = datapath_resync(a->dp, &changes);
        host_was_read(a, read, changes);
    }
    int err = sd_event_source_set_time_relative(s, RECONCILE_US);
    return err < 0 ? err : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int on_log(sd_event_source *s, uint64_t usec _unused_, void *userdata)
{
    struct agent *a = userdata;
    droplog_poll(a);
    scanwatch_poll(a, a->droplog.polls % LOG_POLLS_PER_SECOND == 0);
    confine_events(userdata);
    int err = sd_event_source_set_time_relative(s, LOG_POLL_US);
    return err < 0 ? err : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int on_expiry(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
    if (agent_queue_internal(userdata, JOB_EXPIRE, NULL) < 0)
        event_log(EV_AGENT_FAILED, "ERROR", "out of memory", NULL);
    return 0;
}

void agent_arm_expiry(struct agent *a)
{
    sd_event_source *s = a->sources[SOURCE_EXPIRY];
    struct live *l = quick_live(a);
    uint64_t next = 0;
    if (!s)
        return;
    if (l)
        next = live_next_deadline(l, &a->in_force->layers.dynamic);
    else if (a->in_force)
        next = dynamic_next_deadline(&a->in_force->layers.dynamic);
    if (next && next < a->expiry_not_before_ns)
        next = a->expiry_not_before_ns;
    /* Rounded up: at the timer the deadline has passed. Neither call fails for a timer of this
     * process (sd_event_source_set_time(3)). */
    if (next)
        (void)sd_event_source_set_time(s, (next + 999) / 1000);
    (void)sd_event_source_set_enabled(s, next ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

int agent_stop(struct agent *a)
{
    if (a->stopping)
        return 0;
    a->stopping = true;
    (void)sd_notify(0, "STOPPING=1"); /* nobody may be listening */
    return agent_queue_internal(a, JOB_STOP, NULL);
}

static int on_stop_signal(sd_event_source *s _unused_, const struct signalfd_siginfo *si _unused_,
                          void *userdata)
{
    return agent_stop(userdata);
}

static int on_reload_signal(sd_event_source *s _unused_, const struct signalfd_siginfo *si _unused_,
                            void *userdata)
{
    struct agent *a = userdata;
    struct agent_config c;
    struct diag d = {0};
    int err = agent_config_load(&a->options, &d, &c);
    if (err == 0)
        err = agent_queue_internal(a, JOB_RELOAD, &c);
    if (err < 0)
        event_log(EV_CONFIG_REFUSED, "ERROR", d.message[0] ? d.message : strerror(-err), "HINT",
                  d.hint[0] ? d.hint : NULL, NULL);
    return 0;
}

/* Before the datapath starts its thread, which inherits the mask: signals are for the loop. */
static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int add_signals(struct agent *a)
{
    int err = sd_event_add_signal(a->event, &a->sources[SOURCE_TERM], SIGTERM, on_stop_signal, a);
    if (err >= 0)
        err = sd_event_add_signal(a->event, &a->sources[SOURCE_INT], SIGINT, on_stop_signal, a);
    if (err >= 0)
        err = sd_event_add_signal(a->event, &a->sources[SOURCE_HUP], SIGHUP, on_reload_signal, a);
    return err;
}

/* Far future: the expiry timer sleeps until a deadline is known. */
static int add_timers(struct agent *a)
{
    int err = sd_event_add_time_relative(a->event, &a->sources[SOURCE_RECONCILE], CLOCK_MONOTONIC,
                                         RECONCILE_US, 0, on_reconcile, a);
    if (err >= 0)
        err = sd_event_add_time(a->event, &a->sources[SOURCE_EXPIRY], CLOCK_BOOTTIME, UINT64_MAX,
                                EXPIRY_ACCURACY_US, on_expiry, a);
    if (err >= 0)
        err = sd_event_add_time_relative(a->event, &a->sources[SOURCE_LOG], CLOCK_MONOTONIC,
                                         LOG_POLL_US, 0, on_log, a);
    return err;
}

static int add_sources(struct agent *a)
{
    int err = sd_event_add_io(a->event, &a->sources[SOURCE_WORKER], datapath_worker_fd(a->dp),
                              EPOLLIN, on_worker, a);
    if (err >= 0)
        err = sd_event_add_io(a->event, &a->sources[SOURCE_RTNL], datapath_rtnl_fd(a->dp), EPOLLIN,
                              on_rtnl, a);
    if (err >= 0)
        err = sd_event_add_defer(a->event, &a->sources[SOURCE_QUEUE], queue_dispatch, a);
    if (err >= 0) /* after I/O and timers, so that a job sees what has happened */
        err = sd_event_source_set_priority(a->sources[SOURCE_QUEUE], SD_EVENT_PRIORITY_IDLE);
    if (err >= 0)
        err = add_timers(a);
    if (err >= 0)
        err = pressure_start(a);
    if (err >= 0)
        reach_pin_iterators(a);
    return err >= 0 ? add_signals(a) : err;
}

/* --- start --- */
static int copy_option(const char *given, const char *fallback, const char **ret)
{
    *ret = strdup(given ? given : fallback);
    return *ret ? 0 : -ENOMEM;
}

static int copy_options(const struct agent_options *o, struct agent_options *ret)
{
    ret->forget_dynamic = o->forget_dynamic;
    if (o->config && copy_option(o->config, "", &ret->config) < 0)
        return -ENOMEM;
    if (o->pin_root && copy_option(o->pin_root, "", &ret->pin_root) < 0)
        return -ENOMEM;
    if (o->vendor_dir && copy_option(o->vendor_dir, "", &ret->vendor_dir) < 0)
        return -ENOMEM;
    int err = copy_option(o->state_dir, "/var/lib/portward", &ret->state_dir);
    return err < 0 ? err : copy_option(o->runtime_dir, "/run/portward", &ret->runtime_dir);
}

static int take_directories(struct agent *a, struct diag *d)
{
    int err = dir_make(a->options.runtime_dir, 0755, d);
    if (err == 0)
        err = dir_make(a->options.state_dir, 0700, d);
    if (err == 0)
        err = dir_lock(a->options.runtime_dir, "runtime directory", d, &a->runtime_lock);
    if (err == 0)
        err = dir_lock(a->options.state_dir, "state directory", d, &a->state_lock);
    return err;
}

static int open_kernel(struct agent *a, struct diag *d)
{
    struct datapath_options o = {
        .pin_root = a->options.pin_root, .hook = a->config.hook, .guard = a->config.guard};
    unsigned n;
    int err = datapath_open(&o, d, &a->dp);
    if (err < 0)
        return err;
    (void)datapath_collect_dead(a->options.pin_root); /* rubbish of others; harmless if it stays */
    a->origin.netns_cookie = datapath_netns_cookie(a->dp);
    err = snapshot_boot_id(a->origin.boot_id);
    if (err < 0)
        return diag_errno(d, err, "cannot read the boot id");
    return datapath_attach_all(a->dp, d, &n);
}

static int new_counter_ids(struct agent *a)
{
    struct hash_seed seed;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        return -errno;
    return counter_ids_new(seed, &a->ids);
}

int agent_new(const struct agent_options *o, struct diag *d, struct agent **ret)
{
    if (geteuid() != 0) {
        int err =
            diag_fail(d, DIAG_SYSTEM, "no permission to filter packets: the agent needs root");
        diag_hint(d, "sudo portwardd --foreground");
        return err;
    }
    _cleanup_(agent_freep) struct agent *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->state_lock = a->runtime_lock = a->journal.fd = -1;
    a->started_ns = agent_now_ns();
    int err = copy_options(o, &a->options);
    if (err == 0)
        err = agent_config_load(&a->options, d, &a->file_config);
    if (err == 0)
        err = take_directories(a, d);
    if (err == 0)
        err = store_open(a->options.state_dir, d, &a->store);
    a->config = a->file_config;
    if (err == 0)
        err = settings_overlay(a->store, &a->config, d);
    if (err == 0)
        err = pressure_load(a, d);
    if (err == 0)
        err = new_counter_ids(a);
    if (err == 0)
        err = resolver_new(&a->resolver);
    if (err == 0)
        err = sd_event_new(&a->event);
    if (err < 0)
        return err;
    *ret = TAKE_PTR(a);
    return 0;
}

/* Runs the loop until the job that ends a phase was answered. */
static int run_until_ended(struct agent *a, struct diag *d)
{
    while (!a->ended) {
        int err = sd_event_run(a->event, UINT64_MAX);
        if (err < 0)
            return diag_errno(d, err, "cannot run the event loop");
    }
    a->ended = false;
    if (a->end_err < 0)
        *d = a->failure;
    return a->end_err;
}

static void log_apply(struct agent *a)
{
    scanwatch_apply(a);
    droplog_apply(a);
}

int agent_start(struct agent *a, struct diag *d)
{
    int err = block_signals();
    if (err == 0)
        err = open_kernel(a, d);
    if (err < 0)
        return err;
    err = resolver_start(a, d);
    if (err < 0)
        return err;
    err = add_sources(a);
    if (err >= 0)
        err = agent_queue_internal(a, JOB_START, NULL);
    if (err < 0)
        return diag_errno(d, err, "cannot set up the event loop");
    err = run_until_ended(a, d);
    if (err == 0)
        err = confine_open(a, d);
    if (err == 0)
        log_apply(a);
    if (err == 0) {
        agent_look_for_host_change(a);
        pressure_look_for_ifaces(a); /* their categories are known only now */
    }
    return err;
}

void agent_ready(struct agent *a)
{
    char generation[24];
    (void)snprintf(generation, sizeof(generation), "%" PRIu64, a->run.generation); /* fits */
    event_log(EV_AGENT_STARTED, "GENERATION", generation, NULL);
    (void)sd_notify(0, "READY=1"); /* nobody may be listening */
}

static int on_stop_timeout(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
    struct agent *a = userdata;
    a->ended = true;
    a->end_err = -ETIMEDOUT;
    diag_fail(&a->failure, DIAG_SYSTEM, "dynamic permits could not be ended within %d s",
              STOP_TIMEOUT_US / 1000000);
    return 0;
}

int agent_run(struct agent *a, struct diag *d)
{
    sd_event_source *timeout = NULL;
    while (!a->stopping && !a->ended) {
        int err = sd_event_run(a->event, UINT64_MAX);
        if (err < 0)
            return diag_errno(d, err, "cannot run the event loop");
    }
    int err = sd_event_add_time_relative(a->event, &timeout, CLOCK_MONOTONIC, STOP_TIMEOUT_US, 0,
                                         on_stop_timeout, a);
    if (err >= 0)
        err = run_until_ended(a, d);
    sd_event_source_disable_unref(timeout);
    if (err == 0)
        event_log(EV_AGENT_STOPPED, NULL);
    return err;
}

static void free_options(struct agent_options *o)
{
    const char *const v[] = {o->config, o->state_dir, o->runtime_dir, o->pin_root, o->vendor_dir};
    for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
        union {
            const char *in;
            void *out;
        } u = {v[i]}; /* our own copy behind the const of the public struct */
        free(u.out);
    }
}

struct agent *agent_free(struct agent *a)
{
    if (!a)
        return NULL;
    queue_drop(a);
    install_done(a);
    resolver_done(&a->resolver);
    for (size_t i = 0; i < _SOURCE_MAX; i++)
        sd_event_source_disable_unref(a->sources[i]);
    pressure_stop(a);
    droplog_done(a);
    counter_index_done(&a->counter_index);
    confine_done(&a->confine);
    desired_free(a->in_force);
    live_done(&a->live);
    image_patcher_free(a->patcher);
    close_p(&a->journal.fd);
    policy_ref_put(a->kept);
    dynamic_done(&a->resync);
    datapath_close(a->dp);
    counter_ids_free(a->ids);
    store_close(a->store);
    sd_event_unref(a->event);
    close_p(&a->state_lock);
    close_p(&a->runtime_lock);
    free_options(&a->options);
    free(a);
    return NULL;
}

void agent_freep(struct agent **a)
{
    agent_free(*a);
}
