/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From where a port of this host can be reached, by the filters in force. The source addresses are
 * cut at every prefix that a filter names, and the reference evaluator is asked for one address of
 * each piece, so that the answer holds for all of them. Asked are packets that open something (a
 * SYN, a datagram) and that come in over an interface: `keep state` is not part of the answer, nor
 * are sources that only this host may use (loopback, multicast, its own addresses).
 * Pure: the caller gives filters, host and clock. */
#pragma once
#include "base/strbuf.h"
#include "model/packet.h"

/* One place at a socket where packets can arrive. */
struct reach_question {
    enum family family;
    bool any_own;      /* a wildcard: every address of the host but loopback */
    struct ip address; /* else this one */
    uint8_t proto;
    uint32_t ifindex; /* bound to a device, 0 = any */
};

/* Sources first..last that are treated alike. */
struct reach_piece {
    struct ip first, last;
    struct ip address;         /* of the host, an example if `any_own` and others are alike */
    const struct iface *iface; /* NULL = all alike; borrowed from the host */
    uint16_t sport;            /* 0 = an ordinary port, else packets from this port only */
    bool block;
    enum decider decider;
    size_t index; /* into the effective filters (failsafe entries), SIZE_MAX = none */
    const char *exemption;
};
struct reach {
    enum family family;
    struct reach_piece *v; /* by interface, address, source port, then first */
    size_t n, cap;
    bool everywhere; /* the same at every interface and address: `v` has one of them */
    bool no_address; /* the host has no address of the family */
    bool complete;   /* false: more pieces than are looked at; the last one is a guess */
};
void reach_done(struct reach *r);

enum { REACH_PIECES_MAX = 20000, REACH_SPORTS_MAX = 16, REACH_ADDRESSES_MAX = 64 };

/* The filters that can match at one question, for many ports. */
struct reach_base;
_must_check_ int reach_base_new(const struct effective *e, const struct reach_question *q,
                                uint64_t now_ns, struct reach_base **ret);
struct reach_base *reach_base_free(struct reach_base *b);
void reach_base_freep(struct reach_base **b);
/* The last port from `port` on that no filter treats otherwise. */
uint16_t reach_same_until(const struct reach_base *b, uint16_t port);
_must_check_ int reach_judge(const struct reach_base *b, uint16_t port, struct reach *ret);

enum reach_verdict { REACH_BLOCKED, REACH_CONDITIONAL, REACH_OPEN, _REACH_MAX };
const char *reach_verdict_name(enum reach_verdict v); /* "block" "conditional" "permit" */
enum reach_verdict reach_verdict(const struct reach *r);
/* "permit", "block", "permit from 10.1.0.0/16, else block", "on eth0 permit; on eth1 block";
 * "no IPv6 address". */
_must_check_ int reach_text(const struct reach *r, struct strbuf *out);
/* "10.1.0.0/16", "10.0.0.1-10.0.0.9", "any". */
_must_check_ int reach_range_text(enum family f, struct ip first, struct ip last,
                                  struct strbuf *out);
