/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host looks like: its local addresses by class and its interfaces. Plain data that
 * the agent fills from rtnetlink; the compiler derives exemptions from it, the evaluator
 * decides `me` and martians with it. */
#pragma once
#include "model/filter.h"

/* Types of routes in table 255 (values are our own). */
enum local_kind { LOCAL_NONE, LOCAL_UNICAST, LOCAL_BROADCAST, LOCAL_ANYCAST, LOCAL_MULTICAST };

struct local_route {
    enum family family;
    struct ip prefix;
    uint8_t prefix_len;
    enum local_kind kind;
};

enum iface_role {
    IFACE_NORMAL = 1, /* classified, tagged */
    IFACE_PORT = 2,   /* slave of bridge, bond, ...: judged at the master */
    IFACE_NONE = 3,   /* lo, ifb, vrf: nothing attached */
};

struct iface {
    uint32_t ifindex;
    char name[16];
    enum iface_role role;
    bool stacked;  /* on egress leaves its tag for the device below */
    bool ethernet; /* what it sends begins with an Ethernet header */
    bool forwarding4, forwarding6;
    bool accept_local;    /* IPv4 sysctl: own source addresses may arrive */
    bool dhcp4, dhcp6;    /* has a leased address: gets the DHCP client entries */
    uint8_t zone;         /* 1-254, unique while the interface exists; 0 = none left */
    enum profile profile; /* PROFILE_NONE = not configured, counts as public */
    char untested[16];    /* a kind of device that no packet test covers, "" = none */
};

/* Section [profiles]: names of interfaces, or patterns with * and ?. */
struct profile_pattern {
    char name[32];
    enum profile profile;
};
struct profile_patterns {
    struct profile_pattern v[64]; /* LIMIT_PROFILE_PATTERNS */
    unsigned n;
};
/* Of the patterns that match, the one with the most characters that are none of * and ?, the plain
 * name before all others; of equal ones the stricter profile: public, then private, then domain.
 * PROFILE_NONE if none matches. The order of the list is of no account. */
enum profile profile_patterns_find(const struct profile_patterns *l, const char *ifname);

/* What the interface counts as: PROFILE_PUBLIC without a configured one. */
enum profile iface_profile(const struct iface *i);
/* A dial-up connection by its name, ppp* or wwan*; all others are lan. */
bool ifname_is_dialup(const char *name);

struct host {
    struct local_route *local;
    size_t n_local, cap_local;
    struct iface *ifaces;
    size_t n_ifaces, cap_ifaces;
};
void host_done(struct host *h);
_must_check_ int host_copy(const struct host *h, struct host *ret);
