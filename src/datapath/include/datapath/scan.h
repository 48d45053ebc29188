/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scan detection (bpf/scan.h): what the programs found out about sources that try ports in vain.
 * They count by themselves and outlive the agent; it says from how many ports on a source scans,
 * reads which ones do, and takes a scan away that is over. */
#pragma once
#include "datapath/datapath.h"

/* Distinct ports, or hosts with one port, from which on it is a scan; at most SCAN_LIMIT_MAX. */
enum { SCAN_LIMIT_MIN = 3, SCAN_LIMIT_MAX = 100, SCAN_SWEEP_MAX = 60 };
struct scan_limits {
    bool on;
    unsigned fast, slow, sweep; /* in 10 s, in an hour, in 10 s */
};
/* From now on; sketches that exist stay. */
_must_check_ int datapath_scan_set(struct datapath *dp, const struct scan_limits *l);
/* IPv6 sources of which nothing is known count by /48 instead of /64. */
_must_check_ int datapath_scan_widen(struct datapath *dp, bool wide);

enum scan_pace { SCAN_PACE_FAST, SCAN_PACE_SLOW, SCAN_PACE_SWEEP };
/* What was tried: bits of scan_begin.kinds. */
enum {
    SCAN_KIND_SYN = 1,
    SCAN_KIND_FIN = 2,
    SCAN_KIND_XMAS = 4,
    SCAN_KIND_NULL = 8,
    SCAN_KIND_UDP = 16,
    SCAN_KIND_CLOSED_TCP = 32, /* known by the reset of this host */
    SCAN_KIND_CLOSED_UDP = 64,
};
struct scan_begin {
    uint64_t time_ns; /* boot-time clock */
    uint64_t source;  /* key: the address, or the upper half of an IPv6 one */
    enum family family;
    struct ip src, dst;
    uint32_t ifindex, count;
    uint16_t port;        /* the last one; of a sweep the only one */
    unsigned kinds, kind; /* of all its packets, of the last one */
    enum scan_pace pace;
    bool proven; /* the source completed a handshake with this host */
};
typedef void datapath_scan_fn(void *ctx, const struct scan_begin *b);
/* Gives at most `max` scans that began to fn; their number. */
_must_check_ int datapath_scan_read(struct datapath *dp, unsigned max, datapath_scan_fn *fn,
                                    void *ctx);

enum { SCAN_SAMPLE = 16 };
struct scan_state {
    uint64_t source;
    uint64_t last_ns, count; /* since it was detected; 0 = nothing came */
    uint16_t port[SCAN_SAMPLE];
    unsigned n_ports, kinds;
};
/* -ENOENT: it is not followed. */
_must_check_ int datapath_scan_state(struct datapath *dp, uint64_t source, struct scan_state *ret);
/* Sources of the scans that are followed, at most `max`; their number. */
_must_check_ int datapath_scan_list(struct datapath *dp, uint64_t *sources, size_t max);
/* The scan is over: the source begins with nothing. What fails stays, for the next start. */
int datapath_scan_end(struct datapath *dp, uint64_t source);

/* Since the maps were made. */
struct scan_stats {
    uint64_t new4, new6; /* sources of which nothing was known */
    uint64_t pushed_out; /* of these, by others while they were counted */
    uint64_t detected;
    uint64_t lost; /* not followed, for lack of room */
};
_must_check_ int datapath_scan_stats(struct datapath *dp, struct scan_stats *ret);
enum { SCAN_SOURCES = 49152 }; /* sources of which nothing is known that are remembered */
