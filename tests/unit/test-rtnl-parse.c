/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath/ifkind.c, rtnl_parse.c, rtnl_links.c and rtnl_routes.c without a kernel: the table of
 * device kinds, messages made by hand for what this machine's kernel may not have (bond, VRF,
 * VLAN, DSA, wireless), and damaged messages, which must never be read beyond their end (run
 * under ASan). */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/datapath/ifkind.h"
#include "../../src/datapath/rtnl_internal.h"
#include "datapath/datapath.h"

enum { BYTES = 1024, ROUNDS = 200000 };

static void test_kind_table(void **state)
{
    static const struct {
        struct ifkind k;
        enum iface_role role;
        bool stacked;
    } rows[] = {
        {{.kind = "", .slave_kind = "", .loopback = true}, IFACE_NONE, false},
        {{.kind = "", .slave_kind = ""}, IFACE_NORMAL, false},
        {{.kind = "veth", .slave_kind = ""}, IFACE_NORMAL, false},
        {{.kind = "veth", .slave_kind = "bridge"}, IFACE_PORT, false},
        {{.kind = "", .slave_kind = "bond"}, IFACE_PORT, false},
        {{.kind = "", .slave_kind = "team"}, IFACE_PORT, false},
        {{.kind = "", .slave_kind = "openvswitch"}, IFACE_PORT, false},
        {{.kind = "", .slave_kind = "batadv"}, IFACE_NORMAL, false},
        {{.kind = "", .slave_kind = "vrf"}, IFACE_NORMAL, false},
        {{.kind = "vrf", .slave_kind = ""}, IFACE_NONE, false},
        {{.kind = "ifb", .slave_kind = ""}, IFACE_NONE, false},
        {{.kind = "bridge", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "bond", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "bond", .slave_kind = "bridge"}, IFACE_PORT, true},
        {{.kind = "team", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "openvswitch", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "hsr", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "batadv", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "vlan", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "vlan", .slave_kind = "bridge"}, IFACE_PORT, true},
        {{.kind = "vlan", .slave_kind = "vrf"}, IFACE_NORMAL, true},
        {{.kind = "macvlan", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "macvtap", .slave_kind = ""}, IFACE_NORMAL, false},
        {{.kind = "ipvlan", .slave_kind = ""}, IFACE_NORMAL, true},
        {{.kind = "ipvlan", .slave_kind = "", .ipvlan_l3 = true}, IFACE_NORMAL, false},
        {{.kind = "wireguard", .slave_kind = ""}, IFACE_NORMAL, false},
        {{.kind = "vxlan", .slave_kind = ""}, IFACE_NORMAL, false},
        {{.kind = "netkit", .slave_kind = ""}, IFACE_NORMAL, false},
        {{.kind = "tun", .slave_kind = ""}, IFACE_NORMAL, false},
        {{.kind = "dsa", .slave_kind = ""}, IFACE_NORMAL, false},
        {{.kind = "", .slave_kind = "", .dsa_conduit = true}, IFACE_PORT, false},
        {{.kind = "brid", .slave_kind = ""}, IFACE_NORMAL, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (ifkind_role(&rows[i].k) != rows[i].role)
            fail_msg("role of '%s' in '%s'", rows[i].k.kind, rows[i].k.slave_kind);
        if (ifkind_stacked(&rows[i].k) != rows[i].stacked)
            fail_msg("stacked of '%s'", rows[i].k.kind);
    }
}

static void test_untested_kinds(void **state)
{
    static const struct {
        struct ifkind k;
        const char *untested;
    } rows[] = {
        {{.kind = "", .slave_kind = ""}, ""},
        {{.kind = "veth", .slave_kind = "bridge"}, ""},
        {{.kind = "vlan", .slave_kind = "bridge"}, "vlan"},
        {{.kind = "veth", .slave_kind = "vrf"}, "vrf"},
        {{.kind = "unheard", .slave_kind = ""}, "unheard"},
        {{.kind = "", .slave_kind = "", .loopback = true}, ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_string_equal(ifkind_untested(&rows[i].k), rows[i].untested);
}

static struct nlmsghdr *link_message(uint8_t *buf, unsigned char family, unsigned flags)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

    nlh->nlmsg_type = RTM_NEWLINK;
    ifi->ifi_family = family;
    ifi->ifi_index = 7;
    ifi->ifi_flags = flags;
    mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth0");
    return nlh;
}

static struct nlmsghdr *kind_message(uint8_t *buf, const char *kind, const char *slave)
{
    struct nlmsghdr *nlh = link_message(buf, AF_UNSPEC, IFF_UP);
    struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);

    if (kind)
        mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
    if (slave)
        mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, slave);
    mnl_attr_nest_end(nlh, info);
    return nlh;
}

static void test_links(void **state)
{
    alignas(struct nlmsghdr) uint8_t buf[BYTES];
    struct rtnl_link_msg m;

    (void)state;
    struct nlmsghdr *nlh = kind_message(buf, "vlan", "bond");
    mnl_attr_put_u32(nlh, IFLA_LINK, 3);
    assert_true(rtnl_parse_link(nlh, &m));
    assert_int_equal(m.ifindex, 7);
    assert_string_equal(m.name, "eth0");
    assert_string_equal(m.kind, "vlan");
    assert_string_equal(m.slave_kind, "bond");
    assert_int_equal(m.lower, 3);
    assert_true(m.up && !m.loopback);
    mnl_attr_put_u32(nlh, IFLA_LINK_NETNSID, 0); /* number 3 is one of another namespace */
    assert_true(rtnl_parse_link(nlh, &m));
    assert_int_equal(m.lower, 0);

    assert_true(rtnl_parse_link(link_message(buf, AF_UNSPEC, IFF_LOOPBACK), &m));
    assert_true(m.loopback && !m.up);

    /* A bridge about its port, and a wireless event: both would read as "no master". */
    assert_false(rtnl_parse_link(link_message(buf, AF_BRIDGE, IFF_UP), &m));
    nlh = link_message(buf, AF_UNSPEC, IFF_UP);
    mnl_attr_put_u32(nlh, IFLA_WIRELESS, 0);
    assert_false(rtnl_parse_link(nlh, &m));
}

static void test_link_data(void **state)
{
    alignas(struct nlmsghdr) uint8_t buf[BYTES];
    struct rtnl_link_msg m;

    (void)state;
    struct nlmsghdr *nlh = link_message(buf, AF_UNSPEC, IFF_UP);
    struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
    struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
    mnl_attr_put_u32(nlh, IFLA_VRF_TABLE, 1000);
    mnl_attr_nest_end(nlh, data);
    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "vrf"); /* behind its data */
    mnl_attr_nest_end(nlh, info);
    assert_true(rtnl_parse_link(nlh, &m));
    assert_int_equal(m.vrf_table, 1000);

    for (uint16_t mode = 0; mode < 3; mode++) {
        nlh = link_message(buf, AF_UNSPEC, IFF_UP);
        info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
        mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "ipvlan");
        data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
        mnl_attr_put_u16(nlh, IFLA_IPVLAN_MODE, mode);
        mnl_attr_nest_end(nlh, data);
        mnl_attr_nest_end(nlh, info);
        assert_true(rtnl_parse_link(nlh, &m));
        assert_int_equal(m.ipvlan_l3, mode > 0);
        assert_int_equal(m.vrf_table, 0);
    }
}

static struct nlmsghdr *route_message(uint8_t *buf, uint8_t family, uint8_t len, uint8_t type)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

    rtm->rtm_family = family;
    rtm->rtm_dst_len = len;
    rtm->rtm_type = type;
    rtm->rtm_table = RT_TABLE_LOCAL;
    return nlh;
}

static void test_routes(void **state)
{
    alignas(struct nlmsghdr) uint8_t buf[BYTES];
    struct rtnl_route m;

    (void)state;
    struct nlmsghdr *nlh = route_message(buf, AF_INET, 24, RTN_LOCAL);
    mnl_attr_put_u32(nlh, RTA_DST, htonl(0xcb007107)); /* 203.0.113.7, host bits set */
    mnl_attr_put_u32(nlh, RTA_TABLE, 1000);            /* wins over the 8 bits in the header */
    assert_true(rtnl_parse_route(nlh, &m));
    assert_int_equal(m.local.family, FAMILY_4);
    assert_int_equal(m.local.prefix.lo, 0xcb007100);
    assert_int_equal(m.local.prefix_len, 24);
    assert_int_equal(m.local.kind, LOCAL_UNICAST);
    assert_int_equal(m.table, 1000);

    assert_true(rtnl_parse_route(route_message(buf, AF_INET6, 0, RTN_MULTICAST), &m));
    assert_int_equal(m.local.kind, LOCAL_MULTICAST);
    assert_int_equal(m.table, 255);
    assert_true(rtnl_parse_route(route_message(buf, AF_INET, 0, RTN_UNICAST), &m));
    assert_int_equal(m.local.kind, LOCAL_NONE);

    /* No address for a length, too long a prefix, an address of the other family. */
    assert_false(rtnl_parse_route(route_message(buf, AF_INET, 24, RTN_LOCAL), &m));
    nlh = route_message(buf, AF_INET, 33, RTN_LOCAL);
    mnl_attr_put_u32(nlh, RTA_DST, 0);
    assert_false(rtnl_parse_route(nlh, &m));
    nlh = route_message(buf, AF_INET6, 24, RTN_LOCAL);
    mnl_attr_put_u32(nlh, RTA_DST, 0);
    assert_false(rtnl_parse_route(nlh, &m));
    assert_false(rtnl_parse_route(route_message(buf, AF_BRIDGE, 0, RTN_LOCAL), &m));
}

static struct nlmsghdr *addr_message(uint8_t *buf, uint8_t family, uint8_t len, uint32_t valid)
{
    static const uint8_t ip[16] = {[0] = 0x20, [15] = 1};
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
    struct ifa_cacheinfo ci = {.ifa_valid = valid};

    ifa->ifa_family = family;
    ifa->ifa_prefixlen = len;
    ifa->ifa_index = 7;
    mnl_attr_put(nlh, IFA_ADDRESS, family == AF_INET ? 4 : 16, ip);
    mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(ci), &ci);
    return nlh;
}

static void test_addresses(void **state)
{
    alignas(struct nlmsghdr) uint8_t buf[BYTES];
    struct rtnl_addr_msg m;

    (void)state;
    assert_true(rtnl_parse_addr(addr_message(buf, AF_INET, 24, 3600), &m) && m.leased);
    assert_true(rtnl_parse_addr(addr_message(buf, AF_INET, 24, UINT32_MAX), &m) && !m.leased);
    assert_true(rtnl_parse_addr(addr_message(buf, AF_INET6, 128, 3600), &m) && m.leased);
    assert_true(rtnl_parse_addr(addr_message(buf, AF_INET6, 64, 3600), &m) && !m.leased);
    assert_true(rtnl_parse_addr(addr_message(buf, AF_INET6, 128, UINT32_MAX), &m) && !m.leased);

    /* Point to point: ours is IFA_LOCAL, IFA_ADDRESS the peer's, in any order. */
    struct nlmsghdr *nlh = addr_message(buf, AF_INET, 32, 60);
    mnl_attr_put_u32(nlh, IFA_LOCAL, htonl(0x0a000001));
    assert_true(rtnl_parse_addr(nlh, &m));
    assert_int_equal(m.ip.lo, 0x0a000001);
}

static void test_conf(void **state)
{
    alignas(struct nlmsghdr) uint8_t buf[BYTES];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct netconfmsg *ncm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ncm));
    struct rtnl_conf_msg m;

    (void)state;
    ncm->ncm_family = AF_INET6;
    mnl_attr_put_u32(nlh, NETCONFA_IFINDEX, (uint32_t)NETCONFA_IFINDEX_ALL);
    assert_false(rtnl_parse_conf(nlh, &m)); /* nothing about forwarding */
    mnl_attr_put_u32(nlh, NETCONFA_FORWARDING, 1);
    assert_true(rtnl_parse_conf(nlh, &m));
    assert_int_equal(m.family, FAMILY_6);
    assert_int_equal(m.ifindex, NETCONFA_IFINDEX_ALL);
    assert_true(m.forwarding);
}

/* Counts what the ops are told. */
struct told {
    unsigned local_set, local_del, iface_set, iface_del;
};

static int on_local_set(void *u, _unused_ const struct local_route *l)
{
    ((struct told *)u)->local_set++;
    return 0;
}

static int on_local_del(void *u, _unused_ const struct local_route *l)
{
    ((struct told *)u)->local_del++;
    return 0;
}

static int on_iface_set(void *u, _unused_ const struct iface *f, _unused_ bool is_new)
{
    ((struct told *)u)->iface_set++;
    return 0;
}

static int on_iface_del(void *u, _unused_ uint32_t ifindex)
{
    ((struct told *)u)->iface_del++;
    return 0;
}

static const struct rtnl_ops counting = {on_local_set, on_local_del, on_iface_set, on_iface_del};

static struct rtnl *without_kernel(struct told *told)
{
    struct rtnl *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->ops = &counting;
    r->user = told;
    r->fd = -1;
    return r;
}

static struct rtnl_link_msg link_of(uint32_t ifindex, const char *kind, const char *slave_kind)
{
    struct rtnl_link_msg m = {.ifindex = ifindex, .up = true};

    snprintf(m.name, sizeof(m.name), "if%u", ifindex);
    snprintf(m.kind, sizeof(m.kind), "%s", kind);
    snprintf(m.slave_kind, sizeof(m.slave_kind), "%s", slave_kind);
    return m;
}

static struct rtnl_route local_in(uint32_t table, uint64_t ip)
{
    return (struct rtnl_route){
        .local = {.family = FAMILY_4, .prefix = {0, ip}, .prefix_len = 32, .kind = LOCAL_UNICAST},
        .table = table,
    };
}

static void test_vrf_tables(void **state)
{
    struct told told = {0};
    _cleanup_(rtnl_closep) struct rtnl *r = without_kernel(&told);
    struct rtnl_link_msg vrf = link_of(5, "vrf", ""), slave = link_of(6, "", "vrf");
    struct rtnl_route a = local_in(100, 1), b = local_in(77, 2), c = local_in(255, 1);

    (void)state;
    assert_int_equal(routes_set(r, &a, false), 0); /* nobody's table yet */
    assert_int_equal(told.local_set, 0);
    vrf.vrf_table = 100;
    assert_int_equal(links_set(r, &vrf), 0);
    assert_int_equal(links_set(r, &slave), 0);
    assert_true(r->routes_dirty); /* so that its routes are asked for */
    assert_int_equal(r->host.ifaces[0].role, IFACE_NONE);
    assert_int_equal(r->host.ifaces[1].role, IFACE_NORMAL);
    assert_int_equal(routes_set(r, &a, false), 0);
    assert_int_equal(routes_set(r, &b, false), 0);
    assert_int_equal(told.local_set, 1);
    assert_int_equal(r->host.n_local, 1);

    /* The same address outside the VRF: one entry, until both are gone. */
    assert_int_equal(routes_set(r, &c, false), 0);
    routes_del(r, &a);
    assert_int_equal(told.local_set, 1);
    assert_int_equal(told.local_del, 0);
    routes_del(r, &c);
    assert_int_equal(told.local_del, 1);
    r->routes_dirty = false;
    assert_int_equal(links_del(r, 5), 0);
    assert_true(r->routes_dirty);
    assert_false(links_is_vrf_table(r, 100));
}

static void test_dsa_conduit(void **state)
{
    struct told told = {0};
    _cleanup_(rtnl_closep) struct rtnl *r = without_kernel(&told);
    struct rtnl_link_msg conduit = link_of(2, "", ""), port = link_of(3, "dsa", "");

    (void)state;
    port.lower = 2;
    assert_int_equal(links_set(r, &conduit), 0);
    assert_int_equal(r->host.ifaces[0].role, IFACE_NORMAL);
    assert_int_equal(links_set(r, &port), 0);
    assert_int_equal(r->host.ifaces[0].role, IFACE_PORT);
    assert_int_equal(r->host.ifaces[1].role, IFACE_NORMAL);
    assert_int_equal(told.iface_set, 3);
    assert_int_equal(links_del(r, 3), 0);
    assert_int_equal(r->host.ifaces[0].role, IFACE_NORMAL);
    assert_int_equal(told.iface_set, 4);
}

/* An ifindex with another kind of device, without the end of the first one. */
static void test_lost_end(void **state)
{
    struct told told = {0};
    _cleanup_(rtnl_closep) struct rtnl *r = without_kernel(&told);
    struct rtnl_link_msg one = link_of(5, "veth", "bond"), two = link_of(5, "vlan", "");

    (void)state;
    assert_int_equal(links_set(r, &one), 0);
    assert_int_equal(r->host.ifaces[0].role, IFACE_PORT);
    uint8_t zone = r->host.ifaces[0].zone;
    assert_int_equal(links_set(r, &two), 0);
    assert_int_equal(told.iface_del, 1);
    assert_int_equal(told.iface_set, 2);
    assert_int_equal(r->host.n_ifaces, 1);
    assert_int_equal(r->host.ifaces[0].role, IFACE_NORMAL);
    assert_int_not_equal(r->host.ifaces[0].zone, zone);
    assert_int_equal(links_set(r, &two), 0); /* nothing new, nothing told */
    assert_int_equal(told.iface_set, 2);
}

/* All parsers on one message, at the end of a heap block of exactly its size. */
static unsigned parse_all(const uint8_t *bytes, size_t n)
{
    struct nlmsghdr *nlh = malloc(n);
    struct rtnl_link_msg link;
    struct rtnl_route route;
    struct rtnl_addr_msg addr;
    struct rtnl_conf_msg conf;
    unsigned good = 0;

    assert_non_null(nlh);
    memcpy(nlh, bytes, n);
    nlh->nlmsg_len = (uint32_t)n;
    if (rtnl_parse_link(nlh, &link)) {
        assert_true(strnlen(link.name, sizeof(link.name)) < sizeof(link.name));
        assert_true(strnlen(link.kind, sizeof(link.kind)) < sizeof(link.kind));
        good++;
    }
    if (rtnl_parse_route(nlh, &route)) {
        assert_true(route.local.prefix_len <= family_bits(route.local.family));
        good++;
    }
    good += rtnl_parse_addr(nlh, &addr);
    good += rtnl_parse_conf(nlh, &conf);
    free(nlh);
    return good;
}

static void test_damaged_messages(void **state)
{
    const char *env = getenv("PORTWARD_SEED");
    unsigned seed = env ? (unsigned)strtoul(env, NULL, 0) : (unsigned)time(NULL);
    alignas(struct nlmsghdr) uint8_t seeds[4][BYTES], buf[BYTES] = {0};
    size_t len[4];
    unsigned good = 0;

    (void)state;
    printf("# PORTWARD_SEED=%u\n", seed);
    srandom(seed);
    memset(seeds, 0, sizeof(seeds));
    struct nlmsghdr *nlh = kind_message(seeds[0], "ipvlan", "bridge");
    struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
    struct nlattr *inet = mnl_attr_nest_start(nlh, AF_INET);
    mnl_attr_put(nlh, IFLA_INET_CONF, 128, buf);
    mnl_attr_nest_end(nlh, inet);
    mnl_attr_nest_end(nlh, spec);
    len[0] = nlh->nlmsg_len;
    nlh = route_message(seeds[1], AF_INET6, 0, RTN_LOCAL);
    mnl_attr_put(nlh, RTA_DST, 16, buf);
    mnl_attr_put(nlh, RTA_PREFSRC, 16, buf);
    mnl_attr_put_u32(nlh, RTA_OIF, 1);
    len[1] = nlh->nlmsg_len;
    len[2] = addr_message(seeds[2], AF_INET, 24, 1)->nlmsg_len;
    len[3] = addr_message(seeds[3], AF_INET6, 128, 1)->nlmsg_len;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned which = (unsigned)random() % 4;
        size_t n = len[which];

        memcpy(buf, seeds[which], n);
        for (unsigned flips = (unsigned)random() % 4; flips; flips--)
            buf[NLMSG_HDRLEN + (size_t)random() % (n - NLMSG_HDRLEN)] = (uint8_t)random();
        if (random() % 2)
            n = NLMSG_HDRLEN + (size_t)random() % (n - NLMSG_HDRLEN + 1);
        good += parse_all(buf, n);
    }
    /* Neither all nor none: the damage reaches behind the first checks. */
    assert_in_range(good, ROUNDS / 10, 3 * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kind_table),
        cmocka_unit_test(test_untested_kinds),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_link_data),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_conf),
        cmocka_unit_test(test_vrf_tables),
        cmocka_unit_test(test_dsa_conduit),
        cmocka_unit_test(test_lost_end),
        cmocka_unit_test(test_damaged_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
