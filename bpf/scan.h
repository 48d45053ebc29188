/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layouts of scan detection, shared by the programs (scan_maps.h, scan_count.h) and by user space
 * (src/datapath/scan.c). The maps are made with the classifier and pinned with its set. Sources
 * are numbers as in bpf/mpp.h: an IPv4 address, or the upper half of an IPv6 one, which is larger
 * than any IPv4 number. Host order. */
#pragma once
#include <linux/types.h>

enum {
    SCAN_WAYS = 4,               /* entries of a set, of which one has the source */
    SCAN_SPOOFABLE_SETS = 12288, /* sources of which nothing is known */
    SCAN_PROVEN_SETS = 4096,     /* sources that completed a handshake */
    SCAN_ACTIVE_MAX = 1024,      /* scans that are followed at one time */
    SCAN_RING_BYTES = 1 << 16,
    SCAN_PORTS = 16,      /* of a scan that are named */
    SCAN_TICK_SHIFT = 24, /* windows are counted in 2^24 ns, 16.8 ms */
    SCAN_SKETCH_BITS = 128,
    SCAN_SWEEP_BITS = 64,
};

/* Element 0 of map `scan_control`, mapped by the agent. */
struct scan_control {
    __u32 on;
    __u32 fast_bits, slow_bits, sweep_bits; /* set bits of a sketch that make a scan */
    __u32 fast_ticks, slow_ticks;           /* length of the windows */
    __u64 seed;                             /* of the sketches */
    __u64 mask6; /* of IPv6 sources of which nothing is known: /64, or /48 in a flood of them */
};

/* What a packet tried. */
enum {
    SCAN_SYN = 1,
    SCAN_FIN = 2,
    SCAN_XMAS = 4,
    SCAN_NULL = 8,
    SCAN_UDP = 16,
    SCAN_CLOSED_TCP = 32, /* seen by the answer: a reset, to whatever it was */
    SCAN_CLOSED_UDP = 64, /* port unreachable */
};

/* One source. A sketch has a bit for each hash of protocol and port (linear counting), so that
 * repeating a port changes nothing. Written without a lock: a bit may be lost and comes again. */
struct scan_entry {
    __u64 fast[2], slow[2]; /* of the two windows */
    __u64 sweep;            /* destinations with `port`, in the fast window */
    __u32 fast_at, slow_at; /* ticks at which the windows began */
    __u32 count;            /* packets in the slow window */
    __u16 port;             /* the last one */
    __u8 kinds;             /* SCAN_* in the slow window */
    __u8 hot;               /* a scan of this source is followed */
};

/* Maps `scan_spoofable` and `scan_proven` are arrays of sets: a lookup is no call, a source that is
 * new costs little more, and memory is what it is. Which set: scan_set_of(). */
struct scan_set {
    __u64 source[SCAN_WAYS]; /* 0 = the entry is free */
    struct scan_entry entry[SCAN_WAYS];
};
_Static_assert(sizeof(struct scan_set) == 256, "the memory that is promised");

static inline __attribute__((always_inline)) __u32 scan_set_of(__u64 source, __u64 seed,
                                                               __u32 n_sets)
{
    __u64 x = (source ^ seed) * 0x9e3779b97f4a7c15ULL;

    x = (x ^ x >> 32) * 0xff51afd7ed558ccdULL;
    return (__u32)((x >> 32) * n_sets >> 32);
}

enum { SCAN_FAST, SCAN_SLOW, SCAN_SWEEP };

/* Map `scan_ring`: the beginning of a scan. */
struct scan_record {
    __u64 time_ns; /* boot-time clock */
    __u64 source;
    __u64 src_hi, src_lo; /* the address in full */
    __u64 dst_hi, dst_lo;
    __u32 ifindex;
    __u32 count;
    __u16 port; /* the last one */
    __u8 family;
    __u8 kinds;
    __u8 pace; /* SCAN_FAST, SCAN_SLOW, SCAN_SWEEP */
    __u8 proven;
    __u8 kind; /* of the last packet */
    __u8 _pad;
};
_Static_assert(sizeof(struct scan_record) == 64, "size of a record");

/* Map `scan_active`, by source: how a scan goes on. The agent takes it away. */
struct scan_progress {
    __u64 last_ns; /* boot-time clock */
    __u64 count;
    __u16 port[SCAN_PORTS]; /* the first ones after it was found */
    __u32 n_ports;          /* of these */
    __u32 kinds;
};

/* Map `scan_counts`, per CPU. */
enum {
    SCAN_N_NEW4, /* sources of which nothing was known */
    SCAN_N_NEW6,
    SCAN_N_PUSHED, /* of these, pushed out in the fast window */
    SCAN_N_DETECTED,
    SCAN_N_LOST, /* scans that could not be followed or told */
    _SCAN_N_MAX,
};
