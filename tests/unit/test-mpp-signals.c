/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsers of /proc (src/mpp/signals.c), records of the kernel (decode.c), and rules made of
 * settings (rules.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../../src/mpp/engine.h"
#include "mpp/rules.h"

static void test_sockstat(void **state _unused_)
{
    struct mpp_signals s = {.mem = 7};

    assert_int_equal(mpp_parse_sockstat("sockets: used 18\n"
                                        "TCP: inuse 12 orphan 415 tw 3 alloc 417 mem 12246\n"
                                        "UDP: inuse 0 mem 58\n",
                                        &s),
                     0);
    assert_int_equal(s.mem, 12246);
    assert_int_equal(s.inuse, 12);
    assert_int_equal(s.alloc, 417);
    assert_int_equal(mpp_parse_sockstat("", &s), -EBADMSG);
    assert_int_equal(mpp_parse_sockstat("TCP: inuse 1 alloc 2\nUDP: mem 58\n", &s), -EBADMSG);
    assert_int_equal(mpp_parse_sockstat("TCP: inuse x alloc 2 mem 3\n", &s), -EBADMSG);
}

static void test_sockstat6(void **state _unused_)
{
    struct mpp_signals s = {.inuse = 12};

    mpp_add_sockstat6("TCP6: inuse 8000\nUDP6: inuse 5\n", &s);
    assert_int_equal(s.inuse, 8012);
    mpp_add_sockstat6("UDP6: inuse 5\n", &s);
    mpp_add_sockstat6("TCP6: inuse x\n", &s);
    assert_int_equal(s.inuse, 8012);
}

static void test_tcp_mem(void **state _unused_)
{
    struct mpp_signals s = {.mem = 0};

    assert_int_equal(mpp_parse_tcp_mem("287901\t383868\t575802\n", &s), 0);
    assert_int_equal(s.limits[2], 575802);
    assert_int_equal(mpp_parse_tcp_mem("1 2", &s), -EBADMSG);
    assert_int_equal(mpp_parse_tcp_mem("9 9 8", &s), -EBADMSG);
    assert_int_equal(mpp_parse_tcp_mem("0 0 0", &s), -EBADMSG);
    assert_int_equal(s.limits[1], 383868);
}

static void test_netstat(void **state _unused_)
{
    struct mpp_signals s = {.mem = 0};

    assert_int_equal(
        mpp_parse_netstat("TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPAbortOnMemory\n"
                          "TcpExt: 1 20 300 4000\nIpExt: A\nIpExt: 5\n",
                          &s),
        0);
    assert_int_equal(s.overflows, 320);
    assert_int_equal(s.aborts, 4000);
    assert_int_equal(mpp_parse_netstat("TcpExt: A B\n", &s), -EBADMSG);
    assert_int_equal(mpp_parse_netstat("TcpExt: ListenDrops\nTcpExt:\n", &s), 0);
}

static void test_decode(void **state _unused_)
{
    struct mpp_record r = {.family = 6,
                           .peer = {0xfd, 0x77, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5},
                           .lport = 80,
                           .rport = 1024,
                           .queued = 4711,
                           .reason = MPP_R_ORPHAN,
                           .score = 9,
                           .time_ns = 5000000000,
                           .born_ns = 2000000000};
    struct mpp_conn c;

    mpp_decode(&r, &c);
    assert_int_equal(c.family, FAMILY_6);
    assert_int_equal(mpp_source(&c), 0xfd77000100000009);
    assert_int_equal(c.reason, MPP_ORPHAN);
    assert_int_equal(c.verdict, MPP_BELOW_CUTOFF);
    assert_int_equal(c.age_ms, 3000);
    r.over = 1;
    mpp_decode(&r, &c);
    assert_int_equal(c.verdict, MPP_WOULD_PRUNE);
    r.flags = MPP_STAMP_EXEMPT;
    mpp_decode(&r, &c);
    assert_int_equal(c.verdict, MPP_IS_EXEMPT);
    r.reason = 255; /* of a later version */
    mpp_decode(&r, &c);
    assert_int_equal(c.reason, MPP_NO_REASON);
    assert_int_equal(mpp_prefix(FAMILY_4, 0x0a4d80).lo, 0x0a4d8000);
    assert_int_equal(mpp_prefix(FAMILY_6, 5).hi, 5);
}

static void test_rules(void **state _unused_)
{
    static struct mpp_settings s;
    static struct mpp_rules r;
    struct mpp_iface i;

    mpp_settings_init(&s);
    s.exempt[0].v[s.exempt[0].n++] = (struct mpp_range){0, 0};
    s.exempt[0].v[s.exempt[0].n++] = (struct mpp_range){63, 64};
    s.exempt[0].v[s.exempt[0].n++] = (struct mpp_range){65535, 65535};
    s.on[1] = MPP_SWITCH_OFF;
    mpp_rules_make(&s, 7, &r);
    assert_true(r.on[MPP_4] && !r.on[MPP_6] && r.profiles);
    assert_int_equal(r.generation, 7);
    assert_true(r.exempt[0][0] == (1ULL | 1ULL << 63));
    assert_int_equal(r.exempt[0][1], 1);
    assert_true(r.exempt[0][1023] == 1ULL << 63);
    assert_int_equal(r.exempt[1][0], 0);
    strcpy(s.interfaces[0].name, "eth0");
    s.interfaces[0].off[1] = true;
    s.interfaces[0].rate = 200;
    s.n_interfaces = 1;
    mpp_iface_make(&s, 3, "eth0", MPP_PRIVATE, &i);
    assert_true(i.off[MPP_6] && !i.off[MPP_4]);
    assert_int_equal(i.rate, 200);
    mpp_iface_make(&s, 4, "eth1", MPP_PUBLIC, &i);
    assert_int_equal(i.rate, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sockstat), cmocka_unit_test(test_sockstat6),
        cmocka_unit_test(test_tcp_mem),  cmocka_unit_test(test_netstat),
        cmocka_unit_test(test_decode),   cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
