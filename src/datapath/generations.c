/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images on their way into force: candidate, flip, and a new set taking the place of an old one.
 * Invariant: one installation at a time, one worker job at a time; the active image changes by a
 * single update of the root that also keeps the old image as previous. */
#include <bpf/bpf.h>
#include <errno.h>

#include "images.h"
#include "internal.h"

static void forget_candidate(struct datapath *dp)
{
    close_p(&dp->candidate_fd);
    dp->install = INSTALL_NONE;
}

static int submit(struct datapath *dp, uint32_t kind, struct diag *d)
{
    dp->job.kind = kind;
    dp->job.roots.outer_fd = dp->set.progs.map[MAP_ROOTS];
    int r = worker_submit(dp->worker, &dp->job);
    if (r < 0)
        return diag_errno(d, r, "cannot hand the image to the worker");
    dp->job_runs = true;
    return 0;
}

static int candidate(struct datapath *dp, const struct image *img, uint32_t n_counters,
                     struct diag *d)
{
    struct worker_update *roots = &dp->job.roots;

    dp->job.counters.n = 0;
    int r = counters_grow(&dp->counters, n_counters, d, &dp->job.counters);
    if (r < 0)
        return r;
    dp->candidate_fd = image_map_new(img->lines, img->n_lines);
    if (dp->candidate_fd < 0)
        return diag_errno(d, dp->candidate_fd, "cannot make an image of %u lines", img->n_lines);
    roots->n = 1;
    roots->slot[0] = PW_ROOT_CANDIDATE;
    roots->fd[0] = dp->candidate_fd;
    return submit(dp, JOB_CANDIDATE, d);
}

int datapath_candidate(struct datapath *dp, const struct image *img, uint32_t n_counters,
                       struct diag *d)
{
    if (dp->install != INSTALL_NONE || dp->job_runs) {
        diag_fail(d, DIAG_CONFLICT, "another change is being installed");
        return -EBUSY;
    }
    int r = candidate(dp, img, n_counters, d);
    if (r < 0) {
        forget_candidate(dp);
        counters_shrink(&dp->counters);
        return r;
    }
    dp->candidate_generation = img->generation;
    dp->install = INSTALL_CANDIDATE;
    return 0;
}

int datapath_flip(struct datapath *dp, struct diag *d)
{
    struct worker_update *roots = &dp->job.roots;

    if (dp->install != INSTALL_CANDIDATE || dp->job_runs) {
        diag_fail(d, DIAG_CONFLICT, "no candidate is ready to be put in force");
        return -EBUSY;
    }
    _cleanup_(close_p) int active = image_map_at(dp->set.progs.map[MAP_ROOTS], PW_ROOT_ACTIVE);
    if (active < 0)
        return diag_errno(d, active, "cannot find the active image");
    dp->job.counters.n = 0;
    roots->n = 2;
    roots->slot[0] = PW_ROOT_PREVIOUS;
    roots->fd[0] = active;
    roots->slot[1] = PW_ROOT_ACTIVE;
    roots->fd[1] = dp->candidate_fd;
    int r = submit(dp, JOB_FLIP, d);
    if (r < 0)
        return r;
    dp->install = INSTALL_FLIPPING;
    return 0;
}

void datapath_abandon(struct datapath *dp)
{
    /* Its slot keeps the image until the next candidate: nobody asks it. */
    if (dp->install == INSTALL_CANDIDATE)
        forget_candidate(dp);
}

int generations_replace_set(struct datapath *dp)
{
    int r =
        attach_set_programs(dp->attach, dp->set.progs.prog[PROG_IN], dp->set.progs.prog[PROG_OUT]);

    if (r < 0) /* the old set stays in force, the next flip tries again */
        return r;
    dp->waits_beside = false;
    (void)guarding_apply(dp); /* datapath_reconcile() tries again */
    return set_take_place(&dp->pins, &dp->set);
}

static int flipped(struct datapath *dp)
{
    dp->generation = dp->candidate_generation;
    forget_candidate(dp);
    inplace_forget(dp);
    return dp->waits_beside ? generations_replace_set(dp) : 0;
}

int datapath_worker_fd(const struct datapath *dp)
{
    return worker_fd(dp->worker);
}

int datapath_worker_process(struct datapath *dp)
{
    uint32_t kind;
    int error;
    int r = worker_result(dp->worker, &kind, &error);

    if (r < 0)
        return r;
    dp->job_runs = false;
    if (error < 0) {
        forget_candidate(dp);
        if (kind == JOB_CANDIDATE)
            counters_shrink(&dp->counters);
        return error;
    }
    return kind == JOB_FLIP ? flipped(dp) : 0;
}

uint64_t datapath_newest(const struct datapath *dp)
{
    return dp->newest;
}

uint64_t datapath_generation(const struct datapath *dp)
{
    return dp->generation;
}
