/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent keeps in mind of the filters in force, so that the cost of one dynamic filter does
 * not grow with their number: dynamic filters by GUID, by what they say and by their end, the
 * neighbours of the dynamic layer, sums, and the evaluator's index. Made from a struct desired,
 * then changed with it. Called by quick.c; other files ask through agent_live(). */
#pragma once
#include "compile/patch.h"
#include "desired.h"
#include "dynamic_index.h"
#include "selftest_near.h"

struct live_filter {
    const struct dynamic_entry *e; /* without names */
    uint32_t counter_id;
    bool patched; /* came in place: the image lacks nothing in its favour */
};
struct live_end {
    uint64_t deadline_ns;
    uint32_t id;
};
struct live {
    const struct desired *of;   /* NULL = not made */
    struct image_change around; /* neighbours in the other layers */
    struct live_filter *v;      /* by GUID */
    size_t n, cap;
    struct live_end *ends; /* a heap, the earliest first; some of filters that are gone */
    size_t n_ends, cap_ends;
    uint64_t n_port_items; /* of all filters */
    size_t n_arming;
    struct dynamic_index *index;
    struct near near;
};
void live_done(struct live *l);
_must_check_ int live_build(struct live *l, const struct desired *x);

/* Fills c with the neighbours of c->added. */
void live_neighbours(const struct live *l, struct image_change *c);
/* NULL if it is not there or has names. */
const struct live_filter *live_find(const struct live *l, const struct dynamic_entry *e);

/* Before and after desired_change(); the second cannot fail if the first did not. */
_must_check_ int live_reserve(struct live *l, const struct dynamic_delta *delta);
void live_change(struct live *l, const struct dynamic_delta *delta, const struct dynamic *before,
                 const struct dynamic *after, uint32_t counter_id);

/* Earliest deadline in the layer, which l belongs to; 0 = none. */
uint64_t live_next_deadline(struct live *l, const struct dynamic *layer);
/* Numbers of the filters whose time is over, in no order; false if they are more than max. */
bool live_expired(const struct live *l, const struct dynamic *layer, uint64_t now_ns, size_t max,
                  uint32_t *ret_ids, size_t *ret_n);
