/* SPDX-License-Identifier: GPL-2.0-or-later */
/* struct datapath, shared by datapath.c (life), generations.c (images), hostmaps.c (interfaces and
 * addresses), question.c (tests), guarding.c (the guard). */
#pragma once
#include "attach.h"
#include "counters.h"
#include "datapath/datapath.h"
#include "guard.h"
#include "localexact.h"
#include "localhint.h"
#include "pins.h"
#include "rtnl.h"
#include "set.h"
#include "worker.h"

enum install { INSTALL_NONE, INSTALL_CANDIDATE, INSTALL_FLIPPING };
enum { JOB_CANDIDATE, JOB_FLIP }; /* worker_job.kind */

struct log;
struct scan;

/* The active image in our memory, kept by inplace.c. */
struct mapped_image {
    uint32_t map_id;
    uint8_t *lines; /* NULL = none */
    size_t size;
};

struct datapath {
    struct pins pins;
    uint64_t cookie;
    struct set set;
    bool waits_beside; /* SET_BESIDE that has not taken its place yet */
    struct counters counters;
    struct log *log;   /* NULL until it is read */
    struct scan *scan; /* NULL until it is read */
    struct worker *worker;
    struct attach *attach;
    bool attaching; /* datapath_attach_all() was called: new interfaces are attached */
    bool guard_wanted;
    struct guard *guard;      /* NULL: not wanted, or not loaded */
    struct diag guard_reason; /* why it is not there, or not whole */
    bool guarded;             /* interfaces carry PW_IF_GUARDED */
    bool guard_settled; /* a guard of an earlier agent was taken off, or there is one of ours */
    struct rtnl *rtnl;
    struct local_hint hint;
    struct local_exact exact;
    bool adopted;
    uint64_t generation; /* of the active image */
    uint64_t newest;     /* of any slot, at open */
    enum install install;
    bool job_runs;
    int candidate_fd;
    uint64_t candidate_generation;
    struct mapped_image mapped;
    struct worker_job job; /* put together here, too big for the stack */
};

/* --- hostmaps.c --- */
extern const struct rtnl_ops hostmaps_ops; /* user pointer: struct datapath */
/* Removes from the maps what an earlier agent knew and this host does not have. */
_must_check_ int hostmaps_remove_stale(struct datapath *dp);

/* The roles of all interfaces again, after dp->guarded changed. */
_must_check_ int hostmaps_write_roles(const struct datapath *dp);

/* --- guarding.c --- */
/* Loads the guard if it is wanted. That it cannot be is no failure: it is said in the status. */
void guarding_open(struct datapath *dp);
/* Brings about what is wanted; number of links that had to be made or put back. Nothing while an
 * older set is in force: its guard stays with it. */
int guarding_apply(struct datapath *dp);

/* --- inplace.c --- */
/* The image in force is another one, or the end: the old one's memory is given back. */
void inplace_forget(struct datapath *dp);

/* --- log.c --- */
void log_close(struct datapath *dp);
/* Another filter has this counter id from now on. */
_must_check_ int log_forget(struct datapath *dp, uint32_t counter_id);

/* --- scan.c --- */
void scan_close(struct datapath *dp);

/* --- generations.c --- */
/* The new set takes the place of the one that is in force. */
_must_check_ int generations_replace_set(struct datapath *dp);
