/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reply state: every sentence of policy.md 4 as a short history of packets and what must come out
 * of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/state.h"
#include "testlib/fixture.h"

#define SECONDS 1000000000ULL
enum { FIN_ACK = 17, SYN = 2, RST = 4, SYN_ACK = 18, ACK = 16 };
#define IN  DIR_IN
#define OUT DIR_OUT

/* `block in all` and `permit out PROTO to any keep state`. */
struct world {
    struct fixture x;
    struct eval_state *s;
    uint64_t now;
};

static void world_init(struct world *w, int proto)
{
    fixture_init(&w->x);
    w->now = 1000 * SECONDS;
    assert_int_equal(eval_state_new(&w->s), 0);
    fixture_add(&w->x, ACTION_BLOCK, PROTO_ANY, "any", "", "me", "");
    fixture_add(&w->x, ACTION_PERMIT, proto, "me", "", "any", "")->keep_state = true;
}

static void world_done(struct world *w)
{
    fixture_done(&w->x);
    w->s = eval_state_free(w->s);
}

static struct verdict show_quoting(struct world *w, struct packet p, const struct packet *quoted)
{
    struct verdict v;
    assert_int_equal(eval_state_packet(w->s, &w->x.e, &p, quoted, w->now, &v), 0);
    return v;
}

static bool passes(struct world *w, struct packet p)
{
    return !show_quoting(w, p, NULL).block;
}

static struct packet query(void)
{
    return fixture_packet(OUT, 17, "192.0.2.1", 4000, "203.0.113.53", 53);
}

static struct packet answer(void)
{
    return fixture_packet(IN, 17, "203.0.113.53", 53, "192.0.2.1", 4000);
}

static struct packet tcp(enum direction dir, uint8_t flags)
{
    struct packet p = dir == OUT ? fixture_packet(OUT, 6, "192.0.2.1", 4000, "203.0.113.5", 80)
                                 : fixture_packet(IN, 6, "203.0.113.5", 80, "192.0.2.1", 4000);
    p.tcp_flags = flags;
    return p;
}

static void test_udp_answer(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_UDP);
    assert_false(passes(&w, answer()));
    assert_int_equal(eval_state_size(w.s), 0); /* a dropped packet creates nothing */
    assert_true(passes(&w, query()));
    assert_int_equal(eval_state_size(w.s), 1);
    struct verdict v = show_quoting(&w, answer(), NULL);
    assert_false(v.block);
    assert_int_equal(v.index, 1);
    struct packet forged = answer();
    forged.dport = 4001;
    assert_false(passes(&w, forged));
    forged = answer();
    forged.src.lo++;
    assert_false(passes(&w, forged));
    forged = answer();
    forged.proto = PROTO_UDPLITE;
    assert_false(passes(&w, forged));
    forged = answer();
    forged.later_fragment = true;
    forged.l4_known = false;
    forged.sport = forged.dport = 0;
    assert_false(passes(&w, forged));
    world_done(&w);
}

static void test_udp_lifetimes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_UDP);
    assert_true(passes(&w, query()));
    w.now += 60 * SECONDS;
    assert_false(passes(&w, answer()));
    assert_int_equal(eval_state_size(w.s), 0);
    assert_true(passes(&w, query()));
    w.now += 59 * SECONDS;
    assert_true(passes(&w, answer()));
    w.now += 179 * SECONDS;
    assert_true(passes(&w, answer()));
    w.now += 180 * SECONDS;
    assert_false(passes(&w, answer()));
    world_done(&w);
}

static void test_without_keep_state(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_UDP);
    w.x.f[1].keep_state = false;
    assert_true(passes(&w, query()));
    assert_int_equal(eval_state_size(w.s), 0);
    assert_false(passes(&w, answer()));
    world_done(&w);
}

static void test_tcp(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_TCP);
    assert_true(passes(&w, tcp(OUT, ACK))); /* permitted, but opens nothing */
    assert_false(passes(&w, tcp(IN, ACK)));
    assert_true(passes(&w, tcp(OUT, SYN)));
    assert_false(passes(&w, tcp(IN, SYN))); /* never by state */
    assert_true(passes(&w, tcp(IN, SYN_ACK)));
    w.now += 7439 * SECONDS;
    assert_true(passes(&w, tcp(IN, ACK)));
    assert_true(passes(&w, tcp(IN, FIN_ACK))); /* from the other side: changes nothing */
    assert_true(passes(&w, tcp(IN, RST)));
    w.now += 11 * SECONDS;
    assert_true(passes(&w, tcp(IN, ACK)));
    assert_true(passes(&w, tcp(OUT, FIN_ACK)));
    w.now += 9 * SECONDS;
    assert_true(passes(&w, tcp(IN, ACK)));
    w.now += 10 * SECONDS;
    assert_false(passes(&w, tcp(IN, ACK)));
    world_done(&w);
}

static void test_icmp_echo(void **state)
{
    (void)state;
    struct world w;
    struct packet echo = fixture_packet(OUT, 1, "192.0.2.1", 8, "203.0.113.5", 0);
    struct packet reply = fixture_packet(IN, 1, "203.0.113.5", 0, "192.0.2.1", 0);
    struct packet other = fixture_packet(IN, 1, "203.0.113.5", 8, "192.0.2.1", 0);
    world_init(&w, PROTO_ANY);
    assert_false(passes(&w, reply));
    assert_true(passes(&w, echo));
    assert_false(passes(&w, other));
    assert_true(passes(&w, reply));
    w.now += 10 * SECONDS;
    assert_false(passes(&w, reply));
    struct packet echo6 = fixture_packet(OUT, 58, "2001:db8::1", 128, "2001:db8:9::5", 0);
    struct packet reply6 = fixture_packet(IN, 58, "2001:db8:9::5", 129, "2001:db8::1", 0);
    assert_true(passes(&w, echo6));
    assert_true(passes(&w, reply6));
    world_done(&w);
}

static void test_icmp_errors(void **state)
{
    (void)state;
    struct world w;
    struct packet error = fixture_packet(IN, 1, "198.18.0.1", 3, "192.0.2.1", 4);
    struct packet quoted = query();
    world_init(&w, PROTO_UDP);
    assert_true(show_quoting(&w, error, &quoted).block);
    assert_true(passes(&w, quoted));
    assert_false(show_quoting(&w, error, &quoted).block);
    assert_false(passes(&w, error)); /* nothing quoted */
    struct packet redirect = error;
    redirect.icmp_type = 5;
    assert_true(show_quoting(&w, redirect, &quoted).block);
    struct packet elsewhere = error;
    elsewhere.dst.lo = 0xc6336409; /* 198.51.100.9, also me */
    assert_true(show_quoting(&w, elsewhere, &quoted).block);
    quoted.dport = 54;
    assert_true(show_quoting(&w, error, &quoted).block);
    world_done(&w);
}

static void test_bans(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_UDP);
    assert_true(passes(&w, query()));
    struct filter *more = fixture_add(&w.x, ACTION_BLOCK, PROTO_UDP, "any", "53", "me", "4000");
    assert_true(passes(&w, answer())); /* ports are not compared */
    more->override = true;
    assert_int_equal(show_quoting(&w, answer(), NULL).reason, DROP_OVERRIDE);
    more->override = false;
    fixture_add(&w.x, ACTION_BLOCK, PROTO_ANY, "203.0.113.0/24", "", "me", "");
    assert_false(passes(&w, answer())); /* more specific in its addresses */
    world_done(&w);
}

static void test_epoch(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_UDP);
    assert_true(passes(&w, query()));
    eval_state_next_epoch(w.s);
    assert_true(passes(&w, answer())); /* still permitted with keep state */
    fixture_add(&w.x, ACTION_PERMIT, PROTO_TCP, "me", "", "any", "")->keep_state = true;
    w.x.f[1].keep_state = false;
    assert_true(passes(&w, answer())); /* not a change of the effective filters yet */
    eval_state_next_epoch(w.s);
    assert_int_equal(show_quoting(&w, answer(), NULL).reason, DROP_STATE_EXPIRED);
    assert_int_equal(eval_state_size(w.s), 0);
    assert_int_equal(show_quoting(&w, answer(), NULL).reason, DROP_FILTER);
    world_done(&w);
}

/* Nobody looks while no filter keeps state: what is remembered is not used, nor judged anew. */
static void test_epoch_without_state(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_UDP);
    assert_true(passes(&w, query()));
    w.x.f[1].keep_state = false;
    eval_state_next_epoch(w.s);
    assert_int_equal(show_quoting(&w, answer(), NULL).reason, DROP_FILTER);
    assert_int_equal(eval_state_size(w.s), 1);
    w.x.f[1].keep_state = true;
    eval_state_next_epoch(w.s);
    assert_true(passes(&w, answer()));
    world_done(&w);
}

static void test_forwarded(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_UDP);
    fixture_add(&w.x, ACTION_BLOCK, PROTO_ANY, "any", "", "any", "");
    fixture_add(&w.x, ACTION_PERMIT, PROTO_UDP, "10.0.0.0/8", "", "203.0.113.0/24", "53")
        ->keep_state = true;
    struct packet there = fixture_packet(IN, 17, "10.0.0.5", 7, "203.0.113.53", 53);
    struct packet back = fixture_packet(IN, 17, "203.0.113.53", 53, "10.0.0.5", 7);
    assert_false(passes(&w, back));
    assert_true(passes(&w, there));
    assert_true(passes(&w, back));
    world_done(&w);
}

static void test_structure_is_not_asked(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, PROTO_UDP);
    struct packet out = fixture_packet(OUT, 17, "192.0.2.1", 7, "127.0.0.1", 53);
    struct packet martian = fixture_packet(IN, 17, "127.0.0.1", 53, "192.0.2.1", 7);
    assert_true(passes(&w, out));
    assert_int_equal(show_quoting(&w, martian, NULL).reason, DROP_MARTIAN);
    world_done(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp_answer),
        cmocka_unit_test(test_udp_lifetimes),
        cmocka_unit_test(test_without_keep_state),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_icmp_echo),
        cmocka_unit_test(test_icmp_errors),
        cmocka_unit_test(test_bans),
        cmocka_unit_test(test_epoch),
        cmocka_unit_test(test_epoch_without_state),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_structure_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
