/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From records of the log to entries: events in the journal, files, and what `portward log` asks
 * for. Part of struct agent; droplog.c says how. */
#pragma once
#include "logfile.h"
#include "loghistory.h"

struct agent;

struct droplog {
    unsigned polls;
    bool known;                /* the numbers below are those of the last look */
    uint64_t suppressed, lost; /* struct log_stats */
    unsigned journal_tokens;   /* records that the journal may still have */
    uint64_t not_in_journal;   /* records that it did not get since the last event about it */
    struct log_history history;
    struct log_files files;
};
/* Reads what is in the ring; to be called every 200 ms. */
void droplog_poll(struct agent *a);
/* The settings in force say where to: at start, after a change of settings, and at SIGHUP. */
void droplog_apply(struct agent *a);
void droplog_done(struct agent *a);
