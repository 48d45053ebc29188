/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-probe.c: the pure parts of the scanner: sets of ports, tags, packets, answers and forged
 * answers, rounds, rates, UDP services, and the lines of a cooperative scan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "../../src/exposure/probe/answer.h"
#include "../../src/exposure/probe/packet.h"
#include "../../src/exposure/probe/rounds.h"
#include "../../src/exposure/probe/services.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "exposureprobe/wire.h"
#include "probe.h"

static const uint8_t target4[4] = {192, 0, 2, 10}, own4[4] = {192, 0, 2, 1};

static struct answer_context context(enum family f)
{
    struct answer_context c = {.family = f,
                               .source_ports = {40000, 40001, 40002},
                               .n_source_ports = 3,
                               .key = {0x0123456789abcdef, 0xfedcba9876543210}};
    memset(c.target, 0x20, sizeof(c.target));
    if (f == FAMILY_4)
        memcpy(c.target, target4, 4);
    return c;
}

static void test_tag_is_siphash(void **state _unused_)
{
    struct rng r = {7};
    for (int i = 0; i < 1000; i++) {
        uint64_t k0 = rng_next(&r), k1 = rng_next(&r), word = rng_next(&r);
        struct hash_seed seed = {k0, k1};
        assert_int_equal(probe_tag(k0, k1, word), siphash24(&word, sizeof(word), seed));
    }
}

static void check_ports(const char *text, const char *canonical, unsigned n)
{
    struct probe_ports p;
    struct diag d;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(100000);
    assert_int_equal(probe_parse_ports(text, strlen(text), &d, &p), 0);
    assert_int_equal(probe_ports_count(&p), n);
    assert_int_equal(probe_print_ports(&p, &b), 0);
    assert_string_equal(b.s, canonical);
}

static void test_ports(void **state _unused_)
{
    static const char *const bad[] = {"",       ",", "1,", ",1",   "65536", "1-",  "-1",
                                      "5-4",    "a", "1 ", "1,,2", "1-2-3", "0x1", "999999999999",
                                      "1-65536"};
    struct probe_ports p;
    struct diag d;
    check_ports("80", "80", 1);
    check_ports("0", "0", 1);
    check_ports("0-65535", "0-65535", 65536);
    check_ports("22,80-82,81,83,7", "7,22,80-83", 6);
    check_ports("65535,65534", "65534-65535", 2);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(probe_parse_ports(bad[i], strlen(bad[i]), &d, &p) < 0);
}

static void test_refused(void **state _unused_)
{
    static const struct {
        const char *text;
        bool refused;
    } cases[] = {{"255.255.255.255", true},
                 {"224.0.0.1", true},
                 {"239.1.2.3", true},
                 {"0.0.0.0", true},
                 {"0.1.2.3", true},
                 {"240.0.0.1", true},
                 {"127.0.0.1", false},
                 {"192.0.2.1", false},
                 {"223.255.255.255", false},
                 {"::", true},
                 {"ff02::1", true},
                 {"::ffff:192.0.2.1", true},
                 {"::1", false},
                 {"fe80::1", false},
                 {"2001:db8::1", false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        enum family f;
        struct ip ip;
        assert_int_equal(ip_parse(cases[i].text, strlen(cases[i].text), &f, &ip), 0);
        assert_int_equal(probe_refuse(f, ip) != NULL, cases[i].refused);
    }
}

/* --- packets and answers --- */
static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static void test_syn(void **state _unused_)
{
    struct packet_syn s = {own4, target4, 40001, 443, 0xdeadbeef};
    uint8_t p[PACKET_MAX_BYTES];
    assert_int_equal(packet_syn4(&s, p), 44);
    assert_int_equal(p[0], 0x45);
    assert_memory_equal(p + 12, own4, 4);
    assert_memory_equal(p + 16, target4, 4);
    static const uint8_t ports[] = {0x9c, 0x41, 0x01, 0xbb, 0xde, 0xad, 0xbe, 0xef};
    assert_memory_equal(p + 20, ports, 8);
    assert_int_equal(p[33], 2); /* SYN */
    /* With the pseudo header it sums up to zero (RFC 9293, 3.1). */
    assert_int_equal(packet_fold(packet_sum(p + 20, 24, packet_sum(p + 12, 8, 6 + 24))), 0);
}

/* A segment of the target to our port. */
static void segment(uint8_t *t, unsigned port, unsigned to, uint32_t ack, uint8_t flags)
{
    memset(t, 0, 20);
    put16(t, port);
    put16(t + 2, to);
    put32(t + 8, ack);
    t[12] = 5 << 4;
    t[13] = flags;
}

static void header4(uint8_t *p, uint8_t proto, const uint8_t *from, const uint8_t *to)
{
    memset(p, 0, 20);
    p[0] = 0x45;
    p[9] = proto;
    memcpy(p + 12, from, 4);
    memcpy(p + 16, to, 4);
}

static void test_tcp_answers(void **state _unused_)
{
    struct answer_context c = context(FAMILY_4), six = context(FAMILY_6);
    uint32_t right = answer_cookie(&c, 80) + 1;
    uint8_t p[40], other[16] = {1};
    struct answer a;
    header4(p, IPPROTO_TCP, target4, own4);
    segment(p + 20, 80, 40001, right, 0x12);
    assert_true(answer_tcp4(&c, p, sizeof(p), &a));
    assert_int_equal(a.state, PROBE_OPEN);
    assert_int_equal(a.port, 80);
    assert_int_equal(a.round, 1);
    assert_true(answer_tcp6(&six, six.target, p + 20, 20, &a)); /* same key, same cookie */
    assert_false(answer_tcp6(&six, other, p + 20, 20, &a));
    for (size_t n = 0; n < sizeof(p); n++)
        assert_false(answer_tcp4(&c, p, n, &a));
    segment(p + 20, 80, 40000, right, 0x14);
    assert_true(answer_tcp4(&c, p, sizeof(p), &a));
    assert_int_equal(a.state, PROBE_CLOSED);
    assert_int_equal(a.round, 0);
}

static void test_forged_tcp(void **state _unused_)
{
    struct answer_context c = context(FAMILY_4);
    uint32_t right = answer_cookie(&c, 80) + 1;
    static const uint8_t flags[] = {0x02, 0x04, 0x10, 0x11, 0x13, 0x16, 0x00, 0x18};
    uint8_t p[40];
    struct answer a;
    header4(p, IPPROTO_TCP, target4, own4);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        segment(p + 20, 80, 40001, right, flags[i]);
        assert_false(answer_tcp4(&c, p, sizeof(p), &a));
    }
    segment(p + 20, 80, 40003, right, 0x12); /* not our port */
    assert_false(answer_tcp4(&c, p, sizeof(p), &a));
    segment(p + 20, 81, 40001, right, 0x12); /* the cookie of another port */
    assert_false(answer_tcp4(&c, p, sizeof(p), &a));
    segment(p + 20, 80, 40001, right - 1, 0x12);
    assert_false(answer_tcp4(&c, p, sizeof(p), &a));
    segment(p + 20, 80, 40001, right, 0x12);
    header4(p, IPPROTO_TCP, own4, own4); /* not from the target */
    assert_false(answer_tcp4(&c, p, sizeof(p), &a));
    header4(p, IPPROTO_UDP, target4, own4);
    assert_false(answer_tcp4(&c, p, sizeof(p), &a));
    header4(p, IPPROTO_TCP, target4, own4);
    p[7] = 1; /* a later fragment */
    assert_false(answer_tcp4(&c, p, sizeof(p), &a));
}

static void quote4(const struct answer_context *c, uint8_t *p, uint8_t type, uint8_t code)
{
    header4(p, IPPROTO_ICMP, own4, own4); /* from whatever router */
    memset(p + 20, 0, 8);
    p[20] = type;
    p[21] = code;
    header4(p + 28, IPPROTO_TCP, own4, c->target);
    put16(p + 48, 40002);
    put16(p + 50, 25);
    put32(p + 52, answer_cookie(c, 25));
}

static void test_icmp4(void **state _unused_)
{
    static const struct {
        uint8_t type, code;
        int state; /* 0 = says nothing */
    } cases[] = {{3, 0, PROBE_UNKNOWN},
                 {3, 1, PROBE_UNKNOWN},
                 {3, 3, PROBE_REJECTED},
                 {3, 9, PROBE_REJECTED},
                 {3, 10, PROBE_REJECTED},
                 {3, 13, PROBE_REJECTED},
                 {3, 4, 0},
                 {3, 12, 0},
                 {3, 14, 0},
                 {3, 255, 0},
                 {11, 0, 0},
                 {5, 1, 0}};
    struct answer_context c = context(FAMILY_4);
    uint8_t p[56];
    struct answer a;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        quote4(&c, p, cases[i].type, cases[i].code);
        assert_int_equal(answer_icmp4(&c, p, sizeof(p), &a), cases[i].state != 0);
        if (cases[i].state)
            assert_int_equal(a.state, cases[i].state);
    }
    quote4(&c, p, 3, 13);
    for (size_t n = 0; n < sizeof(p); n++)
        assert_false(answer_icmp4(&c, p, n, &a));
    p[55] ^= 1; /* a wrong sequence number */
    assert_false(answer_icmp4(&c, p, sizeof(p), &a));
    quote4(&c, p, 3, 13);
    p[28 + 19] ^= 1; /* to another host */
    assert_false(answer_icmp4(&c, p, sizeof(p), &a));
}

static void test_icmp6(void **state _unused_)
{
    struct answer_context c = context(FAMILY_6);
    uint8_t p[56] = {1, 4};
    struct answer a;
    p[8] = 0x60;
    p[14] = IPPROTO_TCP;
    memcpy(p + 32, c.target, 16);
    put16(p + 48, 40000);
    put16(p + 50, 25);
    put32(p + 52, answer_cookie(&c, 25));
    assert_true(answer_icmp6(&c, p, sizeof(p), &a));
    assert_int_equal(a.state, PROBE_REJECTED);
    assert_int_equal(a.port, 25);
    for (size_t n = 0; n < sizeof(p); n++)
        assert_false(answer_icmp6(&c, p, n, &a));
    p[1] = 3; /* address unreachable */
    assert_true(answer_icmp6(&c, p, sizeof(p), &a));
    assert_int_equal(a.state, PROBE_UNKNOWN);
    p[1] = 2;
    assert_false(answer_icmp6(&c, p, sizeof(p), &a));
    assert_true(answer_icmp_means(FAMILY_6, 1, 4, true, &a));
    assert_int_equal(a.state, PROBE_CLOSED);
    assert_true(answer_icmp_means(FAMILY_4, 3, 13, true, &a));
    assert_int_equal(a.state, PROBE_REJECTED);
}

/* --- rounds --- */
static void test_waits(void **state _unused_)
{
    struct rounds r;
    rounds_init(&r, true);
    r.round = 1;
    assert_int_equal(rounds_wait_us(&r), 4000);
    r.round = 2;
    assert_int_equal(rounds_wait_us(&r), 8000);
    r.round = 3; /* nobody has answered: perhaps it is slow */
    assert_int_equal(rounds_wait_us(&r), 800000);
    rounds_init(&r, false);
    r.round = 1;
    assert_int_equal(rounds_wait_us(&r), 200000);
    rounds_rtt(&r, 40000);
    assert_int_equal(rounds_wait_us(&r), 40000 + 4 * 20000);
    for (int i = 0; i < 200; i++)
        rounds_rtt(&r, 100);
    assert_int_equal(rounds_wait_us(&r), 4000);
    r.round = 30;
    assert_int_equal(rounds_wait_us(&r), 2000000);
}

static bool is_over(uint32_t round, uint32_t answered, uint32_t first, uint32_t silent)
{
    struct rounds r = {.round = round, .answered = answered, .answered_first = first};
    return rounds_are_over(&r, silent);
}

static void test_stop_rule(void **state _unused_)
{
    assert_true(is_over(1, 65535, 65535, 0));
    assert_false(is_over(1, 65534, 65534, 1));
    assert_false(is_over(2, 65534, 65534, 1));
    /* No loss was seen: 0.01 at least, and 65534 answers make four rounds. */
    assert_false(is_over(3, 65534, 65534, 1));
    assert_true(is_over(4, 65534, 65534, 1));
    assert_true(is_over(3, 10, 10, 65525));
    assert_true(is_over(3, 0, 0, 65535));
    /* 1 % and 5 % each way (q = 0.02 and 0.0975): the bounds of the design, 5 and 7 rounds. */
    assert_false(is_over(3, 65530, 64219, 5));
    assert_true(is_over(5, 65530, 64219, 5));
    assert_false(is_over(6, 65530, 59141, 5));
    assert_true(is_over(7, 65530, 59141, 5));
    assert_true(is_over(10, 100, 1, 5));
}

static void test_pace(void **state _unused_)
{
    struct pace p;
    uint64_t now = 1000, sent = 0;
    pace_init(&p, 2000, now);
    while (now < 1000 + 3000000) {
        unsigned n = pace_may(&p, now, 64);
        pace_sent(&p, n);
        sent += n;
        assert_true(sent <= (now - 1000) * 2000 / 1000000 + 1);
        now = n ? now : pace_next_us(&p) > now ? pace_next_us(&p) : now + 1;
    }
    assert_in_range(sent, 5990, 6001);
    pace_init(&p, 0, 0);
    assert_int_equal(pace_may(&p, 0, 64), 64);
    pace_sent(&p, 50000);
    pace_halve(&p, 500000); /* it was 100000 per second */
    assert_int_equal(p.rate, 50000);
    struct rounds r = {.controls = 64, .controls_lost = 6};
    assert_false(rounds_must_slow(&r));
    r.controls_lost = 7;
    assert_true(rounds_must_slow(&r));
    r = (struct rounds){.controls = 10, .controls_lost = 10};
    assert_false(rounds_must_slow(&r)); /* too few to say */
}

/* --- services --- */
static void test_services(void **state _unused_)
{
    static const uint16_t ports[] = {53, 111, 123, 137, 161, 500, 5060, 5353};
    size_t n;
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        const uint8_t *q = service_question(ports[i], &n);
        assert_true(n > 0);
        /* The question alone proves nothing: an echo is no service. */
        if (ports[i] != 500 && ports[i] != 161)
            assert_int_equal(service_answer(ports[i], q, n), 0);
    }
    (void)service_question(9, &n);
    assert_int_equal(n, 0);
    (void)service_question(514, &n); /* syslog never answers */
    assert_int_equal(n, 0);
    static const uint8_t dns[12] = {'p', 'w', 0x80};
    assert_string_equal(probe_service_name(service_answer(53, dns, sizeof(dns))), "dns");
    assert_int_equal(service_answer(53, dns, 11), 0);
    assert_int_equal(service_answer(9, dns, sizeof(dns)), 0);
    assert_string_equal(
        probe_service_name(service_answer(5060, (const uint8_t *)"SIP/2.0 200 OK", 14)), "sip");
    assert_null(probe_service_name(0));
    assert_null(probe_service_name(255));
}

/* --- lines --- */
static int parse(const char *line, struct wire_line *l)
{
    return wire_parse(line, strlen(line), l);
}

static void test_lines(void **state _unused_)
{
    static const char *const bad[] = {"",
                                      "ready",
                                      "ready 2",
                                      "hello",
                                      "count 1",
                                      "arrived",
                                      "arrived x",
                                      "arrived 1-70000",
                                      "key 12 udp 4",

                                      "decided",
                                      "decided 1",
                                      "decided 2 1 block s1 x",
                                      "decided 1 2 maybe s1 x",
                                      "decided 1 2 block",
                                      "decided 1 70000 block s1 x",
                                      "key 0123456789abcdef0123456789abcdef udp 5",
                                      "key 0123456789abcdef0123456789abcdeX udp 4",
                                      "key 0123456789abcdef0123456789abcdef sctp 4",
                                      "decided 1 2 block anamethatisfartoolong x"};
    struct wire_line l;
    assert_int_equal(parse("ready 1", &l), 0);
    assert_int_equal(parse("key 0123456789abcdef00000000000000ff udp 6", &l), 0);
    assert_true(l.key[0] == 0x0123456789abcdef && l.key[1] == 0xff && l.is_udp);
    assert_int_equal(l.family, FAMILY_6);
    assert_int_equal(parse("arrived -", &l), 0);
    assert_int_equal(probe_ports_count(&l.ports), 0);
    assert_int_equal(parse("delivered 1-10,53", &l), 0);
    assert_int_equal(probe_ports_count(&l.ports), 11);
    assert_int_equal(parse("decided 1 52 block s3 block in udp\x1b[2J to me", &l), 0);
    assert_int_equal(l.decision.last, 52);
    assert_string_equal(l.decision.id, "s3");
    assert_string_equal(l.decision.text, "block in udp?[2J to me");
    assert_int_equal(parse("decided 0 65535 unknown - ", &l), 0);
    assert_string_equal(l.decision.verdict, "");
    assert_string_equal(l.decision.id, "");
    assert_int_equal(parse("error no\tright", &l), 0);
    assert_string_equal(l.text, "no?right");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(parse(bad[i], &l) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tag_is_siphash), cmocka_unit_test(test_ports),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_syn),
        cmocka_unit_test(test_tcp_answers),    cmocka_unit_test(test_forged_tcp),
        cmocka_unit_test(test_icmp4),          cmocka_unit_test(test_icmp6),
        cmocka_unit_test(test_waits),          cmocka_unit_test(test_stop_rule),
        cmocka_unit_test(test_pace),           cmocka_unit_test(test_services),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
