/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/internal_jobs.c: what the agent changes by itself: start, expiry, changed interfaces,
 * reload, stop.
 * Called by change.c. Here is the one place that decides between open and closed when something
 * is wrong at start or stop: nothing that was blocked is opened without a verb that says so. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "internal.h"
#include "quick.h"

static void sd_bus_unrefp_(sd_bus **bus)
{
    sd_bus_flush_close_unref(*bus);
}

int load_assigned(struct agent *a, struct layers *l, struct diag *d)
{
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++) {
        char name[256] = "";
        _cleanup_(policy_freep) struct policy *p = NULL;
        layers_unset_policy(l, s);
        int err = store_assigned(a->store, s, d, name);
        if (err == 0 && name[0])
            err = store_policy_get(a->store, name, d, &p);
        if (err == 0 && p)
            err = layers_set_policy(l, s, p);
        if (err < 0)
            return err;
        p = NULL; /* the layer holds it */
    }
    return 0;
}

/* A batch that the agent before did not live to commit is not there: its policies are not in the
 * database, so what it did to the dynamic layer is taken back, too. */
static int undo_uncommitted(struct agent *a, const struct snapshot_origin *o, struct dynamic *l,
                            struct diag *d)
{
    _cleanup_(dynamic_done) struct dynamic before = {0};
    uint64_t generation;
    int found = snapshot_read_before(a->options.runtime_dir, o, l, d, &before, &generation);
    if (found <= 0)
        return found;
    int recorded = store_generation_is_recorded(a->store, generation, d);
    if (recorded != 0)
        return recorded < 0 ? recorded : 0;
    dynamic_done(l);
    *l = before;
    before = (struct dynamic){0};
    return 0;
}

static int adopt_dynamic(struct agent *a, struct dynamic *l, struct diag *d)
{
    bool must_exist = datapath_adopted(a->dp) && datapath_generation(a->dp) != 0;
    struct snapshot_origin o = a->origin;
    o.generation = datapath_generation(a->dp);
    int err = snapshot_read(a->options.runtime_dir, &o, must_exist, d, l);
    if (err < 0 && a->options.forget_dynamic && err != -ENOMEM) {
        *l = (struct dynamic){0};
        err = 0;
    } else if (err >= 0 && a->options.forget_dynamic) {
        dynamic_clear(l);
        err = 0;
    } else if (err > 0) { /* changes that came after it say that it was committed */
        err = 0;
    } else if (err == 0) {
        err = undo_uncommitted(a, &o, l, d);
    }
    return err;
}

/* Counter ids of the agent before. Without them counters begin anew. */
static int adopt_counters(struct agent *a)
{
    int err = runstate_read(a->options.runtime_dir, &a->origin, &a->run, a->ids);
    if (err == 0)
        return 0;
    struct hash_seed seed = {a->origin.netns_cookie, agent_now_ns()};
    a->ids = counter_ids_free(a->ids);
    a->run = (struct runstate){0};
    a->counters_unknown = true;
    return counter_ids_new(seed, &a->ids);
}

int prepare_start(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    struct layers *l = &j->next_layers;
    l->settings = a->config.filter;
    l->names = a->resolver.names;
    datapath_set_profiles(a->dp, &a->config.profiles);
    int err = adopt_dynamic(a, &l->dynamic, d);
    if (err == 0)
        err = adopt_counters(a);
    if (err == 0)
        err = load_assigned(a, l, d);
    if (err == 0)
        err = resolver_check_start(a, l, d);
    if (err < 0)
        return err;
    (void)dynamic_drop_expired(&l->dynamic, agent_now_ns()); /* how many is of no interest */
    j->enforce = true;
    return 0;
}

/* What will have expired if the job succeeds, for its events. */
static int note_expired(struct job *j, uint64_t now)
{
    const struct dynamic *l = &j->next_layers.dynamic;
    for (size_t i = 0; i < l->n; i++) {
        struct agent_filter f = {.action = l->v[i]->filter.action};
        if (!dynamic_is_expired(l->v[i], now))
            continue;
        filter_id(&l->v[i]->filter, LAYER_DYNAMIC, f.id);
        int err = filters_add(&j->result.filters, &f);
        if (err < 0)
            return err;
    }
    return 0;
}

static int compare_ids(const void *pa, const void *pb)
{
    const uint32_t *a = pa, *b = pb;
    return *a < *b ? -1 : *a > *b;
}

/* A few whose end is known are not looked for in the whole layer. */
static int expire_known(struct job *j, uint32_t *ids, size_t n)
{
    struct dynamic *l = &j->next_layers.dynamic;
    if (n > 1)
        qsort(ids, n, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < n; i++) {
        size_t at = dynamic_find_id(l, ids[i]);
        struct agent_filter f = {.action = l->v[at]->filter.action};
        filter_id(&l->v[at]->filter, LAYER_DYNAMIC, f.id);
        int err = filters_add(&j->result.filters, &f);
        if (err < 0)
            return err;
        dynamic_remove(l, at);
    }
    j->enforce = n > 0;
    return 0;
}

int prepare_expire(struct agent *a, struct job *j)
{
    uint64_t now = agent_now_ns();
    const struct live *l = quick_live(a);
    uint32_t ids[DELTA_MAX];
    size_t n = 0;
    if (l && live_expired(l, &j->next_layers.dynamic, now, DELTA_MAX, ids, &n))
        return expire_known(j, ids, n);
    int err = note_expired(j, now);
    if (err < 0)
        return err;
    j->enforce = dynamic_drop_expired(&j->next_layers.dynamic, now) > 0;
    return 0;
}

int prepare_host(struct agent *a, struct job *j)
{
    j->enforce = host_print(datapath_host(a->dp), a->in_force->places) != a->host_print;
    return 0;
}

int prepare_names(struct agent *a _unused_, struct job *j)
{
    j->enforce = true; /* without a difference the digest is the same: no flip */
    return 0;
}

int prepare_reload(struct agent *a, struct job *j)
{
    /* Chosen once, when programs are attached. */
    j->hook_ignored = j->config.hook != a->config.hook || j->config.guard != a->config.guard;
    j->config.hook = a->config.hook;
    j->config.guard = a->config.guard;
    j->effective = j->config;
    j->enforce = true;
    int err = settings_overlay(a->store, &j->effective, &j->result.diag);
    j->next_layers.settings = j->effective.filter;
    datapath_set_profiles(a->dp, &j->effective.profiles); /* a refusal takes them back */
    return err;
}

/* True unless the service manager says that the whole system goes down, or does not answer: at
 * shutdown services still listen, so nothing may be lifted (lifecycle.md 2). Without systemd
 * there is nobody to ask, and the administrator's word counts. */
static bool stop_may_lift_blocks(void)
{
    _cleanup_(sd_bus_unrefp_) sd_bus *bus = NULL;
    _cleanup_free_ char *state = NULL;
    if (sd_booted() <= 0)
        return true;
    if (sd_bus_open_system(&bus) < 0 || sd_bus_set_method_call_timeout(bus, 2000000) < 0)
        return false;
    if (sd_bus_get_property_string(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                   "org.freedesktop.systemd1.Manager", "SystemState", NULL,
                                   &state) < 0)
        return false;
    return strcmp(state, "stopping") != 0;
}

int prepare_stop(struct agent *a, struct job *j)
{
    struct dynamic *l = &j->next_layers.dynamic;
    size_t before = l->n;
    if (a->config.lost_on_stop && before > 0 && stop_may_lift_blocks())
        dynamic_clear(l);
    else
        (void)dynamic_drop_permits(l); /* the difference is looked at below */
    j->enforce = l->n != before;
    return 0;
}

int prepare_resync(struct agent *a, struct job *j)
{
    struct dynamic *l = &j->next_layers.dynamic;
    j->enforce = true;
    j->next_layers.settings = a->config.filter;
    if (a->resync_dynamic) {
        uint32_t next_id = l->next_id; /* numbers that were given are not given again */
        dynamic_done(l);
        *l = a->resync;
        a->resync = (struct dynamic){0};
        a->resync_dynamic = false;
        l->next_id = next_id > l->next_id ? next_id : l->next_id;
    }
    return load_assigned(a, &j->next_layers, &j->result.diag);
}
