/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's own state, and the interfaces between its files that deal with a change: queue
 * (change.c), preparation (change_filter.c, change_policy.c, internal_jobs.c), installation
 * (install.c), answer (view.c, notes.c). Only these files and agent.c see struct agent. */
#pragma once
#include <systemd/sd-event.h>

#include "agent/agent.h"
#include "agent/events.h"
#include "base/limits.h"
#include "config.h"
#include "confine.h"
#include "counter_index.h"
#include "desired.h"
#include "droplog.h"
#include "journal.h"
#include "live.h"
#include "negotiation.h"
#include "resolver.h"
#include "runstate.h"
#include "scanwatch.h"
#include "snapshot.h"

struct dynamic_index;

/* What one OP of a batch leaves behind for the end of the job. */
struct batch_op {
    uint32_t subject_id;           /* 0 = none */
    char *audit, *object, *reason; /* NULL = none */
};

/* What is done: a request of a caller, or the agent's own business. */
enum job_kind {
    JOB_REQUEST, /* job.change says which */
    JOB_START,
    JOB_EXPIRE,
    JOB_HOST,   /* interfaces that get derived entries changed */
    JOB_RELOAD, /* job.config */
    JOB_STOP,
    JOB_NAMES,  /* addresses behind names or keywords changed */
    JOB_RESYNC, /* back to what the store says, after a commit that failed */
    _JOB_KIND_MAX,
};
struct job;
const char *job_name(const struct job *j);

struct job {
    struct job *next;
    uint64_t id;
    enum job_kind kind;
    struct agent_change change;    /* strings owned, see job_free() */
    struct agent_config config;    /* of the files; JOB_RELOAD, or settings_changed */
    struct agent_config effective; /* the same with the settings of the database */
    bool hook_ignored;
    agent_done_fn done; /* NULL = nobody waits */
    void *ctx;
    uint64_t begin_ns;
    uint64_t names_asked_ns; /* when resolver.c first looked at its names, 0 = not yet */
    /* made by preparation, emptied by job_reset() */
    bool in_transaction;
    bool enforce;                   /* what is in force may change: build a generation */
    struct layers next_layers;      /* what shall be in force; empty until prepared */
    struct negotiation negotiation; /* rules of the change that negotiate: a warning */
    bool settings_changed;          /* effective is to be taken, after the change */
    bool mpp_to_existing;           /* AGENT_MPP: living connections, too */
    bool mpp_reset;                 /* AGENT_MPP: the SYN gate opens */
    uint32_t mpp_generation;        /* number of the settings of memory pressure, 0 = the old */
    struct guid subject;            /* filter added or extended: shown in the answer */
    uint32_t subject_id;            /* its number: d17 */
    char audit[128];                /* change for the audit trail, "" = store writes it itself */
    char object[320];
    char reason[LIMIT_REASON_BYTES + 1]; /* in the text of a filter, "" = the caller's */
    struct agent_result result;
    struct dynamic before;       /* of a batch that needs the store: what to go back to */
    struct batch_op *batch;      /* AGENT_BATCH: what else is known of each of result.ops */
    struct policy_ref *kept;     /* the policy that it stored or read last, see kept.c */
    struct dynamic_index *index; /* of next_layers.dynamic, NULL = look at each filter */
    uint64_t notes_end_ns;       /* until then notes are looked for, 0 = each has its own time */
    char policy[256], rule[256]; /* of a rule change, in stored spelling */
};
struct job *job_free(struct job *j);
/* Undoes preparation: the job can be started again. */
void job_reset(struct job *j);

/* The one installation in flight (install.c). */
enum install_state {
    INSTALL_IDLE,
    INSTALL_CANDIDATE, /* in the worker; polled until visible, then self-test */
    INSTALL_TESTED,    /* waits for the worker's end */
    INSTALL_FLIP,      /* in the worker; polled until visible, then answer */
    INSTALL_SETTLE,    /* in force; waits until no CPU uses the old image */
};
struct install {
    enum install_state state;
    struct desired *next;
    struct runstate run;
    struct compile_stats stats;
    struct host compiled;          /* the host as it was compiled for */
    uint64_t started_ns, phase_ns; /* when the phase at hand began */
    bool worker_done;              /* the job of this state ended */
    bool waits;                    /* SETTLE: next is put into the candidate slot when it ends */
    sd_event_source *timer;
};

struct agent {
    struct agent_options options;    /* strings owned */
    struct agent_config file_config; /* what the files say */
    struct agent_config config;      /* the same with the settings of the database */
    sd_event *event;
    sd_event_source *sources[10]; /* worker, rtnl, reconcile, expiry, SIGTERM, SIGINT, SIGHUP,
                                     queue, log, pressure */
    int state_lock, runtime_lock;
    struct snapshot_origin origin;
    struct store *store;
    struct datapath *dp;
    struct counter_ids *ids;
    bool counters_unknown; /* ids of the image in force are not known: reset all after a flip */
    bool patched; /* in place since the last flip began: what is retired waits for the next one */

    struct policy_ref *kept; /* stored or read last, NULL = none; see kept.c */
    uint64_t kept_since_ns;

    struct desired *in_force;      /* never NULL after JOB_START */
    struct live live;              /* of in_force, see quick_live() */
    struct image_patcher *patcher; /* NULL until it is used */
    struct journal journal;
    struct runstate run; /* of in_force */
    struct compile_stats stats;
    uint64_t in_force_since_ns, started_ns;
    uint64_t expiry_not_before_ns; /* after an expiry that failed */
    uint64_t host_print;
    uint32_t mpp_generation;      /* of config.mpp */
    struct mpp *mpp_engine;       /* NULL: could not be opened */
    struct mpp_iface *mpp_ifaces; /* that it knows */
    size_t n_mpp_ifaces;
    uint64_t last_number;   /* largest generation number tried */
    uint64_t unused_number; /* drawn for a change in place that was not possible, 0 = none */
    unsigned reconciled;    /* how often */

    struct resolver resolver;
    struct counter_index counter_index;
    struct droplog droplog;
    struct scan_watch scans;
    struct confine confine;
    struct flow_counts flow_counts; /* at the last sweep */
    bool sweep_failed;
    bool resync_dynamic; /* JOB_RESYNC puts these back, too: */
    struct dynamic resync;
    struct install install;
    struct job *queue, *current;
    size_t n_queued;
    uint64_t next_job_id;
    uint64_t n_dynamic_changes; /* part of agent_state() */
    bool stopping;
    bool ended; /* JOB_START or JOB_STOP was answered, with this: */
    int end_err;
    struct diag failure;
};

/* indices of agent.sources */
enum {
    SOURCE_WORKER,
    SOURCE_RTNL,
    SOURCE_RECONCILE,
    SOURCE_EXPIRY,
    SOURCE_TERM,
    SOURCE_INT,
    SOURCE_HUP,
    SOURCE_QUEUE,
    SOURCE_LOG,
    SOURCE_PRESSURE,
    _SOURCE_MAX,
};
_Static_assert(_SOURCE_MAX == 10, "size of agent.sources");

/* agent.c */
uint64_t agent_now_ns(void); /* CLOCK_BOOTTIME */
void agent_arm_expiry(struct agent *a);
/* Queues JOB_HOST if the interfaces are not those that the image in force was made for. */
void agent_look_for_host_change(struct agent *a);
_must_check_ int agent_random_guid(struct guid *ret);
/* Number of interfaces with both directions attached. */
unsigned agent_count_attached(struct agent *a);

/* change.c */
_must_check_ int agent_queue_internal(struct agent *a, enum job_kind kind,
                                      const struct agent_config *config);
_must_check_ int change_copy(const struct agent_change *c, struct agent_change *ret);
void change_forget(struct agent_change *c);
/* Prepares a change of one kind: the job has become that change. */
_must_check_ int request_prepare(struct agent *a, struct job *j);
bool request_needs_store(enum agent_change_kind kind);
/* The dynamic layer before the current job, if that is a batch whose commit decides whether it
 * happened; else NULL. */
const struct dynamic *batch_before(const struct agent *a);
/* Called by install.c: the current job's generation is in force, or not (then d says why). */
void job_installed(struct agent *a, int err, const struct diag *d);
/* Puts a job that was taken out back in front of younger requests. */
void queue_again(struct agent *a, struct job *j);
/* The next job may start. */
void queue_wake(struct agent *a);
/* Handler of SOURCE_QUEUE: starts the next job if nothing is in flight. */
int queue_dispatch(sd_event_source *s, void *userdata);
/* Answers all jobs with "the agent is stopping". */
void queue_drop(struct agent *a);

/* Preparation: fills j->next_layers (copied from what is in force before the call), the store
 * and parts of j->result. 0 or negative with j->result.diag. */
_must_check_ int prepare_filter_add(struct agent *a, struct job *j);
_must_check_ int prepare_filter_delete(struct agent *a, struct job *j);
_must_check_ int prepare_flush(struct agent *a, struct job *j);
_must_check_ int prepare_policy_load(struct agent *a, struct job *j);
_must_check_ int prepare_policy_delete(struct agent *a, struct job *j);
_must_check_ int prepare_policy_rollback(struct agent *a, struct job *j);
_must_check_ int prepare_assign(struct agent *a, struct job *j);
_must_check_ int prepare_unassign(struct agent *a, struct job *j);
_must_check_ int prepare_rule_add(struct agent *a, struct job *j);
_must_check_ int prepare_rule_delete(struct agent *a, struct job *j);
_must_check_ int prepare_counters_reset(struct agent *a, struct job *j);
_must_check_ int prepare_state_delete(struct agent *a, struct job *j);
/* Takes out of the tables of `keep state` what is silent; every 5 s. */
void flows_sweep(struct agent *a);
_must_check_ int prepare_setting(struct agent *a, struct job *j);
_must_check_ int prepare_library(struct agent *a, struct job *j);
_must_check_ int prepare_secret(struct agent *a, struct job *j);
_must_check_ int prepare_mpp(struct agent *a, struct job *j); /* pressure_settings.c */
_must_check_ int prepare_batch(struct agent *a, struct job *j);
_must_check_ int prepare_start(struct agent *a, struct job *j);
_must_check_ int prepare_expire(struct agent *a, struct job *j);
_must_check_ int prepare_host(struct agent *a, struct job *j);
_must_check_ int prepare_reload(struct agent *a, struct job *j);
_must_check_ int prepare_stop(struct agent *a, struct job *j);
_must_check_ int prepare_names(struct agent *a, struct job *j);
_must_check_ int prepare_resync(struct agent *a, struct job *j);
/* --- phases.c --- */
/* Adds what passed since *since_ns, which is set to now. j may be NULL. */
void phase_end(struct job *j, enum agent_phase p, uint64_t *since_ns);
/* --- kept.c --- */
/* Makes *p, as it was stored, the policy that the job keeps. Takes *p over on success. */
_must_check_ int kept_put(struct job *j, struct policy **p);
/* The stored policy of this name, not to be changed; *ret lives as long as j keeps no other. */
_must_check_ int kept_get(struct agent *a, struct job *j, const char *name,
                          struct policy_ref **ret);
/* After the commit: later jobs may use what this one kept. */
void kept_commit(struct agent *a, struct job *j);
void kept_expire(struct agent *a);
/* --- batch.c --- */
void batch_forget(struct job *j);
/* The filters that were added or extended, with their notes, into the results; x has them. */
void batch_show(struct agent *a, const struct desired *x, struct job *j);
/* What its rows take at most in the database. */
uint64_t batch_audit_bytes(const struct job *j);
_must_check_ int batch_audit(struct agent *a, const struct job *j, struct diag *d);

/* --- change_log.c --- */
void change_log(const struct agent *a, struct job *j);

/* --- settings.c --- */
/* The database wins over the files. *c holds what the files say and gets the rest. */
_must_check_ int settings_overlay(struct store *s, struct agent_config *c, struct diag *d);
/* At the end of a preparation that changed settings: they are in force with it. */
_must_check_ int settings_apply(struct agent *a, struct job *j);
/* The standing warning of an exemption level that lets a source port pass everything. */
void settings_warn_exempt(uint8_t level, struct agent_warnings *w);

/* Reads the policies of both slots from the store. */
_must_check_ int load_assigned(struct agent *a, struct layers *l, struct diag *d);

/* install.c */
/* Compiles next and puts it into the candidate slot; job_installed() follows. Takes *next over
 * on success. On failure the caller rolls the counter ids back. */
_must_check_ int install_begin(struct agent *a, struct desired **next, struct diag *d);
/* Whether next can be compiled; nothing of it is kept. */
_must_check_ int install_try(struct agent *a, const struct desired *next, struct diag *d);
/* inplace.c: changes the image in force, without a wait, if next differs in few dynamic filters for
 * which it has room. Takes *next over. -EAGAIN: not so, use install_begin(). */
_must_check_ int install_in_place(struct agent *a, struct desired **next);
uint64_t install_next_number(struct agent *a);
/* *x is what is in force now. */
void install_take(struct agent *a, struct desired **x);
/* Snapshot and counter ids go to disk before what they describe can decide; and back again. */
_must_check_ int install_write_files(struct agent *a, const struct desired *x,
                                     const struct runstate *run, struct diag *d);
void install_restore_files(struct agent *a);
/* At start: whether the adopted image is what next wants, by digest and self-test. */
bool install_is_in_force(struct agent *a, struct desired *next);
/* Takes *next over as what is in force without a flip. */
_must_check_ int install_adopt(struct agent *a, struct desired **next, struct diag *d);
/* The next job may start: nothing is in flight, or only the wait for the last users of an old
 * image, which does not concern changes in place. */
bool install_is_ready(const struct agent *a);
void install_worker_ready(struct agent *a);
void install_done(struct agent *a); /* at the end of the process */

/* How long status and explain look for owners of sockets. */
enum { BESIDE_MS = 20 };

/* explain_state.c */
_must_check_ int explain_state(struct agent *a, const struct packet *p, const struct verdict *v,
                               struct agent_explanation *x);

/* view.c */
/* c: its counters, NULL = ask the kernel. */
_must_check_ int view_filter(struct agent *a, const struct desired *x, size_t i,
                             const struct counter *c, struct agent_filter *ret);
/* A filter that need not be in force: letter s or p by slot, no counters. */
_must_check_ int view_stored(const struct filter *f, enum layer layer, const char *policy,
                             const char *rule, struct agent_filter *ret);
_must_check_ int filters_add(struct agent_filters *l, struct agent_filter *f); /* takes *f over */
/* "d17", "s12"; buffer of agent_filter.id. */
void filter_id(const struct filter *f, enum layer layer, char id[16]);
/* reach.c: leaves the iterators over sockets pinned; without it others only are slower. */
void reach_pin_iterators(struct agent *a);
_must_check_ int derived_filters(struct agent *a, struct agent_filters *l);
/* Appends f as an entry of tier that nobody wrote. */
_must_check_ int derived_add(const struct filter *f, enum tier tier, const char *rule,
                             struct agent_filters *l);

/* notes.c: fills exceptions and warnings of an answer. */
void notes_for_filter(struct agent *a, const struct desired *x, struct job *j, size_t index);
void notes_for_policies(struct agent *a, const struct desired *x, struct job *j);
/* Of one filter of several: what notes_for_policies() does not say. */
void notes_for_one(struct agent *a, const struct desired *x, struct job *j, size_t index);
/* Equal filters, and those that differ only in their action, have the same. */
uint64_t notes_key(const struct filter *f);
void warning_add(struct agent_warnings *w, const char *code, const char *hint, const char *fmt, ...)
    _printf_(4, 5);

/* preview.c */
enum {
    AGENT_PREVIEW_NS = 2000000000, /* policy.md 8: half for what changes, half for what stays */
    AGENT_NOTES_NS = 5000000,      /* an emergency block does not wait for its footnotes */
};
/* Which packets change their verdict between what is in force and x; both hosts are set. Stops at
 * end_ns. */
_must_check_ int preview_make(struct agent *a, const struct desired *x, uint64_t end_ns,
                              struct agent_preview *p);
/* Fills j->result.exceptions for the block that is written filter number index of x. */
void preview_exceptions(struct agent *a, const struct desired *x, size_t index, struct job *j);

/* connections.c: established TCP connections that pass before and not after; -1 = not known. */
_must_check_ int connections_count(const struct effective *before, const struct effective *after,
                                   uint64_t now_ns, int64_t *ret);

/* 1 if an established one has its other end in a prefix, 0 if none has. */
_must_check_ int connections_with(enum family family, struct ip prefix, unsigned len);

/* route.c: source address and interface that the kernel takes to reach a peer. */
struct route_answer {
    struct ip source;
    uint32_t ifindex;
};
_must_check_ int route_lookup(enum family f, struct ip peer, struct route_answer *ret);
