/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which filters the evaluator has to look at for one packet. It visits all filters it is given; of
 * those that name a host or a longer prefix only the ones under the packet's own addresses can
 * match. Called by selftest.c. Invariant: what is left out matches no packet with these addresses,
 * and whether the set arms or asks for an interface stays true of what is left. */
#pragma once
#include "model/effective.h"
#include "model/packet.h"

enum { NEAR_BUCKETS = 4096 };
struct near {
    const struct effective *e;
    uint32_t *next;              /* of every filter: number + 1 in its bucket, 0 = last */
    uint32_t head[NEAR_BUCKETS]; /* number + 1 */
    struct effective_filter *v;  /* always looked at, then those of the packet */
    size_t n_always, cap;
    uint32_t cost; /* filters that a packet looks at, on average */
};
void near_done(struct near *x);
_must_check_ int near_build(struct near *ret, const struct effective *e);
/* *ret is valid until the next call. */
_must_check_ int near_of(struct near *x, const struct packet *p, struct effective *ret);
