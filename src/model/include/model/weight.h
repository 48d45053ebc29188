/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Precedence (policy.md 3): the most specific filter wins, order never matters. An expanded
 * filter has one address, one port range per side; its weight is a pure function of it. */
#pragma once
#include "model/filter.h"

enum tier { TIER_ORDINARY = 0, TIER_OVERRIDE = 1, TIER_EXEMPTION = 2, TIER_FAILSAFE = 3 };
const char *tier_name(enum tier t);

/* 0 (any) .. 128 (host or me): field A of one side. Not for names and keywords. */
unsigned weight_address(const struct addr *a);
/* Fields D and E: any 0, exact 17, a range of s ports max(1, 16 - ceil(log2 s)). range NULL =
 * any. */
unsigned weight_ports(const struct port_range *range);
/* ICMP type with code counts as exact, type alone as a range of 256; -1 = not given. */
unsigned weight_icmp(int type, int code);
/* Weight of one expansion of f: src/dst, one destination and one source port item (NULL =
 * any). Tier is separate. */
uint32_t filter_weight(const struct filter *f, const struct addr *src, const struct addr *dst,
                       const struct port_range *sport, const struct port_range *dport);

/* The fields of a weight, for explain. */
struct weight_fields {
    unsigned addresses, source, protocol, dport, sport, where, action;
};
struct weight_fields weight_split(uint32_t w);
/* Name of the most significant field in which a and b differ: "addresses", "source",
 * "protocol", "destination port", "source port", "where", "action"; NULL if equal. */
const char *weight_decider(uint32_t a, uint32_t b);
