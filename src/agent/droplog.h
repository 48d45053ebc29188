/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From records of the log to events. Part of struct agent; droplog.c says how. */
#pragma once
#include "base/util.h"

struct agent;

struct droplog {
    unsigned polls;
    bool known;                /* the numbers below are those of the last look */
    uint64_t suppressed, lost; /* struct log_stats */
};
/* Reads what is in the ring; to be called every 200 ms. */
void droplog_poll(struct agent *a);
