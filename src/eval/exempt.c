/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/exempt.c: failsafe (policy.md 3) and the default exemptions (policy.md 6), in the order of
 * their tables. Rows that are structure (ICMPv6) are predicates on the packet; rows that are
 * entries become filters and go through match_filter() like any other. Called by eval.c. */
#include <string.h>

#include "internal.h"

bool is_neighbour_discovery(const struct packet *p)
{
    return p->family == FAMILY_6 && p->proto == PROTO_ICMPV6 && p->l4_known &&
           p->hop_limit == 255 && (p->icmp_type == 135 || p->icmp_type == 136);
}

static bool is_link_local_or_unspecified(struct ip ip)
{
    return ip_in_prefix(FAMILY_6, ip, (struct ip){0xfe80000000000000, 0}, 10) ||
           ip_eq(ip, (struct ip){0, 0});
}

const char *typed_exemption(const struct packet *p)
{
    if (p->family != FAMILY_6 || p->proto != PROTO_ICMPV6 || !p->l4_known)
        return NULL;
    switch (p->icmp_type) {
    case 133:
    case 134:
    case 137:
        return p->hop_limit == 255 ? "router discovery" : NULL;
    case 130:
    case 131:
    case 132:
    case 143:
        return p->hop_limit == 1 && is_link_local_or_unspecified(p->src) ? "multicast listener"
                                                                         : NULL;
    default:
        return NULL;
    }
}

/* One entry as a filter. The port sets point into the struct, so it must not be copied. */
struct entry {
    struct filter f;
    struct port_range sport, dport;
    char interface[sizeof(((struct iface *)0)->name) + 1];
};

static void entry_init(struct entry *x, int16_t proto, struct addr src, struct addr dst)
{
    memset(x, 0, sizeof(*x));
    filter_init(&x->f);
    x->f.action = ACTION_PERMIT;
    x->f.proto = proto;
    x->f.src = src;
    x->f.dst = dst;
}

static void entry_dport(struct entry *x, uint16_t port)
{
    x->dport = (struct port_range){port, port};
    x->f.dport = (struct portset){.n = 1, .range = &x->dport};
}

static void entry_sport(struct entry *x, uint16_t port)
{
    x->sport = (struct port_range){port, port};
    x->f.sport = (struct portset){.n = 1, .range = &x->sport};
}

/* `in PROTO from ADDR to me port PORT` and its twin. */
void match_failsafe(const struct query *q, match_visitor *visit, void *arg)
{
    const struct filter_settings *s = q->e->settings;
    for (unsigned i = 0; i < s->n_failsafe; i++) {
        const struct failsafe *fs = &s->failsafe[i];
        struct addr from = fs->family == FAMILY_ANY
                               ? addr_any()
                               : addr_prefix(fs->family, fs->prefix, fs->prefix_len);
        struct entry x;
        entry_init(&x, fs->proto, from, addr_me());
        entry_dport(&x, fs->port);
        x.f.mirrored = true;
        struct origin o = {
            .tier = TIER_FAILSAFE, .index = SIZE_MAX, .entry = "failsafe", .failsafe = i};
        match_filter(q, &x.f, &o, visit, arg);
    }
}

static void match_entry(const struct query *q, const struct entry *x, const char *name,
                        match_visitor *visit, void *arg)
{
    struct origin o = {
        .tier = TIER_EXEMPTION, .index = SIZE_MAX, .entry = name, .failsafe = SIZE_MAX};
    match_filter(q, &x->f, &o, visit, arg);
}

/* `udp from SERVER port A to me port B on IF` and its twin, what the client sends. */
static void match_dhcp_entry(const struct query *q, const struct iface *i, struct addr server,
                             const uint16_t ports[2], match_visitor *visit, void *arg)
{
    struct entry x;
    entry_init(&x, PROTO_UDP, server, addr_me());
    entry_sport(&x, ports[0]);
    entry_dport(&x, ports[1]);
    memcpy(x.interface, i->name, sizeof(i->name));
    x.f.interface = x.interface;
    match_entry(q, &x, "dhcp client", visit, arg);
}

static void match_dhcp_request(const struct query *q, const struct iface *i, enum family family,
                               const uint16_t ports[2], match_visitor *visit, void *arg)
{
    struct entry x;
    entry_init(&x, PROTO_UDP, addr_me(), addr_prefix(family, (struct ip){0, 0}, 0));
    entry_sport(&x, ports[1]);
    entry_dport(&x, ports[0]);
    memcpy(x.interface, i->name, sizeof(i->name));
    x.f.interface = x.interface;
    match_entry(q, &x, "dhcp client", visit, arg);
}

static void match_dhcp(const struct query *q, match_visitor *visit, void *arg)
{
    static const uint16_t ports4[2] = {67, 68}, ports6[2] = {547, 546};
    const struct host *h = q->e->host;
    for (size_t n = 0; !q->e->settings->dhcp_client_off && n < h->n_ifaces; n++) {
        const struct iface *i = &h->ifaces[n];
        if (!i->zone)
            continue;
        if (i->dhcp4) {
            struct addr any4 = addr_prefix(FAMILY_4, (struct ip){0, 0}, 0);
            match_dhcp_entry(q, i, any4, ports4, visit, arg);
            match_dhcp_request(q, i, FAMILY_4, ports4, visit, arg);
        }
        if (i->dhcp6) {
            struct addr link = addr_prefix(FAMILY_6, (struct ip){0xfe80000000000000, 0}, 10);
            match_dhcp_entry(q, i, link, ports6, visit, arg);
            match_dhcp_request(q, i, FAMILY_6, ports6, visit, arg);
        }
    }
}

static void match_destination(const struct query *q, struct addr dst, const char *name,
                              match_visitor *visit, void *arg)
{
    struct entry x;
    entry_init(&x, PROTO_ANY, addr_any(), dst);
    match_entry(q, &x, name, visit, arg);
}

static void match_multicast_broadcast(const struct query *q, match_visitor *visit, void *arg)
{
    const struct host *h = q->e->host;
    struct ip group4 = {0, 0xe0000000}, group6 = {0xff00000000000000, 0}, all = {0, 0xffffffff};
    match_destination(q, addr_prefix(FAMILY_4, group4, 4), "multicast", visit, arg);
    match_destination(q, addr_prefix(FAMILY_6, group6, 8), "multicast", visit, arg);
    match_destination(q, addr_host(FAMILY_4, all), "broadcast", visit, arg);
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *r = &h->local[i];
        if (r->kind == LOCAL_BROADCAST)
            match_destination(q, addr_prefix(r->family, r->prefix, r->prefix_len), "broadcast",
                              visit, arg);
    }
}

static void match_rsvp_kerberos(const struct query *q, match_visitor *visit, void *arg)
{
    static const int16_t protocols[] = {PROTO_TCP, PROTO_UDP};
    struct entry rsvp;
    entry_init(&rsvp, PROTO_RSVP, addr_any(), addr_any());
    match_entry(q, &rsvp, "rsvp", visit, arg);
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        struct entry kerberos;
        entry_init(&kerberos, protocols[i], addr_any(), addr_any());
        entry_dport(&kerberos, 88);
        kerberos.f.mirrored = true; /* source or destination port */
        match_entry(q, &kerberos, "kerberos", visit, arg);
    }
}

static void match_ike_to(const struct query *q, const struct addr *from, const struct addr *to,
                         match_visitor *visit, void *arg)
{
    static const uint16_t ports[] = {500, 4500};
    bool answers = from->kind != ADDR_ME && (to->kind == ADDR_ME || to->kind == ADDR_ANY);
    for (size_t n = 0; n < ARRAY_SIZE(ports); n++) {
        struct entry there, answer;
        entry_init(&there, PROTO_UDP, *from, *to);
        entry_dport(&there, ports[n]);
        match_entry(q, &there, "ike", visit, arg);
        if (!answers)
            continue;
        entry_init(&answer, PROTO_UDP, addr_me(), *from);
        entry_sport(&answer, ports[n]);
        match_entry(q, &answer, "ike", visit, arg);
    }
}

/* To UDP 500 and 4500, both ways, between hosts that have a filter which negotiates; and from
 * these ports what this host answers. Never from them to other ports of this host: whoever chose
 * such a source port would bypass every filter. */
static void match_ike(const struct query *q, match_visitor *visit, void *arg)
{
    for (size_t i = 0; i < q->e->n; i++) {
        const struct filter *f = q->e->v[i].filter;
        if (f->action != ACTION_NEGOTIATE && !f->inpass)
            continue;
        match_ike_to(q, &f->src, &f->dst, visit, arg);
        match_ike_to(q, &f->dst, &f->src, visit, arg);
    }
}

void match_exemptions(const struct query *q, match_visitor *visit, void *arg)
{
    uint8_t level = q->e->settings->exempt;
    match_dhcp(q, visit, arg);
    if (level == 0 || level == 1)
        match_multicast_broadcast(q, visit, arg);
    if (level == 0 || level == 2)
        match_rsvp_kerberos(q, visit, arg);
    match_ike(q, visit, arg);
}
