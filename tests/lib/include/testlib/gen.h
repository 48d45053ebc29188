/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random policies and packets for property and differential tests. A policy is made of a few
 * shapes over a small pool of addresses and ports, so that filters overlap, tie and shadow each
 * other, and so that the number of mask shapes stays below LIMIT_GROUPS most of the time (where it
 * does not, gen_policy_halve() and try again). Packets are drawn from corners of the filters +-1.
 * Only what compile enforces is generated. Everything follows from the seed of the struct rng. */
#pragma once
#include "base/rng.h"
#include "base/strbuf.h"
#include "model/packet.h"

/* --- hosts --- */
/* Random local routes and interfaces; host_done() frees them. */
_must_check_ int gen_host(struct rng *r, struct host *ret);

/* --- policies --- */
enum { GEN_FILTERS = 48, GEN_POOL = 12, GEN_PORTS = 6 };
struct gen_policy {
    struct filter f[GEN_FILTERS];
    struct effective_filter v[GEN_FILTERS];
    struct filter_settings settings;
    struct effective e;
    struct ip pool4[GEN_POOL], pool6[GEN_POOL]; /* addresses that filters and packets share */
    uint16_t ports[GEN_PORTS];
};
/* host is borrowed. Deadlines are long past, now_ns, one later, or hours away: a kernel
 * that is asked later than now_ns + 1 and within the hour has no choice. */
_must_check_ int gen_policy_new(struct rng *r, const struct host *host, uint64_t now_ns,
                                struct gen_policy **ret);
/* Some filters get an interface, a profile, a connection type, `log`. */
void gen_policy_places(struct rng *r, struct gen_policy *p);
struct gen_policy *gen_policy_free(struct gen_policy *p);
void gen_policy_freep(struct gen_policy **p);
/* Drops the second half of the filters. */
void gen_policy_halve(struct gen_policy *p);
/* Highest counter id of a policy + 1. */
enum { GEN_COUNTERS = 2 * GEN_FILTERS };
/* Settings, local addresses and filters as people read them; GUIDs only as their last byte. */
_must_check_ int gen_policy_print(const struct effective *e, struct strbuf *out);

/* --- packets --- */
struct packet gen_packet(struct rng *r, const struct gen_policy *p);
enum { GEN_FRAME_BYTES = 512 };
/* The packet as a frame; one in eight gets tags, extension headers, options, other lengths,
 * fragments or wrong bytes. Long enough for BPF_PROG_TEST_RUN, which wants whole fixed headers. */
size_t gen_frame(struct rng *r, const struct packet *p, uint8_t frame[GEN_FRAME_BYTES]);
/* Adds what says nothing about the packet: tags, extension headers, options without effect. */
size_t gen_dress_frame(struct rng *r, uint8_t frame[GEN_FRAME_BYTES], size_t len);

/* --- did the packets hit? --- */
struct gen_stats {
    uint64_t pairs, policies;
    uint64_t by_filter, no_match, structure, earlier;
    uint64_t tier[TIER_FAILSAFE + 1]; /* decided by a filter or entry */
    uint64_t block, permit;           /* by a filter */
    uint64_t sampled, several;        /* one packet in 16 is explained: matches > 1 */
    uint64_t reason[_DROP_REASON_MAX];
    uint64_t tagged, extended, fragments; /* frames with VLAN tags, options or headers, fragments */
};
_must_check_ int gen_count(struct gen_stats *s, const struct effective *e, const struct packet *p,
                           const struct verdict *v, uint64_t now_ns);
void gen_count_frame(struct gen_stats *s, const uint8_t *frame, size_t len);
void gen_stats_print(const struct gen_stats *s);
/* 0, or the number of quotas that were missed, each printed: half of the pairs decided by a
 * filter, a tenth among several matches, each tier, action and odd kind of frame shown. */
unsigned gen_stats_missed(const struct gen_stats *s);
