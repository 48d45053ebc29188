/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of packets and verdicts for eval: policy.md 2 (what a filter sees), 3 (precedence), 5
 * (deadlines). Frames are in test-eval-parse.c, exemptions in test-eval-exempt.c, reply state in
 * test-eval-state.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/eval.h"
#include "testlib/fixture.h"

enum { NONE = -1 };
#define IN  DIR_IN
#define OUT DIR_OUT

/* One packet and what must come out; filter NONE: no filter decides. */
struct row {
    const char *what;
    enum direction dir;
    int proto;
    const char *src;
    unsigned a;
    const char *dst;
    unsigned b;
    enum drop_reason reason; /* DROP_NONE = passes */
    int filter;
};

static void check(const char *what, struct verdict v, enum drop_reason reason, int filter)
{
    int got = v.decider == DECIDED_FILTER ? (int)v.index : NONE;
    if (v.reason != reason || v.block != (reason != DROP_NONE) || got != filter)
        print_error("%s: block %d reason %u filter %d\n", what, v.block, v.reason, got);
    assert_int_equal(v.block, reason != DROP_NONE);
    assert_int_equal(v.reason, reason);
    assert_int_equal(got, filter);
    assert_int_equal(v.counter_id, filter == NONE ? COUNTER_NONE : 100 + (unsigned)filter);
}

static void check_rows(const struct fixture *x, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        struct packet p = fixture_packet(r->dir, r->proto, r->src, r->a, r->dst, r->b);
        check(r->what, eval_packet(&x->e, &p, 1), r->reason, r->filter);
    }
}

static void test_any_to_me(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_UDP, "any", "", "me", "1434");
    static const struct row rows[] = {
        {"unicast", IN, 17, "203.0.113.7", 5, "192.0.2.1", 1434, DROP_FILTER, 0},
        {"other port", IN, 17, "203.0.113.7", 5, "192.0.2.1", 1435, 0, NONE},
        {"other protocol", IN, 6, "203.0.113.7", 5, "192.0.2.1", 1434, 0, NONE},
        {"prefix routed as local", IN, 17, "203.0.113.7", 5, "198.51.100.9", 1434, DROP_FILTER, 0},
        {"longest prefix counts", IN, 17, "203.0.113.7", 5, "198.51.100.203", 1434, 0, NONE},
        {"subnet broadcast", IN, 17, "203.0.113.7", 5, "192.0.2.255", 1434, DROP_FILTER, 0},
        {"limited broadcast", IN, 17, "203.0.113.7", 5, "255.255.255.255", 1434, DROP_FILTER, 0},
        {"multicast", IN, 17, "203.0.113.7", 5, "224.0.0.1", 1434, DROP_FILTER, 0},
        {"last multicast", IN, 17, "203.0.113.7", 5, "239.255.255.255", 1434, DROP_FILTER, 0},
        {"class E is not me", IN, 17, "203.0.113.7", 5, "240.0.0.1", 1434, 0, NONE},
        {"IPv6 unicast", IN, 17, "2001:db8:9::7", 5, "2001:db8::1", 1434, DROP_FILTER, 0},
        {"IPv6 anycast", IN, 17, "2001:db8:9::7", 5, "2001:db8::", 1434, DROP_FILTER, 0},
        {"IPv6 multicast", IN, 17, "fe80::7", 5, "ff02::1", 1434, DROP_FILTER, 0},
        {"forwarded", IN, 17, "203.0.113.7", 5, "192.0.2.9", 1434, 0, NONE},
        {"on the way out nobody is me", OUT, 17, "192.0.2.1", 5, "192.0.2.255", 1434, 0, NONE},
    };
    check_rows(&x, rows, ARRAY_SIZE(rows));
    struct packet p = fixture_packet(IN, 17, "203.0.113.7", 5, "192.0.2.9", 1434);
    p.meta.to_host = true;
    check("frame for a host that does not forward", eval_packet(&x.e, &p, 1), DROP_FILTER, 0);
    assert_true(eval_dst_is_me(&x.e, &p));
    fixture_done(&x);
}

static void test_me_to_any(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_ANY, "me", "", "any", "");
    static const struct row rows[] = {
        {"own unicast", OUT, 17, "192.0.2.1", 5, "203.0.113.7", 9, DROP_FILTER, 0},
        {"own prefix", OUT, 47, "198.51.100.9", 0, "203.0.113.7", 0, DROP_FILTER, 0},
        {"own IPv6", OUT, 6, "fe80::1", 5, "fe80::2", 9, DROP_FILTER, 0},
        {"broadcast is no source of ours", OUT, 17, "192.0.2.255", 5, "203.0.113.7", 9, 0, NONE},
        {"anycast is no source of ours", OUT, 17, "2001:db8::", 5, "2001:db8:9::7", 9, 0, NONE},
        {"foreign source", OUT, 17, "192.0.2.9", 5, "203.0.113.7", 9, 0, NONE},
        {"answers come in", IN, 17, "203.0.113.7", 9, "192.0.2.1", 5, 0, NONE},
    };
    check_rows(&x, rows, ARRAY_SIZE(rows));
    fixture_done(&x);
}

static void test_forwarded(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_ANY, "me", "", "any", "");
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "any", "25");
    struct packet routed = fixture_packet(OUT, 6, "10.9.9.9", 5, "203.0.113.7", 25);
    check("untagged: classified", eval_packet(&x.e, &routed, 1), DROP_FILTER, 1);
    routed.meta.judged = true;
    struct verdict v = eval_packet(&x.e, &routed, 1);
    check("judged on the way in", v, DROP_NONE, NONE);
    assert_int_equal(v.decider, DECIDED_EARLIER);
    struct packet masqueraded = fixture_packet(OUT, 6, "192.0.2.1", 5, "203.0.113.7", 80);
    masqueraded.meta.judged = true;
    check("masqueraded, judge", eval_packet(&x.e, &masqueraded, 1), DROP_FILTER, 0);
    x.settings.masqueraded_pass = true;
    v = eval_packet(&x.e, &masqueraded, 1);
    check("masqueraded, pass", v, DROP_NONE, NONE);
    assert_int_equal(v.decider, DECIDED_EARLIER);
    struct packet in = fixture_packet(IN, 6, "203.0.113.7", 5, "10.9.9.9", 25);
    in.meta.judged = true;
    check("a tag means nothing on the way in", eval_packet(&x.e, &in, 1), DROP_FILTER, 1);
    fixture_done(&x);
}

static void test_martians(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"source 127/8", IN, 17, "127.3.0.1", 5, "192.0.2.1", 9, DROP_MARTIAN, NONE},
        {"destination 127/8", IN, 17, "203.0.113.7", 5, "127.0.0.1", 9, DROP_MARTIAN, NONE},
        {"source ::1", IN, 17, "::1", 5, "2001:db8::1", 9, DROP_MARTIAN, NONE},
        {"destination ::1", IN, 17, "fe80::7", 5, "::1", 9, DROP_MARTIAN, NONE},
        {"own source", IN, 17, "192.0.2.1", 5, "192.0.2.1", 9, DROP_MARTIAN, NONE},
        {"own source, routed as local", IN, 17, "198.51.100.9", 5, "192.0.2.1", 9, DROP_MARTIAN,
         NONE},
        {"own IPv6 source", IN, 17, "2001:db8::1", 5, "2001:db8::1", 9, DROP_MARTIAN, NONE},
        {"router discovery with own source", IN, 58, "fe80::1", 134, "ff02::1", 0, DROP_MARTIAN,
         NONE},
        {"broadcast source", IN, 17, "192.0.2.255", 5, "192.0.2.1", 9, 0, NONE},
        {"on the way out", OUT, 17, "192.0.2.1", 5, "127.0.0.1", 9, 0, NONE},
    };
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "any", "1");
    check_rows(&x, rows, ARRAY_SIZE(rows));
    struct packet own = fixture_packet(IN, 17, "192.0.2.1", 5, "192.0.2.1", 9);
    own.meta.accept_local = true;
    check("accept_local", eval_packet(&x.e, &own, 1), DROP_NONE, NONE);
    struct packet loop = fixture_packet(IN, 17, "127.0.0.1", 5, "192.0.2.1", 9);
    loop.meta.accept_local = true;
    check("127/8 with accept_local", eval_packet(&x.e, &loop, 1), DROP_MARTIAN, NONE);
    x.f[0].action = ACTION_PERMIT;
    check("not armed", eval_packet(&x.e, &loop, 1), DROP_NONE, NONE);
    fixture_done(&x);
}

static void test_source_route(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "80");
    struct packet p = fixture_packet(IN, 17, "203.0.113.7", 5, "192.0.2.1", 9);
    p.source_routed = true;
    check("dropped", eval_packet(&x.e, &p, 1), DROP_SOURCE_ROUTE, NONE);
    x.settings.source_route_classify = true;
    check("classify: no match", eval_packet(&x.e, &p, 1), DROP_NONE, NONE);
    p.proto = PROTO_TCP;
    p.dport = 80;
    check("classify: match", eval_packet(&x.e, &p, 1), DROP_FILTER, 0);
    x.settings.source_route_classify = false;
    x.f[0].action = ACTION_PERMIT;
    struct verdict v = eval_packet(&x.e, &p, 1);
    check("not armed: passes unclassified", v, DROP_NONE, NONE);
    assert_int_equal(v.decider, DECIDED_STRUCTURE);
    fixture_done(&x);
}

static void test_mirrored(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    struct filter *f = fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "10.1.0.0/16", "", "me", "445");
    static const struct row plain[] = {
        {"as written", IN, 6, "10.1.2.3", 7, "192.0.2.1", 445, DROP_FILTER, 0},
        {"twin without mirrored", OUT, 6, "192.0.2.1", 445, "10.1.2.3", 7, 0, NONE},
    };
    check_rows(&x, plain, ARRAY_SIZE(plain));
    f->mirrored = true;
    static const struct row mirrored[] = {
        {"as written", IN, 6, "10.1.2.3", 7, "192.0.2.1", 445, DROP_FILTER, 0},
        {"twin", OUT, 6, "192.0.2.1", 445, "10.1.2.3", 7, DROP_FILTER, 0},
        {"ports are exchanged too", OUT, 6, "192.0.2.1", 7, "10.1.2.3", 445, 0, NONE},
        {"other peer", OUT, 6, "192.0.2.1", 445, "10.2.2.3", 7, 0, NONE},
    };
    check_rows(&x, mirrored, ARRAY_SIZE(mirrored));
    struct packet p = fixture_packet(OUT, 6, "192.0.2.1", 445, "10.1.2.3", 7);
    /* A 64 + 128, B the source (me), protocol, source port exact, block */
    assert_int_equal(eval_packet(&x.e, &p, 1).weight,
                     192u << 23 | 128u << 15 | 1u << 14 | 17u << 4 | 3u);
    fixture_done(&x);
}

static void test_addresses_and_ports(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "10.0.0.5-10.0.0.9", "", "any", "80,443,5001-5021");
    fixture_add(&x, ACTION_BLOCK, PROTO_UDP, "any", "53,1000-1001", "2001:db8:5::/48", "");
    fixture_add(&x, ACTION_BLOCK, 47, "0.0.0.0/0", "", "any", "");
    fixture_add(&x, ACTION_BLOCK, 50, "any", "", "any", "");
    static const struct row rows[] = {
        {"below the range", IN, 6, "10.0.0.4", 7, "10.9.9.9", 80, 0, NONE},
        {"first of the range", IN, 6, "10.0.0.5", 7, "10.9.9.9", 80, DROP_FILTER, 0},
        {"last of the range", IN, 6, "10.0.0.9", 7, "10.9.9.9", 443, DROP_FILTER, 0},
        {"above the range", IN, 6, "10.0.0.10", 7, "10.9.9.9", 443, 0, NONE},
        {"below the ports", IN, 6, "10.0.0.9", 7, "10.9.9.9", 5000, 0, NONE},
        {"first port", IN, 6, "10.0.0.9", 7, "10.9.9.9", 5001, DROP_FILTER, 0},
        {"last port", IN, 6, "10.0.0.9", 7, "10.9.9.9", 5021, DROP_FILTER, 0},
        {"above the ports", IN, 6, "10.0.0.9", 7, "10.9.9.9", 5022, 0, NONE},
        {"source port", IN, 17, "fe80::9", 1001, "2001:db8:5:ffff::", 1, DROP_FILTER, 1},
        {"other source port", IN, 17, "fe80::9", 1002, "2001:db8:5:ffff::", 1, 0, NONE},
        {"outside the prefix", IN, 17, "fe80::9", 53, "2001:db8:6::", 1, 0, NONE},
        {"port 0 is a port", IN, 6, "10.0.0.9", 7, "10.9.9.9", 0, 0, NONE},
        {"0.0.0.0/0 is IPv4", IN, 47, "10.3.3.3", 0, "10.9.9.9", 0, DROP_FILTER, 2},
        {"and not IPv6", IN, 47, "fe80::3", 0, "fe80::9", 0, 0, NONE},
        {"any is IPv4", IN, 50, "10.3.3.3", 0, "10.9.9.9", 0, DROP_FILTER, 3},
        {"and IPv6", IN, 50, "fe80::3", 0, "fe80::9", 0, DROP_FILTER, 3},
    };
    check_rows(&x, rows, ARRAY_SIZE(rows));
    fixture_done(&x);
}

static void test_icmp(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add_icmp(&x, ACTION_BLOCK, PROTO_ICMP, "any", "me", 8, -1);
    fixture_add_icmp(&x, ACTION_PERMIT, PROTO_ICMP, "any", "me", 8, 0);
    fixture_add_icmp(&x, ACTION_BLOCK, PROTO_ICMPV6, "any", "any", 0, -1);
    static const struct row rows[] = {
        {"type and code beat the type", IN, 1, "203.0.113.7", 8, "192.0.2.1", 0, 0, 1},
        {"type alone", IN, 1, "203.0.113.7", 8, "192.0.2.1", 1, DROP_FILTER, 0},
        {"other type", IN, 1, "203.0.113.7", 13, "192.0.2.1", 0, 0, NONE},
        {"type 0", IN, 58, "fe80::7", 0, "fe80::1", 0, DROP_FILTER, 2},
        {"type 1 is not type 0", IN, 58, "fe80::7", 1, "fe80::1", 0, 0, NONE},
    };
    check_rows(&x, rows, ARRAY_SIZE(rows));
    struct packet p = fixture_packet(IN, 1, "203.0.113.7", 8, "192.0.2.1", 0);
    assert_int_equal(eval_packet(&x.e, &p, 1).weight, 128u << 23 | 1u << 14 | 17u << 9 | 1u);
    p.icmp_code = 1;
    assert_int_equal(eval_packet(&x.e, &p, 1).weight, 128u << 23 | 1u << 14 | 8u << 9 | 3u);
    fixture_done(&x);
}

static void test_later_fragments(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_UDP, "any", "", "me", "53");
    fixture_add(&x, ACTION_BLOCK, PROTO_UDP, "10.0.0.0/8", "", "me", "");
    struct packet p = fixture_packet(IN, 17, "203.0.113.7", 0, "192.0.2.1", 53);
    p.later_fragment = true;
    p.l4_known = false;
    check("a port needs layer 4", eval_packet(&x.e, &p, 1), DROP_NONE, NONE);
    p.src.lo = 0x0a000001;
    check("no port in the filter", eval_packet(&x.e, &p, 1), DROP_FRAGMENT, 1);
    x.f[1].override = true;
    check("override is the reason", eval_packet(&x.e, &p, 1), DROP_OVERRIDE, 1);
    fixture_done(&x);
}

/* The examples under the table of policy.md 3. */
static void test_precedence_examples(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "135");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.0/24", "", "me", "135");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "any", "", "me", "80");
    fixture_add(&x, ACTION_BLOCK, PROTO_ANY, "203.0.113.0/24", "", "me", "");
    fixture_add(&x, ACTION_BLOCK, PROTO_ANY, "any", "", "me", "");
    static const struct row rows[] = {
        {"exception of the subnet", IN, 6, "10.1.1.7", 5, "192.0.2.1", 135, 0, 1},
        {"block for all others", IN, 6, "10.1.2.7", 5, "192.0.2.1", 135, DROP_FILTER, 0},
        {"service open to all", IN, 6, "10.1.2.7", 5, "192.0.2.1", 80, 0, 2},
        {"banned subnet beats it", IN, 6, "203.0.113.9", 5, "192.0.2.1", 80, DROP_FILTER, 3},
        {"port beats no port", IN, 6, "10.1.2.7", 5, "192.0.2.1", 81, DROP_FILTER, 4},
    };
    check_rows(&x, rows, ARRAY_SIZE(rows));
    struct packet p = fixture_packet(IN, 6, "10.1.2.7", 5, "192.0.2.1", 135);
    assert_int_equal(eval_packet(&x.e, &p, 1).weight, 0x40006203);
    fixture_done(&x);
}

/* Each line wins over the next by one field of the weight, the fields from A to G. */
static void test_precedence_fields(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    struct packet p = fixture_packet(IN, 6, "10.1.1.7", 5, "192.0.2.1", 80);
    fixture_add(&x, ACTION_PERMIT, PROTO_ANY, "10.0.0.0/7", "", "me", "");        /* A */
    fixture_add(&x, ACTION_BLOCK, PROTO_ANY, "10.1.1.7", "", "192.0.2.0/27", ""); /* sum 236 */
    fixture_add(&x, ACTION_BLOCK, PROTO_ANY, "10.1.1.0/27", "", "me", "");        /* B 108 < 128 */
    check("the longer source wins a tie of sums", eval_packet(&x.e, &p, 1), DROP_FILTER, 1);
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.7", "", "192.0.2.0/27", "");
    check("C: protocol", eval_packet(&x.e, &p, 1), DROP_NONE, 3);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "10.1.1.7", "5", "192.0.2.0/27", "");
    check("E: source port", eval_packet(&x.e, &p, 1), DROP_FILTER, 4);
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.7", "", "192.0.2.0/27", "0-65534");
    check("D: destination port before source port", eval_packet(&x.e, &p, 1), DROP_NONE, 5);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "10.1.1.7", "", "192.0.2.0/27", "80-81");
    check("D: a smaller range", eval_packet(&x.e, &p, 1), DROP_FILTER, 6);
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.7", "", "192.0.2.0/27", "80");
    check("D: exact", eval_packet(&x.e, &p, 1), DROP_NONE, 7);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "10.1.1.7", "", "192.0.2.0/27", "80")->profile =
        PROFILE_PUBLIC;
    check("F: profile", eval_packet(&x.e, &p, 1), DROP_FILTER, 8);
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.7", "", "192.0.2.0/27", "80")->interface =
        strdup("eth0");
    check("F: interface", eval_packet(&x.e, &p, 1), DROP_NONE, 9);
    fixture_add(&x, ACTION_NEGOTIATE, PROTO_TCP, "10.1.1.7", "", "192.0.2.0/27", "80")->interface =
        strdup("eth0");
    check("G: negotiate before permit", eval_packet(&x.e, &p, 1), DROP_NO_SA, 10);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "10.1.1.7", "", "192.0.2.0/27", "80")->interface =
        strdup("eth0");
    check("G: block first", eval_packet(&x.e, &p, 1), DROP_FILTER, 11);
    fixture_done(&x);
}

static uint32_t weight_of(const char *src, const char *sport, const char *dport)
{
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, src, sport, "any", dport);
    enum family f = x.f[0].src.family;
    struct packet p = f == FAMILY_6 ? fixture_packet(IN, 6, "2001:db8:5::8", 8, "fe80::9", 8)
                                    : fixture_packet(IN, 6, "10.0.0.8", 8, "10.9.9.9", 8);
    uint32_t w = eval_packet(&x.e, &p, 1).weight;
    fixture_done(&x);
    return w;
}

static void test_weight_scales(void **state)
{
    (void)state;
    static const struct {
        const char *src;
        unsigned a;
    } sources[] = {
        {"any", 0},
        {"0.0.0.0/0", 0},
        {"10.0.0.0/8", 32},
        {"10.0.0.8", 128},
        {"10.0.0.8-10.0.0.9", 124},
        {"10.0.0.7-10.0.0.9", 120}, /* 3 addresses count as 4 */
        {"10.0.0.0-10.0.0.255", 96},
        {"10.0.0.0-10.0.1.0", 92}, /* 257 count as 512 */
        {"0.0.0.0-255.255.255.255", 0},
        {"2001:db8::/32", 32},
        {"2001:db8:5::8", 128},
        {"2001:db8:5::-2001:db8:5:0:ffff:ffff:ffff:ffff", 64},
        {"2001:db8:5::-2001:db8:5:1::", 63},
        {"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        assert_int_equal(weight_of(sources[i].src, "", ""),
                         sources[i].a << 23 | sources[i].a << 15 | 1u << 14 | 3u);
    static const struct {
        const char *ports;
        unsigned d;
    } ports[] = {
        {"8", 17},      {"8-9", 15},    {"7-9", 14},    {"0-7,8", 17},
        {"0-255", 8},   {"0-256", 7},   {"0-32767", 1}, {"0-32768", 1},
        {"0-65534", 1}, {"0-65535", 0}, {"1-16384", 2}, {"", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        assert_int_equal(weight_of("any", "", ports[i].ports), 1u << 14 | ports[i].d << 9 | 3u);
        assert_int_equal(weight_of("any", ports[i].ports, ""), 1u << 14 | ports[i].d << 4 | 3u);
    }
}

static void test_ties(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    struct packet p = fixture_packet(IN, 6, "10.1.1.7", 5, "192.0.2.1", 80);
    for (unsigned i = 0; i < 5; i++)
        fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "80");
    x.f[0].guid.b[15] = 9;
    check("smaller GUID", eval_packet(&x.e, &p, 1), DROP_FILTER, 1);
    x.v[2].layer = LAYER_DOMAIN;
    check("domain before local", eval_packet(&x.e, &p, 1), DROP_FILTER, 2);
    x.v[3].layer = LAYER_DYNAMIC;
    check("dynamic before domain", eval_packet(&x.e, &p, 1), DROP_FILTER, 3);
    x.v[4].layer = LAYER_PERSISTENT;
    check("persistent first", eval_packet(&x.e, &p, 1), DROP_FILTER, 4);
    x.f[4].action = ACTION_PERMIT;
    check("block before any layer", eval_packet(&x.e, &p, 1), DROP_FILTER, 3);
    fixture_done(&x);
}

static void test_override(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.7", "5", "192.0.2.1", "445");
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "445")->override = true;
    struct packet p = fixture_packet(IN, 6, "10.1.1.7", 5, "192.0.2.1", 445);
    struct verdict v = eval_packet(&x.e, &p, 1);
    check("beats the most specific permit", v, DROP_OVERRIDE, 1);
    assert_int_equal(v.tier, TIER_OVERRIDE);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "10.0.0.0/8", "", "me", "445")->override = true;
    check("weight decides among override", eval_packet(&x.e, &p, 1), DROP_OVERRIDE, 2);
    x.v[0].layer = LAYER_PERSISTENT;
    check("of every layer", eval_packet(&x.e, &p, 1), DROP_OVERRIDE, 2);
    fixture_done(&x);
}

static void test_deadlines(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.7", "", "me", "80");
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "80");
    x.v[0].deadline_ns = 1000;
    struct packet p = fixture_packet(IN, 6, "10.1.1.7", 5, "192.0.2.1", 80);
    check("permit before its deadline", eval_packet(&x.e, &p, 999), DROP_NONE, 0);
    check("permit on its deadline", eval_packet(&x.e, &p, 1000), DROP_FILTER, 1);
    x.v[1].deadline_ns = 500;
    check("an expired block stays", eval_packet(&x.e, &p, 1000), DROP_TIMED_BLOCK, 1);
    x.f[0].action = ACTION_NEGOTIATE;
    check("so does negotiate", eval_packet(&x.e, &p, 1000), DROP_NO_SA, 0);
    x.f[0].action = ACTION_PERMIT;
    x.f[0].inpass = true;
    check("and inpass, which demands it", eval_packet(&x.e, &p, 1000), DROP_NO_SA, 0);
    fixture_done(&x);
}

static void test_negotiate_and_inpass(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_NEGOTIATE, PROTO_TCP, "10.0.0.0/8", "", "me", "80")->mirrored = true;
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.0.0.0/8", "", "me", "81");
    x.f[1].mirrored = x.f[1].inpass = true;
    struct packet in = fixture_packet(IN, 6, "10.1.1.7", 5, "192.0.2.1", 80);
    struct packet out = fixture_packet(OUT, 6, "192.0.2.1", 80, "10.1.1.7", 5);
    check("clear in", eval_packet(&x.e, &in, 1), DROP_NO_SA, 0);
    check("clear out", eval_packet(&x.e, &out, 1), DROP_NO_SA, 0);
    in.meta.secured = out.meta.secured = true;
    check("secured in", eval_packet(&x.e, &in, 1), DROP_NONE, 0);
    check("secured out", eval_packet(&x.e, &out, 1), DROP_NONE, 0);
    in.meta.secured = out.meta.secured = false;
    in.dport = out.sport = 81;
    /* Without an engine nothing secures the answers: denied in both directions. */
    check("inpass, clear in", eval_packet(&x.e, &in, 1), DROP_NO_SA, 1);
    in.meta.secured = true;
    check("inpass, secured in", eval_packet(&x.e, &in, 1), DROP_NONE, 1);
    check("inpass, clear answer", eval_packet(&x.e, &out, 1), DROP_NO_SA, 1);
    out.meta.secured = true;
    check("inpass, secured answer", eval_packet(&x.e, &out, 1), DROP_NONE, 1);
    fixture_done(&x);
}

static void test_where(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "80")->interface = strdup("eth1");
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "81")->profile = PROFILE_PRIVATE;
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "82")->profile = PROFILE_PUBLIC;
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "any", "", "me", "83")->interface = strdup("eth1");
    (void)fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "83");
    (void)fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "84");
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "85")->interface = strdup("eth0");
    x.v[5].connection = CONNECTION_DIALUP;
    x.v[6].connection = CONNECTION_LAN;
    static const struct {
        const char *what;
        uint8_t zone;
        uint16_t port;
        int filter;
    } rows[] = {
        {"other interface", 1, 80, NONE},
        {"its interface", 2, 80, 0},
        {"unknown interface", 0, 80, 0},
        {"its profile", 2, 81, 1},
        {"no profile is public", 1, 82, 2},
        {"private is not public", 2, 82, NONE},
        {"unknown, public", 0, 82, 2},
        {"unknown, private", 0, 81, 1},
        {"unknown, permit", 0, 83, 4},
        {"permitted here", 2, 83, 3},
        {"dialup", 3, 84, 5},
        {"lan", 2, 84, NONE},
        {"unknown, dialup", 0, 84, 5},
        {"dialup but another", 3, 85, NONE},
        {"lan and its name", 1, 85, 6},
        {"unknown, lan", 0, 85, 6},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct packet p = fixture_packet(IN, 6, "10.1.1.7", 5, "192.0.2.1", rows[i].port);
        p.meta.zone = rows[i].zone;
        check(rows[i].what, eval_packet(&x.e, &p, 1),
              rows[i].filter == NONE || rows[i].filter == 3 ? 0 : DROP_FILTER, rows[i].filter);
    }
    fixture_done(&x);
}

static void test_explain(void **state)
{
    (void)state;
    struct fixture x;
    struct eval_explanation why;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "80");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.0.0.0/8", "", "me", "80,81");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.7", "", "me", "80");
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "82");
    x.v[2].deadline_ns = 10;
    struct packet p = fixture_packet(IN, 6, "10.1.1.7", 5, "192.0.2.1", 80);
    assert_int_equal(eval_explain(&x.e, &p, 20, &why), 0);
    check("verdict", why.verdict, DROP_NONE, 1);
    assert_int_equal(why.n, 3);
    assert_int_equal(why.v[0].index, 1);
    assert_int_equal(why.v[1].index, 0);
    assert_true(why.v[1].block);
    assert_int_equal(why.v[2].index, 2);
    assert_true(why.v[2].expired);
    eval_explanation_done(&why);
    p.src.lo = 0x7f000001;
    assert_int_equal(eval_explain(&x.e, &p, 20, &why), 0);
    check("structure", why.verdict, DROP_MARTIAN, NONE);
    assert_int_equal(why.n, 0);
    eval_explanation_done(&why);
    fixture_done(&x);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_to_me),
        cmocka_unit_test(test_me_to_any),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_martians),
        cmocka_unit_test(test_source_route),
        cmocka_unit_test(test_mirrored),
        cmocka_unit_test(test_addresses_and_ports),
        cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_later_fragments),
        cmocka_unit_test(test_precedence_examples),
        cmocka_unit_test(test_precedence_fields),
        cmocka_unit_test(test_weight_scales),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_override),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_negotiate_and_inpass),
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_explain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
