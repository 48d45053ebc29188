/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/audit.c: rows of an audit: sockets, permits, foreign rules, and the verdict of the filters
 * for each (cli/audit.h). Called by cmd_audit.c. A row is one port of one protocol; what it says of
 * IPv4 and of IPv6 is kept apart, because that they differ is a finding of its own. */
#include "cli/audit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli/netns.h"
#include "text/text.h"

enum { CONTROLS = 64, PERMIT_PORTS_MAX = 16, PORT_MAX = 65535 };

void audit_done(struct audit *a)
{
    exposure_rows_done(&a->sockets);
    foreign_free(a->foreign);
    free(a->v);
    free(a->places);
    free(a->notes);
    host_done(&a->host);
}

enum family audit_family(unsigned f)
{
    return f ? FAMILY_6 : FAMILY_4;
}

/* --- rows --- */
/* Places of rows by port, plus one; the rows keep their places until they are sorted. */
static uint32_t *place_of(struct audit *a, bool udp, uint16_t port)
{
    if (!a->places)
        a->places = calloc(2 * (PORT_MAX + 1), sizeof(*a->places));
    if (!a->places)
        cli_out_of_memory();
    return &a->places[port + (udp ? PORT_MAX + 1U : 0)];
}

static struct audit_row *make_row(struct audit *a, bool udp, uint16_t port)
{
    uint32_t *place = place_of(a, udp, port);

    if (*place)
        return &a->v[*place - 1];
    if (array_reserve(&a->v, &a->cap, a->n + 1, sizeof(*a->v)) < 0)
        cli_out_of_memory();
    a->v[a->n] = (struct audit_row){.udp = udp, .port = port};
    *place = (uint32_t)a->n + 1;
    return &a->v[a->n++];
}

static bool is_mapped(const struct socket_row *s)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return s->family == AF_INET6 && memcmp(s->local, mapped, sizeof(mapped)) == 0;
}

/* Whether packets of a family come to the socket. */
static bool serves(const struct socket_row *s, unsigned f)
{
    if (s->family == AF_INET)
        return f == 0;
    if (is_mapped(s))
        return f == 0;
    return f == 1 || (socket_is_any_address(s) && !s->six_only);
}

static enum audit_listens listens_by(const struct socket_row *s)
{
    if (s->state == SOCKET_RESERVED)
        return LISTENS_RESERVED;
    return socket_is_loopback(s) ? LISTENS_LOOPBACK : LISTENS_YES;
}

static struct ip ip_of(const struct socket_row *s)
{
    bool four = s->family == AF_INET || is_mapped(s);

    return ip_from_bytes(four ? FAMILY_4 : FAMILY_6, is_mapped(s) ? s->local + 12 : s->local);
}

static void add_socket(struct audit *a, const struct socket_row *s)
{
    struct audit_row *r = make_row(a, s->proto == IPPROTO_UDP, s->port);
    enum audit_listens l = listens_by(s);

    r->n_sockets++;
    if (!r->socket || listens_by(r->socket) < l)
        r->socket = s;
    for (unsigned f = 0; f < AUDIT_FAMILIES; f++) {
        struct audit_side *side = &r->side[f];

        if (!serves(s, f) || l < side->facts.listens)
            continue;
        /* A wildcard stands for all addresses of the host; a zero target says so. */
        if (l > side->facts.listens || socket_is_any_address(s))
            side->target = socket_is_any_address(s) ? (struct ip){0, 0} : ip_of(s);
        side->facts.listens = l;
        side->there = true;
    }
}

static void add_sockets(struct audit *a)
{
    for (size_t i = 0; i < a->sockets.s.n; i++) {
        const struct socket_row *s = &a->sockets.s.v[i];
        bool ports = s->proto == IPPROTO_TCP || s->proto == IPPROTO_UDP;

        if (ports &&
            (s->state == SOCKET_LISTEN || s->state == SOCKET_BOUND || s->state == SOCKET_RESERVED))
            add_socket(a, s);
    }
}

/* --- permits --- */
struct permit {
    const struct filter *f;
    const char *id, *policy, *rule;
};

static bool somebody_in(const struct audit *a, bool udp, const struct port_range *range)
{
    for (size_t i = 0; i < a->sockets.s.n; i++) {
        const struct socket_row *s = &a->sockets.s.v[i];

        if ((s->proto == IPPROTO_UDP) == udp && range->first <= s->port && s->port <= range->last &&
            (s->state == SOCKET_LISTEN || s->state == SOCKET_BOUND))
            return true;
    }
    return false;
}

static void mark_permit(struct audit *a, const struct permit *p, bool udp, uint16_t port)
{
    struct audit_row *r = make_row(a, udp, port);
    enum family family = filter_family(p->f);

    for (unsigned i = 0; i < AUDIT_FAMILIES; i++)
        if (family == FAMILY_ANY || family == audit_family(i))
            r->side[i].facts.permit = true;
    if (p->policy[0])
        (void)format_into(r->permit, sizeof(r->permit), "portward rule delete \"%s\" \"%s\"",
                          p->policy, p->rule);
    else
        (void)format_into(r->permit, sizeof(r->permit), "portward delete %s", p->id);
}

/* A range is for ports that come and go: one that listens is enough. */
static void add_range(struct audit *a, const struct permit *p, bool udp,
                      const struct port_range *range)
{
    if (range->first == range->last)
        mark_permit(a, p, udp, range->first);
    else if (!somebody_in(a, udp, range))
        mark_permit(a, p, udp, range->first);
}

static bool is_to_me(const struct audit *a, const struct filter *f)
{
    if (f->dst.kind == ADDR_ME)
        return true;
    for (size_t i = 0; f->dst.kind == ADDR_HOST && i < a->host.n_local; i++)
        if (a->host.local[i].family == f->dst.family &&
            ip_eq(a->host.local[i].prefix, f->dst.first))
            return true;
    return false;
}

static void add_permit(struct audit *a, const struct permit *p)
{
    const struct filter *f = p->f;

    if (f->action != ACTION_PERMIT || f->inpass || f->src.kind == ADDR_ME || !is_to_me(a, f) ||
        portset_is_any(&f->dport) || !portset_is_any(&f->sport))
        return;
    for (uint32_t i = 0; i < f->dport.n && i < PERMIT_PORTS_MAX; i++) {
        if (f->proto == PROTO_TCP || f->proto == PROTO_ANY)
            add_range(a, p, false, &f->dport.range[i]);
        if (f->proto == PROTO_UDP || f->proto == PROTO_ANY)
            add_range(a, p, true, &f->dport.range[i]);
    }
}

/* What is not understood is of a newer agent, and no permit here. */
static int add_permits(struct audit *a)
{
    _cleanup_json_ json_t *doc = NULL;
    const json_t *j;
    size_t i;
    int code = cli_fetch(a->c, "GET", "/v1/filters", &doc);

    json_array_foreach(json_object_get(cli_data(doc), "filters"), i, j)
    {
        const char *text = cli_str(j, "text");
        struct filter f;
        struct diag d;
        struct permit p = {&f, cli_str(j, "id"), cli_str(j, "policy"), cli_str(j, "rule")};

        filter_init(&f);
        if (text_parse_filter(text, strlen(text), &d, &f) == 0)
            add_permit(a, &p);
        filter_done(&f);
    }
    return code;
}

/* --- other ports --- */
static void add_redirected(struct audit *a, uint8_t proto)
{
    _cleanup_free_ uint16_t *ports = NULL;
    size_t n = 0;

    if (!a->foreign)
        return;
    if (foreign_redirected_ports(a->foreign, proto, &ports, &n) < 0)
        cli_out_of_memory();
    for (size_t i = 0; i < n; i++)
        (void)make_row(a, proto == PROTO_UDP, ports[i]);
}

/* Ports of nobody, which must not answer. */
static void add_controls(struct audit *a)
{
    uint16_t ports[CONTROLS];

    if (getrandom(ports, sizeof(ports), 0) != sizeof(ports))
        return; /* controls only: without them nothing is wrong */
    for (size_t i = 0; i < CONTROLS; i++) {
        if (ports[i] == 0 || *place_of(a, false, ports[i]))
            continue;
        make_row(a, false, ports[i])->is_control = true;
    }
}

static void add_all(struct audit *a)
{
    for (unsigned port = 1; port <= PORT_MAX; port++)
        if (!*place_of(a, false, (uint16_t)port))
            make_row(a, false, (uint16_t)port)->is_control = true;
}

static int by_place(const void *pa, const void *pb)
{
    const struct audit_row *a = pa, *b = pb;

    return a->udp != b->udp ? (a->udp ? 1 : -1) : (a->port > b->port) - (a->port < b->port);
}

/* --- what the filters say --- */
/* Questions are put as if they were sockets. */
static void add_question(struct sockets *s, const struct audit_row *r, unsigned f)
{
    const struct audit_side *side = &r->side[f];
    struct socket_row q = {.family = f ? AF_INET6 : AF_INET,
                           .proto = r->udp ? IPPROTO_UDP : IPPROTO_TCP,
                           .state = SOCKET_LISTEN,
                           .six_only = true,
                           .port = r->port};

    ip_to_bytes(audit_family(f), side->target, q.local);
    if (array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v)) < 0)
        cli_out_of_memory();
    s->v[s->n++] = q;
}

static bool read_ip(const json_t *piece, const char *key, enum family f, struct ip *ret)
{
    const char *s = cli_str(piece, key);
    enum family found;

    return ip_parse(s, strlen(s), &found, ret) == 0 && found == f;
}

/* Whether a piece is about a probe that comes in over `link` to the target. */
static bool is_about(const struct audit *a, const struct audit_side *side, enum family f,
                     const json_t *range, const json_t *piece)
{
    const char *iface = cli_str(piece, "interface");
    struct ip to;

    if (json_is_true(json_object_get(range, "everywhere")))
        return true;
    if (*iface && a->probed && strcmp(iface, a->scratch.link) != 0)
        return false;
    return ip_eq(side->target, (struct ip){0, 0}) ||
           (read_ip(piece, "to", f, &to) && ip_eq(to, side->target));
}

static void take_piece(struct audit_side *side, const json_t *piece)
{
    bool permit = strcmp(cli_str(piece, "action"), "permit") == 0;

    if (cli_int(piece, "source_port", 0)) {
        if (permit && side->facts.allowed == TRI_NO)
            (void)format_into(side->hole, sizeof(side->hole), "%lld",
                              (long long)cli_int(piece, "source_port", 0));
        return;
    }
    side->facts.allowed = permit ? TRI_YES : TRI_NO;
    (void)format_into(side->filter, sizeof(side->filter), "%s", cli_str(piece, "filter"));
    (void)format_into(side->rule, sizeof(side->rule), "%s", cli_str(piece, "rule"));
}

/* Pieces of ordinary source ports come first. */
static void take_verdict(const struct audit *a, struct audit_side *side, unsigned f,
                         const json_t *range)
{
    struct ip source = a->scratch.source[f], first, last;
    const json_t *piece;
    size_t i;

    if (!range)
        return;
    (void)format_into(side->text, sizeof(side->text), "%s", cli_str(range, "text"));
    side->any = strcmp(cli_str(range, "verdict"), "permit") == 0;
    side->conditional = strcmp(cli_str(range, "verdict"), "conditional") == 0;
    json_array_foreach(json_object_get(range, "pieces"), i, piece)
    {
        if (!read_ip(piece, "first", audit_family(f), &first) ||
            !read_ip(piece, "last", audit_family(f), &last) ||
            !is_about(a, side, audit_family(f), range, piece))
            continue;
        if (ip_cmp(first, source) <= 0 && ip_cmp(source, last) <= 0)
            take_piece(side, piece);
        else if (!side->example[0] && strcmp(cli_str(piece, "action"), "permit") == 0)
            ip_print(audit_family(f), first, side->example);
    }
}

static void ask_filters(struct audit *a)
{
    _cleanup_(cli_socket_policy_done) struct cli_socket_policy policy = {0};
    _cleanup_(sockets_done) struct sockets questions = {0};
    size_t q = 0;

    for (size_t i = 0; i < a->n; i++)
        for (unsigned f = 0; f < AUDIT_FAMILIES; f++)
            add_question(&questions, &a->v[i], f);
    cli_socket_policy_load(a->c, &questions, &policy);
    a->generation = policy.generation;
    for (size_t i = 0; i < a->n; i++)
        for (unsigned f = 0; f < AUDIT_FAMILIES; f++, q++)
            take_verdict(a, &a->v[i].side[f], f,
                         cli_socket_policy_find(&policy, &questions.v[q], f ? 6 : 4));
}

/* --- the host --- */
static int load_host(struct audit *a)
{
    _cleanup_json_ json_t *doc = NULL;
    const json_t *address;
    size_t i;
    int code = cli_fetch(a->c, "GET", "/v1/host", &doc);

    json_array_foreach(json_object_get(cli_data(doc), "addresses"), i, address)
    {
        const char *s = json_string_value(address);
        struct local_route l = {.kind = LOCAL_UNICAST};

        if (!s || ip_parse(s, strlen(s), &l.family, &l.prefix) < 0)
            continue;
        l.prefix_len = (uint8_t)family_bits(l.family);
        if (array_reserve(&a->host.local, &a->host.cap_local, a->host.n_local + 1,
                          sizeof(*a->host.local)) < 0)
            cli_out_of_memory();
        a->host.local[a->host.n_local++] = l;
    }
    return code;
}

/* Which families this host can be reached over. */
static void mark_families(struct audit *a)
{
    bool has[AUDIT_FAMILIES] = {false, false};

    for (size_t i = 0; i < a->host.n_local; i++)
        has[a->host.local[i].family == FAMILY_6] = true;
    for (size_t i = 0; i < a->n; i++)
        for (unsigned f = 0; f < AUDIT_FAMILIES; f++) {
            enum audit_listens l = a->v[i].side[f].facts.listens;

            a->v[i].side[f].there = has[f] || l == LISTENS_LOOPBACK || l == LISTENS_RESERVED;
        }
}

/* --- foreign rules --- */
static void judge_foreign(struct audit *a, struct audit_row *r, unsigned f)
{
    struct audit_side *side = &r->side[f];
    struct foreign_packet p = {.family = audit_family(f),
                               .src = a->scratch.source[f],
                               .dst = audit_target(a, side, f),
                               .proto = r->udp ? PROTO_UDP : PROTO_TCP,
                               .sport = 49152,
                               .dport = r->port,
                               .iif = a->probed ? a->scratch.link : "pwprobe"};

    side->facts.foreign = AF_UNKNOWN;
    if (!a->foreign)
        return;
    side->has_foreign = foreign_n_chains(a->foreign) > 0;
    foreign_judge(a->foreign, &a->host, &p, &side->foreign);
    switch (side->foreign.verdict) {
    case FOREIGN_ACCEPT:
        side->facts.foreign = side->has_foreign ? AF_PASSES : AF_NONE;
        break;
    case FOREIGN_DROP:
        side->facts.foreign = AF_DROPS;
        break;
    case FOREIGN_UNKNOWN:
    case _FOREIGN_MAX:
        break;
    }
    if (side->foreign.redirected)
        side->facts.foreign = AF_REDIRECTS;
}

struct ip audit_target(const struct audit *a, const struct audit_side *side, unsigned f)
{
    struct ip link_local = {0, 0};

    if (!ip_eq(side->target, (struct ip){0, 0}))
        return side->target;
    for (size_t i = 0; i < a->host.n_local; i++) {
        const struct local_route *l = &a->host.local[i];

        if (l->family != audit_family(f))
            continue;
        if (f && l->prefix.hi >> 54 == 0xfe80 >> 6)
            link_local = l->prefix;
        else
            return l->prefix;
    }
    /* The other end of a pair does not reach that; our own end of it stands for the host. */
    return f && a->probed && !ip_eq(link_local, (struct ip){0, 0}) ? a->scratch.here6 : link_local;
}

/* --- all of it --- */
static int read_sockets(struct audit *a, struct exposure_rows *ret)
{
    char pin[512];
    struct diag d;

    cli_holders_pin(a->c, pin, sizeof(pin));
    if (exposure_rows_read(SOCKETS_WAITING, pin, &d, ret) < 0)
        return cli_fail(a->c, &d);
    return 0;
}

static void count_listeners(const struct exposure_rows *r, uint8_t *counts)
{
    for (size_t i = 0; i < r->s.n; i++) {
        const struct socket_row *s = &r->s.v[i];
        size_t at = s->port + (s->proto == IPPROTO_UDP ? 65536U : 0);

        if (s->state == SOCKET_LISTEN || s->state == SOCKET_BOUND)
            counts[at] = (uint8_t)(counts[at] < UINT8_MAX ? counts[at] + 1 : counts[at]);
    }
}

/* Rows whose sockets are not those of before. */
static int mark_changed(struct audit *a)
{
    _cleanup_(exposure_rows_done) struct exposure_rows again = {0};
    _cleanup_free_ uint8_t *before = calloc(2, 65536), *after = calloc(2, 65536);
    int code = read_sockets(a, &again);

    if (!before || !after)
        cli_out_of_memory();
    if (code)
        return code;
    count_listeners(&a->sockets, before);
    count_listeners(&again, after);
    for (size_t i = 0; i < a->n; i++) {
        size_t at = a->v[i].port + (a->v[i].udp ? 65536U : 0);

        a->v[i].changed = before[at] != after[at];
    }
    return 0;
}

/* A permit for both families is in use if one of them is. */
static bool is_used(const struct audit_facts *f)
{
    return f->listens == LISTENS_YES || f->reached == TRI_YES;
}

static void classify(struct audit *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct audit_row *r = &a->v[i];

        if (is_used(&r->side[0].facts) || is_used(&r->side[1].facts))
            r->side[0].facts.permit = r->side[1].facts.permit = false;
        r->class = AUDIT_NOTHING;
        for (unsigned f = 0; f < AUDIT_FAMILIES; f++) {
            struct audit_side *side = &r->side[f];
            bool first = f == 0 || !r->side[0].there;

            side->class = side->there ? audit_classify(&side->facts) : AUDIT_NOTHING;
            if (side->there && (first || audit_severity(side->class) < audit_severity(r->class) ||
                                side->facts.listens > r->side[0].facts.listens))
                r->class = side->class;
        }
    }
}

int audit_run(struct audit *a)
{
    int code = load_host(a);

    if (code)
        return code;
    code = audit_scratch(a);
    if (code == 0)
        code = read_sockets(a, &a->sockets);
    if (code)
        return code;
    audit_read_foreign(a);
    add_sockets(a);
    code = add_permits(a);
    if (code)
        return code;
    add_redirected(a, PROTO_TCP);
    add_redirected(a, PROTO_UDP);
    if (a->c->args.given[OPT_FULL])
        add_all(a);
    else
        add_controls(a);
    if (a->n)
        qsort(a->v, a->n, sizeof(*a->v), by_place);
    mark_families(a);
    ask_filters(a);
    for (size_t i = 0; i < a->n; i++)
        for (unsigned f = 0; f < AUDIT_FAMILIES; f++)
            judge_foreign(a, &a->v[i], f);
    if (a->probed)
        code = audit_probe(a);
    if (code == 0)
        code = mark_changed(a);
    if (code)
        return code;
    classify(a);
    audit_find_more(a);
    return 0;
}
