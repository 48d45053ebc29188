/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Confinement of the dynamic ports of RPC servers (bpf/rpc.bpf.c): the engine that loads the
 * programs, keeps their tables in step with the settings, and says who holds which port.
 *
 * The programs are attached at the root of the cgroup tree by pinned links and decide alone: an
 * agent that is stopped, killed or exchanged changes nothing. What is confined is a unit: a
 * directory of cgroup v2, named by a path below its mount ("/app") or by the name of a systemd
 * unit ("rpcbind.service"), which is looked for in the tree. A unit that has no directory yet is
 * kept by name; rpc_reconcile() finds it when it comes, and the drop-in of a systemd unit runs
 * rpc-join before the server starts, so that there no moment is left open.
 *
 * Called by the agent's loop only (one owner). Nothing here blocks longer than a dump of the
 * socket tables takes. All numbers of ports are in host order. */
#pragma once
#include "base/diag.h"
#include "base/util.h"

struct rpc_settings; /* rpc/settings.h */
struct rpc_engine;

enum rpc_proto { RPC_PROTO_TCP, RPC_PROTO_UDP, _RPC_PROTO_MAX };
enum { RPC_UNIT_NAME_BYTES = 256 };

struct rpc_options {
    const char *pin_dir;      /* <pin root>/<netns cookie>; objects lie in rpc/ below it */
    uint64_t netns_cookie;    /* of this namespace: all others pass untouched */
    const char *cgroup_dir;   /* mount of cgroup v2; NULL = look for it */
    const char *state_file;   /* remembers what ip_local_reserved_ports was; lost with a reboot */
    const char *systemd_dir;  /* drop-ins go to <dir>/UNIT.d/; NULL = no systemd here */
    const char *join_program; /* rpc-join, for the drop-ins */
    const char *marker_file;  /* says that files outside of our directories were written: only then
                                 are they taken away, since another agent may have its own */
    const char *samba_conf;   /* NULL = /etc/samba/smb.conf */
    const char *sysctl_dir;   /* NULL = /proc/sys */
};

/* Takes over what is pinned, if there is anything; loads nothing else until settings ask for it. A
 * kernel without what is needed is no failure here: rpc_status() says why. */
_must_check_ int rpc_engine_new(const struct rpc_options *o, struct diag *d,
                                struct rpc_engine **ret);
/* Leaves programs and tables in force. */
struct rpc_engine *rpc_engine_free(struct rpc_engine *e);
void rpc_engine_freep(struct rpc_engine **e);

/* Makes *s what is in force: set of ports, units, guard, reserve, reserved ports, drop-ins, files
 * of Samba, sysctls of NFS. No set of ports and no unit: everything is taken away again, sockets
 * keep their ports. Settings that are invalid (rpc_settings.invalid) fail closed: units are refused
 * every bind to port 0. -EBUSY with DIAG_CONFLICT: without s->keep_holders strangers wait on ports
 * that are new in the set, or units hold ports that leave it; the message names them and nothing
 * has changed. With it the set is what they leave of it. */
_must_check_ int rpc_apply(struct rpc_engine *e, const struct rpc_settings *s, struct diag *d);
/* The same without changing anything: for --dry-run, and before a setting is stored. */
_must_check_ int rpc_try(struct rpc_engine *e, const struct rpc_settings *s, struct diag *d);

/* To be called every 500 ms: units that came or went, strangers that went, links that somebody
 * removed, listeners outside of the set. Number of repairs, or -errno. */
int rpc_reconcile(struct rpc_engine *e);

/* Whether drop-ins were written or removed since the last call: the service manager has to read its
 * units again. */
bool rpc_take_reload(struct rpc_engine *e);

/* --- events --- */
enum rpc_event_kind {
    RPC_EVENT_EXHAUSTED,      /* no free port; count = refused since the last such event */
    RPC_EVENT_RESERVE,        /* clients reached the listener reserve */
    RPC_EVENT_ESCAPE,         /* a listener of a unit outside of the set */
    RPC_EVENT_GUARD,          /* another program wanted a port of the set */
    RPC_EVENT_RESTART_NEEDED, /* a unit runs with ports outside of the set */
    RPC_EVENT_TAMPER,         /* a link or pin of ours was gone and was made again */
    RPC_EVENT_CONFIG_INVALID, /* settings are invalid, text says why */
    RPC_EVENT_FAILED,         /* something could not be taken away, text says why */
    _RPC_EVENT_MAX,
};
const char *rpc_event_name(enum rpc_event_kind k); /* "rpc-exhausted" ... */
struct rpc_event {
    enum rpc_event_kind kind;
    enum rpc_proto proto;
    uint16_t port; /* 0 = none */
    uint32_t pid;
    uint64_t count; /* how often since the last one of this kind and unit, at least 1 */
    uint32_t held, clients, reserve; /* of the protocol */
    char comm[16];
    const char *unit; /* NULL = none of the units */
    const char *text; /* addresses, ports, reason; NULL = nothing */
};
typedef void rpc_event_fn(void *ctx, const struct rpc_event *ev);
/* Hands out what has happened; at most max. Number of events, or -errno. */
int rpc_events(struct rpc_engine *e, unsigned max, rpc_event_fn *fn, void *ctx);

/* --- status --- */
enum rpc_holder_kind {
    RPC_HOLDER_LISTENER, /* or bound and not connected */
    RPC_HOLDER_CLIENT,   /* bound to a port of the set, then connected */
    RPC_HOLDER_STRANGER, /* not of a unit */
};
struct rpc_holder {
    enum rpc_proto proto;
    uint16_t port;
    enum rpc_holder_kind kind;
    bool in_set;
    uint32_t uid;
    uint64_t inode;                 /* of the socket, 0 = unknown */
    char address[48];               /* local address as text */
    char unit[RPC_UNIT_NAME_BYTES]; /* "" = none of the units */
};

enum rpc_how {
    RPC_HOW_CGROUP, /* the programs */
    RPC_HOW_SAMBA,  /* its own file of settings */
    RPC_HOW_NFS,    /* sysctls of the kernel's lock manager */
};
const char *rpc_how_name(enum rpc_how h); /* "cgroup" "samba" "nfs" */
enum rpc_unit_state {
    RPC_UNIT_CONFINED,
    RPC_UNIT_ABSENT,        /* not running: confined when it starts */
    RPC_UNIT_RESTART,       /* runs with ports outside of the set */
    RPC_UNIT_OUTSIDE,       /* its class is kept out of the set (truth table) */
    RPC_UNIT_REFUSED,       /* settings are invalid: bind to port 0 is refused */
    RPC_UNIT_NOT_AVAILABLE, /* `why` says what is missing */
};
const char *rpc_unit_state_name(enum rpc_unit_state s); /* "confined" "not running" ... */
struct rpc_unit_status {
    char name[RPC_UNIT_NAME_BYTES];
    char class_name[16]; /* "internet" "local" "default" */
    bool loose;
    enum rpc_how how;
    enum rpc_unit_state state;
    uint32_t held[_RPC_PROTO_MAX], clients[_RPC_PROTO_MAX];
    uint64_t rewrites, overflows, exhausted;
    char outside[256]; /* "udp 127.0.0.1:821 (explicit), tcp 0.0.0.0:47957", "" = nothing */
    char why[256];
};

struct rpc_numbers { /* of one protocol */
    uint32_t total, used, clients, strangers, quarantine;
    uint32_t reserve;       /* in force */
    uint32_t max_listeners; /* held together since the programs were loaded */
    uint32_t recommended;   /* size of the set: see rpc_recommend() */
};
struct rpc_status {
    bool active;    /* programs are attached */
    bool available; /* by this kernel; else why */
    bool invalid;   /* settings: fail closed; else why is empty */
    bool guard;
    char why[256];
    char range[512]; /* "5001-5021", "" = none; cut */
    struct rpc_numbers n[_RPC_PROTO_MAX];
    uint64_t rewrites, overflows, exhausted, escapes, guarded, no_port, failed;
    struct rpc_unit_status *units; /* owned */
    size_t n_units;
    struct rpc_holder *holders; /* ports of the set, then those of units outside; owned */
    size_t n_holders;
};
void rpc_status_done(struct rpc_status *s);
_must_check_ int rpc_status(struct rpc_engine *e, struct diag *d, struct rpc_status *ret);
/* max + 25 %, at least max + 4. */
uint32_t rpc_recommend(uint32_t max_held);
