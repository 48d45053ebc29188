/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/dynamic.c: the list of dynamic filters, as a value that can be copied and thrown away.
 * Called by change_filter.c, internal_jobs.c, snapshot.c and desired.c. No clock: the time
 * comes from the caller. Invariant: entries are immutable once shared; ids only grow. */
#include "dynamic.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"

static struct dynamic_entry *entry_unref(struct dynamic_entry *e)
{
    if (!e || --e->refs > 0)
        return NULL;
    filter_done(&e->filter);
    free(e->reason);
    free(e);
    return NULL;
}

static void entry_unrefp(struct dynamic_entry **e)
{
    entry_unref(*e);
}

/* Takes *f over. */
static int entry_new(struct filter *f, uint64_t deadline_ns, const char *reason,
                     struct dynamic_entry **ret)
{
    _cleanup_(entry_unrefp) struct dynamic_entry *e = calloc(1, sizeof(*e));
    if (!e)
        return -ENOMEM;
    e->refs = 1;
    filter_init(&e->filter);
    e->deadline_ns = deadline_ns;
    if (reason && *reason && !(e->reason = strdup(reason)))
        return -ENOMEM;
    e->filter = *f;
    filter_init(f);
    *ret = TAKE_PTR(e);
    return 0;
}

void dynamic_clear(struct dynamic *l)
{
    for (size_t i = 0; i < l->n; i++)
        entry_unref(l->v[i]);
    l->n = l->n_named = 0;
}

void dynamic_done(struct dynamic *l)
{
    dynamic_clear(l);
    free(l->v);
    *l = (struct dynamic){0};
}

int dynamic_copy(const struct dynamic *from, struct dynamic *ret)
{
    struct dynamic copy = {.next_id = from->next_id};
    if (from->n > 0 && array_reserve(&copy.v, &copy.cap, from->n, sizeof(*copy.v)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < from->n; i++) {
        copy.v[i] = from->v[i];
        copy.v[i]->refs++;
    }
    copy.n = from->n;
    copy.n_named = from->n_named;
    *ret = copy;
    return 0;
}

int dynamic_add(struct dynamic *l, const struct dynamic_new *o, struct diag *d, size_t *ret_index)
{
    if (l->n >= LIMIT_DYNAMIC_FILTERS) {
        int err = diag_fail(d, DIAG_LIMIT, "more than %d dynamic filters", LIMIT_DYNAMIC_FILTERS);
        diag_hint(d, "portward flush");
        return err;
    }
    uint32_t id = o->id ? o->id : l->next_id + !l->next_id;
    if (id == UINT32_MAX)
        return diag_fail(d, DIAG_LIMIT, "no dynamic filter ids left before the next reboot");
    struct dynamic_entry *e = NULL;
    if (array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v)) < 0 ||
        entry_new(o->filter, o->deadline_ns, o->reason, &e) < 0)
        return -ENOMEM;
    e->filter.guid = o->guid;
    e->filter.handle = id;
    if (id >= l->next_id)
        l->next_id = id + 1;
    l->n_named += filter_is_resolved(&e->filter);
    l->v[l->n] = e;
    *ret_index = l->n++;
    return 0;
}

/* The later of two deadlines; 0, "none", is later than any. */
static uint64_t later(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return 0;
    return a > b ? a : b;
}

int dynamic_extend(struct dynamic *l, size_t i, uint64_t deadline_ns, const char *reason,
                   bool *ret_changed)
{
    const struct dynamic_entry *old = l->v[i];
    uint64_t deadline = later(old->deadline_ns, deadline_ns);
    bool new_reason = reason && *reason && (!old->reason || strcmp(reason, old->reason) != 0);
    if (deadline == old->deadline_ns && !new_reason) {
        *ret_changed = false;
        return 0;
    }
    struct filter copy;
    struct dynamic_entry *e = NULL;
    filter_init(&copy);
    int err = filter_copy(&old->filter, &copy);
    if (err == 0) {
        copy.guid = old->filter.guid;
        copy.handle = old->filter.handle;
        err = entry_new(&copy, deadline, new_reason ? reason : old->reason, &e);
    }
    filter_done(&copy);
    if (err < 0)
        return err;
    entry_unref(l->v[i]);
    l->v[i] = e;
    *ret_changed = true;
    return 0;
}

void dynamic_remove(struct dynamic *l, size_t i)
{
    l->n_named -= filter_is_resolved(&l->v[i]->filter);
    entry_unref(l->v[i]);
    memmove(&l->v[i], &l->v[i + 1], (l->n - i - 1) * sizeof(*l->v));
    l->n--;
}

size_t dynamic_find_id(const struct dynamic *l, uint32_t id)
{
    size_t lo = 0, hi = l->n; /* in the order of their ids, see dynamic.h */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->v[mid]->filter.handle < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < l->n && l->v[lo]->filter.handle == id ? lo : SIZE_MAX;
}

size_t dynamic_find_equal(const struct dynamic *l, const struct filter *f)
{
    for (size_t i = 0; i < l->n; i++)
        if (filter_eq(&l->v[i]->filter, f))
            return i;
    return SIZE_MAX;
}

int dynamic_put(struct dynamic *l, struct dynamic_entry *e)
{
    size_t i = dynamic_find_id(l, e->filter.handle);
    if (i == SIZE_MAX) {
        if (l->n > 0 && l->v[l->n - 1]->filter.handle >= e->filter.handle)
            return -EINVAL;
        if (array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v)) < 0)
            return -ENOMEM;
        i = l->n++;
    } else {
        l->n_named -= filter_is_resolved(&l->v[i]->filter);
        entry_unref(l->v[i]);
    }
    l->n_named += filter_is_resolved(&e->filter);
    l->v[i] = e;
    e->refs++;
    return 0;
}

bool dynamic_difference(const struct dynamic *before, const struct dynamic *after,
                        struct dynamic_delta *ret)
{
    struct dynamic_delta d = {.n_added = 0};
    size_t i = 0, j = 0;
    while (i < before->n || j < after->n) {
        const struct dynamic_entry *old = i < before->n ? before->v[i] : NULL;
        const struct dynamic_entry *new = j < after->n ? after->v[j] : NULL;
        uint32_t old_id = old && old != new ? old->filter.handle : UINT32_MAX;
        uint32_t new_id = new &&old != new ? new->filter.handle : UINT32_MAX;
        if (old == new) {
            i++;
            j++;
        } else if (old_id == new_id && d.n_replaced < DELTA_MAX) {
            d.replaced[d.n_replaced].before = i++;
            d.replaced[d.n_replaced++].after = j++;
        } else if (old_id < new_id && d.n_deleted < DELTA_MAX) {
            d.deleted[d.n_deleted++] = i++;
        } else if (new_id < old_id && d.n_added == 0) {
            d.n_added = 1;
            d.added = j++;
        } else {
            return false;
        }
    }
    *ret = d;
    return true;
}

bool dynamic_is_expired(const struct dynamic_entry *e, uint64_t now_ns)
{
    return e->deadline_ns != 0 && e->deadline_ns <= now_ns;
}

uint64_t dynamic_next_deadline(const struct dynamic *l)
{
    uint64_t next = 0;
    for (size_t i = 0; i < l->n; i++) {
        uint64_t t = l->v[i]->deadline_ns;
        if (t != 0 && (next == 0 || t < next))
            next = t;
    }
    return next;
}

/* Keeps the entries of which drop says no. */
static size_t drop_if(struct dynamic *l, bool (*drop)(const struct dynamic_entry *, uint64_t),
                      uint64_t now_ns)
{
    size_t kept = 0, n = l->n;
    for (size_t i = 0; i < n; i++) {
        if (drop(l->v[i], now_ns)) {
            l->n_named -= filter_is_resolved(&l->v[i]->filter);
            entry_unref(l->v[i]);
        } else {
            l->v[kept++] = l->v[i];
        }
    }
    l->n = kept;
    return n - kept;
}

size_t dynamic_drop_expired(struct dynamic *l, uint64_t now_ns)
{
    return drop_if(l, dynamic_is_expired, now_ns);
}

/* What negotiates denies in the clear and stays like a block. */
static bool is_permit(const struct dynamic_entry *e, uint64_t now_ns _unused_)
{
    return filter_effect(&e->filter) == ACTION_PERMIT;
}

size_t dynamic_drop_permits(struct dynamic *l)
{
    return drop_if(l, is_permit, 0);
}
