/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath/rtnl*.c against the kernel: each test runs in a network namespace of its own, changes
 * it with ip(8), and compares (test-rtnl.h). Needs root. */
#include "test-rtnl.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void write_sysctl(const char *path, const char *value)
{
    char full[256];

    snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
    int fd = open(full, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, value, strlen(value)), (ssize_t)strlen(value));
    close(fd);
}

static void test_empty_namespace(void **state)
{
    struct world *w = *state;

    verify(w);
    assert_role(w, "lo", IFACE_NONE, false);
    run("ip link set lo up");
    assert_int_equal(verify(w) & HOST_CHANGED_LOCAL, HOST_CHANGED_LOCAL);
    assert_int_equal(kind_of(w, "127.0.0.1", 32), LOCAL_UNICAST);
    assert_int_equal(kind_of(w, "127.0.0.0", 8), LOCAL_UNICAST);
    assert_int_equal(kind_of(w, "127.255.255.255", 32), LOCAL_BROADCAST);
    assert_int_equal(kind_of(w, "::1", 128), LOCAL_UNICAST);
}

static void test_kinds(void **state)
{
    struct world *w = *state;

    run("ip link add v0 type veth peer name v1");
    assert_int_equal(verify(w), HOST_CHANGED_IFACES);
    assert_role(w, "v0", IFACE_NORMAL, false);
    run("ip link add br0 type bridge; ip link set v0 master br0");
    run("ip link add link v1 name mv0 type macvlan; ip link add link v1 name mt0 type macvtap");
    run("ip link add ifb7 type ifb; ip tuntap add dev t0 mode tun; ip tuntap add dev t1 mode tap");
    run("ip link add vx0 type vxlan id 5 dstport 4789");
    verify(w);
    assert_role(w, "br0", IFACE_NORMAL, true);
    assert_role(w, "v0", IFACE_PORT, false);
    assert_role(w, "v1", IFACE_NORMAL, false);
    assert_role(w, "mv0", IFACE_NORMAL, true);
    assert_role(w, "mt0", IFACE_NORMAL, false);
    assert_role(w, "ifb7", IFACE_NONE, false);
    assert_role(w, "t0", IFACE_NORMAL, false);
    assert_role(w, "t1", IFACE_NORMAL, false);
    assert_role(w, "vx0", IFACE_NORMAL, false);

    run("ip link set v0 nomaster");
    assert_int_equal(verify(w), HOST_CHANGED_IFACES);
    assert_role(w, "v0", IFACE_NORMAL, false);
    run("ip link set v1 name renamed; ip link del br0");
    verify(w);
    assert_role(w, "renamed", IFACE_NORMAL, false);
    assert_null(find_iface(w, "br0"));
}

static void test_addresses(void **state)
{
    struct world *w = *state;

    run("ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up");
    verify(w);
    run("ip addr add 10.1.0.1/24 brd + dev v0; ip addr add 2001:db8::1/64 dev v0 nodad");
    assert_int_equal(verify(w), HOST_CHANGED_LOCAL);
    assert_int_equal(kind_of(w, "10.1.0.1", 32), LOCAL_UNICAST);
    assert_int_equal(kind_of(w, "10.1.0.255", 32), LOCAL_BROADCAST);
    assert_int_equal(kind_of(w, "10.1.0.0", 24), LOCAL_NONE);
    assert_int_equal(kind_of(w, "2001:db8::1", 128), LOCAL_UNICAST);
    assert_int_equal(kind_of(w, "ff00::", 8), LOCAL_MULTICAST);
    write_sysctl("ipv6/conf/v0/forwarding", "1"); /* joins the subnet-router anycast address */
    verify(w);
    assert_int_equal(kind_of(w, "2001:db8::", 128), LOCAL_ANYCAST);
    run("ip addr del 10.1.0.1/24 dev v0; ip addr del 2001:db8::1/64 dev v0");
    assert_true(verify(w) & HOST_CHANGED_LOCAL);
    assert_int_equal(kind_of(w, "10.1.0.1", 32), LOCAL_NONE);
    assert_int_equal(kind_of(w, "10.1.0.255", 32), LOCAL_NONE);
    assert_int_equal(kind_of(w, "2001:db8::1", 128), LOCAL_NONE);
}

static void test_prefix_routes(void **state)
{
    struct world *w = *state;

    run("ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up");
    run("ip route add local 203.0.113.0/24 dev lo");
    run("ip -6 route add local 2001:db8:5::/48 dev lo");
    run("ip route add anycast 10.7.7.7 dev lo table local 2>/dev/null || true");
    verify(w);
    assert_int_equal(kind_of(w, "203.0.113.0", 24), LOCAL_UNICAST);
    assert_int_equal(kind_of(w, "2001:db8:5::", 48), LOCAL_UNICAST);

    /* A transparent proxy's table makes nothing local. */
    run("ip route add local 0.0.0.0/0 dev lo table 77; ip route add 10.3.0.0/16 dev v0");
    assert_int_equal(verify(w), 0);
    assert_int_equal(kind_of(w, "0.0.0.0", 0), LOCAL_NONE);

    run("ip route del local 203.0.113.0/24 dev lo; ip -6 route del local 2001:db8:5::/48 dev lo");
    assert_int_equal(verify(w), HOST_CHANGED_LOCAL);
    assert_int_equal(kind_of(w, "203.0.113.0", 24), LOCAL_NONE);
    assert_int_equal(kind_of(w, "2001:db8:5::", 48), LOCAL_NONE);
}

static void test_replaced_route(void **state)
{
    struct world *w = *state;

    run("ip link set lo up; ip route add local 198.51.100.0/24 dev lo table local");
    verify(w);
    assert_int_equal(kind_of(w, "198.51.100.0", 24), LOCAL_UNICAST);
    run("ip route replace broadcast 198.51.100.0/24 dev lo table local");
    verify(w);
    assert_int_equal(kind_of(w, "198.51.100.0", 24), LOCAL_BROADCAST);
    run("ip route replace unreachable 198.51.100.0/24 table local");
    verify(w);
    assert_int_equal(kind_of(w, "198.51.100.0", 24), LOCAL_NONE);
}

/* One prefix by several routes: it stays until the last one goes, and the best kind counts. */
static void test_duplicates(void **state)
{
    struct world *w = *state;

    run("ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up");
    run("ip link set v1 up; ip addr add 10.2.0.1/24 dev v0; ip addr add 10.2.0.1/24 dev v1");
    run("ip route add local 10.5.0.0/16 dev lo table local metric 10");
    run("ip route add local 10.5.0.0/16 dev lo table local metric 20");
    run("ip route add broadcast 10.5.0.0/16 dev lo table local metric 30");
    verify(w);
    run("ip addr del 10.2.0.1/24 dev v0");
    verify(w);
    assert_int_equal(kind_of(w, "10.2.0.1", 32), LOCAL_UNICAST);
    run("ip addr del 10.2.0.1/24 dev v1");
    verify(w);
    assert_int_equal(kind_of(w, "10.2.0.1", 32), LOCAL_NONE);

    run("ip route del local 10.5.0.0/16 dev lo table local metric 10");
    assert_int_equal(verify(w), 0);
    assert_int_equal(kind_of(w, "10.5.0.0", 16), LOCAL_UNICAST);
    run("ip route del local 10.5.0.0/16 dev lo table local metric 20");
    assert_int_equal(verify(w), HOST_CHANGED_LOCAL);
    assert_int_equal(kind_of(w, "10.5.0.0", 16), LOCAL_BROADCAST);
    run("ip route del broadcast 10.5.0.0/16 dev lo table local metric 30");
    verify(w);
    assert_int_equal(kind_of(w, "10.5.0.0", 16), LOCAL_NONE);
}

/* The kernel flushes routes of a device that goes down or away without a message. */
static void test_silent_flush(void **state)
{
    struct world *w = *state;

    run("ip link add v0 type bridge; ip link set v0 up"); /* one device, one event */
    run("ip addr add 10.1.0.1/24 brd + dev v0; ip addr add 2001:db8::1/64 dev v0 nodad");
    run("ip route add local 10.44.0.0/16 dev v0 table local");
    verify(w);
    assert_int_equal(kind_of(w, "10.44.0.0", 16), LOCAL_UNICAST);
    run("ip link set v0 down");
    verify(w);
    run("ip link set v0 up");
    verify(w);
    run("ip link set v0 down"); /* host routes outlive that ... */
    verify(w);
    assert_int_equal(kind_of(w, "10.44.0.0", 16), LOCAL_UNICAST);
    run("ip link del v0"); /* ... but not this */
    verify(w);
    assert_int_equal(kind_of(w, "10.44.0.0", 16), LOCAL_NONE);
    assert_int_equal(kind_of(w, "10.1.0.1", 32), LOCAL_NONE);
}

/* A child that sits in a namespace of its own until its pipe closes. */
static pid_t other_namespace(int *ret_pipe)
{
    int go[2], ready[2];
    char c;

    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        close(go[1]);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || unshare(CLONE_NEWNET) < 0 ||
            write(ready[1], "", 1) != 1)
            _exit(1);
        _exit(read(go[0], &c, 1) != 0);
    }
    close(go[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    *ret_pipe = go[1];
    return pid;
}

static void test_namespace_move(void **state)
{
    struct world *w = *state;
    int go, status;
    pid_t pid = other_namespace(&go);

    run("ip link add v0 index 700 type veth peer name v1; ip link set v0 up");
    run("ip addr add 10.1.0.1/24 brd + dev v0");
    verify(w);
    uint8_t zone = iface_of(w, "v0").zone;
    run("ip link set v0 netns %d", pid);
    assert_int_equal(verify(w), HOST_CHANGED_IFACES | HOST_CHANGED_LOCAL);
    assert_null(find_iface(w, "v0"));
    assert_int_equal(kind_of(w, "10.1.0.1", 32), LOCAL_NONE);

    /* The same ifindex again, another device. */
    run("ip link add br9 index 700 type bridge");
    verify(w);
    assert_role(w, "br9", IFACE_NORMAL, true);
    assert_int_equal(iface_of(w, "br9").ifindex, 700);
    assert_int_not_equal(iface_of(w, "br9").zone, zone);
    close(go);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_hundred_interfaces(void **state)
{
    struct world *w = *state;
    bool used[256] = {false};

    run("for i in $(seq 50); do echo link add a$i type veth peer name b$i; done | ip -b -");
    verify(w);
    const struct host *h = rtnl_host(w->rtnl);
    assert_int_equal(h->n_ifaces, 101);
    for (size_t i = 0; i < h->n_ifaces; i++) {
        assert_true(h->ifaces[i].zone >= 1 && h->ifaces[i].zone <= 254);
        assert_false(used[h->ifaces[i].zone]);
        used[h->ifaces[i].zone] = true;
        assert_true(!i || h->ifaces[i - 1].ifindex < h->ifaces[i].ifindex);
    }
    run("for i in $(seq 50); do echo link del a$i; done | ip -b -");
    verify(w);
    assert_int_equal(rtnl_host(w->rtnl)->n_ifaces, 1);
}

/* 254 zones, then 0; a number freed goes to the next interface in need. */
static void test_zones_run_out(void **state)
{
    struct world *w = *state;
    unsigned without = 0;

    run("for i in $(seq 128); do echo link add a$i type veth peer name b$i; done | ip -b -");
    verify(w);
    const struct host *h = rtnl_host(w->rtnl);
    for (size_t i = 0; i < h->n_ifaces; i++)
        without += h->ifaces[i].zone == 0;
    assert_int_equal(h->n_ifaces, 257);
    assert_int_equal(without, 3);
    uint8_t zone = iface_of(w, "a5").zone;
    assert_int_not_equal(zone, 0);
    run("ip link del a5; ip link add fresh type bridge");
    verify(w);
    assert_int_not_equal(iface_of(w, "fresh").zone, 0);
}

static void test_zones_come_back_late(void **state)
{
    struct world *w = *state;

    run("ip link add one type bridge");
    verify(w);
    uint8_t zone = iface_of(w, "one").zone;
    for (int i = 0; i < 5; i++) {
        run("ip link del one; ip link add one type bridge");
        verify(w);
        assert_int_not_equal(iface_of(w, "one").zone, zone);
    }
}

static void test_lost_messages(void **state)
{
    struct world *w = *state;
    int tiny = 1;
    unsigned changes;

    run("ip link add keep type bridge; ip link add gone type bridge");
    verify(w);
    assert_int_equal(setsockopt(rtnl_fd(w->rtnl), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
    run("for i in $(seq 40); do echo link add a$i type veth peer name b$i; done | ip -b -");
    run("ip link del gone; ip link set lo up; ip route add local 10.8.0.0/16 dev lo");
    assert_int_equal(rtnl_process(w->rtnl, &changes), 0);
    assert_int_equal(changes, HOST_CHANGED_IFACES | HOST_CHANGED_LOCAL);
    assert_int_equal(rtnl_host(w->rtnl)->n_ifaces, 82);
    assert_null(find_iface(w, "gone"));
    assert_int_equal(kind_of(w, "10.8.0.0", 16), LOCAL_UNICAST);
    verify(w);
    w->mirror.calls = 0;
    assert_int_equal(rtnl_resync(w->rtnl, &changes), 0);
    assert_int_equal(w->mirror.calls, 0); /* nothing different, nothing told */
    assert_int_equal(changes, 0);
}

/* Dumps while interfaces come and go, so that the kernel interrupts them: every op stays
 * consistent with those before (the mirror asserts it), and the end is right. */
static void test_churn(void **state)
{
    struct world *w = *state;
    unsigned changes, rounds = 0;
    int status;

    run("ip link set lo up");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        int e = 0;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 0; i < 3 && !e; i++)
            e = try_run("for i in $(seq 40); do echo link add a$i type veth peer name b$i; "
                        "echo link set a$i up; echo addr add 10.77.$i.1/24 dev a$i; "
                        "done | ip -b -; for i in $(seq 1 2 40); do echo link del a$i; done | "
                        "ip -b -; [ %d = 2 ] || for i in $(seq 2 2 40); do "
                        "echo link del b$i; done | ip -b -",
                        i);
        _exit(e != 0);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        assert_int_equal(rtnl_process(w->rtnl, &changes), 0);
        assert_int_equal(rtnl_resync(w->rtnl, &changes), 0);
        rounds++;
    }
    assert_int_equal(status, 0);
    assert_true(rounds > 5);
    verify(w);
    assert_int_equal(rtnl_host(w->rtnl)->n_ifaces, 41);
    assert_int_equal(kind_of(w, "10.77.2.1", 32), LOCAL_UNICAST);
    assert_int_equal(kind_of(w, "10.77.1.1", 32), LOCAL_NONE);
}

static void test_sysctls(void **state)
{
    struct world *w = *state;
    unsigned changes;

    run("ip link add v0 type veth peer name v1; ip link set v0 up");
    verify(w);
    assert_false(iface_of(w, "v0").forwarding4 || iface_of(w, "v0").forwarding6);
    write_sysctl("ipv4/conf/v0/forwarding", "1");
    assert_int_equal(verify(w), HOST_CHANGED_IFACES);
    assert_true(iface_of(w, "v0").forwarding4);
    assert_false(iface_of(w, "v1").forwarding4);
    write_sysctl("ipv4/conf/all/forwarding", "1");
    verify(w);
    assert_true(iface_of(w, "v1").forwarding4);
    write_sysctl("ipv4/ip_forward", "0");
    verify(w);
    assert_false(iface_of(w, "v0").forwarding4 || iface_of(w, "v1").forwarding4);

    /* IPv6 forwards by the sysctl of `all`, an interface alone does nothing. */
    write_sysctl("ipv6/conf/v0/forwarding", "1");
    verify(w);
    assert_false(iface_of(w, "v0").forwarding6);
    write_sysctl("ipv6/conf/all/forwarding", "1");
    assert_int_equal(verify(w) & HOST_CHANGED_IFACES, HOST_CHANGED_IFACES);
    assert_true(iface_of(w, "v0").forwarding6 && iface_of(w, "v1").forwarding6);
    write_sysctl("ipv6/conf/all/forwarding", "0");
    verify(w);
    assert_false(iface_of(w, "v1").forwarding6);

    /* Linux 6.17 forwards by this one too. */
    if (access("/proc/sys/net/ipv6/conf/v0/force_forwarding", F_OK) == 0) {
        write_sysctl("ipv6/conf/v0/force_forwarding", "1");
        assert_int_equal(rtnl_resync(w->rtnl, &changes), 0);
        assert_true(iface_of(w, "v0").forwarding6);
        assert_false(iface_of(w, "v1").forwarding6);
    }

    /* No message tells of this one: a full reconciliation sees it. */
    write_sysctl("ipv4/conf/v0/accept_local", "1");
    assert_int_equal(rtnl_resync(w->rtnl, &changes), 0);
    assert_int_equal(changes, HOST_CHANGED_IFACES);
    assert_true(iface_of(w, "v0").accept_local);
    assert_false(iface_of(w, "v1").accept_local);
    write_sysctl("ipv4/conf/all/accept_local", "1");
    assert_int_equal(rtnl_resync(w->rtnl, &changes), 0);
    assert_true(iface_of(w, "v1").accept_local);
    verify(w);
}

static void test_leases(void **state)
{
    struct world *w = *state;

    run("ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up");
    run("ip addr add 10.1.0.1/24 dev v0; ip addr add 2001:db8::1/64 dev v0 nodad "
        "valid_lft 1000 preferred_lft 1000");
    verify(w);
    assert_false(iface_of(w, "v0").dhcp4 || iface_of(w, "v0").dhcp6);
    run("ip addr add 10.1.0.2/24 dev v0 valid_lft 1000 preferred_lft 1000");
    assert_true(verify(w) & HOST_CHANGED_DHCP);
    assert_true(iface_of(w, "v0").dhcp4);
    assert_false(iface_of(w, "v1").dhcp4);
    run("ip addr change 10.1.0.2/24 dev v0 valid_lft forever preferred_lft forever");
    assert_true(verify(w) & HOST_CHANGED_DHCP);
    assert_false(iface_of(w, "v0").dhcp4);
    run("ip addr add 2001:db8::2/128 dev v0 nodad valid_lft 1000 preferred_lft 1000");
    assert_true(verify(w) & HOST_CHANGED_DHCP);
    assert_true(iface_of(w, "v0").dhcp6);
    run("ip addr del 2001:db8::2/128 dev v0");
    assert_true(verify(w) & HOST_CHANGED_DHCP);
    assert_false(iface_of(w, "v0").dhcp6);
    run("ip addr add 10.1.0.3/24 dev v0 valid_lft 1 preferred_lft 1");
    verify(w);
    assert_true(iface_of(w, "v0").dhcp4);
    sleep(2); /* it runs out by itself */
    verify(w);
    assert_false(iface_of(w, "v0").dhcp4);
}

static int client(int family, uint16_t port, const char *device)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    assert_true(fd >= 0);
    if (device)
        assert_int_equal(
            setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)), 0);
    if (family == AF_INET) {
        assert_int_equal(bind(fd, (struct sockaddr *)&a4, sizeof(a4)), 0);
    } else {
        assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&a6, sizeof(a6)), 0);
    }
    return fd;
}

static void test_client_sockets(void **state)
{
    struct world *w = *state;
    unsigned changes;

    run("ip link add v0 type veth peer name v1; ip link set v0 up");
    verify(w);
    int fd = client(AF_INET, 68, "v0"), other = client(AF_INET, 67, NULL);
    assert_int_equal(rtnl_resync(w->rtnl, &changes), 0);
    assert_int_equal(changes, HOST_CHANGED_IFACES | HOST_CHANGED_DHCP);
    assert_true(iface_of(w, "v0").dhcp4);
    assert_false(iface_of(w, "v1").dhcp4 || iface_of(w, "lo").dhcp4);
    close(fd);
    fd = client(AF_INET6, 546, NULL);
    assert_int_equal(rtnl_resync(w->rtnl, &changes), 0);
    assert_false(iface_of(w, "v0").dhcp4 || iface_of(w, "lo").dhcp6);
    assert_true(iface_of(w, "v0").dhcp6 && iface_of(w, "v1").dhcp6);
    verify(w);
    close(fd);
    close(other);
}

static void test_op_errors(void **state)
{
    struct world *w = *state;
    struct mirror m = {.answer = -ENOSPC};
    struct rtnl *r = NULL;
    struct diag d = {0};
    unsigned changes;

    assert_int_equal(rtnl_open(&ops, &m, &d, &r), -ENOSPC);
    assert_null(r);
    assert_int_not_equal(d.message[0], 0);
    w->mirror.answer = -ENOSPC;
    run("ip link add one type bridge; ip link add two type bridge");
    assert_int_equal(rtnl_process(w->rtnl, &changes), -ENOSPC);
    assert_int_equal(changes, HOST_CHANGED_IFACES);
    w->mirror.answer = 0;
    verify(w); /* the second one was told nevertheless */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(test_empty_namespace),
        LIVE(test_kinds),
        LIVE(test_addresses),
        LIVE(test_prefix_routes),
        LIVE(test_replaced_route),
        LIVE(test_duplicates),
        LIVE(test_silent_flush),
        LIVE(test_namespace_move),
        LIVE(test_hundred_interfaces),
        LIVE(test_zones_run_out),
        LIVE(test_zones_come_back_late),
        LIVE(test_lost_messages),
        LIVE(test_churn),
        LIVE(test_sysctls),
        LIVE(test_leases),
        LIVE(test_client_sockets),
        LIVE(test_op_errors),
    };

    if (geteuid()) {
        puts("1..0 # SKIP needs root");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
