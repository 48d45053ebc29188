/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small worlds for tables of packets and verdicts: a host, its settings and a few filters, all
 * written as short text. Inline, because a unit test links nothing but its own module. Texts are
 * the test's own: a mistake in one aborts. The host (documentation addresses of RFC 5737, 3849):
 *   eth0 zone 1 (leases addresses), eth1 zone 2, profile private, ppp0 zone 3
 *   192.0.2.1 and 2001:db8::1, fe80::1 unicast; 192.0.2.255 broadcast; 2001:db8:: anycast;
 *   198.51.100.0/24 routed as local; 198.51.100.200/29 routed as multicast inside of it. */
#pragma once
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "model/packet.h"

enum { FIXTURE_FILTERS = 16 };
struct fixture {
    struct filter f[FIXTURE_FILTERS];
    struct effective_filter v[FIXTURE_FILTERS];
    struct filter_settings settings;
    struct local_route local[8];
    struct iface ifaces[3];
    struct host host;
    struct effective e;
};

static inline void fixture_ip(const char *text, size_t n, enum family *f, struct ip *ip)
{
    int r = ip_parse(text, n, f, ip);
    assert(r == 0);
}

/* "any", "me", "192.0.2.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9" */
static inline struct addr fixture_addr(const char *text)
{
    enum family f;
    struct ip a, b;
    if (!strcmp(text, "any"))
        return addr_any();
    if (!strcmp(text, "me"))
        return addr_me();
    const char *slash = strchr(text, '/'), *dash = strchr(text, '-');
    if (slash) {
        fixture_ip(text, (size_t)(slash - text), &f, &a);
        return addr_prefix(f, a, (unsigned)atoi(slash + 1));
    }
    if (dash) {
        fixture_ip(text, (size_t)(dash - text), &f, &a);
        fixture_ip(dash + 1, strlen(dash + 1), &f, &b);
        return addr_range(f, a, b);
    }
    fixture_ip(text, strlen(text), &f, &a);
    return addr_host(f, a);
}

/* "" or "80,443,5001-5021" */
static inline struct portset fixture_ports(const char *text)
{
    struct port_range items[8];
    struct portset set = {0};
    size_t n = 0;
    while (*text) {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = first;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        assert(end != text && n < ARRAY_SIZE(items));
        items[n++] = (struct port_range){(uint16_t)first, (uint16_t)last};
        text = *end == ',' ? end + 1 : end;
    }
    int r = n ? portset_from(items, n, &set) : 0;
    assert(r == 0);
    return set;
}

/* Adds ACTION PROTO from SRC port SPORT to DST port DPORT; the caller sets further qualifiers.
 * GUIDs and counters grow with the index, so that the first of two equal filters counts. */
static inline struct filter *fixture_add(struct fixture *x, enum action action, int proto,
                                         const char *src, const char *sport, const char *dst,
                                         const char *dport)
{
    size_t i = x->e.n++;
    assert(i < FIXTURE_FILTERS);
    struct filter *f = &x->f[i];
    filter_init(f);
    f->action = action;
    f->proto = (int16_t)proto;
    f->src = fixture_addr(src);
    f->sport = fixture_ports(sport);
    f->dst = fixture_addr(dst);
    f->dport = fixture_ports(dport);
    f->guid.b[15] = (uint8_t)(i + 1);
    x->v[i] = (struct effective_filter){
        .filter = f, .layer = LAYER_LOCAL, .counter_id = (uint32_t)(100 + i)};
    return f;
}

static inline struct filter *fixture_add_icmp(struct fixture *x, enum action action, int proto,
                                              const char *src, const char *dst, int type, int code)
{
    struct filter *f = fixture_add(x, action, proto, src, "", dst, "");
    f->icmp_type = (int16_t)type;
    f->icmp_code = (int16_t)code;
    return f;
}

static inline struct local_route fixture_route(const char *text, unsigned len, enum local_kind kind)
{
    struct local_route r = {.prefix_len = (uint8_t)len, .kind = kind};
    fixture_ip(text, strlen(text), &r.family, &r.prefix);
    return r;
}

static inline void fixture_init(struct fixture *x)
{
    memset(x, 0, sizeof(*x));
    filter_settings_init(&x->settings);
    x->local[0] = fixture_route("192.0.2.1", 32, LOCAL_UNICAST);
    x->local[1] = fixture_route("192.0.2.255", 32, LOCAL_BROADCAST);
    x->local[2] = fixture_route("198.51.100.0", 24, LOCAL_UNICAST);
    x->local[3] = fixture_route("198.51.100.200", 29, LOCAL_MULTICAST);
    x->local[4] = fixture_route("2001:db8::1", 128, LOCAL_UNICAST);
    x->local[5] = fixture_route("2001:db8::", 128, LOCAL_ANYCAST);
    x->local[6] = fixture_route("fe80::1", 128, LOCAL_UNICAST);
    x->local[7] = fixture_route("127.0.0.0", 8, LOCAL_UNICAST);
    x->ifaces[0] = (struct iface){.ifindex = 2,
                                  .name = "eth0",
                                  .role = IFACE_NORMAL,
                                  .dhcp4 = true,
                                  .dhcp6 = true,
                                  .zone = 1};
    x->ifaces[1] = (struct iface){
        .ifindex = 3, .name = "eth1", .role = IFACE_NORMAL, .zone = 2, .profile = PROFILE_PRIVATE};
    x->ifaces[2] = (struct iface){.ifindex = 4, .name = "ppp0", .role = IFACE_NORMAL, .zone = 3};
    x->host = (struct host){.local = x->local,
                            .n_local = ARRAY_SIZE(x->local),
                            .ifaces = x->ifaces,
                            .n_ifaces = ARRAY_SIZE(x->ifaces)};
    x->e = (struct effective){.v = x->v, .settings = &x->settings, .host = &x->host};
}

static inline void fixture_done(struct fixture *x)
{
    for (size_t i = 0; i < x->e.n; i++)
        filter_done(&x->f[i]);
    x->e.n = 0;
}

/* a, b: ports, or ICMP type and code. Zone 1, hop limit 64, TCP packets are SYNs. */
static inline struct packet fixture_packet(enum direction dir, int proto, const char *src,
                                           unsigned a, const char *dst, unsigned b)
{
    enum family dst_family;
    struct packet p = {.meta = {.dir = dir, .zone = 1}, .proto = (uint8_t)proto, .hop_limit = 64};
    fixture_ip(src, strlen(src), &p.family, &p.src);
    fixture_ip(dst, strlen(dst), &dst_family, &p.dst);
    assert(p.family == dst_family);
    p.l4_known = proto_has_ports(proto) || proto == PROTO_ICMP || proto == PROTO_ICMPV6;
    if (proto_has_ports(proto)) {
        p.sport = (uint16_t)a;
        p.dport = (uint16_t)b;
    } else {
        p.icmp_type = (uint8_t)a;
        p.icmp_code = (uint8_t)b;
    }
    p.tcp_flags = proto == PROTO_TCP ? 2 : 0;
    return p;
}
