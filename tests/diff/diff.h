/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frame of the differential tests: random policies times random packets, eval against something
 * else (a backend). diff_main() draws, compares, counts what was hit, and on the first difference
 * prints policy, packet and both answers, then drops filters one by one while the difference
 * stays. Everything follows from the printed seed. */
#pragma once
#include "testlib/gen.h"

/* What is compared. */
struct outcome {
    bool block;
    enum drop_reason reason;
    enum tier tier;
    uint32_t weight, counter_id;
};

struct question {
    struct packet packet;
    uint8_t frame[GEN_FRAME_BYTES];
    size_t len;
    uint64_t now_ns;
};

struct backend {
    const char *name;
    uint32_t packets_per_policy; /* default */
    /* Host of the next policies; borrowed until the next call. */
    int (*host)(void *self, struct rng *r, const struct host **ret);
    uint64_t (*now_ns)(void *self);
    /* Makes the policy decide. -E2BIG: too many shapes, try a smaller one. */
    int (*install)(void *self, const struct effective *e);
    /* The verdict of eval on what the backend will see. False: the backend has no say. */
    bool (*expect)(void *self, const struct effective *e, const struct question *q,
                   struct verdict *ret);
    int (*ask)(void *self, const struct effective *e, const struct question *q,
               struct outcome *ret);
    void *self;
};

/* --pairs N --seed S --packets-per-policy N. PORTWARD_BREAK=block|reason|tier|weight|counter turns
 * that field of one answer in some hundreds round: the run must then fail. Exit status 0 or 1. */
int diff_main(int argc, char **argv, const struct backend *b);

/* --- report.c --- */
struct outcome outcome_of(const struct verdict *v);
bool outcome_eq(const struct outcome *a, const struct outcome *b);
void report_question(const struct question *q);
void report_policy(const struct effective *e);
void report_outcome(const char *who, const struct outcome *o);
/* Applies PORTWARD_BREAK to an answer. Depends on the question only, so that it survives the
 * shrinking. */
void break_outcome(const struct question *q, struct outcome *o);
