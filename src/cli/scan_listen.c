/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/scan_listen.c: `portward scan --listen`, the target's side of a cooperative scan. Called by
 * cmd_scan.c. Reads a few short lines from the scanner, who came in by a login, and answers what
 * the eBPF program has marked; of what was dropped here, the agent is asked who decided. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/context.h"
#include "cli/reach.h"
#include "cli/scanagent.h"
#include "exposureprobe/listener.h"
#include "exposureprobe/wire.h"
#include "sockets/sockets.h"

enum {
    LINE_BYTES = 256,  /* what a scanner sends is short */
    EXPLAIN_MAX = 256, /* questions to the agent */
    ANSWER_BYTES = WIRE_LINE_BYTES,
};

struct listening {
    struct cli *c;
    struct probe_listener *l;
    struct wire_line line;
    struct probe_heard heard;
};

static int fail(struct listening *s, const char *message)
{
    (void)fprintf(s->c->env->out, "error %s\n", message);
    (void)fflush(s->c->env->out);
    return 1;
}

/* The next line; false: the scanner is gone, or sends something else. */
static bool next(struct listening *s)
{
    char text[LINE_BYTES];

    if (!fgets(text, sizeof(text), s->c->env->in))
        return false;
    size_t n = strcspn(text, "\n");
    return text[n] == '\n' && wire_parse(text, n, &s->line) == 0;
}

static void put_ports(struct listening *s, const char *word, const struct probe_ports *p)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(ANSWER_BYTES);

    if (probe_print_ports(p, &b) < 0)
        cli_out_of_memory();
    (void)fprintf(s->c->env->out, "%s %s\n", word, b.s ? b.s : "-");
}

/* Ports with a socket that takes the datagrams of anybody, at an address that was probed. */
static void find_bound(const struct listening *s, uint8_t proto, struct probe_ports *ret)
{
    struct sockets all = {.n = 0};
    struct diag d;
    uint8_t target[16] = {0};
    uint8_t family = s->heard.family == FAMILY_4 ? AF_INET : AF_INET6;

    memset(ret, 0, sizeof(*ret));
    if (!s->heard.any || sockets_read(SOCKETS_WAITING, NULL, &d, &all) < 0)
        return;
    ip_to_bytes(s->heard.family, s->heard.target, target);
    for (size_t i = 0; i < all.n; i++) {
        const struct socket_row *r = &all.v[i];
        bool waits = r->state == SOCKET_BOUND || r->state == SOCKET_LISTEN;
        bool same = r->family == family || (r->family == AF_INET6 && !r->six_only);
        bool here = socket_is_any_address(r) ||
                    (r->family == family && memcmp(r->local, target, sizeof(target)) == 0);

        if (r->proto == proto && waits && same && here)
            probe_ports_add(ret, r->port);
    }
    sockets_done(&all);
}

/* --- who decided --- */
/* Where a filter may begin or end to match. */
static void mark_edges(const struct cli_filters *f, struct probe_ports *edges)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct portset *sets[] = {&f->v[i].dport, &f->v[i].sport};

        for (size_t k = 0; k < ARRAY_SIZE(sets); k++)
            for (uint32_t j = 0; j < sets[k]->n; j++) {
                probe_ports_add(edges, sets[k]->range[j].first);
                if (sets[k]->range[j].last < PROBE_PORTS - 1)
                    probe_ports_add(edges, sets[k]->range[j].last + 1U);
            }
    }
}

/* One packet in the words of `explain`. */
static int ask_explain(struct listening *s, unsigned port, json_t **ret)
{
    char source[IP_TEXT_BYTES], target[IP_TEXT_BYTES], packet[256];
    const struct probe_heard *h = &s->heard;
    struct diag d;

    ip_print(h->family, h->source, source);
    ip_print(h->family, h->target, target);
    (void)snprintf(packet, sizeof(packet), "in %s from %s port %u to %s port %u%s%s",
                   s->line.is_udp ? "udp" : "tcp", source, h->source_port, target, port,
                   h->ifname[0] ? " on " : "", h->ifname); /* fits */
    json_t *body = json_pack("{s:s}", "packet", packet);
    if (!body)
        cli_out_of_memory();
    return cli_try_ask(s->c, "POST", "/v1/explain", body, &d, ret);
}

static void put_decided(struct listening *s, unsigned first, unsigned last, bool may_ask)
{
    _cleanup_json_ json_t *doc = NULL;
    const json_t *data, *winner;
    const char *verdict = "unknown", *id = "", *text = "";

    if (may_ask && ask_explain(s, first, &doc) == 0) {
        data = cli_data(doc);
        winner = json_object_get(data, "winner");
        verdict = cli_str(data, "verdict");
        id = cli_str(winner, "id");
        text = cli_str(winner, "text");
        if (!*text)
            text =
                *cli_str(data, "exemption") ? cli_str(data, "exemption") : cli_str(data, "decider");
    } else {
        text = may_ask ? "the agent does not answer" : "too many filters to ask for each";
    }
    if (strcmp(verdict, "block") != 0 && strcmp(verdict, "permit") != 0)
        verdict = "unknown";
    (void)fprintf(s->c->env->out, "decided %u %u %s %s ", first, last, verdict, *id ? id : "-");
    cli_put(s->c, text); /* escaped: a name cannot begin a new line */
    (void)fputc('\n', s->c->env->out);
}

/* Runs of ports that arrived and went no further, cut where a filter could make a difference. */
static void put_decisions(struct listening *s, bool is_udp)
{
    const struct cli_where where = {s->c->socket_path, s->c->timeout_ms};
    struct probe_ports edges = {.bits = {0}};
    struct cli_filters f;
    unsigned asked = 0;

    if (!s->heard.any)
        return;
    s->line.is_udp = is_udp;
    bool has_agent = cli_filters_load(&where, &f) == 0;
    if (has_agent) {
        mark_edges(&f, &edges);
        cli_filters_done(&f);
    }
    for (unsigned i = 0; i < PROBE_PORTS; i++) {
        unsigned first = i;

        if (!probe_ports_has(&s->heard.arrived, i) || probe_ports_has(&s->heard.delivered, i))
            continue;
        while (i + 1 < PROBE_PORTS && probe_ports_has(&s->heard.arrived, i + 1) &&
               !probe_ports_has(&s->heard.delivered, i + 1) && !probe_ports_has(&edges, i + 1))
            i++;
        put_decided(s, first, i, has_agent && asked++ < EXPLAIN_MAX);
    }
}

/* Until the scanner has enough. */
static int serve(struct listening *s, bool is_udp)
{
    FILE *out = s->c->env->out;

    while (next(s)) {
        if (s->line.word != WIRE_COUNT && s->line.word != WIRE_END)
            return fail(s, "that was no question");
        bool is_end = s->line.word == WIRE_END;
        probe_listener_read(s->l, &s->heard);
        put_ports(s, "arrived", &s->heard.arrived);
        if (is_end) {
            struct probe_ports bound;

            put_ports(s, "delivered", &s->heard.delivered);
            find_bound(s, is_udp ? IPPROTO_UDP : IPPROTO_TCP, &bound);
            put_ports(s, "bound", &bound);
            put_decisions(s, is_udp);
            (void)fputs("end\n", out);
        }
        if (fflush(out) != 0)
            return 1;
        if (is_end)
            return 0;
    }
    return 1; /* the scanner went away */
}

static int listen_until_end(struct listening *s)
{
    struct diag d;

    (void)fprintf(s->c->env->out, "ready %d\n", WIRE_VERSION);
    (void)fflush(s->c->env->out);
    if (!next(s) || s->line.word != WIRE_KEY)
        return fail(s, "the scanner sent no key");
    bool is_udp = s->line.is_udp;
    if (probe_listener_open(s->line.key, s->line.family, is_udp, &d, &s->l) < 0)
        return fail(s, d.message);
    (void)fprintf(s->c->env->out, "ready %d\n", WIRE_VERSION);
    (void)fflush(s->c->env->out);
    return serve(s, is_udp);
}

int cli_scan_listen(struct cli *c)
{
    struct listening *s = calloc(1, sizeof(*s));
    int code;

    if (!s)
        cli_out_of_memory();
    s->c = c;
    code = listen_until_end(s);
    probe_listener_freep(&s->l);
    free(s);
    return code;
}
