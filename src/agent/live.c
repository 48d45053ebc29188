/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/live.c: see live.h. Pure. Invariant: all of it says what the struct desired says that it
 * was made from, but for ends of filters that are gone: an end counts if the layer has a filter of
 * this number with this deadline. */
#include "live.h"

#include <errno.h>
#include <string.h>

static bool arms(const struct dynamic_entry *e)
{
    return filter_effect(&e->filter) != ACTION_PERMIT;
}

void live_done(struct live *l)
{
    free(l->v);
    free(l->ends);
    l->index = dynamic_index_free(l->index);
    near_done(&l->near);
    *l = (struct live){.of = NULL};
}

/* --- by GUID --- */
/* Number of filters with a smaller GUID. */
static size_t rank_of(const struct live *l, const struct guid *g)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (guid_cmp(&l->v[mid].e->filter.guid, g) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct live_filter *live_find(const struct live *l, const struct dynamic_entry *e)
{
    size_t i = rank_of(l, &e->filter.guid);
    return i < l->n && l->v[i].e == e ? &l->v[i] : NULL;
}

static struct effective_filter effective_of(const struct live_filter *f)
{
    return (struct effective_filter){.filter = &f->e->filter,
                                     .layer = LAYER_DYNAMIC,
                                     .counter_id = f->counter_id,
                                     .deadline_ns = f->e->deadline_ns};
}

static void add_others(const struct effective_filter *from, unsigned n_from,
                       struct effective_filter *to, unsigned *n)
{
    for (unsigned i = 0; i < n_from && *n < PATCH_NEIGHBOURS; i++)
        to[(*n)++] = from[i];
}

void live_neighbours(const struct live *l, struct image_change *c)
{
    size_t at = rank_of(l, &c->added.filter->guid);
    for (size_t i = at; i-- > 0 && c->n_below < PATCH_NEIGHBOURS;)
        c->below[c->n_below++] = effective_of(&l->v[i]);
    for (size_t i = at; i < l->n && c->n_above < PATCH_NEIGHBOURS; i++)
        c->above[c->n_above++] = effective_of(&l->v[i]);
    add_others(l->around.below, l->around.n_below, c->below, &c->n_below);
    add_others(l->around.above, l->around.n_above, c->above, &c->n_above);
}

/* --- ends --- */
static bool is_earlier(const struct live *l, size_t i, size_t k)
{
    return l->ends[i].deadline_ns < l->ends[k].deadline_ns;
}

static void swap_ends(struct live *l, size_t i, size_t k)
{
    struct live_end e = l->ends[i];
    l->ends[i] = l->ends[k];
    l->ends[k] = e;
}

static void add_end(struct live *l, const struct dynamic_entry *e)
{
    if (e->deadline_ns == 0)
        return;
    size_t i = l->n_ends++;
    l->ends[i] = (struct live_end){e->deadline_ns, e->filter.handle};
    for (; i > 0 && is_earlier(l, i, (i - 1) / 2); i = (i - 1) / 2)
        swap_ends(l, i, (i - 1) / 2);
}

static void drop_first_end(struct live *l)
{
    l->ends[0] = l->ends[--l->n_ends];
    for (size_t i = 0, least = 0;; i = least) {
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < l->n_ends; k++)
            if (is_earlier(l, k, least))
                least = k;
        if (least == i)
            return;
        swap_ends(l, i, least);
    }
}

static bool counts(const struct live_end *end, const struct dynamic *layer)
{
    size_t i = dynamic_find_id(layer, end->id);
    return i != SIZE_MAX && layer->v[i]->deadline_ns == end->deadline_ns;
}

uint64_t live_next_deadline(struct live *l, const struct dynamic *layer)
{
    while (l->n_ends > 0 && !counts(&l->ends[0], layer))
        drop_first_end(l);
    return l->n_ends > 0 ? l->ends[0].deadline_ns : 0;
}

/* The parents of what is over are over. An end that came twice gives its number twice. */
bool live_expired(const struct live *l, const struct dynamic *layer, uint64_t now_ns, size_t max,
                  uint32_t *ret_ids, size_t *ret_n)
{
    enum { DEPTH = 64 };
    size_t stack[DEPTH] = {0}, n_stack = l->n_ends > 0, n = 0;
    while (n_stack > 0) {
        size_t i = stack[--n_stack];
        bool known = false;
        if (i >= l->n_ends || l->ends[i].deadline_ns > now_ns)
            continue;
        for (size_t k = 0; k < n; k++)
            known |= ret_ids[k] == l->ends[i].id;
        if (!known && counts(&l->ends[i], layer)) {
            if (n == max)
                return false;
            ret_ids[n++] = l->ends[i].id;
        }
        if (n_stack + 2 > DEPTH)
            return false;
        stack[n_stack++] = 2 * i + 1;
        stack[n_stack++] = 2 * i + 2;
    }
    *ret_n = n;
    return true;
}

/* --- making it --- */
static int compare_guid(const void *pa, const void *pb)
{
    const struct live_filter *a = pa, *b = pb;
    return guid_cmp(&a->e->filter.guid, &b->e->filter.guid);
}

static int add_dynamic(struct live *l, const struct desired *x)
{
    const struct dynamic *layer = &x->layers.dynamic;
    if (array_reserve(&l->v, &l->cap, layer->n + 1, sizeof(*l->v)) < 0 ||
        array_reserve(&l->ends, &l->cap_ends, layer->n + 1, sizeof(*l->ends)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < layer->n; i++) {
        add_end(l, layer->v[i]);
        if (!filter_is_resolved(&layer->v[i]->filter))
            l->v[l->n++] = (struct live_filter){
                .e = layer->v[i], .counter_id = x->e.v[x->dynamic_first + i].counter_id};
    }
    if (l->n > 1)
        qsort(l->v, l->n, sizeof(*l->v), compare_guid);
    return 0;
}

static void count_all(struct live *l, const struct effective *e)
{
    for (size_t i = 0; i < e->n; i++) {
        l->n_port_items += image_port_items(e->v[i].filter);
        l->n_arming += filter_effect(e->v[i].filter) != ACTION_PERMIT;
    }
}

int live_build(struct live *l, const struct desired *x)
{
    static const struct filter in_between = {.proto = PROTO_ANY};
    struct effective fixed = x->e;
    fixed.n = x->dynamic_first;
    live_done(l);
    l->around.added = (struct effective_filter){.filter = &in_between, .layer = LAYER_DYNAMIC};
    int err = image_neighbours(&fixed, &l->around);
    if (err == 0)
        err = dynamic_index_new(&x->layers.dynamic, x->layers.dynamic.n + 16, &l->index);
    if (err == 0)
        err = add_dynamic(l, x);
    if (err == 0)
        err = near_build(&l->near, &x->e, x->dynamic_first);
    for (size_t i = x->dynamic_first; i < x->e.n && err == 0; i++) {
        err = near_reserve(&l->near);
        if (err == 0)
            near_add(&l->near, &x->e.v[i]);
    }
    if (err < 0) {
        live_done(l);
        return err;
    }
    count_all(l, &x->e);
    l->of = x;
    return 0;
}

/* --- changing it --- */
static int remake_index(struct live *l)
{
    struct dynamic_index *x = NULL;
    int err = dynamic_index_new(&l->of->layers.dynamic, l->of->layers.dynamic.n + 16, &x);
    if (err < 0)
        return err;
    dynamic_index_free(l->index);
    l->index = x;
    return 0;
}

/* Ends of filters that are gone are not kept for ever. */
static void drop_old_ends(struct live *l)
{
    const struct dynamic *layer = &l->of->layers.dynamic;
    if (l->n_ends <= 2 * layer->n + 16)
        return;
    l->n_ends = 0;
    for (size_t i = 0; i < layer->n; i++)
        add_end(l, layer->v[i]);
}

int live_reserve(struct live *l, const struct dynamic_delta *delta)
{
    size_t n_ends = l->n_ends + delta->n_added + delta->n_replaced;
    if (array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v)) < 0 ||
        array_reserve(&l->ends, &l->cap_ends, n_ends + 1, sizeof(*l->ends)) < 0 ||
        near_reserve(&l->near) < 0)
        return -ENOMEM;
    drop_old_ends(l);
    return dynamic_index_is_full(l->index) ? remake_index(l) : 0;
}

static void put_in(struct live *l, const struct live_filter *f)
{
    size_t at = rank_of(l, &f->e->filter.guid);
    memmove(&l->v[at + 1], &l->v[at], (l->n - at) * sizeof(*l->v));
    l->v[at] = *f;
    l->n++;
    l->n_port_items += image_port_items(&f->e->filter);
    l->n_arming += arms(f->e);
    add_end(l, f->e);
}

static void take_out(struct live *l, const struct dynamic_entry *e)
{
    size_t at = rank_of(l, &e->filter.guid);
    l->n_port_items -= image_port_items(&e->filter);
    l->n_arming -= arms(e);
    memmove(&l->v[at], &l->v[at + 1], (l->n - at - 1) * sizeof(*l->v));
    l->n--;
}

/* Another object of the same filter. */
static void replace(struct live *l, const struct dynamic_entry *old,
                    const struct dynamic_entry *new)
{
    struct live_filter *f = &l->v[rank_of(l, &old->filter.guid)];
    struct effective_filter ef = effective_of(f);
    near_remove(&l->near, &ef);
    f->e = new;
    ef = effective_of(f);
    near_add(&l->near, &ef);
    add_end(l, new);
}

void live_change(struct live *l, const struct dynamic_delta *delta, const struct dynamic *before,
                 const struct dynamic *after, uint32_t counter_id)
{
    for (unsigned i = 0; i < delta->n_replaced; i++)
        replace(l, before->v[delta->replaced[i].before], after->v[delta->replaced[i].after]);
    for (unsigned i = 0; i < delta->n_deleted; i++)
        take_out(l, before->v[delta->deleted[i]]);
    if (delta->n_added > 0) {
        const struct live_filter f = {
            .e = after->v[delta->added], .counter_id = counter_id, .patched = true};
        put_in(l, &f);
        dynamic_index_add(l->index, after, &f.e->filter);
    }
}
