/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a compiled image decides, read by image_lookup(): weights, tiers, `me`, ranges, lists,
 * ICMP, deadlines, derived entries. */
#include "compile-help.h"

#define TCP(src, sport, dst, dport) packet_of(PROTO_TCP, src, sport, dst, dport)
#define UDP(src, sport, dst, dport) packet_of(PROTO_UDP, src, sport, dst, dport)

static const char S[] = "192.0.2.1", C[] = "10.1.1.5", FAR[] = "198.51.100.7";
static const char S6[] = "2001:db8::1", C6[] = "2001:db8:1::5";

static struct image compiled(struct set *s)
{
    return set_compile(s, NULL);
}

static void done(struct set *s, struct image *img)
{
    image_done(img);
    set_done(s);
}

static void test_specific_wins(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "135");
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .src = "10.1.1.0/24", .dst = "me", .dport = "135");
    ADD(&s, ACTION_BLOCK, .src = "10.1.1.66", .dst = "me");
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80");
    struct image img = compiled(&s);
    assert_int_equal(decides_in(&img, TCP(FAR, 40000, S, 135)), 1);
    assert_int_equal(decides_in(&img, TCP(C, 40000, S, 135)), 2);
    assert_int_equal(decides_in(&img, TCP("10.1.1.66", 40000, S, 135)), 3);
    assert_int_equal(decides_in(&img, TCP("10.1.1.66", 40000, S, 80)), 3);
    assert_int_equal(decides_in(&img, TCP(FAR, 40000, S, 80)), 4);
    assert_int_equal(decides_in(&img, TCP(FAR, 40000, S, 81)), 0);
    assert_int_equal(decides_in(&img, UDP(FAR, 40000, S, 135)), 0);
    assert_int_equal(decides_in(&img, TCP(C6, 40000, S6, 135)), 1);
    assert_int_equal(decides_out(&img, TCP(S, 135, FAR, 135)), 0);
    struct packet p = TCP(C, 1, S, 135);
    struct image_hit h = image_lookup(&img, &p, false, true, 0);
    /* 24 * 4 + 128 addresses, source 96, protocol, exact port, permit */
    assert_int_equal(h.w, 224u << 23 | 96 << 15 | 1 << 14 | 17 << 9 | ACTION_PERMIT);
    done(&s, &img);
}

/* Equal weights: block first, then layer, then GUID; never the place in the list. */
static void test_ties(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "1", .layer = LAYER_PERSISTENT);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "1", .layer = LAYER_LOCAL);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "2", .layer = LAYER_LOCAL);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "2", .layer = LAYER_DOMAIN, .id = 9);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "2", .layer = LAYER_DOMAIN, .id = 8);
    /* Equal weight in two groups: `me` and a host address weigh the same. */
    ADD(&s, ACTION_BLOCK, PROTO_UDP, .dst = "me", .dport = "3", .id = 22);
    ADD(&s, ACTION_BLOCK, PROTO_UDP, .dst = "192.0.2.1", .dport = "3", .id = 21);
    struct compile_stats stats;
    struct image img = set_compile(&s, &stats);
    assert_int_equal(decides_in(&img, TCP(C, 1, S, 1)), 2);
    assert_int_equal(decides_in(&img, TCP(C, 1, S, 2)), 8);
    assert_int_equal(decides_in(&img, UDP(C, 1, S, 3)), 21);
    assert_int_equal(decides_in(&img, UDP(C, 1, "192.0.2.9", 3)), 22);
    /* filters 1, 3 and 9 in both families */
    assert_int_equal(stats.n_shadowed, 6);
    done(&s, &img);
}

static void test_tiers(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    s.settings.n_failsafe = 2;
    s.settings.failsafe[0] = (struct failsafe){
        .proto = PROTO_TCP, .port = 22, .family = FAMILY_4, .prefix = {.lo = 0x0a010000}, 16};
    s.settings.failsafe[1] = (struct failsafe){.proto = PROTO_TCP, .port = 2222};
    ADD(&s, ACTION_BLOCK, .dst = "me", .override = true);
    ADD(&s, ACTION_BLOCK, .src = "me", .override = true);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .src = "10.1.1.5", .dst = "192.0.2.1", .dport = "80");
    struct image img = compiled(&s);
    assert_int_equal(decides_in(&img, TCP(C, 1, S, 80)), 1);
    struct packet p = TCP(C, 1, S, 22);
    struct image_hit h = image_lookup(&img, &p, false, true, 0);
    assert_int_equal(h.w >> 32, TIER_FAILSAFE);
    assert_int_equal(h.w & 3, ACTION_PERMIT);
    assert_int_equal(h.counter_id, IMG_NO_COUNTER);
    assert_int_equal(decides_in(&img, TCP(FAR, 1, S, 22)), 1);
    assert_int_equal(decides_in(&img, TCP(FAR, 1, S, 2222)), IMG_NO_COUNTER);
    assert_int_equal(decides_in(&img, TCP(C6, 1, S6, 2222)), IMG_NO_COUNTER);
    assert_int_equal(decides_out(&img, TCP(S, 22, C, 1)), IMG_NO_COUNTER);
    assert_int_equal(decides_out(&img, TCP(S, 22, FAR, 1)), 2);
    assert_int_equal(decides_out(&img, TCP(S, 1, C, 22)), 2);
    p = TCP(FAR, 1, S, 23);
    assert_int_equal(image_lookup(&img, &p, false, true, 0).w >> 32, TIER_OVERRIDE);
    done(&s, &img);
}

static void test_me_is_a_class(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, .dst = "me");
    ADD(&s, ACTION_BLOCK, PROTO_UDP, .src = "me", .dst = "me");
    ADD(&s, ACTION_BLOCK, PROTO_GRE, .src = "any");
    struct image img = compiled(&s);
    struct packet p = UDP(C, 1, S, 2), gre = packet_of(PROTO_GRE, C, 0, S, 0);
    gre.l4_known = false;
    assert_int_equal(image_lookup(&img, &p, false, false, 0).w, 0);
    assert_int_equal(image_lookup(&img, &p, true, false, 0).w, 0);
    assert_int_equal(image_lookup(&img, &p, false, true, 0).counter_id, 1);
    assert_int_equal(image_lookup(&img, &p, true, true, 0).counter_id, 2);
    assert_int_equal(image_lookup(&img, &gre, false, false, 0).counter_id, 3);
    assert_int_equal(image_lookup(&img, &gre, false, true, 0).counter_id, 1);
    done(&s, &img);
}

static void test_port_ranges_and_lists(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80,443,5001-5021");
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "5010-5030");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "5015");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .sport = "0-1023", .dst = "me");
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .sport = "60000-65535", .dst = "me", .dport = "65000-65535");
    struct compile_stats stats;
    struct image img = set_compile(&s, &stats);
    static const struct {
        unsigned sport, dport, want;
    } cases[] = {
        {40000, 79, 0},    {40000, 80, 1},    {40000, 81, 0},    {40000, 443, 1},
        {40000, 5000, 0},  {40000, 5001, 1},  {40000, 5009, 1},  {40000, 5010, 1},
        {40000, 5021, 1},  {40000, 5022, 2},  {40000, 5030, 2},  {40000, 5031, 0},
        {40000, 5015, 3},  {0, 9, 4},         {1023, 9, 4},      {1024, 9, 0},
        {1023, 80, 1},     {60000, 65000, 5}, {65535, 65535, 5}, {59999, 65535, 0},
        {65535, 64999, 0}, {0, 0, 4},         {40000, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t got = decides_in(&img, TCP(C, cases[i].sport, S, cases[i].dport));
        if (got != cases[i].want)
            fail_msg("port %u to %u: filter %u, not %u", cases[i].sport, cases[i].dport, got,
                     cases[i].want);
        got = decides_in(&img, TCP(C6, cases[i].sport, S6, cases[i].dport));
        assert_int_equal(got, cases[i].want);
    }
    /* destination: 0 5001 5010 5022 5031 65000; source: 0 1024 60000 */
    assert_int_equal(stats.n_intervals, 6 + 3);
    done(&s, &img);
}

static void test_address_ranges(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, .src = "10.0.0.3-10.0.0.8", .dst = "me");
    ADD(&s, ACTION_PERMIT, .src = "10.0.0.4/30", .dst = "me");
    ADD(&s, ACTION_BLOCK, .src = "2001:db8::ffff-2001:db8::1:2", .dst = "me");
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .src = "0.0.0.0-255.255.255.254", .dst = "me", .dport = "9");
    struct image img = compiled(&s);
    assert_int_equal(decides_in(&img, UDP("10.0.0.2", 1, S, 2)), 0);
    assert_int_equal(decides_in(&img, UDP("10.0.0.3", 1, S, 2)), 1);
    /* six addresses weigh as a /29, so the /30 wins inside, though its parts are /30 and less */
    assert_int_equal(decides_in(&img, UDP("10.0.0.4", 1, S, 2)), 2);
    assert_int_equal(decides_in(&img, UDP("10.0.0.7", 1, S, 2)), 2);
    assert_int_equal(decides_in(&img, UDP("10.0.0.8", 1, S, 2)), 1);
    assert_int_equal(decides_in(&img, UDP("10.0.0.9", 1, S, 2)), 0);
    assert_int_equal(decides_in(&img, UDP("2001:db8::fffe", 1, S6, 2)), 0);
    assert_int_equal(decides_in(&img, UDP("2001:db8::ffff", 1, S6, 2)), 3);
    assert_int_equal(decides_in(&img, UDP("2001:db8::1:2", 1, S6, 2)), 3);
    assert_int_equal(decides_in(&img, UDP("2001:db8::1:3", 1, S6, 2)), 0);
    assert_int_equal(decides_in(&img, TCP("255.255.255.254", 1, S, 9)), 4);
    assert_int_equal(decides_in(&img, TCP("0.0.0.0", 1, S, 9)), 4);
    assert_int_equal(decides_in(&img, TCP("255.255.255.255", 1, S, 9)), 0);
    done(&s, &img);
}

/* Both sides concrete: IPv6 keeps one side as a print and confirms it. */
static void test_two_concrete_sides(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, .src = "2001:db8:1::/48", .dst = "2001:db8::1");
    ADD(&s, ACTION_BLOCK, .src = "2001:db8:2::/48", .dst = "2001:db8::1");
    ADD(&s, ACTION_BLOCK, .src = "2001:db8:1::7", .dst = "2001:db8::/64");
    ADD(&s, ACTION_PERMIT, .src = "fe80::/10", .dst = "2000::/3");
    ADD(&s, ACTION_PERMIT, .src = "10.0.0.0/8", .dst = "192.0.2.0/24", .mirrored = true);
    struct image img = compiled(&s);
    assert_int_equal(decides_in(&img, UDP("2001:db8:1::5", 1, "2001:db8::1", 2)), 1);
    assert_int_equal(decides_in(&img, UDP("2001:db8:2::5", 1, "2001:db8::1", 2)), 2);
    assert_int_equal(decides_in(&img, UDP("2001:db8:3::5", 1, "2001:db8::1", 2)), 0);
    assert_int_equal(decides_in(&img, UDP("2001:db8:1::7", 1, "2001:db8::2", 2)), 3);
    assert_int_equal(decides_in(&img, UDP("2001:db8:1::5", 1, "2001:db8::2", 2)), 0);
    assert_int_equal(decides_in(&img, UDP("fe80::1", 1, "2fff::1", 2)), 4);
    assert_int_equal(decides_in(&img, UDP("fec0::1", 1, "2fff::1", 2)), 0);
    assert_int_equal(decides_in(&img, UDP("10.9.9.9", 1, "192.0.2.200", 2)), 5);
    assert_int_equal(decides_out(&img, UDP("192.0.2.200", 1, "10.9.9.9", 2)), 5);
    assert_int_equal(decides_out(&img, UDP("192.0.3.1", 1, "10.9.9.9", 2)), 0);
    done(&s, &img);
}

/* Prefixes shorter than the index of the pruning array cover many of its words. */
static void test_short_prefixes(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, .src = "128.0.0.0/1", .dst = "me");
    ADD(&s, ACTION_PERMIT, .src = "192.0.0.0/3", .dst = "me");
    ADD(&s, ACTION_BLOCK, .src = "me", .dst = "64.0.0.0/2");
    ADD(&s, ACTION_BLOCK, .src = "8000::/1", .dst = "me");
    struct image img = compiled(&s);
    assert_int_equal(decides_in(&img, UDP("128.0.0.1", 1, S, 2)), 1);
    assert_int_equal(decides_in(&img, UDP("191.255.0.1", 1, S, 2)), 1);
    assert_int_equal(decides_in(&img, UDP("255.0.0.1", 1, S, 2)), 1);
    assert_int_equal(decides_in(&img, UDP("223.255.0.1", 1, S, 2)), 2);
    assert_int_equal(decides_in(&img, UDP("127.255.0.1", 1, S, 2)), 0);
    assert_int_equal(decides_out(&img, UDP(S, 1, "127.1.1.1", 2)), 3);
    assert_int_equal(decides_in(&img, UDP("fe80::1", 1, S6, 2)), 4);
    done(&s, &img);
}

static void test_mirrored_swaps_ports(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .sport = "1-100", .dst = "me", .dport = "80",
        .mirrored = true);
    struct image img = compiled(&s);
    assert_int_equal(decides_in(&img, TCP(C, 100, S, 80)), 1);
    assert_int_equal(decides_in(&img, TCP(C, 101, S, 80)), 0);
    assert_int_equal(decides_out(&img, TCP(S, 80, C, 1)), 1);
    assert_int_equal(decides_out(&img, TCP(S, 1, C, 80)), 0);
    done(&s, &img);
}

static void test_fragments_need_filters_without_ports(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, PROTO_UDP, .dst = "me", .dport = "0,53");
    ADD(&s, ACTION_BLOCK, PROTO_UDP, .sport = "0-65534", .dst = "me");
    ADD(&s, ACTION_PERMIT, PROTO_UDP, .src = "10.1.1.0/24");
    struct image img = compiled(&s);
    struct packet p = UDP(C, 0, S, 0);
    assert_int_equal(decides_in(&img, p), 1);
    p.l4_known = false;
    p.later_fragment = true;
    assert_int_equal(decides_in(&img, p), 3);
    p.src.lo = 1;
    assert_int_equal(decides_in(&img, p), 0);
    done(&s, &img);
}

static void test_icmp(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, PROTO_ICMP, .dst = "me");
    ADD(&s, ACTION_PERMIT, PROTO_ICMP, .dst = "me", .icmp = 1, .type = 8);
    ADD(&s, ACTION_BLOCK, PROTO_ICMP, .dst = "me", .icmp = 2, .type = 8, .code = 1);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "2048,2049");
    ADD(&s, ACTION_PERMIT, PROTO_ICMPV6, .dst = "me", .icmp = 1, .type = 128);
    ADD(&s, ACTION_BLOCK, PROTO_ICMPV6, .src = "any");
    ADD(&s, ACTION_BLOCK, PROTO_ICMPV6, .icmp = 2, .type = 134, .code = 0);
    struct image img = compiled(&s);
    assert_int_equal(decides_in(&img, packet_of(PROTO_ICMP, C, 0, S, 3 << 8 | 1)), 1);
    assert_int_equal(decides_in(&img, packet_of(PROTO_ICMP, C, 0, S, 8 << 8)), 2);
    assert_int_equal(decides_in(&img, packet_of(PROTO_ICMP, C, 0, S, 8 << 8 | 1)), 3);
    assert_int_equal(decides_in(&img, TCP(C, 1, S, 8 << 8 | 1)), 4);
    assert_int_equal(decides_in(&img, TCP(C, 1, S, 8 << 8 | 2)), 0);
    assert_int_equal(decides_in(&img, packet_of(PROTO_ICMPV6, C6, 0, S6, 128 << 8)), 5);
    assert_int_equal(decides_in(&img, packet_of(PROTO_ICMPV6, C6, 0, S6, 129 << 8)), 6);
    /* router discovery: filters with a type only */
    struct packet ra = packet_of(PROTO_ICMPV6, "fe80::1", 0, S6, 134 << 8);
    assert_int_equal(decides_in(&img, ra), 7);
    ra.hop_limit = 255;
    assert_int_equal(decides_in(&img, ra), 7);
    struct packet rs = packet_of(PROTO_ICMPV6, "fe80::1", 0, S6, 133 << 8);
    assert_int_equal(decides_in(&img, rs), 6);
    rs.hop_limit = 255;
    assert_int_equal(decides_in(&img, rs), 0);
    struct packet mld = packet_of(PROTO_ICMPV6, "::", 0, "ff02::16", 143 << 8);
    mld.hop_limit = 1;
    assert_int_equal(decides_out(&img, mld), 0);
    mld.src.hi = 0x20010db8ULL << 32;
    assert_int_equal(decides_out(&img, mld), 6);
    done(&s, &img);
}

static void test_deadlines(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    ADD(&s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80-90", .deadline_ns = 1000);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80", .deadline_ns = 1000);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80", .deadline_ns = 2000);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80", .deadline_ns = 1500);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "81", .deadline_ns = 1000);
    ADD(&s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "81");
    struct compile_stats stats;
    struct image img = set_compile(&s, &stats);
    static const struct {
        unsigned port;
        uint64_t now;
        uint32_t want;
    } cases[] = {
        {80, 0, 2},    {80, 999, 2}, {80, 1000, 3}, {80, 1999, 3},
        {80, 2000, 1}, {81, 999, 5}, {81, 1000, 6}, {82, 1ULL << 60, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct packet p = TCP(C, 1, S, cases[i].port);
        struct image_hit h = image_lookup(&img, &p, false, true, cases[i].now);
        assert_int_equal(h.counter_id, cases[i].want);
    }
    /* filter 4 ends before filter 3 and never decides; one entry per family */
    assert_int_equal(stats.n_shadowed, 2);
    done(&s, &img);
}

static void add_iface(struct set *s, const char *name, uint8_t zone, bool dhcp4, bool dhcp6)
{
    assert_int_equal(array_reserve(&s->host.ifaces, &s->host.cap_ifaces, s->host.n_ifaces + 1,
                                   sizeof(struct iface)),
                     0);
    struct iface *i = &s->host.ifaces[s->host.n_ifaces++];
    *i = (struct iface){.ifindex = 1u + zone, .role = IFACE_NORMAL, .zone = zone};
    i->dhcp4 = dhcp4;
    i->dhcp6 = dhcp6;
    strcpy(i->name, name);
}

static uint32_t in_zone(const struct image *img, struct packet p, uint8_t zone)
{
    p.meta.zone = zone;
    return decides_in(img, p);
}

static void test_dhcp_client(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    add_iface(&s, "eth0", 3, true, false);
    add_iface(&s, "eth1", 4, false, true);
    add_iface(&s, "eth2", 0, true, true); /* no zone was left */
    ADD(&s, ACTION_BLOCK, .src = "any");
    struct image img = compiled(&s);
    struct packet ack = UDP(FAR, 67, S, 68), ack6 = UDP("fe80::2", 547, "fe80::1", 546);
    assert_int_equal(in_zone(&img, ack, 3), IMG_NO_COUNTER);
    assert_int_equal(in_zone(&img, ack, 4), 1);
    assert_int_equal(in_zone(&img, ack, 0), 1);
    assert_int_equal(in_zone(&img, UDP(FAR, 68, S, 68), 3), 1);
    assert_int_equal(in_zone(&img, ack6, 4), IMG_NO_COUNTER);
    assert_int_equal(in_zone(&img, ack6, 3), 1);
    assert_int_equal(in_zone(&img, UDP("2001:db8::2", 547, "fe80::1", 546), 4), 1);
    struct packet renew = UDP(S, 68, FAR, 67), request6 = UDP("fe80::1", 546, "ff02::1:2", 547);
    renew.meta.zone = 3;
    assert_int_equal(decides_out(&img, renew), IMG_NO_COUNTER);
    request6.meta.zone = 4;
    assert_int_equal(decides_out(&img, request6), IMG_NO_COUNTER);
    struct image_hit h = image_lookup(&img, &renew, true, false, 0);
    assert_int_equal(h.w >> 32, TIER_EXEMPTION);
    assert_int_equal(h.w >> 2 & 3, 2); /* field F: interface */
    image_done(&img);
    s.settings.dhcp_client_off = true;
    img = compiled(&s);
    assert_int_equal(in_zone(&img, ack, 3), 1);
    done(&s, &img);
}

static void test_exemption_levels(void **state)
{
    (void)state;
    struct set s;
    set_init(&s);
    s.host.local = calloc(1, sizeof(struct local_route));
    assert_non_null(s.host.local);
    s.host.n_local = s.host.cap_local = 1;
    s.host.local[0] = (struct local_route){FAMILY_4, {.lo = 0xc00002ff}, 32, LOCAL_BROADCAST};
    ADD(&s, ACTION_BLOCK, .override = true);
    enum { BROADCAST = 1, KERBEROS = 2 };
    static const unsigned exempt[4] = {BROADCAST | KERBEROS, BROADCAST, KERBEROS, 0};
    for (unsigned level = 0; level < 4; level++) {
        const struct {
            unsigned kind;
            struct packet p;
        } cases[] = {
            {BROADCAST, UDP(C, 1, "224.0.0.251", 2)},
            {BROADCAST, UDP(C, 1, "255.255.255.255", 2)},
            {BROADCAST, UDP(C, 1, "192.0.2.255", 2)},
            {BROADCAST, UDP(C6, 1, "ff02::fb", 2)},
            {KERBEROS, UDP(C, 88, S, 2)},
            {KERBEROS, TCP(C, 2, S, 88)},
            {KERBEROS, TCP(C6, 88, S6, 2)},
            {KERBEROS, packet_of(PROTO_RSVP, C, 0, S, 0)},
            {4, UDP(C, 500, S, 500)},
            {4, UDP(C, 1, "192.0.2.254", 2)},
            {4, packet_of(PROTO_SCTP, C, 88, S, 88)},
        };
        s.settings.exempt = (uint8_t)level;
        struct image img = compiled(&s);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            uint32_t want = cases[i].kind & exempt[level] ? IMG_NO_COUNTER : 1;
            if (decides_in(&img, cases[i].p) != want)
                fail_msg("level %u, case %zu", level, i);
        }
        image_done(&img);
    }
    set_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specific_wins),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_me_is_a_class),
        cmocka_unit_test(test_port_ranges_and_lists),
        cmocka_unit_test(test_address_ranges),
        cmocka_unit_test(test_two_concrete_sides),
        cmocka_unit_test(test_short_prefixes),
        cmocka_unit_test(test_mirrored_swaps_ports),
        cmocka_unit_test(test_fragments_need_filters_without_ports),
        cmocka_unit_test(test_icmp),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_dhcp_client),
        cmocka_unit_test(test_exemption_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
