/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/weight.c: the table of policy.md 3 and every weight that the documents print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/weight.h"

static struct addr prefix4(uint32_t a, unsigned len)
{
    return addr_prefix(FAMILY_4, (struct ip){.lo = a}, len);
}

static struct addr range4(uint32_t first, uint32_t last)
{
    return addr_range(FAMILY_4, (struct ip){.lo = first}, (struct ip){.lo = last});
}

static void test_weights_of_the_documents(void **state)
{
    (void)state;
    const struct {
        enum action action;
        int16_t proto;
        struct addr src, dst;
        uint16_t dport; /* 0 = any */
        uint32_t weight;
    } cases[] = {
        {ACTION_PERMIT, 6, prefix4(0x0a010100, 24), addr_me(), 445, 0x70306201},
        {ACTION_PERMIT, 6, prefix4(0x0a010100, 24), addr_me(), 135, 0x70306201},
        {ACTION_BLOCK, 6, addr_any(), addr_me(), 445, 0x40006203},
        {ACTION_PERMIT, -1, prefix4(0x0a010105, 32), addr_me(), 0, 0x80400001},
        {ACTION_PERMIT, 6, prefix4(0x0a000000, 8), addr_any(), 22, 0x10106201},
        {ACTION_PERMIT, 17, addr_me(), addr_any(), 53, 0x40406201},
        {ACTION_BLOCK, -1, addr_any(), addr_any(), 0, 0x00000003},
        {ACTION_NEGOTIATE, -1, addr_any(), addr_me(), 0, 0x40000002},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct filter f;
        filter_init(&f);
        f.action = cases[i].action;
        f.proto = cases[i].proto;
        struct port_range port = {cases[i].dport, cases[i].dport};
        assert_int_equal(
            filter_weight(&f, &cases[i].src, &cases[i].dst, NULL, cases[i].dport ? &port : NULL),
            cases[i].weight);
    }
}

/* Field G: block over negotiate over permit; inpass, which demands negotiation, is one. */
static void test_actions(void **state)
{
    (void)state;
    static const struct {
        enum action action;
        bool inpass;
        uint32_t weight;
    } cases[] = {
        {ACTION_BLOCK, false, 0x40006203},
        {ACTION_NEGOTIATE, false, 0x40006202},
        {ACTION_PERMIT, true, 0x40006202},
        {ACTION_PERMIT, false, 0x40006201},
    };
    struct addr any = addr_any(), me = addr_me();
    struct port_range port = {445, 445};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct filter f;
        filter_init(&f);
        f.action = cases[i].action;
        f.inpass = cases[i].inpass;
        f.proto = PROTO_TCP;
        assert_int_equal(filter_weight(&f, &any, &me, NULL, &port), cases[i].weight);
    }
    assert_string_equal(weight_decider(cases[0].weight, cases[1].weight), "action");
    assert_string_equal(weight_decider(cases[1].weight, cases[3].weight), "action");
    assert_null(weight_decider(cases[1].weight, cases[2].weight));
}

static void test_addresses(void **state)
{
    (void)state;
    struct addr any = addr_any(), me = addr_me();
    assert_int_equal(weight_address(&any), 0);
    assert_int_equal(weight_address(&me), 128);
    for (unsigned n = 0; n <= 32; n++) {
        struct addr a = prefix4(0x0a000000, n);
        assert_int_equal(weight_address(&a), 4 * n);
    }
    for (unsigned n = 0; n <= 128; n++) {
        struct addr a = addr_prefix(FAMILY_6, (struct ip){0x20010db8ULL << 32, 0}, n);
        assert_int_equal(weight_address(&a), n);
    }
}

static void test_address_ranges(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        unsigned weight;
    } cases[] = {{2, 4 * 31},   {3, 4 * 30},          {4, 4 * 30},      {5, 4 * 29},  {256, 4 * 24},
                 {257, 4 * 23}, {0x80000000u, 4 * 1}, {0x80000001u, 0}, {255, 4 * 24}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct addr a = range4(7, 7 + cases[i].size - 1);
        assert_int_equal(weight_address(&a), cases[i].weight);
    }
    struct addr all4 = range4(0, 0xffffffff);
    assert_int_equal(weight_address(&all4), 0);
    struct addr all6 = addr_range(FAMILY_6, (struct ip){0, 0}, (struct ip){UINT64_MAX, UINT64_MAX});
    assert_int_equal(weight_address(&all6), 0);
    struct addr across = addr_range(FAMILY_6, (struct ip){0, UINT64_MAX}, (struct ip){1, 0});
    assert_int_equal(weight_address(&across), 127);
    struct addr half = addr_range(FAMILY_6, (struct ip){0, 0}, (struct ip){0, UINT64_MAX});
    assert_int_equal(weight_address(&half), 64);
    struct addr more = addr_range(FAMILY_6, (struct ip){0, 0}, (struct ip){1, 0});
    assert_int_equal(weight_address(&more), 63);
}

static void test_ports(void **state)
{
    (void)state;
    assert_int_equal(weight_ports(NULL), 0);
    static const struct {
        uint16_t first, last;
        unsigned weight;
    } cases[] = {{22, 22, 17},  {0, 0, 17},       {1, 2, 15},   {1, 3, 14},  {1, 4, 14},
                 {1, 5, 13},    {5001, 5021, 11}, {0, 255, 8},  {0, 256, 7}, {1024, 65535, 1},
                 {0, 32767, 1}, {0, 32768, 1},    {1, 65535, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct port_range r = {cases[i].first, cases[i].last};
        assert_int_equal(weight_ports(&r), cases[i].weight);
    }
    assert_int_equal(weight_icmp(-1, -1), 0);
    assert_int_equal(weight_icmp(8, -1), 8);
    assert_int_equal(weight_icmp(8, 0), 17);
    assert_int_equal(weight_icmp(0, -1), 8);
}

static void test_fields(void **state)
{
    (void)state;
    struct filter f;
    filter_init(&f);
    f.action = ACTION_PERMIT;
    f.proto = 6;
    char name[] = "eth0";
    f.interface = name;
    struct addr src = prefix4(0x0a010100, 24), dst = addr_me();
    struct port_range sport = {1000, 1001}, dport = {135, 135};
    uint32_t w = filter_weight(&f, &src, &dst, &sport, &dport);
    struct weight_fields x = weight_split(w);
    assert_int_equal(x.addresses, 224);
    assert_int_equal(x.source, 96);
    assert_int_equal(x.protocol, 1);
    assert_int_equal(x.dport, 17);
    assert_int_equal(x.sport, 15);
    assert_int_equal(x.where, 2);
    assert_int_equal(x.action, 1);
    f.interface = NULL;
    f.profile = PROFILE_PRIVATE;
    assert_int_equal(weight_split(filter_weight(&f, &src, &dst, NULL, NULL)).where, 1);
    /* Both sides exact: the sum fills the field and nothing spills over. */
    struct addr h = prefix4(1, 32);
    x = weight_split(filter_weight(&f, &h, &h, NULL, NULL));
    assert_int_equal(x.addresses, 256);
    assert_int_equal(x.source, 128);
    f.proto = PROTO_ICMP;
    f.icmp_type = 8;
    assert_int_equal(weight_split(filter_weight(&f, &h, &h, NULL, NULL)).dport, 8);
    f.icmp_code = 0;
    assert_int_equal(weight_split(filter_weight(&f, &h, &h, NULL, NULL)).dport, 17);
}

static void test_decider(void **state)
{
    (void)state;
    assert_null(weight_decider(0x70306201, 0x70306201));
    assert_string_equal(weight_decider(0x70306201, 0x40006203), "addresses");
    assert_string_equal(weight_decider(0x40406201, 0x40006201), "source");
    assert_string_equal(weight_decider(0x40004003, 0x40000003), "protocol");
    assert_string_equal(weight_decider(0x40006203, 0x40004003), "destination port");
    assert_string_equal(weight_decider(0x40004113, 0x40004003), "source port");
    assert_string_equal(weight_decider(0x4000400b, 0x40004003), "where");
    assert_string_equal(weight_decider(0x40006203, 0x40006201), "action");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_of_the_documents),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_address_ranges),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_decider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
