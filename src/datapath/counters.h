/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of filters: chunks of per-CPU arrays in the map `counters` (bpf/image.h), so that they
 * grow without loading a program again and survive every generation. */
#pragma once
#include "base/diag.h"
#include "datapath/datapath.h"
#include "image.h"
#include "worker.h"

struct counters {
    int outer_fd;      /* borrowed */
    uint32_t n;        /* chunks */
    uint32_t n_before; /* the last counters_grow() */
    int chunk[PW_CHUNKS];
    unsigned n_cpus;
    struct pw_counter *per_cpu; /* one value as the kernel copies it */
};

_must_check_ int counters_open(int outer_fd, struct counters *ret);
void counters_done(struct counters *c);
/* Makes the chunks that ids below n_ids need and adds them to *u for the worker. */
_must_check_ int counters_grow(struct counters *c, uint32_t n_ids, struct diag *d,
                               struct worker_update *u);
/* Gives back what the last counters_grow() made, after it or its job failed. Asking the kernel
 * again could fail as well, and a chunk that is not known would be replaced by an empty one. */
void counters_shrink(struct counters *c);
_must_check_ int counters_read(const struct counters *c, uint32_t first, uint32_t n,
                               struct counter *out);
_must_check_ int counters_reset(const struct counters *c, uint32_t id);
