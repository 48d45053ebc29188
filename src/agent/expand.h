/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The expansions of one filter (policy.md 1, 3): one per pair of port items, and again with
 * both sides exchanged if it is mirrored. For list (highest weight, number), for the corner
 * packets of the self-test and for the notes about exceptions and conflicts. */
#pragma once
#include "model/weight.h"

struct expansion {
    const struct addr *src, *dst;
    const struct port_range *sport, *dport; /* NULL = any */
    bool twin;
    uint32_t weight;
};
uint32_t expansion_count(const struct filter *f);
/* i below expansion_count(). */
struct expansion expansion_at(const struct filter *f, uint32_t i);
/* The highest weight of all of them. */
uint32_t expansion_top_weight(const struct filter *f);
/* Tier of a filter from a policy or the dynamic layer. */
enum tier expansion_tier(const struct filter *f);

/* [safety] failsafe entry as the filter it means, "permit in tcp from ADDR to me port N". */
struct failsafe;
void failsafe_to_filter(const struct failsafe *s, struct port_range *storage, struct filter *ret);
