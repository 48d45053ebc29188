/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layouts of memory pressure protection, shared by the classifier's SYN gate, bpf/mpp.bpf.c and
 * src/mpp. The maps named here are made with the classifier and pinned with its set, so that a
 * change to one of them needs a new IMG_LAYOUT (image.h); MPP_LAYOUT is part of the name under
 * which the stamps are pinned. All numbers are in host order, times are CLOCK_MONOTONIC. */
#pragma once
#include <linux/types.h>

enum { MPP_LAYOUT = 1 };

/* Maps that the classifier and bpf/mpp.bpf.c share, in this order everywhere. */
enum {
    MPP_MAP_CONTROL,
    MPP_MAP_SETTINGS,
    MPP_MAP_IFACES,
    MPP_MAP_BANS,
    MPP_MAP_NET_BANS,
    MPP_MAP_CONN_RATE,
    MPP_MAP_SYN_RATE,
    MPP_MAP_DROPS,
    MPP_MAP_COUNTS,
    MPP_MAP_SCAN_CONTROL,
    MPP_MAP_SCAN_SPOOFABLE, /* of bpf/scan.h: handshakes prove sources there, too */
    MPP_MAP_SCAN_PROVEN,
    _MPP_MAP_MAX,
};

enum {
    MPP_SLOTS = 2, /* of settings: one in force, one to write */
    MPP_PORT_WORD_COUNT = 1024,
    MPP_KEEP_MAX = 16,
    MPP_IFACES_MAX = 4096,
    MPP_BANS_MAX = 16384,
    MPP_NET_BANS_MAX = 1024,
    MPP_CONN_RATE_MAX = 32768,
    MPP_SYN_RATE_MAX = 16384,
    MPP_DROPS_MAX = 1024,
};

/* The gate, mapped by the agent: one aligned word is written at a time. */
struct mpp_control {
    __u32 level;    /* MPP_GATE_* */
    __u32 slot;     /* of the settings in force */
    __u64 until_ns; /* the level holds until then: the agent renews it, or is dead */
    __u32 limits;   /* interfaces with a rate */
    __u32 cookies;  /* 1: SYN cookies are in force, a SYN proves nothing and costs nothing */
};
enum {
    MPP_GATE_OPEN,
    MPP_GATE_COOKIES, /* nothing is dropped; SYN cookies */
    MPP_GATE_BANS,    /* SYNs of banned sources */
    MPP_GATE_RATE,    /* and of prefixes that open too many connections */
    MPP_GATE_ALL,     /* every SYN of a candidate */
};

/* What settings say, by family: index 0 IPv4, 1 IPv6. */
struct mpp_ruleset {
    __u32 generation; /* 0 = none were ever set: nothing is a candidate */
    __u32 on[2];
    __u32 profiles;
    __u16 keep[MPP_KEEP_MAX]; /* 0 = unused */
    __u64 exempt[2][MPP_PORT_WORD_COUNT];
};

/* An interface without an entry is public, with both families on, without a rate. */
struct mpp_ifrule {
    __u32 spare; /* category domain or private */
    __u32 off;   /* bit of the family index */
    __u32 rate;  /* new connections a second; 0 = no limit */
    __u32 _pad;
    __u64 full_ns; /* when the bucket of the rate will be full again */
};

/* A prefix: IPv4 the address or its upper 24 bits, IPv6 the upper 64 or 56 bits. IPv6 addresses in
 * use begin with a bit pattern that makes them larger than any IPv4 number. */
struct mpp_rate {
    __u64 last_ns; /* completed handshake; conn_rate alone */
    __u64 full_ns;
};

/* What the gate dropped, taken away by the agent each second. */
struct mpp_drop_key {
    __u64 prefix;
    __u32 ifindex;
    __u16 port;
    __u8 level, ipv6;
};

/* net.ipv4.tcp_mem, which /proc shows in the first network namespace alone. */
struct mpp_limits {
    __u64 pages[3];
};

enum mpp_count {
    MPP_N_SYN_SEEN,
    MPP_N_SYN_DROP, /* by level: five of them, 0 = connection rate */
    MPP_N_STAMPED = MPP_N_SYN_DROP + 5,
    MPP_N_ADOPTED,
    MPP_N_KILLED,
    MPP_N_KILLED_BYTES,
    MPP_N_ERRORS,
    MPP_N_LOST,   /* records */
    MPP_N_REASON, /* by MPP_R_* */
    _MPP_N_MAX = MPP_N_REASON + 8,
};

/* Flags of a stamp, decided when the connection is made. */
enum {
    MPP_STAMP_EXEMPT = 1,
    MPP_STAMP_SPARED = 2,
    MPP_STAMP_OFF = 4,
    MPP_STAMP_IF_OFF = 8,
    MPP_STAMP_ADOPTED = 16,
    MPP_STAMP_IPV6 = 32,
    MPP_STAMP_KEPT = 64, /* not stored: failsafe port or loopback */
    MPP_STAMP_SETTINGS = MPP_STAMP_EXEMPT | MPP_STAMP_SPARED | MPP_STAMP_OFF | MPP_STAMP_IF_OFF,
};
struct mpp_stamp {
    __u64 born_ns;
    __u64 progress_ns; /* when `acked` was last seen to grow by enough */
    __u64 acked;
    __u32 epoch; /* scan that looked last */
    __u32 ifindex;
    __u32 generation;
    __u32 flags;
};

enum {
    MPP_R_NONE,
    MPP_R_ZERO_WINDOW,
    MPP_R_SMALL_WINDOW,
    MPP_R_NO_ACK,
    MPP_R_NO_PROGRESS,
    MPP_R_ORPHAN,
    MPP_R_IDLE,
    MPP_R_SLOW_DRAIN,
    _MPP_R_MAX,
};

/* One look at all connections; written before it begins, nobody else runs the iterator. */
enum {
    MPP_DO_PRUNE = 1,      /* end what is over the cutoff */
    MPP_DO_RESTRICTED = 2, /* of these only what its peer is to blame for, for long */
    MPP_DO_IDLE = 4,       /* end unused connections */
    MPP_DO_SLOW = 8,       /* rank by what is left over the rate of draining */
    MPP_DO_LIST = 16,      /* write a record of each to the reader */
    MPP_DO_RESTAMP = 32,   /* settings of now for all */
    MPP_DO_SKIP_ORPHANS = 64,
    MPP_DO_BY_READER = 128, /* the reader ends what the records name */
};
struct mpp_scan {
    __u32 what, epoch;
    __u32 cutoff; /* lowest bucket that is ended */
    __u32 floor_ms;
    __u32 idle_ms, idle_same;
    __u32 old_ms;      /* restricted: shortest stall */
    __u32 old_same;    /* restricted: or this many of one source */
    __u64 pressure_ns; /* restricted: the stall began before that */
    __u64 budget_bytes;
    __u32 budget_kills;
    __u32 many_ms; /* floor of sources with many that close their windows */
};

enum {
    MPP_BUCKETS = 64, /* the upper half: of sources with many */
    MPP_FIRST_OF_MANY = 32,
    MPP_BUCKET_MS = 1024,
    MPP_STALL_MAX_MS = 3000, /* of a score */
    MPP_BAN_SAME = 32,       /* connections of one source that condemn it */
    MPP_SAME_MAX = 20,       /* of a score: protects large address translators */
    MPP_MIN_QUEUED = 8192,   /* less is not worth a look */
    MPP_MIN_PROGRESS = 4096, /* bytes acknowledged that count as draining */
    MPP_ORPHAN_MS = 250,     /* floor of many orphans of one source */
    MPP_SHORT_MS = 100,      /* stalls that count for the verdict */
    MPP_LIVELY_MS = 2000,    /* of who took what is queued so many times over: */
    MPP_LIVELY_QUEUES = 2,
    MPP_LATE_MS = 1000, /* most that a long way excuses */
    MPP_TRUST_MS = 500, /* of who took that much and keeps an open window: */
    MPP_TRUST_BYTES = 262144,
    MPP_SLOW_S = 60, /* last resort: longer than that to drain */
};

/* Sums of one look. Index 0: candidates, 1: those that settings spare. */
struct mpp_sums {
    __u64 hist[MPP_BUCKETS];       /* bytes of candidates over their floor, by score */
    __u64 hist_conns[MPP_BUCKETS]; /* connections */
    __u64 queued, stalled[2], orphans;
    __u64 crowd[2]; /* stalled candidates; 1: of sources with many */
    __u64 established, conns[2], exempt, spared, off, kept, adopted;
    __u64 unused[2], unused_old; /* never received a byte; old: for idle_ms */
    __u64 backlog, backlog_full; /* of listeners: waiting; listeners that are full */
    __u64 time_wait, syn_recv;
    __u64 killed, killed_bytes, errors;
    __u64 spared_top_bytes; /* largest stalled spared connection: who is named */
    __u32 spared_top_if;
    __u32 spared_top_port;
};

/* Of a record; include/net/tcp_states.h */
enum {
    MPP_TCP_ESTABLISHED = 1,
    MPP_TCP_TIME_WAIT = 6,
    MPP_TCP_CLOSE_WAIT = 8,
    MPP_TCP_LISTEN = 10,
    MPP_TCP_NEW_SYN_RECV = 12,
};

/* One connection. Written to the ring when it is ended, to the reader when asked for. */
struct mpp_record {
    __u64 time_ns, born_ns, cookie;
    __u8 local[16], peer[16]; /* network order, IPv4 in the first four bytes */
    __u32 ifindex, generation;
    __u32 queued, snd_wnd, stall_ms, score, same;
    __u16 lport, rport;
    __u8 family; /* 4, 6 */
    __u8 state, reason, flags;
    __u8 over; /* list: over the cutoff */
    __u8 _pad[7];
};

struct mpp_source {
    __u32 epoch, stalled, stalled_before, unused, unused_before, _pad;
};
