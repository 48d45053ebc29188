/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/ip.c: text forms of RFC 4291 and RFC 5952, masks and arithmetic at the edges. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "model/ip.h"

static void expect_print(const char *in, const char *canonical)
{
    enum family f = FAMILY_ANY;
    struct ip a;
    char text[IP_TEXT_BYTES];
    assert_int_equal(ip_parse(in, strlen(in), &f, &a), 0);
    ip_print(f, a, text);
    assert_string_equal(text, canonical);
}

static void test_canonical_text(void **state)
{
    (void)state;
    expect_print("0.0.0.0", "0.0.0.0");
    expect_print("255.255.255.255", "255.255.255.255");
    expect_print("10.1.0.7", "10.1.0.7");
    expect_print("::", "::");
    expect_print("::1", "::1");
    expect_print("1::", "1::");
    expect_print("2001:DB8::1", "2001:db8::1");
    expect_print("2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"); /* first run */
    expect_print("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); /* one group is not shortened */
    expect_print("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");          /* longest run */
    expect_print("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::");
    expect_print("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8");
    expect_print("::ffff:192.0.2.1", "::ffff:192.0.2.1");
    expect_print("::ffff:c000:0201", "::ffff:192.0.2.1");
    expect_print("64:ff9b::192.0.2.1", "64:ff9b::c000:201");
    expect_print("::1.2.3.4", "::102:304");
    expect_print("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.04",
        "1.2.3.4 ",
        " 1.2.3.4",
        "0x1.2.3.4",
        "1..2.3",
        "1.2.3.-4",
        ":",
        ":::",
        "1::2::3",
        "12345::",
        "g::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "fe80::1%eth0",
        "::1/64",
        "::ffff:1.2.3.256",
        "1:2:3:4:5:6:7:1.2.3.4",
        "0000000000000000000000000000000000000000000000000000::",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        enum family f = FAMILY_ANY;
        struct ip a = {7, 7};
        assert_true(ip_parse(bad[i], strlen(bad[i]), &f, &a) < 0);
        assert_int_equal(f, FAMILY_ANY);
        assert_int_equal(a.lo, 7);
    }
    enum family f;
    struct ip a;
    assert_true(ip_parse("1.2.3.4\0x", 9, &f, &a) < 0);
    assert_int_equal(ip_parse("1.2.3.4/24", 7, &f, &a), 0); /* exactly n characters */
    assert_int_equal(a.lo, 0x01020304);
}

static void test_random_round_trip(void **state)
{
    (void)state;
    const char *env = getenv("PORTWARD_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    printf("# seed %llu\n", (unsigned long long)seed);
    struct rng rng = {seed};
    for (int i = 0; i < 50000; i++) {
        struct ip a = {rng_next(&rng), rng_next(&rng)}, b;
        uint64_t keep = 0;
        for (int g = 0; g < 4; g++) /* about half of the groups are zero */
            keep |= rng_below(&rng, 2) ? 0xffffULL << (16 * g) : 0;
        a.hi &= keep;
        a.lo &= rng_below(&rng, 2) ? keep : ~keep;
        enum family f = rng_below(&rng, 4) ? FAMILY_6 : FAMILY_4, g;
        if (f == FAMILY_4)
            a = (struct ip){.lo = a.lo & 0xffffffff};
        char text[IP_TEXT_BYTES], peer[INET6_ADDRSTRLEN];
        uint8_t bytes[16];
        ip_print(f, a, text);
        assert_int_equal(ip_parse(text, strlen(text), &g, &b), 0);
        assert_int_equal(g, f);
        assert_true(ip_eq(a, b));
        ip_to_bytes(f, a, bytes);
        assert_true(ip_eq(ip_from_bytes(f, bytes), a));
        assert_non_null(inet_ntop(f == FAMILY_4 ? AF_INET : AF_INET6, bytes, peer, sizeof(peer)));
        if (f == FAMILY_4 || a.hi != 0) /* below ::/64 the C library writes dotted quads */
            assert_string_equal(text, peer);
    }
}

static void test_masks(void **state)
{
    (void)state;
    for (int six = 0; six < 2; six++) {
        enum family f = six ? FAMILY_6 : FAMILY_4;
        struct ip all = ip_mask(f, family_bits(f));
        assert_true(ip_eq(ip_not(f, all), (struct ip){0, 0}));
        assert_true(ip_eq(ip_mask(f, 0), (struct ip){0, 0}));
        for (unsigned len = 1; len <= family_bits(f); len++) {
            struct ip m = ip_mask(f, len), wild = ip_not(f, m);
            int ones = __builtin_popcountll(m.hi) + __builtin_popcountll(m.lo);
            assert_int_equal(ones, len);
            /* Contiguous: the wild bits are one less than a power of two. */
            assert_true(ip_eq(ip_and(wild, ip_add1(wild)), (struct ip){0, 0}));
            assert_true(ip_eq(ip_or(m, wild), all));
        }
    }
}

static void test_arithmetic(void **state)
{
    (void)state;
    struct ip low_full = {0, UINT64_MAX}, full = {UINT64_MAX, UINT64_MAX}, zero = {0, 0};
    assert_true(ip_eq(ip_add1(low_full), (struct ip){1, 0}));
    assert_true(ip_eq(ip_sub1((struct ip){1, 0}), low_full));
    assert_true(ip_eq(ip_add1(full), zero));
    assert_true(ip_eq(ip_sub1(zero), full));
    assert_int_equal(ip_cmp(zero, low_full), -1);
    assert_int_equal(ip_cmp((struct ip){1, 0}, low_full), 1);
    assert_int_equal(ip_cmp(full, full), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_text),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_random_round_trip), cmocka_unit_test(test_masks),
        cmocka_unit_test(test_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
