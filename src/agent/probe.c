/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/probe.c: makes the packets that a new generation is asked about before it decides.
 * Called by selftest.c. Pure. Invariant: every packet can be built as a frame by
 * eval_build_frame(). */
#include "probe.h"

#include "expand.h"
#include "model/proto.h"

static struct ip ip_random(enum family f, struct rng *r)
{
    struct ip ip = {f == FAMILY_6 ? 0x20010db800000000ULL | (rng_next(r) >> 40) : 0, rng_next(r)};
    if (f == FAMILY_4)
        ip.lo = (uint32_t)ip.lo;
    return ip;
}

/* An address of the host, or a random one if it has none of this family. */
static struct ip ip_of_host(const struct host *h, enum family f, struct rng *r)
{
    size_t n = h->n_local, first = n > 0 ? rng_below(r, (uint32_t)n) : 0;
    for (size_t i = 0; i < n; i++) {
        const struct local_route *l = &h->local[(first + i) % n];
        if (l->family == f && l->kind != LOCAL_NONE)
            return l->prefix;
    }
    return ip_random(f, r);
}

static void addr_bounds(const struct addr *a, struct ip *ret_first, struct ip *ret_last)
{
    *ret_first = *ret_last = a->first;
    if (a->kind == ADDR_RANGE)
        *ret_last = a->last;
    else if (a->kind == ADDR_PREFIX)
        *ret_last = ip_or(a->first, ip_not(a->family, ip_mask(a->family, a->prefix_len)));
}

static bool addr_has_bounds(const struct addr *a)
{
    return a->kind == ADDR_HOST || a->kind == ADDR_PREFIX || a->kind == ADDR_RANGE;
}

static struct ip ip_inside(const struct addr *a, enum family f, const struct host *h, struct rng *r)
{
    if (a->kind == ADDR_ME)
        return ip_of_host(h, f, r);
    if (!addr_has_bounds(a) || a->family != f)
        return rng_below(r, 4) ? ip_random(f, r) : ip_of_host(h, f, r);
    struct ip first, last;
    addr_bounds(a, &first, &last);
    switch (rng_below(r, 3)) {
    case 0:
        return first;
    case 1:
        return last;
    default:
        return ip_eq(first, last) ? first : ip_add1(first);
    }
}

static uint16_t port_inside(const struct port_range *p, struct rng *r)
{
    /* What exemptions and services use, and ports of nobody. */
    static const uint16_t often[] = {0, 53, 67, 68, 88, 135, 500, 546, 547, 4500, 49152, 65535};
    if (!p)
        return rng_below(r, 2) ? often[rng_below(r, ARRAY_SIZE(often))] : (uint16_t)rng_next(r);
    return rng_below(r, 2) ? p->first : p->last;
}

/* Direction and interface that fit the addresses; now and then ones that do not. */
static void set_meta(struct packet *p, const struct host *h, bool src_me, bool dst_me,
                     struct rng *r)
{
    p->meta.dir = src_me && !dst_me ? DIR_OUT : DIR_IN;
    if (rng_below(r, 16) == 0)
        p->meta.dir = p->meta.dir == DIR_IN ? DIR_OUT : DIR_IN;
    p->meta.to_host = p->meta.dir == DIR_IN && rng_below(r, 8) == 0;
    p->meta.judged = p->meta.dir == DIR_OUT && rng_below(r, 16) == 0;
    if (h->n_ifaces > 0)
        p->meta.zone = h->ifaces[rng_below(r, (uint32_t)h->n_ifaces)].zone;
}

static void set_l4(struct packet *p, struct rng *r)
{
    /* Types of policy.md 6 and echo. */
    static const uint8_t types6[] = {1, 128, 129, 130, 132, 133, 134, 135, 136, 137, 143};
    static const uint8_t types4[] = {0, 3, 8, 11};
    p->l4_known = proto_has_ports(p->proto) || p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6;
    p->hop_limit = rng_below(r, 3) ? 64 : 255;
    if (p->proto == PROTO_TCP)
        p->tcp_flags = rng_below(r, 2) ? 0x02 : 0x10; /* SYN or ACK (RFC 9293) */
    if (p->proto == PROTO_ICMPV6) {
        p->icmp_type = types6[rng_below(r, ARRAY_SIZE(types6))];
        if (p->icmp_type >= 130 && rng_below(r, 2))
            p->hop_limit = rng_below(r, 2) ? 255 : 1;
    } else if (p->proto == PROTO_ICMP) {
        p->icmp_type = types4[rng_below(r, ARRAY_SIZE(types4))];
    }
    if (!proto_has_ports(p->proto))
        p->sport = p->dport = 0;
}

static uint8_t random_proto(struct rng *r)
{
    static const uint8_t often[] = {PROTO_TCP,  PROTO_UDP, PROTO_ICMP, PROTO_ICMPV6,
                                    PROTO_RSVP, PROTO_GRE, PROTO_SCTP, PROTO_UDPLITE};
    return often[rng_below(r, ARRAY_SIZE(often))];
}

/* The protocol of a filter, or one that its other fields need. Extension headers of IPv6 are no
 * protocols of their own and cannot be built as such. */
static uint8_t proto_of(const struct filter *f, struct rng *r)
{
    if (f->proto == 0 || f->proto == 43 || f->proto == 44 || f->proto == 60 || f->proto == 51 ||
        f->proto == 135 || f->proto == 139 || f->proto == 140)
        return PROTO_TCP;
    return f->proto == PROTO_ANY ? random_proto(r) : (uint8_t)f->proto;
}

static struct packet base_packet(const struct filter *f, const struct expansion *x,
                                 const struct host *h, struct rng *r)
{
    enum family family = filter_family(f);
    if (family == FAMILY_ANY)
        family = rng_below(r, 2) ? FAMILY_4 : FAMILY_6;
    struct packet p = {.family = family, .proto = proto_of(f, r)};
    p.src = ip_inside(x->src, family, h, r);
    p.dst = ip_inside(x->dst, family, h, r);
    p.sport = port_inside(x->sport, r);
    p.dport = port_inside(x->dport, r);
    set_l4(&p, r);
    if (f->icmp_type >= 0)
        p.icmp_type = (uint8_t)f->icmp_type;
    if (f->icmp_code >= 0)
        p.icmp_code = (uint8_t)f->icmp_code;
    set_meta(&p, h, x->src->kind == ADDR_ME, x->dst->kind == ADDR_ME, r);
    return p;
}

/* Nobody's address: TEST-NET-3 (RFC 5737), or out of 2001:db8::/32 (RFC 3849). */
static struct ip ip_of_nobody(enum family f, struct rng *r)
{
    uint64_t low = rng_below(r, 256);
    return f == FAMILY_4 ? (struct ip){0, 0xcb007100 + low}
                         : (struct ip){0x20010db8ffff0000ULL, low};
}

/* A packet in the middle of the filter that no exemption, tag or martian rule is about, so that
 * each filter is asked about at least once for its own sake. */
static struct packet plain_packet(const struct packet *base, const struct expansion *x,
                                  struct rng *r)
{
    struct packet p = *base;
    bool out = x->src->kind == ADDR_ME && x->dst->kind != ADDR_ME;
    p.meta = (struct packet_meta){.dir = out ? DIR_OUT : DIR_IN, .zone = base->meta.zone};
    if (x->src->kind == ADDR_ANY)
        p.src = ip_of_nobody(p.family, r);
    if (x->dst->kind == ADDR_ANY)
        p.dst = ip_of_nobody(p.family, r);
    if (!x->sport && proto_has_ports(p.proto))
        p.sport = (uint16_t)(40000 + rng_below(r, 1000));
    if (!x->dport && proto_has_ports(p.proto))
        p.dport = (uint16_t)(41000 + rng_below(r, 1000));
    return p;
}

static unsigned address_corners(const struct addr *a, bool source, const struct packet *base,
                                struct packet *out)
{
    struct ip first, last;
    if (!addr_has_bounds(a))
        return 0;
    addr_bounds(a, &first, &last);
    const struct ip at[] = {first, last, ip_sub1(first), ip_add1(last)};
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        struct ip ip = base->family == FAMILY_4 ? (struct ip){0, (uint32_t)at[i].lo} : at[i];
        out[i] = *base;
        *(source ? &out[i].src : &out[i].dst) = ip;
    }
    return ARRAY_SIZE(at);
}

static unsigned port_corners(const struct port_range *range, bool source, const struct packet *base,
                             struct packet *out)
{
    if (!range)
        return 0;
    const uint16_t at[] = {range->first, range->last, (uint16_t)(range->first - 1),
                           (uint16_t)(range->last + 1)};
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        out[i] = *base;
        *(source ? &out[i].sport : &out[i].dport) = at[i];
    }
    return ARRAY_SIZE(at);
}

unsigned probe_corners(const struct filter *f, const struct host *h, struct rng *r,
                       struct packet out[PROBE_CORNERS_MAX])
{
    struct expansion x = expansion_at(f, rng_below(r, expansion_count(f)));
    struct packet base = base_packet(f, &x, h, r);
    unsigned n = 0;
    out[n++] = plain_packet(&base, &x, r);
    out[n++] = base;
    n += address_corners(x.src, true, &base, &out[n]);
    n += address_corners(x.dst, false, &base, &out[n]);
    n += port_corners(x.sport, true, &base, &out[n]);
    n += port_corners(x.dport, false, &base, &out[n]);
    if (f->proto != PROTO_ANY) {
        out[n] = base;
        out[n].proto = base.proto == PROTO_UDP ? PROTO_TCP : PROTO_UDP;
        set_l4(&out[n++], r);
    }
    if (f->icmp_type >= 0) {
        out[n] = base;
        out[n++].icmp_type++;
        out[n] = base;
        out[n++].icmp_code++;
    }
    out[n] = base;
    out[n].meta.dir = base.meta.dir == DIR_IN ? DIR_OUT : DIR_IN;
    out[n].meta.to_host = out[n].meta.judged = false;
    return n + 1;
}

struct packet probe_random(const struct filter *a, const struct filter *b, const struct host *h,
                           struct rng *r)
{
    struct filter any;
    filter_init(&any);
    const struct filter *fa = a ? a : &any, *fb = b ? b : &any;
    struct expansion xa = expansion_at(fa, rng_below(r, expansion_count(fa)));
    struct expansion xb = expansion_at(fb, rng_below(r, expansion_count(fb)));
    struct packet p = base_packet(fa, &xa, h, r), q = base_packet(fb, &xb, h, r);
    if (p.family == q.family && rng_below(r, 2))
        p.dst = q.dst;
    if (rng_below(r, 4) == 0)
        p.dport = q.dport;
    if (rng_below(r, 4) == 0)
        p.sport = q.sport;
    if (rng_below(r, 4) == 0)
        p.proto = q.proto;
    uint8_t type = p.icmp_type, code = p.icmp_code;
    set_l4(&p, r);
    if (rng_below(r, 2)) {
        p.icmp_type = type;
        p.icmp_code = code;
    }
    return p;
}
