/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/proto.c, service.c, names.c: tables that parser and printer share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/packet.h"
#include "model/policy.h"
#include "model/proto.h"

static void test_protocols(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int number;
    } cases[] = {
        {"icmp", 1}, {"tcp", 6},    {"udp", 17},    {"dccp", 33},  {"gre", 47},
        {"esp", 50}, {"ah", 51},    {"icmpv6", 58}, {"sctp", 132}, {"udplite", 136},
        {"TCP", 6},  {"Icmp6", 58}, {"rsvp", 46},   {"ospf", 89},  {"igmp", 2},
        {"tc", -1},  {"tcpx", -1},  {"", -1},       {"any", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(proto_from_name(cases[i].name, strlen(cases[i].name)), cases[i].number);
    assert_int_equal(proto_from_name("tcpx", 3), 6);
    int named = 0;
    for (int p = 0; p <= 255; p++) {
        const char *name = proto_name(p);
        named += name != NULL;
        if (name)
            assert_int_equal(proto_from_name(name, strlen(name)), p);
    }
    assert_true(named >= 25);
    assert_null(proto_name(PROTO_ANY));
    assert_null(proto_name(255));
    assert_string_equal(proto_name(58), "icmpv6");
}

static void test_which_have_ports(void **state)
{
    (void)state;
    for (int p = PROTO_ANY; p <= 255; p++) {
        bool has = p == 6 || p == 17 || p == 33 || p == 132 || p == 136;
        assert_int_equal(proto_has_ports(p), has);
    }
}

static void test_services(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int port;
    } cases[] = {
        {"ssh", 22},
        {"telnet", 23},
        {"smtp", 25},
        {"domain", 53},
        {"bootps", 67},
        {"bootpc", 68},
        {"tftp", 69},
        {"http", 80},
        {"kerberos", 88},
        {"pop3", 110},
        {"sunrpc", 111},
        {"ntp", 123},
        {"epmap", 135},
        {"netbios-ns", 137},
        {"netbios-dgm", 138},
        {"netbios-ssn", 139},
        {"imap", 143},
        {"snmp", 161},
        {"ldap", 389},
        {"https", 443},
        {"microsoft-ds", 445},
        {"isakmp", 500},
        {"syslog", 514},
        {"ldaps", 636},
        {"imaps", 993},
        {"pop3s", 995},
        {"ms-sql-s", 1433},
        {"ms-sql-m", 1434},
        {"nfs", 2049},
        {"mysql", 3306},
        {"ms-wbt-server", 3389},
        {"rdp", 3389},
        {"ipsec-nat-t", 4500},
        {"sip", 5060},
        {"postgresql", 5432},
        {"x11", 6000},
        {"HTTPS", 443},
        {"htt", -1},
        {"httpsx", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(service_port(cases[i].name, strlen(cases[i].name)), cases[i].port);
    assert_int_equal(service_port("https", 4), 80);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(action_name(ACTION_PERMIT), "permit");
    assert_string_equal(action_name(ACTION_NEGOTIATE), "negotiate");
    assert_string_equal(action_name(ACTION_BLOCK), "block");
    assert_string_equal(profile_name(PROFILE_PUBLIC), "public");
    assert_string_equal(connection_name(CONNECTION_DIALUP), "dialup");
    assert_string_equal(tier_name(TIER_OVERRIDE), "override");
    /* The order of policy.md 3 for equal weights is the order of the enum. */
    static const char *const layers[] = {"persistent", "dynamic", "domain", "local"};
    for (enum layer l = LAYER_PERSISTENT; l < _LAYER_MAX; l++) {
        assert_string_equal(layer_name(l), layers[l]);
        assert_int_equal(layer_letter(l), "pdgs"[l]);
    }
    /* datapath.md 8: the numbers are part of the log format. */
    assert_string_equal(drop_reason_name(1), "filter");
    assert_string_equal(drop_reason_name(10), "internal");
    assert_string_equal(drop_reason_name(13), "martian");
    assert_string_equal(drop_reason_name(16), "override");
    for (enum drop_reason r = DROP_NONE; r < _DROP_REASON_MAX; r++)
        assert_non_null(drop_reason_name(r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_which_have_ports),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
