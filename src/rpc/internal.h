/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's own state, and what its files ask of each other: engine.c (life, apply), units.c
 * (which directories are confined), watch.c (reconciliation, events), status.c. Nobody else sees
 * struct rpc_engine. */
#pragma once
#include "cgroup.h"
#include "load.h"
#include "rpc/rpc.h"
#include "socks.h"
#include "tables.h"
#include "want.h"

struct ring_buffer;

enum { UNIT_KNOWN_SOCKETS = 64, EVENT_TEXT_BYTES = 1024, UNIT_OUTSIDE_BYTES = 256 };

struct unit {
    char name[RPC_UNIT_NAME_BYTES];
    enum rpc_class class;
    uint64_t id;        /* 0 = not running */
    uint64_t looked_at; /* id whose sockets of before are in known */
    char path[CGROUP_PATH_BYTES];
    struct cgroup_ids ids;              /* of path and below, at the last look */
    uint64_t known[UNIT_KNOWN_SOCKETS]; /* inodes of sockets outside the set that were told */
    size_t n_known;
    enum rpc_how how;
    char why[256]; /* of RPC_HOW_SAMBA and RPC_HOW_NFS: what failed, "" = nothing */
};

/* An event that user space found, until rpc_events() hands it out. */
struct found {
    struct rpc_event ev;
    char unit[RPC_UNIT_NAME_BYTES];
    char text[EVENT_TEXT_BYTES];
};

struct rpc_engine {
    struct rpc_options options; /* strings owned */
    char root[CGROUP_PATH_BYTES];
    struct load load;
    struct tables tables;
    struct ring_buffer *ring;
    bool active;   /* programs are attached */
    bool invalid;  /* settings */
    char why[256]; /* not available, or invalid because of */
    struct port_bits set;
    enum rpc_mode mode[RPC_CLASSES];
    struct unit *units; /* owned */
    size_t n_units;
    struct found *found; /* owned */
    size_t n_found, cap_found;
    uint64_t escapes;
    struct port_bits own; /* kept for those who walk the set by themselves: stay seeded */
    uint16_t nfs_port;    /* one of them, of the lock manager; 0 = none */
    bool reload;          /* drop-ins changed */
    unsigned looks;
    /* of the reading of events that runs */
    rpc_event_fn *fn;
    void *ctx;
    unsigned left, n_read;
};

/* --- units.c --- */
/* Makes the list of *w ours: units of the same name keep what is known of them. */
_must_check_ int units_take(struct rpc_engine *e, const struct want *w);
void units_forget(struct rpc_engine *e);
/* Looks for the directories and writes their ids into the map; what is not wanted any more leaves
 * it. Number of units that came or went, or -errno. */
_must_check_ int units_sync(struct rpc_engine *e);
struct unit *units_by_id(struct rpc_engine *e, uint64_t id);
/* The unit in whose directory, or below it, a socket was made; NULL. */
struct unit *units_of_sock(struct rpc_engine *e, const struct sock *s);
bool unit_is_inside(const struct rpc_engine *e, const struct unit *u);

/* --- helpers.c --- */
/* Those that the programs do not reach: files of Samba, sysctls of NFS, drop-ins of systemd.
 * Failures are the unit's `why`. */
void helpers_apply(struct rpc_engine *e);
void helpers_remove(struct rpc_engine *e);

/* --- watch.c --- */
/* References for the strangers on ports of `which`. */
_must_check_ int watch_seed(struct rpc_engine *e, const struct port_bits *which);
void watch_found(struct rpc_engine *e, enum rpc_event_kind kind, const struct unit *u,
                 const struct sock *s, const char *text);
/* Reader of the ring; what it finds goes to e->fn. */
int watch_on_record(void *ctx, void *data, size_t len);
/* A port that nobody chose by number: of the range from which the kernel takes. */
bool watch_is_dynamic(uint16_t port);

/* --- status.c --- */
/* "udp 127.0.0.1:821 (explicit)", appended with ", " in front if out is not empty. */
void status_add_outside(const struct sock *s, char *out, size_t size);
