/* SPDX-License-Identifier: GPL-2.0-or-later */
/* struct datapath, shared by datapath.c (life), generations.c (images), hostmaps.c (interfaces and
 * addresses), question.c (tests). */
#pragma once
#include "attach.h"
#include "counters.h"
#include "datapath/datapath.h"
#include "pins.h"
#include "rtnl.h"
#include "set.h"
#include "worker.h"

enum install { INSTALL_NONE, INSTALL_CANDIDATE, INSTALL_FLIPPING };
enum { JOB_CANDIDATE, JOB_FLIP }; /* worker_job.kind */

struct datapath {
    struct pins pins;
    uint64_t cookie;
    struct set set;
    bool waits_beside; /* SET_BESIDE that has not taken its place yet */
    struct counters counters;
    struct worker *worker;
    struct attach *attach;
    bool attaching; /* datapath_attach_all() was called: new interfaces are attached */
    struct rtnl *rtnl;
    bool adopted;
    uint64_t generation; /* of the active image */
    uint64_t newest;     /* of any slot, at open */
    enum install install;
    bool job_runs;
    int candidate_fd;
    uint64_t candidate_generation;
    struct worker_job job; /* put together here, too big for the stack */
};

/* --- hostmaps.c --- */
extern const struct rtnl_ops hostmaps_ops; /* user pointer: struct datapath */
/* Removes from the maps what an earlier agent knew and this host does not have. */
_must_check_ int hostmaps_remove_stale(struct datapath *dp);

/* --- generations.c --- */
/* The new set takes the place of the one that is in force. */
_must_check_ int generations_replace_set(struct datapath *dp);
