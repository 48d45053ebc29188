/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single packets through the loaded program: one row for each case of docs/internals/parsing.md
 * that is easy to get wrong, with the reason it must give. Written by hand from that page, without
 * the evaluator; tests/diff compares the two on random packets. */
#include <time.h>

#include "datapath-help.h"

/* Blocks everything for this host except TCP 22, and permits nothing else. */
static void armed(struct world *w)
{
    world_open(w);
    ADD(&w->set, .action = ACTION_BLOCK, .dst = "me");
    ADD(&w->set, .action = ACTION_PERMIT, .proto = PROTO_TCP, .dst = "me", .dport = "22");
    ADD(&w->set, .action = ACTION_BLOCK, .proto = PROTO_UDP, .src = "me", .dport = "53");
    world_candidate(w);
}

static void expect(struct world *w, const struct frame *f, struct packet_meta meta,
                   enum drop_reason reason, const char *what)
{
    struct datapath_answer a = ask_slot(w, DATAPATH_CANDIDATE, f, meta);
    if (a.block != (reason != DROP_NONE) || a.reason != reason)
        fail_msg("%s: %s, reason %d instead of %d", what, a.block ? "blocked" : "passed", a.reason,
                 reason);
}
#define IN(w, f, reason, what) expect(w, f, (struct packet_meta){.dir = DIR_IN}, reason, what)

struct row {
    const char *what;
    int proto;
    const char *src, *dst;
    unsigned dport;
    struct packet_meta meta;
    enum drop_reason reason;
};

static const struct row rows[] = {
    {"not for us", 17, "192.0.2.1", "198.51.100.1", 9, {.dir = DIR_IN}, DROP_NONE},
    {"ours", 17, "192.0.2.1", "10.0.0.1", 9, {.dir = DIR_IN}, DROP_FILTER},
    {"more specific permit", 6, "192.0.2.1", "10.0.0.1", 22, {.dir = DIR_IN}, DROP_NONE},
    {"subnet broadcast", 17, "192.0.2.1", "10.0.0.255", 9, {.dir = DIR_IN}, DROP_FILTER},
    {"limited broadcast", 17, "192.0.2.1", "255.255.255.255", 9, {.dir = DIR_IN}, DROP_FILTER},
    {"multicast", 17, "192.0.2.1", "224.0.0.1", 9, {.dir = DIR_IN}, DROP_FILTER},
    {"local prefix", 17, "192.0.2.1", "203.0.113.77", 9, {.dir = DIR_IN}, DROP_FILTER},
    {"frame for us",
     17,
     "192.0.2.1",
     "198.51.100.1",
     9,
     {.dir = DIR_IN, .to_host = true},
     DROP_FILTER},
    {"own source", 6, "10.0.0.1", "10.0.0.1", 22, {.dir = DIR_IN}, DROP_MARTIAN},
    {"own source, allowed",
     6,
     "10.0.0.1",
     "10.0.0.1",
     22,
     {.dir = DIR_IN, .accept_local = true},
     0},
    {"loopback source",
     6,
     "127.0.0.1",
     "10.0.0.1",
     22,
     {.dir = DIR_IN, .accept_local = true},
     DROP_MARTIAN},
    {"loopback target", 6, "192.0.2.1", "127.1.2.3", 22, {.dir = DIR_IN}, DROP_MARTIAN},
    {"broadcast source", 6, "10.0.0.255", "10.0.0.1", 22, {.dir = DIR_IN}, DROP_NONE},
    {"sent", 17, "10.0.0.1", "192.0.2.1", 53, {.dir = DIR_OUT}, DROP_FILTER},
    {"sent, other port", 17, "10.0.0.1", "192.0.2.1", 54, {.dir = DIR_OUT}, DROP_NONE},
    {"sent to ourselves", 17, "10.0.0.1", "10.0.0.1", 9, {.dir = DIR_OUT}, DROP_NONE},
    {"forwarded", 17, "192.0.2.9", "192.0.2.1", 53, {.dir = DIR_OUT}, DROP_NONE},
    {"masqueraded", 17, "10.0.0.1", "192.0.2.1", 53, {.dir = DIR_OUT, .judged = true}, DROP_FILTER},
    {"ours", 17, "2001:db8:9::1", "2001:db8::1", 9, {.dir = DIR_IN}, DROP_FILTER},
    {"permit", 6, "2001:db8:9::1", "2001:db8::1", 22, {.dir = DIR_IN}, DROP_NONE},
    {"multicast", 17, "2001:db8:9::1", "ff02::1", 9, {.dir = DIR_IN}, DROP_FILTER},
    {"loopback", 6, "::1", "2001:db8::1", 22, {.dir = DIR_IN}, DROP_MARTIAN},
    {"own source", 6, "2001:db8::1", "2001:db8::1", 22, {.dir = DIR_IN}, DROP_MARTIAN},
    {"protocol without ports", 47, "192.0.2.1", "10.0.0.1", 0, {.dir = DIR_IN}, DROP_FILTER},
};

static void test_addresses(void **state)
{
    struct world *w = *state;

    shell("ip route add local 203.0.113.0/24 dev d0");
    armed(w);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame f = frame_l4(rows[i].proto, rows[i].src, 1024, rows[i].dst, rows[i].dport);
        expect(w, &f, rows[i].meta, rows[i].reason, rows[i].what);
    }
}

static void test_vlan_tags(void **state)
{
    struct world *w = *state;

    armed(w);
    for (unsigned n = 0; n <= 9; n++) {
        struct frame f = frame_ip(n, "192.0.2.1", "10.0.0.1", PROTO_UDP, 8);
        frame_add(&f, (uint8_t[8]){0}, 8);
        IN(w, &f, n == 9 ? DROP_VLAN_DEPTH : DROP_FILTER, "0 to 9 tags");
        if (n > 1)
            f.b[12] = 0x88, f.b[13] = 0xa8; /* the outer one 802.1ad */
        IN(w, &f, n == 9 ? DROP_VLAN_DEPTH : DROP_FILTER, "mixed tags");
    }
    struct frame cut = frame_ip(2, "192.0.2.1", "10.0.0.1", PROTO_UDP, 8);
    cut.len = 16;
    IN(w, &cut, DROP_BAD_HEADER, "the second tag is cut off");
    struct frame arp = frame_ip(1, "192.0.2.1", "10.0.0.1", PROTO_UDP, 0);
    put16(arp.b + 16, 0x0806);
    IN(w, &arp, DROP_NONE, "tagged ARP");
}

static void test_ipv4_headers(void **state)
{
    struct world *w = *state;

    armed(w);
    struct frame f = frame_l4(PROTO_TCP, "192.0.2.1", 1, "10.0.0.1", 22);
    IN(w, &f, DROP_NONE, "control");
    f.b[14] = 0x44;
    IN(w, &f, DROP_BAD_HEADER, "header of 16 bytes");
    f.b[14] = 0x65;
    IN(w, &f, DROP_BAD_HEADER, "version 6 under IPv4's EtherType");
    f.b[14] = 0x4f;
    IN(w, &f, DROP_BAD_HEADER, "header longer than the packet");
    f.b[14] = 0x45;
    put16(f.b + 16, 0);
    IN(w, &f, DROP_BAD_HEADER, "total length 0 without GSO");
    put16(f.b + 16, 39);
    IN(w, &f, DROP_TRUNCATED_L4, "the packet ends before TCP does");
    put16(f.b + 16, 40);
    put16(f.b + 20, 0x2000);
    IN(w, &f, DROP_NONE, "first fragment");
    put16(f.b + 16, 39);
    IN(w, &f, DROP_TINY_FRAGMENT, "tiny first fragment");
    put16(f.b + 20, 1);
    IN(w, &f, DROP_TINY_FRAGMENT, "TCP fragment with offset 1");
    put16(f.b + 20, 2);
    IN(w, &f, DROP_FRAGMENT, "later fragment: only the filter without ports sees it");
    put16(f.b + 20, 0x4000);
    put16(f.b + 16, 40);
    IN(w, &f, DROP_NONE, "don't fragment");
}

/* 24 bytes of header: four bytes of options, then TCP to port 22. */
static void expect_options(struct world *w, uint32_t options, enum drop_reason reason,
                           const char *what)
{
    struct frame f = frame_ip(0, "192.0.2.1", "10.0.0.1", PROTO_TCP, 24);
    uint8_t tail[24] = {(uint8_t)(options >> 24), (uint8_t)(options >> 16), (uint8_t)(options >> 8),
                        (uint8_t)options};
    put16(tail + 6, 22);
    frame_add(&f, tail, sizeof(tail));
    f.b[14] = 0x46;
    IN(w, &f, reason, what);
}

static void test_ipv4_options(void **state)
{
    struct world *w = *state;

    armed(w);
    expect_options(w, 0x94040000, DROP_NONE, "router alert: ports are behind it");
    expect_options(w, 0x01010100, DROP_NONE, "no operation, end");
    expect_options(w, 0x83040000, DROP_SOURCE_ROUTE, "loose source route");
    expect_options(w, 0x01890300, DROP_SOURCE_ROUTE, "strict source route behind a filler");
    expect_options(w, 0x00830000, DROP_NONE, "source route behind the end is padding");
    expect_options(w, 0x07010000, DROP_BAD_HEADER, "option of length 1");
    expect_options(w, 0x07050000, DROP_BAD_HEADER, "option longer than the header");
    expect_options(w, 0x01010107, DROP_BAD_HEADER, "option without length");
    w->set.settings.source_route_classify = true;
    datapath_abandon(w->dp);
    world_candidate(w);
    expect_options(w, 0x83040000, DROP_NONE, "source routes classified");
}

/* IPv6 with these extension headers (8 bytes each) and TCP to port 22 behind them. */
static struct frame extended(const uint8_t *types, size_t n)
{
    struct frame f =
        frame_ip(0, "2001:db8:9::1", "2001:db8::1", n ? types[0] : PROTO_TCP, n * 8 + 20);
    uint8_t tcp[20] = {0};
    put16(tcp + 2, 22);
    for (size_t i = 0; i < n; i++) {
        uint8_t h[8] = {i + 1 < n ? types[i + 1] : PROTO_TCP};
        frame_add(&f, h, sizeof(h));
    }
    frame_add(&f, tcp, sizeof(tcp));
    return f;
}
#define EXTENDED(...) \
    extended((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_ipv6_headers(void **state)
{
    struct world *w = *state;

    armed(w);
    struct frame f = EXTENDED(0, 43, 60, 44, 51, 135, 139, 140);
    f.b[54 + 4 * 8 + 1] = 0; /* AH counts in 4 bytes, less 2: 8 bytes */
    IN(w, &f, DROP_NONE, "eight headers");
    f = EXTENDED(60, 60, 60, 60, 60, 60, 60, 60, 60);
    IN(w, &f, DROP_EXT_HEADERS, "nine headers");
    f = EXTENDED(44, 44);
    IN(w, &f, DROP_EXT_HEADERS, "two fragment headers");
    f = EXTENDED(44);
    IN(w, &f, DROP_NONE, "atomic fragment");
    f.b[54 + 3] = 1;
    IN(w, &f, DROP_NONE, "first fragment");
    put16(f.b + 18, 27);
    IN(w, &f, DROP_TINY_FRAGMENT, "tiny first fragment");
    put16(f.b + 18, 28);
    f.b[54 + 3] = 8;
    IN(w, &f, DROP_TINY_FRAGMENT, "TCP fragment with offset 1");
    f.b[54 + 3] = 16;
    IN(w, &f, DROP_FRAGMENT, "later fragment");
    f = EXTENDED(60, 43);
    f.b[54 + 8 + 3] = 1;
    IN(w, &f, DROP_SOURCE_ROUTE, "segments left");
    f = EXTENDED(60);
    f.b[54 + 1] = 9;
    IN(w, &f, DROP_TRUNCATED_L4, "header that reaches beyond the packet");
    f = EXTENDED(60);
    put16(f.b + 18, 7);
    IN(w, &f, DROP_TRUNCATED_L4, "header that does not fit");
    f.b[14] = 0x40;
    IN(w, &f, DROP_BAD_HEADER, "version 4 under IPv6's EtherType");
    f = frame_ip(0, "2001:db8:9::1", "2001:db8::1", 59, 0);
    IN(w, &f, DROP_FILTER, "no next header");
}

static struct frame icmp6(const char *src, unsigned type, uint8_t hop_limit)
{
    struct frame f = frame_ip(0, src, "2001:db8::1", PROTO_ICMPV6, 8);
    uint8_t h[8] = {(uint8_t)type};
    frame_add(&f, h, sizeof(h));
    f.b[14 + 7] = hop_limit;
    return f;
}

static void test_icmpv6_rows(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *src;
        unsigned type;
        uint8_t hop_limit;
        enum drop_reason reason;
    } v[] = {
        {"2001:db8:9::1", 135, 255, DROP_NONE},   {"2001:db8:9::1", 136, 255, DROP_NONE},
        {"2001:db8:9::1", 135, 254, DROP_FILTER}, {"fe80::1", 134, 255, DROP_FILTER},
        {"fe80::1", 133, 255, DROP_NONE},         {"fe80::1", 133, 64, DROP_FILTER},
        {"fe80::1", 130, 1, DROP_NONE},           {"::", 143, 1, DROP_NONE},
        {"febf::1", 132, 1, DROP_NONE},           {"fec0::1", 130, 1, DROP_FILTER},
        {"fe80::1", 130, 2, DROP_FILTER},         {"fe80::1", 128, 255, DROP_FILTER},
    };

    ADD(&w->set, .action = ACTION_BLOCK, .proto = PROTO_ICMPV6, .dst = "me", .icmp = 1,
        .type = 134);
    ADD(&w->set, .action = ACTION_BLOCK, .proto = PROTO_ICMPV6, .dst = "me", .icmp = 1,
        .type = 135);
    armed(w);
    for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
        struct frame f = icmp6(v[i].src, v[i].type, v[i].hop_limit);
        char what[64];
        snprintf(what, sizeof(what), "type %u from %s hop limit %u", v[i].type, v[i].src,
                 v[i].hop_limit);
        IN(w, &f, v[i].reason, what);
    }
}

static uint64_t boot_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void test_tiers_and_deadlines(void **state)
{
    struct world *w = *state;
    struct frame f = frame_l4(PROTO_UDP, "192.0.2.1", 1, "10.0.0.1", 7);
    uint64_t deadline = boot_ns() + 3000000000; /* loading takes up to a second on a busy machine */

    ADD(&w->set, .action = ACTION_PERMIT, .proto = PROTO_UDP, .src = "192.0.2.1", .dst = "me",
        .dport = "7", .deadline_ns = deadline);
    ADD(&w->set, .action = ACTION_BLOCK, .proto = PROTO_UDP, .dst = "me", .dport = "7",
        .deadline_ns = 1);
    armed(w);
    IN(w, &f, DROP_NONE, "permit before its deadline");
    while (boot_ns() < deadline)
        usleep(10000);
    IN(w, &f, DROP_TIMED_BLOCK, "permit past it, block past its own: no agent was needed");
    datapath_abandon(w->dp);
    ADD(&w->set, .action = ACTION_PERMIT, .src = "192.0.2.1", .dst = "10.0.0.1");
    ADD(&w->set, .action = ACTION_BLOCK, .src = "192.0.0.0/16", .dst = "me", .override = true);
    world_candidate(w);
    struct datapath_answer a = ASK(w, &f, .dir = DIR_IN);
    assert_true(a.block && a.by_filter);
    assert_int_equal(a.reason, DROP_OVERRIDE);
    assert_int_equal(a.tier, TIER_OVERRIDE);
    assert_int_equal(a.counter_id, w->set.n);
}

static void test_unarmed(void **state)
{
    struct world *w = *state;
    struct frame own = frame_l4(PROTO_UDP, "10.0.0.1", 1, "10.0.0.1", 7);
    struct frame bad = own;

    world_open(w);
    ADD(&w->set, .action = ACTION_PERMIT, .proto = PROTO_UDP, .dst = "me", .dport = "7");
    world_candidate(w);
    bad.b[14] = 0x44;
    IN(w, &bad, DROP_NONE, "nothing structural is dropped without a block");
    struct datapath_answer a = ASK(w, &own, .dir = DIR_IN);
    assert_false(a.block);
    assert_int_equal(a.counter_id, 1); /* permits are counted all the same */
}

/* An image that leads nowhere drops while armed. */
static void test_damaged_image(void **state)
{
    struct world *w = *state;
    struct frame f = frame_l4(PROTO_TCP, "192.0.2.1", 1, "10.0.0.1", 22);

    armed(w);
    IN(w, &f, DROP_NONE, "control");
    struct image img = world_compile(w);
    struct diag d;
    struct img_family *v4 = (void *)((char *)img.lines + IMG_FAMILY4_LINE * IMG_LINE_BYTES);
    v4->slots_off = 0x7fffffff;
    datapath_abandon(w->dp);
    assert_int_equal(datapath_candidate(w->dp, &img, 1, &d), 0);
    wait_for_worker(w);
    IN(w, &f, DROP_INTERNAL, "slots beyond the map");
    ((struct img_header *)img.lines)->flags &= ~(uint32_t)IMG_ARMED;
    datapath_abandon(w->dp);
    assert_int_equal(datapath_candidate(w->dp, &img, 1, &d), 0);
    wait_for_worker(w);
    IN(w, &f, DROP_NONE, "the same, not armed");
    image_done(&img);
}

static uint32_t hook_says(struct world *w, const struct frame *f)
{
    _cleanup_(close_p) int prog = pin_fd(w, "prog", "pw_in");
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->len);
    assert_int_equal(bpf_prog_test_run_opts(prog, &o), 0);
    return o.retval;
}

/* A hook whose root is empty lost its image: IP is dropped, the rest is not ours. */
static void test_no_image(void **state)
{
    struct world *w = *state;
    struct frame f = frame_l4(PROTO_TCP, "192.0.2.1", 1, "10.0.0.1", 22), arp = f;
    uint32_t slot = PW_ROOT_ACTIVE;
    uint64_t passed, dropped[_DROP_REASON_MAX];

    world_open(w);
    put16(arp.b + 12, 0x0806);
    assert_int_equal(hook_says(w, &f), UINT32_MAX); /* TCX_NEXT */
    _cleanup_(close_p) int roots = pin_fd(w, "map", "roots");
    assert_int_equal(bpf_map_delete_elem(roots, &slot), 0);
    assert_int_equal(hook_says(w, &f), 2); /* TCX_DROP */
    assert_int_equal(hook_says(w, &arp), UINT32_MAX);
    assert_int_equal(datapath_stats(w->dp, DIR_IN, &passed, dropped), 0);
    assert_int_equal(dropped[DROP_INTERNAL], 1);
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, world_enter, world_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(test_addresses),           LIVE(test_vlan_tags),
        LIVE(test_ipv4_headers),        LIVE(test_ipv4_options),
        LIVE(test_ipv6_headers),        LIVE(test_icmpv6_rows),
        LIVE(test_tiers_and_deadlines), LIVE(test_unarmed),
        LIVE(test_damaged_image),       LIVE(test_no_image),
    };
    if (!world_prepare()) {
        puts("1..0 # SKIP needs root");
        return 0;
    }
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    world_forget();
    return r;
}
