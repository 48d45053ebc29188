/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From records of the log to events. Part of struct agent; droplog.c says how. */
#pragma once
#include "base/util.h"

struct agent;

struct droplog {
    /* Effective filter of each counter id, of this state; made when a record asks for it. */
    const void *of;      /* struct desired */
    uint64_t generation; /* of the image that was in force then */
    uint32_t *filter;
    size_t n;
    unsigned polls;
    bool known;                /* the numbers below are those of the last look */
    uint64_t suppressed, lost; /* struct log_stats */
};
void droplog_done(struct droplog *l);
/* Reads what is in the ring; to be called every 200 ms. */
void droplog_poll(struct agent *a);
