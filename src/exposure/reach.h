/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reach.c keeps while it judges. */
#pragma once
#include "exposure/reach.h"

/* A filter one way round, as packets of the question could match it. */
struct way {
    struct ip first, last; /* sources */
    const struct addr *dst;
    const struct portset *sport, *dport;
    size_t index; /* into e->v */
};

struct reach_base {
    const struct effective *e;
    struct reach_question q;
    uint64_t now_ns;
    struct way *ways; /* by first */
    size_t n_ways, cap_ways;
    const struct iface **ifaces; /* NULL inside = any */
    size_t n_ifaces;
    struct ip addresses[REACH_ADDRESSES_MAX];
    size_t n_addresses;
};

/* One port at one interface and address. */
struct asking {
    const struct reach_base *b;
    uint16_t port;
    struct ip address;
    const struct iface *iface;
    const struct way **ways; /* that could match, by first */
    size_t n;
    uint16_t sports[REACH_SPORTS_MAX];
    size_t n_sports;
    struct effective_filter *active; /* of the piece */
    struct ip *active_last;
    size_t *active_index;
    size_t n_active;
    size_t begin; /* of this walk's pieces */
};

/* Ports that exemptions of policy.md 6 name: kerberos, IKE and its NAT form, DHCP. */
static const uint16_t reach_exempt_ports[] = {67, 68, 88, 500, 546, 547, 4500};
