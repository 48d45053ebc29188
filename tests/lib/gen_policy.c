/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/gen_policy.c: random policies over few shapes, addresses and ports (see gen.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "gen_internal.h"
#include "text/text.h"

#define HOUR_NS 3600000000000ULL

enum side { SIDE_ANY, SIDE_ME, SIDE_HOST, SIDE_PREFIX, SIDE_RANGE };
enum port_kind { PORT_NONE, PORT_EXACT, PORT_RANGE, PORT_LIST };
enum proto_kind { PROTO_KIND_ANY, PROTO_KIND_PORTS, PROTO_KIND_ICMP, PROTO_KIND_OTHER };

/* What filters of one policy have in common: about one or two groups of the image each. */
struct shape {
    enum side src, dst;
    uint8_t src_len[2], dst_len[2]; /* IPv4, IPv6 */
    enum proto_kind proto;
    enum port_kind sport, dport;
    bool code;       /* ICMP type with code */
    bool negotiates; /* some filters do; each brings the shapes of the exemptions of IKE */
};

struct ip gen_pool_ip(struct rng *r, const struct gen_policy *p, enum family f)
{
    return f == FAMILY_4 ? p->pool4[rng_below(r, GEN_POOL)] : p->pool6[rng_below(r, GEN_POOL)];
}

/* Half of the pool are neighbours of one another, some are this host's, few lie at the edges. */
static void fill_pool(struct rng *r, struct gen_policy *p, enum family f, struct ip *pool)
{
    bool v4 = f == FAMILY_4;
    struct ip base = v4 ? (struct ip){0, 0xc6120000} : (struct ip){0x20010db8c6120000, 0};
    base = gen_ip_in_prefix(r, f, base, v4 ? 15 : 48);
    const struct host *h = p->e.host;
    for (unsigned i = 0; i < GEN_POOL; i++) {
        unsigned keep = 1 + rng_below(r, family_bits(f) - 1);
        struct ip m = ip_mask(f, keep);
        pool[i] = ip_or(ip_and(base, m), gen_ip_in_prefix(r, f, (struct ip){0, 0}, keep));
        if (i < 2)
            pool[i] = base;
        if (i > 9 && h->n_local) {
            const struct local_route *route = &h->local[rng_below(r, (uint32_t)h->n_local)];
            if (route->family == f)
                pool[i] = gen_ip_in_prefix(r, f, route->prefix, route->prefix_len);
        }
    }
    if (once_in(r, 4))
        pool[2] = (struct ip){0, 0};
    if (once_in(r, 4))
        pool[3] = ip_not(f, (struct ip){0, 0});
}

static uint8_t prefix_len(struct rng *r, enum family f)
{
    static const uint8_t len4[] = {1, 4, 8, 12, 16, 20, 23, 24, 25, 28, 30, 31};
    static const uint8_t len6[] = {1, 7, 16, 31, 32, 33, 48, 56, 63, 64, 65, 96, 120, 127};
    return f == FAMILY_4 ? len4[rng_below(r, ARRAY_SIZE(len4))]
                         : len6[rng_below(r, ARRAY_SIZE(len6))];
}

static enum side random_side(struct rng *r)
{
    static const enum side sides[] = {SIDE_ANY,  SIDE_ANY,    SIDE_ME,     SIDE_ME,   SIDE_ME,
                                      SIDE_HOST, SIDE_PREFIX, SIDE_PREFIX, SIDE_RANGE};
    return sides[rng_below(r, ARRAY_SIZE(sides))];
}

static enum port_kind random_port_kind(struct rng *r)
{
    static const enum port_kind kinds[] = {PORT_NONE,  PORT_NONE,  PORT_NONE, PORT_EXACT,
                                           PORT_EXACT, PORT_RANGE, PORT_LIST};
    return kinds[rng_below(r, ARRAY_SIZE(kinds))];
}

static struct shape random_shape(struct rng *r)
{
    static const enum proto_kind protos[] = {PROTO_KIND_ANY,   PROTO_KIND_ANY,   PROTO_KIND_PORTS,
                                             PROTO_KIND_PORTS, PROTO_KIND_PORTS, PROTO_KIND_PORTS,
                                             PROTO_KIND_ICMP,  PROTO_KIND_OTHER};
    struct shape s = {
        .src = random_side(r),
        .dst = random_side(r),
        .proto = protos[rng_below(r, ARRAY_SIZE(protos))],
        .sport = once_in(r, 3) ? random_port_kind(r) : PORT_NONE,
        .dport = random_port_kind(r),
        .code = once_in(r, 2),
        .negotiates = once_in(r, 5),
    };
    if (s.src == SIDE_ME && s.dst == SIDE_ME) /* matches nothing: rarely worth a shape */
        s.src = once_in(r, 8) ? SIDE_ME : SIDE_ANY;
    for (unsigned i = 0; i < 2; i++) {
        s.src_len[i] = prefix_len(r, i ? FAMILY_6 : FAMILY_4);
        s.dst_len[i] = prefix_len(r, i ? FAMILY_6 : FAMILY_4);
    }
    return s;
}

static struct addr random_range(struct rng *r, enum family f, struct ip around)
{
    struct ip first = around, last = around;
    uint64_t more = 1 + rng_below(r, once_in(r, 10) ? 5000 : 12);
    uint64_t top = f == FAMILY_4 ? 0xffffffff : UINT64_MAX;
    last.lo = around.lo > top - more ? top : around.lo + more;
    return ip_cmp(first, last) < 0 ? addr_range(f, first, last) : addr_host(f, first);
}

static struct addr random_addr(struct rng *r, const struct gen_policy *p, enum side side,
                               enum family f, const uint8_t len[2])
{
    struct ip ip = gen_pool_ip(r, p, f);
    switch (side) {
    case SIDE_ANY:
        return addr_any();
    case SIDE_ME:
        return addr_me();
    case SIDE_HOST:
        return addr_host(f, ip);
    case SIDE_PREFIX:
        return addr_prefix(f, ip, once_in(r, 12) ? 0 : len[f == FAMILY_6]);
    case SIDE_RANGE:
        return random_range(r, f, ip);
    }
    return addr_any();
}

static struct port_range random_ports(struct rng *r, const struct gen_policy *p, bool exact)
{
    uint16_t port = p->ports[rng_below(r, GEN_PORTS)];
    unsigned more = exact ? 0 : 1 + rng_below(r, 1u << (1 + rng_below(r, 15)));
    unsigned last = port + more > 65535 ? 65535 : port + more;
    return (struct port_range){port, (uint16_t)last};
}

static int random_portset(struct rng *r, const struct gen_policy *p, enum port_kind kind,
                          struct portset *ret)
{
    struct port_range items[4];
    size_t n = 0;
    switch (kind) {
    case PORT_NONE:
        return 0;
    case PORT_EXACT:
    case PORT_RANGE:
        items[n++] = random_ports(r, p, kind == PORT_EXACT);
        break;
    case PORT_LIST:
        for (unsigned want = 2 + rng_below(r, 3); n < want;)
            items[n++] = random_ports(r, p, once_in(r, 2));
        break;
    }
    return portset_from(items, n, ret);
}

static int random_protocol(struct rng *r, const struct gen_policy *p, const struct shape *s,
                           struct filter *f)
{
    static const uint8_t with_ports[] = {6, 6, 6, 17, 17, 17, 132, 136, 33};
    static const uint8_t others[] = {47, 50, 89, 46, 6, 17};
    static const uint8_t types[] = {0, 3, 8, 128, 129, 130, 133, 134, 135, 137, 143, 255};
    enum family family = filter_family(f);
    int16_t icmp =
        family == FAMILY_4 || (family == FAMILY_ANY && once_in(r, 2)) ? PROTO_ICMP : PROTO_ICMPV6;
    switch (s->proto) {
    case PROTO_KIND_ANY:
        return 0;
    case PROTO_KIND_OTHER:
        f->proto = once_in(r, 4) ? icmp : others[rng_below(r, ARRAY_SIZE(others))];
        return 0;
    case PROTO_KIND_ICMP:
        f->proto = icmp;
        f->icmp_type = types[rng_below(r, ARRAY_SIZE(types))];
        f->icmp_code = (int16_t)(s->code ? (int)rng_below(r, 3) : -1);
        return 0;
    case PROTO_KIND_PORTS:
        break;
    }
    f->proto = with_ports[rng_below(r, ARRAY_SIZE(with_ports))];
    int err = random_portset(r, p, s->sport, &f->sport);
    return err < 0 ? err : random_portset(r, p, s->dport, &f->dport);
}

static int random_filter(struct rng *r, struct gen_policy *p, const struct shape *s,
                         uint64_t now_ns)
{
    size_t i = p->e.n;
    struct filter *f = &p->f[i];
    enum family family = rng_below(r, 5) < 3 ? FAMILY_4 : FAMILY_6;
    filter_init(f);
    p->e.n++;
    f->src = random_addr(r, p, s->src, family, s->src_len);
    f->dst = random_addr(r, p, s->dst, family, s->dst_len);
    f->action = rng_below(r, 5) < 3 ? ACTION_BLOCK : ACTION_PERMIT;
    if (s->negotiates && once_in(r, 2)) {
        f->action = once_in(r, 3) ? ACTION_PERMIT : ACTION_NEGOTIATE;
        f->inpass = f->action == ACTION_PERMIT;
    }
    f->override = f->action == ACTION_BLOCK && once_in(r, 12);
    f->mirrored = once_in(r, 4);
    int err = random_protocol(r, p, s, f);
    if (err < 0)
        return err;
    uint8_t bytes[16];
    for (unsigned b = 0; b < sizeof(bytes); b++)
        bytes[b] = (uint8_t)rng_next(r);
    f->guid = guid_from_random(bytes);
    p->v[i] = (struct effective_filter){
        .filter = f,
        .layer = (enum layer)rng_below(r, _LAYER_MAX),
        .counter_id = once_in(r, 16) ? COUNTER_NONE : (uint32_t)(2 * i + rng_below(r, 2)),
    };
    const uint64_t deadlines[] = {1, now_ns, now_ns + 1, now_ns + HOUR_NS, now_ns + 2 * HOUR_NS};
    if (once_in(r, 6))
        p->v[i].deadline_ns = deadlines[rng_below(r, ARRAY_SIZE(deadlines))];
    return filter_validate(f, NULL);
}

static void random_settings(struct rng *r, struct gen_policy *p)
{
    struct filter_settings *s = &p->settings;
    filter_settings_init(s);
    if (once_in(r, 4))
        s->exempt = (uint8_t)rng_below(r, 4);
    s->source_route_classify = once_in(r, 4);
    s->masqueraded_pass = once_in(r, 4);
    s->dhcp_client_off = once_in(r, 4);
    s->n_failsafe = once_in(r, 2) ? 0 : 1 + rng_below(r, 2);
    for (unsigned i = 0; i < s->n_failsafe; i++) {
        static const enum family families[] = {FAMILY_ANY, FAMILY_4, FAMILY_6};
        struct failsafe *fs = &s->failsafe[i];
        *fs = (struct failsafe){.proto = once_in(r, 2) ? PROTO_TCP : PROTO_UDP,
                                .port = p->ports[rng_below(r, GEN_PORTS)],
                                .family = families[rng_below(r, 3)]};
        if (fs->family == FAMILY_ANY)
            continue;
        fs->prefix_len = once_in(r, 2) ? (uint8_t)family_bits(fs->family) : 20;
        fs->prefix = ip_and(gen_pool_ip(r, p, fs->family), ip_mask(fs->family, fs->prefix_len));
    }
}

static void random_port_pool(struct rng *r, struct gen_policy *p)
{
    static const uint16_t edges[] = {0, 1, 22, 53, 67, 88, 135, 445, 5001, 32768, 65534, 65535};
    for (unsigned i = 0; i < GEN_PORTS; i++)
        p->ports[i] = i % 2 && once_in(r, 2) ? (uint16_t)(p->ports[i - 1] + rng_below(r, 3))
                                             : edges[rng_below(r, ARRAY_SIZE(edges))];
}

int gen_policy_new(struct rng *r, const struct host *host, uint64_t now_ns, struct gen_policy **ret)
{
    _cleanup_(gen_policy_freep) struct gen_policy *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->e = (struct effective){.v = p->v, .settings = &p->settings, .host = host};
    fill_pool(r, p, FAMILY_4, p->pool4);
    fill_pool(r, p, FAMILY_6, p->pool6);
    random_port_pool(r, p);
    random_settings(r, p);
    struct shape shapes[8];
    unsigned n_shapes = 2 + rng_below(r, 6);
    for (unsigned i = 0; i < n_shapes; i++)
        shapes[i] = random_shape(r);
    for (unsigned n = 1 + rng_below(r, GEN_FILTERS); n; n--) {
        int err = random_filter(r, p, &shapes[rng_below(r, n_shapes)], now_ns);
        if (err < 0)
            return err;
    }
    *ret = TAKE_PTR(p);
    return 0;
}

struct gen_policy *gen_policy_free(struct gen_policy *p)
{
    for (size_t i = 0; p && i < GEN_FILTERS; i++)
        filter_done(&p->f[i]);
    free(p);
    return NULL;
}

void gen_policy_freep(struct gen_policy **p)
{
    *p = gen_policy_free(*p);
}

void gen_policy_halve(struct gen_policy *p)
{
    p->e.n = p->e.n / 2 ? p->e.n / 2 : 1;
}

static int print_settings(const struct effective *e, struct strbuf *out)
{
    const struct filter_settings *s = e->settings;
    static const char *const kinds[] = {"none", "unicast", "broadcast", "anycast", "multicast"};
    char text[IP_TEXT_BYTES];
    strbuf_addf(out, "exempt %d classify %d masqueraded-pass %d dhcp-off %d\n", s->exempt,
                s->source_route_classify, s->masqueraded_pass, s->dhcp_client_off);
    for (unsigned i = 0; i < s->n_failsafe; i++) {
        const struct failsafe *fs = &s->failsafe[i];
        ip_print(fs->family == FAMILY_4 ? FAMILY_4 : FAMILY_6, fs->prefix, text);
        strbuf_addf(out, "failsafe %d/%d from %s/%d%s\n", fs->proto, fs->port, text, fs->prefix_len,
                    fs->family == FAMILY_ANY ? " (any)" : "");
    }
    for (size_t i = 0; i < e->host->n_local; i++) {
        const struct local_route *route = &e->host->local[i];
        ip_print(route->family, route->prefix, text);
        strbuf_addf(out, "local %s/%d %s\n", text, route->prefix_len, kinds[route->kind]);
    }
    for (size_t i = 0; i < e->host->n_ifaces; i++)
        strbuf_addf(out, "interface %s zone %d profile %s dhcp4 %d dhcp6 %d\n",
                    e->host->ifaces[i].name, e->host->ifaces[i].zone,
                    profile_name(e->host->ifaces[i].profile), e->host->ifaces[i].dhcp4,
                    e->host->ifaces[i].dhcp6);
    return out->error;
}

int gen_policy_print(const struct effective *e, struct strbuf *out)
{
    int err = print_settings(e, out);
    for (size_t i = 0; err >= 0 && i < e->n; i++) {
        const struct effective_filter *ef = &e->v[i];
        char guid[GUID_TEXT_BYTES];
        guid_print(&ef->filter->guid, guid);
        strbuf_addf(out, "%zu %c guid %.8s counter %d deadline %llu connection %s: ", i,
                    layer_letter(ef->layer), guid, (int)ef->counter_id,
                    (unsigned long long)ef->deadline_ns, connection_name(ef->connection));
        err = text_print_filter(ef->filter, out);
        strbuf_add_char(out, '\n');
    }
    return err;
}
