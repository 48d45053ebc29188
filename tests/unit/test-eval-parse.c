/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames byte by byte: every row of docs/internals/parsing.md 2-5 (datapath.md 5.1), and the
 * builder as the inverse of the parser on random packets (seed in PORTWARD_SEED). */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/eval.h"
#include "testlib/fixture.h"

/* Frames are hexadecimal text, spaces ignored. */
#define ETH(type)          "000000000000 000000000000" type
#define TAG(type)          "0005" type
#define ADDR4              "0a000002 c0000201"
#define IP4(vi, len, frag) vi "00" len "0000" frag "40"
/* version+ihl, length, fragment word, protocol, options, rest */
#define V4(vi, len, frag, proto, rest) ETH("0800") IP4(vi, len, frag) proto "0000" ADDR4 rest
#define ADDR6                          "fe800000000000000000000000000002 20010db8000000000000000000000001"
#define V6(len, next, rest)            ETH("86dd") "60000000" len next "40" ADDR6 rest
#define TCP20                          "1388 0050 00000000 00000000 5012 0000 00000000"
#define UDP8                           "1388 0035 0008 0000"
#define ICMP8                          "0804 0000 00000000"
#define ZERO8                          "0000000000000000"
#define EXT(next) \
    next "00"     \
         "000000000000" /* 8 bytes */
#define FRAG(next, word) next "00" word "00000000"

enum { WHOLE, FIRST, LATER };
struct row {
    const char *what;
    const char *frame;
    enum drop_reason reason;
    int kind; /* LATER sets later_fragment */
    int proto;
    int a, b; /* ports or type and code; -1: layer 4 not known */
};

static const struct row rows[] = {
    {"IPv4 TCP", V4("45", "0028", "0000", "06", TCP20), 0, WHOLE, 6, 5000, 80},
    {"IPv4 UDP", V4("45", "001c", "4000", "11", UDP8), 0, WHOLE, 17, 5000, 53},
    {"IPv4 UDP-Lite", V4("45", "001c", "0000", "88", UDP8), 0, WHOLE, 136, 5000, 53},
    {"IPv4 ICMP", V4("45", "001c", "0000", "01", ICMP8), 0, WHOLE, 1, 8, 4},
    {"IPv4 SCTP", V4("45", "0020", "0000", "84", UDP8 "00000000"), 0, WHOLE, 132, 5000, 53},
    {"IPv4 DCCP", V4("45", "0020", "0000", "21", UDP8 "00000000"), 0, WHOLE, 33, 5000, 53},
    {"IPv4 ESP", V4("45", "001c", "0000", "32", UDP8), 0, WHOLE, 50, -1, -1},
    {"IPv4 AH is a protocol", V4("45", "001c", "0000", "33", UDP8), 0, WHOLE, 51, -1, -1},
    {"IPv4 unknown, empty", V4("45", "0014", "0000", "fd", ""), 0, WHOLE, 253, -1, -1},
    {"IPv4 length beyond the frame", V4("45", "ffff", "0000", "11", UDP8), 0, WHOLE, 17, 5000, 53},
    {"IPv4 padding behind", V4("45", "001c", "0000", "11", UDP8 ZERO8), 0, WHOLE, 17, 5000, 53},
    {"IPv4 padding is no header", V4("45", "0014", "0000", "11", UDP8), 5, 0, 0, 0, 0},
    {"IPv4 no header", ETH("0800"), 3, 0, 0, 0, 0},
    {"IPv4 19 bytes", ETH("0800") "45000014 00000000 40110000 0a000002 c00002", 3, 0, 0, 0, 0},
    {"IPv4 version 6", V4("65", "001c", "0000", "11", UDP8), 3, 0, 0, 0, 0},
    {"IPv4 ihl 4", V4("44", "001c", "0000", "11", UDP8), 3, 0, 0, 0, 0},
    {"IPv4 ihl beyond the frame", V4("4f", "003c", "0000", "11", UDP8), 3, 0, 0, 0, 0},
    {"IPv4 length below the header", V4("45", "0013", "0000", "11", UDP8), 3, 0, 0, 0, 0},
    {"IPv4 length 0", V4("45", "0000", "0000", "11", UDP8), 3, 0, 0, 0, 0},
    {"IPv4 TCP 19 bytes", V4("45", "0027", "0000", "06", TCP20), 5, 0, 0, 0, 0},
    {"IPv4 UDP 7 bytes", V4("45", "0028", "0000", "11", "13880035000800"), 5, 0, 0, 0, 0},
    {"IPv4 SCTP 8 bytes", V4("45", "001c", "0000", "84", UDP8), 5, 0, 0, 0, 0},
    {"IPv4 ICMP 7 bytes", V4("45", "001b", "0000", "01", ICMP8), 5, 0, 0, 0, 0},
    /* options */
    {"options NOP, END", V4("46", "0020", "0000", "11", "01018300" UDP8), 14, 0, 0, 0, 0},
    {"options END hides", V4("46", "0020", "0000", "11", "00830000" UDP8), 0, WHOLE, 17, 5000, 53},
    {"options router alert", V4("46", "0020", "0000", "11", "94040000" UDP8), 0, WHOLE, 17, 5000,
     53},
    {"options behind one", V4("47", "0024", "0000", "11", "94040000 89000000" UDP8), 14, 0, 0, 0,
     0},
    {"LSRR", V4("46", "0020", "0000", "11", "83030400" UDP8), 14, 0, 0, 0, 0},
    {"SSRR", V4("46", "0020", "0000", "11", "89030400" UDP8), 14, 0, 0, 0, 0},
    {"LSRR in the last byte", V4("46", "0020", "0000", "11", "01010183" UDP8), 14, 0, 0, 0, 0},
    {"option length 1", V4("46", "0020", "0000", "11", "94010000" UDP8), 3, 0, 0, 0, 0},
    {"option too long", V4("46", "0020", "0000", "11", "94050000" UDP8), 3, 0, 0, 0, 0},
    {"option without length", V4("46", "0020", "0000", "11", "01010194" UDP8), 3, 0, 0, 0, 0},
    {"ihl decides, not the options",
     V4("46", "0028", "0000", "11",
        "00000000"
        "0007 0009" UDP8),
     0, WHOLE, 17, 7, 9},
    /* IPv4 fragments */
    {"first fragment", V4("45", "0028", "2000", "06", TCP20), 0, FIRST, 6, 5000, 80},
    {"later fragment", V4("45", "0028", "20b9", "06", TCP20), 0, LATER, 6, -1, -1},
    {"last fragment", V4("45", "001c", "0002", "11", UDP8), 0, LATER, 17, -1, -1},
    {"empty later fragment", V4("45", "0014", "0002", "11", ""), 0, LATER, 17, -1, -1},
    {"TCP offset 1", V4("45", "0028", "0001", "06", TCP20), 6, 0, 0, 0, 0},
    {"UDP offset 1", V4("45", "001c", "0001", "11", UDP8), 0, LATER, 17, -1, -1},
    {"tiny TCP", V4("45", "001c", "2000", "06", TCP20), 6, 0, 0, 0, 0},
    {"tiny UDP", V4("45", "0018", "2000", "11", UDP8), 6, 0, 0, 0, 0},
    {"reserved bit", V4("45", "001c", "8000", "11", UDP8), 0, WHOLE, 17, 5000, 53},
    /* IPv6 */
    {"IPv6 TCP", V6("0014", "06", TCP20), 0, WHOLE, 6, 5000, 80},
    {"IPv6 ICMPv6", V6("0008", "3a", ICMP8), 0, WHOLE, 58, 8, 4},
    {"IPv6 no next header", V6("0000", "3b", ""), 0, WHOLE, 59, -1, -1},
    {"IPv6 39 bytes", ETH("86dd") "60000000 0000 3b40 fe8000000000000000000000000000022001", 3, 0,
     0, 0, 0},
    {"IPv6 version 4", ETH("86dd") "45000028 00000000 40060000" ADDR4 TCP20, 3, 0, 0, 0, 0},
    {"IPv4 type, IPv6 header", ETH("0800") "60000000 0014 0640" ADDR6 TCP20, 3, 0, 0, 0, 0},
    {"IPv6 truncated", V6("0014", "06", UDP8), 5, 0, 0, 0, 0},
    {"IPv6 padding is no header", V6("0013", "06", TCP20), 5, 0, 0, 0, 0},
    {"IPv6 payload 0", V6("0000", "06", TCP20), 5, 0, 0, 0, 0},
    {"IPv6 payload 0 and hop-by-hop", V6("0000", "00", EXT("06") TCP20), 0, WHOLE, 6, 5000, 80},
    {"IPv6 eight extensions",
     V6("0048", "00",
        EXT("3c") EXT("87") EXT("8b") EXT("8c") EXT("2b") EXT("3c") EXT("3c") EXT("11") UDP8),
     0, WHOLE, 17, 5000, 53},
    {"IPv6 nine extensions",
     V6("0050", "00",
        EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("11")
            UDP8),
     4, 0, 0, 0, 0},
    {"IPv6 long extension",
     V6("0018", "3c",
        "1101"
        "000000000000" ZERO8 UDP8),
     0, WHOLE, 17, 5000, 53},
    {"IPv6 AH",
     V6("0018", "33",
        "1102"
        "000000000000" ZERO8 UDP8),
     0, WHOLE, 17, 5000, 53},
    {"IPv6 AH, then fragment",
     V6("0020", "33",
        "2c02"
        "000000000000" ZERO8 FRAG("11", "0000") UDP8),
     0, WHOLE, 17, 5000, 53},
    {"IPv6 truncated extension", V6("0007", "3c", EXT("11") UDP8), 5, 0, 0, 0, 0},
    {"IPv6 extension without what it names", V6("0008", "3c", EXT("11")), 5, 0, 0, 0, 0},
    {"IPv6 extension reaching beyond",
     V6("0010", "3c",
        "1107"
        "000000000000" UDP8),
     5, 0, 0, 0, 0},
    {"IPv6 ESP behind", V6("0010", "3c", EXT("32") UDP8), 0, WHOLE, 50, -1, -1},
    {"IPv6 segments left 0", V6("0010", "2b", EXT("11") UDP8), 0, WHOLE, 17, 5000, 53},
    {"IPv6 segments left 1", V6("0010", "2b", "1100040100000000" UDP8), 14, 0, 0, 0, 0},
    /* IPv6 fragments */
    {"IPv6 first", V6("001c", "2c", FRAG("06", "0001") TCP20), 0, FIRST, 6, 5000, 80},
    {"IPv6 atomic", V6("0010", "2c", FRAG("11", "0000") UDP8), 0, WHOLE, 17, 5000, 53},
    {"IPv6 later", V6("0010", "2c", FRAG("11", "05c8") UDP8), 0, LATER, 17, -1, -1},
    {"IPv6 later, extension inside", V6("0010", "2c", FRAG("3c", "0010") UDP8), 0, LATER, 60, -1,
     -1},
    {"IPv6 TCP offset 1", V6("001c", "2c", FRAG("06", "0008") TCP20), 6, 0, 0, 0, 0},
    {"IPv6 tiny", V6("0018", "2c", FRAG("06", "0001") TCP20), 6, 0, 0, 0, 0},
    {"IPv6 chain not in the first", V6("0008", "2c", FRAG("3c", "0001")), 6, 0, 0, 0, 0},
    {"IPv6 atomic truncated", V6("000c", "2c", FRAG("11", "0000") UDP8), 5, 0, 0, 0, 0},
    {"IPv6 two fragment headers", V6("0018", "2c", FRAG("2c", "0000") FRAG("11", "0000") UDP8), 4,
     0, 0, 0, 0},
    {"IPv6 two, apart", V6("0020", "2c", FRAG("3c", "0001") EXT("2c") FRAG("11", "0000") UDP8), 4,
     0, 0, 0, 0},
    {"IPv6 destination, then fragment", V6("0018", "3c", EXT("2c") FRAG("11", "0010") UDP8), 0,
     LATER, 17, -1, -1},
    /* tags */
    {"one tag", ETH("8100") TAG("0800") "4500001c00000000 4011 0000" ADDR4 UDP8, 0, WHOLE, 17, 5000,
     53},
    {"802.1ad, 802.1Q", ETH("88a8") TAG("8100") TAG("86dd") "60000000 0008 1140" ADDR6 UDP8, 0,
     WHOLE, 17, 5000, 53},
    {"eight tags",
     ETH("8100") TAG("8100") TAG("88a8") TAG("8100") TAG("8100") TAG("88a8") TAG("8100") TAG("8100")
         TAG("0800") "4500001c00000000 4011 0000" ADDR4 UDP8,
     0, WHOLE, 17, 5000, 53},
    {"nine tags",
     ETH("8100") TAG("8100") TAG("88a8") TAG("8100") TAG("8100") TAG("88a8") TAG("8100") TAG("8100")
         TAG("8100") TAG("0800") "4500001c00000000 4011 0000" ADDR4 UDP8,
     15, 0, 0, 0, 0},
    {"half a tag", ETH("8100") "0005", 3, 0, 0, 0, 0},
};

static size_t unhex(const char *text, uint8_t *out, size_t max)
{
    size_t digits = 0;
    for (; *text; text++) {
        if (*text == ' ')
            continue;
        assert_true(isxdigit((unsigned char)*text) && digits / 2 < max);
        uint8_t v =
            (uint8_t)(isdigit((unsigned char)*text) ? *text - '0' : (*text | 32) - 'a' + 10);
        out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] | v : v << 4);
        digits++;
    }
    assert_int_equal(digits % 2, 0);
    return digits / 2;
}

/* Parses from a heap block of the exact size, so that ASan sees any byte read beyond it. */
static void parse_hex(const char *text, const struct packet_meta *meta, bool classify,
                      struct eval_parsed *ret)
{
    uint8_t buffer[256];
    size_t n = unhex(text, buffer, sizeof(buffer));
    _cleanup_free_ uint8_t *frame = malloc(n ? n : 1);
    assert_non_null(frame);
    memcpy(frame, buffer, n);
    eval_parse_frame(frame, n, meta, classify, ret);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];
        struct eval_parsed got;
        parse_hex(r->frame, &(struct packet_meta){.zone = 7}, false, &got);
        if (got.reason != r->reason)
            print_error("%s: reason %u\n", r->what, got.reason);
        assert_true(got.is_ip);
        assert_int_equal(got.reason, r->reason);
        if (r->reason)
            continue;
        const struct packet *p = &got.packet;
        bool icmp = r->proto == PROTO_ICMP || r->proto == PROTO_ICMPV6;
        int a = icmp ? p->icmp_type : p->sport, b = icmp ? p->icmp_code : p->dport;
        if (p->proto != r->proto || p->l4_known != (r->a >= 0) || (r->a >= 0 && a != r->a))
            print_error("%s: protocol %d known %d %d %d\n", r->what, p->proto, p->l4_known, a, b);
        assert_int_equal(p->proto, r->proto);
        assert_int_equal(p->later_fragment, r->kind == LATER);
        assert_int_equal(p->l4_known, r->a >= 0);
        assert_int_equal(a, r->a >= 0 ? r->a : 0);
        assert_int_equal(b, r->a >= 0 ? r->b : 0);
        assert_int_equal(p->hop_limit, 64);
        assert_int_equal(p->meta.zone, 7);
        assert_true(p->src.lo == (p->family == FAMILY_4 ? 0x0a000002 : 2));
        assert_false(p->source_routed);
        assert_int_equal(p->tcp_flags, p->proto == 6 && p->l4_known ? 0x12 : 0);
    }
}

static void test_not_ip(void **state)
{
    (void)state;
    static const char *const frames[] = {
        ETH("0806") ZERO8,             /* ARP */
        ETH("8100") TAG("0806"),       /* ARP in a tag */
        ETH("8847") TCP20,             /* MPLS */
        ETH("8864") TCP20,             /* PPPoE session */
        ETH("9100") TAG("0800") TCP20, /* not a tag that the kernel peels */
        ETH("0026") ZERO8,             /* 802.3 length */
        "0000",
        "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        struct eval_parsed got;
        parse_hex(frames[i], &(struct packet_meta){0}, false, &got);
        assert_false(got.is_ip);
    }
}

static void test_gso(void **state)
{
    (void)state;
    struct packet_meta gso = {.gso = true};
    struct eval_parsed got;
    parse_hex(V4("45", "0000", "0000", "06", TCP20), &gso, false, &got);
    assert_int_equal(got.reason, DROP_NONE);
    assert_int_equal(got.packet.dport, 80);
    parse_hex(V6("0000", "06", TCP20), &gso, false, &got);
    assert_int_equal(got.reason, DROP_NONE);
    assert_int_equal(got.packet.dport, 80);
    parse_hex(V4("45", "0000", "0000", "06", UDP8), &gso, false, &got);
    assert_int_equal(got.reason, DROP_TRUNCATED_L4);
}

static void test_source_route_classify(void **state)
{
    (void)state;
    struct eval_parsed got;
    parse_hex(V4("46", "0020", "0000", "11", "83030400" UDP8), &(struct packet_meta){0}, true,
              &got);
    assert_int_equal(got.reason, DROP_NONE);
    assert_true(got.packet.source_routed);
    assert_int_equal(got.packet.dport, 53);
    parse_hex(V6("0010", "2b", "1100040100000000" UDP8), &(struct packet_meta){0}, true, &got);
    assert_int_equal(got.reason, DROP_NONE);
    assert_true(got.packet.source_routed);
    assert_int_equal(got.packet.dport, 53);
}

/* Structure drops while armed only, and gives no filter a say. */
static void test_frame_verdicts(void **state)
{
    (void)state;
    uint8_t frame[256];
    struct packet_meta meta = {.dir = DIR_IN, .zone = 1};
    struct fixture x;
    fixture_init(&x);
    fixture_add(&x, ACTION_BLOCK, PROTO_UDP, "any", "", "me", "53");
    size_t n = unhex(V4("45", "0013", "0000", "11", UDP8), frame, sizeof(frame));
    struct verdict v = eval_frame(&x.e, frame, n, &meta, 1);
    assert_true(v.block);
    assert_int_equal(v.reason, DROP_BAD_HEADER);
    assert_int_equal(v.decider, DECIDED_STRUCTURE);
    x.f[0].action = ACTION_PERMIT;
    v = eval_frame(&x.e, frame, n, &meta, 1);
    assert_false(v.block);
    assert_int_equal(v.decider, DECIDED_STRUCTURE);
    x.f[0].action = ACTION_BLOCK;
    n = unhex(V4("45", "001c", "0000", "11", UDP8), frame, sizeof(frame));
    v = eval_frame(&x.e, frame, n, &meta, 1);
    assert_int_equal(v.reason, DROP_FILTER);
    assert_int_equal(v.counter_id, 100);
    n = unhex(ETH("0806") ZERO8, frame, sizeof(frame));
    v = eval_frame(&x.e, frame, n, &meta, 1);
    assert_false(v.block);
    n = unhex(V4("46", "0020", "0000", "11", "83030400" UDP8), frame, sizeof(frame));
    assert_int_equal(eval_frame(&x.e, frame, n, &meta, 1).reason, DROP_SOURCE_ROUTE);
    x.settings.source_route_classify = true;
    assert_int_equal(eval_frame(&x.e, frame, n, &meta, 1).reason, DROP_FILTER);
    fixture_done(&x);
}

static uint64_t seed_from_environment(void)
{
    const char *text = getenv("PORTWARD_SEED");
    return text ? strtoull(text, NULL, 0) : 20261125;
}

static struct packet random_packet(struct rng *r)
{
    static const uint8_t protocols[] = {1, 6, 17, 33, 47, 50, 58, 89, 132, 136, 253};
    struct packet p = {
        .family = rng_below(r, 2) ? FAMILY_4 : FAMILY_6,
        .proto = protocols[rng_below(r, ARRAY_SIZE(protocols))],
        .later_fragment = rng_below(r, 8) == 0,
        .source_routed = rng_below(r, 8) == 0,
        .hop_limit = (uint8_t)(1 + rng_below(r, 255)),
    };
    p.src = (struct ip){p.family == FAMILY_6 ? rng_next(r) : 0, rng_next(r)};
    p.dst = (struct ip){p.family == FAMILY_6 ? rng_next(r) : 0, rng_next(r)};
    if (p.family == FAMILY_4)
        p.src.lo &= 0xffffffff, p.dst.lo &= 0xffffffff;
    bool icmp = p.proto == PROTO_ICMP || p.proto == PROTO_ICMPV6;
    p.l4_known = !p.later_fragment && (icmp || proto_has_ports(p.proto));
    if (p.l4_known && icmp) {
        p.icmp_type = (uint8_t)rng_next(r);
        p.icmp_code = (uint8_t)rng_next(r);
    } else if (p.l4_known) {
        p.sport = (uint16_t)rng_next(r);
        p.dport = (uint16_t)rng_next(r);
        p.tcp_flags = p.proto == PROTO_TCP ? (uint8_t)rng_next(r) : 0;
    }
    return p;
}

static bool same_packet(const struct packet *a, const struct packet *b)
{
    return a->family == b->family && ip_eq(a->src, b->src) && ip_eq(a->dst, b->dst) &&
           a->proto == b->proto && a->l4_known == b->l4_known &&
           a->later_fragment == b->later_fragment && a->source_routed == b->source_routed &&
           a->sport == b->sport && a->dport == b->dport && a->icmp_type == b->icmp_type &&
           a->icmp_code == b->icmp_code && a->hop_limit == b->hop_limit &&
           a->tcp_flags == b->tcp_flags;
}

static void test_build_is_inverse(void **state)
{
    (void)state;
    uint64_t seed = seed_from_environment();
    struct rng r = {.state = seed};
    for (unsigned i = 0; i < 20000; i++) {
        struct packet p = random_packet(&r);
        uint8_t frame[EVAL_FRAME_BYTES];
        struct eval_parsed got;
        size_t n = eval_build_frame(&p, frame);
        eval_parse_frame(frame, n, &p.meta, true, &got);
        bool same = got.is_ip && got.reason == DROP_NONE && same_packet(&p, &got.packet);
        if (!same)
            print_error("PORTWARD_SEED=%llu packet %u protocol %u: reason %u\n",
                        (unsigned long long)seed, i, p.proto, got.reason);
        assert_true(same);
    }
}

/* Known good checksums: RFC 1071 sums over the finished headers are zero. */
static void test_checksums(void **state)
{
    (void)state;
    uint8_t frame[EVAL_FRAME_BYTES];
    struct packet p = fixture_packet(DIR_IN, 17, "10.0.0.2", 5000, "192.0.2.1", 53);
    size_t n = eval_build_frame(&p, frame);
    assert_int_equal(n, 42);
    uint32_t header = 0, udp = 17 + 8;
    for (size_t i = 14; i < 34; i += 2)
        header += (uint32_t)(frame[i] << 8 | frame[i + 1]);
    for (size_t i = 26; i < n; i += 2)
        udp += (uint32_t)(frame[i] << 8 | frame[i + 1]);
    assert_int_equal((header & 0xffff) + (header >> 16), 0xffff);
    assert_int_equal((udp & 0xffff) + (udp >> 16), 0xffff);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_not_ip),
        cmocka_unit_test(test_gso),
        cmocka_unit_test(test_source_route_classify),
        cmocka_unit_test(test_frame_verdicts),
        cmocka_unit_test(test_build_is_inverse),
        cmocka_unit_test(test_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
