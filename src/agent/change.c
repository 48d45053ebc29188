/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/change.c: the queue of changes, and the life of one: transaction, preparation, desired
 * state, installation, commit, answer.
 * Called by the API through agent_change(), by agent.c for the agent's own business, by
 * install.c when a generation is in force or was refused. Invariants: one job at a time; each
 * is answered exactly once, from the event loop; the store is committed only after the flip and
 * rolled back after every failure. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pressure.h"
#include "quick.h"

enum { EXPIRY_RETRY_NS = 1000000000 };

typedef int (*prepare_fn)(struct agent *a, struct job *j);

static const struct {
    prepare_fn prepare;
    const char *name;
    bool needs_store; /* else a store that cannot be written is a warning: an emergency block
                         must work with a full disk */
} requests[_AGENT_CHANGE_KIND_MAX] = {
    [AGENT_FILTER_ADD] = {prepare_filter_add, "add filter", false},
    [AGENT_FILTER_DELETE] = {prepare_filter_delete, "delete filter", false},
    [AGENT_FLUSH] = {prepare_flush, "flush", false},
    [AGENT_POLICY_LOAD] = {prepare_policy_load, "load policy", true},
    [AGENT_POLICY_DELETE] = {prepare_policy_delete, "delete policy", true},
    [AGENT_ASSIGN] = {prepare_assign, "assign policy", true},
    [AGENT_UNASSIGN] = {prepare_unassign, "unassign policy", true},
    [AGENT_RULE_ADD] = {prepare_rule_add, "add rule", true},
    [AGENT_RULE_DELETE] = {prepare_rule_delete, "delete rule", true},
    [AGENT_POLICY_ROLLBACK] = {prepare_policy_rollback, "roll policy back", true},
    [AGENT_COUNTERS_RESET] = {prepare_counters_reset, "reset counters", false},
    [AGENT_STATE_DELETE] = {prepare_state_delete, "delete state", false},
    [AGENT_SETTING] = {prepare_setting, "change a setting", true},
    [AGENT_LIBRARY] = {prepare_library, "change the library", true},
    [AGENT_SECRET] = {prepare_secret, "change a secret", true},
    [AGENT_MPP] = {prepare_mpp, "change memory pressure protection", true},
    [AGENT_BATCH] = {prepare_batch, "batch", false}, /* but see needs_store() */
};

static const struct {
    prepare_fn prepare;
    const char *name;
} internals[_JOB_KIND_MAX] = {
    [JOB_START] = {prepare_start, "start"},     [JOB_EXPIRE] = {prepare_expire, "expiry"},
    [JOB_HOST] = {prepare_host, "interfaces"},  [JOB_RELOAD] = {prepare_reload, "reload"},
    [JOB_STOP] = {prepare_stop, "stop"},        [JOB_RESYNC] = {prepare_resync, "resync"},
    [JOB_NAMES] = {prepare_names, "addresses"},
};

const char *job_name(const struct job *j)
{
    return j->kind == JOB_REQUEST ? requests[j->change.kind].name : internals[j->kind].name;
}

bool request_needs_store(enum agent_change_kind kind)
{
    return requests[kind].needs_store;
}

int request_prepare(struct agent *a, struct job *j)
{
    return requests[j->change.kind].prepare(a, j);
}

/* A batch does if one of its OPs does. */
static bool needs_store(const struct job *j)
{
    bool any = j->kind == JOB_REQUEST && request_needs_store(j->change.kind);
    for (size_t i = 0; i < j->change.n_ops; i++)
        any |= request_needs_store(j->change.ops[i].kind);
    return any;
}

const struct dynamic *batch_before(const struct agent *a)
{
    const struct job *j = a->current;
    bool batch = j && j->kind == JOB_REQUEST && j->change.kind == AGENT_BATCH;
    return batch && needs_store(j) ? &j->before : NULL;
}

/* --- job --- */
void job_reset(struct job *j)
{
    batch_forget(j);
    dynamic_done(&j->before);
    layers_done(&j->next_layers);
    agent_filters_done(&j->result.filters);
    agent_filters_done(&j->result.exceptions);
    agent_preview_done(&j->result.preview);
    agent_warnings_done(&j->result.warnings);
    free(j->result.policies);
    j->kept = policy_ref_put(j->kept);
    agent_mpp_changes_done(&j->result.mpp);
    j->in_transaction = j->enforce = j->settings_changed = false;
    j->mpp_to_existing = j->mpp_reset = false;
    j->mpp_generation = 0;
    j->next_layers = (struct layers){0};
    j->subject = (struct guid){0};
    j->subject_id = 0;
    j->notes_end_ns = 0;
    j->negotiation = (struct negotiation){0};
    j->reason[0] = j->audit[0] = j->object[0] = j->policy[0] = j->rule[0] = '\0';
    j->result = (struct agent_result){0};
}

struct job *job_free(struct job *j)
{
    if (!j)
        return NULL;
    change_forget(&j->change);
    job_reset(j);
    free(j);
    return NULL;
}

/* --- queue --- */
void queue_wake(struct agent *a)
{
    if (a->sources[SOURCE_QUEUE])
        (void)sd_event_source_set_enabled(a->sources[SOURCE_QUEUE], SD_EVENT_ONESHOT);
    /* cannot fail for a defer source of this process (sd_event_source_set_enabled(3)) */
}

static void queue_insert(struct agent *a, struct job *j, struct job **at)
{
    j->next = *at;
    *at = j;
    a->n_queued++;
    queue_wake(a);
}

void queue_again(struct agent *a, struct job *j)
{
    struct job **at = &a->queue;
    while (*at && ((*at)->kind != JOB_REQUEST || (*at)->id < j->id))
        at = &(*at)->next;
    queue_insert(a, j, at);
}

static void queue_put(struct agent *a, struct job *j)
{
    struct job **at = &a->queue;
    /* What the agent must do itself goes before what callers wait for. */
    while (*at && (j->kind == JOB_REQUEST || (*at)->kind != JOB_REQUEST))
        at = &(*at)->next;
    j->id = ++a->next_job_id;
    j->begin_ns = agent_now_ns();
    queue_insert(a, j, at);
}

int agent_change(struct agent *a, const struct agent_change *c, agent_done_fn done, void *ctx,
                 struct diag *d, uint64_t *ret_id)
{
    if (a->stopping) {
        diag_fail(d, DIAG_AGENT, "the agent is stopping");
        diag_hint(d, "systemctl start portwardd");
        return -EBUSY;
    }
    if (a->n_queued + a->resolver.n_parked >= AGENT_QUEUE_MAX) {
        diag_fail(d, DIAG_AGENT, "%d changes are waiting already", AGENT_QUEUE_MAX);
        diag_hint(d, "portward status");
        return -EBUSY;
    }
    struct job *j = calloc(1, sizeof(*j));
    if (!j || change_copy(c, &j->change) < 0) {
        job_free(j);
        return -ENOMEM;
    }
    j->kind = JOB_REQUEST;
    j->done = done;
    j->ctx = ctx;
    queue_put(a, j);
    if (ret_id)
        *ret_id = j->id;
    return 0;
}

int agent_queue_internal(struct agent *a, enum job_kind kind, const struct agent_config *config)
{
    /* One of a kind waits for all causes; only a reload carries data of its own. */
    for (struct job *q = a->queue; q; q = q->next)
        if (q->kind == kind) {
            if (config)
                q->config = *config;
            return 0;
        }
    struct job *j = calloc(1, sizeof(*j));
    if (!j)
        return -ENOMEM;
    j->kind = kind;
    j->change.author.origin = strdup("agent");
    if (!j->change.author.origin) {
        job_free(j);
        return -ENOMEM;
    }
    if (config)
        j->config = *config;
    queue_put(a, j);
    return 0;
}

void agent_forget(struct agent *a, uint64_t id)
{
    if (a->current && a->current->id == id)
        a->current->done = NULL;
    for (struct job *q = a->queue; q; q = q->next)
        if (q->id == id)
            q->done = NULL;
    resolver_forget(a, id);
}

/* --- end of a job --- */
static void answer(struct agent *a, struct job *j)
{
    struct agent_result *r = &j->result;
    r->generation = a->run.generation;
    r->elapsed_ms = (uint32_t)((agent_now_ns() - j->begin_ns) / 1000000);
    r->n_interfaces = agent_count_attached(a);
    if (r->err < 0 && r->diag.code == DIAG_NONE)
        diag_errno(&r->diag, r->err, "cannot %s", job_name(j));
    if (r->err >= 0)
        negotiation_warn(&j->negotiation, &r->warnings);
    if (j->done)
        j->done(j->ctx, r);
    if (j->kind == JOB_START || j->kind == JOB_STOP) {
        a->ended = true;
        a->end_err = r->err;
        a->failure = r->diag;
    }
    a->current = job_free(j);
    agent_arm_expiry(a);
    queue_wake(a);
}

static void refuse(struct agent *a, struct job *j, int err, const struct diag *d)
{
    if (j->in_transaction)
        store_rollback(a->store);
    resolver_job_done(a, j, /* ok= */ false);
    j->result.err = err;
    if (d)
        j->result.diag = *d;
    if (j->kind == JOB_RELOAD)
        datapath_set_profiles(a->dp, &a->config.profiles);
    if (j->kind == JOB_EXPIRE) /* not at once: what failed will mostly fail again */
        a->expiry_not_before_ns = agent_now_ns() + EXPIRY_RETRY_NS;
    /* A wrong word of a caller is his business, a generation that failed is ours. */
    if (j->kind != JOB_REQUEST || j->result.diag.code == DIAG_SELF_TEST ||
        j->result.diag.code == DIAG_SYSTEM)
        event_log(EV_GENERATION_REFUSED, "CHANGE", job_name(j), "REASON",
                  j->result.diag.message[0] ? j->result.diag.message : strerror(-err), NULL);
    answer(a, j);
}

/* Audit, number of the generation, commit. */
static int commit(struct agent *a, struct job *j, struct diag *d)
{
    int err = 0;
    uint64_t since = agent_now_ns();
    if (!j->in_transaction)
        return 0;
    struct author author = j->change.author;
    if (j->reason[0])
        author.reason = j->reason;
    if (j->audit[0])
        err = store_audit(a->store, &author, j->audit, j->object, a->run.generation, d);
    if (err == 0)
        err = batch_audit(a, j, d);
    if (err == 0 && j->result.flipped && needs_store(j))
        err = store_set_generation(a->store, a->run.generation, d);
    if (err == 0)
        err = store_commit(a->store, d);
    if (err < 0)
        store_rollback(a->store);
    j->in_transaction = false;
    phase_end(j, AGENT_PHASE_STORE, &since);
    return err;
}

static void store_warning(struct job *j, const struct diag *d)
{
    warning_add(&j->result.warnings, "not-recorded", NULL,
                "the change is in force, but the audit trail could not be written: %s", d->message);
}

static void show_subject(struct agent *a, const struct desired *x, struct job *j)
{
    size_t i = desired_find_dynamic(x, j->subject_id);
    struct agent_filter f;
    if (i == SIZE_MAX)
        return;
    if (view_filter(a, x, i, NULL, &f) < 0 || filters_add(&j->result.filters, &f) < 0)
        return; /* out of memory: the answer lacks the text, the filter is in force */
    notes_for_filter(a, x, j, i);
}

/* Several filters at once: what one would be told of itself is looked for in all of them. */
static bool notes_are_for_policies(const struct job *j)
{
    return needs_store(j) || j->change.kind == AGENT_BATCH;
}

/* The kernel is ahead of the store: back to what is written, and to the dynamic filters that were
 * there before a batch. */
static void go_back(struct agent *a, struct job *j)
{
    bool batch = j->change.kind == AGENT_BATCH;
    a->resync_dynamic |= batch;
    if (batch) {
        dynamic_done(&a->resync);
        a->resync = j->before;
        j->before = (struct dynamic){0};
    }
    if (agent_queue_internal(a, JOB_RESYNC, NULL) < 0)
        event_log(EV_AGENT_FAILED, "ERROR", "out of memory while going back", NULL);
}

static void succeed(struct agent *a, struct job *j)
{
    struct diag d = {0};
    int err = commit(a, j, &d);
    if (err < 0 && needs_store(j)) {
        if (j->enforce) /* also without a flip: what is in force may say other texts and ends */
            go_back(a, j);
        refuse(a, j, err, &d);
        return;
    }
    if (err < 0)
        store_warning(j, &d);
    else
        kept_commit(a, j);
    resolver_job_done(a, j, /* ok= */ true);
    if (j->kind == JOB_REQUEST)
        resolver_notes(a, j);
    if (j->kind == JOB_REQUEST && j->change.kind == AGENT_FILTER_ADD)
        show_subject(a, a->in_force, j);
    else if (j->kind == JOB_REQUEST && notes_are_for_policies(j) && j->result.flipped)
        notes_for_policies(a, a->in_force, j);
    batch_show(a, a->in_force, j);
    pressure_log_settings(a, j);
    if (j->kind == JOB_RELOAD || j->settings_changed) {
        a->file_config = j->config;
        a->config = j->effective;
        scanwatch_apply(a);
        droplog_apply(a);
        confine_changed(a, j);
    }
    pressure_committed(a, j);
    if (j->enforce && j->kind != JOB_HOST && j->kind != JOB_NAMES)
        a->n_dynamic_changes++;
    change_log(a, j);
    answer(a, j);
}

void job_installed(struct agent *a, int err, const struct diag *d)
{
    struct job *j = a->current;
    if (err < 0) {
        counter_ids_rollback(a->ids);
        refuse(a, j, err, d);
        return;
    }
    j->result.flipped = true;
    a->host_print = host_print(&a->install.compiled, a->in_force->places);
    agent_look_for_host_change(a);
    succeed(a, j);
}

/* --- start of a job --- */
static bool unchanged(struct agent *a, const struct job *j, struct desired *x)
{
    if (j->kind == JOB_START)
        return install_is_in_force(a, x);
    return a->in_force && memcmp(a->in_force->digest, x->digest, sizeof(x->digest)) == 0;
}

/* Builds the desired state of j->next_layers and puts it in force. */
static int enforce(struct agent *a, struct job *j, struct diag *d, bool *ret_waits)
{
    _cleanup_(desired_freep) struct desired *x = NULL;
    *ret_waits = false;
    if (quick_change(a, j) == 0)
        return 0;
    uint64_t since = agent_now_ns();
    int err = desired_build(&j->next_layers, datapath_host(a->dp), a->ids, d, &x);
    phase_end(j, AGENT_PHASE_BUILD, &since);
    if (err == 0 && unchanged(a, j, x)) {
        if (j->kind == JOB_START)
            event_log(EV_GENERATION_ADOPTED, NULL);
        err = install_adopt(a, &x, d);
    } else if (err == 0) {
        err = install_in_place(a, &x);
        j->result.flipped = err == 0;
        if (err == -EAGAIN) {
            err = install_begin(a, &x, d);
            *ret_waits = err == 0;
        }
    }
    if (err < 0)
        counter_ids_rollback(a->ids);
    return err;
}

/* The caller decided on what was in force then. */
static int check_generation(const struct agent *a, struct job *j)
{
    uint64_t expected = j->change.if_generation;
    if (expected == 0 || expected == a->run.generation)
        return 0;
    int err = diag_fail(&j->result.diag, DIAG_CONFLICT,
                        "generation %" PRIu64 " is in force, not %" PRIu64
                        ": somebody made a change, or something expired",
                        a->run.generation, expected);
    diag_hint(&j->result.diag, "portward list");
    return err;
}

/* The caller computed his change from what was stored then. */
static int check_state(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    uint64_t state = 0;
    if (j->change.if_state == 0)
        return 0;
    int err = agent_state(a, d, &state);
    if (err < 0 || state == j->change.if_state)
        return err;
    err = diag_fail(d, DIAG_STALE, "something was changed since it was read");
    diag_hint(d, "read it again: portward policy history -n 5");
    return err;
}

static int prepare(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    struct diag store_error = {0};
    int err = check_generation(a, j);
    if (err == 0)
        err = check_state(a, j);
    if (err < 0)
        return err;
    /* A change of the dynamic layer ends with the power anyway, its audit row may. */
    err = store_wait_for_disk(a->store, needs_store(j) || j->kind != JOB_REQUEST, &store_error);
    if (err == 0)
        err = j->change.dry_run ? store_begin_dry(a->store, &store_error)
                                : store_begin(a->store, &store_error);
    if (err < 0 && needs_store(j)) {
        *d = store_error;
        return err;
    }
    if (err < 0 && j->kind == JOB_REQUEST)
        store_warning(j, &store_error);
    j->in_transaction = err == 0;
    if (a->in_force) {
        err = layers_copy(&a->in_force->layers, &j->next_layers);
        if (err == 0 && j->change.kind == AGENT_BATCH)
            err = dynamic_copy(&j->next_layers.dynamic, &j->before);
        if (err < 0)
            return err;
    }
    err = j->kind == JOB_REQUEST ? request_prepare(a, j) : internals[j->kind].prepare(a, j);
    if (err == 0 && j->settings_changed)
        err = settings_apply(a, j);
    if (err == 0 && (j->settings_changed || j->kind == JOB_RELOAD))
        err = confine_try(a, &j->config, j->change.keep_holders, d);
    if (err == 0 && (j->settings_changed || j->kind == JOB_RELOAD))
        err = pressure_prepared(a, j);
    return err;
}

/* Nothing of a parked job stays: others are served meanwhile. */
static void leave_parked(struct agent *a, struct job *j)
{
    if (j->in_transaction)
        store_rollback(a->store);
    job_reset(j);
    a->current = NULL;
    queue_wake(a);
}

/* The state that the job wants, as far as it can be made without the kernel. */
static int preview(struct agent *a, struct job *j, struct diag *d)
{
    _cleanup_(desired_freep) struct desired *x = NULL;
    int err = desired_build(&j->next_layers, datapath_host(a->dp), a->ids, d, &x);
    if (err == 0)
        x->e.host = a->in_force->e.host = datapath_host(a->dp);
    if (err == 0)
        err = install_try(a, x, d);
    if (err == 0)
        err = preview_make(a, x, agent_now_ns() + AGENT_PREVIEW_NS / 2, &j->result.preview);
    if (err == 0 && j->change.kind == AGENT_FILTER_ADD)
        show_subject(a, x, j);
    else if (err == 0 && notes_are_for_policies(j))
        notes_for_policies(a, x, j);
    if (err == 0)
        batch_show(a, x, j);
    counter_ids_rollback(a->ids);
    return err;
}

/* A change that is only tried: the same way up to the image, then back. Nothing is written, in
 * the kernel, the database or the runtime directory. */
static void try_change(struct agent *a, struct job *j)
{
    struct diag d = {0};
    int err = 0;
    if (j->enforce) {
        err = preview(a, j, &d);
    } else {
        j->result.preview = (struct agent_preview){.made = true, .equal = true, .complete = true};
        if (j->change.kind == AGENT_FILTER_ADD)
            show_subject(a, a->in_force, j);
        batch_show(a, a->in_force, j);
    }
    if (err < 0) {
        refuse(a, j, err, &d);
        return;
    }
    if (j->in_transaction)
        store_rollback(a->store);
    j->in_transaction = false;
    answer(a, j);
}

static void start(struct agent *a, struct job *j)
{
    struct diag d = {0};
    bool waits = false;
    a->current = j;
    int err = prepare(a, j);
    if (err < 0) {
        refuse(a, j, err, NULL);
        return;
    }
    if (j->enforce)
        err = resolver_ready(a, j, &d);
    if (err == 1) { /* resolver.c keeps it until its names have addresses */
        leave_parked(a, j);
        return;
    }
    if (err == 0 && j->change.dry_run) {
        try_change(a, j);
        return;
    }
    /* A disk that is full must be known before the kernel is touched, or a change that is then
     * refused would open ports until it is taken back. */
    uint64_t since = agent_now_ns();
    if (err == 0 && j->enforce && needs_store(j))
        err = store_reserve(a->store, batch_audit_bytes(j), &d);
    phase_end(j, AGENT_PHASE_STORE, &since);
    if (err == 0 && j->enforce)
        err = enforce(a, j, &d, &waits);
    if (err < 0)
        refuse(a, j, err, &d);
    else if (!waits)
        succeed(a, j);
}

int queue_dispatch(sd_event_source *s _unused_, void *userdata)
{
    struct agent *a = userdata;
    if (a->current || !install_is_ready(a) || !a->queue)
        return 0;
    struct job *j = a->queue;
    a->queue = j->next;
    j->next = NULL;
    a->n_queued--;
    start(a, j);
    return 0;
}

void queue_drop(struct agent *a)
{
    for (struct job *p; (p = resolver_unpark_one(a));)
        queue_again(a, p);
    while (a->current || a->queue) {
        struct job *j = a->current ? a->current : a->queue;
        if (j == a->current)
            a->current = NULL;
        else
            a->queue = j->next;
        if (j->in_transaction)
            store_rollback(a->store);
        j->result.err = -EBUSY;
        j->result.generation = a->run.generation;
        diag_fail(&j->result.diag, DIAG_AGENT, "the agent is stopping");
        if (j->done)
            j->done(j->ctx, &j->result);
        job_free(j);
    }
    a->n_queued = 0;
}
