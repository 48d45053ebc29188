/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failsafe (policy.md 3) and every row of the default exemptions (policy.md 6) under a policy that
 * blocks everything, so that what passes passes because of its row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/eval.h"
#include "testlib/fixture.h"

#define IN  DIR_IN
#define OUT DIR_OUT

/* exemption NULL = blocked by filter 0. */
struct row {
    const char *what;
    enum direction dir;
    int proto;
    const char *src;
    unsigned a;
    const char *dst;
    unsigned b;
    const char *exemption;
};

static void block_everything(struct fixture *x)
{
    fixture_init(x);
    fixture_add(x, ACTION_BLOCK, PROTO_ANY, "any", "", "any", "");
}

static void check(const char *what, struct verdict v, const char *exemption)
{
    if (v.block != !exemption)
        print_error("%s: block %d reason %u\n", what, v.block, v.reason);
    assert_int_equal(v.block, !exemption);
    if (!exemption) {
        assert_int_equal(v.decider, DECIDED_FILTER);
        return;
    }
    assert_int_equal(v.decider, DECIDED_EXEMPTION);
    assert_string_equal(v.exemption, exemption);
    assert_int_equal(v.counter_id, COUNTER_NONE);
}

static void check_rows(const struct fixture *x, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        struct packet p = fixture_packet(r->dir, r->proto, r->src, r->a, r->dst, r->b);
        check(r->what, eval_packet(&x->e, &p, 1), r->exemption);
    }
}

static struct packet icmpv6(const char *src, unsigned type, uint8_t hop_limit)
{
    struct packet p = fixture_packet(IN, PROTO_ICMPV6, src, type, "2001:db8::1", 0);
    p.hop_limit = hop_limit;
    return p;
}

static void test_neighbour_discovery(void **state)
{
    (void)state;
    struct fixture x;
    block_everything(&x);
    fixture_add_icmp(&x, ACTION_BLOCK, PROTO_ICMPV6, "any", "any", 135, 0)->override = true;
    for (unsigned type = 135; type <= 136; type++) {
        struct packet p = icmpv6("fe80::7", type, 255);
        check("neighbour discovery", eval_packet(&x.e, &p, 1), "nd");
        p.src = x.local[4].prefix;
        check("from an own address", eval_packet(&x.e, &p, 1), "nd");
        p.meta.dir = OUT;
        check("on the way out", eval_packet(&x.e, &p, 1), "nd");
        p.hop_limit = 254;
        check("other hop limit", eval_packet(&x.e, &p, 1), NULL);
        p.hop_limit = 255;
        p.l4_known = false;
        p.later_fragment = true;
        check("later fragment", eval_packet(&x.e, &p, 1), NULL);
    }
    struct packet v4 = fixture_packet(IN, PROTO_ICMPV6, "10.0.0.1", 135, "192.0.2.1", 0);
    v4.hop_limit = 255;
    check("in IPv4", eval_packet(&x.e, &v4, 1), NULL);
    fixture_done(&x);
}

static void test_typed_rows(void **state)
{
    (void)state;
    static const struct {
        const char *src;
        unsigned type;
        uint8_t hop_limit;
        const char *exemption;
    } rows[] = {
        {"fe80::7", 133, 255, "router discovery"},
        {"fe80::7", 134, 255, "router discovery"},
        {"2001:db8:9::7", 137, 255, "router discovery"},
        {"fe80::7", 134, 254, NULL},
        {"fe80::7", 138, 255, NULL},
        {"fe80::7", 130, 1, "multicast listener"},
        {"febf::7", 131, 1, "multicast listener"},
        {"::", 132, 1, "multicast listener"},
        {"::", 143, 1, "multicast listener"},
        {"fec0::7", 143, 1, NULL},
        {"2001:db8:9::7", 130, 1, NULL},
        {"fe80::7", 130, 255, NULL},
        {"fe80::7", 128, 255, NULL},
    };
    struct fixture x;
    block_everything(&x);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct packet p = icmpv6(rows[i].src, rows[i].type, rows[i].hop_limit);
        check("typed row", eval_packet(&x.e, &p, 1), rows[i].exemption);
    }
    fixture_add(&x, ACTION_BLOCK, PROTO_ICMPV6, "any", "", "any", "");
    struct packet redirect = icmpv6("fe80::7", 137, 255);
    check("protocol alone is not looked at", eval_packet(&x.e, &redirect, 1), "router discovery");
    fixture_add_icmp(&x, ACTION_BLOCK, PROTO_ICMPV6, "any", "me", 137, -1);
    struct verdict v = eval_packet(&x.e, &redirect, 1);
    assert_int_equal(v.reason, DROP_FILTER);
    assert_int_equal(v.index, 2);
    struct packet report = icmpv6("::", 143, 1);
    fixture_add_icmp(&x, ACTION_PERMIT, PROTO_ICMPV6, "any", "me", 143, -1);
    v = eval_packet(&x.e, &report, 1);
    assert_false(v.block);
    assert_int_equal(v.decider, DECIDED_FILTER);
    assert_int_equal(v.index, 3);
    fixture_done(&x);
}

static void test_dhcp_client(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"renewal", IN, 17, "10.0.0.2", 67, "192.0.2.1", 68, "dhcp client"},
        {"broadcast answer", IN, 17, "10.0.0.2", 67, "255.255.255.255", 68, "dhcp client"},
        {"other source port", IN, 17, "10.0.0.2", 66, "192.0.2.1", 68, NULL},
        {"other port", IN, 17, "10.0.0.2", 67, "192.0.2.1", 67, NULL},
        {"not to me", IN, 17, "10.0.0.2", 67, "192.0.2.7", 68, NULL},
        {"request", OUT, 17, "192.0.2.1", 68, "10.0.0.2", 67, "dhcp client"},
        {"not from me", OUT, 17, "0.0.0.0", 68, "255.255.255.255", 67, NULL},
        {"DHCPv4 ports over IPv6", IN, 17, "fe80::2", 67, "fe80::1", 68, NULL},
        {"DHCPv6 answer", IN, 17, "fe80::2", 547, "fe80::1", 546, "dhcp client"},
        {"not link-local", IN, 17, "2001:db8:9::2", 547, "fe80::1", 546, NULL},
        {"DHCPv6 request", OUT, 17, "fe80::1", 546, "ff02::1:2", 547, "dhcp client"},
        {"DHCPv6 unicast request", OUT, 17, "fe80::1", 546, "2001:db8:9::2", 547, "dhcp client"},
        {"TCP", IN, 6, "10.0.0.2", 67, "192.0.2.1", 68, NULL},
    };
    struct fixture x;
    block_everything(&x);
    check_rows(&x, rows, ARRAY_SIZE(rows));
    struct packet p = fixture_packet(IN, 17, "10.0.0.2", 67, "192.0.2.1", 68);
    struct verdict v = eval_packet(&x.e, &p, 1);
    assert_int_equal(v.tier, TIER_EXEMPTION);
    /* A me 128, protocol, both ports exact, interface, permit */
    assert_int_equal(v.weight, 128u << 23 | 1u << 14 | 17u << 9 | 17u << 4 | 2u << 2 | 1u);
    p.meta.zone = 2;
    check("interface without a lease", eval_packet(&x.e, &p, 1), NULL);
    p.meta.zone = 1;
    x.settings.dhcp_client_off = true;
    check("dhcp-client = off", eval_packet(&x.e, &p, 1), NULL);
    x.settings.dhcp_client_off = false;
    x.ifaces[0].zone = p.meta.zone = 0;
    check("no zone left", eval_packet(&x.e, &p, 1), NULL);
    fixture_done(&x);
}

static void test_levels(void **state)
{
    (void)state;
    static const struct row packets[] = {
        {"multicast", IN, 17, "10.0.0.2", 5, "224.0.0.251", 9, "multicast"},
        {"multicast out", OUT, 17, "192.0.2.1", 5, "239.1.1.1", 9, "multicast"},
        {"multicast IPv6", IN, 17, "fe80::2", 5, "ff02::fb", 9, "multicast"},
        {"broadcast", IN, 17, "10.0.0.2", 5, "255.255.255.255", 9, "broadcast"},
        {"subnet broadcast", IN, 17, "10.0.0.2", 5, "192.0.2.255", 9, "broadcast"},
        {"RSVP", IN, 46, "10.0.0.2", 0, "192.0.2.1", 0, "rsvp"},
        {"RSVP IPv6", IN, 46, "fe80::2", 0, "fe80::1", 0, "rsvp"},
        {"Kerberos UDP from 88", IN, 17, "10.0.0.2", 88, "192.0.2.1", 9, "kerberos"},
        {"Kerberos UDP to 88", OUT, 17, "192.0.2.1", 5, "10.0.0.2", 88, "kerberos"},
        {"Kerberos TCP from 88", IN, 6, "fe80::2", 88, "fe80::1", 9, "kerberos"},
        {"Kerberos TCP to 88", IN, 6, "10.0.0.2", 5, "10.9.9.9", 88, "kerberos"},
        {"SCTP 88", IN, 132, "10.0.0.2", 88, "192.0.2.1", 88, NULL},
        {"IKE without negotiate", IN, 17, "10.0.0.2", 500, "192.0.2.1", 500, NULL},
        {"unicast", IN, 17, "10.0.0.2", 5, "192.0.2.1", 9, NULL},
    };
    static const struct {
        bool multicast, kerberos;
    } levels[] = {{true, true}, {true, false}, {false, true}, {false, false}};
    struct fixture x;
    block_everything(&x);
    for (uint8_t level = 0; level < 4; level++) {
        x.settings.exempt = level;
        for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
            struct row r = packets[i];
            bool first = i < 5;
            if (!(first ? levels[level].multicast : levels[level].kerberos))
                r.exemption = NULL;
            check_rows(&x, &r, 1);
        }
    }
    fixture_done(&x);
}

static void test_ike(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"IKE", IN, 17, "10.0.0.2", 500, "192.0.2.1", 500, "ike"},
        {"behind NAT", IN, 17, "10.0.0.2", 7, "192.0.2.1", 4500, "ike"},
        {"out", OUT, 17, "192.0.2.1", 500, "10.0.0.2", 500, "ike"},
        {"asking from any port", OUT, 17, "192.0.2.1", 7, "10.0.0.2", 500, "ike"},
        {"answering behind NAT", OUT, 17, "192.0.2.1", 4500, "10.0.0.2", 7, "ike"},
        {"a source port that anybody may choose", IN, 17, "10.0.0.2", 500, "192.0.2.1", 7, NULL},
        {"the same, NAT", IN, 17, "10.0.0.2", 4500, "192.0.2.1", 53, NULL},
        {"another host", IN, 17, "203.0.113.7", 500, "192.0.2.1", 500, NULL},
        {"another port", IN, 17, "10.0.0.2", 501, "192.0.2.1", 501, NULL},
        {"TCP", IN, 6, "10.0.0.2", 500, "192.0.2.1", 500, NULL},
    };
    struct fixture x;
    block_everything(&x);
    fixture_add(&x, ACTION_NEGOTIATE, PROTO_TCP, "me", "", "10.0.0.0/8", "80");
    for (uint8_t level = 0; level < 4; level++) {
        x.settings.exempt = level;
        check_rows(&x, rows, ARRAY_SIZE(rows));
    }
    x.f[x.e.n - 1].action = ACTION_PERMIT; /* inpass wants answers secured: IKE as well */
    x.f[x.e.n - 1].inpass = true;
    check_rows(&x, rows, ARRAY_SIZE(rows));
    x.f[x.e.n - 1].inpass = false;
    check_rows(&x, &(struct row){"permit", IN, 17, "10.0.0.2", 5, "192.0.2.1", 500, NULL}, 1);
    fixture_done(&x);
}

/* Any: this host may be meant. Neither me nor any: forwarded, only to the ports. */
static void test_ike_any_and_forwarded(void **state)
{
    (void)state;
    static const struct row any[] = {
        {"in", IN, 17, "10.0.0.2", 7, "192.0.2.1", 500, "ike"},
        {"answer", OUT, 17, "192.0.2.1", 4500, "10.0.0.2", 7, "ike"},
        {"from 500", IN, 17, "10.0.0.2", 500, "192.0.2.1", 7, NULL},
        {"IPv6", IN, 17, "fe80::2", 500, "fe80::1", 500, "ike"},
    };
    static const struct row pair[] = {
        {"there", IN, 17, "10.0.0.2", 7, "203.0.113.9", 500, "ike"},
        {"back", IN, 17, "203.0.113.9", 500, "10.0.0.2", 4500, "ike"},
        {"from 500", IN, 17, "10.0.0.2", 500, "203.0.113.9", 7, NULL},
        {"others", IN, 17, "10.0.0.3", 7, "203.0.113.9", 500, NULL},
    };
    struct fixture x;
    block_everything(&x);
    fixture_add(&x, ACTION_NEGOTIATE, PROTO_TCP, "any", "", "any", "80");
    check_rows(&x, any, ARRAY_SIZE(any));
    fixture_done(&x);
    block_everything(&x);
    fixture_add(&x, ACTION_NEGOTIATE, PROTO_ANY, "10.0.0.2", "", "203.0.113.9", "");
    check_rows(&x, pair, ARRAY_SIZE(pair));
    fixture_done(&x);
}

static void test_failsafe(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum direction dir;
        int proto;
        const char *src;
        unsigned a;
        const char *dst;
        unsigned b;
        int entry; /* -1 = blocked */
    } rows[] = {
        {"in", IN, 6, "203.0.113.7", 5, "192.0.2.1", 22, 0},
        {"twin", OUT, 6, "192.0.2.1", 22, "203.0.113.7", 5, 0},
        {"other port", IN, 6, "203.0.113.7", 22, "192.0.2.1", 23, -1},
        {"other protocol", IN, 17, "203.0.113.7", 5, "192.0.2.1", 22, -1},
        {"other source", IN, 6, "203.0.114.7", 5, "192.0.2.1", 22, -1},
        {"not to me", IN, 6, "203.0.113.7", 5, "10.0.0.9", 22, -1},
        {"any, IPv4", IN, 17, "10.0.0.9", 5, "192.0.2.1", 1194, 1},
        {"any, IPv6", IN, 17, "fe80::9", 5, "2001:db8::1", 1194, 1},
    };
    struct fixture x;
    block_everything(&x);
    x.f[0].override = true;
    x.settings.failsafe[0] = (struct failsafe){
        .proto = 6, .port = 22, .family = FAMILY_4, .prefix = {0, 0xcb007100}, .prefix_len = 24};
    x.settings.failsafe[1] = (struct failsafe){.proto = 17, .port = 1194, .family = FAMILY_ANY};
    x.settings.n_failsafe = 2;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct packet p = fixture_packet(rows[i].dir, rows[i].proto, rows[i].src, rows[i].a,
                                         rows[i].dst, rows[i].b);
        struct verdict v = eval_packet(&x.e, &p, 1);
        if (v.block != (rows[i].entry < 0))
            print_error("%s\n", rows[i].what);
        assert_int_equal(v.block, rows[i].entry < 0);
        assert_int_equal(v.decider, rows[i].entry < 0 ? DECIDED_FILTER : DECIDED_FAILSAFE);
        assert_int_equal(v.index, rows[i].entry < 0 ? 0 : rows[i].entry);
        assert_int_equal(v.tier, rows[i].entry < 0 ? TIER_OVERRIDE : TIER_FAILSAFE);
    }
    struct packet p = fixture_packet(IN, 6, "203.0.113.7", 5, "192.0.2.1", 22);
    assert_int_equal(eval_packet(&x.e, &p, 1).weight,
                     224u << 23 | 96u << 15 | 1u << 14 | 17u << 9 | 1u);
    fixture_done(&x);
}

/* Failsafe before exemption before override before the rest, whatever their weights. */
static void test_tiers(void **state)
{
    (void)state;
    struct fixture x;
    block_everything(&x);
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.0.0.2", "88", "192.0.2.1", "22");
    struct packet p = fixture_packet(IN, 6, "10.0.0.2", 88, "192.0.2.1", 22);
    assert_int_equal(eval_packet(&x.e, &p, 1).index, 1);
    x.f[0].override = true;
    assert_int_equal(eval_packet(&x.e, &p, 1).reason, DROP_OVERRIDE);
    x.settings.exempt = 2;
    check("exemption", eval_packet(&x.e, &p, 1), "kerberos");
    x.settings.failsafe[0] = (struct failsafe){.proto = 6, .port = 22};
    x.settings.n_failsafe = 1;
    assert_int_equal(eval_packet(&x.e, &p, 1).decider, DECIDED_FAILSAFE);
    struct eval_explanation why;
    assert_int_equal(eval_explain(&x.e, &p, 1, &why), 0);
    assert_int_equal(why.n, 4);
    assert_string_equal(why.v[0].entry, "failsafe");
    assert_int_equal(why.v[0].failsafe, 0);
    assert_string_equal(why.v[1].entry, "kerberos");
    assert_int_equal(why.v[2].index, 0);
    assert_int_equal(why.v[3].index, 1);
    eval_explanation_done(&why);
    fixture_done(&x);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbour_discovery),
        cmocka_unit_test(test_typed_rows),
        cmocka_unit_test(test_dhcp_client),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_ike),
        cmocka_unit_test(test_ike_any_and_forwarded),
        cmocka_unit_test(test_failsafe),
        cmocka_unit_test(test_tiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
