/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/derive.c: what nobody wrote as a filter and still permits: failsafe entries (policy.md
 * 3), the level's exemptions and the DHCP client entries (policy.md 6).
 * Called by expand.c for images and by rules.c for analysis. Invariant: every entry is a permit
 * of a tier above the filters, and a pure function of settings, host and filters. */
#include "derive.h"

#include <string.h>

enum {
    PORT_KERBEROS = 88,
    PORT_DHCP_SERVER = 67, /* RFC 2131 4.1 */
    PORT_DHCP_CLIENT = 68,
    PORT_DHCP6_CLIENT = 546, /* RFC 8415 7.2 */
    PORT_DHCP6_SERVER = 547,
    PORT_IKE = 500, /* RFC 7296 2 */
    PORT_IKE_NAT = 4500,
};

struct deriver {
    const struct effective *e;
    derived_fn *emit;
    void *arg;
};

static int derive(const struct deriver *b, const struct derived *x)
{
    return b->emit(b->arg, x);
}

static struct filter permit(int16_t proto, struct addr src, struct addr dst)
{
    struct filter f;
    filter_init(&f);
    f.action = ACTION_PERMIT;
    f.proto = proto;
    f.src = src;
    f.dst = dst;
    return f;
}

static int derive_failsafe(const struct deriver *b)
{
    const struct filter_settings *set = b->e->settings;
    int r = 0;
    for (unsigned i = 0; i < set->n_failsafe && r == 0; i++) {
        const struct failsafe *fs = &set->failsafe[i];
        struct addr from = fs->family == FAMILY_ANY
                               ? addr_any()
                               : addr_prefix(fs->family, fs->prefix, fs->prefix_len);
        struct port_range port = {fs->port, fs->port};
        struct filter f = permit(fs->proto, from, addr_me());
        f.dport = (struct portset){.n = 1, .range = &port};
        f.mirrored = true;
        r = derive(b, &(struct derived){.f = &f, .tier = TIER_FAILSAFE, .failsafe = i});
    }
    return r;
}

static int derive_to(const struct deriver *b, struct addr dst)
{
    struct filter f = permit(PROTO_ANY, addr_any(), dst);
    return derive(b, &(struct derived){.f = &f, .tier = TIER_EXEMPTION});
}

static int derive_broadcast_multicast(const struct deriver *b)
{
    int r = derive_to(b, addr_prefix(FAMILY_4, (struct ip){.lo = 0xe0000000}, 4)); /* RFC 5771 */
    if (r == 0)
        r = derive_to(b, addr_prefix(FAMILY_6, (struct ip){.hi = 0xffULL << 56}, 8)); /* RFC 4291 */
    if (r == 0)
        r = derive_to(b, addr_host(FAMILY_4, (struct ip){.lo = 0xffffffff})); /* RFC 919 */
    const struct host *h = b->e->host;
    for (size_t i = 0; i < h->n_local && r == 0; i++) {
        const struct local_route *l = &h->local[i];
        if (l->kind == LOCAL_BROADCAST)
            r = derive_to(b, addr_prefix(l->family, l->prefix, l->prefix_len));
    }
    return r;
}

static int derive_rsvp_kerberos(const struct deriver *b)
{
    static const int16_t protos[] = {PROTO_TCP, PROTO_UDP};
    struct filter rsvp = permit(PROTO_RSVP, addr_any(), addr_any());
    int r = derive(b, &(struct derived){.f = &rsvp, .tier = TIER_EXEMPTION});
    for (unsigned i = 0; i < ARRAY_SIZE(protos) && r == 0; i++) {
        struct port_range port = {PORT_KERBEROS, PORT_KERBEROS};
        struct filter f = permit(protos[i], addr_any(), addr_any());
        f.dport = (struct portset){.n = 1, .range = &port};
        f.mirrored = true;
        r = derive(b, &(struct derived){.f = &f, .tier = TIER_EXEMPTION});
    }
    return r;
}

/* Levels of NoDefaultExempt. */
static int derive_level(const struct deriver *b)
{
    unsigned level = b->e->settings->exempt;
    int r = 0;
    if (level == 0 || level == 1)
        r = derive_broadcast_multicast(b);
    if (r == 0 && (level == 0 || level == 2))
        r = derive_rsvp_kerberos(b);
    return r;
}

/* UDP between two ports, in (from server to me) and out (from me to any). */
static int derive_dhcp(const struct deriver *b, const struct iface *iface, struct addr server,
                       struct addr any, const uint16_t port[2])
{
    struct port_range server_port = {port[0], port[0]}, client_port = {port[1], port[1]};
    struct portset server_ports = {.n = 1, .range = &server_port};
    struct portset client_ports = {.n = 1, .range = &client_port};
    char name[sizeof(iface->name)];
    memcpy(name, iface->name, sizeof(name)); /* the name alone gives the weight of "on IF" */

    struct filter in = permit(PROTO_UDP, server, addr_me());
    in.sport = server_ports;
    in.dport = client_ports;
    in.interface = name;
    int r = derive(b, &(struct derived){.f = &in, .tier = TIER_EXEMPTION, .zone = iface->zone});
    if (r < 0)
        return r;
    struct filter out = permit(PROTO_UDP, addr_me(), any);
    out.sport = client_ports;
    out.dport = server_ports;
    out.interface = name;
    return derive(b, &(struct derived){.f = &out, .tier = TIER_EXEMPTION, .zone = iface->zone});
}

static int derive_dhcp_clients(const struct deriver *b)
{
    static const uint16_t ports4[2] = {PORT_DHCP_SERVER, PORT_DHCP_CLIENT};
    static const uint16_t ports6[2] = {PORT_DHCP6_SERVER, PORT_DHCP6_CLIENT};
    /* 0.0.0.0/0 and ::/0 weigh as much as any and keep each entry in its family. */
    struct addr any4 = addr_prefix(FAMILY_4, (struct ip){0}, 0);
    struct addr any6 = addr_prefix(FAMILY_6, (struct ip){0}, 0);
    struct addr link6 = addr_prefix(FAMILY_6, (struct ip){.hi = 0xfe80ULL << 48}, 10);
    const struct host *h = b->e->host;
    if (b->e->settings->dhcp_client_off)
        return 0;
    int r = 0;
    for (size_t i = 0; i < h->n_ifaces && r == 0; i++) {
        const struct iface *iface = &h->ifaces[i];
        if (iface->zone == 0) /* no zone was left: an entry would hold on every interface */
            continue;
        if (iface->dhcp4)
            r = derive_dhcp(b, iface, any4, any4, ports4);
        if (r == 0 && iface->dhcp6)
            r = derive_dhcp(b, iface, link6, any6, ports6);
    }
    return r;
}

/* One way between two hosts: to the port; and from it, where this host may be asked. */
static int derive_ike_way(const struct deriver *b, const struct addr *side[2], uint16_t number)
{
    const struct addr *from = side[0], *to = side[1];
    struct port_range port = {number, number};
    struct portset ports = {.n = 1, .range = &port};
    struct filter there = permit(PROTO_UDP, *from, *to);
    there.dport = ports;
    int r = derive(b, &(struct derived){.f = &there, .tier = TIER_EXEMPTION});
    if (r < 0 || from->kind == ADDR_ME || (to->kind != ADDR_ME && to->kind != ADDR_ANY))
        return r;
    struct filter answer = permit(PROTO_UDP, addr_me(), *from);
    answer.sport = ports;
    return derive(b, &(struct derived){.f = &answer, .tier = TIER_EXEMPTION});
}

/* IKE is exempt at every level, between hosts that have a filter which negotiates (RFC 7296 2).
 * Nothing is derived from its ports to other ports of this host: a source port is anybody's
 * choice. An address that stands for nothing derives nothing. */
static int derive_ike(const struct deriver *b)
{
    static const uint16_t ports[] = {PORT_IKE, PORT_IKE_NAT};
    int r = 0;
    for (size_t i = 0; i < b->e->n; i++) {
        const struct filter *n = b->e->v[i].filter;
        if (filter_effect(n) != ACTION_NEGOTIATE || filter_is_resolved(n))
            continue;
        const struct addr *ways[2][2] = {{&n->src, &n->dst}, {&n->dst, &n->src}};
        for (unsigned k = 0; k < 2 * ARRAY_SIZE(ports) && r == 0; k++)
            r = derive_ike_way(b, ways[k % 2], ports[k / 2]);
        if (r < 0)
            return r;
    }
    return 0;
}

int derive_entries(const struct effective *e, derived_fn *emit, void *arg)
{
    const struct deriver d = {.e = e, .emit = emit, .arg = arg};
    int r = derive_failsafe(&d);
    if (r == 0)
        r = derive_level(&d);
    if (r == 0)
        r = derive_dhcp_clients(&d);
    return r == 0 ? derive_ike(&d) : r;
}
