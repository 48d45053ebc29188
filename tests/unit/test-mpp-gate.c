/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SYN gate in the loaded ingress program: a row for each frame and level, by
 * BPF_PROG_TEST_RUN; the maps are written as src/mpp writes them. */
#include <net/if.h>
#include <time.h>

#include "datapath-help.h"
#include "mpp.h"

enum { SYN = 2, ACK = 16, ECE_CWR_SYN = 0xc2, NEXT = 0xffffffff, DROP = 2 };

struct gate {
    struct world *w;
    int prog;
    uint32_t ifindex;
    struct mpp_ruleset rules;
};

static uint64_t now(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void put(struct gate *g, unsigned map, const void *key, const void *value)
{
    assert_int_equal(bpf_map_update_elem(datapath_mpp_map(g->w->dp, map), key, value, BPF_ANY), 0);
}

static void set_level(struct gate *g, uint32_t level, int64_t ms)
{
    uint32_t zero = 0;
    struct mpp_control c = {
        .level = level, .until_ns = now() + (uint64_t)(ms * 1000000), .cookies = 1};
    put(g, MPP_MAP_CONTROL, &zero, &c);
}

static void set_rules(struct gate *g)
{
    uint32_t slot = 0;
    put(g, MPP_MAP_SETTINGS, &slot, &g->rules);
}

static struct gate *gate_open(void **state)
{
    static struct gate g;
    char path[256];

    g = (struct gate){.w = *state,
                      .ifindex = if_nametoindex("d0"),
                      .rules = {.generation = 1, .on = {1, 1}, .profiles = 1}};
    world_open(g.w);
    snprintf(path, sizeof(path), "%s/prog/pw_in", datapath_pin_dir(g.w->dp));
    g.prog = bpf_obj_get(path);
    assert_true(g.prog >= 0);
    set_rules(&g);
    return &g;
}

static uint32_t pass(struct gate *g, struct frame *f)
{
    memset(f->b, 0xff, 6); /* not for another host, whose packets go to a macvlan child */
    struct __sk_buff ctx = {.ifindex = g->ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->len,
                .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
    assert_int_equal(bpf_prog_test_run_opts(g->prog, &o), 0);
    return o.retval;
}

static struct frame tcp(const char *src, const char *dst, unsigned dport, uint8_t flags)
{
    struct frame f = frame_l4(PROTO_TCP, src, 40000, dst, dport);
    f.b[f.len - 7] = flags;
    return f;
}

#define EXPECT(g, f, verdict)                    \
    do {                                         \
        struct frame _f = f;                     \
        assert_int_equal(pass(g, &_f), verdict); \
    } while (0)
#define FROM  "192.0.2.1"
#define ME    "10.0.0.1"
#define FROM6 "2001:db8:9::1"
#define ME6   "2001:db8::1"

static void test_levels(void **state)
{
    struct gate *g = gate_open(state);

    for (uint32_t level = 0; level <= 4; level++) {
        set_level(g, level, 2000);
        uint32_t verdict = level == 4 ? DROP : NEXT;
        EXPECT(g, tcp(FROM, ME, 80, SYN), verdict);
        EXPECT(g, tcp(FROM6, ME6, 80, SYN), verdict);
        EXPECT(g, tcp(FROM, ME, 80, ECE_CWR_SYN), verdict);
        EXPECT(g, tcp(FROM, ME, 80, SYN | ACK), NEXT);
        EXPECT(g, tcp(FROM, ME, 80, ACK), NEXT);
        EXPECT(g, frame_l4(PROTO_UDP, FROM, 1, ME, 80), NEXT);
        EXPECT(g, tcp(FROM, "198.51.100.1", 80, SYN), NEXT); /* not ours */
    }
    set_level(g, 4, -1); /* its time is over */
    EXPECT(g, tcp(FROM, ME, 80, SYN), NEXT);
}

static void test_frames(void **state)
{
    struct gate *g = gate_open(state);
    struct frame f = frame_ip(1, FROM, ME, PROTO_TCP, 20);
    uint8_t l4[20] = {0, 9, 0, 80, [13] = SYN};

    set_level(g, 4, 2000);
    frame_add(&f, l4, sizeof(l4));
    EXPECT(g, f, DROP); /* tagged */
    f = frame_ip(0, FROM, ME, PROTO_TCP, 24);
    f.b[14] = 0x46; /* with an option */
    frame_add(&f, (uint8_t[4]){1, 1, 1, 1}, 4);
    frame_add(&f, l4, sizeof(l4));
    EXPECT(g, f, DROP);
    f = frame_ip(0, FROM6, ME6, 0, 28);
    frame_add(&f, (uint8_t[8]){PROTO_TCP, 0, 1, 4}, 8); /* hop-by-hop options */
    frame_add(&f, l4, sizeof(l4));
    EXPECT(g, f, DROP);
    f = tcp(FROM, ME, 80, SYN);
    put16(f.b + 20, 0x2000); /* first fragment */
    EXPECT(g, f, DROP);
    put16(f.b + 20, 0x2004); /* a later one */
    EXPECT(g, f, NEXT);
}

static void test_rules(void **state)
{
    struct gate *g = gate_open(state);
    struct mpp_ifrule i = {.spare = 1};

    set_level(g, 4, 20000);
    g->rules.exempt[0][80 / 64] = 1ULL << (80 % 64);
    set_rules(g);
    EXPECT(g, tcp(FROM, ME, 80, SYN), NEXT);
    EXPECT(g, tcp(FROM6, ME6, 80, SYN), DROP); /* the other family has its own list */
    EXPECT(g, tcp(FROM, ME, 81, SYN), DROP);
    g->rules.keep[0] = 81;
    g->rules.on[1] = 0;
    set_rules(g);
    EXPECT(g, tcp(FROM, ME, 81, SYN), NEXT);
    EXPECT(g, tcp(FROM6, ME6, 80, SYN), NEXT);
    EXPECT(g, tcp(FROM, ME, 82, SYN), DROP);
    put(g, MPP_MAP_IFACES, &g->ifindex, &i);
    EXPECT(g, tcp(FROM, ME, 82, SYN), NEXT);
    g->rules.profiles = 0;
    set_rules(g);
    EXPECT(g, tcp(FROM, ME, 82, SYN), DROP);
    i = (struct mpp_ifrule){.off = 1};
    put(g, MPP_MAP_IFACES, &g->ifindex, &i);
    EXPECT(g, tcp(FROM, ME, 82, SYN), NEXT);
}

static void test_bans(void **state)
{
    struct gate *g = gate_open(state);
    uint64_t source = 0xc0000201, net6 = 0x20010db800090000 >> 8, until = now() + 10000000000;

    put(g, MPP_MAP_BANS, &source, &until);
    put(g, MPP_MAP_NET_BANS, &net6, &until);
    set_level(g, 1, 20000);
    EXPECT(g, tcp(FROM, ME, 80, SYN), NEXT);
    set_level(g, 2, 20000);
    EXPECT(g, tcp(FROM, ME, 80, SYN), DROP);
    EXPECT(g, tcp("192.0.2.2", ME, 80, SYN), NEXT);
    EXPECT(g, tcp(FROM6, ME6, 80, SYN), DROP);
    EXPECT(g, tcp("2001:db8:9:ff::1", ME6, 80, SYN), DROP); /* of the same /56 */
    EXPECT(g, tcp("2001:db8:9:100::1", ME6, 80, SYN), NEXT);
    until = now() - 1; /* on probation: one passes, and holds off the next one for 100 ms */
    put(g, MPP_MAP_BANS, &source, &until);
    EXPECT(g, tcp(FROM, ME, 80, SYN), NEXT);
    EXPECT(g, tcp(FROM, ME, 80, SYN), DROP);
    EXPECT(g, tcp("192.0.2.2", ME, 80, SYN), NEXT);
    usleep(110000);
    EXPECT(g, tcp(FROM, ME, 80, SYN), NEXT);
    EXPECT(g, tcp(FROM, ME, 80, SYN), DROP);
    put(g, MPP_MAP_NET_BANS, &net6, &until);
    EXPECT(g, tcp(FROM6, ME6, 80, SYN), NEXT);
    EXPECT(g, tcp("2001:db8:9:ff::1", ME6, 80, SYN), DROP);
}

/* How many of n SYNs pass. */
static unsigned passing(struct gate *g, unsigned n)
{
    unsigned passed = 0;
    for (unsigned i = 0; i < n; i++) {
        struct frame f = tcp(FROM, ME, 80, SYN);
        passed += pass(g, &f) == NEXT;
    }
    return passed;
}

static void test_rates(void **state)
{
    struct gate *g = gate_open(state);
    uint64_t prefix = 0xc00002;
    struct mpp_rate proven = {.last_ns = now()};
    struct mpp_control c = {.limits = 1};
    struct mpp_ifrule i = {.rate = 5};
    uint32_t zero = 0;

    set_level(g, 3, 60000);
    unsigned n = passing(g, 200);
    assert_in_range(n, 20, 60); /* 20 at once, 10 a second */
    put(g, MPP_MAP_CONN_RATE, &prefix, &proven);
    assert_int_equal(passing(g, 200), 200); /* a SYN costs a proven prefix nothing */
    assert_int_equal(bpf_map_delete_elem(datapath_mpp_map(g->w->dp, MPP_MAP_CONN_RATE), &prefix),
                     0);
    put(g, MPP_MAP_IFACES, &g->ifindex, &i); /* the rate of an interface, gate open */
    put(g, MPP_MAP_CONTROL, &zero, &c);
    n = passing(g, 200);
    assert_in_range(n, 10, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_frames, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_rules, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_bans, world_enter, world_leave),
        cmocka_unit_test_setup_teardown(test_rates, world_enter, world_leave),
    };
    if (!world_prepare()) {
        printf("1..0 # SKIP needs root and a bpffs\n");
        return 0;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_forget();
    return failed;
}
