/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Roles by device kind: the table of datapath.md 2.1.1 as data. A kind that is not listed is
 * NORMAL and not stacked, which is right for every device that carries packets of its own and
 * fails closed for those that do not.
 *
 * Ports of hsr are NORMAL on purpose: they have no master the kernel would report, and what
 * they carry is not IP to the classifier. Those of batadv too: it takes its own EtherType only,
 * all other packets stay with the device, which may well have addresses. */
#include "ifkind.h"

#include <string.h>

struct kind {
    const char *name;
    bool covers_nothing; /* nothing is attached: packets are judged elsewhere */
    bool stacked;        /* leaves its tag for the device below */
    bool makes_ports;    /* its slaves are PORT; those of a VRF stay NORMAL */
};

static const struct kind kinds[] = {
    {"batadv", .stacked = true},
    {"bond", .stacked = true, .makes_ports = true},
    {"bridge", .stacked = true, .makes_ports = true},
    {"hsr", .stacked = true, .makes_ports = true},
    {"ifb", .covers_nothing = true},
    {"ipvlan", .stacked = true},
    {"macvlan", .stacked = true},
    {"openvswitch", .stacked = true, .makes_ports = true},
    {"team", .stacked = true, .makes_ports = true},
    {"vlan", .stacked = true},
    {"vrf", .covers_nothing = true},
};

static const struct kind *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    return NULL;
}

enum iface_role ifkind_role(const struct ifkind *k)
{
    const struct kind *own = find(k->kind), *master = find(k->slave_kind);

    if (k->loopback || (own && own->covers_nothing))
        return IFACE_NONE;
    if (k->dsa_conduit || (master && master->makes_ports))
        return IFACE_PORT;
    return IFACE_NORMAL;
}

/* tests/netns: test-kinds.py, test-datapath.py. Plain devices have no kind. */
static const char *const tested[] = {"", "bridge", "ifb", "macvlan", "tun", "veth", "vxlan"};

static bool is_tested(const char *kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(tested); i++)
        if (!strcmp(tested[i], kind))
            return true;
    return false;
}

const char *ifkind_untested(const struct ifkind *k)
{
    if (k->loopback)
        return "";
    return !is_tested(k->kind) ? k->kind : !is_tested(k->slave_kind) ? k->slave_kind : "";
}

bool ifkind_stacked(const struct ifkind *k)
{
    const struct kind *own = find(k->kind);

    /* L3 and L3S hand packets over inside IP, above the device's own hook. */
    return own && own->stacked && !k->ipvlan_l3;
}
