/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every limit of the compiler (policy.md 9) is met from outside: the last policy that fits is
 * compiled, the next one is refused with its exact message. Forced short chains reach reseeding,
 * doubling and refusal (datapath.md 3.6). */
#include "compile-help.h"

static void refused_by(const struct set *s, enum merge_mode merge, const char *message)
{
    struct effective e = set_effective(s);
    struct compile_options o = {.generation = 1, .seed = 1, .merge = merge};
    struct diag d = {0};
    struct image img;
    assert_int_equal(compile_image(&e, &o, &d, &img, NULL), -E2BIG);
    assert_int_equal(d.code, DIAG_LIMIT);
    assert_string_equal(d.message, message);
    assert_true(d.hint[0] != '\0');
    assert_int_equal(compile_image(&e, &o, NULL, &img, NULL), -E2BIG);
}

static void refused(const struct set *s, const char *message)
{
    refused_by(s, MERGE_PRODUCT, message);
}

static void accepted(const struct set *s, struct compile_stats *stats)
{
    struct image img = set_compile(s, stats);
    image_done(&img);
}

/* --- groups --- */

/* Shape number i of 96: a prefix length with or without protocol and port. */
static void add_shape(struct set *s, unsigned i, uint32_t id)
{
    char src[24];
    snprintf(src, sizeof(src), "10.1.1.1/%u", 1 + i % 32);
    ADD(s, ACTION_BLOCK, i < 32 ? 0 : PROTO_TCP, .src = src, .dst = "me",
        .dport = i < 64 ? "" : "80", .id = id, .layer = LAYER_LOCAL);
}

static void test_groups(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    struct compile_stats stats;
    for (unsigned i = 0; i < LIMIT_GROUPS; i++) {
        add_shape(&s, i, 2 * i + 1);
        add_shape(&s, i, 2 * i + 2);
    }
    accepted(&s, &stats);
    assert_int_equal(stats.n_groups[0], LIMIT_GROUPS);
    add_shape(&s, 64, 300);
    refused_by(&s, MERGE_NEVER,
               "too many mask shapes: 65, limit 64; used by one filter only: s300");
    add_shape(&s, 64, 301);
    refused_by(&s, MERGE_NEVER,
               "too many mask shapes: 65, limit 64; used by 2 filters only: s1, s3, s5, s7");
    for (unsigned i = 65; i < 69; i++) {
        add_shape(&s, i, 2 * i + 400);
        add_shape(&s, i, 2 * i + 401);
    }
    add_shape(&s, 70, 813);
    add_shape(&s, 69, 812);
    refused_by(&s, MERGE_NEVER,
               "too many mask shapes: 71, limit 64; used by one filter only: s812, s813");
    set_done(&s);
}

/* Groups are only merged when there are too many, and then only as many as must be. */
static void test_merged_groups(void **state)
{
    (void)state;
    struct set s;
    struct compile_stats stats;
    set_init(&s);
    for (unsigned i = 0; i < 96; i++)
        add_shape(&s, i, i + 1);
    accepted(&s, &stats);
    assert_int_equal(stats.n_shapes[0], 96);
    assert_int_equal(stats.n_groups[0], LIMIT_GROUPS);
    set_done(&s);
    set_init(&s);
    for (unsigned i = 0; i < 40; i++)
        add_shape(&s, i, i + 1);
    accepted(&s, &stats);
    assert_int_equal(stats.n_groups[0], 40);
    set_done(&s);
}

static uint32_t forced_groups(const struct set *s)
{
    struct effective e = set_effective(s);
    struct compile_options o = {.generation = 1, .seed = 1, .merge = MERGE_FORCED};
    struct compile_stats stats;
    struct diag d = {0};
    struct image img;
    assert_int_equal(compile_image(&e, &o, &d, &img, &stats), 0);
    image_done(&img);
    return stats.n_groups[0] + stats.n_groups[1];
}

/* Eight entries may share a chain, and only what differs in lengths alone is merged. */
static void test_merging_ends(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    for (unsigned i = 31; i > 23; i--) /* lengths 32 to 25 */
        add_shape(&s, i, i + 1);
    assert_int_equal(forced_groups(&s), 1);
    add_shape(&s, 23, 100);
    assert_int_equal(forced_groups(&s), 2);
    set_done(&s);
    set_init(&s);
    add_shape(&s, 23, 1);
    add_shape(&s, 24, 2);
    ADD(&s, ACTION_BLOCK, 0, .src = "me", .dst = "10.0.0.0/8");
    ADD(&s, ACTION_BLOCK, 0, .src = "me", .dst = "10.0.0.0/9");
    assert_int_equal(forced_groups(&s), 2);
    /* IPv6: the side that is no print, and not over the border of which side that is. */
    set_done(&s);
    set_init(&s);
    ADD(&s, ACTION_BLOCK, 0, .src = "2001:db8::/64", .dst = "2001:db8:1::/48");
    ADD(&s, ACTION_BLOCK, 0, .src = "2001:db8::/56", .dst = "2001:db8:1::/48");
    assert_int_equal(forced_groups(&s), 1);
    ADD(&s, ACTION_BLOCK, 0, .src = "2001:db8::/48", .dst = "2001:db8:1::/56");
    assert_int_equal(forced_groups(&s), 2);
    ADD(&s, ACTION_BLOCK, 0, .src = "2001:db8::/64", .dst = "2001:db8:1::/52");
    assert_int_equal(forced_groups(&s), 3);
    set_done(&s);
}

/* --- tuples --- */

/* 15 range sizes per side, so many weights of one group; every range is one interval. */
static void add_weights(struct set *s, unsigned group, unsigned variant, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned a = 1 + i / 15, b = 1 + i % 15;
        char src[24], sport[16], dport[16];
        snprintf(src, sizeof(src), "10.1.1.1/%u", 8 + group);
        snprintf(sport, sizeof(sport), "%u-%u", 1u << a, (2u << a) - 1);
        snprintf(dport, sizeof(dport), "%u-%u", 1u << b, (2u << b) - 1);
        set_add(s, (struct spec){.action = ACTION_BLOCK,
                                 .proto = PROTO_TCP,
                                 .src = src,
                                 .dst = "me",
                                 .sport = sport,
                                 .dport = dport,
                                 .override = variant & 1,
                                 .deadline_ns = variant});
    }
}

static void test_tuples(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    struct compile_stats stats;
    for (unsigned group = 0; group < 18; group++)
        add_weights(&s, group, 0, 225);
    add_weights(&s, 0, 1, 45);
    accepted(&s, &stats);
    assert_int_equal(stats.n_tuples[0], LIMIT_TUPLES);
    add_weights(&s, 18, 0, 1);
    refused(&s, "too many combinations of mask shape and weight: 4096, limit 4095");
    set_done(&s);
}

/* --- ports --- */

static void add_range(struct set *s, unsigned first, unsigned last)
{
    char dport[16];
    snprintf(dport, sizeof(dport), "%u-%u", first, last);
    ADD(s, ACTION_BLOCK, PROTO_TCP, .src = "10.0.0.0/8", .dst = "me", .dport = dport,
        .layer = LAYER_LOCAL);
}

static void test_intervals(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    struct compile_stats stats;
    for (unsigned port = 0; port < 65535; port++) {
        if (port != 1)
            add_range(&s, port, port + 1);
    }
    accepted(&s, &stats);
    assert_int_equal(stats.n_intervals, LIMIT_PORT_INTERVALS);
    add_range(&s, 1, 2);
    refused(&s, "too many port intervals: 65536, limit 65535");
    set_done(&s);
}

/* 16 groups and exact ports so that every port lights another set of them: more sets than class
 * numbers. The last class takes the rest; the two reserved ones stay exact. */
static void test_more_sets_than_classes(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    for (unsigned bit = 0; bit < 16; bit++) {
        char src[24];
        snprintf(src, sizeof(src), "10.1.1.1/%u", 8 + bit);
        for (unsigned first = 0, n = 0; first < 65536; n = 0) {
            char list[LIMIT_PORT_ITEMS * 6 + 1] = "";
            for (char *out = list; first < 65536 && n < LIMIT_PORT_ITEMS; first++) {
                if (!(first >> bit & 1))
                    continue;
                out += snprintf(out, 7, "%u,", first);
                n++;
            }
            if (n > 0)
                ADD(&s, ACTION_BLOCK, PROTO_TCP, .src = src, .dst = "me", .dport = list);
        }
    }
    struct compile_stats stats;
    struct image img = set_compile(&s, &stats);
    assert_int_equal(stats.n_entries[0], 16 * 32768);
    const struct img_family *f =
        (const void *)((const char *)img.lines + IMG_FAMILY4_LINE * IMG_LINE_BYTES);
    const __u64 *words =
        (const void *)((const char *)img.lines + (size_t)f->dport_words_off * IMG_LINE_BYTES);
    assert_int_equal(words[IMG_CLASS_NO_L4] | words[IMG_CLASS_ICMP], 0);
    image_done(&img);
    set_done(&s);
}

static void test_copies_of_ports(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    for (unsigned i = 0; i < 80; i++)
        add_range(&s, 1, 60000);
    for (unsigned i = 1; i <= 409; i++)
        add_range(&s, 10 * i, 10 * i + 1);
    accepted(&s, NULL); /* 80 * 2 * 409 = 65,440 */
    add_range(&s, 2, 50000);
    refused(&s, "port ranges need too many copies: 66418, limit 65536; most by s1 port 1-60000, "
                "s2 port 1-60000, s3 port 1-60000, s4 port 1-60000");
    set_done(&s);
}

static void test_copies_of_addresses(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    static const char all_but_ends[] = "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe";
    ADD(&s, ACTION_BLOCK, .src = all_but_ends, .dst = "2001:db8::1");
    ADD(&s, ACTION_BLOCK, .src = all_but_ends, .dst = all_but_ends);
    refused(&s, "too many mask shapes: 2129, limit 64; used by one filter only: p2");
    ADD(&s, ACTION_BLOCK, .src = all_but_ends, .dst = all_but_ends);
    refused(&s, "address ranges need too many copies: 129283, limit 65536");
    set_done(&s);
}

/* --- number --- */

static void test_filters(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .src = "10.0.0.0/8", .dst = "me", .dport = "80");
    struct effective_filter first = s.v[0];
    size_t n = LIMIT_EFFECTIVE_FILTERS + 1;
    struct effective_filter *v = malloc(n * sizeof(*v));
    assert_non_null(v);
    for (size_t i = 0; i < n; i++)
        v[i] = first;
    struct set many = {.v = v, .n = n, .settings = s.settings};
    refused(&many, "too many filters: 1000001, limit 1000000");
    free(v);

    char list[64 * 6] = "";
    for (unsigned i = 0; i < 64; i++)
        snprintf(list + strlen(list), 6, "%u,", 1000 + i);
    for (unsigned i = 0; i < 245; i++)
        ADD(&s, ACTION_BLOCK, PROTO_TCP, .src = "10.0.0.0/8", .dst = "me", .sport = list,
            .dport = list);
    refused(&s, "too many filters: 1003521, limit 1000000");
    set_done(&s);
}

/* --- table --- */

static void add_hosts(struct set *s, unsigned n, bool v6)
{
    for (unsigned i = 0; i < n; i++) {
        char src[24];
        snprintf(src, sizeof(src), v6 ? "2001:db8::%x" : "10.0.%u.1", i + 1);
        ADD(s, ACTION_BLOCK, .src = src, .dst = "me");
    }
}

static void check_found(const struct set *s, const struct image *img)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct filter *f = s->v[i].filter;
        struct packet p = {.family = f->src.family, .src = f->src.first, .proto = PROTO_TCP};
        assert_int_equal(image_lookup(img, &p, false, true, 0).counter_id, s->v[i].counter_id);
    }
}

static void test_forced_collisions(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        unsigned reseeded = 0, doubled[3] = {0}, refusals = 0;
        struct set s;
        set_init(&s);
        add_hosts(&s, 200, v6);
        struct effective e = set_effective(&s);
        for (unsigned probes = 1; probes <= 3; probes++) {
            for (unsigned seed = 1; seed <= 40; seed++) {
                struct compile_options o = {.generation = 1,
                                            .seed = seed,
                                            .force_probes = probes,
                                            .force_load_percent = 25u << seed % 5};
                struct image img;
                struct compile_stats stats;
                struct diag d = {0};
                int r = compile_image(&e, &o, &d, &img, &stats);
                if (r < 0) {
                    assert_int_equal(r, -E2BIG);
                    assert_non_null(strstr(d.message, "12 seeds tried, 2 times doubled"));
                    refusals++;
                    continue;
                }
                assert_true(stats.longest_chain <= probes);
                check_found(&s, &img);
                const struct img_header *h = img.lines;
                assert_int_equal(h->seed == seed, stats.seed_tries == 1);
                reseeded += stats.seed_tries > 1 && stats.table_doublings == 0;
                doubled[stats.table_doublings]++;
                image_done(&img);
            }
        }
        assert_true(reseeded > 0 && doubled[1] > 0 && doubled[2] > 0 && refusals > 0);
        set_done(&s);
    }
}

/* More permits with different ends on one key than a chain has slots: none may be dropped. */
static void test_full_chain(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    enum { FULL = IMG_PROBES * IMG_SLOTS4 };
    _Static_assert(FULL == 33, "the message below");
    for (unsigned i = 0; i < FULL; i++)
        ADD(&s, ACTION_PERMIT, .src = "10.0.0.1", .dst = "me", .deadline_ns = 1 + i);
    accepted(&s, NULL);
    ADD(&s, ACTION_PERMIT, .src = "10.0.0.1", .dst = "me", .deadline_ns = 99);
    refused(&s, "IPv4 table is full: 34 entries in 256 lines, 12 seeds tried, 2 times doubled");
    set_done(&s);
}

/* Many levels of nested ranges on one key are no reason to refuse. */
static void test_nested_ranges(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    for (unsigned i = 1; i <= 15; i++) {
        for (unsigned variant = 0; variant < 4; variant++) {
            char dport[16];
            snprintf(dport, sizeof(dport), "0-%u", (1u << i) - 1);
            set_add(&s, (struct spec){.action = ACTION_BLOCK,
                                      .proto = PROTO_TCP,
                                      .src = "2001:db8::/32",
                                      .dst = "me",
                                      .dport = dport,
                                      .override = variant & 1,
                                      .deadline_ns = variant & 2});
        }
    }
    struct image img = set_compile(&s, NULL);
    struct packet p = packet_of(PROTO_TCP, "2001:db8::5", 1, "2001:db8::1", 0);
    assert_int_equal(decides_in(&img, p), 2);
    p.dport = 32767;
    assert_int_equal(decides_in(&img, p), 58);
    image_done(&img);
    set_done(&s);
}

static void test_200000_filters(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct set s;
    set_init(&s);
    for (uint32_t i = 0; i < N; i++) {
        struct filter *f = malloc(sizeof(*f));
        assert_non_null(f);
        filter_init(f);
        f->handle = i + 1;
        f->guid = guid_of(i + 1);
        f->action = ACTION_BLOCK;
        f->src = addr_host(FAMILY_4, (struct ip){.lo = 0x0a000000 + i * 7});
        f->dst = addr_me();
        set_add_filter(&s, f, LAYER_LOCAL);
    }
    struct compile_stats stats;
    struct image img = set_compile(&s, &stats);
    assert_int_equal(stats.n_entries[0], N);
    assert_int_equal(stats.n_groups[0], 1);
    check_found(&s, &img);
    image_done(&img);
    set_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),          cmocka_unit_test(test_merged_groups),
        cmocka_unit_test(test_merging_ends),    cmocka_unit_test(test_tuples),
        cmocka_unit_test(test_intervals),       cmocka_unit_test(test_more_sets_than_classes),
        cmocka_unit_test(test_copies_of_ports), cmocka_unit_test(test_copies_of_addresses),
        cmocka_unit_test(test_filters),         cmocka_unit_test(test_forced_collisions),
        cmocka_unit_test(test_full_chain),      cmocka_unit_test(test_nested_ranges),
        cmocka_unit_test(test_200000_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
