/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order in which filters were written never shows: neither in a verdict nor in one byte of
 * the image. The policy of KB908472 (block the RPC ports, permit one subnet) in all orders of
 * its core and in many shuffles of its full length, and random policies. */
#include "compile-help.h"

enum { FULL_BLOCKS = 22, SHUFFLES = 1000 };

/* Ports of the full policy: the mapper and the range that RPC was confined to. */
static unsigned rpc_port(unsigned i)
{
    return i == 0 ? 135 : 5000 + i;
}

static void add_rpc(struct set *s, unsigned i, bool permit)
{
    char port[8];
    snprintf(port, sizeof(port), "%u", rpc_port(i));
    if (permit)
        ADD(s, ACTION_PERMIT, PROTO_TCP, .src = "10.1.1.0/24", .dst = "me", .dport = port);
    else
        ADD(s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = port);
}

static const char *const sources[] = {"10.1.1.5", "10.1.2.9", "198.51.100.7", "2001:db8:1::5"};
static const unsigned ports[] = {134, 135, 136, 5000, 5001, 5002, 5011, 5021, 5022};

/* One character per packet; n_rpc ports are blocked and the first n_open opened. */
static void check_verdicts(const struct image *img, unsigned n_rpc, unsigned n_open)
{
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        bool v6 = strchr(sources[i], ':') != NULL, local = i == 0;
        for (size_t j = 0; j < ARRAY_SIZE(ports); j++) {
            unsigned want = 0;
            for (unsigned k = 0; k < n_rpc; k++) {
                if (rpc_port(k) == ports[j])
                    want = local && k < n_open ? ACTION_PERMIT : ACTION_BLOCK;
            }
            struct packet p =
                packet_of(PROTO_TCP, sources[i], 40000, v6 ? "2001:db8::1" : "192.0.2.1", ports[j]);
            struct image_hit h = image_lookup(img, &p, false, true, 0);
            if ((h.w & 3) != want)
                fail_msg("%s to port %u: action %u, not %u", sources[i], ports[j],
                         (unsigned)(h.w & 3), want);
        }
    }
}

/* The same with groups merged wherever that can be. */
static struct image compile_merged(const struct set *s)
{
    struct effective e = set_effective(s);
    struct compile_options o = {.generation = 7, .seed = 0x5eed, .merge = MERGE_FORCED};
    struct diag d = {0};
    struct image img;
    if (compile_image(&e, &o, &d, &img, NULL) < 0)
        fail_msg("compile: %s", d.message);
    return img;
}

static void check_same(const struct image *a, const struct image *b, uint64_t seed)
{
    if (a->n_lines != b->n_lines ||
        memcmp(a->lines, b->lines, (size_t)a->n_lines * IMG_LINE_BYTES) != 0)
        fail_msg("image differs after a shuffle; PORTWARD_SEED=%llu", (unsigned long long)seed);
}

static void swap(struct set *s, size_t i, size_t j)
{
    struct effective_filter t = s->v[i];
    s->v[i] = s->v[j];
    s->v[j] = t;
}

/* All permutations of five by Heap's method. */
static void test_core_in_all_orders(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    for (unsigned i = 0; i < 3; i++)
        add_rpc(&s, i, false);
    for (unsigned i = 0; i < 2; i++)
        add_rpc(&s, i, true);
    struct image first = set_compile(&s, NULL);
    check_verdicts(&first, 3, 2);
    size_t count[5] = {0}, i = 0;
    unsigned orders = 1;
    while (i < 5) {
        if (count[i] >= i) {
            count[i++] = 0;
            continue;
        }
        swap(&s, i % 2 == 0 ? 0 : count[i], i);
        struct image img = set_compile(&s, NULL);
        check_same(&first, &img, 0);
        check_verdicts(&img, 3, 2);
        image_done(&img);
        orders++;
        count[i]++;
        i = 0;
    }
    assert_int_equal(orders, 120);
    image_done(&first);
    set_done(&s);
}

static void test_full_policy_shuffled(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct rng r = {seed};
    struct set s;
    set_init(&s);
    for (unsigned i = 0; i < FULL_BLOCKS; i++) {
        add_rpc(&s, i, false);
        add_rpc(&s, i, true);
    }
    struct compile_stats stats;
    struct image first = set_compile(&s, &stats);
    assert_int_equal(s.n, 44);
    assert_int_equal(stats.n_entries[0], 44);
    assert_int_equal(stats.n_entries[1], 22);
    check_verdicts(&first, FULL_BLOCKS, FULL_BLOCKS);
    for (unsigned i = 0; i < SHUFFLES; i++) {
        set_shuffle(&s, &r);
        struct image img = set_compile(&s, NULL);
        check_same(&first, &img, seed);
        check_verdicts(&img, FULL_BLOCKS, FULL_BLOCKS);
        image_done(&img);
    }
    image_done(&first);
    set_done(&s);
}

/* Policies with many equal keys, equal weights, deadlines and tiers, and fewer than 64 shapes. */
static void add_random(struct set *s, struct rng *r)
{
    static const char *const addrs[] = {"any", "me", "10.1.1.0/24", "10.1.1.5", "2001:db8::1"};
    static const char *const port[] = {"", "80", "80-90", "0-1023", "80,443,8000-8080", "85-1000"};
    static const enum action actions[] = {ACTION_BLOCK, ACTION_PERMIT};
    const char *src = addrs[rng_below(r, ARRAY_SIZE(addrs))];
    const char *dst = addrs[rng_below(r, 2)];
    bool has_ports = rng_below(r, 4) > 0;
    struct spec w = {.action = actions[rng_below(r, 2)], .src = src, .dst = dst};
    w.layer = (enum layer)rng_below(r, _LAYER_MAX);
    w.mirrored = rng_below(r, 4) == 0 && strcmp(src, "10.1.1.5") == 0;
    w.override = w.action == ACTION_BLOCK && rng_below(r, 8) == 0;
    w.deadline_ns = rng_below(r, 4) == 0 ? 1 + rng_below(r, 3) : 0;
    if (has_ports) {
        w.proto = rng_below(r, 2) ? PROTO_TCP : PROTO_UDP;
        w.dport = port[rng_below(r, ARRAY_SIZE(port))];
        w.sport = strcmp(src, "any") == 0 ? port[rng_below(r, ARRAY_SIZE(port))] : "";
    }
    set_add(s, w);
}

static void test_random_policies_shuffled(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct rng r = {seed};
    for (unsigned round = 0; round < 30; round++) {
        struct set s;
        set_init(&s);
        s.settings.exempt = (uint8_t)rng_below(&r, 4);
        for (unsigned n = 1 + rng_below(&r, 300); n > 0; n--)
            add_random(&s, &r);
        struct image first = set_compile(&s, NULL), merged = compile_merged(&s);
        for (unsigned i = 0; i < 5; i++) {
            set_shuffle(&s, &r);
            struct image img = set_compile(&s, NULL);
            check_same(&first, &img, seed);
            image_done(&img);
            img = compile_merged(&s);
            check_same(&merged, &img, seed);
            image_done(&img);
        }
        image_done(&first);
        image_done(&merged);
        set_done(&s);
    }
}

/* Filters without identity of their own (a policy that is only checked) are no exception. */
static void test_filters_without_guid(void **state)
{
    (void)state;
    struct rng r = {test_seed()};
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80", .deadline_ns = 5);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80", .deadline_ns = 6);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80-81");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80-81");
    for (size_t i = 0; i < s.n; i++) {
        struct filter *f = malloc(sizeof(*f));
        assert_non_null(f);
        assert_int_equal(filter_copy(s.v[i].filter, f), 0);
        f->guid = guid_of(0);
        f->handle = 0;
        union {
            const struct filter *in;
            struct filter *out;
        } old = {s.v[i].filter};
        filter_free(old.out);
        s.v[i].filter = f;
        s.v[i].counter_id = COUNTER_NONE;
    }
    struct image first = set_compile(&s, NULL);
    for (unsigned i = 0; i < 24; i++) {
        set_shuffle(&s, &r);
        struct image img = set_compile(&s, NULL);
        check_same(&first, &img, 0);
        image_done(&img);
    }
    image_done(&first);
    set_done(&s);
}

static void test_seed_and_generation_show(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    add_rpc(&s, 0, false);
    struct effective e = set_effective(&s);
    struct compile_options a = {.generation = 1, .seed = 1}, b = {.generation = 1, .seed = 2};
    struct image x, y;
    assert_int_equal(compile_image(&e, &a, NULL, &x, NULL), 0);
    assert_int_equal(compile_image(&e, &b, NULL, &y, NULL), 0);
    assert_memory_not_equal(x.lines, y.lines, (size_t)x.n_lines * IMG_LINE_BYTES);
    image_done(&x);
    image_done(&y);
    set_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_in_all_orders),
        cmocka_unit_test(test_full_policy_shuffled),
        cmocka_unit_test(test_random_policies_shuffled),
        cmocka_unit_test(test_filters_without_guid),
        cmocka_unit_test(test_seed_and_generation_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
