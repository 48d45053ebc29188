/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnetlink messages as flat structs. Pure: no socket, no state; the only place that walks
 * attributes, whose lengths are checked although the kernel wrote them. Called by rtnl*.c and
 * by its unit test with messages made by hand. Every function returns false for a message that
 * is malformed or none of our business; *ret is set only on true. */
#pragma once
#include <linux/netlink.h>

#include "model/host.h"

enum { RTNL_KIND_BYTES = 32 };

struct rtnl_link_msg { /* RTM_NEWLINK, RTM_DELLINK */
    uint32_t ifindex;
    char name[16];
    char kind[RTNL_KIND_BYTES], slave_kind[RTNL_KIND_BYTES];
    uint32_t lower;     /* IFLA_LINK in this namespace, 0 = none */
    uint32_t vrf_table; /* of a VRF device, else 0 */
    bool up, loopback, ethernet, ipvlan_l3;
    /* sysctls of this interface alone; false where the kernel sent none */
    bool forwarding4, accept_local, force_forwarding6;
};

struct rtnl_route { /* RTM_NEWROUTE, RTM_DELROUTE; the fields are the identity of a route */
    struct local_route local; /* kind LOCAL_NONE: a route of another type */
    uint32_t table, priority, oif;
    uint8_t tos, scope, protocol;
    struct ip prefsrc;
};

struct rtnl_addr_msg { /* RTM_NEWADDR, RTM_DELADDR */
    uint32_t ifindex;
    enum family family;
    struct ip ip;
    bool leased; /* finite valid lifetime and, with IPv6, a /128 */
};

struct rtnl_conf_msg { /* RTM_NEWNETCONF that says something about forwarding */
    enum family family;
    int32_t ifindex; /* or NETCONFA_IFINDEX_ALL, _DEFAULT */
    bool forwarding;
};

bool rtnl_parse_link(const struct nlmsghdr *nlh, struct rtnl_link_msg *ret);
bool rtnl_parse_route(const struct nlmsghdr *nlh, struct rtnl_route *ret);
bool rtnl_parse_addr(const struct nlmsghdr *nlh, struct rtnl_addr_msg *ret);
bool rtnl_parse_conf(const struct nlmsghdr *nlh, struct rtnl_conf_msg *ret);
