/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reference evaluator: slow, obvious, the oracle for everything else (policy.md 2-6,
 * datapath.md 5). It reads struct effective literally for every packet, filter by filter, and
 * shares no code with compile. explain, check, the self-test of a new generation and the
 * differential tests all ask it. Pure. */
#pragma once
#include "model/packet.h"

/* Verdict for one packet. now_ns: boot-time clock, for deadlines. Never fails. */
struct verdict eval_packet(const struct effective *e, const struct packet *p, uint64_t now_ns);

/* The deciding expansion and its strongest competitors, for explain. Candidates are every
 * matching expansion, best first: tier, weight, then layer and GUID. */
struct eval_candidate {
    size_t index;      /* into e->v; SIZE_MAX for failsafe and exemptions */
    const char *entry; /* static name of a failsafe or exemption entry, else NULL */
    size_t failsafe;   /* number of the failsafe entry if that is what it is, else SIZE_MAX */
    enum tier tier;
    uint32_t weight;
    bool block;
    bool twin;    /* matched as the mirrored twin */
    bool expired; /* a permit past its deadline: listed, does not decide */
};
struct eval_explanation {
    struct verdict verdict;
    struct eval_candidate *v; /* owned; v[0] decided if verdict.decider is filter, failsafe or
                                 exemption entry */
    size_t n;
};
_must_check_ int eval_explain(const struct effective *e, const struct packet *p, uint64_t now_ns,
                              struct eval_explanation *ret);
void eval_explanation_done(struct eval_explanation *x);

/* Parses a frame from its network header's EtherType on: 802.1Q/ad tags, IPv4, IPv6, extension
 * headers, as datapath.md 5.1 says. frame begins with a 14-byte Ethernet header. The result is
 * either a packet, or a verdict that structure alone gives: not IP (pass), or a reason that
 * drops while armed. */
struct eval_parsed {
    bool is_ip;              /* false: passes, *packet unset */
    enum drop_reason reason; /* DROP_NONE: packet is valid */
    struct packet packet;    /* meta copied from the argument */
};
void eval_parse_frame(const uint8_t *frame, size_t len, const struct packet_meta *meta,
                      bool source_route_classify, struct eval_parsed *ret);
/* Both in one: what the datapath must say about these bytes. */
struct verdict eval_frame(const struct effective *e, const uint8_t *frame, size_t len,
                          const struct packet_meta *meta, uint64_t now_ns);

/* Writes an Ethernet frame for p (both MACs zero: lo's own address, which BPF_PROG_TEST_RUN takes
 * as a frame for the host), headers with right lengths and checksums. Returns its length, at most
 * EVAL_FRAME_BYTES. Inverse of eval_parse_frame for every packet that this can return: a later
 * fragment gets offset 185, a source route one LSRR option or a routing header; hop limit 0 is
 * written as 64. */
enum { EVAL_FRAME_BYTES = 160 };
size_t eval_build_frame(const struct packet *p, uint8_t frame[EVAL_FRAME_BYTES]);

/* How far a destination or source is "me" for this packet (policy.md 2): exposed for explain. */
bool eval_src_is_me(const struct effective *e, const struct packet *p);
bool eval_dst_is_me(const struct effective *e, const struct packet *p);
