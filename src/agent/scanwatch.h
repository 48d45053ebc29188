/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scans that the kernel found (datapath/scan.h): events for beginning and end, sources that are
 * blocked for a time. Part of struct agent; scanwatch.c and scanblock.c say how. */
#pragma once
#include "datapath/scan.h"

struct agent;

enum { SCANS_MAX = 1024, SCAN_REPEATERS_MAX = 1024 };

/* One scan that goes on. */
struct scan_followed {
    uint64_t source;
    enum family family;
    struct ip src;
    uint64_t begin_ns;
    uint32_t count; /* before it was detected */
    unsigned kinds;
    bool quiet; /* of a source that is to be ignored: no events */
};

/* Who was blocked, and for how long the last time. */
struct scan_repeater {
    uint64_t source, until_ns;
    uint32_t seconds;
};

struct scan_watch {
    struct scan_followed v[SCANS_MAX];
    unsigned n;
    unsigned tokens;         /* events that scans may have in this second */
    uint64_t more, lost;     /* scans without one; struct scan_stats.lost at the last look */
    struct scan_stats stats; /* at the last look */
    bool known;
    unsigned crowded, calm; /* seconds in succession with too many sources, and without */
    bool blind, wide;
    struct scan_repeater repeaters[SCAN_REPEATERS_MAX];
    unsigned next_repeater;
    unsigned blocks; /* in this minute */
    uint64_t minute_ns;
    bool limit_told;
};

/* Thresholds of the settings in force. At start and after a reload. */
void scanwatch_apply(struct agent *a);
/* To be called every 200 ms, and with `second` once a second. */
void scanwatch_poll(struct agent *a, bool second);

/* scanblock.c: adds a filter for a time, if the settings say so and nothing speaks against it. */
void scanblock_consider(struct agent *a, const struct scan_begin *b);
/* The source, as a filter names it. */
void scan_source_print(enum family f, struct ip src, char *text, size_t size);
