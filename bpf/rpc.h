/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs that confine RPC servers (bpf/rpc.bpf.c) share with their loader (src/rpc).
 * Everything is indexed by the number of the port itself, not by its place in the set, so that a
 * changed set is nothing but other bits in `member`: who holds what stays as it is.
 *
 * Per protocol, `refs` is the truth: 0 = nobody holds the port, and only a compare-and-swap from 0
 * to 1 hands it out. `busy` and `limbo` are hints that make the search short; a wrong bit costs one
 * step and is repaired by whoever finds it.
 *   busy   not to be handed out by the first pass
 *   limbo  given back, but the kernel may not have freed it: the release hook runs before the port
 *          is free. The next call of the same thread proves that it is, see rpc_pending; until
 *          then only the second pass takes it, the longest free first
 * `seeded` are ports of strangers that were bound before the programs were there: each holds one
 * reference that only user space gives back. */
#pragma once
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum {
    RPC_LAYOUT = 1, /* raised with every change in this file */
    RPC_PORTS = 65536,
    RPC_WORDS = RPC_PORTS / 64,
    RPC_UNITS_MAX = 4096,
    RPC_SOCKS_MAX = 65536,
    RPC_LEVELS = 8, /* how deep a unit's directory may lie */
    RPC_PENDING = 4096,
    RPC_RING_BYTES = 256 * 1024,
    RPC_RESERVE_AUTO = 0xffffffff,
    RPC_RESERVE_MIN = 4,
    RPC_RESERVE_MORE = 2, /* above what was ever needed */
};

enum { RPC_TCP, RPC_UDP, RPC_PROTOS };

struct rpc_table {
    __u64 member[RPC_WORDS]; /* written by user space only */
    __u64 busy[RPC_WORDS];
    __u64 limbo[RPC_WORDS];
    __u64 seeded[RPC_WORDS]; /* user space only */
    __u32 refs[RPC_PORTS];
    __u32 freed[RPC_PORTS];    /* when, in units of 1024 ns, modulo 2^32 */
    __u32 first_word, n_words; /* of member; n_words 0 = no set */
    __u32 n_ports;
    __u32 cursor;  /* port at which the next search begins */
    __s32 held;    /* by units, handed out by us */
    __s32 clients; /* of these, connected */
    __s32 peak;    /* most of held - clients */
    __u32 hint;    /* port that became free last: worth a look when hardly any is */
};
_Static_assert(sizeof(struct rpc_table) % 8 == 0, "element of an array map");

/* How bind(0) of a unit is answered. */
enum rpc_mode {
    RPC_MODE_PASS,   /* not rewritten */
    RPC_MODE_INSIDE, /* a port of the set, or EADDRINUSE */
    RPC_MODE_LOOSE,  /* a port of the set, or one of the kernel's choice */
    RPC_MODE_REFUSE, /* EACCES: settings are invalid */
};

/* Whom a unit says it is for. */
enum rpc_class {
    RPC_CLASS_INTERNET,
    RPC_CLASS_LOOSE, /* internet, with overflow */
    RPC_CLASS_LOCAL,
    RPC_CLASS_DEFAULT,
    RPC_CLASS_OWN, /* walks the set by itself, with explicit binds */
    RPC_CLASSES = 8,
};

enum rpc_stat {
    RPC_STAT_REWRITES,
    RPC_STAT_OVERFLOWS,
    RPC_STAT_EXHAUSTED,
    RPC_STAT_GUARDED, /* refused or, with the guard off, counted */
    RPC_STAT_FOREIGN, /* explicit binds that were let through */
    RPC_STAT_NO_PORT, /* clients with IP_BIND_ADDRESS_NO_PORT */
    RPC_STAT_RETRIES, /* the bind before failed after the rewrite */
    RPC_STAT_REFUSED, /* RPC_MODE_REFUSE, or no memory for the socket */
    RPC_STAT_LIMBO,   /* handed out by the second pass */
    RPC_STAT_LOST,    /* events that did not fit into the ring */
    RPC_STATS = 16,
};

struct rpc_conf {
    __u32 layout;
    __u32 guard; /* 1 = refuse, 0 = count */
    __u32 mode[RPC_CLASSES];
    __u32 reserve; /* numbers kept for listeners */
    __u32 _pad;
    __u64 guard_event_ns; /* last one */
    __u64 guard_quiet;    /* refused since */
    __u64 stat[RPC_STATS];
};

/* Value of a unit; its key is the id of its directory. */
struct rpc_unit {
    __u32 class; /* enum rpc_class */
    __u32 _pad;
    __s32 held[RPC_PROTOS], clients[RPC_PROTOS];
    __u64 rewrites, overflows, exhausted;
    __u64 exhausted_event_ns[RPC_PROTOS], exhausted_quiet[RPC_PROTOS];
    __u64 reserve_event_ns[RPC_PROTOS], reserve_quiet[RPC_PROTOS];
};

/* What a socket holds. Accepted children are other sockets and hold nothing. */
enum {
    RPC_SOCK_CONFIRMED = 1, /* the kernel took it */
    RPC_SOCK_CLIENT = 2,
    RPC_SOCK_FOREIGN = 4, /* explicit bind: not of our handing out */
};
struct rpc_sock {
    __u64 unit;
    __u16 port;
    __u8 proto; /* RPC_TCP, RPC_UDP */
    __u8 flags;
    __u32 _pad;
};

/* The port that a thread gave back last, by a hash of its id: (tid << 32 | proto << 16 | port), 0 =
 * none. The thread's next call here proves that its close() of then has ended. */
struct rpc_pending {
    __u64 v;
};

enum rpc_record_kind {
    RPC_RECORD_EXHAUSTED,
    RPC_RECORD_RESERVE,
    RPC_RECORD_GUARD,
};
struct rpc_record {
    __u64 unit;  /* id of the directory; 0 = none of the units */
    __u64 count; /* since the record before, this one included */
    __u32 pid;
    __u32 held, clients, reserve; /* of the protocol, then */
    __u16 port;
    __u8 proto, kind;
    char comm[16];
    __u32 _pad;
};
