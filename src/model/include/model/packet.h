/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet as the classifier sees it after parsing (datapath.md 5), and what is decided about
 * it. */
#pragma once
#include "model/effective.h"

enum direction { DIR_IN, DIR_OUT };

/* Reasons of drops (datapath.md 8). The numbers are part of the log format. */
enum drop_reason {
    DROP_NONE = 0,
    DROP_FILTER = 1,
    DROP_NO_SA = 2,
    DROP_BAD_HEADER = 3,
    DROP_EXT_HEADERS = 4,
    DROP_TRUNCATED_L4 = 5,
    DROP_TINY_FRAGMENT = 6,
    DROP_FRAGMENT = 7,
    DROP_STATE_EXPIRED = 8,
    DROP_TIMED_BLOCK = 9,
    DROP_INTERNAL = 10,
    DROP_MPP_GATE = 11,
    DROP_PANIC = 12,
    DROP_MARTIAN = 13,
    DROP_SOURCE_ROUTE = 14,
    DROP_VLAN_DEPTH = 15,
    DROP_OVERRIDE = 16,
    _DROP_REASON_MAX,
};
const char *drop_reason_name(enum drop_reason r);

/* Where and how a packet came, besides its bytes. */
struct packet_meta {
    enum direction dir;
    bool judged;       /* egress: carries the tag of an earlier verdict (it is forwarded) */
    bool to_host;      /* ingress: frame for this host on an interface that does not forward
                          this family; then the destination counts as me (datapath.md 5.6) */
    bool accept_local; /* of the interface */
    uint8_t zone;      /* of the interface, 0 = none */
    bool secured;      /* carries a security path: satisfies a negotiate filter */
    bool gso;          /* super-packet: a length of 0 is taken from the buffer */
};

struct packet {
    struct packet_meta meta;
    enum family family;
    struct ip src, dst;
    uint8_t proto;
    bool l4_known; /* ports or ICMP type/code below are valid; never for later fragments */
    bool later_fragment;
    bool source_routed; /* IPv4 LSRR/SSRR or IPv6 segments left > 0 */
    uint16_t sport, dport;
    uint8_t icmp_type, icmp_code;
    uint8_t hop_limit; /* TTL for IPv4 */
    uint8_t tcp_flags;
};

/* Who decided. */
enum decider {
    DECIDED_NO_MATCH,  /* no filter matches: passes */
    DECIDED_FILTER,    /* effective filter number .index */
    DECIDED_FAILSAFE,  /* failsafe entry number .index */
    DECIDED_EXEMPTION, /* entry of policy.md 6, .exemption names it */
    DECIDED_STRUCTURE, /* a drop or pass of datapath.md 5.1: .reason, or not IP */
    DECIDED_EARLIER,   /* judged on the way in */
};

struct verdict {
    bool block;
    enum drop_reason reason; /* DROP_NONE when it passes */
    enum decider decider;
    size_t index;
    const char *exemption; /* static text: "nd", "dhcp client", "kerberos", ... */
    enum tier tier;
    uint32_t weight;     /* with action bits; 0 if nothing matched */
    uint32_t counter_id; /* of the deciding filter, COUNTER_NONE otherwise */
};
