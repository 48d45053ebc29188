/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of check and diff (compile/check.h, compile/diff.h) against eval.
 *   analysis_small.c    random policies on a universe so small that every packet is asked
 *   analysis_real.c     random policies of tests/lib on the real one, by sampling
 *   analysis_planted.c  2,000 filters and one planted instance of every finding
 * PORTWARD_BREAK=box|finding|example spoils an answer on purpose: then the tests must fail. */
#pragma once
#include "base/rng.h"
#include "compile/check.h"
#include "compile/diff.h"
#include "testlib/gen.h"

struct analysis {
    uint64_t pairs, seed;
    struct rng rng;
    const char *broken; /* PORTWARD_BREAK, "" = nothing */
    /* What was seen, for the quotas. */
    uint64_t policies, diffs, equal, incomplete, changes, points, points_changed;
    uint64_t dead[_FINDING_MAX], alive, examples, examples_infeasible;
};
/* 0, or -EILSEQ after the difference was printed, or another negative errno. */
int analysis_small(struct analysis *a);
int analysis_real(struct analysis *a);
int analysis_planted(struct analysis *a);

/* Calls the functions under test; spoils the answer if told so. */
int analysis_diff(struct analysis *a, const struct effective *x, const struct effective *y,
                  struct diff_result *ret);
int analysis_check(struct analysis *a, const struct effective *e, const struct check_options *o,
                   struct finding_list *ret);
void analysis_print(const char *title, const struct effective *e);
void analysis_print_packet(const struct packet *p, unsigned class);

/* 0 = permitted, 1 = permitted if secured, 2 = blocked; -1: not asked of the filters. */
int analysis_verdict(const struct effective *e, const struct packet *p, size_t *ret_index);
static inline bool one_in(struct rng *r, uint32_t n)
{
    return rng_below(r, n) == 0;
}
enum { ANALYSIS_NOW = 1000000000 };
