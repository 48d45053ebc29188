/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of filters: chunks in the map `counters` (bpf/image.h), so that they grow without
 * loading a program again and survive every generation. They are mapped, so reading them is no
 * call. */
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
    struct pw_counter *mapped[PW_CHUNKS]; /* PW_CHUNK_IDS per CPU */
    uint32_t n_cpus;
};

_must_check_ int counters_open(int outer_fd, struct counters *ret);
/* An empty chunk for this machine, which is in no map yet. */
_must_check_ int counters_new_chunk(void);
void counters_done(struct counters *c);
/* Makes the chunks that ids below n_ids need and adds them to *u for the worker. */
_must_check_ int counters_grow(struct counters *c, uint32_t n_ids, struct diag *d,
                               struct worker_update *u);
/* Gives back what the last counters_grow() made, after it or its job failed. Asking the kernel
 * again could fail as well, and a chunk that is not known would be replaced by an empty one. */
void counters_shrink(struct counters *c);
void counters_read(const struct counters *c, uint32_t first, uint32_t n, struct counter *out);
void counters_reset(const struct counters *c, uint32_t id);
