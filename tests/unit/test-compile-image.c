/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of an image that image_lookup() alone would not show to be wrong: header, order of
 * groups and tuples, and the words whose bits bpf/image.h calls exact. */
#include "compile-help.h"

static const void *line_of(const struct image *img, uint32_t n)
{
    return (const char *)img->lines + (size_t)n * IMG_LINE_BYTES;
}

static const struct img_family *family4(const struct image *img)
{
    return line_of(img, IMG_FAMILY4_LINE);
}

static void test_empty(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    struct compile_stats stats;
    struct image img = set_compile(&s, &stats);
    assert_int_equal(stats.n_entries[0] + stats.n_entries[1], 0);
    assert_int_equal(decides_in(&img, packet_of(PROTO_TCP, "10.1.1.5", 1, "192.0.2.1", 135)), 0);
    assert_int_equal(decides_in(&img, packet_of(PROTO_TCP, "2001:db8::5", 1, "2001:db8::1", 135)),
                     0);
    const struct img_header *h = img.lines;
    assert_int_equal(h->flags, IMG_COUNTERS);
    assert_int_equal(h->n_entries, 0);
    image_done(&img);
    set_done(&s);
}

static void test_header_and_refusals(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    s.settings.source_route_classify = s.settings.masqueraded_pass = s.settings.counters_off = true;
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80");
    struct effective e = set_effective(&s);
    struct compile_options o = {
        .generation = 42, .state_epoch = 5, .seed = 99, .tag_secret = 0xabcc};
    struct image img;
    struct compile_stats stats;
    assert_int_equal(compile_image(&e, &o, NULL, &img, &stats), 0);
    const struct img_header *h = img.lines;
    assert_int_equal(h->magic, IMG_MAGIC);
    assert_int_equal(h->layout, IMG_LAYOUT);
    assert_int_equal(h->generation, 42);
    assert_int_equal(img.generation, 42);
    assert_int_equal(h->state_epoch, 5);
    assert_int_equal(h->seed, 99);
    assert_int_equal(h->tag_secret, 0xabcc);
    assert_int_equal(h->flags, IMG_SOURCE_ROUTE_CLASSIFY | IMG_MASQUERADED_PASS);
    assert_int_equal(h->n_entries, 2);
    assert_int_equal(h->n_lines, img.n_lines);
    assert_int_equal(h->sport_off, 0);
    assert_int_not_equal(h->dport_off, 0);
    assert_int_equal(stats.size_bytes, (uint64_t)img.n_lines * IMG_LINE_BYTES);
    assert_int_equal(stats.seed_tries, 1);
    image_done(&img);
    struct filter kept = *s.v[0].filter; /* a view: nothing of it is freed */
    kept.keep_state = true;
    const struct filter *enforced = s.v[0].filter;
    s.v[0].filter = &kept;
    e = set_effective(&s);
    struct diag d;
    assert_int_equal(compile_image(&e, &o, &d, &img, NULL), 0);
    h = (const void *)img.lines;
    assert_true(h->flags & IMG_KEEP_STATE);
    image_done(&img);
    s.v[0].filter = enforced;
    set_done(&s);
}

static void test_armed(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "81");
    struct image img = set_compile(&s, NULL);
    assert_int_equal(((const struct img_header *)img.lines)->flags, IMG_ARMED | IMG_COUNTERS);
    image_done(&img);
    set_done(&s);
}

/* Published precedence order: the heaviest group first, each with the weight of its best. */
static void test_order_of_groups_and_tuples(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, .dst = "me");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "1-9");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "20-21");
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .src = "10.0.0.0/8", .dst = "me", .dport = "10-99");
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .src = "10.0.0.1", .dst = "me", .dport = "1");
    ADD(&s, ACTION_BLOCK, .src = "172.16.0.0/12", .dst = "me", .override = true);
    ADD(&s, ACTION_BLOCK, .src = "172.16.0.0/12", .dst = "me", .deadline_ns = 1);
    struct compile_stats stats;
    struct image img = set_compile(&s, &stats);
    const struct img_family *f = family4(&img);
    const struct img_group *g = line_of(&img, f->groups_off);
    const __u64 *tuples = line_of(&img, f->tuples_off);
    assert_int_equal(f->n_groups, 5);
    assert_int_equal(f->n_tuples, 7);
    assert_int_equal(stats.n_groups[0], 5);
    assert_int_equal(g[0].src_lo, 0xfff00000);
    assert_int_equal(g[0].maxw, IMG_W(1, (48u + 128) << 23 | 48 << 15 | ACTION_BLOCK));
    assert_int_equal(g[1].src_lo, 0xffffffff);
    assert_int_equal(g[2].src_lo, 0xff000000);
    assert_int_equal(g[3].dport_interval, 0xffff);
    assert_int_equal(g[4].maxw, 128u << 23 | ACTION_BLOCK);
    for (unsigned i = 1; i < f->n_groups; i++)
        assert_true(g[i].maxw <= g[i - 1].maxw);
    for (unsigned i = 1; i < f->n_tuples; i++)
        assert_true(IMG_TUPLE_W(tuples[i]) <= IMG_TUPLE_W(tuples[i - 1]));
    /* the heaviest candidate decides, so lighter groups are not looked up */
    struct packet p = packet_of(PROTO_TCP, "10.0.0.1", 1, "192.0.2.1", 1);
    assert_int_equal(image_lookup(&img, &p, false, true, 0).probes, 1);
    image_done(&img);
    set_done(&s);
}

/* Groups that need ports or `me` have no bit where there is none. */
static void test_exact_words(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .src = "me", .dst = "10.0.0.1", .sport = "7");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80-90");
    ADD(&s, ACTION_BLOCK, PROTO_ICMP, .dst = "me", .icmp = 1, .type = 8);
    ADD(&s, ACTION_BLOCK, .src = "10.0.0.0/8");
    struct image img = set_compile(&s, NULL);
    const struct img_family *f = family4(&img);
    const __u64 *sport = line_of(&img, f->sport_words_off);
    const __u64 *dport = line_of(&img, f->dport_words_off);
    /* groups by weight: me:7 to host, me:80, me:80-90, icmp type, 10.0.0.0/8 */
    assert_int_equal(f->n_groups, 5);
    assert_int_equal(f->me[0], 1 << 4);
    assert_int_equal(f->me[1], 1 << 4 | 1 << 0);
    assert_int_equal(f->me[2], 1 << 4 | 1 << 1 | 1 << 2 | 1 << 3);
    assert_int_equal(f->me[3], 0x1f);
    assert_int_equal(sport[IMG_CLASS_NO_L4], 0x1e);
    assert_int_equal(sport[IMG_CLASS_ICMP], 0x1e);
    assert_int_equal(dport[IMG_CLASS_NO_L4], 1 << 4 | 1 << 0);
    assert_int_equal(dport[IMG_CLASS_ICMP], 1 << 4 | 1 << 3 | 1 << 0);
    assert_int_equal(f->icmp_typed, 0); /* ICMPv6 types only */
    const struct img_port *port = line_of(&img, ((const struct img_header *)img.lines)->dport_off);
    assert_int_equal(dport[port[80].class], 1 << 4 | 1 << 2 | 1 << 1 | 1 << 0);
    assert_int_equal(dport[port[81].class], 1 << 4 | 1 << 2 | 1 << 0);
    assert_int_equal(port[79].class, port[91].class);
    assert_int_equal(port[79].interval, 1);
    assert_int_equal(port[80].interval, 2);
    assert_int_equal(port[91].interval, 3);
    image_done(&img);
    set_done(&s);
}

/* A slot says that another one has its key, and only then; no line is full here. Of addresses that
 * no filter names the bit is not set, or hosts would prune nothing. */
static void test_bits_of_lines(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_PERMIT, .src = "10.0.0.1", .dst = "me", .deadline_ns = 8);
    ADD(&s, ACTION_PERMIT, .src = "10.0.0.1", .dst = "me", .deadline_ns = 9);
    ADD(&s, ACTION_BLOCK, .src = "10.0.0.2", .dst = "me");
    struct image img = set_compile(&s, NULL);
    const struct img_header *h = img.lines;
    const struct img_family *f = family4(&img);
    const struct img_line4 *lines = line_of(&img, f->slots_off);
    unsigned n_shared = 0, n_alone = 0, n_bits = 0;
    for (unsigned i = 0; i <= f->slots_mask; i++) {
        assert_false(lines[i].more & IMG_CHAIN(IMG_SLOTS4));
        for (unsigned k = 0; k < IMG_SLOTS4; k++) {
            bool shared = lines[i].more & 1U << k;
            assert_int_equal(shared, lines[i].lo[k] == 0x0a000001);
            n_shared += shared;
            n_alone += !shared && IMG_META_ACTION(lines[i].hi[k]) != 0;
        }
    }
    assert_int_equal(n_shared, 2);
    assert_int_equal(n_alone, 1);
    const __u64 *words = line_of(&img, f->src_hosts_off);
    for (unsigned bit = 0; bit < 1U << f->src_hosts_bits; bit++)
        n_bits += (unsigned)(words[bit / 64] >> bit % 64 & 1);
    assert_int_equal(n_bits, 2);
    for (uint32_t addr = 0x0a000001; addr <= 0x0a000002; addr++) {
        uint32_t bit = img_host4(h->seed, addr, f->src_hosts_bits);
        assert_true(words[bit / 64] >> bit % 64 & 1);
    }
    image_done(&img);
    set_done(&s);
}

/* A dimension that no filter uses has no array. */
static void test_absent_parts(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, .src = "10.0.0.1", .dst = "me");
    struct image img = set_compile(&s, NULL);
    const struct img_header *h = img.lines;
    const struct img_family *f = family4(&img), *f6 = line_of(&img, IMG_FAMILY6_LINE);
    assert_int_equal(h->sport_off | h->dport_off, 0);
    assert_int_equal(f->dst_off | f->proto_off | f->sport_words_off | f->dport_words_off, 0);
    assert_int_equal(f->src_off | f->dst_hosts, 0);
    assert_int_equal(f->src_hosts, 1);
    assert_int_not_equal(f->src_hosts_off, 0);
    assert_int_equal(f->src_hosts_bits, 12);
    assert_int_equal(f6->n_groups | f6->slots_off | f6->me[3], 0);
    assert_true(img.n_lines < (1 << 12) / 8 / IMG_LINE_BYTES + 64 + 48 +
                                  64); /* words, slots and rules, the rest */
    image_done(&img);
    set_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),        cmocka_unit_test(test_header_and_refusals),
        cmocka_unit_test(test_armed),        cmocka_unit_test(test_order_of_groups_and_tuples),
        cmocka_unit_test(test_exact_words),  cmocka_unit_test(test_bits_of_lines),
        cmocka_unit_test(test_absent_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
