/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/check_host.c: findings about what the policy does to the host: lock-out, pmtu, cost.
 * Called by check.c. */
#include <errno.h>
#include <string.h>

#include "build.h"
#include "check.h"

/* --- lock-out --- */

static struct packet packet_of(const struct check_connection *k, const struct host *h,
                               enum direction dir)
{
    enum { TCP_ACK = 0x10 }; /* RFC 9293 3.1 */
    bool in = dir == DIR_IN;
    struct packet p = {
        .meta = {.dir = dir, .to_host = in},
        .family = k->family,
        .src = in ? k->peer : k->local,
        .dst = in ? k->local : k->peer,
        .proto = k->proto,
        .l4_known = true,
        .sport = in ? k->peer_port : k->local_port,
        .dport = in ? k->local_port : k->peer_port,
        .hop_limit = 64,
        .tcp_flags = k->proto == PROTO_TCP ? TCP_ACK : 0,
    };
    for (size_t i = 0; i < h->n_ifaces; i++) {
        if (strncmp(h->ifaces[i].name, k->interface, sizeof(k->interface)) == 0)
            p.meta.zone = h->ifaces[i].zone;
    }
    return p;
}

/* policy.md 4: an answer passes if the block is not more specific in its addresses than the
 * permit that keeps state; the tier is compared first. */
static bool state_lets_back(const struct check *c, const struct part *opened,
                            const struct part *block)
{
    if (!opened || opened->index == SIZE_MAX || !c->e->v[opened->index].filter->keep_state)
        return false;
    return block->tier <= opened->tier &&
           weight_split(block->weight).addresses <= weight_split(opened->weight).addresses;
}

static int check_connection_kept(struct check *c, const struct check_connection *k)
{
    const struct host *h = c->e->host;
    const enum direction opens = k->opened_here ? DIR_OUT : DIR_IN;
    const struct part *first = NULL;
    for (unsigned turn = 0; turn < 2; turn++) {
        enum direction dir = turn == 0 ? opens : opens == DIR_IN ? DIR_OUT : DIR_IN;
        struct packet p = packet_of(k, h, dir);
        struct box point =
            box_of_packet(&p, dir == DIR_IN ? CLASS_TO_ME : CLASS_FROM_ME, h, &c->rules.names);
        const struct part *winner = rules_decide(&c->rules, &point);
        if (turn == 0)
            first = winner;
        if (effect_of(winner) == ACTION_PERMIT || (turn == 1 && state_lets_back(c, first, winner)))
            continue;
        struct finding x = {.kind = FINDING_LOCK_OUT, .has_example = true};
        check_name(&x, winner);
        x.example =
            (struct example){.packet = p, .src_me = dir == DIR_OUT, .dst_me = dir == DIR_IN};
        memcpy(x.example.interface, k->interface, sizeof(x.example.interface));
        x.winner = decision_of(winner);
        return check_add(c, &x);
    }
    return 0;
}

/* --- pmtu --- */

struct pmtu {
    struct check *c;
    uint8_t *told; /* filter i was reported */
};

static int visit_pmtu(void *arg, const struct box *piece, const struct part *winner)
{
    struct pmtu *m = arg;
    if (!winner || winner->effect != ACTION_BLOCK || winner->index == SIZE_MAX)
        return 0;
    const struct filter *f = m->c->e->v[winner->index].filter;
    const struct addr *from = winner->twin ? &f->dst : &f->src;
    bool everybody = from->kind == ADDR_ANY || (from->kind == ADDR_PREFIX && from->prefix_len == 0);
    if (!everybody || m->told[winner->index]) /* a ban of somebody is meant */
        return 0;
    m->told[winner->index] = 1;
    struct finding x = {.kind = FINDING_PMTU};
    check_name(&x, winner);
    check_show(m->c, &x, piece, winner);
    return check_add(m->c, &x);
}

/* "Fragmentation needed" (RFC 1191 4) and "packet too big" (RFC 8201 4) to this host. */
static int check_pmtu(struct check *c)
{
    static const struct {
        enum family family;
        uint8_t proto;
        uint16_t first, last;
    } messages[] = {{FAMILY_4, PROTO_ICMP, 3 << 8 | 4, 3 << 8 | 4},
                    {FAMILY_6, PROTO_ICMPV6, 2 << 8, 2 << 8 | 255}};
    _cleanup_free_ uint8_t *told = calloc(c->e->n + 1, 1);
    if (!told)
        return -ENOMEM;
    struct pmtu m = {.c = c, .told = told};
    for (unsigned i = 0; i < ARRAY_SIZE(messages); i++) {
        struct box b = box_all(messages[i].family, CLASS_TO_ME, c->rules.names.n_names);
        memset(b.proto, 0, sizeof(b.proto));
        b.proto[messages[i].proto / 64] = 1ULL << messages[i].proto % 64;
        b.l4 = L4_KNOWN;
        b.dport_first = messages[i].first;
        b.dport_last = messages[i].last;
        walk_begin(&c->outer);
        int r = walk_find(&c->outer, &c->rules, &b, &c->found);
        if (r == 0)
            r = walk_split(&c->outer, &c->rules, &b, &c->found, visit_pmtu, &m);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- cost --- */

/* Half of LIMIT_GROUPS: a packet meets every group in the worst case. */
enum { COST_GROUPS = LIMIT_GROUPS / 2 };

struct cost {
    struct idmap shapes;
    struct {
        uint32_t owner; /* filter + 1 that alone has the shape, 0 = several */
    } * shape;
    size_t cap;
    struct side src, dst;
};

static void cost_done(struct cost *k)
{
    idmap_done(&k->shapes);
    free(k->shape);
}

static int count_shape(struct cost *k, const struct shape *s, size_t filter)
{
    uint32_t id;
    size_t before = k->shapes.n;
    int r = idmap_add(&k->shapes, shape_code(*s), &id);
    if (r == 0)
        r = array_reserve(&k->shape, &k->cap, k->shapes.n, sizeof(*k->shape));
    if (r < 0)
        return r;
    if (k->shapes.n > before)
        k->shape[id].owner = (uint32_t)filter + 1;
    else if (k->shape[id].owner != filter + 1)
        k->shape[id].owner = 0;
    return 0;
}

static enum port_kind kind_of_ports(uint16_t first, uint16_t last)
{
    return first == 0 && last == UINT16_MAX ? PORTS_ANY : first == last ? PORTS_EXACT : PORTS_RANGE;
}

/* The same length occurs often among the prefixes of a range: once is enough. */
static bool is_repeated(const struct side *s, unsigned i)
{
    for (unsigned j = 0; j < i; j++) {
        if (s->prefix[j].len == s->prefix[i].len)
            return true;
    }
    return false;
}

static int count_part(struct check *c, struct cost *k, const struct part *p)
{
    const struct filter *f = c->e->v[p->index].filter;
    side_set(&k->src, p->twin ? &f->dst : &f->src, p->box.family);
    side_set(&k->dst, p->twin ? &f->src : &f->dst, p->box.family);
    struct shape s = {
        .src_me = k->src.me,
        .dst_me = k->dst.me,
        .proto = f->proto != PROTO_ANY,
        .place = where_place(&c->e->v[p->index]),
        .sport = (uint8_t)kind_of_ports(p->box.sport_first, p->box.sport_last),
        .dport = (uint8_t)(f->icmp_type >= 0 && f->icmp_code < 0
                               ? PORTS_ICMP_TYPE
                               : kind_of_ports(p->box.dport_first, p->box.dport_last)),
    };
    for (unsigned i = 0; i < k->src.n; i++) {
        for (unsigned j = 0; j < k->dst.n && !is_repeated(&k->src, i); j++) {
            s.src_len = k->src.prefix[i].len;
            s.dst_len = k->dst.prefix[j].len;
            int r = is_repeated(&k->dst, j) ? 0 : count_shape(k, &s, p->index);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* The filter that has most shapes for itself. */
static int report_cost(struct check *c, const struct cost *k, enum family family)
{
    _cleanup_free_ uint32_t *own = calloc(c->e->n + 1, sizeof(*own));
    if (!own)
        return -ENOMEM;
    for (size_t i = 0; i < k->shapes.n; i++)
        own[k->shape[i].owner]++;
    own[0] = 0; /* of several */
    size_t most = 0;
    for (size_t i = 1; i <= c->e->n; i++)
        most = own[i] > own[most] ? i : most;
    struct finding x = {.kind = FINDING_COST,
                        .probes = (unsigned)k->shapes.n,
                        .probes_max = LIMIT_GROUPS,
                        .family = family};
    if (most > 0) {
        const struct part *p = check_part(c, most - 1, 0);
        check_name(&x, p);
        struct box point = p->box;
        check_show(c, &x, &point, p);
        point = box_of_packet(&x.example.packet, p->box.class & (uint8_t)-p->box.class, c->e->host,
                              &c->rules.names);
        x.winner = decision_of(rules_decide(&c->rules, &point));
    }
    return check_add(c, &x);
}

static int check_cost(struct check *c)
{
    for (unsigned fam = 0; fam < N_FAMILIES; fam++) {
        _cleanup_free_ struct cost *k = calloc(1, sizeof(*k));
        if (!k)
            return -ENOMEM;
        int r = 0;
        for (size_t i = 0; i < c->rules.n && r == 0; i++) {
            if (c->rules.v[i].index != SIZE_MAX && c->rules.v[i].box.family == family_of(fam))
                r = count_part(c, k, &c->rules.v[i]);
        }
        if (r == 0 && k->shapes.n > COST_GROUPS)
            r = report_cost(c, k, family_of(fam));
        cost_done(k);
        if (r < 0)
            return r;
    }
    return 0;
}

int check_host(struct check *c)
{
    int r = 0;
    for (size_t i = 0; i < c->o->n_connections && r == 0; i++)
        r = check_connection_kept(c, &c->o->connections[i]);
    if (r == 0)
        r = check_pmtu(c);
    return r == 0 ? check_cost(c) : r;
}
