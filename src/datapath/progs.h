/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loaded eBPF object: descriptors of its programs and maps by number, and their pin names.
 * Descriptors are ours until progs_done(); pins are pins.c's business. */
#pragma once
#include "base/diag.h"

enum {
    MAP_ROOTS,
    MAP_IFROLE,
    MAP_IFROLE_LOW,
    MAP_LOCAL4,
    MAP_LOCAL6,
    MAP_LOCAL_HINT,
    MAP_LOCAL_EXACT,
    MAP_COUNTERS,
    MAP_STATS,
    MAP_LOG_RING,
    MAP_LOG_BUCKETS,
    MAP_LOG_STATS,
    MAP_LO_NEW, /* the tables of `keep state` in the order of bpf/flow.h */
    MAP_LO_EST,
    MAP_RE_NEW,
    MAP_RE_EST,
    MAP_STATE_SHARES,
    MAP_STATE_STAMPS,
    MAP_STATE_WORK,
    MAP_STATE_NEXT,
    MAP_GUARD_NEXT,
    MAP_MPP_CONTROL, /* the maps of bpf/mpp_maps.h in the order of bpf/mpp.h */
    MAP_MPP_SETTINGS,
    MAP_MPP_IFACES,
    MAP_MPP_BANS,
    MAP_MPP_NET_BANS,
    MAP_MPP_CONN_RATE,
    MAP_MPP_SYN_RATE,
    MAP_MPP_DROPS,
    MAP_MPP_COUNTS,
    MAP_SCAN_CONTROL, /* these three are shared as well */
    MAP_SCAN_SPOOFABLE,
    MAP_SCAN_PROVEN,
    MAP_SCAN_ACTIVE,
    MAP_SCAN_RING,
    MAP_SCAN_COUNTS,
    _MAP_MAX
};
enum { PROG_IN, PROG_OUT, PROG_TEST, PROG_STATE, PROG_FORGET, _PROG_MAX };

struct progs {
    int map[_MAP_MAX];
    int prog[_PROG_MAX];
};
#define PROGS_INIT                                                                 \
    {                                                                              \
        .map = {[0 ... _MAP_MAX - 1] = -1}, .prog = { [0 ... _PROG_MAX - 1] = -1 } \
    }

const char *progs_map_name(unsigned map);
const char *progs_prog_name(unsigned prog);

/* Loads the programs. If p->map[] is filled they use those maps, else new ones, and p->map[] is
 * filled. On failure *p is as it was, and *d quotes the last line of the verifier. */
_must_check_ int progs_load(struct progs *p, struct diag *d);
/* Whether this descriptor is a map that the programs can use as number `map`. */
bool progs_map_fits(int fd, unsigned map);
/* Makes prog the one that goes on with what the programs of a hook hand over by this map. */
_must_check_ int progs_go_on(int map, int prog);
/* A refusal to load `what`, with the last line of the verifier's log, which is cut. */
void progs_quote_log(struct diag *d, int r, const char *what, char *log);
void progs_done(struct progs *p);
