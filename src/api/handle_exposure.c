/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_exposure.c: sockets of the host, and from where they can be reached (docs/api.md,
 * SOCKET and REACH). Called through the table of routes. Nothing is changed. The command line
 * reads sockets for itself, since a hundred thousand of them as JSON cost more than the reading. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "agent/reach.h"
#include "base/limits.h"
#include "exposure/rows.h"
#include "json.h"
#include "request.h"

enum { PIECES_SHOWN = 64 };

static void add_row(struct request *r, const struct exposure_rows *rows,
                    const struct socket_row *row)
{
    char name[IF_NAMESIZE] = "";
    bool bound = row->ifindex && if_indextoname(row->ifindex, name);

    struct exposure_words w = {.device = bound ? name : NULL};

    (void)exposure_row_json(rows, row, &w, &r->answer); /* errors are sticky */
}

int handle_sockets(struct request *r)
{
    _cleanup_(exposure_rows_done) struct exposure_rows rows = {0};
    unsigned what = SOCKETS_WAITING;
    char pin[512];

    if (r->params.flag[PARAM_ALL])
        what |= SOCKETS_CONNECTED | SOCKETS_SNIFFING;
    agent_holders_pin(r->agent, pin, sizeof(pin));
    int e = exposure_rows_read(what, pin, &r->diag, &rows);
    if (e < 0)
        return e;
    size_t n = rows.s.n < LIMIT_API_SOCKETS ? rows.s.n : LIMIT_API_SOCKETS;
    answer_begin(r, agent_generation(r->agent));
    (void)strbuf_add(&r->answer, "{\"sockets\":["); /* errors are sticky */
    for (size_t i = 0; i < n; i++) {
        if (i)
            (void)strbuf_add_char(&r->answer, ',');
        add_row(r, &rows, &rows.s.v[i]);
    }
    (void)strbuf_addf(&r->answer,
                      "],\"total\":%zu,\"incomplete\":%s,\"reserved_visible\":%s,"
                      "\"packet_visible\":%s}",
                      rows.s.n, rows.s.incomplete ? "true" : "false",
                      rows.s.reserved_hidden ? "false" : "true",
                      rows.s.sniff_hidden ? "false" : "true");
    return answer_end(r, NULL);
}

static json_t *json_piece(struct request *r, enum family f, const struct reach_piece *p)
{
    static const char *const deciders[] = {
        [DECIDED_NO_MATCH] = "no-match",   [DECIDED_FILTER] = "filter",
        [DECIDED_FAILSAFE] = "failsafe",   [DECIDED_EXEMPTION] = "exemption",
        [DECIDED_STRUCTURE] = "structure", [DECIDED_EARLIER] = "earlier"};
    _cleanup_(strbuf_done) struct strbuf from = STRBUF_INIT(256);
    char address[IP_TEXT_BYTES], first[IP_TEXT_BYTES], last[IP_TEXT_BYTES], id[16];
    const char *rule;

    if (reach_range_text(f, p->first, p->last, &from) < 0)
        return NULL;
    ip_print(f, p->address, address);
    ip_print(f, p->first, first);
    ip_print(f, p->last, last);
    agent_reach_decider(r->agent, p, id, &rule);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:o, s:o}", "from", from.s, "first",
                     first, "last", last, "to", address, "interface",
                     api_text_json(p->iface ? p->iface->name : NULL), "source_port",
                     p->sport ? json_integer(p->sport) : json_null(), "action",
                     p->block ? "block" : "permit", "by", deciders[p->decider], "filter",
                     api_text_json(id), "rule", api_text_json(rule));
}

static json_t *json_range(struct request *r, const struct agent_reach_range *x)
{
    _cleanup_json_ json_t *pieces = json_array();
    char ports[16];

    (void)snprintf(ports, sizeof(ports), x->ports.first == x->ports.last ? "%u" : "%u-%u",
                   x->ports.first, x->ports.last); /* fits */
    for (size_t i = 0; pieces && i < x->reach.n && i < PIECES_SHOWN; i++)
        if (json_array_append_new(pieces, json_piece(r, x->reach.family, &x->reach.v[i])))
            return NULL;
    return json_pack("{s:I, s:s, s:o, s:o, s:b, s:I, s:O}", "item", (json_int_t)x->item, "ports",
                     ports, "verdict",
                     x->known ? json_string(reach_verdict_name(reach_verdict(&x->reach)))
                              : json_null(),
                     "text", api_text_json(x->text), "everywhere", x->reach.everywhere, "n_pieces",
                     (json_int_t)x->reach.n, "pieces", pieces);
}

int handle_reach(struct request *r)
{
    _cleanup_(agent_reach_done) struct agent_reach x = {0};
    int e = agent_reach(r->agent, r->params.items, r->params.n_items, &r->diag, &x);

    if (e < 0)
        return e;
    answer_begin(r, agent_generation(r->agent));
    (void)strbuf_add(&r->answer, "{\"reach\":["); /* errors are sticky */
    for (size_t i = 0; i < x.n; i++) {
        _cleanup_json_ json_t *j = json_range(r, &x.v[i]);

        if (i)
            (void)strbuf_add_char(&r->answer, ',');
        (void)api_json_add(&r->answer, j);
    }
    (void)strbuf_addf(&r->answer, "],\"complete\":%s}", x.complete ? "true" : "false");
    return answer_end(r, NULL);
}
