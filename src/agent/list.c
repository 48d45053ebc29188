/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/list.c: the filters in force with their counters, in the order in which they decide.
 * Called by the API (list, counters). Invariant: the order is total, so that two calls give the
 * same list. */
#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "internal.h"

static int compare(const void *pa, const void *pb)
{
    const struct agent_filter *a = pa, *b = pb;
    if (a->tier != b->tier)
        return a->tier > b->tier ? -1 : 1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (a->derived != b->derived)
        return a->derived ? -1 : 1;
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    /* Ids of one layer: the shorter number is the smaller one. */
    size_t la = strlen(a->id), lb = strlen(b->id);
    if (la != lb)
        return la < lb ? -1 : 1;
    int by_id = strcmp(a->id, b->id);
    return by_id ? by_id : strcmp(a->text, b->text);
}

static bool policy_is_assigned(const struct agent *a, const char *name)
{
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++) {
        const struct policy_ref *p = a->in_force->layers.policy[s];
        if (p && utf8_casecmp(p->policy->name, name) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(const struct effective_filter *ef, const struct agent_list_query *q)
{
    if (q->layer >= 0 && ef->layer != (enum layer)q->layer)
        return false;
    return !q->policy || (ef->policy && utf8_casecmp(ef->policy, q->policy) == 0);
}

/* All counters at once: one by one they are a system call each. */
static int read_counters(struct agent *a, struct counter **ret)
{
    uint32_t n = counter_ids_limit(a->ids);
    struct counter *c = calloc((size_t)n + 1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    int err = n > 0 ? datapath_counters(a->dp, 0, n, c) : 0;
    if (err < 0) {
        free(c);
        return err;
    }
    *ret = c;
    return 0;
}

size_t agent_n_filters(const struct agent *a)
{
    return a->in_force ? a->in_force->n_written : 0;
}

int agent_list(struct agent *a, const struct agent_list_query *q, struct diag *d,
               struct agent_filters *ret)
{
    _cleanup_(agent_filters_done) struct agent_filters l = {0};
    _cleanup_free_ struct counter *counters = NULL;
    int err = 0;
    if (q->policy && !policy_is_assigned(a, q->policy)) {
        err = diag_fail(d, DIAG_UNKNOWN_OBJECT, "policy '%s' is not assigned", q->policy);
        diag_hint(d, "portward policy list");
        return err;
    }
    err = read_counters(a, &counters);
    for (size_t i = 0; err == 0 && i < a->in_force->n_written; i++) {
        const struct effective_filter *ef = &a->in_force->e.v[i];
        struct agent_filter f;
        if (!is_wanted(ef, q))
            continue;
        err = view_filter(a, a->in_force, i, &counters[ef->counter_id], &f);
        if (err == 0)
            err = filters_add(&l, &f);
    }
    if (err == 0 && q->all)
        err = derived_filters(a, &l);
    if (err < 0)
        return diag_errno(d, err, "cannot list filters");
    if (l.n > 1)
        qsort(l.v, l.n, sizeof(*l.v), compare);
    *ret = l;
    l = (struct agent_filters){0};
    return 0;
}
