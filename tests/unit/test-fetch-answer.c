/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS answers as bytes: chains of CNAMEs, other people's records, lies; and hosts files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/fetch/resolve.h"

enum { T_A = 1, T_CNAME = 5, T_AAAA = 28, ID = 0x1234 };

/* A message that is written piece by piece. */
static struct {
    uint8_t b[70000];
    size_t n;
    uint16_t answers;
} m;
static char next[RESOLVE_NAME_BYTES];

static void put16(unsigned v)
{
    m.b[m.n++] = (uint8_t)(v >> 8);
    m.b[m.n++] = (uint8_t)v;
}

static void put_name(const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");
        m.b[m.n++] = (uint8_t)n;
        memcpy(m.b + m.n, name, n);
        m.n += n;
        name += n + (name[n] == '.');
    }
    m.b[m.n++] = 0;
}

static void begin(unsigned flags, const char *question, unsigned type)
{
    m.n = 0;
    m.answers = 0;
    put16(ID);
    put16(flags);
    put16(1);
    put16(0);
    put16(0);
    put16(0);
    put_name(question);
    put16(type);
    put16(1);
}

static void record(const char *owner, unsigned type, unsigned ttl)
{
    put_name(owner);
    put16(type);
    put16(1);
    put16(ttl >> 16);
    put16(ttl & 0xffff);
    m.answers++;
    m.b[6] = (uint8_t)(m.answers >> 8);
    m.b[7] = (uint8_t)m.answers;
}

static void address(const char *owner, unsigned ttl, unsigned last)
{
    record(owner, T_A, ttl);
    put16(4);
    put16(0xc000);
    put16(0x0200 | last);
}

static void alias(const char *owner, unsigned ttl, const char *target)
{
    record(owner, T_CNAME, ttl);
    size_t at = m.n;
    put16(0);
    put_name(target);
    m.b[at + 1] = (uint8_t)(m.n - at - 2);
}

static enum resolve_result read_it(struct fetch_answer *a)
{
    struct resolve_question q = {.name = "a.example", .type = T_A, .id = ID};
    *a = (struct fetch_answer){.ttl_s = FETCH_TTL_MAX_S};
    return resolve_read_answer(&q, m.b, m.n, a, next);
}

static void test_good(void **state _unused_)
{
    struct fetch_answer a;
    begin(0x8180, "A.Example", T_A);
    address("a.example", 300, 1);
    address("a.EXAMPLE", 100, 2);
    assert_int_equal(read_it(&a), RESOLVE_FOUND);
    assert_int_equal(a.n, 2);
    assert_int_equal(a.ttl_s, 100);
    assert_true(a.v[1].family == FAMILY_4 && a.v[1].ip.lo == 0xc0000202);
}

static void test_chain(void **state _unused_)
{
    struct fetch_answer a;
    begin(0x8180, "a.example", T_A);
    address("c.example", 500, 3); /* the order does not matter */
    alias("b.example", 30, "c.example");
    alias("a.example", 60, "b.example");
    address("stranger.example", 1, 4);
    assert_int_equal(read_it(&a), RESOLVE_FOUND);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.v[0].ip.lo & 0xff, 3);
    assert_int_equal(a.ttl_s, 30);
    begin(0x8180, "a.example", T_A);
    alias("a.example", 60, "b.example");
    assert_int_equal(read_it(&a), RESOLVE_FOLLOW);
    assert_string_equal(next, "b.example");
    begin(0x8180, "a.example", T_A);
    alias("a.example", 60, "b.example");
    alias("b.example", 60, "a.example");
    assert_int_equal(read_it(&a), RESOLVE_LOOP);
}

static void test_refused(void **state _unused_)
{
    struct fetch_answer a;
    begin(0x8183, "a.example", T_A);
    assert_int_equal(read_it(&a), RESOLVE_ABSENT);
    begin(0x8182, "a.example", T_A);
    assert_int_equal(read_it(&a), RESOLVE_SERVER_FAILED);
    begin(0x8180, "a.example", T_A);
    assert_int_equal(read_it(&a), RESOLVE_NO_DATA);
    begin(0x8180, "a.example", T_A);
    address("b.example", 60, 1);
    assert_int_equal(read_it(&a), RESOLVE_WRONG_NAME);
    begin(0x8180, "b.example", T_A);
    address("a.example", 60, 1);
    assert_int_equal(read_it(&a), RESOLVE_WRONG_QUESTION);
    begin(0x8180, "a.example", T_AAAA);
    assert_int_equal(read_it(&a), RESOLVE_WRONG_QUESTION);
    begin(0x0180, "a.example", T_A); /* a query */
    assert_int_equal(read_it(&a), RESOLVE_WRONG_QUESTION);
    begin(0x8180, "a.example", T_A);
    m.b[1] ^= 1; /* another id */
    assert_int_equal(read_it(&a), RESOLVE_WRONG_QUESTION);
    begin(0x8380, "a.example", T_A);
    assert_int_equal(read_it(&a), RESOLVE_TOO_MANY);
    begin(0x8180, "a.example", T_A);
    record("a.example", T_A, 60); /* an address of 3 bytes */
    put16(3);
    put16(0xc000);
    m.b[m.n++] = 2;
    assert_int_equal(read_it(&a), RESOLVE_MALFORMED);
}

static void test_limits(void **state _unused_)
{
    struct fetch_answer a;
    begin(0x8180, "a.example", T_A);
    for (unsigned i = 0; i < LIMIT_NAME_ADDRESSES; i++)
        address("a.example", 60, i);
    assert_int_equal(read_it(&a), RESOLVE_FOUND);
    assert_int_equal(a.n, LIMIT_NAME_ADDRESSES);
    address("a.example", 60, 200);
    assert_int_equal(read_it(&a), RESOLVE_TOO_MANY);
    begin(0x8180, "a.example", T_A);
    address("a.example", 0x80000000u, 1);
    assert_int_equal(read_it(&a), RESOLVE_FOUND);
    assert_int_equal(a.ttl_s, 0);
    for (size_t n = m.n; n-- > 0;) { /* every cut message is refused */
        m.n = n;
        assert_int_equal(read_it(&a), RESOLVE_MALFORMED);
    }
}

static void test_hosts(void **state _unused_)
{
    static const char text[] = "127.0.0.1 localhost\n# 192.0.2.9 a.example\n"
                               "192.0.2.1\tx a.example # a\n2001:db8::1 A.EXAMPLE\n"
                               "192.0.2.2 a.example.org\nfe80::1%eth0 a.example\nx a.example";
    struct fetch_answer a = {.n = 0};
    assert_true(resolve_read_hosts(text, strlen(text), "a.example", &a));
    assert_int_equal(a.n, 2);
    assert_true(a.v[0].ip.lo == 0xc0000201 && a.v[1].family == FAMILY_6);
}

/* One more than a name may have: not the first ones only. */
static void test_hosts_limit(void **state _unused_)
{
    char text[65 * 32] = "";
    for (int i = 1; i <= 64; i++)
        snprintf(text + strlen(text), 32, "10.0.0.%d a.example\n", i);
    struct fetch_answer a = {.n = 0};
    assert_true(resolve_read_hosts(text, strlen(text), "a.example", &a));
    assert_int_equal(a.n, 64);
    snprintf(text + strlen(text), 32, "10.0.0.65 a.example\n");
    a.n = 0;
    assert_false(resolve_read_hosts(text, strlen(text), "a.example", &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_chain),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hosts),   cmocka_unit_test(test_hosts_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
