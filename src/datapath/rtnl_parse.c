/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attribute walks of the four message kinds rtnl.c listens to. Two traps are closed here: a
 * bridge announces its ports a second time with family AF_BRIDGE, and its RTM_DELLINK there
 * means "left the bridge"; wireless drivers send RTM_NEWLINK that carries nothing but their
 * event and would read as "has no master". Both are not for us. */
#include "rtnl_parse.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#include "rtnl_attr.h"

/* Index in IFLA_INET6_CONF of force_forwarding (Linux 6.17), not in older headers. */
enum { CONF6_FORCE_FORWARDING = 59 };
enum { IPVLAN_MODE_OF_L2 = 0 }; /* IPVLAN_MODE_L2 of if_link.h */

static bool get_bytes(const struct nlattr *a, void *ret, size_t size)
{
    if (mnl_attr_get_payload_len(a) < size)
        return false;
    memcpy(ret, mnl_attr_get_payload(a), size);
    return true;
}

static uint32_t get_u32(const struct nlattr *a)
{
    uint32_t v = 0;

    return get_bytes(a, &v, sizeof(v)) ? v : 0;
}

/* Element of an attribute that is an array of u32, as the sysctl tables are. */
static uint32_t get_u32_at(const struct nlattr *a, size_t index)
{
    uint32_t v;
    const uint8_t *p = mnl_attr_get_payload(a);

    if (mnl_attr_get_payload_len(a) < (index + 1) * sizeof(v))
        return 0;
    memcpy(&v, p + index * sizeof(v), sizeof(v));
    return v;
}

/* Cuts what does not fit; a missing NUL ends the string at the end of the attribute. */
static void get_text(const struct nlattr *a, char *ret, size_t size)
{
    size_t n = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

    if (n >= size)
        n = size - 1;
    memcpy(ret, mnl_attr_get_payload(a), n);
    ret[n] = 0;
}

static bool get_ip(enum family f, const struct nlattr *a, struct ip *ret)
{
    uint8_t bytes[16];

    if (mnl_attr_get_payload_len(a) != family_bits(f) / 8 ||
        !get_bytes(a, bytes, family_bits(f) / 8))
        return false;
    *ret = ip_from_bytes(f, bytes);
    return true;
}

static bool get_family(uint8_t af, enum family *ret)
{
    if (af != AF_INET && af != AF_INET6)
        return false;
    *ret = af == AF_INET ? FAMILY_4 : FAMILY_6;
    return true;
}

static const void *header(const struct nlmsghdr *nlh, size_t size)
{
    return mnl_nlmsg_get_payload_len(nlh) < size ? NULL : mnl_nlmsg_get_payload(nlh);
}

static void parse_info_data(const struct nlattr *data, struct rtnl_link_msg *m)
{
    bool vrf = !strcmp(m->kind, "vrf"), ipvlan = !strcmp(m->kind, "ipvlan");
    struct attr_walk w = attr_walk_nested(data);

    ATTR_FOR_EACH(a, w)
    {
        uint16_t type = mnl_attr_get_type(a), mode;

        if (vrf && type == IFLA_VRF_TABLE)
            m->vrf_table = get_u32(a);
        if (ipvlan && type == IFLA_IPVLAN_MODE && get_bytes(a, &mode, sizeof(mode)))
            m->ipvlan_l3 = mode != IPVLAN_MODE_OF_L2;
    }
}

static void parse_linkinfo(const struct nlattr *info, struct rtnl_link_msg *m)
{
    const struct nlattr *data = NULL;
    struct attr_walk w = attr_walk_nested(info);

    ATTR_FOR_EACH(a, w)
    {
        switch (mnl_attr_get_type(a)) {
        case IFLA_INFO_KIND:
            get_text(a, m->kind, sizeof(m->kind));
            break;
        case IFLA_INFO_SLAVE_KIND:
            get_text(a, m->slave_kind, sizeof(m->slave_kind));
            break;
        case IFLA_INFO_DATA:
            data = a;
            break;
        }
    }
    if (data) /* its meaning depends on the kind, which may stand behind it */
        parse_info_data(data, m);
}

static void parse_af_spec(const struct nlattr *spec, struct rtnl_link_msg *m)
{
    struct attr_walk wf = attr_walk_nested(spec);

    ATTR_FOR_EACH(family, wf)
    {
        uint16_t af = mnl_attr_get_type(family);

        if (af != AF_INET && af != AF_INET6)
            continue;
        struct attr_walk w = attr_walk_nested(family);

        ATTR_FOR_EACH(a, w)
        {
            uint16_t type = mnl_attr_get_type(a);

            /* The IPv4 table starts with sysctl number 1, the IPv6 one with 0. */
            if (af == AF_INET && type == IFLA_INET_CONF) {
                m->forwarding4 = get_u32_at(a, IPV4_DEVCONF_FORWARDING - 1);
                m->accept_local = get_u32_at(a, IPV4_DEVCONF_ACCEPT_LOCAL - 1);
            }
            if (af == AF_INET6 && type == IFLA_INET6_CONF)
                m->force_forwarding6 = get_u32_at(a, CONF6_FORCE_FORWARDING);
        }
    }
}

bool rtnl_parse_link(const struct nlmsghdr *nlh, struct rtnl_link_msg *ret)
{
    const struct ifinfomsg *ifi = header(nlh, sizeof(*ifi));
    struct rtnl_link_msg m = {0};
    bool other_netns = false;

    if (!ifi || ifi->ifi_family != AF_UNSPEC || ifi->ifi_index <= 0)
        return false;
    m.ifindex = (uint32_t)ifi->ifi_index;
    m.up = ifi->ifi_flags & IFF_UP;
    m.loopback = ifi->ifi_flags & IFF_LOOPBACK;
    m.ethernet = ifi->ifi_type == ARPHRD_ETHER;
    struct attr_walk w = attr_walk_message(nlh, sizeof(*ifi));

    ATTR_FOR_EACH(a, w)
    {
        switch (mnl_attr_get_type(a)) {
        case IFLA_WIRELESS:
            return false;
        case IFLA_IFNAME:
            get_text(a, m.name, sizeof(m.name));
            break;
        case IFLA_LINK:
            m.lower = get_u32(a);
            break;
        case IFLA_LINK_NETNSID:
            other_netns = true;
            break;
        case IFLA_LINKINFO:
            parse_linkinfo(a, &m);
            break;
        case IFLA_AF_SPEC:
            parse_af_spec(a, &m);
            break;
        }
    }
    if (other_netns)
        m.lower = 0;
    *ret = m;
    return true;
}

static enum local_kind local_kind_of(uint8_t rtm_type)
{
    switch (rtm_type) {
    case RTN_LOCAL:
        return LOCAL_UNICAST;
    case RTN_BROADCAST:
        return LOCAL_BROADCAST;
    case RTN_ANYCAST:
        return LOCAL_ANYCAST;
    case RTN_MULTICAST:
        return LOCAL_MULTICAST;
    }
    return LOCAL_NONE;
}

bool rtnl_parse_route(const struct nlmsghdr *nlh, struct rtnl_route *ret)
{
    const struct rtmsg *rtm = header(nlh, sizeof(*rtm));
    struct rtnl_route m = {0};
    struct local_route *l = &m.local;
    bool has_dst = false;

    if (!rtm || !get_family(rtm->rtm_family, &l->family) ||
        rtm->rtm_dst_len > family_bits(l->family) || rtm->rtm_flags & RTM_F_CLONED)
        return false;
    l->prefix_len = rtm->rtm_dst_len;
    l->kind = local_kind_of(rtm->rtm_type);
    m.table = rtm->rtm_table;
    m.tos = rtm->rtm_tos;
    m.scope = rtm->rtm_scope;
    m.protocol = rtm->rtm_protocol;
    struct attr_walk w = attr_walk_message(nlh, sizeof(*rtm));

    ATTR_FOR_EACH(a, w)
    {
        switch (mnl_attr_get_type(a)) {
        case RTA_DST:
            has_dst = get_ip(l->family, a, &l->prefix);
            break;
        case RTA_TABLE:
            m.table = get_u32(a);
            break;
        case RTA_PRIORITY:
            m.priority = get_u32(a);
            break;
        case RTA_OIF:
            m.oif = get_u32(a);
            break;
        case RTA_PREFSRC:
            if (!get_ip(l->family, a, &m.prefsrc))
                return false;
            break;
        }
    }
    if (!has_dst && l->prefix_len)
        return false;
    l->prefix = ip_and(l->prefix, ip_mask(l->family, l->prefix_len));
    *ret = m;
    return true;
}

bool rtnl_parse_addr(const struct nlmsghdr *nlh, struct rtnl_addr_msg *ret)
{
    const struct ifaddrmsg *ifa = header(nlh, sizeof(*ifa));
    struct ifa_cacheinfo ci = {.ifa_valid = UINT32_MAX};
    struct rtnl_addr_msg m = {0};
    bool has_local = false, has_ip = false;

    if (!ifa || !get_family(ifa->ifa_family, &m.family) || !ifa->ifa_index)
        return false;
    m.ifindex = ifa->ifa_index;
    struct attr_walk w = attr_walk_message(nlh, sizeof(*ifa));

    ATTR_FOR_EACH(a, w)
    {
        switch (mnl_attr_get_type(a)) {
        case IFA_LOCAL: /* on point-to-point links IFA_ADDRESS is the peer */
            has_local = get_ip(m.family, a, &m.ip);
            has_ip = has_ip || has_local;
            break;
        case IFA_ADDRESS:
            if (!has_local)
                has_ip = get_ip(m.family, a, &m.ip);
            break;
        case IFA_CACHEINFO:
            if (!get_bytes(a, &ci, sizeof(ci)))
                return false;
            break;
        }
    }
    if (!has_ip)
        return false;
    /* 0xffffffff = for ever. SLAAC gives finite lifetimes too, but never a /128. */
    m.leased = ci.ifa_valid != UINT32_MAX && (m.family == FAMILY_4 || ifa->ifa_prefixlen == 128);
    *ret = m;
    return true;
}

bool rtnl_parse_conf(const struct nlmsghdr *nlh, struct rtnl_conf_msg *ret)
{
    const struct netconfmsg *ncm = header(nlh, sizeof(*ncm));
    struct rtnl_conf_msg m = {0};
    bool has_index = false, has_forwarding = false;

    if (!ncm || !get_family(ncm->ncm_family, &m.family))
        return false;
    struct attr_walk w = attr_walk_message(nlh, sizeof(*ncm));

    ATTR_FOR_EACH(a, w)
    {
        switch (mnl_attr_get_type(a)) {
        case NETCONFA_IFINDEX:
            has_index = get_bytes(a, &m.ifindex, sizeof(m.ifindex));
            break;
        case NETCONFA_FORWARDING:
            has_forwarding = true;
            m.forwarding = get_u32(a);
            break;
        }
    }
    if (!has_index || !has_forwarding)
        return false;
    *ret = m;
    return true;
}
