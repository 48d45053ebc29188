/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Algebra of packet sets: random boxes over few values, every point asked; exceptions of a
 * block; speed is tested in tests/diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "compile/diff.h"
#include "compile/packetset.h"
#include "testlib/fixture.h"

/* Values 0 to 3 in each dimension stand for all. */
static struct box random_box(struct rng *r)
{
    struct box b = {.family = rng_below(r, 4) ? FAMILY_4 : FAMILY_6};
    b.class = (uint8_t)(1 + rng_below(r, 7));
    b.special = (uint8_t)(1 + rng_below(r, 3));
    b.profiles = (uint8_t)(2 + 2 * rng_below(r, 7));
    b.l4 = (uint8_t)(1 + rng_below(r, 3));
    b.proto[1] = 1 + rng_below(r, 15);
    uint64_t v[5][2];
    for (unsigned i = 0; i < 5; i++) {
        v[i][0] = rng_below(r, 3);
        v[i][1] = v[i][0] + rng_below(r, 4 - (uint32_t)v[i][0]);
        if (rng_below(r, 2)) /* often all */
            v[i][0] = 0, v[i][1] = 3;
    }
    b.src_first.lo = v[0][0], b.src_last.lo = v[0][1];
    b.dst_first.lo = v[1][0], b.dst_last.lo = v[1][1];
    b.if_first = (uint16_t)v[2][0], b.if_last = (uint16_t)v[2][1];
    b.sport_first = (uint16_t)v[3][0], b.sport_last = (uint16_t)v[3][1];
    b.dport_first = (uint16_t)v[4][0], b.dport_last = (uint16_t)v[4][1];
    return b;
}

static struct box random_point(struct rng *r)
{
    struct box b = random_box(r);
    b.class = (uint8_t)(1 << rng_below(r, 3));
    b.special = (uint8_t)(1 << rng_below(r, 2));
    b.profiles = (uint8_t)(2 << rng_below(r, 3));
    b.l4 = (uint8_t)(1 << rng_below(r, 2));
    b.proto[1] = 1ULL << rng_below(r, 4);
    b.src_last = b.src_first = (struct ip){0, rng_below(r, 4)};
    b.dst_last = b.dst_first = (struct ip){0, rng_below(r, 4)};
    b.if_last = b.if_first = (uint16_t)rng_below(r, 4);
    b.sport_last = b.sport_first = (uint16_t)rng_below(r, 4);
    b.dport_last = b.dport_first = (uint16_t)rng_below(r, 4);
    return b;
}

static unsigned count_boxes(const struct packetset *s, const struct box *point)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += box_contains(&s->v[i], point);
    return n;
}

static struct rng seeded(void)
{
    const char *env = getenv("PORTWARD_SEED");
    struct rng r = {.state = env ? strtoull(env, NULL, 0) : (uint64_t)(uintptr_t)&env};
    print_message("# seed %llu\n", (unsigned long long)r.state);
    return r;
}

static void test_set_operations(void **state)
{
    (void)state;
    struct rng r = seeded();
    unsigned inside = 0, outside = 0;
    for (unsigned round = 0; round < 3000; round++) {
        struct packetset s = {0};
        struct box with[3], without = random_box(&r), cut = random_box(&r);
        for (unsigned i = 0; i < 3; i++) {
            with[i] = random_box(&r);
            assert_int_equal(packetset_union(&s, &with[i]), 0);
        }
        bool cuts = rng_below(&r, 2);
        assert_int_equal(packetset_subtract(&s, &without), 0);
        if (cuts)
            packetset_intersect(&s, &cut);
        if (rng_below(&r, 2))
            packetset_join(&s);
        for (unsigned k = 0; k < 200; k++) {
            struct box p = random_point(&r);
            bool in = (box_contains(&with[0], &p) || box_contains(&with[1], &p) ||
                       box_contains(&with[2], &p)) &&
                      !box_contains(&without, &p) && (!cuts || box_contains(&cut, &p));
            assert_int_equal(count_boxes(&s, &p), in); /* in one box exactly, or in none */
            inside += in;
            outside += !in;
        }
        packetset_done(&s);
    }
    print_message("# %u points inside, %u outside\n", inside, outside);
    assert_true(inside > 2000 && outside > 2000);
}

static void test_join_gives_back_the_whole(void **state)
{
    (void)state;
    struct rng r = seeded();
    for (unsigned round = 0; round < 500; round++) {
        struct packetset s = {0}, whole = {0};
        struct box b = random_box(&r), c = random_box(&r), common;
        bool equal = false;
        assert_int_equal(packetset_add(&whole, &b), 0);
        assert_int_equal(packetset_add(&s, &b), 0);
        assert_int_equal(packetset_subtract(&s, &c), 0);
        if (box_intersect(&b, &c, &common))
            assert_int_equal(packetset_add(&s, &common), 0);
        assert_int_equal(packetset_equal(&s, &whole, &equal), 0);
        assert_true(equal);
        if (s.n > 1) {
            s.n--; /* now one piece is missing */
            assert_int_equal(packetset_equal(&s, &whole, &equal), 0);
            assert_false(equal);
            s.n++;
        }
        size_t before = s.n;
        packetset_join(&s);
        assert_true(s.n <= before);
        assert_int_equal(packetset_equal(&s, &whole, &equal), 0);
        assert_true(equal);
        packetset_done(&s);
        packetset_done(&whole);
    }
}

static void test_edges_of_addresses(void **state)
{
    (void)state;
    struct ip top = {UINT64_MAX, UINT64_MAX};
    struct box all = {.family = FAMILY_6,
                      .class = CLASS_ALL,
                      .l4 = L4_ALL,
                      .special = SPECIAL_NO,
                      .profiles = BOX_PROFILES,
                      .proto = {1},
                      .src_last = top,
                      .dst_last = top,
                      .sport_last = 65535,
                      .dport_last = 65535};
    struct box last = all, first = all, piece[BOX_PIECES];
    last.src_first = top;
    first.src_last = (struct ip){0, 0};
    assert_int_equal(box_subtract(&all, &last, piece), 1);
    assert_true(ip_eq(piece[0].src_last, ip_sub1(top)));
    assert_int_equal(box_subtract(&all, &first, piece), 1);
    assert_true(ip_eq(piece[0].src_first, (struct ip){0, 1}));
    assert_int_equal(box_subtract(&all, &all, piece), 0);
    struct packetset s = {0};
    assert_int_equal(packetset_add(&s, &last), 0);
    assert_int_equal(packetset_add(&s, &first), 0); /* do not touch: nothing wraps */
    packetset_join(&s);
    assert_int_equal(s.n, 2);
    packetset_done(&s);
}

static void test_exceptions(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    x.settings.n_failsafe = 1;
    x.settings.failsafe[0] = (struct failsafe){.proto = PROTO_TCP,
                                               .port = 445,
                                               .family = FAMILY_4,
                                               .prefix = {0, 0xcb007107},
                                               .prefix_len = 32};
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "445");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.0/24", "", "me", "445");
    fixture_add(&x, ACTION_BLOCK, PROTO_ANY, "10.1.1.7", "", "me", "");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "any", "", "me", "443-446"); /* less specific */
    struct exceptions ex;
    assert_int_equal(diff_exceptions(&x.e, 0, 0, NULL, &ex), 0);
    assert_true(ex.complete);
    assert_int_equal(ex.n, 2);
    assert_int_equal(ex.v[0].by.decider, DECIDED_FILTER);
    assert_int_equal(ex.v[0].by.index, 1);
    assert_int_equal(ex.v[1].by.decider, DECIDED_FAILSAFE);
    struct packet in = fixture_packet(DIR_IN, PROTO_TCP, "10.1.1.8", 50000, "192.0.2.1", 445);
    assert_true(packetset_has(&ex.v[0].set, &in, CLASS_TO_ME, &x.host));
    in.src.lo--; /* .7 is banned */
    assert_false(packetset_has(&ex.v[0].set, &in, CLASS_TO_ME, &x.host));
    exceptions_done(&ex);
    /* An override block leaves failsafe only. */
    x.f[0].override = true;
    assert_int_equal(diff_exceptions(&x.e, 0, 0, NULL, &ex), 0);
    assert_int_equal(ex.n, 1);
    assert_int_equal(ex.v[0].by.decider, DECIDED_FAILSAFE);
    exceptions_done(&ex);
    fixture_done(&x);
}

static void test_budget_is_never_equal(void **state)
{
    (void)state;
    struct fixture a, b;
    fixture_init(&a);
    fixture_init(&b);
    const char *hosts[] = {"10.0.0.1", "10.0.0.3", "10.0.0.5", "10.0.0.7"};
    for (unsigned i = 0; i < ARRAY_SIZE(hosts); i++) {
        fixture_add(&a, ACTION_PERMIT, PROTO_TCP, hosts[i], "", "me", "80");
        fixture_add(&b, ACTION_PERMIT, PROTO_TCP, hosts[i], "", "me", "80");
    }
    fixture_add(&b, ACTION_BLOCK, PROTO_ANY, "any", "", "me", "");
    struct budget one = {.max_boxes = 1};
    struct diff_result d;
    assert_int_equal(diff_effective(&a.e, &b.e, 0, &one, &d), 0);
    assert_false(d.complete);
    assert_false(d.equal);
    assert_true(d.n > 0); /* an example at least */
    assert_true(d.v[0].blocked);
    diff_result_done(&d);
    assert_int_equal(diff_effective(&a.e, &b.e, 0, NULL, &d), 0);
    assert_true(d.complete);
    assert_int_equal(d.n, 1);
    assert_false(d.armed_a);
    assert_true(d.armed_b);
    diff_result_done(&d);
    assert_int_equal(diff_effective(&b.e, &b.e, 0, &one, &d), 0);
    assert_true(d.equal);
    diff_result_done(&d);
    fixture_done(&a);
    fixture_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_operations),
        cmocka_unit_test(test_join_gives_back_the_whole),
        cmocka_unit_test(test_edges_of_addresses),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_budget_is_never_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
