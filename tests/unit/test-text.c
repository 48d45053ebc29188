/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text: what golden files cannot show: limits and linear time, identities that are inherited,
 * joining of words, failsafe settings, and random filters through print and parse. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/rng.h"
#include "model/settings.h"
#include "text/text.h"

enum { OUTPUT_BYTES = 64 * 1024 * 1024 };

static struct policy *parse_one(const char *text)
{
    struct policy_list l = {0};
    struct diag_list dl = {0};
    assert_int_equal(text_parse_policies(text, strlen(text), &dl, &l), 0);
    assert_int_equal(l.n, 1);
    struct policy *p = TAKE_PTR(l.v[0]);
    policy_list_done(&l);
    return p;
}

static double cpu_s(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* n filters in one rule of one policy. */
static char *many_filters(unsigned n, size_t *ret_len)
{
    struct strbuf b = STRBUF_INIT(OUTPUT_BYTES);
    assert_int_equal(strbuf_add(&b, "policy \"A\" { rule \"r\" {\n"), 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(strbuf_addf(&b, "permit in tcp from 10.%u.%u.%u to me port %u\n",
                                     i >> 16 & 255, i >> 8 & 255, i & 255, i % 65536),
                         0);
    assert_int_equal(strbuf_add(&b, "} }\n"), 0);
    *ret_len = b.len;
    return strbuf_take(&b);
}

/* Time grows with the text and not with its square: ten times the filters take less than forty
 * times as long (a square would be a hundred). The smaller run is long enough to be measured. */
static void test_200000_filters_in_one_rule(void **state)
{
    (void)state;
    double took[2];
    for (int round = 0; round < 2; round++) {
        unsigned n = round == 0 ? 20000 : 200000;
        size_t len;
        _cleanup_free_ char *text = many_filters(n, &len);
        _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES);
        _cleanup_(policy_list_done) struct policy_list l = {0};
        struct diag_list dl = {0};
        double start = cpu_s();
        assert_int_equal(text_parse_policies(text, len, &dl, &l), 0);
        assert_int_equal(text_print_policy(l.v[0], &out), 0);
        took[round] = cpu_s() - start;
        assert_int_equal(policy_n_filters(l.v[0]), n);
    }
    if (took[1] > 40 * took[0] + 0.5)
        fail_msg("20,000 filters %.3f s, 200,000 filters %.3f s", took[0], took[1]);
}

static void test_inherit_200000_filters(void **state)
{
    (void)state;
    size_t len;
    _cleanup_free_ char *text = many_filters(200000, &len);
    _cleanup_(policy_freep) struct policy *old = parse_one(text), *fresh = parse_one(text);
    for (size_t i = 0; i < old->rules[0].n_filters; i++)
        old->rules[0].filters[i].handle = (uint32_t)i + 1;
    double start = cpu_s();
    assert_int_equal(text_inherit_ids(fresh, old), 0);
    assert_true(cpu_s() - start < 30); /* n log n takes a second, n squared hours */
    for (size_t i = 0; i < fresh->rules[0].n_filters; i++)
        assert_int_equal(fresh->rules[0].filters[i].handle, i + 1);
}

/* One line of 10 MB, well formed, and one that is nonsense from the first byte on. */
static void test_line_of_10_mb(void **state)
{
    (void)state;
    enum { BYTES = 10 * 1024 * 1024 };
    struct strbuf b = STRBUF_INIT(OUTPUT_BYTES);
    (void)strbuf_add(&b, "policy \"A\" { rule \"r\" { ");
    while (b.len < BYTES)
        (void)strbuf_add(&b, "block in tcp port 445 ");
    (void)strbuf_add(&b, "block in prot } }");
    assert_int_equal(b.error, 0);
    struct policy_list l = {0};
    struct diag_list dl = {0};
    assert_int_equal(text_parse_policies(b.s, b.len, &dl, &l), -EINVAL);
    assert_int_equal(dl.n_errors, 1);
    assert_string_equal(dl.d[0].message, "unknown word 'prot'");
    assert_int_equal(dl.d[0].span[0].line, 1);
    assert_int_equal(dl.d[0].span[0].column, b.len - strlen("prot } }") + 1);
    memset(b.s, 'x', b.len);
    dl = (struct diag_list){0};
    assert_int_equal(text_parse_policies(b.s, b.len, &dl, &l), -EINVAL);
    assert_int_equal(dl.n_errors, 1);
    assert_true(strlen(dl.d[0].message) < 120);
    memset(b.s, '}', b.len);
    dl = (struct diag_list){0};
    assert_int_equal(text_parse_policies(b.s, b.len, &dl, &l), -EINVAL);
    assert_int_equal(dl.n_errors, 1);
    strbuf_done(&b);
}

static void test_text_over_the_limit(void **state)
{
    (void)state;
    size_t len = (size_t)LIMIT_POLICY_TEXT_BYTES + 1;
    _cleanup_free_ char *text = malloc(len);
    struct policy_list l = {0};
    struct diag_list dl = {0};
    assert_non_null(text);
    memset(text, ' ', len);
    assert_int_equal(text_parse_policies(text, len - 1, &dl, &l), 0);
    assert_int_equal(text_parse_policies(text, len, &dl, &l), -E2BIG);
    assert_int_equal(dl.n_errors, 1);
    assert_int_equal(dl.d[0].code, DIAG_LIMIT);
    assert_string_equal(dl.d[0].message, "text has 67108865 bytes, at most 67108864 are possible");
}

/* All errors are counted, LIMIT_DIAGS are kept. */
static void test_errors_are_counted(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT(OUTPUT_BYTES);
    struct policy_list l = {0};
    struct diag_list dl = {0};
    (void)strbuf_add(&b, "policy \"A\" {\n");
    for (int i = 0; i < 1000; i++)
        (void)strbuf_addf(&b, "rule \"r%d\" block in port 70000\n", i);
    (void)strbuf_add(&b, "}\n");
    assert_int_equal(text_parse_policies(b.s, b.len, &dl, &l), -EINVAL);
    assert_int_equal(dl.n_errors, 1000);
    assert_int_equal(dl.n, LIMIT_DIAGS);
    assert_int_equal(l.n, 0);
    strbuf_done(&b);
}

/* The first error decides between "wrong" and "too much". */
static void test_errno(void **state)
{
    (void)state;
    static const char twice[] = "policy \"A\" {} policy \"a\" {}";
    struct policy_list l = {0};
    struct diag_list dl = {0};
    struct filter f;
    assert_int_equal(text_parse_policies(twice, strlen(twice), &dl, &l), -EINVAL);
    assert_int_equal(dl.d[0].code, DIAG_DUPLICATE);
    assert_int_equal(dl.d[0].n_spans, 2);
    assert_int_equal(text_parse_filter("block in prot", 13, NULL, &f), -EINVAL);
}

static void test_places(void **state)
{
    (void)state;
    _cleanup_(policy_freep) struct policy *p =
        parse_one("policy \"A\" {\n  inactive rule \"r\" {\n\tblock in\n  }\n}\n");
    assert_int_equal(p->at.line, 1);
    assert_int_equal(p->rules[0].at.line, 2);
    assert_int_equal(p->rules[0].at.column, 3);
    assert_int_equal(p->rules[0].filters[0].at.line, 3);
    assert_int_equal(p->rules[0].filters[0].at.column, 2);
    assert_int_equal(p->rules[0].filters[0].at.len, 5);
}

static void test_inherit(void **state)
{
    (void)state;
    _cleanup_(policy_freep) struct policy *old = parse_one(
        "policy \"A\" { rule \"One\" { block in tcp port 1 block in tcp port 2 block in tcp "
        "port 2 } rule \"Two\" block in }");
    _cleanup_(policy_freep) struct policy *fresh = parse_one(
        "policy \"A\" { rule \"Three\" block in rule \"ONE\" { block in tcp port 2 permit in "
        "tcp port 1 drop tcp to me port 2 block in tcp port 1 log block in tcp port 1 "
        "block in tcp port 2 } }");
    for (uint8_t i = 0; i < 3; i++) {
        old->rules[0].filters[i].guid.b[0] = (uint8_t)(i + 1);
        old->rules[0].filters[i].handle = 100u + i;
    }
    old->rules[0].guid.b[0] = 77;
    assert_int_equal(text_inherit_ids(fresh, old), 0);
    assert_true(guid_is_null(&fresh->rules[0].guid));
    assert_true(guid_is_null(&fresh->rules[0].filters[0].guid));
    const struct rule *r = &fresh->rules[1];
    assert_int_equal(r->guid.b[0], 77);
    static const uint32_t handles[] = {101, 0, 102, 0, 100, 0};
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
        assert_int_equal(r->filters[i].handle, handles[i]);
        assert_int_equal(r->filters[i].guid.b[0], handles[i] ? handles[i] - 99 : 0);
    }
}

static void expect_join(const char *const *words, int n, const char *expected)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES);
    char *copy[8] = {NULL};
    for (int i = 0; i < n; i++)
        assert_non_null(copy[i] = strdup(words[i]));
    assert_int_equal(text_join_words(n, copy, &out), 0);
    assert_string_equal(out.s ? out.s : "", expected);
    for (int i = 0; i < n; i++)
        free(copy[i]);
}

static void test_join(void **state)
{
    (void)state;
    expect_join((const char *[]){"block", "in", "tcp", "port", "135,445"}, 5,
                "block in tcp port 135,445");
    expect_join((const char *[]){"block", "in", "reason", "SMB worm"}, 4,
                "block in reason \"SMB worm\"");
    expect_join((const char *[]){"reason", "", "a\"b", "c#d", "{", "e\\f", "\n"}, 7,
                "reason \"\" \"a\\\"b\" \"c#d\" \"{\" e\\f \"\\n\"");
    expect_join((const char *[]){"受信"}, 1, "\"受信\"");
    expect_join(NULL, 0, "");
}

/* What a shell hands over is read as meant, quotes or not. */
static void test_join_and_read(void **state)
{
    (void)state;
    char *words[] = {(char[]){"block"}, (char[]){"in"},     (char[]){"for"},
                     (char[]){"2h"},    (char[]){"reason"}, (char[]){"a \"b\" \\ # {"}};
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES);
    _cleanup_(command_filter_done) struct command_filter c = {.for_s = 0};
    struct diag d;
    filter_init(&c.filter);
    assert_int_equal(text_join_words(ARRAY_SIZE(words), words, &out), 0);
    assert_int_equal(text_parse_command(out.s, out.len, &d, &c), 0);
    assert_int_equal(c.for_s, 7200);
    assert_string_equal(c.reason, words[5]);
}

static void test_failsafe(void **state)
{
    (void)state;
    static const char text[] =
        "tcp/22 from 192.0.2.77/24, UDP/domain from any,tcp/65535 from 2001:db8::1 , "
        "tcp/0 from 10.0.0.0/255.0.0.0";
    struct filter_settings s;
    struct diag d;
    filter_settings_init(&s);
    assert_int_equal(text_parse_failsafe(text, strlen(text), &d, &s), 0);
    assert_int_equal(s.n_failsafe, 4);
    assert_int_equal(s.failsafe[0].proto, PROTO_TCP);
    assert_int_equal(s.failsafe[0].port, 22);
    assert_int_equal(s.failsafe[0].family, FAMILY_4);
    assert_int_equal(s.failsafe[0].prefix.lo, 0xc0000200);
    assert_int_equal(s.failsafe[0].prefix_len, 24);
    assert_int_equal(s.failsafe[1].proto, PROTO_UDP);
    assert_int_equal(s.failsafe[1].port, 53);
    assert_int_equal(s.failsafe[1].family, FAMILY_ANY);
    assert_int_equal(s.failsafe[2].port, 65535);
    assert_int_equal(s.failsafe[2].family, FAMILY_6);
    assert_int_equal(s.failsafe[2].prefix_len, 128);
    assert_int_equal(s.failsafe[3].port, 0);
    assert_int_equal(s.failsafe[3].prefix_len, 8);
    /* An error leaves the list as it is, an empty text empties it. */
    assert_int_equal(text_parse_failsafe("tcp/22 from any, x", 18, &d, &s), -EINVAL);
    assert_int_equal(s.n_failsafe, 4);
    assert_int_equal(text_parse_failsafe(" ", 1, &d, &s), 0);
    assert_int_equal(s.n_failsafe, 0);
}

static void test_failsafe_64(void **state)
{
    (void)state;
    struct strbuf b = STRBUF_INIT(OUTPUT_BYTES);
    struct filter_settings s;
    struct diag d;
    filter_settings_init(&s);
    for (int i = 0; i < LIMIT_FAILSAFE; i++)
        (void)strbuf_addf(&b, "%stcp/%d from any", i > 0 ? ", " : "", i);
    assert_int_equal(text_parse_failsafe(b.s, b.len, &d, &s), 0);
    assert_int_equal(s.n_failsafe, LIMIT_FAILSAFE);
    assert_int_equal(s.failsafe[63].port, 63);
    strbuf_done(&b);
}

static struct addr random_addr(struct rng *r, enum family family)
{
    struct ip a = {.lo = (uint32_t)rng_next(r)}, b = {.lo = (uint32_t)rng_next(r)};
    if (family == FAMILY_6)
        a = (struct ip){rng_next(r), rng_next(r)}, b = (struct ip){rng_next(r), a.lo};
    switch (rng_below(r, 5)) {
    case 0:
        return addr_any();
    case 1:
        return addr_me();
    case 2:
        return addr_host(family, a);
    case 3:
        return addr_prefix(family, a, rng_below(r, family_bits(family) + 1));
    }
    return ip_cmp(a, b) <= 0 ? addr_range(family, a, b) : addr_range(family, b, a);
}

static struct portset random_ports(struct rng *r)
{
    struct port_range items[LIMIT_PORT_ITEMS];
    struct portset s;
    uint32_t n = rng_below(r, 4) == 0 ? rng_below(r, LIMIT_PORT_ITEMS + 1) : rng_below(r, 3);
    for (uint32_t i = 0; i < n; i++) {
        uint16_t a = (uint16_t)rng_next(r), b = (uint16_t)rng_next(r);
        bool one = rng_below(r, 2) == 0;
        items[i] = (struct port_range){a < b ? a : b, one ? (a < b ? a : b) : (a < b ? b : a)};
    }
    assert_int_equal(portset_from(items, n, &s), 0);
    return s;
}

static char *random_string(struct rng *r)
{
    static const char *const parts[] = {"a",    " ",        "\"",  "\\", "\n",  "\t",
                                        "#",    "{",        "}",   "ü",  "遮",  "\x01",
                                        "\x7f", "\xc2\x85", "x1b", "😀",  "port"};
    struct strbuf b = STRBUF_INIT(4096);
    for (uint32_t i = rng_below(r, 9); i > 0; i--)
        (void)strbuf_add(&b, parts[rng_below(r, ARRAY_SIZE(parts))]);
    char *s = strbuf_take(&b);
    assert_non_null(s);
    return s;
}

static struct filter random_filter(struct rng *r)
{
    static const int16_t protos[] = {
        PROTO_ANY, PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_ICMPV6, 0, 47, 50, 51, 132, 200, 255};
    struct filter f;
    filter_init(&f);
    f.action = (enum action)(1 + rng_below(r, 3));
    f.proto = protos[rng_below(r, ARRAY_SIZE(protos))];
    enum family family = f.proto == PROTO_ICMP     ? FAMILY_4
                         : f.proto == PROTO_ICMPV6 ? FAMILY_6
                         : rng_below(r, 2) == 0    ? FAMILY_4
                                                   : FAMILY_6;
    f.src = random_addr(r, family);
    f.dst = random_addr(r, family);
    if (proto_has_ports(f.proto)) {
        f.sport = random_ports(r);
        f.dport = random_ports(r);
    }
    if ((f.proto == PROTO_ICMP || f.proto == PROTO_ICMPV6) && rng_below(r, 2) == 0) {
        f.icmp_type = (int16_t)rng_below(r, 256);
        f.icmp_code = (int16_t)(rng_below(r, 257)) - 1;
    }
    f.inpass = f.action == ACTION_PERMIT && rng_below(r, 4) == 0;
    f.keep_state = f.action == ACTION_PERMIT && rng_below(r, 4) == 0;
    f.override = f.action == ACTION_BLOCK && rng_below(r, 4) == 0;
    f.mirrored = rng_below(r, 4) == 0;
    f.log = rng_below(r, 4) == 0;
    if (rng_below(r, 4) == 0)
        f.profile = (enum profile)rng_below(r, _PROFILE_MAX);
    else if (rng_below(r, 4) == 0)
        assert_non_null(f.interface = strdup(rng_below(r, 2) == 0 ? "eth0" : "log"));
    if (rng_below(r, 4) == 0)
        f.description = random_string(r);
    return f;
}

static void test_random_filters_round_trip(void **state)
{
    (void)state;
    const char *env = getenv("PORTWARD_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    struct rng r = {seed};
    for (int i = 0; i < 20000; i++) {
        _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES);
        _cleanup_(strbuf_done) struct strbuf again = STRBUF_INIT(OUTPUT_BYTES);
        _cleanup_(filter_done) struct filter f = random_filter(&r);
        _cleanup_(filter_done) struct filter g;
        struct diag d = {0};
        filter_init(&g);
        assert_int_equal(filter_validate(&f, &d), 0);
        assert_int_equal(text_print_filter(&f, &out), 0);
        if (text_parse_filter(out.s, out.len, &d, &g) < 0)
            fail_msg("seed %llu: '%s': %s", (unsigned long long)seed, out.s, d.message);
        assert_int_equal(text_print_filter(&g, &again), 0);
        bool same = filter_eq(&f, &g) && strcmp(out.s, again.s) == 0 &&
                    !f.description == !g.description &&
                    (!f.description || strcmp(f.description, g.description) == 0);
        if (!same)
            fail_msg("seed %llu: '%s' became '%s'", (unsigned long long)seed, out.s, again.s);
    }
}

/* A buffer that is too small is an error, never a shorter filter. */
static void test_print_into_small_buffer(void **state)
{
    (void)state;
    _cleanup_(filter_done) struct filter f;
    static const char text[] = "block in tcp from 10.0.0.0/8 to me port 445 description \"x\"";
    struct diag d;
    filter_init(&f);
    assert_int_equal(text_parse_filter(text, strlen(text), &d, &f), 0);
    for (size_t max = 1; max < strlen(text); max++) {
        _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(max);
        assert_int_equal(text_print_filter(&f, &out), -E2BIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_200000_filters_in_one_rule),
        cmocka_unit_test(test_inherit_200000_filters),
        cmocka_unit_test(test_line_of_10_mb),
        cmocka_unit_test(test_text_over_the_limit),
        cmocka_unit_test(test_errors_are_counted),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_inherit),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_and_read),
        cmocka_unit_test(test_failsafe),
        cmocka_unit_test(test_failsafe_64),
        cmocka_unit_test(test_random_filters_round_trip),
        cmocka_unit_test(test_print_into_small_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
