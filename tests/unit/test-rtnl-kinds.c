/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device kinds that small kernels leave out, live (test-rtnl.h): a kind this kernel cannot make
 * is named in a comment line, and if it can make none, all is skipped. The roles themselves are
 * tested without a kernel in test-rtnl-parse.c. Needs root. */
#include "test-rtnl.h"

static void test_vlan(void **state)
{
    struct world *w = *state;

    run("ip link add v0 type veth peer name v1; ip link add link v0 name vl0 type vlan id 5");
    verify(w);
    assert_role(w, "vl0", IFACE_NORMAL, true);
}

static void test_vrf(void **state)
{
    struct world *w = *state;

    run("ip link add v0 type veth peer name v1; ip link add vrf0 type vrf table 100");
    run("ip link set vrf0 up; ip link set v1 up master vrf0; ip addr add 10.9.0.1/24 dev v1");
    verify(w);
    assert_role(w, "vrf0", IFACE_NONE, false);
    assert_role(w, "v1", IFACE_NORMAL, false);
    assert_int_equal(kind_of(w, "10.9.0.1", 32), LOCAL_UNICAST);
    run("ip link set v1 nomaster; ip link del vrf0");
    verify(w);
    assert_null(find_iface(w, "vrf0"));
}

static void test_dummy(void **state)
{
    struct world *w = *state;

    run("ip link add d0 type dummy");
    verify(w);
    assert_role(w, "d0", IFACE_NORMAL, false);
}

static void slave_of(struct world *w, const char *kind)
{
    run("ip link add v0 type veth peer name v1; ip link add m0 type %s", kind);
    run("ip link set v0 master m0");
    verify(w);
    assert_role(w, "m0", IFACE_NORMAL, true);
    assert_role(w, "v0", IFACE_PORT, false);
    run("ip link set v0 nomaster");
    verify(w);
    assert_role(w, "v0", IFACE_NORMAL, false);
}

static void test_bond(void **state)
{
    slave_of(*state, "bond");
}

static void test_team(void **state)
{
    slave_of(*state, "team");
}

static void test_ipvlan(void **state)
{
    struct world *w = *state;

    run("ip link add v0 type veth peer name v1");
    run("ip link add link v0 name l2 type ipvlan mode l2");
    run("ip link add link v1 name l3 type ipvlan mode l3");
    verify(w);
    assert_role(w, "l2", IFACE_NORMAL, true);
    assert_role(w, "l3", IFACE_NORMAL, false);
}

static void test_wireguard(void **state)
{
    struct world *w = *state;

    run("ip link add wg0 type wireguard");
    verify(w);
    assert_role(w, "wg0", IFACE_NORMAL, false);
}

static const struct {
    const char *kind, *make; /* how to find out whether the kernel has it */
    struct CMUnitTest test;
} kinds[] = {
    {"vlan", "ip link add link p name x type vlan id 1", LIVE(test_vlan)},
    {"vrf", "ip link add x type vrf table 9", LIVE(test_vrf)},
    {"dummy", "ip link add x type dummy", LIVE(test_dummy)},
    {"bond", "ip link add x type bond", LIVE(test_bond)},
    {"team", "ip link add x type team", LIVE(test_team)},
    {"ipvlan", "ip link add link p name x type ipvlan", LIVE(test_ipvlan)},
    {"wireguard", "ip link add x type wireguard", LIVE(test_wireguard)},
};

int main(void)
{
    struct CMUnitTest tests[ARRAY_SIZE(kinds)];
    size_t n = 0;

    if (geteuid()) {
        puts("1..0 # SKIP needs root");
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (try_run("unshare -n sh -c 'ip link add p type bridge; exec %s' 2>/dev/null",
                    kinds[i].make))
            printf("# this kernel cannot make '%s'\n", kinds[i].kind);
        else
            tests[n++] = kinds[i].test;
    }
    if (!n) {
        puts("1..0 # SKIP no such device kinds in this kernel");
        return 0;
    }
    return _cmocka_run_group_tests("kinds", tests, n, NULL, NULL);
}
