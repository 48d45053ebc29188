/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The self-test with a stand-in for the loaded program: one that agrees passes, each kind of
 * lie about a single packet is found, the number of packets stays within its budget. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/agent/expand.h"
#include "../../src/agent/probe.h"
#include "../../src/agent/selftest.h"
#include "base/limits.h"
#include "text/text.h"

static const char *const texts[] = {
    "block in tcp port 135,445,5001-5021",
    "permit in tcp from 10.1.1.0/24 to me port 135",
    "block in udp port 1434",
    "block in icmp type 8 code 0",
    "block out tcp port 25",
    "block udp from 192.0.2.1-192.0.2.9 to any mirrored",
    "block from 2001:db8::/32 to me",
    "permit in 47",
    "block in tcp port 445 override",
};
enum { N = ARRAY_SIZE(texts) };

static struct filter filters[N];
static struct effective_filter effective[N];
static struct filter_settings settings;
static struct local_route routes[] = {
    {FAMILY_4, {0, 0xc0a80101}, 32, LOCAL_UNICAST},
    {FAMILY_4, {0, 0xc0a801ff}, 32, LOCAL_BROADCAST},
    {FAMILY_6, {0x20010db800010000ULL, 1}, 128, LOCAL_UNICAST},
};
static struct iface ifaces[] = {{.ifindex = 2, .name = "eth0", .zone = 1, .dhcp4 = true}};
static struct host host = {.local = routes, .n_local = 3, .ifaces = ifaces, .n_ifaces = 1};
static struct effective e = {effective, N, &settings, &host};
static size_t fresh[N];

static uint64_t seed_of_test(void)
{
    const char *env = getenv("PORTWARD_SEED");
    return env ? strtoull(env, NULL, 0) : (uint64_t)getpid() * 104729;
}

static int setup(void **state _unused_)
{
    struct diag d = {0};
    filter_settings_init(&settings);
    const char *failsafe = "tcp/22 from 192.0.2.0/24";
    if (text_parse_failsafe(failsafe, strlen(failsafe), &d, &settings) < 0)
        return -1;
    for (size_t i = 0; i < N; i++) {
        filter_init(&filters[i]);
        if (text_parse_filter(texts[i], strlen(texts[i]), &d, &filters[i]) < 0)
            return -1;
        effective[i] = (struct effective_filter){
            .filter = &filters[i], .layer = LAYER_LOCAL, .counter_id = (uint32_t)i};
        fresh[i] = i;
    }
    return 0;
}

static int teardown(void **state _unused_)
{
    for (size_t i = 0; i < N; i++)
        filter_done(&filters[i]);
    return 0;
}

static uint64_t clock_of_test(void)
{
    return 1000;
}

/* What lies about the packets that filter number 2 decides. */
enum lie { LIE_NONE, LIE_VERDICT, LIE_REASON, LIE_COUNTER, LIE_WEIGHT, LIE_TIER, LIE_ERROR };
struct program {
    enum lie lie;
    unsigned n_asked;
};

static int ask(void *ctx, const uint8_t *frame, size_t len, const struct packet_meta *meta,
               struct datapath_answer *ret)
{
    struct program *p = ctx;
    struct verdict v = eval_frame(&e, frame, len, meta, 1000);
    *ret = (struct datapath_answer){.block = v.block,
                                    .reason = v.reason,
                                    .by_filter = v.decider == DECIDED_FILTER,
                                    .counter_id = v.counter_id,
                                    .weight = v.weight,
                                    .tier = v.tier};
    p->n_asked++;
    if (v.decider != DECIDED_FILTER || v.counter_id != 2)
        return 0;
    switch (p->lie) {
    case LIE_NONE:
        break;
    case LIE_VERDICT:
        ret->block = !ret->block;
        break;
    case LIE_REASON:
        ret->reason = DROP_MARTIAN;
        break;
    case LIE_COUNTER:
        ret->counter_id++;
        break;
    case LIE_WEIGHT:
        ret->weight++;
        break;
    case LIE_TIER:
        ret->tier = TIER_OVERRIDE;
        break;
    case LIE_ERROR:
        return -ENODEV;
    }
    return 0;
}

static int run(enum lie lie, struct selftest *t, struct diag *d)
{
    static struct program p;
    p = (struct program){.lie = lie};
    *t = (struct selftest){.e = &e,
                           .fresh = fresh,
                           .n_fresh = N,
                           .seed = seed_of_test(),
                           .ask = ask,
                           .ctx = &p,
                           .now_ns = clock_of_test};
    int err = selftest_run(t, d);
    if (err < 0 && lie == LIE_NONE)
        fail_msg("%s; PORTWARD_SEED=%llu", d->message, (unsigned long long)t->seed);
    if (err == 0)
        assert_int_equal(p.n_asked, t->n_corners + t->n_random);
    return err;
}

static void test_agreement(void **state _unused_)
{
    struct selftest t;
    struct diag d = {0};
    assert_int_equal(run(LIE_NONE, &t, &d), 0);
    assert_true(t.n_random >= 1000);
    assert_true(t.n_corners >= N * 5);
    /* The packets are about the filters, not beside them. */
    if (t.n_decided * 5 < t.n_corners + t.n_random)
        fail_msg("only %u of %u decided by a filter", t.n_decided, t.n_corners + t.n_random);
}

static void test_lies(void **state _unused_)
{
    static const enum lie lies[] = {LIE_VERDICT, LIE_REASON, LIE_COUNTER, LIE_WEIGHT, LIE_TIER};
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        struct selftest t;
        struct diag d = {0};
        assert_int_equal(run(lies[i], &t, &d), -EIO);
        assert_int_equal(d.code, DIAG_SELF_TEST);
        assert_non_null(strstr(d.message, "1434"));
        assert_non_null(strstr(d.hint, "seed"));
    }
    struct selftest t;
    struct diag d = {0};
    assert_int_equal(run(LIE_ERROR, &t, &d), -ENODEV);
}

static void test_empty(void **state _unused_)
{
    struct effective none = {NULL, 0, &settings, &host};
    struct program p = {LIE_NONE, 0};
    struct diag d = {0};
    struct effective before = e;
    e = none; /* what ask() evaluates */
    struct selftest t = {
        .e = &none, .seed = seed_of_test(), .ask = ask, .ctx = &p, .now_ns = clock_of_test};
    assert_int_equal(selftest_run(&t, &d), 0);
    assert_true(t.n_random >= 1000);
    e = before;
}

/* However many failsafe entries there are to look at: what is new is asked. */
static void test_fresh_is_always_asked(void **state _unused_)
{
    enum { MANY = 20000 };
    static struct effective_filter many[MANY];
    const char *failsafe = "tcp/22 from 192.0.2.0/24, tcp/23 from 192.0.2.0/24, "
                           "tcp/24 from 192.0.2.0/24, tcp/25 from 192.0.2.0/24, "
                           "tcp/26 from 192.0.2.0/24, tcp/27 from 192.0.2.0/24";
    struct filter_settings wide;
    struct effective before = e;
    struct diag d = {0};
    size_t last = MANY - 1;
    filter_settings_init(&wide);
    assert_int_equal(text_parse_failsafe(failsafe, strlen(failsafe), &d, &wide), 0);
    for (size_t i = 0; i < MANY; i++)
        many[i] = effective[i == last ? 2 : 4];
    e = (struct effective){many, MANY, &wide, &host};
    struct program p = {LIE_VERDICT, 0};
    struct selftest t = {.e = &e,
                         .fresh = &last,
                         .n_fresh = 1,
                         .seed = seed_of_test(),
                         .ask = ask,
                         .ctx = &p,
                         .now_ns = clock_of_test};
    assert_int_equal(selftest_run(&t, &d), -EIO);
    assert_int_equal(d.code, DIAG_SELF_TEST);
    e = before;
}

static void test_plan_is_bounded(void **state _unused_)
{
    for (size_t n = 1; n <= LIMIT_EFFECTIVE_FILTERS; n = n * 3 + 1) {
        for (int all = 0; all < 2; all++) {
            struct selftest_plan p = selftest_plan(n, all ? n : 1, n);
            uint64_t work = (uint64_t)(p.n_corners + p.n_random) * n;
            assert_true(work <= 51000000);
            if (!all)
                assert_true(work <= 1100000);
            assert_true(p.n_corners <= 20000 && p.n_random <= 1000);
            if (n <= 200)
                assert_true(p.n_random == 1000);
            if (n <= 200000 && all)
                assert_true(p.n_random >= 100);
        }
    }
}

/* What near_of() leaves out matches nothing: the evaluator says the same with and without it. */
static void test_near_is_enough(void **state _unused_)
{
    struct rng r = {seed_of_test()};
    _cleanup_(near_done) struct near near = {0};
    unsigned n_decided = 0;
    size_t n_looked = 0;
    assert_int_equal(near_build(&near, &e, e.n), 0);
    for (unsigned i = 0; i < 20000; i++) {
        struct packet p = probe_random(e.v[rng_below(&r, (uint32_t)e.n)].filter,
                                       e.v[rng_below(&r, (uint32_t)e.n)].filter, &host, &r);
        struct effective some;
        assert_int_equal(near_of(&near, &p, &some), 0);
        struct verdict a = eval_packet(&e, &p, 1), b = eval_packet(&some, &p, 1);
        assert_true(a.block == b.block && a.reason == b.reason && a.decider == b.decider &&
                    a.counter_id == b.counter_id && a.weight == b.weight);
        n_decided += a.decider == DECIDED_FILTER;
        n_looked += some.n;
    }
    assert_true(n_decided > 4000);
    assert_true(n_looked < 20000 * e.n); /* it does leave some out */
}

/* Every corner of a filter lies inside or exactly one beside each of its bounds. */
static void test_corners(void **state _unused_)
{
    struct rng r = {seed_of_test()};
    struct packet p[PROBE_CORNERS_MAX];
    unsigned inside[2] = {0, 0}, low = 0, high = 0;
    for (int i = 0; i < 200; i++) {
        unsigned n = probe_corners(&filters[1], &host, &r, p);
        assert_true(n <= PROBE_CORNERS_MAX);
        for (unsigned k = 0; k < n; k++) {
            inside[p[k].src.lo >> 8 == 0x0a0101]++;
            low += p[k].dport == 134;
            high += p[k].dport == 136;
            assert_int_equal(p[k].family, FAMILY_4);
        }
    }
    assert_true(inside[0] == 400 && inside[1] > 400);
    assert_true(low == 200 && high == 200);
}

static void test_expansions(void **state _unused_)
{
    assert_int_equal(expansion_count(&filters[0]), 3);
    assert_int_equal(expansion_count(&filters[5]), 2);
    struct expansion x = expansion_at(&filters[5], 1);
    assert_true(x.twin && x.dst == &filters[5].src && x.src == &filters[5].dst);
    assert_int_equal(expansion_top_weight(&filters[1]), 0x70306201);
    assert_int_equal(expansion_top_weight(&filters[0]), 0x40006203); /* the exact port */
    assert_int_equal(expansion_tier(&filters[8]), TIER_OVERRIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement),      cmocka_unit_test(test_lies),
        cmocka_unit_test(test_empty),          cmocka_unit_test(test_plan_is_bounded),
        cmocka_unit_test(test_near_is_enough), cmocka_unit_test(test_fresh_is_always_asked),
        cmocka_unit_test(test_corners),        cmocka_unit_test(test_expansions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
