/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random policies against a matcher that is slow and obvious and shares nothing with src/compile:
 * it reads each filter literally, finds the heaviest, and must name the same winner. The packets
 * are drawn from the filters, so that most of them hit. */
#include "compile-help.h"

enum { ROUNDS = 300, PACKETS = 300, NOW = 100 };

static bool side_has(const struct addr *a, enum family f, struct ip ip, bool me)
{
    if (a->kind == ADDR_ANY)
        return true;
    if (a->kind == ADDR_ME)
        return me;
    return a->family == f && ip_cmp(a->first, ip) <= 0 && ip_cmp(ip, a->last) <= 0;
}

/* Index of the port item that holds the port, -1 for any; false if none does. */
static bool item_of(const struct portset *s, const struct packet *p, uint16_t port, int *ret)
{
    *ret = -1;
    if (s->n == 0)
        return true;
    for (uint32_t i = 0; i < s->n && p->l4_known; i++) {
        if (port >= s->range[i].first && port <= s->range[i].last) {
            *ret = (int)i;
            return true;
        }
    }
    return false;
}

static bool icmp_matches(const struct filter *f, const struct packet *p)
{
    if (f->icmp_type < 0)
        return true;
    return p->l4_known && f->icmp_type == p->icmp_type &&
           (f->icmp_code < 0 || f->icmp_code == p->icmp_code);
}

/* Weight of the filter for the packet, written or twin, with tier; 0 = no match. */
static uint64_t match(const struct filter *f, const struct packet *p, bool src_me, bool dst_me,
                      bool twin)
{
    const struct addr *src = twin ? &f->dst : &f->src, *dst = twin ? &f->src : &f->dst;
    const struct portset *sport = twin ? &f->dport : &f->sport;
    const struct portset *dport = twin ? &f->sport : &f->dport;
    int si, di;
    if (!side_has(src, p->family, p->src, src_me) || !side_has(dst, p->family, p->dst, dst_me))
        return 0;
    if ((src->family != FAMILY_ANY && src->family != p->family) ||
        (dst->family != FAMILY_ANY && dst->family != p->family))
        return 0;
    if (f->proto != PROTO_ANY && f->proto != p->proto)
        return 0;
    if (!item_of(sport, p, p->sport, &si) || !item_of(dport, p, p->dport, &di) ||
        !icmp_matches(f, p))
        return 0;
    uint64_t tier = f->override ? TIER_OVERRIDE : TIER_ORDINARY;
    return tier << 32 | filter_weight(f, src, dst, si < 0 ? NULL : &sport->range[si],
                                      di < 0 ? NULL : &dport->range[di]);
}

struct winner {
    uint64_t w;
    uint32_t counter_id;
    unsigned n_matches;
};

static struct winner judge(const struct set *s, const struct packet *p, bool src_me, bool dst_me)
{
    struct winner best = {.counter_id = IMG_NO_COUNTER};
    const struct effective_filter *winner = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const struct effective_filter *ef = &s->v[i];
        const struct filter *f = ef->filter;
        if (filter_effect(f) == ACTION_PERMIT && ef->deadline_ns != 0 && ef->deadline_ns <= NOW)
            continue;
        uint64_t w = match(f, p, src_me, dst_me, false);
        uint64_t twin = f->mirrored ? match(f, p, src_me, dst_me, true) : 0;
        w = twin > w ? twin : w;
        if (w == 0)
            continue;
        best.n_matches++;
        bool first = w > best.w;
        if (w == best.w)
            first = ef->layer != winner->layer ? ef->layer < winner->layer
                                               : guid_cmp(&f->guid, &winner->filter->guid) < 0;
        if (first) {
            winner = ef;
            best.w = w;
            best.counter_id = ef->counter_id;
        }
    }
    return best;
}

/* --- random input --- */

static const char *const addrs4[] = {"10.1.1.0/24", "10.1.1.64/26",      "10.1.1.5",
                                     "10.1.1.77",   "10.1.1.3-10.1.1.9", "10.1.0.255-10.1.1.79"};
static const char *const addrs6[] = {"2001:db8::/64", "2001:db8::5", "fe80::/10",
                                     "2001:db8::3-2001:db8::9"};
static const char *const sports[] = {"88", "1000-2000"};

static const char *pick_addr(struct rng *r, bool v6)
{
    unsigned kind = rng_below(r, 4);
    if (kind == 0)
        return "any";
    if (kind == 1)
        return "me";
    return v6 ? addrs6[rng_below(r, ARRAY_SIZE(addrs6))] : addrs4[rng_below(r, ARRAY_SIZE(addrs4))];
}

static void random_ports(struct rng *r, char *out, size_t size)
{
    unsigned base = rng_below(r, 20) * 100, width = 1u << rng_below(r, 10);
    switch (rng_below(r, 3)) {
    case 0:
        snprintf(out, size, "%u", base);
        break;
    case 1:
        snprintf(out, size, "%u-%u", base, base + width);
        break;
    default:
        snprintf(out, size, "%u,%u,%u-%u", base, base + 1, base + 2, base + 2 + width);
        break;
    }
}

/* Shapes of one policy are few, as they are in real ones: style chooses what filters may give. */
static void add_random(struct set *s, struct rng *r, unsigned style)
{
    char ports[64] = "";
    bool v6 = style & 1;
    struct spec w = {.action = rng_below(r, 2) ? ACTION_BLOCK : ACTION_PERMIT,
                     .src = pick_addr(r, v6),
                     .dst = style & 2         ? pick_addr(r, v6)
                            : rng_below(r, 2) ? "me"
                                              : "any"};
    w.layer = (enum layer)rng_below(r, _LAYER_MAX);
    w.override = w.action == ACTION_BLOCK && rng_below(r, 8) == 0;
    w.deadline_ns = rng_below(r, 4) == 0 ? 90 + rng_below(r, 20) : 0;
    w.mirrored = style & 4 && rng_below(r, 2) == 0;
    switch (rng_below(r, 4)) {
    case 0:
        w.proto = v6 ? PROTO_ICMPV6 : PROTO_ICMP;
        w.icmp = (int)rng_below(r, 3);
        w.type = 8 + (int)rng_below(r, 3);
        w.code = (int)rng_below(r, 2);
        break;
    case 1:
        break;
    default:
        w.proto = rng_below(r, 2) ? PROTO_TCP : PROTO_UDP;
        random_ports(r, ports, sizeof(ports));
        w.dport = ports;
        if (style & 8 && rng_below(r, 4) == 0)
            w.sport = sports[rng_below(r, ARRAY_SIZE(sports))];
        break;
    }
    set_add(s, w);
}

/* A corner of the side, or one beside it. */
static struct ip random_ip(struct rng *r, const struct addr *a, enum family f)
{
    static const struct ip own[] = {{0, 0x0a010105}, {0x20010db8ULL << 32, 5}};
    struct ip ip = a->kind == ADDR_ANY || a->kind == ADDR_ME ? own[f == FAMILY_6]
                   : rng_below(r, 2)                         ? a->first
                                                             : a->last;
    switch (rng_below(r, 4)) {
    case 0:
        return ip_sub1(ip);
    case 1:
        return f == FAMILY_4 && ip.lo == UINT32_MAX ? ip : ip_add1(ip);
    default:
        return ip;
    }
}

static uint16_t random_port(struct rng *r, const struct portset *s)
{
    if (s->n == 0)
        return (uint16_t)rng_below(r, 3000);
    const struct port_range *item = &s->range[rng_below(r, s->n)];
    return (uint16_t)((rng_below(r, 2) ? item->first : item->last) + rng_below(r, 3) - 1);
}

static struct packet random_packet(struct rng *r, const struct filter *f)
{
    struct packet p = {.family = filter_family(f), .hop_limit = 64};
    if (p.family == FAMILY_ANY)
        p.family = rng_below(r, 2) ? FAMILY_4 : FAMILY_6;
    bool swapped = f->mirrored && rng_below(r, 2);
    p.src = random_ip(r, swapped ? &f->dst : &f->src, p.family);
    p.dst = random_ip(r, swapped ? &f->src : &f->dst, p.family);
    p.sport = random_port(r, swapped ? &f->dport : &f->sport);
    p.dport = random_port(r, swapped ? &f->sport : &f->dport);
    p.proto = (uint8_t)(f->proto == PROTO_ANY ? PROTO_TCP : f->proto);
    p.l4_known = rng_below(r, 8) > 0;
    p.icmp_type = (uint8_t)(8 + rng_below(r, 4));
    p.icmp_code = (uint8_t)rng_below(r, 3);
    return p;
}

struct totals {
    unsigned packets, hits, multiple;
};

static void check_policy(struct rng *r, struct totals *t, uint64_t seed)
{
    struct set s;
    set_init(&s);
    unsigned style = rng_below(r, 16);
    for (unsigned n = 1 + rng_below(r, rng_below(r, 10) ? 40 : 400); n > 0; n--)
        add_random(&s, r, style);
    struct effective e = set_effective(&s);
    struct compile_options o = {.generation = 1,
                                .seed = rng_next(r),
                                .merge = rng_below(r, 2) ? MERGE_FORCED : MERGE_NEVER};
    struct diag d = {0};
    struct image img;
    int err = compile_image(&e, &o, &d, &img, NULL);
    if (err < 0 && d.code != DIAG_LIMIT)
        fail_msg("%s", d.message);
    for (unsigned i = 0; i < PACKETS && err == 0; i++) {
        struct packet p = random_packet(r, s.v[rng_below(r, (uint32_t)s.n)].filter);
        bool src_me = rng_below(r, 2), dst_me = rng_below(r, 2);
        struct winner want = judge(&s, &p, src_me, dst_me);
        struct image_hit got = image_lookup(&img, &p, src_me, dst_me, NOW);
        if (got.w != want.w || got.counter_id != want.counter_id)
            fail_msg("filter %u weight %llx, not %u weight %llx; PORTWARD_SEED=%llu",
                     got.counter_id, (unsigned long long)got.w, want.counter_id,
                     (unsigned long long)want.w, (unsigned long long)seed);
        t->packets++;
        t->hits += want.n_matches > 0;
        t->multiple += want.n_matches > 1;
    }
    if (err == 0)
        image_done(&img);
    set_done(&s);
}

static void test_random_policies(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct rng r = {seed};
    struct totals t = {0};
    for (unsigned i = 0; i < ROUNDS; i++)
        check_policy(&r, &t, seed);
    print_message("# %u packets, %u hit, %u decided among several\n", t.packets, t.hits,
                  t.multiple);
    assert_true(t.packets >= ROUNDS * PACKETS / 2);
    assert_true(t.hits * 2 >= t.packets);
    assert_true(t.multiple * 5 >= t.packets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_policies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
