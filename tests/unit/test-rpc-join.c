/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc/dump/join.c: each class of the table once, and what is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "rpcdump/rpcdump.h"

enum { IPV4 = 2, IPV6 = 10 };

static struct rpc_endpoint endpoint(enum rpc_transport t, uint16_t port, const char *netid,
                                    const char *owner, const char *address)
{
    struct rpc_endpoint e = {.source = RPC_DUMP_ONC, .transport = t, .port = port};
    (void)snprintf(e.interface, sizeof(e.interface), "%s", "100005");
    (void)snprintf(e.netid, sizeof(e.netid), "%s", netid);
    (void)snprintf(e.owner, sizeof(e.owner), "%s", owner);
    (void)snprintf(e.address, sizeof(e.address), "%s", address);
    return e;
}

static struct rpc_endpoint list[16];
static struct rpc_listener socks[16];
static struct rpc_endpoints endpoints = {.v = list};
static struct rpc_listeners listeners = {.v = socks};
static const struct rpc_port_span set[] = {{5001, 5021}};
static const char *const confined[] = {"a.service"};
static const char *const addresses[] = {"192.0.2.10"};

static struct rpc_join all(void)
{
    return (struct rpc_join){.endpoints = &endpoints,
                             .listeners = &listeners,
                             .set = set,
                             .n_set = 1,
                             .confined = confined,
                             .n_confined = 1,
                             .addresses = addresses,
                             .n_addresses = 1,
                             .dynamic_first = 32768,
                             .dynamic_last = 60999};
}

static enum rpc_class_of_row class_of(struct rpc_join j, struct rpc_endpoint e)
{
    struct rpc_rows r;
    endpoints.n = 1;
    list[0] = e;
    assert_int_equal(rpc_join(&j, &r), 0);
    assert_true(r.n >= 1);
    enum rpc_class_of_row c = r.v[0].class;
    rpc_rows_done(&r);
    return c;
}

static void test_classes(void **state)
{
    (void)state;
    const enum rpc_transport tcp = RPC_TRANSPORT_TCP, udp = RPC_TRANSPORT_UDP;
    listeners.n = 0;
    socks[listeners.n++] = (struct rpc_listener){.family = IPV4, .port = 5001, .uid = 0};
    socks[listeners.n++] = (struct rpc_listener){.family = IPV4, .port = 40000, .udp = true};
    socks[listeners.n++] = (struct rpc_listener){.family = IPV4, .port = 821, .udp = true};
    socks[listeners.n++] = (struct rpc_listener){.family = IPV6, .port = 5002, .uid = 1000};
    assert_int_equal(class_of(all(), endpoint(tcp, 5001, "tcp", "superuser", "")), RPC_ROW_OK);
    assert_int_equal(class_of(all(), endpoint(udp, 5001, "udp", "superuser", "")),
                     RPC_ROW_REGISTERED_DEAD);
    assert_int_equal(class_of(all(), endpoint(tcp, 5001, "tcp6", "superuser", "")),
                     RPC_ROW_REGISTERED_DEAD);
    assert_int_equal(class_of(all(), endpoint(udp, 40000, "udp", "superuser", "")),
                     RPC_ROW_OUTSIDE);
    assert_int_equal(class_of(all(), endpoint(udp, 821, "udp", "superuser", "")), RPC_ROW_EXPLICIT);
    assert_int_equal(class_of(all(), endpoint(tcp, 5002, "tcp6", "1001", "")), RPC_ROW_OTHER_OWNER);
    assert_int_equal(class_of(all(), endpoint(tcp, 5002, "tcp6", "1000", "")), RPC_ROW_OK);
    assert_int_equal(class_of(all(), endpoint(tcp, 5001, "tcp", "superuser", "192.0.2.77")),
                     RPC_ROW_OTHER_ADDRESS);
    assert_int_equal(class_of(all(), endpoint(tcp, 5001, "tcp", "superuser", "192.0.2.10")),
                     RPC_ROW_OK);
    struct rpc_join j = all();
    j.listeners = NULL;
    assert_int_equal(class_of(j, endpoint(tcp, 5001, "tcp", "superuser", "")), RPC_ROW_UNKNOWN);
    j = all();
    j.n_set = 0; /* nothing to be outside of */
    assert_int_equal(class_of(j, endpoint(udp, 40000, "udp", "superuser", "")), RPC_ROW_OK);
}

static void test_unregistered(void **state)
{
    (void)state;
    struct rpc_join j = all();
    struct rpc_rows r;
    listeners.n = endpoints.n = 0;
    for (int i = 0; i < 4; i++) {
        socks[listeners.n] = (struct rpc_listener){.family = IPV4, .port = (uint16_t)(5001 + i)};
        (void)snprintf(socks[listeners.n++].unit, sizeof(socks[0].unit), "%s",
                       i == 3 ? "other.service" : "a.service");
    }
    socks[1].port = 6000; /* not in the set */
    list[endpoints.n++] = endpoint(RPC_TRANSPORT_TCP, 5001, "tcp", "superuser", "");
    assert_int_equal(rpc_join(&j, &r), 0);
    assert_int_equal(r.n, 2);
    assert_int_equal(r.v[1].class, RPC_ROW_UNREGISTERED);
    assert_int_equal(r.v[1].e.port, 5003);
    assert_string_equal(r.v[1].unit, "a.service");
    assert_int_equal(r.n_tcp, 1);
    assert_int_equal(r.n_bad, 0);
    rpc_rows_done(&r);
}

static void test_counts(void **state)
{
    (void)state;
    static const uint16_t ports[] = {5003, 135, 5001, 5001, 5003, 5001};
    struct rpc_join j = all();
    struct rpc_rows r;
    listeners.n = endpoints.n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        list[endpoints.n++] = endpoint(RPC_TRANSPORT_TCP, ports[i], "", "", "");
    list[endpoints.n++] = endpoint(RPC_TRANSPORT_UDP, 5001, "", "", "");
    list[endpoints.n++] = endpoint(RPC_TRANSPORT_PIPE, 0, "", "", "");
    assert_int_equal(rpc_join(&j, &r), 0);
    assert_int_equal(r.n_tcp, 6);
    assert_int_equal(r.n_tcp_ports, 3);
    assert_int_equal(r.n_bad, 7); /* nobody listens; a pipe has no port */
    for (size_t i = 1; i < r.n; i++)
        assert_true(r.v[i - 1].e.transport < r.v[i].e.transport ||
                    r.v[i - 1].e.port <= r.v[i].e.port);
    rpc_rows_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_unregistered),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
