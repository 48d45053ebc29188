/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/reach.c: cuts the source addresses and asks the evaluator (exposure/reach.h). Called by
 * the agent and by tests. Invariants: of the filters only those that could match are shown to
 * the evaluator, chosen by what they exclude, never by what would win; addresses are walked in
 * ascending order, so each piece sees exactly the filters that cover it. */
#include "exposure/reach.h"

#include <errno.h>
#include <string.h>

#include "eval/eval.h"
#include "reach.h"

enum { TCP_SYN = 2, PORT_ORDINARY = 49152, PORT_KERBEROS = 88, EXEMPT_NOTHING = 3 };

static struct ip last_of(enum family f, struct ip prefix, unsigned len)
{
    return ip_or(prefix, ip_not(f, ip_mask(f, len)));
}

static struct ip last_address(enum family f)
{
    return ip_not(f, (struct ip){0, 0});
}

static bool ranges_any(const struct portset *s, uint16_t port)
{
    return portset_is_any(s) || portset_contains(s, port);
}

/* --- the filters of a question --- */
/* Addresses of a side; false: no packet from outside has one. */
static bool side_range(const struct addr *a, enum family f, struct ip *first, struct ip *last)
{
    switch (a->kind) {
    case ADDR_ANY:
        *first = (struct ip){0, 0};
        *last = last_address(f);
        return true;
    case ADDR_HOST:
    case ADDR_PREFIX:
    case ADDR_RANGE:
        *first = a->first;
        *last = a->last;
        return a->family == f;
    case ADDR_ME:
    case ADDR_NAME:
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
    case _ADDR_KIND_MAX:
        return false; /* what stands for no address matches nothing (model/effective.h) */
    }
    return false;
}

/* The filter one way round: as written, or as its mirrored twin. */
static int add_way(struct reach_base *b, size_t index, bool twin)
{
    const struct filter *f = b->e->v[index].filter;
    struct way w = {.index = index,
                    .dst = twin ? &f->src : &f->dst,
                    .sport = twin ? &f->dport : &f->sport,
                    .dport = twin ? &f->sport : &f->dport};

    if (!side_range(twin ? &f->dst : &f->src, b->q.family, &w.first, &w.last))
        return 0;
    int r = array_reserve(&b->ways, &b->cap_ways, b->n_ways + 1, sizeof(*b->ways));
    if (r == 0)
        b->ways[b->n_ways++] = w;
    return r;
}

static int add_filter(struct reach_base *b, size_t index)
{
    const struct filter *f = b->e->v[index].filter;
    enum family family = filter_family(f);
    int r;

    if ((f->proto != PROTO_ANY && f->proto != b->q.proto) || f->icmp_type >= 0 ||
        (family != FAMILY_ANY && family != b->q.family))
        return 0;
    r = add_way(b, index, false);
    return r == 0 && f->mirrored ? add_way(b, index, true) : r;
}

static int by_first(const void *pa, const void *pb)
{
    const struct way *a = pa, *b = pb;
    int c = ip_cmp(a->first, b->first);

    return c ? c : (a->index > b->index) - (a->index < b->index);
}

/* --- the host's own addresses --- */
static bool is_loopback(enum family f, struct ip ip)
{
    return f == FAMILY_4 ? ip.lo >> 24 == 127 : ip_eq(ip, (struct ip){0, 1});
}

static int add_address(struct reach_base *b, struct ip ip)
{
    if (b->n_addresses == REACH_ADDRESSES_MAX)
        return 0;
    for (size_t i = 0; i < b->n_addresses; i++)
        if (ip_eq(b->addresses[i], ip))
            return 0;
    b->addresses[b->n_addresses++] = ip;
    return 0;
}

static void collect_addresses(struct reach_base *b)
{
    const struct host *h = b->e->host;

    if (!b->q.any_own) {
        (void)add_address(b, b->q.address); /* the first */
        return;
    }
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *l = &h->local[i];

        if (l->family == b->q.family && l->kind == LOCAL_UNICAST &&
            l->prefix_len == family_bits(l->family) && !is_loopback(l->family, l->prefix))
            (void)add_address(b, l->prefix);
    }
}

/* Interfaces whose packets must be asked for apart: one entry "any" if no filter asks. */
static int collect_ifaces(struct reach_base *b)
{
    const struct host *h = b->e->host;
    bool apart = effective_asks_place(b->e) || b->q.ifindex;

    b->ifaces = calloc(h->n_ifaces + 1, sizeof(*b->ifaces));
    if (!b->ifaces)
        return -ENOMEM;
    for (size_t i = 0; apart && i < h->n_ifaces; i++)
        if (h->ifaces[i].role == IFACE_NORMAL &&
            (!b->q.ifindex || h->ifaces[i].ifindex == b->q.ifindex))
            b->ifaces[b->n_ifaces++] = &h->ifaces[i];
    if (b->n_ifaces == 0)
        b->ifaces[b->n_ifaces++] = NULL;
    return 0;
}

/* --- life --- */
int reach_base_new(const struct effective *e, const struct reach_question *q, uint64_t now_ns,
                   struct reach_base **ret)
{
    _cleanup_(reach_base_freep) struct reach_base *b = calloc(1, sizeof(*b));
    int r = b ? 0 : -ENOMEM;

    if (r < 0)
        return r;
    b->e = e;
    b->q = *q;
    b->now_ns = now_ns;
    for (size_t i = 0; r == 0 && i < e->n; i++)
        r = add_filter(b, i);
    if (r == 0)
        r = collect_ifaces(b);
    if (r < 0)
        return r;
    collect_addresses(b);
    if (b->n_ways)
        qsort(b->ways, b->n_ways, sizeof(*b->ways), by_first);
    *ret = TAKE_PTR(b);
    return 0;
}

struct reach_base *reach_base_free(struct reach_base *b)
{
    if (b) {
        free(b->ways);
        free(b->ifaces);
        free(b);
    }
    return NULL;
}

void reach_base_freep(struct reach_base **b)
{
    *b = reach_base_free(*b);
}

void reach_done(struct reach *r)
{
    free(r->v);
    *r = (struct reach){0};
}

static uint16_t cut_until(const struct portset *s, uint16_t port, uint16_t until)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct port_range *x = &s->range[i];

        if (x->first > port && x->first - 1 < until)
            until = (uint16_t)(x->first - 1);
        if (x->first <= port && port <= x->last && x->last < until)
            until = x->last;
    }
    return until;
}

uint16_t reach_same_until(const struct reach_base *b, uint16_t port)
{
    const struct filter_settings *s = b->e->settings;
    uint16_t until = UINT16_MAX;

    for (size_t i = 0; i < b->n_ways; i++)
        until = cut_until(b->ways[i].dport, port, until);
    /* Entries of failsafe and of exemptions are for single ports. */
    for (unsigned i = 0; i < s->n_failsafe; i++) {
        struct port_range one = {s->failsafe[i].port, s->failsafe[i].port};

        if (s->failsafe[i].proto == b->q.proto)
            until = cut_until(&(struct portset){1, &one}, port, until);
    }
    for (size_t i = 0; i < ARRAY_SIZE(reach_exempt_ports); i++) {
        struct port_range one = {reach_exempt_ports[i], reach_exempt_ports[i]};

        until = cut_until(&(struct portset){1, &one}, port, until);
    }
    return until;
}

/* --- one port --- */
struct cut {
    struct ip *v;
    size_t n, cap;
};

static void cut_done(struct cut *c)
{
    free(c->v);
}

static int cut_add(struct cut *c, struct ip at)
{
    int r = array_reserve(&c->v, &c->cap, c->n + 1, sizeof(*c->v));

    if (r == 0)
        c->v[c->n++] = at;
    return r;
}

/* Cuts before first and behind last. */
static int cut_range(struct cut *c, enum family f, struct ip first, struct ip last)
{
    int r = cut_add(c, first);

    return r == 0 && !ip_eq(last, last_address(f)) ? cut_add(c, ip_add1(last)) : r;
}

static int by_ip(const void *pa, const void *pb)
{
    const struct ip *a = pa, *b = pb;

    return ip_cmp(*a, *b);
}

static void cut_settle(struct cut *c)
{
    size_t kept = 0;

    if (c->n)
        qsort(c->v, c->n, sizeof(*c->v), by_ip);
    for (size_t i = 0; i < c->n; i++)
        if (!kept || !ip_eq(c->v[kept - 1], c->v[i]))
            c->v[kept++] = c->v[i];
    c->n = kept;
}

/* Sources that are nobody else's, or nobody's. */
static const struct {
    enum family family;
    struct ip prefix;
    unsigned len;
} not_asked[] = {
    {FAMILY_4, {0, 0}, 8},
    {FAMILY_4, {0, 0x7f000000}, 8},
    {FAMILY_4, {0, 0xe0000000}, 3},
    {FAMILY_6, {0, 0}, 127},                /* unspecified, loopback */
    {FAMILY_6, {0, 0xffff00000000}, 96},    /* mapped IPv4 */
    {FAMILY_6, {0xff00000000000000, 0}, 8}, /* multicast */
};

/* The host has it by its longest local route, whatever shorter ones say. */
static bool is_own(const struct host *h, enum family f, struct ip ip)
{
    enum local_kind kind = LOCAL_NONE;
    int best = -1;

    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *l = &h->local[i];

        if (l->family != f || l->prefix_len <= best ||
            !ip_eq(ip_and(ip, ip_mask(f, l->prefix_len)), l->prefix))
            continue;
        best = l->prefix_len;
        kind = l->kind;
    }
    return kind == LOCAL_UNICAST;
}

static bool is_asked(const struct asking *x, struct ip ip)
{
    enum family f = x->b->q.family;

    for (size_t i = 0; i < ARRAY_SIZE(not_asked); i++)
        if (not_asked[i].family == f && ip_cmp(ip, not_asked[i].prefix) >= 0 &&
            ip_cmp(ip, last_of(f, not_asked[i].prefix, not_asked[i].len)) <= 0)
            return false;
    return !is_own(x->b->e->host, f, ip);
}

static int cut_sources(const struct asking *x, struct cut *c)
{
    enum family f = x->b->q.family;
    const struct filter_settings *s = x->b->e->settings;
    const struct host *h = x->b->e->host;
    int r = cut_add(c, (struct ip){0, 0});

    for (size_t i = 0; r == 0 && i < x->n; i++)
        r = cut_range(c, f, x->ways[i]->first, x->ways[i]->last);
    for (unsigned i = 0; r == 0 && i < s->n_failsafe; i++)
        if (s->failsafe[i].family == f)
            r = cut_range(c, f, s->failsafe[i].prefix,
                          last_of(f, s->failsafe[i].prefix, s->failsafe[i].prefix_len));
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(not_asked); i++)
        if (not_asked[i].family == f)
            r = cut_range(c, f, not_asked[i].prefix,
                          last_of(f, not_asked[i].prefix, not_asked[i].len));
    for (size_t i = 0; r == 0 && i < h->n_local; i++)
        if (h->local[i].family == f)
            r = cut_range(c, f, h->local[i].prefix,
                          last_of(f, h->local[i].prefix, h->local[i].prefix_len));
    if (r == 0)
        cut_settle(c);
    return r;
}

static bool to_address(const struct way *w, enum family f, struct ip ip)
{
    struct ip first = {0, 0}, last = {0, 0};

    if (w->dst->kind == ADDR_ME)
        return true;
    return side_range(w->dst, f, &first, &last) && ip_cmp(first, ip) <= 0 && ip_cmp(ip, last) <= 0;
}

/* Those that could match a packet to this address and port; they stay sorted by first. */
static void choose_ways(struct asking *x)
{
    x->n = 0;
    for (size_t i = 0; i < x->b->n_ways; i++) {
        const struct way *w = &x->b->ways[i];

        if (ranges_any(w->dport, x->port) && to_address(w, x->b->q.family, x->address))
            x->ways[x->n++] = w;
    }
}

static bool is_named(const struct asking *x, uint16_t port)
{
    for (size_t i = 0; i < x->n; i++)
        if (!portset_is_any(x->ways[i]->sport) && portset_contains(x->ways[i]->sport, port))
            return true;
    return false;
}

/* Nothing is sent from port 0. */
static void add_sport(struct asking *x, struct port_range range)
{
    uint16_t port = range.first ? range.first : 1;

    if (range.last == 0 || x->n_sports == REACH_SPORTS_MAX)
        return;
    for (size_t i = 0; i < x->n_sports; i++)
        if (x->sports[i] == port)
            return;
    x->sports[x->n_sports++] = port;
}

/* Source ports that filters name, and one that none does. */
static void choose_sports(struct asking *x)
{
    x->sports[0] = PORT_ORDINARY;
    x->n_sports = 1;
    while (x->sports[0] < UINT16_MAX && is_named(x, x->sports[0]))
        x->sports[0]++;
    if (x->b->e->settings->exempt != EXEMPT_NOTHING)
        x->sports[x->n_sports++] = PORT_KERBEROS;
    for (size_t i = 0; i < x->n; i++)
        for (uint32_t k = 0; k < x->ways[i]->sport->n; k++)
            add_sport(x, x->ways[i]->sport->range[k]);
}

static struct verdict ask_evaluator(const struct asking *x, struct ip src, uint16_t sport)
{
    const struct reach_base *b = x->b;
    const struct effective part = {
        .v = x->active, .n = x->n_active, .settings = b->e->settings, .host = b->e->host};
    struct packet p = {
        .meta = {.dir = DIR_IN, .zone = x->iface ? x->iface->zone : 0},
        .family = b->q.family,
        .src = src,
        .dst = x->address,
        .proto = b->q.proto,
        .l4_known = true,
        .sport = sport,
        .dport = x->port,
        .hop_limit = 64,
        .tcp_flags = b->q.proto == PROTO_TCP ? TCP_SYN : 0,
    };
    struct verdict v = eval_packet(&part, &p, b->now_ns);

    if (v.decider == DECIDED_FILTER)
        v.index = x->active_index[v.index];
    return v;
}

static bool is_alike(const struct reach_piece *p, const struct verdict *v)
{
    return p->block == v->block && p->decider == v->decider &&
           (v->decider == DECIDED_NO_MATCH || p->index == v->index);
}

/* Adds sources first..last, or makes the last piece of this walk longer. */
static int add_piece(const struct asking *x, struct reach *r, struct ip first, struct ip last,
                     const struct verdict *v, uint16_t sport)
{
    int e = array_reserve(&r->v, &r->cap, r->n + 1, sizeof(*r->v));

    if (e < 0)
        return e;
    struct reach_piece *before = r->n > x->begin ? &r->v[r->n - 1] : NULL;
    if (before && is_alike(before, v)) {
        before->last = last;
        return 0;
    }
    if (before)
        before->last = ip_sub1(first); /* over what is not asked for */
    r->v[r->n++] = (struct reach_piece){
        .first = before ? first : (struct ip){0, 0},
        .last = last,
        .address = x->address,
        .iface = x->iface,
        .sport = sport,
        .block = v->block,
        .decider = v->decider,
        .index =
            v->decider == DECIDED_FILTER || v->decider == DECIDED_FAILSAFE ? v->index : SIZE_MAX,
        .exemption = v->exemption,
    };
    return 0;
}

/* Takes in the ways that begin at `at`, drops those that have ended. */
static void advance(struct asking *x, struct ip at, size_t *next)
{
    size_t kept = 0;

    for (size_t i = 0; i < x->n_active; i++)
        if (ip_cmp(x->active_last[i], at) >= 0) {
            x->active[kept] = x->active[i];
            x->active_last[kept] = x->active_last[i];
            x->active_index[kept++] = x->active_index[i];
        }
    x->n_active = kept;
    for (; *next < x->n && ip_cmp(x->ways[*next]->first, at) <= 0; ++*next) {
        const struct way *w = x->ways[*next];

        x->active[x->n_active] = x->b->e->v[w->index];
        x->active_last[x->n_active] = w->last;
        x->active_index[x->n_active++] = w->index;
    }
}

/* All sources at one interface, address, port and source port. */
static int walk(struct asking *x, const struct cut *c, size_t s, struct reach *r)
{
    uint16_t sport = x->sports[s];
    size_t next = 0;
    int e = 0;

    x->begin = r->n;
    x->n_active = 0;
    for (size_t i = 0; e == 0 && i < c->n; i++) {
        struct ip last = i + 1 < c->n ? ip_sub1(c->v[i + 1]) : last_address(x->b->q.family);

        advance(x, c->v[i], &next);
        if (!is_asked(x, c->v[i]))
            continue;
        if (r->n >= REACH_PIECES_MAX) {
            r->complete = false;
            break;
        }
        struct verdict v = ask_evaluator(x, c->v[i], sport);
        e = add_piece(x, r, c->v[i], last, &v, s ? sport : 0);
    }
    if (e == 0 && r->n > x->begin)
        r->v[r->n - 1].last = last_address(x->b->q.family);
    return e;
}

/* Whether the pieces [b, n) say the same as [a, b) but for `what` is asked. */
static bool is_repeated(const struct reach *r, size_t a, size_t b)
{
    size_t n = r->n - b;

    if (b - a < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct reach_piece *p = &r->v[a + i], *q = &r->v[b + i];

        if (!ip_eq(p->first, q->first) || !ip_eq(p->last, q->last) || p->block != q->block ||
            p->decider != q->decider || p->index != q->index)
            return false;
    }
    return true;
}

/* One interface and address: ordinary source ports, then those that are treated otherwise. */
static int judge_place(struct asking *x, struct reach *r)
{
    _cleanup_(cut_done) struct cut c = {0};
    size_t begin = r->n;

    choose_ways(x);
    choose_sports(x);
    int e = cut_sources(x, &c);
    for (size_t s = 0; e == 0 && s < x->n_sports; s++) {
        size_t at = r->n;

        e = walk(x, &c, s, r);
        if (e == 0 && s && is_repeated(r, begin, at))
            r->n = at;
    }
    return e;
}

static int asking_init(const struct reach_base *b, struct asking *x)
{
    size_t n = b->n_ways + 1;

    x->ways = calloc(n, sizeof(*x->ways));
    x->active = calloc(n, sizeof(*x->active));
    x->active_last = calloc(n, sizeof(*x->active_last));
    x->active_index = calloc(n, sizeof(*x->active_index));
    return x->ways && x->active && x->active_last && x->active_index ? 0 : -ENOMEM;
}

static void asking_done(struct asking *x)
{
    free(x->ways);
    free(x->active);
    free(x->active_last);
    free(x->active_index);
}

/* Addresses that the same filters name: one stands for all. */
static bool addresses_are_alike(struct asking *x)
{
    for (size_t w = 0; w < x->b->n_ways; w++) {
        const struct way *way = &x->b->ways[w];
        bool first = to_address(way, x->b->q.family, x->b->addresses[0]);

        for (size_t i = 1; ranges_any(way->dport, x->port) && i < x->b->n_addresses; i++)
            if (to_address(way, x->b->q.family, x->b->addresses[i]) != first)
                return false;
    }
    return true;
}

static int judge_places(struct asking *x, struct reach *r)
{
    const struct reach_base *b = x->b;
    size_t n = b->n_addresses && addresses_are_alike(x) ? 1 : b->n_addresses, first_end = 0;
    bool alike = true;
    int e = 0;

    for (size_t i = 0; e == 0 && i < b->n_ifaces * n; i++) {
        size_t at = r->n;

        x->iface = b->ifaces[i / n];
        x->address = b->addresses[i % n];
        e = judge_place(x, r);
        if (i == 0)
            first_end = r->n;
        else if (e == 0)
            alike &= r->n - at == first_end && is_repeated(r, 0, at);
    }
    if (alike && first_end)
        r->n = first_end;
    r->everywhere = alike;
    return e;
}

int reach_judge(const struct reach_base *b, uint16_t port, struct reach *ret)
{
    _cleanup_(asking_done) struct asking x = {.b = b, .port = port};
    _cleanup_(reach_done) struct reach r = {.family = b->q.family, .complete = true};
    int e = asking_init(b, &x);

    r.no_address = b->n_addresses == 0;
    if (e == 0)
        e = judge_places(&x, &r);
    if (e < 0)
        return e;
    *ret = r;
    r = (struct reach){0};
    return 0;
}
