/* SPDX-License-Identifier: GPL-2.0-or-later */
/* src/mpp/diag_kill.c on real sockets of both families: established, orphaned, half-open, in
 * TIME_WAIT. In a network namespace of its own; the states are read from /proc before and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/mpp/engine.h"

enum {
    PORT = 4711,
    SYN_RECV = 3,
    FIN_WAIT1 = 4
}; /* as /proc shows them: a half-open one is SYN_RECV */

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct ends {
    int family, listener, client, server;
    struct mpp_record r; /* of the server's side */
};

static socklen_t loopback(int family, uint16_t port, union address *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->any.sa_family = (sa_family_t)family;
    if (family == AF_INET6) {
        ret->in6.sin6_addr = in6addr_loopback;
        ret->in6.sin6_port = htons(port);
        return sizeof(ret->in6);
    }
    ret->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ret->in.sin_port = htons(port);
    return sizeof(ret->in);
}

/* State of the socket with these ports, as in /proc; 0 = there is none. Its queue in *ret_queued.
 */
static unsigned state_of(int family, unsigned lport, unsigned rport)
{
    FILE *f =
        fopen(family == AF_INET6 ? "/proc/thread-self/net/tcp6" : "/proc/thread-self/net/tcp", "r");
    char line[512];
    unsigned state = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned l, r, st;
        if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%x %x", &l, &r, &st) == 3 && l == lport &&
            r == rport)
            state = st;
    }
    fclose(f);
    return state;
}

static unsigned state_here(const struct ends *e)
{
    return state_of(e->family, e->r.lport, e->r.rport);
}

/* A listener and a client; accepted unless the listener waits for data. */
static void connect_ends(struct ends *e, int family, bool half_open)
{
    union address a, mine = {0};
    socklen_t len = loopback(family, PORT, &a), mine_len = sizeof(mine);
    int one = 1, wait_s = 30;

    *e = (struct ends){.family = family, .server = -1};
    e->listener = socket(family, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(e->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    if (half_open)
        assert_int_equal(
            setsockopt(e->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &wait_s, sizeof(wait_s)), 0);
    assert_int_equal(bind(e->listener, &a.any, len), 0);
    assert_int_equal(listen(e->listener, 8), 0);
    e->client = socket(family, SOCK_STREAM, 0);
    assert_int_equal(connect(e->client, &a.any, len), 0);
    assert_int_equal(getsockname(e->client, &mine.any, &mine_len), 0);
    e->r = (struct mpp_record){
        .lport = PORT,
        .family = family == AF_INET6 ? 6 : 4,
        .rport = ntohs(family == AF_INET6 ? mine.in6.sin6_port : mine.in.sin_port)};
    if (family == AF_INET6) {
        memcpy(e->r.local, &in6addr_loopback, 16);
        memcpy(e->r.peer, &in6addr_loopback, 16);
    } else {
        memcpy(e->r.local, &a.in.sin_addr, 4);
        memcpy(e->r.peer, &a.in.sin_addr, 4);
    }
    if (!half_open) {
        e->server = accept(e->listener, NULL, NULL);
        assert_true(e->server >= 0);
    }
}

static void close_ends(struct ends *e)
{
    close_p(&e->client);
    close_p(&e->server);
    close_p(&e->listener);
}

/* The kernel's number of a socket that may have no descriptor. */
static uint64_t cookie_of(const struct ends *e)
{
    char buf[8192];
    struct mnl_socket *s = mnl_socket_open(NETLINK_SOCK_DIAG);
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    h->nlmsg_flags = NLM_F_REQUEST;
    struct inet_diag_req_v2 *q = mnl_nlmsg_put_extra_header(h, sizeof(*q));
    q->sdiag_family = (uint8_t)e->family;
    q->sdiag_protocol = IPPROTO_TCP;
    q->idiag_states = UINT32_MAX;
    q->id.idiag_sport = htons(e->r.lport);
    q->id.idiag_dport = htons(e->r.rport);
    memcpy(q->id.idiag_src, e->r.local, 16);
    memcpy(q->id.idiag_dst, e->r.peer, 16);
    memset(q->id.idiag_cookie, 0xff, sizeof(q->id.idiag_cookie)); /* any */
    assert_int_equal(mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID), 0);
    assert_true(mnl_socket_sendto(s, h, h->nlmsg_len) > 0);
    assert_true(mnl_socket_recvfrom(s, buf, sizeof(buf)) > 0);
    assert_int_equal(((struct nlmsghdr *)buf)->nlmsg_type, SOCK_DIAG_BY_FAMILY);
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload((struct nlmsghdr *)buf);
    uint64_t cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
    mnl_socket_close(s);
    return cookie;
}

static void end(struct ends *e, struct mnl_socket **s, unsigned state)
{
    assert_int_equal(state_here(e), state);
    e->r.cookie = cookie_of(e) + 1; /* another one that has got the same ends */
    assert_int_equal(diag_kill(s, &e->r), -ENOENT);
    assert_int_equal(state_here(e), state);
    e->r.cookie--;
    assert_int_equal(diag_kill(s, &e->r), 0);
    assert_int_equal(state_here(e), 0);
    assert_int_equal(diag_kill(s, &e->r), -ENOENT);
}

static void test_established(void **state)
{
    struct mnl_socket *s = NULL;
    struct ends e;
    char byte;

    connect_ends(&e, *(int *)*state, false);
    end(&e, &s, MPP_TCP_ESTABLISHED); /* the listener of these ports is left alone */
    assert_int_equal(read(e.server, &byte, 1), -1);
    assert_int_equal(errno, ECONNABORTED);
    assert_int_equal(read(e.client, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    close_ends(&e);
    diag_close(&s);
    assert_null(s);
}

/* More is queued than the client takes, and its owner is gone. */
static void test_orphan(void **state)
{
    static char much[65536];
    struct mnl_socket *s = NULL;
    struct ends e;

    connect_ends(&e, *(int *)*state, false);
    while (send(e.server, much, sizeof(much), MSG_DONTWAIT) > 0)
        ;
    close_p(&e.server);
    end(&e, &s, FIN_WAIT1);
    close_ends(&e);
    diag_close(&s);
}

static void test_half_open(void **state)
{
    struct mnl_socket *s = NULL;
    struct ends e;

    connect_ends(&e, *(int *)*state, true);
    end(&e, &s, SYN_RECV);
    close_ends(&e);
    diag_close(&s);
}

static void test_time_wait(void **state)
{
    struct mnl_socket *s = NULL;
    struct ends e;

    connect_ends(&e, *(int *)*state, false);
    close_p(&e.server);
    close_p(&e.client);
    end(&e, &s, MPP_TCP_TIME_WAIT);
    close_ends(&e);
    diag_close(&s);
}

/* One socket of the agent for many, one of which is gone. */
static void test_many(void **state)
{
    struct mnl_socket *s = NULL, *first = NULL;
    struct ends e;

    for (int i = 0; i < 3; i++) {
        connect_ends(&e, *(int *)*state, false);
        end(&e, &s, MPP_TCP_ESTABLISHED);
        first = first ? first : s;
        assert_ptr_equal(s, first);
        close_ends(&e);
    }
    diag_close(&s);
}

static int enter(void **state _unused_)
{
    struct ifreq q = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = unshare(CLONE_NEWNET) < 0 ? -1 : socket(AF_INET, SOCK_DGRAM, 0);
    int r = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &q);

    close_p(&fd);
    return r;
}

int main(void)
{
    static int ipv4 = AF_INET, ipv6 = AF_INET6;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_established, &ipv4),
        cmocka_unit_test_prestate(test_established, &ipv6),
        cmocka_unit_test_prestate(test_orphan, &ipv4),
        cmocka_unit_test_prestate(test_orphan, &ipv6),
        cmocka_unit_test_prestate(test_half_open, &ipv4),
        cmocka_unit_test_prestate(test_half_open, &ipv6),
        cmocka_unit_test_prestate(test_time_wait, &ipv4),
        cmocka_unit_test_prestate(test_time_wait, &ipv6),
        cmocka_unit_test_prestate(test_many, &ipv4),
        cmocka_unit_test_prestate(test_many, &ipv6),
    };
    if (geteuid() != 0) {
        printf("1..0 # SKIP needs root\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, enter, NULL);
}
