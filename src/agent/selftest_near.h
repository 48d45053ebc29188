/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which filters the evaluator has to look at for one packet. It visits all filters it is given; of
 * those that name a host or a longer prefix only the ones under the packet's own addresses can
 * match. Called by selftest.c, and by live.c, which keeps one over many changes. Invariant: what is
 * left out matches no packet with these addresses, and whether the set arms or asks for an
 * interface stays true of what is left. */
#pragma once
#include "model/effective.h"
#include "model/packet.h"

enum { NEAR_BUCKETS = 4096, NEAR_ALL = NEAR_BUCKETS };

/* A filter that came later. */
struct near_later {
    struct effective_filter ef;
    uint32_t next; /* number + 1 in its bucket, or of the next free one; 0 = last */
};
struct near {
    const struct effective *e;
    uint32_t *next;              /* of every filter: number + 1 in its bucket, 0 = last */
    uint32_t head[NEAR_BUCKETS]; /* number + 1 */
    struct effective_filter *v;  /* always looked at, then those of the packet */
    size_t n_always, cap;
    bool armed;    /* by the filters that were there from the begin */
    uint32_t cost; /* filters that a packet looks at, on average; not those that came later */
    struct near_later *later;
    uint32_t n_later, first_free, later_head[NEAR_BUCKETS + 1]; /* NEAR_ALL: always looked at */
    size_t cap_later, n_later_arming, n_later_always;
};
void near_done(struct near *x);
/* Of the first n filters of e. */
_must_check_ int near_build(struct near *ret, const struct effective *e, size_t n);
/* *ret is valid until the next call. */
_must_check_ int near_of(struct near *x, const struct packet *p, struct effective *ret);

/* Room for one filter more: the next near_add() cannot fail. */
_must_check_ int near_reserve(struct near *x);
void near_add(struct near *x, const struct effective_filter *ef);
/* One that came later, found by its address and counter. */
void near_remove(struct near *x, const struct effective_filter *ef);
