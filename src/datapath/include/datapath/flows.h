/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `keep state` remembers in the kernel: entries of the tables and stamped connections
 * (datapath.md 9). The programs look at ages and epochs themselves, so nothing here is needed for a
 * right verdict; the sweep keeps tables small and shares exact. */
#pragma once
#include "datapath/datapath.h"

/* By who opened the flow and whether the other side has answered. */
enum flow_table {
    FLOW_OUT_NEW,
    FLOW_OUT_ANSWERED,
    FLOW_IN_NEW,
    FLOW_IN_ANSWERED,
    FLOW_TABLES,
    FLOW_CONNECTION = FLOW_TABLES, /* TCP of this host, in its socket */
};

/* A packet that was let through, whose answers are let through. */
struct flow {
    enum flow_table table;
    enum family family;
    struct ip src, dst;
    uint16_t sport, dport; /* ICMP echo: its id in both */
    uint8_t proto;
    bool out;            /* judged on the way out */
    uint32_t counter_id; /* of the permit */
    uint32_t ifindex;    /* connections: bound to it, 0 = to none */
    uint64_t idle_ns;    /* connections: since it was opened */
};

/* Every flow that is not silent for too long; the visitor returns 0 or a negative errno that ends
 * it. */
typedef int flow_visitor(void *arg, const struct flow *f);
_must_check_ int datapath_flows(const struct datapath *dp, flow_visitor *visit, void *arg);
/* The flow that a packet is part of or answers (packets name no ICMP id: never those). -ENOENT:
 * there is none. */
struct packet;
_must_check_ int datapath_flow_find(const struct datapath *dp, const struct packet *p,
                                    struct flow *ret);
/* -ENOENT: there is none. */
_must_check_ int datapath_flow_delete(struct datapath *dp, const struct flow *f);

struct flow_counts {
    uint32_t n[FLOW_TABLES];
    uint64_t refused; /* over the share of a user or source, since the maps were made */
};
/* Removes silent entries, or with `wanted` false, when no filter keeps state, all; counts shares
 * anew. Call every 5 s. */
_must_check_ int datapath_flows_sweep(struct datapath *dp, bool wanted, struct flow_counts *ret);
