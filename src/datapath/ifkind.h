/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of device kinds (datapath.md 2.1.1): role and stacked flag follow from the kind of
 * a device and the kind of its master. Pure; called by rtnl_links.c. */
#pragma once
#include "model/host.h"

struct ifkind {
    const char *kind;       /* IFLA_INFO_KIND, "" if none (physical) */
    const char *slave_kind; /* IFLA_INFO_SLAVE_KIND, "" if it has no master */
    bool loopback;          /* IFF_LOOPBACK */
    bool ipvlan_l3;         /* kind ipvlan in mode L3 or L3S */
    bool dsa_conduit;       /* carries the frames of DSA user ports */
};
enum iface_role ifkind_role(const struct ifkind *k);
bool ifkind_stacked(const struct ifkind *k);
/* Kind of the device or of its master of which no packet was ever sent through our programs by a
 * test of this project; "" = there is none. */
const char *ifkind_untested(const struct ifkind *k);
