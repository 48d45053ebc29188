/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only thread beside the event loop. Updates of an array of maps return after a kernel grace
 * period (6-16 ms, more under load) although they are visible after 0.1 ms; they are made here.
 * A job consists of descriptors and numbers and goes through a socket, as does its result: the
 * threads share no memory. */
#pragma once
#include "base/util.h"

/* Puts maps into slots of an outer map. */
enum { WORKER_UPDATES = 512 };
struct worker_update {
    int outer_fd;
    uint32_t n;
    uint32_t slot[WORKER_UPDATES];
    int fd[WORKER_UPDATES]; /* inner maps */
};

/* Both updates in this order; the second only if the first worked. n = 0: none. */
struct worker_job {
    uint32_t kind; /* comes back with the result */
    struct worker_update counters;
    struct worker_update roots;
};

struct worker;
_must_check_ int worker_new(struct worker **ret);
/* Ends the thread after its last job. NULL is fine. */
struct worker *worker_free(struct worker *w);
void worker_freep(struct worker **w);

/* Duplicates the descriptors of the job, so the caller may close its own. */
_must_check_ int worker_submit(struct worker *w, const struct worker_job *job);
/* Readable when a job has ended. */
int worker_fd(const struct worker *w);
/* Result of the next ended job; -EAGAIN: none. */
_must_check_ int worker_result(struct worker *w, uint32_t *ret_kind, int *ret_error);
