/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/expand.c: from what an administrator writes to what a table can hold.
 * Called first by compile_image(). Makes items of the effective filters (mirrored twins, port
 * lists, address ranges, both families) and of what the settings and the host derive: failsafe
 * entries (policy.md 3), the level's exemptions and the DHCP client entries (policy.md 6).
 * Invariant: an item's weight is the weight of what was written, not of the part that it is. */
#include <errno.h>
#include <string.h>

#include "build.h"

enum {
    PORT_KERBEROS = 88,
    PORT_DHCP_SERVER = 67, /* RFC 2131 4.1 */
    PORT_DHCP_CLIENT = 68,
    PORT_DHCP6_CLIENT = 546, /* RFC 8415 7.2 */
    PORT_DHCP6_SERVER = 547,
};

/* What all items of one filter have in common. */
struct source {
    const struct filter *f;
    enum tier tier;
    uint8_t zone; /* 0 = everywhere */
    uint64_t deadline_ns;
    uint32_t order, counter_id, origin;
};

/* One way of a filter: as written, or its twin. */
struct way {
    const struct addr *src_addr, *dst_addr;
    const struct side *src, *dst;
    const struct portset *sport, *dport;
};

static uint32_t n_port_items(const struct portset *s)
{
    return s->n > 0 ? s->n : 1;
}

static enum port_kind port_kind(const struct port_range *r)
{
    return !r ? PORTS_ANY : r->first == r->last ? PORTS_EXACT : PORTS_RANGE;
}

static int push_item(struct build *b, const struct item *it)
{
    int r = array_reserve(&b->items, &b->cap_items, b->n_items + 1, sizeof(*b->items));
    if (r == 0)
        b->items[b->n_items++] = *it;
    return r;
}

/* Fills the ports of one pair of port items and pushes it for every pair of prefixes. */
static int add_ports(struct build *b, struct item *it, const struct source *s,
                     const struct way *way, const struct port_range *const port[2])
{
    const struct filter *f = s->f;
    it->weight = filter_weight(f, way->src_addr, way->dst_addr, port[0], port[1]);
    it->sport = port[0] ? *port[0] : (struct port_range){0};
    it->dport = port[1] ? *port[1] : (struct port_range){0};
    it->shape.sport = (uint8_t)port_kind(port[0]);
    it->shape.dport = (uint8_t)port_kind(port[1]);
    if (f->icmp_type >= 0) {
        int code = f->icmp_code >= 0 ? f->icmp_code : 0;
        it->shape.dport = f->icmp_code >= 0 ? PORTS_EXACT : PORTS_ICMP_TYPE;
        it->dport.first = it->dport.last = (uint16_t)(f->icmp_type << 8 | code);
    }
    for (unsigned i = 0; i < way->src->n; i++) {
        for (unsigned j = 0; j < way->dst->n; j++) {
            it->src = way->src->prefix[i].ip;
            it->dst = way->dst->prefix[j].ip;
            it->shape.src_len = way->src->prefix[i].len;
            it->shape.dst_len = way->dst->prefix[j].len;
            int r = push_item(b, it);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int add_way(struct build *b, const struct source *s, unsigned fam, const struct way *way)
{
    uint32_t n_sport = n_port_items(way->sport), n_dport = n_port_items(way->dport);
    b->copies += ((uint64_t)way->src->n * way->dst->n - 1) * n_sport * n_dport;
    if (b->copies > copies_limit(b)) /* count on for the message, but hold nothing more */
        return 0;
    const struct filter *f = s->f;
    struct item it = {
        .deadline_ns = s->deadline_ns,
        .order = s->order,
        .counter_id = s->counter_id,
        .origin = s->origin,
        .shape = {.src_me = way->src->me,
                  .dst_me = way->dst->me,
                  .proto = f->proto != PROTO_ANY,
                  .zone = s->zone != 0},
        .family = (uint8_t)fam,
        .tier = (uint8_t)s->tier,
        .proto = (uint8_t)(f->proto == PROTO_ANY ? 0 : f->proto),
        .zone = s->zone,
    };
    for (uint32_t i = 0; i < n_sport; i++) {
        for (uint32_t j = 0; j < n_dport; j++) {
            const struct port_range *port[2] = {
                way->sport->n > 0 ? &way->sport->range[i] : NULL,
                way->dport->n > 0 ? &way->dport->range[j] : NULL,
            };
            int r = add_ports(b, &it, s, way, port);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int add_filter(struct build *b, const struct source *s)
{
    const struct filter *f = s->f;
    enum family only = filter_family(f);
    bool twin = f->mirrored && !(addr_eq(&f->src, &f->dst) && portset_eq(&f->sport, &f->dport));
    for (unsigned fam = FAM4; fam < N_FAMILIES; fam++) {
        if (only != FAMILY_ANY && only != family_of(fam))
            continue;
        side_set(&b->src, &f->src, family_of(fam));
        side_set(&b->dst, &f->dst, family_of(fam));
        int r = add_way(b, s, fam,
                        &(struct way){.src_addr = &f->src,
                                      .dst_addr = &f->dst,
                                      .src = &b->src,
                                      .dst = &b->dst,
                                      .sport = &f->sport,
                                      .dport = &f->dport});
        if (r == 0 && twin)
            r = add_way(b, s, fam,
                        &(struct way){.src_addr = &f->dst,
                                      .dst_addr = &f->src,
                                      .src = &b->dst,
                                      .dst = &b->src,
                                      .sport = &f->dport,
                                      .dport = &f->sport});
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- what nobody wrote as a filter --- */

/* Permit entries of the tiers above the filters. They carry no counter, and since all of them
 * permit, one order for all of them is enough. */
static int derive(struct build *b, const struct filter *f, enum tier tier, uint8_t zone)
{
    return add_filter(b, &(struct source){.f = f,
                                          .tier = tier,
                                          .zone = zone,
                                          .order = UINT32_MAX,
                                          .counter_id = IMG_NO_COUNTER,
                                          .origin = ORIGIN_DERIVED});
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

static int derive_failsafe(struct build *b)
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
        r = derive(b, &f, TIER_FAILSAFE, 0);
    }
    return r;
}

static int derive_to(struct build *b, struct addr dst)
{
    struct filter f = permit(PROTO_ANY, addr_any(), dst);
    return derive(b, &f, TIER_EXEMPTION, 0);
}

static int derive_broadcast_multicast(struct build *b)
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

static int derive_rsvp_kerberos(struct build *b)
{
    static const int16_t protos[] = {PROTO_TCP, PROTO_UDP};
    struct filter rsvp = permit(PROTO_RSVP, addr_any(), addr_any());
    int r = derive(b, &rsvp, TIER_EXEMPTION, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(protos) && r == 0; i++) {
        struct port_range port = {PORT_KERBEROS, PORT_KERBEROS};
        struct filter f = permit(protos[i], addr_any(), addr_any());
        f.dport = (struct portset){.n = 1, .range = &port};
        f.mirrored = true;
        r = derive(b, &f, TIER_EXEMPTION, 0);
    }
    return r;
}

/* Levels of NoDefaultExempt. IKE is exempt between hosts that have a negotiate filter only, and
 * this build refuses these (filter_check_enforceable), so no level yields an entry for it. */
static int derive_level(struct build *b)
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
static int derive_dhcp(struct build *b, const struct iface *iface, struct addr server,
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
    int r = derive(b, &in, TIER_EXEMPTION, iface->zone);
    if (r < 0)
        return r;
    struct filter out = permit(PROTO_UDP, addr_me(), any);
    out.sport = client_ports;
    out.dport = server_ports;
    out.interface = name;
    return derive(b, &out, TIER_EXEMPTION, iface->zone);
}

static int derive_dhcp_clients(struct build *b)
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

/* --- effective filters --- */

struct rank {
    struct guid guid;
    uint32_t layer, counter_id, index;
};

static int cmp_rank(const void *pa, const void *pb)
{
    const struct rank *a = pa, *b = pb;
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    int c = guid_cmp(&a->guid, &b->guid);
    if (c != 0)
        return c;
    return a->counter_id < b->counter_id ? -1 : a->counter_id > b->counter_id;
}

/* Rank by layer, then GUID. Filters without identity of their own share a rank, so that their
 * place in the list never shows. */
static int rank_filters(struct build *b)
{
    size_t n = b->e->n;
    _cleanup_free_ struct rank *rank = calloc(n + 1, sizeof(*rank));
    b->order = calloc(n + 1, sizeof(*b->order));
    if (!rank || !b->order)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct effective_filter *ef = &b->e->v[i];
        rank[i] = (struct rank){.guid = ef->filter->guid,
                                .layer = ef->layer,
                                .counter_id = ef->counter_id,
                                .index = (uint32_t)i};
    }
    qsort(rank, n, sizeof(*rank), cmp_rank);
    uint32_t number = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && cmp_rank(&rank[i - 1], &rank[i]) != 0)
            number = (uint32_t)i;
        b->order[rank[i].index] = number;
    }
    return 0;
}

static int check_filters(struct build *b)
{
    if (b->e->n > LIMIT_EFFECTIVE_FILTERS)
        return refuse_filters(b, b->e->n);
    for (size_t i = 0; i < b->e->n; i++) {
        const struct filter *f = b->e->v[i].filter;
        int r = filter_check_enforceable(f, b->d);
        if (r < 0)
            return r;
        b->n_expanded += (uint64_t)n_port_items(&f->sport) * n_port_items(&f->dport);
    }
    return b->n_expanded > LIMIT_EFFECTIVE_FILTERS ? refuse_filters(b, b->n_expanded) : 0;
}

int expand_all(struct build *b)
{
    int r = check_filters(b);
    if (r == 0)
        r = rank_filters(b);
    for (size_t i = 0; i < b->e->n && r == 0; i++) {
        const struct effective_filter *ef = &b->e->v[i];
        r = add_filter(
            b, &(struct source){.f = ef->filter,
                                .tier = ef->filter->override ? TIER_OVERRIDE : TIER_ORDINARY,
                                .deadline_ns = ef->deadline_ns,
                                .order = b->order[i],
                                .counter_id = ef->counter_id,
                                .origin = (uint32_t)i});
    }
    if (r == 0)
        r = derive_failsafe(b);
    if (r == 0)
        r = derive_level(b);
    if (r == 0)
        r = derive_dhcp_clients(b);
    if (r == 0 && b->copies > copies_limit(b))
        r = refuse_copies(b);
    return r;
}
