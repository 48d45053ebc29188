/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Self-test of a generation before it decides (datapath.md 6): the loaded program must say
 * about probe packets what the evaluator says. The evaluator is linear in the filters it is given
 * (selftest_near.h), so the number of packets is bounded by work, not by hope: few filters get all
 * their corners and 1,000 random packets, 100,000 a sample. New filters come first. */
#pragma once
#include "datapath/datapath.h"
#include "eval/eval.h"
#include "selftest_near.h"

/* How the program is asked; datapath_test() behind it, or a test's stand-in. */
typedef int (*selftest_ask_fn)(void *ctx, const uint8_t *frame, size_t len,
                               const struct packet_meta *meta, struct datapath_answer *ret);
struct selftest {
    const struct effective *e; /* host: what the kernel's maps say now */
    const size_t *fresh;       /* indices of new filters */
    size_t n_fresh;
    uint64_t seed;
    selftest_ask_fn ask;
    void *ctx;
    uint64_t (*now_ns)(void); /* boot-time clock */
    /* out: */
    uint32_t n_corners, n_random, n_decided; /* decided: by a filter */
    struct near *near; /* of e, NULL = look at all filters; selftest_run() makes its own */
};
/* 0, -EIO with DIAG_SELF_TEST naming packet and both verdicts, or an error of ask(). */
_must_check_ int selftest_run(struct selftest *t, struct diag *d);

/* The same about the corners of one filter, at most max packets. */
_must_check_ int selftest_filter(struct selftest *t, const struct filter *f, uint32_t max,
                                 struct diag *d);

/* Packets that a self-test of n filters, n_fresh of them new, may use if each of them looks at
 * `cost` filters. */
struct selftest_plan {
    uint32_t n_corners, n_random;
};
struct selftest_plan selftest_plan(size_t n, size_t n_fresh, size_t cost);
