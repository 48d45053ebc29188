/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probe packets of the self-test: the corners of a filter (just inside and just outside of each
 * of its bounds) and random ones that mix the values of two filters with the values that
 * exemptions care about. Pure; the seed decides. */
#pragma once
#include "base/rng.h"
#include "model/packet.h"

enum { PROBE_CORNERS_MAX = 24 };
/* Corner packets of one expansion of f, chosen by r. Returns their number. */
unsigned probe_corners(const struct filter *f, const struct host *h, struct rng *r,
                       struct packet out[PROBE_CORNERS_MAX]);
/* a, b: filters whose values are mixed, NULL for none. */
struct packet probe_random(const struct filter *a, const struct filter *b, const struct host *h,
                           struct rng *r);
