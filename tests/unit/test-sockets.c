/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets/parse.c, settle.c, rawproc.c, units.c: answers of sock_diag to rows, their order,
 * holders, words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

#include "../../src/sockets/internal.h"
#include "sockets/units.h"

/* Messages one behind the other. */
struct dump {
    alignas(8) uint8_t v[4096];
    size_t len;
};

static struct nlmsghdr *begin(struct dump *x, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *h = (struct nlmsghdr *)(void *)(x->v + x->len);

    *h = (struct nlmsghdr){.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_len = NLMSG_HDRLEN};
    return h;
}

static void end(struct dump *x, const struct nlmsghdr *h)
{
    x->len += NLMSG_ALIGN(h->nlmsg_len);
}

static void put(struct nlmsghdr *h, const void *data, size_t n)
{
    memcpy((uint8_t *)h + h->nlmsg_len, data, n);
    h->nlmsg_len += (uint32_t)NLMSG_ALIGN(n);
}

static void put_attr(struct nlmsghdr *h, uint16_t type, const void *data, uint16_t n)
{
    struct nlattr a = {.nla_type = type, .nla_len = (uint16_t)(sizeof(struct nlattr) + n)};
    uint8_t both[64] = {0};

    memcpy(both, &a, sizeof(a));
    memcpy(both + sizeof(a), data, n);
    put(h, both, sizeof(a) + n);
}

static struct inet_diag_msg message(uint8_t family, uint8_t state, uint16_t port)
{
    return (struct inet_diag_msg){
        .idiag_family = family, .idiag_state = state, .id.idiag_sport = htons(port)};
}

static void add_message(struct dump *x, const struct inet_diag_msg *m, uint64_t cgroup)
{
    struct nlmsghdr *h = begin(x, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI);

    put(h, m, sizeof(*m));
    if (cgroup)
        put_attr(h, 21, &cgroup, sizeof(cgroup)); /* INET_DIAG_CGROUP_ID */
    end(x, h);
}

static void add_done(struct dump *x, int error)
{
    struct nlmsghdr *h = begin(x, NLMSG_DONE, NLM_F_MULTI);

    put(h, &error, sizeof(error));
    end(x, h);
}

static int parse(const struct dump *x, uint8_t family, uint8_t proto, struct sockets *s,
                 struct socket_answer *a)
{
    return sockets_parse(x->v, x->len, family, proto, s, a);
}

static void test_states(void **state)
{
    (void)state;
    static const struct {
        uint8_t proto, state;
        enum socket_state want;
    } cases[] = {
        {IPPROTO_TCP, TCP_LISTEN, SOCKET_LISTEN},
        {IPPROTO_TCP, TCP_CLOSE, SOCKET_RESERVED}, /* how bound inactive ones are answered */
        {IPPROTO_TCP, TCP_ESTABLISHED, SOCKET_CONNECTED},
        {IPPROTO_TCP, TCP_TIME_WAIT, SOCKET_CONNECTED},
        {IPPROTO_UDP, TCP_CLOSE, SOCKET_BOUND},
        {IPPROTO_UDP, TCP_ESTABLISHED, SOCKET_CONNECTED},
        {IPPROTO_SCTP, TCP_LISTEN, SOCKET_LISTEN},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(sockets_done) struct sockets s = {0};
        struct inet_diag_msg m = message(AF_INET, cases[i].state, 80);
        struct socket_answer a;
        struct dump x = {.len = 0};

        add_message(&x, &m, 7);
        add_done(&x, 0);
        assert_int_equal(parse(&x, AF_INET, cases[i].proto, &s, &a), 0);
        assert_true(a.done && a.error == 0 && s.n == 1);
        assert_int_equal(s.v[0].state, cases[i].want);
        assert_int_equal(s.v[0].port, 80);
        assert_int_equal(s.v[0].cgroup, 7);
    }
}

static void test_ends(void **state)
{
    (void)state;
    _cleanup_(sockets_done) struct sockets s = {0};
    struct inet_diag_msg m = message(AF_INET, TCP_LISTEN, 80), zero = message(AF_INET, 10, 0);
    struct socket_answer a;
    struct dump x = {.len = 0}, error = {.len = 0}, cut = {.len = 0};

    add_message(&x, &zero, 0); /* has no port: no row */
    add_message(&x, &m, 0);
    assert_int_equal(parse(&x, AF_INET, IPPROTO_TCP, &s, &a), 0);
    assert_true(!a.done && s.n == 1);
    add_done(&error, -ENOENT); /* a protocol that the kernel does not have */
    assert_int_equal(parse(&error, AF_INET, IPPROTO_SCTP, &s, &a), 0);
    assert_true(a.done && a.error == -ENOENT);
    struct nlmsghdr *h = begin(&cut, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI | NLM_F_DUMP_INTR);
    put(h, &m, sizeof(m) - 8);
    end(&cut, h);
    assert_int_equal(parse(&cut, AF_INET, IPPROTO_TCP, &s, &a), 0);
    assert_true(a.interrupted && s.n == 1); /* too short to be looked into */
    cut.len -= 4;
    assert_int_equal(parse(&cut, AF_INET, IPPROTO_TCP, &s, &a), -EBADMSG);
}

static struct socket_row row(uint8_t proto, uint16_t port, uint32_t address, uint32_t inode)
{
    struct socket_row r = {.family = AF_INET,
                           .proto = proto,
                           .state = proto == IPPROTO_UDP ? SOCKET_BOUND : SOCKET_LISTEN,
                           .port = port,
                           .inode = inode,
                           .cookie = inode};

    address = htonl(address);
    memcpy(r.local, &address, 4);
    return r;
}

static void test_order_and_holders(void **state)
{
    (void)state;
    _cleanup_(sockets_done) struct sockets s = {0};
    const struct socket_row rows[] = {
        row(IPPROTO_UDP, 53, 0, 5),          row(IPPROTO_TCP, 445, 0x7f000001, 4),
        row(IPPROTO_TCP, 445, 0, 3),         row(IPPROTO_TCP, 80, 0xc0a80001, 2),
        row(IPPROTO_TCP, 80, 0xc0a80001, 2), /* twice, by a table that changed */
        row(IPPROTO_TCP, 80, 0xc0a80001, 9), /* reuseport: another one */
        row(IPPROTO_TCP, 81, 0, 0),          /* of the kernel */
    };
    static const uint32_t want[] = {2, 9, 0, 3, 4, 5};

    s.v = malloc(sizeof(rows));
    assert_non_null(s.v);
    memcpy(s.v, rows, sizeof(rows));
    s.n = s.cap = ARRAY_SIZE(rows);
    for (uint32_t pid = 30; pid > 27; pid--)
        assert_int_equal(holders_add(&s, 3, pid), 0);
    assert_int_equal(holders_add(&s, 3, 29), 0); /* a second descriptor */
    assert_int_equal(holders_add(&s, 2, 7), 0);
    assert_int_equal(holders_add(&s, 1000, 8), 0);
    assert_int_equal(sockets_settle(&s), 0);
    assert_int_equal(s.n, ARRAY_SIZE(want));
    for (size_t i = 0; i < s.n; i++)
        assert_int_equal(s.v[i].inode, want[i]);
    assert_int_equal(s.v[0].n_holders, 1);
    assert_int_equal(s.holders[s.v[0].holder].pid, 7);
    assert_int_equal(s.v[3].n_holders, 3);
    assert_int_equal(s.holders[s.v[3].holder].pid, 28); /* the lowest first */
    assert_int_equal(s.v[1].n_holders, 0);
    assert_int_equal(s.v[2].n_holders, 0);
}

static void test_words(void **state)
{
    (void)state;
    struct socket_row r = row(IPPROTO_TCP, 65535, 0xffffffff, 1);
    char text[SOCKET_TEXT_BYTES];

    socket_print(&r, false, NULL, text);
    assert_string_equal(text, "255.255.255.255:65535");
    socket_print(&r, true, NULL, text);
    assert_string_equal(text, "0.0.0.0:0");
    socket_print(&r, false, "eth0", text);
    assert_string_equal(text, "255.255.255.255%eth0:65535");
    assert_false(socket_is_any_address(&r) || socket_is_loopback(&r));
    r = row(IPPROTO_TCP, 7, 0x7f010203, 1);
    assert_true(socket_is_loopback(&r));
    r.family = AF_INET6;
    memset(r.local, 0, sizeof(r.local));
    socket_print(&r, false, NULL, text);
    assert_string_equal(text, "[::]:7");
    assert_true(socket_is_any_address(&r));
    r.local[15] = 1;
    assert_true(socket_is_loopback(&r));
    inet_pton(AF_INET6, "::ffff:127.0.0.1", r.local);
    assert_true(socket_is_loopback(&r));
    inet_pton(AF_INET6, "::ffff:192.0.2.1", r.local);
    assert_false(socket_is_loopback(&r));
    r.state = SOCKET_RAW;
    r.proto = 58;
    inet_pton(AF_INET6, "2001:db8::1", r.local);
    socket_print(&r, false, NULL, text);
    assert_string_equal(text, "2001:db8::1 proto 58");
    assert_string_equal(socket_proto_name(&r), "raw");
}

static void test_raw_lines(void **state)
{
    (void)state;
    static const char line[] =
        " 164: 0100007F:002F 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000"
        "        0 34851955 2 00000000fbe1312a 0\n";
    struct socket_row r;

    assert_true(raw_line_parse(line, AF_INET, &r));
    assert_int_equal(r.proto, 47);
    assert_int_equal(r.uid, 1000);
    assert_int_equal(r.inode, 34851955);
    assert_false(raw_line_parse(line, AF_INET6, &r));
    assert_false(raw_line_parse("  sl  local_address rem_address   st", AF_INET, &r));
    assert_false(raw_line_parse("", AF_INET, &r));
}

static void test_unit_names(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/system.slice/ssh.service", "ssh.service"},
        {"/user.slice/user-0.slice/user@0.service/app.slice/x.service", "x.service"},
        {"/system.slice/docker-0a1b.scope/init.d", "docker-0a1b.scope"},
        {"/app", "/app"},
        {"/", "/"},
        {"/.service", "/.service"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t n;
        const char *name = socket_unit_name(cases[i][0], &n);

        assert_int_equal(n, strlen(cases[i][1]));
        assert_memory_equal(name, cases[i][1], n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),    cmocka_unit_test(test_ends),
        cmocka_unit_test(test_words),     cmocka_unit_test(test_order_and_holders),
        cmocka_unit_test(test_raw_lines), cmocka_unit_test(test_unit_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
