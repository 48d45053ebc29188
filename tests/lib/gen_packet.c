/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/gen_packet.c: packets drawn from the corners of a policy's filters +-1, and the count
 * of what they hit. */
#include <stdio.h>

#include "eval/eval.h"
#include "gen_internal.h"

/* first-1, first, something between, last, last+1; wraps inside the family. */
static struct ip corner_ip(struct rng *r, enum family f, struct ip first, struct ip last)
{
    struct ip all = ip_not(f, (struct ip){0, 0});
    switch (rng_below(r, 12)) {
    case 0:
        return ip_and(ip_sub1(first), all);
    case 1:
        return ip_and(ip_add1(last), all);
    case 2:
    case 3:
        return first;
    case 4:
    case 5:
        return last;
    default:
        if (first.hi == last.hi && last.lo - first.lo < UINT32_MAX)
            return (struct ip){first.hi,
                               first.lo + rng_below(r, (uint32_t)(last.lo - first.lo + 1))};
        return ip_or(first, ip_and((struct ip){rng_next(r), rng_next(r)},
                                   (struct ip){first.hi ^ last.hi, first.lo ^ last.lo}));
    }
}

static struct ip own_ip(struct rng *r, const struct gen_policy *p, enum family f, bool unicast)
{
    const struct host *h = p->e.host;
    for (unsigned tries = 0; h->n_local && tries < 32; tries++) {
        const struct local_route *route = &h->local[rng_below(r, (uint32_t)h->n_local)];
        bool loopback =
            f == FAMILY_4 ? route->prefix.lo >> 24 == 127 : ip_eq(route->prefix, (struct ip){0, 1});
        if (route->family == f && !loopback && (!unicast || route->kind == LOCAL_UNICAST))
            return gen_ip_in_prefix(r, f, route->prefix, route->prefix_len);
    }
    return gen_pool_ip(r, p, f);
}

static struct ip group_ip(struct rng *r, enum family f)
{
    if (f == FAMILY_6)
        return (struct ip){0xff02000000000000, rng_below(r, 3)};
    if (once_in(r, 2))
        return (struct ip){0, 0xffffffff};
    return gen_ip_in_prefix(r, f, (struct ip){0, 0xe0000000}, 4);
}

static struct ip me_ip(struct rng *r, const struct gen_policy *p, struct packet *pk, bool src)
{
    if (src)
        return own_ip(r, p, pk->family, /* unicast= */ true);
    if (once_in(r, 6))
        return group_ip(r, pk->family);
    if (once_in(r, 6)) {
        pk->meta.to_host = true;
        return gen_pool_ip(r, p, pk->family);
    }
    return own_ip(r, p, pk->family, /* unicast= */ false);
}

static struct ip side_ip(struct rng *r, const struct gen_policy *p, const struct addr *a,
                         struct packet *pk, bool src)
{
    if (a->kind == ADDR_ME)
        return me_ip(r, p, pk, src);
    if (a->kind == ADDR_ANY || a->family != pk->family)
        return gen_pool_ip(r, p, pk->family);
    struct ip last = a->kind == ADDR_PREFIX
                         ? ip_or(a->first, ip_not(a->family, ip_mask(a->family, a->prefix_len)))
                         : a->last;
    return corner_ip(r, pk->family, a->first, last);
}

static uint16_t corner_port(struct rng *r, const struct gen_policy *p, const struct portset *s)
{
    if (s->n == 0)
        return once_in(r, 4) ? (uint16_t)rng_next(r) : p->ports[rng_below(r, GEN_PORTS)];
    const struct port_range *item = &s->range[rng_below(r, s->n)];
    switch (rng_below(r, 10)) {
    case 0:
        return (uint16_t)(item->first - 1);
    case 1:
        return (uint16_t)(item->last + 1);
    case 2:
    case 3:
        return item->first;
    case 4:
        return item->last;
    default:
        return (uint16_t)(item->first + rng_below(r, (uint32_t)item->last - item->first + 1));
    }
}

static void draw_l4(struct rng *r, const struct gen_policy *p, const struct filter *f, bool twin,
                    struct packet *pk)
{
    static const uint8_t protocols[] = {6, 6, 17, 17, 1, 58, 47, 50, 46, 132};
    pk->proto = f->proto == PROTO_ANY || once_in(r, 24)
                    ? protocols[rng_below(r, ARRAY_SIZE(protocols))]
                    : (uint8_t)f->proto;
    bool icmp = pk->proto == PROTO_ICMP || pk->proto == PROTO_ICMPV6;
    pk->l4_known = icmp || proto_has_ports(pk->proto);
    if (icmp) {
        pk->icmp_type =
            f->icmp_type >= 0 ? (uint8_t)f->icmp_type : (uint8_t)(126 + rng_below(r, 20));
        pk->icmp_code = f->icmp_code >= 0 ? (uint8_t)f->icmp_code : (uint8_t)rng_below(r, 3);
        if (once_in(r, 10))
            pk->icmp_type++;
        if (once_in(r, 10))
            pk->icmp_code++;
    } else if (pk->l4_known) {
        pk->sport = corner_port(r, p, twin ? &f->dport : &f->sport);
        pk->dport = corner_port(r, p, twin ? &f->sport : &f->dport);
        pk->tcp_flags = pk->proto == PROTO_TCP ? (uint8_t)rng_next(r) : 0;
    }
}

/* Between hosts that shall negotiate: to the ports of IKE, and from them to others. */
static void draw_ike(struct rng *r, struct packet *pk)
{
    static const uint16_t ports[] = {500, 4500, 501, 7};
    pk->proto = PROTO_UDP;
    pk->l4_known = true;
    pk->icmp_type = pk->icmp_code = pk->tcp_flags = 0;
    pk->sport = ports[rng_below(r, ARRAY_SIZE(ports))];
    pk->dport = ports[rng_below(r, ARRAY_SIZE(ports))];
}

static void draw_from_filter(struct rng *r, const struct gen_policy *p, struct packet *pk)
{
    const struct filter *f = &p->f[rng_below(r, (uint32_t)p->e.n)];
    bool twin = f->mirrored && once_in(r, 2);
    const struct addr *src = twin ? &f->dst : &f->src, *dst = twin ? &f->src : &f->dst;
    enum family family = filter_family(f);
    if (family == FAMILY_ANY || once_in(r, 32))
        family = once_in(r, 2) ? FAMILY_4 : FAMILY_6;
    pk->family = family;
    bool out = src->kind == ADDR_ME || (dst->kind != ADDR_ME && once_in(r, 3));
    if (once_in(r, 24))
        out = !out;
    pk->meta.dir = out ? DIR_OUT : DIR_IN;
    pk->src = side_ip(r, p, src, pk, /* src= */ true);
    pk->dst = side_ip(r, p, dst, pk, /* src= */ false);
    draw_l4(r, p, f, twin, pk);
    if (filter_effect(f) == ACTION_NEGOTIATE && once_in(r, 4))
        draw_ike(r, pk);
}

/* What failsafe and exemption entries are about. */
static void draw_from_entries(struct rng *r, const struct gen_policy *p, struct packet *pk)
{
    const struct filter_settings *s = &p->settings;
    static const uint16_t ports[][2] = {{67, 68}, {547, 546}, {88, 7}, {7, 88}, {500, 500}};
    bool swap = once_in(r, 2);
    uint32_t i = rng_below(r, ARRAY_SIZE(ports));
    pk->family = i == 1 || once_in(r, 3) ? FAMILY_6 : FAMILY_4;
    pk->proto = PROTO_UDP;
    pk->l4_known = true;
    uint16_t a = ports[i][0], b = ports[i][1];
    struct ip peer = gen_pool_ip(r, p, pk->family);
    if (i == 1)
        peer = gen_ip_in_prefix(r, FAMILY_6, (struct ip){0xfe80000000000000, 0}, 10);
    if (s->n_failsafe && once_in(r, 2)) {
        const struct failsafe *fs = &s->failsafe[rng_below(r, s->n_failsafe)];
        pk->proto = fs->proto;
        a = (uint16_t)rng_next(r);
        b = fs->port;
        if (fs->family != FAMILY_ANY) {
            pk->family = fs->family;
            peer = gen_ip_in_prefix(r, fs->family, fs->prefix, fs->prefix_len);
        } else {
            peer = gen_pool_ip(r, p, pk->family);
        }
    }
    pk->meta.dir = swap ? DIR_OUT : DIR_IN;
    struct ip me = me_ip(r, p, pk, swap);
    pk->src = swap ? me : peer;
    pk->dst = swap ? peer : me;
    pk->sport = swap ? b : a;
    pk->dport = swap ? a : b;
}

/* ICMPv6 messages of policy.md 6. */
static void draw_discovery(struct rng *r, const struct gen_policy *p, struct packet *pk)
{
    pk->family = FAMILY_6;
    pk->meta.dir = once_in(r, 3) ? DIR_OUT : DIR_IN;
    pk->proto = PROTO_ICMPV6;
    pk->l4_known = true;
    pk->icmp_type = (uint8_t)(once_in(r, 3) ? 143 : 129 + rng_below(r, 10));
    pk->icmp_code = (uint8_t)rng_below(r, 2);
    pk->src = gen_ip_in_prefix(r, FAMILY_6, (struct ip){0xfe80000000000000, 0}, 10);
    if (once_in(r, 4))
        pk->src = once_in(r, 2) ? (struct ip){0, 0} : gen_pool_ip(r, p, FAMILY_6);
    pk->dst = me_ip(r, p, pk, /* src= */ false);
    pk->hop_limit = once_in(r, 2) ? 255 : 1;
}

struct packet gen_packet(struct rng *r, const struct gen_policy *p)
{
    struct packet pk = {.hop_limit = once_in(r, 16) ? 255 : 64};
    uint32_t what = rng_below(r, 100);
    if (what < 88)
        draw_from_filter(r, p, &pk);
    else if (what < 96)
        draw_from_entries(r, p, &pk);
    else
        draw_discovery(r, p, &pk);
    const struct host *h = p->e.host;
    if (once_in(r, 12))
        pk.meta.zone = (uint8_t)rng_next(r); /* mostly one that nobody knows */
    else if (h->n_ifaces && !once_in(r, 8))
        pk.meta.zone = h->ifaces[rng_below(r, (uint32_t)h->n_ifaces)].zone;
    pk.meta.accept_local = once_in(r, 8);
    pk.meta.judged = once_in(r, 24);
    pk.source_routed = once_in(r, 100);
    if (once_in(r, 32)) {
        pk.later_fragment = true;
        pk.l4_known = false;
        pk.sport = pk.dport = 0;
        pk.icmp_type = pk.icmp_code = pk.tcp_flags = 0;
    }
    return pk;
}

int gen_count(struct gen_stats *s, const struct effective *e, const struct packet *p,
              const struct verdict *v, uint64_t now_ns)
{
    s->pairs++;
    s->reason[v->reason]++;
    switch (v->decider) {
    case DECIDED_NO_MATCH:
        s->no_match++;
        break;
    case DECIDED_STRUCTURE:
        s->structure++;
        break;
    case DECIDED_EARLIER:
        s->earlier++;
        break;
    case DECIDED_FILTER:
        s->by_filter++;
        s->block += v->block;
        s->permit += !v->block;
        s->tier[v->tier]++;
        break;
    case DECIDED_FAILSAFE:
    case DECIDED_EXEMPTION:
        if (v->weight)
            s->tier[v->tier]++;
        break;
    }
    if (s->pairs % 16)
        return 0;
    struct eval_explanation why;
    int err = eval_explain(e, p, now_ns, &why);
    if (err < 0)
        return err;
    s->sampled++;
    s->several += why.n > 1 && !why.v[1].expired;
    eval_explanation_done(&why);
    return 0;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

void gen_stats_print(const struct gen_stats *s)
{
    printf("%llu pairs, %llu policies: by a filter %.1f %% (block %.1f, permit %.1f), no match "
           "%.1f %%, structure %.1f %%, judged %.1f %%\n",
           (unsigned long long)s->pairs, (unsigned long long)s->policies,
           percent(s->by_filter, s->pairs), percent(s->block, s->pairs),
           percent(s->permit, s->pairs), percent(s->no_match, s->pairs),
           percent(s->structure, s->pairs), percent(s->earlier, s->pairs));
    printf("VLAN tags %.1f %%, options or extension headers %.1f %%, fragments %.1f %%\n",
           percent(s->tagged, s->pairs), percent(s->extended, s->pairs),
           percent(s->fragments, s->pairs));
    printf("among several matches %.1f %%; tiers: ordinary %.1f %%, override %.1f %%, exemption "
           "%.2f %%, failsafe %.2f %%\nreasons:",
           percent(s->several, s->sampled), percent(s->tier[TIER_ORDINARY], s->pairs),
           percent(s->tier[TIER_OVERRIDE], s->pairs), percent(s->tier[TIER_EXEMPTION], s->pairs),
           percent(s->tier[TIER_FAILSAFE], s->pairs));
    for (unsigned i = 1; i < _DROP_REASON_MAX; i++)
        if (s->reason[i])
            printf(" %s %llu", drop_reason_name((enum drop_reason)i),
                   (unsigned long long)s->reason[i]);
    printf("\n");
}

static unsigned missed(const char *what, uint64_t part, uint64_t whole, double at_least)
{
    if (part > 0 && percent(part, whole) >= at_least)
        return 0;
    printf("quota missed: %s %.2f %%, wanted %.2f %%\n", what, percent(part, whole), at_least);
    return 1;
}

unsigned gen_stats_missed(const struct gen_stats *s)
{
    return missed("decided by a filter", s->by_filter, s->pairs, 50) +
           missed("decided among several matches", s->several, s->sampled, 10) +
           missed("blocked by a filter", s->block, s->pairs, 10) +
           missed("permitted by a filter", s->permit, s->pairs, 10) +
           missed("denied unless negotiated", s->reason[DROP_NO_SA], s->pairs, 1) +
           missed("VLAN tags", s->tagged, s->pairs, 3) +
           missed("options or extension headers", s->extended, s->pairs, 3) +
           missed("fragments", s->fragments, s->pairs, 3) +
           missed("tier ordinary", s->tier[TIER_ORDINARY], s->pairs, 1) +
           missed("tier override", s->tier[TIER_OVERRIDE], s->pairs, 1) +
           missed("tier exemption", s->tier[TIER_EXEMPTION], s->pairs, 0.5) +
           missed("tier failsafe", s->tier[TIER_FAILSAFE], s->pairs, 0.5);
}
