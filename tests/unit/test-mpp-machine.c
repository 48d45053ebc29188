/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decisions of memory pressure protection over traces: a small model of a host under attack,
 * with time injected, drives src/mpp/machine.c. Also its parts: score, bucket, cutoff, floor,
 * verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../src/mpp/machine.h"
#include "mpp_score.h"

enum { PAGE = 4096, HI = 6144, LO = 4300, MS = 1000000 };

static struct mpp_signals small(uint64_t now_ms, uint64_t mem)
{
    return (struct mpp_signals){.now_ns = now_ms * MS,
                                .mem = mem,
                                .limits = {6144, 8192, 12288},
                                .page_bytes = PAGE,
                                .available = UINT64_MAX};
}

static void test_marks(void **state _unused_)
{
    struct mpp_signals s = small(0, 0);

    assert_int_equal(mpp_hi(&s), HI);
    assert_int_equal(mpp_lo(&s), LO);
    assert_int_equal(mpp_arm(&s), HI / 2);
    assert_int_equal(mpp_again(&s), (LO + HI) / 2);
}

static void test_score(void **state _unused_)
{
    assert_int_equal(mpp_score_of(100, 0), 100);
    assert_int_equal(mpp_score_of(100, 7), 700);
    assert_int_equal(mpp_score_of(100, 1000), 2000);
    assert_int_equal(mpp_score_of(60000, 1), 3000);
    assert_int_equal(mpp_bucket_of(0, 1), 0);
    assert_int_equal(mpp_bucket_of(64, 1), 1);
    assert_int_equal(mpp_bucket_of(1023, 1), 15);
    assert_int_equal(mpp_bucket_of(1024, 1), 16);
    /* A client that pauses on ten connections, and a young one of an attack. */
    assert_true(mpp_bucket_of(mpp_score_of(2500, 10), 10) < MPP_FIRST_OF_MANY);
    assert_true(mpp_bucket_of(mpp_score_of(250, 300), 300) >= MPP_FIRST_OF_MANY);
    for (uint32_t same = 19; same <= 20; same++) {
        uint32_t before = mpp_bucket_of(0, same);
        for (uint32_t score = 0; score <= 60000; score++) {
            uint32_t b = mpp_bucket_of(score, same);
            assert_true(b >= before && b <= before + 1 && b < MPP_BUCKETS);
            before = b;
        }
        assert_int_equal(before, same < 20 ? MPP_FIRST_OF_MANY - 1 : MPP_BUCKETS - 1);
    }
}

static void test_reason(void **state _unused_)
{
    struct mpp_look l = {.snd_wnd = 0, .mss = 1460, .in_flight = 0};

    assert_int_equal(mpp_reason_of(&l), MPP_R_ZERO_WINDOW);
    assert_false(mpp_is_ours(&l));
    l.snd_wnd = 100;
    assert_int_equal(mpp_reason_of(&l), MPP_R_SMALL_WINDOW);
    l.snd_wnd = 65535;
    l.in_flight = 3;
    assert_int_equal(mpp_reason_of(&l), MPP_R_NO_PROGRESS);
    l.retransmits = 2;
    assert_int_equal(mpp_reason_of(&l), MPP_R_NO_ACK);
    l.in_flight = 0; /* an open window and nothing owed: it is us who do not send */
    assert_true(mpp_is_ours(&l));
    l.orphan = 1;
    assert_false(mpp_is_ours(&l));
    assert_int_equal(mpp_reason_of(&l), MPP_R_ORPHAN);
}

static void test_trust(void **state _unused_)
{
    struct mpp_look l = {.mss = 1460, .queued = 1000000, .acked = 1999999};

    assert_int_equal(mpp_short_ms(&l), 100);
    l.acked++; /* it took its queue twice over: a pause of two seconds is believed */
    assert_int_equal(mpp_short_ms(&l), 2000);
    l.orphan = 1; /* nobody sends any more, nobody waits */
    assert_int_equal(mpp_short_ms(&l), 100);
    l.orphan = 0;
    l.acked = MPP_TRUST_BYTES;
    assert_int_equal(mpp_short_ms(&l), 100);
    l.snd_wnd = 6144;
    assert_int_equal(mpp_short_ms(&l), 500); /* packets may be lost */
    l.acked = 0;
    assert_int_equal(mpp_short_ms(&l), 100); /* never took a thing */
}

static void test_floor(void **state _unused_)
{
    struct mpp_signals s = small(0, 0);

    assert_int_equal(mpp_floor(&s, 0), 5000);
    assert_int_equal(mpp_floor(&s, 51 << 20), 250); /* 24 MiB at 51 MiB/s, half of it: 235 ms */
    assert_int_equal(mpp_floor(&s, 12 << 20), 1000);
    s.mem = 12288; /* full: no time is left, however slowly it fills */
    assert_int_equal(mpp_floor(&s, 0), 250);
    s.limits[1] = 383868; /* the limits of a host with 16 GB */
    s.limits[2] = 575802;
    assert_int_equal(mpp_floor(&s, 51 << 20), 5000);
    struct mpp_look l = {.mss = 1460, .queued = 100000, .rtt_us = 40000};
    assert_int_equal(mpp_floor_ms(&l, 250), 250);
    l.rtt_us = 100000;
    assert_int_equal(mpp_floor_ms(&l, 250), 400); /* four round trips */
    l.rtt_us = 1000000;
    assert_int_equal(mpp_floor_ms(&l, 250), 1000);
    l.acked = 200000;
    assert_int_equal(mpp_floor_ms(&l, 250), 2000); /* it has taken a lot */
    assert_int_equal(mpp_floor_ms(&l, 5000), 5000);
}

static void test_floors(void **state _unused_)
{
    struct mpp_look l = {.snd_wnd = 0, .mss = 1460};

    assert_int_equal(mpp_floor_of_many(250), 100);
    assert_int_equal(mpp_floor_of_many(5000), 2000);
    assert_int_equal(mpp_floor_for(&l, 19, 250, 100), 250);
    assert_int_equal(mpp_floor_for(&l, 20, 250, 100), 100);
    l.snd_wnd = 65535; /* open: perhaps it is the way that loses packets */
    assert_int_equal(mpp_floor_for(&l, 20, 250, 100), 250);
    l.orphan = 1;
    assert_int_equal(mpp_floor_for(&l, 20, 5000, 2000), MPP_ORPHAN_MS);
    assert_int_equal(mpp_floor_for(&l, 19, 5000, 2000), 5000);
    assert_int_equal(mpp_floor_after(5000, 0), 5000);
    assert_int_equal(mpp_floor_after(5000, 250 * (uint64_t)MS), 1250);
    assert_int_equal(mpp_floor_after(5000, 3600000 * (uint64_t)MS), 250);
}

static void test_cutoff(void **state _unused_)
{
    struct mpp_sums u = {.queued = 0};

    u.hist[40] = 1000;
    u.hist[10] = 5000;
    assert_int_equal(mpp_cutoff(&u, 0), MPP_BUCKETS);
    assert_int_equal(mpp_cutoff(&u, 1), 40);
    assert_int_equal(mpp_cutoff(&u, 1000), 40);
    assert_int_equal(mpp_cutoff(&u, 1001), 10);
    assert_int_equal(mpp_cutoff(&u, 6001), 0);
}

/* --- a host --- */

/* Connections of one kind: `rate` new ones a second until `until_ms`, each holding `bytes`. They
 * stall, or drain. A pass ends those that stall for longer than the floor. */
struct host {
    struct mpp_machine m;
    uint64_t now_ms, rate, until_ms, bytes, base; /* base: pages of healthy connections */
    uint64_t elsewhere;                           /* pages of another namespace */
    bool stalls, spared;
    uint32_t same; /* connections of one source */
    uint64_t born[8192];
    size_t n;
    uint64_t killed, passes, enter_ms, above_ms, peak; /* above_ms: last time above hi */
    size_t bans;
    uint64_t progress_ms; /* they take a little from time to time: longest stall, 0 = for ever */
    uint32_t events, whats;
};

static uint64_t pages_of(const struct host *h)
{
    return h->base + h->elsewhere + h->n * h->bytes / PAGE;
}

static void come(struct host *h, uint64_t ms)
{
    for (; h->now_ms < ms; h->now_ms++)
        if (h->now_ms < h->until_ms && h->rate && h->n < 8192 &&
            h->now_ms * h->rate / 1000 != (h->now_ms + 1) * h->rate / 1000)
            h->born[h->n++] = h->now_ms;
}

static uint64_t stall_of(const struct host *h, size_t i)
{
    uint64_t age = h->stalls ? h->now_ms - h->born[i] : 0;

    return h->progress_ms ? age % h->progress_ms : age;
}

static void look(struct host *h, const struct mpp_scan *scan, struct mpp_sums *u)
{
    size_t left = 0;

    memset(u, 0, sizeof(*u));
    h->whats |= scan->what;
    for (size_t i = 0; i < h->n; i++) {
        uint64_t stall = stall_of(h, i);
        uint64_t floor = h->same >= MPP_SAME_MAX ? scan->many_ms : scan->floor_ms;
        bool over = !h->spared && stall >= floor &&
                    mpp_bucket_of(mpp_score_of((uint32_t)stall, h->same), h->same) >= scan->cutoff;
        if (scan->what & MPP_DO_RESTRICTED)
            over = over && stall >= scan->old_ms;
        if (over && scan->what & MPP_DO_PRUNE && u->killed_bytes < scan->budget_bytes &&
            u->killed < scan->budget_kills) {
            u->killed++;
            u->killed_bytes += h->bytes;
            u->hist_conns[mpp_bucket_of(mpp_score_of((uint32_t)stall, h->same), h->same)]++;
            continue;
        }
        if (!h->spared && stall >= floor)
            u->hist[mpp_bucket_of(mpp_score_of((uint32_t)stall, h->same), h->same)] += h->bytes;
        h->born[left++] = h->born[i];
    }
    h->n = left;
    h->killed += u->killed;
    h->passes += u->killed > 0;
    u->queued = (h->n * h->bytes) + h->base * PAGE;
    u->established = h->n + 100;
    u->conns[h->spared] = h->n;
    for (size_t i = 0; i < h->n; i++)
        if (stall_of(h, i) >= MPP_SHORT_MS)
            u->stalled[h->spared] += h->bytes, u->crowd[h->same >= MPP_SAME_MAX]++;
}

static void run(struct host *h, uint64_t until_ms)
{
    while (h->now_ms < until_ms) {
        struct mpp_signals s = small(h->now_ms + 1, pages_of(h));
        struct mpp_orders o;
        struct mpp_sums u;

        s.bans = h->bans;
        mpp_machine_tick(&h->m, &s, &o);
        while (o.look) {
            look(h, &o.scan, &u);
            (void)mpp_machine_looked(&h->m, &u, 300000, &o); /* o.look says it, too */
        }
        if (h->m.events & 1U << MPP_EV_ENTER && !h->enter_ms)
            h->enter_ms = h->now_ms;
        h->events |= h->m.events;
        h->m.events = 0;
        if (pages_of(h) > h->peak)
            h->peak = pages_of(h);
        if (pages_of(h) > HI)
            h->above_ms = h->now_ms;
        come(h, h->now_ms + o.delay_us / 1000);
    }
}

static bool said(const struct host *h, enum mpp_event_kind e)
{
    return h->events >> e & 1;
}

static struct host *host(uint64_t rate, bool stalls)
{
    static struct host h;

    memset(&h, 0, sizeof(h));
    mpp_machine_init(&h.m);
    h = (struct host){
        .m = h.m, .rate = rate, .until_ms = 6000, .bytes = 131072, .stalls = stalls, .same = 20};
    return &h;
}

static void test_attack(void **state _unused_)
{
    struct host *h = host(400, true);

    run(h, 6000);
    assert_true(said(h, MPP_EV_ENTER));
    assert_true(h->killed > 1000);
    assert_true(h->peak <= HI * 8 / 5); /* 1.6 hi at 400 connections a second */
    run(h, 20000);
    assert_true(said(h, MPP_EV_LEAVE));
    assert_int_equal(h->m.level, 0);
    assert_true(pages_of(h) < LO); /* what is left stays below the mark */
}

static void test_burst(void **state _unused_)
{
    struct host *h = host(1500, true);

    run(h, 6000);
    assert_true(h->killed > 1000);
    assert_true(h->peak <= HI * 7 / 2);
    assert_true(h->m.highest >= MPP_GATE_BANS);
}

/* While the attack goes on, memory is below hi soon and stays there: whatever comes within a floor,
 * and peers that take a little before the floor is over. */
static void test_stays(void **state _unused_)
{
    for (uint32_t same = 1; same <= 20; same += 19) {
        for (uint64_t progress = 0; progress <= 3000; progress += 3000) {
            struct host *h = host(progress ? 40 : 400, true);
            h->same = same;
            h->progress_ms = progress;
            h->until_ms = 30000;
            run(h, 30000);
            assert_true(h->enter_ms > 0 && h->killed > 100);
            assert_true(h->above_ms <= h->enter_ms + 500);
        }
    }
}

/* Bans are worth nothing with an open gate. */
static void test_bans(void **state _unused_)
{
    struct host *h = host(400, true);

    h->until_ms = 2000;
    h->bans = 1;
    run(h, 20000);
    assert_int_equal(h->m.level, MPP_GATE_BANS);
    assert_int_equal(h->m.state, MPP_ARMED); /* what is left holds more than half of hi */
    h->bans = 0;
    run(h, 20500);
    assert_int_equal(h->m.level, MPP_GATE_COOKIES);
    run(h, 25000);
    assert_int_equal(h->m.level, MPP_GATE_OPEN);
}

/* SYNs of nobody: cookies go out and none comes back. The handshakes of many are no flood. */
static void test_syn_flood(void **state _unused_)
{
    for (int flood = 0; flood < 2; flood++) {
        struct host *h = host(0, false);
        struct mpp_signals s = small(1, 10);
        struct mpp_orders o;

        for (uint64_t ms = 1; ms < 3000; ms += 100) {
            s.now_ns = ms * MS;
            s.cookies_sent += 100;
            s.cookies_back += flood ? 5 : 95;
            mpp_machine_tick(&h->m, &s, &o);
        }
        assert_int_equal(h->m.level, flood ? MPP_GATE_COOKIES : MPP_GATE_OPEN);
        s.queue_full++; /* a host without cookies drops them */
        s.now_ns += 100 * MS;
        mpp_machine_tick(&h->m, &s, &o);
        assert_int_equal(h->m.level, MPP_GATE_COOKIES);
        for (uint64_t i = 0; i < 60; i++) {
            s.now_ns += 100 * MS;
            mpp_machine_tick(&h->m, &s, &o);
        }
        assert_int_equal(h->m.level, MPP_GATE_OPEN);
    }
}

/* One connection of each source. */
static void test_botnet(void **state _unused_)
{
    struct host *h = host(400, true);

    h->same = 1;
    run(h, 6000);
    assert_true(h->killed > 1000);
    assert_true(h->peak <= HI * 8 / 5);
}

/* Many healthy flows fill the memory: nobody is ended, and it is said. */
static void test_no_attack(void **state _unused_)
{
    struct host *h = host(400, false);

    h->until_ms = 1000;
    run(h, 15000);
    assert_true(pages_of(h) > HI);
    assert_int_equal(h->killed, 0);
    assert_int_equal(h->whats & (MPP_DO_PRUNE | MPP_DO_IDLE | MPP_DO_SLOW), 0);
    assert_true(said(h, MPP_EV_NO_ATTACK));
    assert_false(said(h, MPP_EV_ENTER));
    assert_int_equal(h->m.level, 0);
}

/* What settings spare is never ended, and disarms nothing: passes are restricted. */
static void test_spared(void **state _unused_)
{
    struct host *h = host(400, true);

    h->spared = true;
    h->until_ms = 1000;
    run(h, 8000);
    assert_int_equal(h->killed, 0);
    assert_true(said(h, MPP_EV_PROTECTED));
    assert_true(h->whats & MPP_DO_RESTRICTED);
    assert_true(h->m.highest <= MPP_GATE_BANS);
}

/* 60 % of the memory is another namespace's: the attack here is still ended down to a quarter. */
static void test_elsewhere(void **state _unused_)
{
    struct host *h = host(400, true);

    h->elsewhere = 7000;
    h->until_ms = 500;
    run(h, 15000);
    assert_true(said(h, MPP_EV_ELSEWHERE));
    assert_true(h->killed > 0);
    assert_true(h->n * h->bytes / PAGE <= HI / 4);
}

static void test_idle(void **state _unused_)
{
    struct host *h = host(0, false);
    struct mpp_orders o;
    struct mpp_sums u = {.established = 4000, .unused = {3900, 0}, .conns = {4000, 0}};
    struct mpp_signals s = small(1, 10);

    mpp_machine_tick(&h->m, &s, &o);
    assert_false(o.look);
    s = small(251, 10);
    s.fd_percent = 85;
    s.inuse = 4000;
    mpp_machine_tick(&h->m, &s, &o);
    assert_true(o.look);
    assert_int_equal(h->m.state, MPP_ARMED);
    assert_true(mpp_machine_looked(&h->m, &u, 1, &o));
    assert_true(o.scan.what & MPP_DO_IDLE);
    assert_false(o.scan.what & MPP_DO_PRUNE);
    assert_int_equal(o.scan.idle_ms, 500);
    u.unused[0] = 100; /* many that are used: no flood */
    u.established = 100000;
    h = host(0, false);
    mpp_machine_tick(&h->m, &s, &o);
    assert_false(mpp_machine_looked(&h->m, &u, 1, &o));
}

/* At rest nothing is looked at. */
static void test_rest(void **state _unused_)
{
    struct host *h = host(0, false);

    h->base = 600;
    run(h, 60000);
    assert_int_equal(h->m.state, MPP_NORMAL);
    assert_int_equal(h->m.epoch, 1);
}

/* A look that takes long makes the next one wait ten times as long. */
static void test_period(void **state _unused_)
{
    struct host *h = host(0, false);
    struct mpp_signals s = small(1, HI - 100);
    struct mpp_sums u = {.queued = 0};
    struct mpp_orders o;

    mpp_machine_tick(&h->m, &s, &o);
    assert_true(o.look);
    assert_int_equal(o.delay_us, 100000);
    (void)mpp_machine_looked(&h->m, &u, 50 * MS, &o); /* o says the rest */
    s.now_ns += 100 * MS;
    mpp_machine_tick(&h->m, &s, &o);
    assert_int_equal(o.delay_us, 500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),     cmocka_unit_test(test_score),
        cmocka_unit_test(test_reason),    cmocka_unit_test(test_floor),
        cmocka_unit_test(test_cutoff),    cmocka_unit_test(test_attack),
        cmocka_unit_test(test_burst),     cmocka_unit_test(test_botnet),
        cmocka_unit_test(test_no_attack), cmocka_unit_test(test_spared),
        cmocka_unit_test(test_elsewhere), cmocka_unit_test(test_idle),
        cmocka_unit_test(test_rest),      cmocka_unit_test(test_period),
        cmocka_unit_test(test_trust),     cmocka_unit_test(test_floors),
        cmocka_unit_test(test_stays),     cmocka_unit_test(test_bans),
        cmocka_unit_test(test_syn_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
