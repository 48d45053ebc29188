/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/counter_index.c: see counter_index.h. Called by droplog.c for each record and by flows.c
 * for each flow. */
#include "counter_index.h"

#include <string.h>

#include "internal.h"

#define NO_FILTER UINT32_MAX

void counter_index_done(struct counter_index *x)
{
    free(x->filter);
    *x = (struct counter_index){0};
}

static void make(struct agent *a)
{
    struct counter_index *x = &a->counter_index;
    const struct effective *e = &a->in_force->e;
    size_t n = counter_ids_limit(a->ids);
    counter_index_done(x);
    x->filter = malloc((n + 1) * sizeof(*x->filter));
    if (!x->filter)
        return; /* the next question tries again */
    memset(x->filter, 0xff, (n + 1) * sizeof(*x->filter));
    x->n = n;
    for (size_t i = e->n; i-- > 0;) {
        if (e->v[i].counter_id < n)
            x->filter[e->v[i].counter_id] = (uint32_t)i;
    }
    x->of = a->in_force;
    x->generation = a->run.generation;
}

const struct effective_filter *filter_of_counter(struct agent *a, uint32_t counter_id)
{
    struct counter_index *x = &a->counter_index;
    if (!a->in_force || counter_id == COUNTER_NONE)
        return NULL;
    if (x->of != a->in_force || x->generation != a->run.generation)
        make(a);
    if (counter_id >= x->n || x->filter[counter_id] == NO_FILTER)
        return NULL;
    return &a->in_force->e.v[x->filter[counter_id]];
}
