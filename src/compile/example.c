/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/example.c: from packets to points of the space and back.
 * Called for every finding and every change that is shown, and by whoever asks whether a packet
 * is in a set. Invariant: an example lies in its box, and eval, given the same host, sees it
 * where the box has it, if the host can have such a packet at all. */
#include <string.h>

#include "analysis.h"

enum {
    PORT_EPHEMERAL = 49152, /* RFC 6335 6: what policy.md 8 takes for a source port not given */
    PORT_HTTP = 80,
    ICMP_ECHO = 8,
    ICMPV6_ECHO = 128,
    TCP_SYN = 2, /* RFC 9293 3.1 */
    HOP_LIMIT = 64,
};

/* --- packet -> point --- */

static const struct iface *iface_of_zone(const struct host *h, uint8_t zone)
{
    for (size_t i = 0; zone && i < h->n_ifaces; i++) {
        if (h->ifaces[i].zone == zone)
            return &h->ifaces[i];
    }
    return NULL;
}

/* An interface that no filter names, or nobody knows, has the number after the last. */
static uint16_t name_of(const struct iface *iface, const struct packetset *names)
{
    for (uint16_t i = 0; iface && i < names->n_names; i++) {
        if (strncmp(names->names[i], iface->name, sizeof(iface->name)) == 0)
            return i;
    }
    return names->n_names;
}

/* One that nobody knows is taken for a public one of a lan. */
static uint8_t profile_of(const struct iface *iface)
{
    if (!iface)
        return BOX_PROFILE(PROFILE_PUBLIC, false);
    return (uint8_t)BOX_PROFILE(iface_profile(iface), ifname_is_dialup(iface->name));
}

static bool is_link_local_or_unspecified(struct ip ip)
{
    return ip.hi >> 54 == 0xfe80 >> 6 || (ip.hi == 0 && ip.lo == 0);
}

/* The rows of policy.md 6 that only a filter with an ICMPv6 type can block. */
static bool is_special(const struct packet *p)
{
    if (p->family != FAMILY_6 || p->proto != PROTO_ICMPV6 || !p->l4_known)
        return false;
    unsigned t = p->icmp_type;
    if (t == 133 || t == 134 || t == 137)
        return p->hop_limit == 255;
    return ((t >= 130 && t <= 132) || t == 143) && p->hop_limit == 1 &&
           is_link_local_or_unspecified(p->src);
}

struct box box_of_packet(const struct packet *p, unsigned class, const struct host *host,
                         const struct packetset *names)
{
    const struct iface *iface = iface_of_zone(host, p->meta.zone);
    bool icmp = p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6;
    bool has_l4 = icmp || proto_has_ports(p->proto);
    bool known = has_l4 ? p->l4_known : !p->later_fragment;
    struct box b = {
        .family = p->family,
        .class = (uint8_t) class,
        .l4 = known ? L4_KNOWN : L4_FRAGMENT,
        .special = is_special(p) ? SPECIAL_YES : SPECIAL_NO,
        .profiles = profile_of(iface),
        .if_first = name_of(iface, names),
        .src_first = p->src,
        .src_last = p->src,
        .dst_first = p->dst,
        .dst_last = p->dst,
    };
    b.if_last = b.if_first;
    b.proto[p->proto / 64] = 1ULL << p->proto % 64;
    if (known && has_l4) {
        uint16_t type = (uint16_t)(p->icmp_type << 8 | p->icmp_code);
        b.sport_first = (uint16_t)(icmp ? 0 : p->sport);
        b.dport_first = (uint16_t)(icmp ? type : p->dport);
    }
    b.sport_last = b.sport_first;
    b.dport_last = b.dport_first;
    return b;
}

/* --- box -> packet --- */

static bool in_range(struct ip ip, struct ip first, struct ip last)
{
    return ip_cmp(first, ip) <= 0 && ip_cmp(ip, last) <= 0;
}

static bool is_loopback(enum family f, struct ip ip)
{
    return f == FAMILY_4 ? ip.lo >> 24 == 127 : ip.hi == 0 && ip.lo == 1;
}

static bool is_group(enum family f, struct ip ip)
{
    return f == FAMILY_4 ? ip.lo >> 28 == 0xe || ip.lo == UINT32_MAX : ip.hi >> 56 == 0xff;
}

static struct ip route_last(const struct local_route *r)
{
    return ip_or(r->prefix, ip_not(r->family, ip_mask(r->family, r->prefix_len)));
}

/* Kind of the longest local prefix; of two equal ones the first kind. */
static enum local_kind kind_of(const struct host *h, enum family f, struct ip ip)
{
    const struct local_route *best = NULL;
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *r = &h->local[i];
        if (r->family != f || !in_range(ip, r->prefix, route_last(r)))
            continue;
        if (!best || r->prefix_len > best->prefix_len ||
            (r->prefix_len == best->prefix_len && r->kind < best->kind))
            best = r;
    }
    return best ? best->kind : LOCAL_NONE;
}

enum wanted {
    WANT_LOCAL,   /* a unicast address of the host */
    WANT_FOREIGN, /* neither of the host nor of a group */
};

static bool is_wanted(const struct host *h, enum family f, struct ip ip, enum wanted w)
{
    if (is_loopback(f, ip))
        return false;
    enum local_kind kind = kind_of(h, f, ip);
    return w == WANT_LOCAL ? kind == LOCAL_UNICAST : kind == LOCAL_NONE && !is_group(f, ip);
}

struct range {
    enum family family;
    struct ip first, last;
};

static bool take_if(const struct host *h, const struct range *r, struct ip ip, enum wanted w,
                    struct ip *ret)
{
    if (!in_range(ip, r->first, r->last) || !is_wanted(h, r->family, ip, w))
        return false;
    *ret = ip;
    return true;
}

/* Addresses that people recognise (RFC 5737, 3849), ends and middle of the range, neighbours of
 * local prefixes. False: none of them is wanted, *ret is the first of the range. */
static bool pick_address(const struct host *h, const struct range *r, enum wanted w, struct ip *ret)
{
    static const struct ip known4[] = {{0, 0xc6336401}, {0, 0xcb007101}, {0, 0x0a000001}};
    static const struct ip known6[] = {{0x20010db800000000, 1}, {0x20010db800010000, 1}};
    const struct ip *known = r->family == FAMILY_4 ? known4 : known6;
    unsigned n_known = r->family == FAMILY_4 ? ARRAY_SIZE(known4) : ARRAY_SIZE(known6);
    bool whole = ip_eq(r->first, (struct ip){0}) && ip_eq(r->last, ip_not(r->family, r->first));
    struct ip first1 = ip_add1(r->first), last1 = ip_sub1(r->last);
    const struct ip ends[] = {first1, r->first, r->last, last1, ip_add1(first1)};
    *ret = r->first;
    for (unsigned i = 0; whole && i < n_known; i++) {
        if (take_if(h, r, known[i], w, ret))
            return true;
    }
    for (unsigned i = ip_eq(r->first, r->last); i < ARRAY_SIZE(ends); i++) {
        if (take_if(h, r, ends[i], w, ret))
            return true;
    }
    for (unsigned i = 0; i < n_known; i++) {
        if (take_if(h, r, known[i], w, ret))
            return true;
    }
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *l = &h->local[i];
        if (l->family == r->family &&
            (take_if(h, r, l->prefix, w, ret) || take_if(h, r, route_last(l), w, ret) ||
             take_if(h, r, ip_add1(l->prefix), w, ret) ||
             take_if(h, r, ip_add1(route_last(l)), w, ret) ||
             take_if(h, r, ip_sub1(l->prefix), w, ret)))
            return true;
    }
    return false;
}

static void pick_addresses(const struct box *b, const struct host *h, struct example *x)
{
    const struct range src = {b->family, b->src_first, b->src_last};
    const struct range dst = {b->family, b->dst_first, b->dst_last};
    struct packet *p = &x->packet;
    p->family = b->family;
    x->dst_me = b->class & CLASS_TO_ME;
    x->src_me = !x->dst_me && b->class & CLASS_FROM_ME;
    if (x->src_me) {
        p->meta.dir = DIR_OUT;
        (void)pick_address(h, &src, WANT_LOCAL, &p->src);
        (void)pick_address(h, &dst, WANT_FOREIGN, &p->dst);
        return;
    }
    p->meta.accept_local = !pick_address(h, &src, WANT_FOREIGN, &p->src);
    if (x->dst_me) {
        p->meta.to_host = !pick_address(h, &dst, WANT_LOCAL, &p->dst);
        return;
    }
    /* Where every destination of the box is this host's, it is other only on the way out. */
    if (!pick_address(h, &dst, WANT_FOREIGN, &p->dst)) {
        p->meta.dir = DIR_OUT;
        p->meta.accept_local = false;
    }
}

static uint8_t pick_protocol(const struct box *b)
{
    const uint8_t liked[] = {PROTO_TCP, PROTO_UDP,
                             b->family == FAMILY_4 ? PROTO_ICMP : PROTO_ICMPV6};
    for (unsigned i = 0; i < ARRAY_SIZE(liked); i++) {
        if (b->proto[liked[i] / 64] >> liked[i] % 64 & 1)
            return liked[i];
    }
    for (unsigned i = 0; i < ARRAY_SIZE(b->proto); i++) {
        if (b->proto[i])
            return (uint8_t)(64 * i + (unsigned)__builtin_ctzll(b->proto[i]));
    }
    return 0;
}

static uint16_t pick_number(uint16_t first, uint16_t last, unsigned liked)
{
    if (first <= liked && liked <= last)
        return (uint16_t)liked;
    return first == 0 && last > 0 ? 1 : first;
}

static void pick_l4(const struct box *b, struct packet *p)
{
    p->proto = pick_protocol(b);
    p->hop_limit = HOP_LIMIT;
    bool icmp = p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6;
    if (!(b->l4 & L4_KNOWN)) {
        p->later_fragment = true;
        return;
    }
    p->l4_known = icmp || proto_has_ports(p->proto);
    if (icmp) {
        unsigned echo = p->proto == PROTO_ICMP ? ICMP_ECHO : ICMPV6_ECHO;
        bool has_echo = b->dport_first <= echo << 8 && echo << 8 <= b->dport_last;
        unsigned value = has_echo ? echo << 8 : b->dport_first;
        p->icmp_type = (uint8_t)(value >> 8);
        p->icmp_code = (uint8_t)value;
        if (b->special == SPECIAL_YES)
            p->hop_limit =
                p->icmp_type == 133 || p->icmp_type == 134 || p->icmp_type == 137 ? 255 : 1;
    } else if (p->l4_known) {
        p->sport = pick_number(b->sport_first, b->sport_last, PORT_EPHEMERAL);
        p->dport = pick_number(b->dport_first, b->dport_last, PORT_HTTP);
    }
    p->tcp_flags = p->proto == PROTO_TCP ? TCP_SYN : 0;
}

static void pick_place(const struct box *b, const struct packetset *names, const struct host *h,
                       struct example *x)
{
    bool anywhere = b->if_first == 0 && b->if_last == names->n_names;
    for (size_t i = 0; i < h->n_ifaces; i++) {
        const struct iface *iface = &h->ifaces[i];
        uint16_t name = name_of(iface, names);
        if (!iface->zone || name < b->if_first || name > b->if_last ||
            !(profile_of(iface) & b->profiles))
            continue;
        x->packet.meta.zone = iface->zone;
        if (!anywhere)
            memcpy(x->interface, iface->name, sizeof(x->interface) - 1);
        return;
    }
    if (!anywhere && b->if_first < names->n_names)
        memcpy(x->interface, names->names[b->if_first], sizeof(x->interface) - 1);
}

struct example box_example(const struct box *b, const struct packetset *names,
                           const struct host *host)
{
    struct example x = {.src_me = false};
    pick_addresses(b, host, &x);
    pick_l4(b, &x.packet);
    pick_place(b, names, host, &x);
    return x;
}
