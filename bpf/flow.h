/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `keep state` remembers (datapath.md 9), shared by the programs (state.h) and by the agent
 * (src/datapath/flows.c), which lists, sweeps and deletes. A flow is named by the packet that a
 * permit let through, its forward packet; answers have it reversed. Addresses and ports are in host
 * order. Part of the layout of maps: a change here raises IMG_LAYOUT. */
#pragma once
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Key of the tables. IPv4 addresses in the low 32 bits of *_lo. ICMP echo has its id in both
 * ports, protocols without ports have none. */
struct pw_flow {
    __u64 src_hi, src_lo, dst_hi, dst_lo;
    __u16 sport, dport;
    __u8 proto;
    __u8 family; /* 4, 6 */
    __u8 _pad[2];
};

/* How the forward packet was judged, so that it can be judged again, and what became of it. */
enum {
    PW_FLOW_EGRESS = 1,
    PW_FLOW_JUDGED = 2,
    PW_FLOW_FROM_HOST = 4,
    PW_FLOW_TO_HOST = 8,
    PW_FLOW_NOT_ME = 16,
    PW_FLOW_NO_MARTIAN = 32,
    PW_FLOW_ANSWERED = 64,
    PW_FLOW_CLOSING = 128, /* FIN or RST in the direction of the permit */
};

struct pw_entry {
    __u64 last_seen_ns; /* of the boot clock; a quarter of the lifetime late at most */
    __u64 w;            /* tier and weight of the permit */
    __u32 counter_id;
    __u32 epoch; /* low half of img_header.state_epoch under which the permit was found */
    __u32 owner; /* who asked for it, in the tables of this host: user id */
    __u8 flags;  /* PW_FLOW_* */
    __u8 zone;
    __u8 marks; /* IMG_MARK_* of the permit */
    __u8 _pad;
};

/* Tables by who opened the flow and whether the other side has answered, by number. */
enum { PW_LO_NEW, PW_LO_EST, PW_RE_NEW, PW_RE_EST, PW_TABLES };
enum {
    PW_NEW_MAX = 65536,
    PW_EST_MAX = 262144,
    PW_SHARES_MAX = 16384,
    PW_SHARE = 8, /* one user or source has at most this part of a table */
    PW_EVICT_SAMPLE = 64,
};

/* Value of socket storage: connections of this host. entry.last_seen_ns is when it was opened. */
struct pw_stamp {
    struct pw_flow flow;
    struct pw_entry entry;
};

/* Entries that an owner has in a table; the sweep counts anew. */
struct pw_share {
    __u64 hi, lo; /* user id in lo, or source /32 or /64 */
    __u32 table;
    __u32 _pad;
};

enum {
    PW_LIFE_UDP = 60,
    PW_LIFE_ANSWERED = 180,
    PW_LIFE_ICMP = 10,
    PW_LIFE_TCP = 7440,
    PW_LIFE_CLOSING = 10,
};

/* Seconds of silence after which an entry counts no more. */
static inline __attribute__((always_inline)) __u64 pw_lifetime(__u8 proto, __u8 flags)
{
    if (proto == 1 || proto == 58)
        return PW_LIFE_ICMP;
    if (flags & PW_FLOW_CLOSING)
        return PW_LIFE_CLOSING;
    if (proto == 6)
        return PW_LIFE_TCP;
    return flags & PW_FLOW_ANSWERED ? PW_LIFE_ANSWERED : PW_LIFE_UDP;
}

static inline __attribute__((always_inline)) struct pw_share
pw_share_of(__u32 table, const struct pw_flow *f, const struct pw_entry *e)
{
    struct pw_share s = {.table = table};

    if (table == PW_LO_NEW || table == PW_LO_EST) {
        s.lo = e->owner;
    } else {
        s.hi = f->src_hi;
        s.lo = f->family == 4 ? f->src_lo : 0;
    }
    return s;
}

/* Where the program that takes a stamp away reads the flow from its packet. */
enum { PW_FORGET_AT = 14 };

/* Room for what the programs of one CPU hand to each other (state.h, struct pw_work). */
enum { PW_WORK_BYTES = 768 };

_Static_assert(sizeof(struct pw_flow) == 40 && sizeof(struct pw_entry) == 32, "table sizes");
_Static_assert(sizeof(struct pw_stamp) == 72 && sizeof(struct pw_share) == 24, "no holes");
