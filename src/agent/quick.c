/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/quick.c: a dynamic filter comes, goes or expires: the work is that of this filter.
 * Called by change.c before the ways that build the desired state anew. Invariants: what can fail
 * comes before the first store, and the line in the journal, too; what is in force, its digest and
 * struct live change together, after the program has answered; nothing here looks at all filters,
 * but for one that was covered by a filter that goes (image_change.shadows). */
#include "quick.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "inplace.h"
#include "internal.h"

struct quick {
    struct live *live;
    struct dynamic_delta delta;
    const struct dynamic *before;
    struct dynamic *after;
    struct image_change change;
    struct image_patch patch;
    struct runstate run;
    uint32_t added_counter;
    bool stores; /* the image changes; else only texts and ends of blocks do */
};

struct live *quick_live(struct agent *a)
{
    return a->in_force && a->live.of == a->in_force ? &a->live : NULL;
}

static struct live *live_now(struct agent *a)
{
    if (!quick_live(a) && a->in_force && live_build(&a->live, a->in_force) < 0)
        return NULL;
    return quick_live(a);
}

void quick_prepare(struct agent *a)
{
    struct image active;
    if (live_now(a) && datapath_image(a->dp, &active) < 0)
        return; /* the next change maps it, or needs a new one */
}

/* --- what changes --- */
static bool asks_place(const struct dynamic_entry *e)
{
    return e->filter.interface || e->filter.profile != PROFILE_NONE;
}

static bool same_layers(const struct layers *x, const struct layers *y)
{
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++)
        if (x->policy[s] != y->policy[s])
            return false;
    return memcmp(&x->settings, &y->settings, sizeof(x->settings)) == 0;
}

static bool is_kind(struct agent *a, const struct job *j)
{
    return (j->kind == JOB_REQUEST || j->kind == JOB_EXPIRE) && !j->settings_changed &&
           !batch_before(a);
}

/* An end is part of the image of a permit only, of others that there is one. */
static bool is_same_in_image(const struct dynamic_entry *x, const struct dynamic_entry *y)
{
    return filter_effect(&x->filter) != ACTION_PERMIT && !x->deadline_ns == !y->deadline_ns;
}

/* Whether every filter that changes is known and can come or go alone. */
static bool can_change(const struct agent *a, struct quick *q)
{
    const struct dynamic_delta *d = &q->delta;
    for (unsigned i = 0; i < d->n_deleted; i++) {
        const struct dynamic_entry *e = q->before->v[d->deleted[i]];
        if (!live_find(q->live, e) || asks_place(e))
            return false;
    }
    for (unsigned i = 0; i < d->n_replaced; i++) {
        const struct dynamic_entry *old = q->before->v[d->replaced[i].before];
        if (!live_find(q->live, old) || !is_same_in_image(old, q->after->v[d->replaced[i].after]))
            return false;
    }
    const struct dynamic_entry *added = d->n_added ? q->after->v[d->added] : NULL;
    if (added &&
        (filter_is_resolved(&added->filter) || (asks_place(added) && !a->in_force->places)))
        return false;
    q->stores = d->n_added + d->n_deleted > 0;
    return q->stores || d->n_replaced > 0;
}

static bool is_quick(struct agent *a, struct job *j, struct quick *q)
{
    q->live = is_kind(a, j) ? live_now(a) : NULL;
    if (!q->live || a->run.generation != datapath_generation(a->dp) ||
        !same_layers(&a->in_force->layers, &j->next_layers) ||
        host_print(datapath_host(a->dp), a->in_force->places) != a->host_print)
        return false;
    q->before = &a->in_force->layers.dynamic;
    q->after = &j->next_layers.dynamic;
    return dynamic_difference(q->before, q->after, &q->delta) && can_change(a, q);
}

/* --- the image --- */
static bool arms(const struct filter *f)
{
    return filter_effect(f) != ACTION_PERMIT;
}

static int add_new(struct agent *a, struct quick *q)
{
    const struct dynamic_entry *e = q->after->v[q->delta.added];
    struct image_change *c = &q->change;
    int err = counter_ids_get(a->ids, &e->filter.guid, &q->added_counter, NULL);
    if (err < 0)
        return err;
    c->adds = true;
    c->added = (struct effective_filter){.filter = &e->filter,
                                         .layer = LAYER_DYNAMIC,
                                         .counter_id = q->added_counter,
                                         .deadline_ns = e->deadline_ns};
    live_neighbours(q->live, c);
    bool fits = a->in_force->e.n < LIMIT_EFFECTIVE_FILTERS &&
                q->live->n_port_items + image_port_items(&e->filter) <= LIMIT_EFFECTIVE_FILTERS &&
                counter_ids_limit(a->ids) <= datapath_counter_room(a->dp);
    return fits ? 0 : -EAGAIN;
}

static void add_deleted(struct agent *a, struct quick *q)
{
    for (unsigned i = 0; i < q->delta.n_deleted; i++) {
        const struct live_filter *f = live_find(q->live, q->before->v[q->delta.deleted[i]]);
        q->change.deleted[q->change.n_deleted++] =
            (struct effective_filter){.filter = &f->e->filter,
                                      .layer = LAYER_DYNAMIC,
                                      .counter_id = f->counter_id,
                                      .deadline_ns = f->e->deadline_ns};
        if (a->stats.n_shadowed > 0 && !f->patched)
            q->change.shadows = &a->in_force->e;
    }
}

static int compute(struct agent *a, struct quick *q)
{
    struct image_change *c = &q->change;
    size_t n_arming = q->live->n_arming;
    q->run.generation = install_next_number(a);
    c->host = a->in_force->e.host;
    c->generation = q->run.generation;
    int err = q->delta.n_added > 0 ? add_new(a, q) : 0;
    if (err == 0) {
        add_deleted(a, q);
        n_arming += c->adds && arms(c->added.filter);
        for (unsigned i = 0; i < c->n_deleted; i++)
            n_arming -= arms(c->deleted[i].filter);
        c->armed = n_arming > 0;
        err = inplace_compute(a, c, &q->patch);
    }
    if (err < 0)
        a->unused_number = q->run.generation;
    return err;
}

/* --- on disk --- */
static int write_down(struct agent *a, const struct quick *q)
{
    struct snapshot_origin o = a->origin;
    struct journal_change c = {.before = q->before,
                               .after = q->after,
                               .delta = &q->delta,
                               .added_counter = q->added_counter,
                               .run = q->run};
    for (unsigned i = 0; i < q->change.n_deleted; i++)
        c.deleted_counter[i] = q->change.deleted[i].counter_id;
    return journal_append(&a->journal, a->options.runtime_dir, &o, &c);
}

/* --- in force --- */
static void change_near(struct quick *q, bool forward)
{
    const struct image_change *c = &q->change;
    if (c->adds && forward)
        near_add(&q->live->near, &c->added);
    else if (c->adds)
        near_remove(&q->live->near, &c->added);
    for (unsigned i = 0; i < c->n_deleted; i++) {
        if (forward)
            near_remove(&q->live->near, &c->deleted[i]);
        else
            near_add(&q->live->near, &c->deleted[i]);
    }
}

static int store_and_ask(struct agent *a, struct quick *q)
{
    struct inplace_test t = {.e = &a->in_force->e, .near = &q->live->near};
    if (q->change.adds)
        t.filter[t.n++] = q->change.added.filter;
    for (unsigned i = 0; i < q->change.n_deleted; i++)
        t.filter[t.n++] = q->change.deleted[i].filter;
    change_near(q, /* forward= */ true);
    int err = inplace_store(a, &q->patch, &t);
    if (err < 0)
        change_near(q, /* forward= */ false);
    return err;
}

static void take(struct agent *a, struct quick *q)
{
    if (q->change.adds)
        counter_ids_keep(a->ids, &q->change.added.filter->guid);
    for (unsigned i = 0; i < q->change.n_deleted; i++)
        counter_ids_retire(a->ids, &q->change.deleted[i].filter->guid);
    live_change(q->live, &q->delta, q->before, q->after, q->added_counter);
    desired_change(a->in_force, &q->delta, q->after, q->added_counter);
    a->run = q->run;
    if (q->stores) {
        a->in_force_since_ns = agent_now_ns();
        a->patched = true;
    }
}

static int put_in_force(struct agent *a, struct quick *q)
{
    int err = q->stores ? compute(a, q) : 0;
    if (err == 0)
        err = live_reserve(q->live, &q->delta);
    if (err == 0)
        err = desired_reserve(a->in_force, &q->delta);
    if (err < 0)
        return err;
    desired_digest_after(a->in_force, &q->delta, q->after, q->added_counter, q->run.digest);
    err = write_down(a, q);
    if (err == 0 && q->stores && store_and_ask(a, q) < 0) {
        install_restore_files(a);
        err = -EAGAIN;
    }
    if (err == 0)
        take(a, q);
    return err;
}

int quick_change(struct agent *a, struct job *j)
{
    struct quick q = {.run = a->run};
    if (!is_quick(a, j, &q))
        return -EAGAIN;
    a->in_force->e.host = datapath_host(a->dp);
    int err = put_in_force(a, &q);
    if (err < 0 && q.change.adds)
        counter_ids_take_back(a->ids, &q.change.added.filter->guid);
    image_patch_done(&q.patch);
    j->result.flipped = err == 0 && q.stores;
    return err < 0 ? -EAGAIN : 0; /* the long way meets the same error, and says so, or helps */
}
