/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/scan_show.c: see cli/scanshow.h. Called by cmd_scan.c. Data goes to stdout, the plan, the bar
 * and the summary to stderr. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/context.h"
#include "cli/scanshow.h"

enum {
    LIST_ALL = 64,          /* so many ports asked for: all of them are shown */
    FAST = 200000,          /* probes per second that this host manages, roughly */
    BAR_AFTER_US = 1000000, /* cli.md 6 */
    BAR_CELLS = 20,
    RANGES_BYTES = 512 * 1024,
};

static const char *proto_of(enum probe_method m)
{
    return m == PROBE_UDP ? "UDP" : "TCP";
}

static void address_of(const struct cli_scan_target *t, char out[IP_TEXT_BYTES])
{
    ip_print(t->family, t->ip, out);
}

void cli_scan_put_plan(struct cli *c, const struct cli_scan_target *t,
                       const struct cli_scan_plan *p)
{
    static const char *const methods[_PROBE_METHOD_MAX] = {"SYN", "connect", "datagrams"};
    const struct probe_route *r = &t->route;
    unsigned n = p->n_ports;
    char address[IP_TEXT_BYTES], source[IP_TEXT_BYTES], gateway[IP_TEXT_BYTES];
    FILE *err = c->env->err;

    if (c->quiet)
        return;
    address_of(t, address);
    ip_print(t->family, r->source, source);
    (void)fputs("scan of ", err);
    if (strcmp(t->name, address) != 0)
        (void)fprintf(err, "%s, ", t->name);
    (void)fprintf(err, "%s%s\n", address, t->is_ours ? " (this host)" : "");
    (void)fprintf(err, "  path    through %s from %s", r->ifname[0] ? r->ifname : "?", source);
    if (r->has_gateway) {
        ip_print(t->family, r->gateway, gateway);
        (void)fprintf(err, " by %s", gateway);
    }
    (void)fprintf(err, "\n  probes  %u %s port%s (%s), %s%s, ", n, proto_of(p->method),
                  n == 1 ? "" : "s", p->ports_text, methods[p->method],
                  p->with_agent ? ", counted by the target" : "");
    if (p->rate)
        (void)fprintf(err, "at most %u per second\n", p->rate);
    else
        (void)fputs("unlimited rate\n", err);
    (void)fprintf(err, "  rounds  1 to %d, %u to %u probes, about %.1f s per full round\n",
                  p->method == PROBE_UDP ? 3 : PROBE_ROUNDS_MAX, n,
                  n * (p->method == PROBE_UDP ? 3U : (unsigned)PROBE_ROUNDS_MAX),
                  (double)n / (p->rate ? p->rate : FAST));
    (void)fflush(err);
}

/* --- the bar --- */
static uint64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void cli_scan_bar_init(struct cli_scan_bar *b, struct cli *c, const struct cli_scan_target *t,
                       const struct cli_scan_plan *p)
{
    *b =
        (struct cli_scan_bar){.c = c, .n_ports = p->n_ports, .rate = p->rate, .start_us = now_us()};
    (void)snprintf(b->name, sizeof(b->name), "%s", t->name); /* cut at worst */
}

void cli_scan_bar_move(void *ctx, uint32_t answered, uint32_t round, uint64_t sent)
{
    struct cli_scan_bar *b = ctx;
    uint64_t past = now_us() - b->start_us;
    uint64_t done = sent < b->n_ports ? sent : b->n_ports;
    char cells[BAR_CELLS + 1];

    if (!b->c->env->err_tty || b->c->quiet || b->c->json || past < BAR_AFTER_US)
        return;
    if (round > 1 && answered < b->n_ports) /* later rounds ask what is still silent */
        done = b->n_ports;
    for (unsigned i = 0; i < BAR_CELLS; i++)
        cells[i] = i * (uint64_t)b->n_ports < done * BAR_CELLS ? '#' : '.';
    cells[BAR_CELLS] = '\0';
    (void)fprintf(b->c->env->err, "\r\033[Kscan %s  [%s]  %3u %%  %u/%u", b->name, cells,
                  (unsigned)(done * 100 / b->n_ports), (unsigned)done, b->n_ports);
    if (round > 1)
        (void)fprintf(b->c->env->err, "  round %u", round);
    else if (done > 0)
        (void)fprintf(b->c->env->err, "  %.1f s left",
                      (double)past / (double)done * (double)(b->n_ports - done) / 1e6);
    (void)fflush(b->c->env->err);
    b->is_shown = true;
}

void cli_scan_bar_erase(struct cli_scan_bar *b)
{
    if (b->is_shown)
        (void)fputs("\r\033[K", b->c->env->err);
    b->is_shown = false;
}

/* --- the table --- */
/* What the port is known for, or what its answer proves. */
static void name_of(unsigned port, enum probe_method m, const struct probe_result *r, char *out,
                    size_t size)
{
    const char *proven = probe_service_name(r->service[port]);
    const struct servent *s = getservbyport(htons((uint16_t)port), m == PROBE_UDP ? "udp" : "tcp");

    if (proven)
        (void)snprintf(out, size, "%s (answers as %s)", s ? s->s_name : "-", proven);
    else
        (void)snprintf(out, size, "%s", s ? s->s_name : "");
}

static bool is_shown(const struct cli_scan_plan *p, const struct probe_result *r, unsigned port)
{
    return r->port[port].state == PROBE_OPEN ||
           (r->port[port].state != PROBE_NOT_SCANNED && p->n_ports <= LIST_ALL);
}

static enum cli_style style_of(uint8_t state)
{
    return state == PROBE_OPEN ? STYLE_PERMIT : STYLE_PLAIN;
}

static void put_row(struct cli_table *t, const struct cli_scan_plan *p,
                    const struct probe_result *r, unsigned port)
{
    const struct probe_port *x = &r->port[port];
    char text[CLI_TEXT_BYTES], name[128], state[128];
    const char *why = probe_why_name(x->why);

    (void)snprintf(text, sizeof(text), "%u", port); /* fits */
    cli_table_add(t, STYLE_PLAIN, text);
    (void)snprintf(state, sizeof(state), "%s%s%s", probe_state_name(x->state), *why ? ": " : "",
                   why); /* fits */
    cli_table_add(t, style_of(x->state), state);
    (void)snprintf(text, sizeof(text), "%.1f ms", x->rtt_us / 1000.0); /* fits */
    cli_table_add(t, STYLE_PLAIN, x->rtt_us ? text : NULL);
    name_of(port, p->method, r, name, sizeof(name));
    cli_table_add(t, STYLE_PLAIN, name);
}

static void put_decisions(struct cli *c, const struct probe_result *r)
{
    for (uint32_t i = 0; i < r->n_decisions; i++) {
        const struct probe_decision *d = &r->decisions[i];
        char ports[CLI_TEXT_BYTES];

        (void)snprintf(ports, sizeof(ports), d->first == d->last ? "%u" : "%u-%u", d->first,
                       d->last); /* fits */
        (void)fprintf(c->env->out, "%-11s  dropped by the target: ", ports);
        if (strcmp(d->verdict, "block") == 0)
            (void)fprintf(c->env->out, "block%s%s", *d->id ? " by " : "", d->id);
        else if (*d->verdict)
            (void)fputs("its policy permits it, something else does not", c->env->out);
        else
            (void)fputs("by whom is not known", c->env->out);
        if (*d->text) {
            (void)fputs(*d->verdict ? ", " : ": ", c->env->out);
            cli_put(c, d->text);
        }
        (void)fputc('\n', c->env->out);
    }
}

static void put_summary(struct cli *c, const struct cli_scan_plan *p, const struct probe_result *r)
{
    FILE *err = c->env->err;

    if (c->quiet)
        return;
    (void)fprintf(err, "%u %s port%s: %u open, %u closed, %u filtered, %u unknown", p->n_ports,
                  proto_of(p->method), p->n_ports == 1 ? "" : "s", r->n[PROBE_OPEN],
                  r->n[PROBE_CLOSED], r->n[PROBE_FILTERED], r->n[PROBE_UNKNOWN]);
    if (r->n[PROBE_REJECTED])
        (void)fprintf(err, ", %u rejected", r->n[PROBE_REJECTED]);
    (void)fprintf(err, "; %llu probes sent, %u round%s, %.2f s\n", (unsigned long long)r->sent,
                  r->rounds, r->rounds == 1 ? "" : "s", r->elapsed_us / 1e6);
    if (r->is_proxy)
        (void)fputs("note: answered by a proxy or SYN cookie device: no port is called open\n",
                    err);
    if (r->backed_off)
        (void)fputs("note: answers got lost, so the rate was halved\n", err);
    if (r->local_errors)
        (void)fprintf(err, "note: %u times this host could not send (%s), and tried again\n",
                      r->local_errors, strerror(r->first_errno));
    if (r->n[PROBE_UNKNOWN] && p->method == PROBE_UDP && !p->with_agent)
        (void)fputs("note: a silent UDP port may be open, filtered or rate limited\n", err);
    if (r->is_stopped)
        (void)fputs("note: stopped before the end\n", err);
}

void cli_scan_put_result(struct cli *c, const struct cli_scan_target *t _unused_,
                         const struct cli_scan_plan *p, const struct probe_result *r)
{
    static const struct cli_column columns[] = {
        {"PORT", true}, {"STATE", false}, {"RTT", false}, {"NAME", false}};
    _cleanup_(cli_table_done) struct cli_table table;
    bool any = false;

    cli_table_init(&table, columns, ARRAY_SIZE(columns));
    for (unsigned i = 0; i < PROBE_PORTS; i++)
        if (is_shown(p, r, i)) {
            put_row(&table, p, r, i);
            any = true;
        }
    if (any)
        cli_table_print(&table, c->env->out, c->header, c->colour);
    put_decisions(c, r);
    (void)fflush(c->env->out);
    put_summary(c, p, r);
}

/* --- the document --- */
static json_t *checked(json_t *j)
{
    if (!j)
        cli_out_of_memory();
    return j;
}

static json_t *address_json(enum family f, struct ip ip)
{
    char text[IP_TEXT_BYTES];

    ip_print(f, ip, text);
    return checked(json_string(text));
}

static json_t *text_or_null(const char *s)
{
    return checked(s && *s ? api_text_json(s) : json_null());
}

/* {"open": "22,80", ...}: each port in exactly one. */
static json_t *ranges_json(const struct probe_result *r)
{
    json_t *all = checked(json_object());

    for (unsigned s = PROBE_OPEN; s < _PROBE_STATE_MAX; s++) {
        _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(RANGES_BYTES);
        struct probe_ports ports = {.bits = {0}};

        for (unsigned i = 0; i < PROBE_PORTS; i++)
            if (r->port[i].state == s)
                probe_ports_add(&ports, i);
        if (probe_print_ports(&ports, &b) < 0)
            cli_out_of_memory();
        json_object_set_new(all, probe_state_name(s),
                            checked(b.len ? json_string(b.s) : json_null()));
    }
    return all;
}

static json_t *ports_json(const struct cli_scan_plan *p, const struct probe_result *r)
{
    json_t *list = checked(json_array());

    for (unsigned i = 0; i < PROBE_PORTS; i++) {
        const struct servent *s;

        if (!is_shown(p, r, i))
            continue;
        s = getservbyport(htons((uint16_t)i), p->method == PROBE_UDP ? "udp" : "tcp");
        json_array_append_new(
            list,
            checked(json_pack("{s:i, s:s, s:o, s:o, s:o, s:o}", "port", (int)i, "state",
                              probe_state_name(r->port[i].state), "why",
                              text_or_null(probe_why_name(r->port[i].why)), "rtt_us",
                              r->port[i].rtt_us ? json_integer(r->port[i].rtt_us) : json_null(),
                              "name", text_or_null(s ? s->s_name : NULL), "answers_as",
                              text_or_null(probe_service_name(r->service[i])))));
    }
    return list;
}

static json_t *decisions_json(const struct probe_result *r)
{
    json_t *list = checked(json_array());

    for (uint32_t i = 0; i < r->n_decisions; i++) {
        const struct probe_decision *d = &r->decisions[i];

        json_array_append_new(
            list, checked(json_pack("{s:i, s:i, s:o, s:o, s:o}", "first", d->first, "last", d->last,
                                    "verdict", text_or_null(d->verdict), "filter",
                                    text_or_null(d->id), "text", text_or_null(d->text))));
    }
    return list;
}

json_t *cli_scan_json(const struct cli_scan_target *t, const struct cli_scan_plan *p,
                      const struct probe_result *r)
{
    const struct probe_route *way = &t->route;
    json_t *j = checked(json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:o}", "host",
        checked(api_text_json(t->name)), "address", address_json(t->family, t->ip), "source",
        address_json(t->family, way->source), "interface", text_or_null(way->ifname), "gateway",
        way->has_gateway ? address_json(t->family, way->gateway) : json_null(), "own", t->is_ours,
        "proto", p->method == PROBE_UDP ? "udp" : "tcp", "method", probe_method_name(p->method),
        "with_agent", p->with_agent, "asked", p->ports_text, "rate",
        p->rate ? json_integer(p->rate) : json_null(), "states", ranges_json(r), "ports",
        ports_json(p, r), "decided", decisions_json(r)));
    json_t *more =
        checked(json_pack("{s:I, s:I, s:I, s:b, s:b, s:b, s:I}", "rounds", (json_int_t)r->rounds,
                          "probes", (json_int_t)r->sent, "elapsed_us", (json_int_t)r->elapsed_us,
                          "stopped", r->is_stopped, "proxy", r->is_proxy, "backed_off",
                          r->backed_off, "local_errors", (json_int_t)r->local_errors));

    if (json_object_update(j, more) < 0)
        cli_out_of_memory();
    json_decref(more);
    return j;
}
