/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/reach.c against the evaluator: whatever piece a source lies in, the whole of the filters
 * says of it what the piece says. Also the words, and the questions as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "eval/eval.h"
#include "exposure/item.h"
#include "exposure/reach.h"
#include "testlib/fixture.h"
#include "testlib/gen.h"

enum { POLICIES = 300, SOURCES = 60, NOW_NS = 1000000 };

static bool named(const struct effective *e, uint16_t port)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct filter *f = e->v[i].filter;

        if ((!portset_is_any(&f->sport) && portset_contains(&f->sport, port)) ||
            (!portset_is_any(&f->dport) && portset_contains(&f->dport, port)))
            return true;
    }
    return false;
}

static bool is_outside(const struct host *h, enum family f, struct ip ip)
{
    struct filter_settings settings;
    struct effective e = {.settings = &settings, .host = h};
    struct packet p = {.family = f, .src = ip, .meta.dir = DIR_OUT};

    filter_settings_init(&settings);
    if (f == FAMILY_4)
        return ip.lo >> 24 != 0 && ip.lo >> 24 != 127 && ip.lo >> 29 != 7 &&
               !eval_src_is_me(&e, &p);
    return !(ip.hi == 0 && (ip.lo < 2 || ip.lo >> 32 == 0xffff)) && ip.hi >> 56 != 0xff &&
           !eval_src_is_me(&e, &p);
}

static struct ip random_source(struct rng *r, const struct gen_policy *p, const struct reach *x)
{
    struct ip ip = {0, 0};

    switch (rng_below(r, 4)) {
    case 0:
        ip = x->family == FAMILY_4 ? p->pool4[rng_below(r, GEN_POOL)]
                                   : p->pool6[rng_below(r, GEN_POOL)];
        break;
    case 1:
        ip = x->v[rng_below(r, (uint32_t)x->n)].first;
        break;
    case 2:
        ip = x->v[rng_below(r, (uint32_t)x->n)].last;
        break;
    default:
        ip.lo = x->family == FAMILY_4 ? rng_next(r) >> 32 : rng_next(r);
        ip.hi = x->family == FAMILY_4 ? 0 : rng_next(r);
        break;
    }
    return ip;
}

/* Every group of pieces covers all sources, in order and without gaps. */
static void check_cover(const struct reach *x)
{
    struct ip all = ip_not(x->family, (struct ip){0, 0});

    for (size_t i = 0; i < x->n; i++) {
        const struct reach_piece *p = &x->v[i];
        bool begins = i == 0 || p->iface != p[-1].iface || !ip_eq(p->address, p[-1].address) ||
                      p->sport != p[-1].sport;

        if (begins)
            assert_true(ip_eq(p->first, (struct ip){0, 0}));
        else
            assert_true(ip_eq(p->first, ip_add1(p[-1].last)));
        assert_true(ip_cmp(p->first, p->last) <= 0);
        if (i && begins)
            assert_true(ip_eq(p[-1].last, all));
    }
    assert_true(x->n == 0 || ip_eq(x->v[x->n - 1].last, all));
}

static size_t check_source(const struct gen_policy *g, const struct reach *x, uint8_t proto,
                           uint16_t port, struct ip src)
{
    uint16_t ordinary = 49152;
    size_t asked = 0;

    while (named(&g->e, ordinary))
        ordinary++;
    for (size_t i = 0; i < x->n; i++) {
        const struct reach_piece *p = &x->v[i];
        struct packet packet = {.meta = {.dir = DIR_IN, .zone = p->iface ? p->iface->zone : 0},
                                .family = x->family,
                                .src = src,
                                .dst = p->address,
                                .proto = proto,
                                .l4_known = true,
                                .sport = p->sport ? p->sport : ordinary,
                                .dport = port,
                                .hop_limit = 64,
                                .tcp_flags = proto == PROTO_TCP ? 2 : 0};

        if (ip_cmp(src, p->first) < 0 || ip_cmp(src, p->last) > 0)
            continue;
        struct verdict v = eval_packet(&g->e, &packet, NOW_NS);
        if (v.decider == DECIDED_STRUCTURE)
            continue;
        assert_int_equal(v.block, p->block);
        assert_int_equal(v.decider, p->decider);
        if (v.decider == DECIDED_FILTER)
            assert_int_equal(v.index, p->index);
        asked++;
    }
    return asked;
}

static size_t check_question(struct rng *r, const struct gen_policy *g,
                             const struct reach_question *q)
{
    _cleanup_(reach_base_freep) struct reach_base *b = NULL;
    size_t asked = 0;

    assert_int_equal(reach_base_new(&g->e, q, NOW_NS, &b), 0);
    for (unsigned k = 0; k < 4; k++) {
        _cleanup_(reach_done) struct reach x = {0};
        uint16_t port = g->ports[rng_below(r, GEN_PORTS)];
        uint16_t until = reach_same_until(b, port);
        uint16_t other = (uint16_t)(port + rng_below(r, (uint32_t)(until - port) + 1));

        assert_true(until >= port);
        assert_int_equal(reach_judge(b, port, &x), 0);
        assert_true(x.complete);
        check_cover(&x);
        for (unsigned i = 0; x.n && i < SOURCES; i++) {
            struct ip src = random_source(r, g, &x);

            if (!is_outside(g->e.host, q->family, src))
                continue;
            asked += check_source(g, &x, q->proto, port, src);
            asked += check_source(g, &x, q->proto, other, src); /* treated alike */
        }
    }
    return asked;
}

static void test_random(void **state)
{
    (void)state;
    const char *given = getenv("PORTWARD_SEED");
    struct rng r = {given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL)};
    size_t asked = 0;

    print_message("# seed %llu (PORTWARD_SEED)\n", (unsigned long long)r.state);
    for (unsigned i = 0; i < POLICIES; i++) {
        _cleanup_(gen_policy_freep) struct gen_policy *g = NULL;
        struct host host;

        assert_int_equal(gen_host(&r, &host), 0);
        assert_int_equal(gen_policy_new(&r, &host, NOW_NS, &g), 0);
        if (i % 3 == 0)
            gen_policy_places(&r, g);
        for (unsigned k = 0; k < 4; k++) {
            struct reach_question q = {.family = k & 1 ? FAMILY_6 : FAMILY_4,
                                       .any_own = true,
                                       .proto = k & 2 ? PROTO_UDP : PROTO_TCP};

            asked += check_question(&r, g, &q);
        }
        host_done(&host);
    }
    assert_true(asked > 100000);
}

static void text_of(const struct fixture *x, uint16_t port, bool six, char out[512])
{
    struct reach_question q = {
        .family = six ? FAMILY_6 : FAMILY_4, .any_own = true, .proto = PROTO_TCP};
    _cleanup_(reach_base_freep) struct reach_base *b = NULL;
    _cleanup_(reach_done) struct reach r = {0};
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(4096);

    assert_int_equal(reach_base_new(&x->e, &q, 1, &b), 0);
    assert_int_equal(reach_judge(b, port, &r), 0);
    assert_int_equal(reach_text(&r, &text), 0);
    (void)snprintf(out, 512, "%s", text.s);
}

static void test_words(void **state)
{
    (void)state;
    struct fixture x;
    char text[512];

    fixture_init(&x);
    text_of(&x, 80, false, text);
    assert_string_equal(text, "permit");
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "any", "", "me", "");
    text_of(&x, 80, false, text);
    assert_string_equal(text, "block");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.1.0/24", "", "me", "135");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "10.1.2.7", "", "me", "135");
    text_of(&x, 135, false, text);
    assert_string_equal(text, "permit from 10.1.1.0/24, 10.1.2.7, else block");
    text_of(&x, 135, true, text);
    assert_string_equal(text, "block");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "any", "", "me", "80");
    fixture_add(&x, ACTION_BLOCK, PROTO_TCP, "10.1.1.0/24", "", "me", "80");
    text_of(&x, 80, false, text);
    assert_string_equal(text, "permit, but block from 10.1.1.0/24");
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "any", "53", "me", "");
    text_of(&x, 22, false, text);
    assert_string_equal(text, "block; from port 53 permit");
    fixture_done(&x);
}

static void test_items(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "tcp",
                                      "tcp *4",
                                      "tcp *5 1",
                                      "icmp *4 1",
                                      "tcp *4 1,1",
                                      "tcp *4 9-2",
                                      "tcp *4 65536",
                                      "tcp *4 1,",
                                      "tcp *4 1 2",
                                      "tcp 192.0.2.1%x 1",
                                      "tcp 192.0.2 1",
                                      "tcp *4%99999999999 1"};
    struct reach_item i;
    struct diag d;

    for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
        assert_true(reach_item_parse(bad[k], &d, &i) < 0);
    assert_int_equal(reach_item_parse("udp fe80::1%3 53,80-90", &d, &i), 0);
    assert_true(i.q.family == FAMILY_6 && !i.q.any_own && i.q.ifindex == 3 && i.q.proto == 17);
    assert_int_equal(i.n_ports, 2);
    assert_int_equal(i.ports[1].last, 90);
    reach_item_done(&i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
