/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a counter id, as records and flows of the kernel carry it, to the filter in force. Part of
 * struct agent; made when somebody asks, and again after the next generation. */
#pragma once
#include "base/util.h"

struct agent;
struct effective_filter;

struct counter_index {
    const void *of;      /* struct desired */
    uint64_t generation; /* of the image that was in force then */
    uint32_t *filter;    /* by counter id, index into the effective filters */
    size_t n;
};
void counter_index_done(struct counter_index *x);
/* NULL: none is in force that counts there, or no memory. Filters that stand for one that was
 * written share its counter: the first of them. Borrowed until the next change. */
const struct effective_filter *filter_of_counter(struct agent *a, uint32_t counter_id);
