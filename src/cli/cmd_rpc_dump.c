/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_rpc_dump.c: `portward rpc dump`: registered RPC endpoints beside what listens, the range
 * and the filters. Called from the table of commands. Works without the agent; columns that only it
 * knows are then '-'. */
#include <stdio.h>
#include <string.h>

#include "cli/context.h"
#include "cli/rpctable.h"

enum { EXIT_FINDINGS = 6 };

static const char *yes_no(bool known, bool yes)
{
    return !known ? NULL : yes ? "yes" : "NO";
}

static bool has_port(const struct rpc_row *r)
{
    return r->e.transport == RPC_TRANSPORT_TCP || r->e.transport == RPC_TRANSPORT_UDP ||
           r->e.transport == RPC_TRANSPORT_HTTP;
}

/* "100005 mountd", or the annotation of a UUID. */
static void add_interface(struct cli_table *t, const struct rpc_row *r)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "%s%s%s", r->e.interface,
                   r->e.interface[0] && r->e.name[0] ? " " : "", r->e.name); /* fits */
    cli_table_add(t, STYLE_PLAIN, text);
}

static void add_row(struct cli_table *t, const struct cli_rpc_table *all,
                    const struct cli_rpc_row *x)
{
    const struct rpc_row *r = x->row;
    bool ports = has_port(r), sockets = ports && x->class != RPC_ROW_UNKNOWN;
    char port[8] = "";

    if (ports)
        (void)snprintf(port, sizeof(port), "%u", r->e.port); /* fits */
    cli_table_add(t, STYLE_PLAIN, cli_rpc_transport(r->e.transport));
    cli_table_add(t, STYLE_PLAIN, port);
    add_interface(t, r);
    cli_table_add(t, STYLE_PLAIN, r->e.version);
    cli_table_add(t, STYLE_PLAIN, r->unit[0] ? r->unit : r->e.owner);
    cli_table_add(t, sockets && !r->listening ? STYLE_WARNING : STYLE_PLAIN,
                  yes_no(sockets, r->listening));
    cli_table_add(t, STYLE_PLAIN, yes_no(ports && all->n_ports && all->is_local, r->in_set));
    cli_table_add(t, STYLE_PLAIN, x->reach && !*x->reach ? "nowhere" : x->reach);
    cli_table_add(t, cli_rpc_is_bad(x->class) ? STYLE_WARNING : STYLE_PLAIN,
                  rpc_row_name(x->class));
}

/* What is of this host alone is not shown of another one, and pipes have no port. */
static void put_table(struct cli *c, const struct cli_rpc_table *all)
{
    static const struct cli_column columns[] = {
        {"PROTO", false}, {"PORT", true},       {"INTERFACE", false}, {"VER", false},
        {"OWNER", false}, {"LISTENING", false}, {"IN RANGE", false},  {"REACHABLE FROM", false},
        {"CLASS", false}};
    _cleanup_(cli_table_done) struct cli_table t;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    for (size_t i = 0; i < all->joined.n; i++)
        if (has_port(&all->joined.v[i]))
            add_row(&t, all, &all->v[i]);
    cli_table_print(&t, c->env->out, c->header, c->colour);
}

static void put_summary(struct cli *c, const struct cli_rpc_table *all)
{
    const struct rpc_rows *r = &all->joined;

    if (c->quiet)
        return;
    (void)fprintf(c->env->err, "%zu TCP endpoints on %zu ports", r->n_tcp, r->n_tcp_ports);
    if (all->n_ports)
        (void)fprintf(c->env->err, ", range %s has %u", all->ports, all->n_ports);
    (void)fputc('\n', c->env->err);
    for (size_t i = 0; i < ARRAY_SIZE(all->missing); i++)
        if (all->missing[i][0])
            (void)fprintf(c->env->err, "note: not known: %s\n", all->missing[i]);
}

static json_t *text_or_null(const char *s)
{
    return s && *s ? api_text_json(s) : json_null();
}

static json_t *row_json(const struct cli_rpc_table *all, const struct cli_rpc_row *x)
{
    const struct rpc_row *r = x->row;
    bool ports = has_port(r), sockets = ports && x->class != RPC_ROW_UNKNOWN;
    json_t *j = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}",
        "source", r->e.source == RPC_DUMP_DCE ? "dce" : "onc", "transport",
        cli_rpc_transport(r->e.transport), "port", ports ? json_integer(r->e.port) : json_null(),
        "address", text_or_null(r->e.address), "interface", text_or_null(r->e.interface), "version",
        text_or_null(r->e.version), "name", text_or_null(r->e.name), "object",
        text_or_null(r->e.object), "path", text_or_null(r->e.path), "netid",
        text_or_null(r->e.netid), "owner", text_or_null(r->e.owner), "unit", text_or_null(r->unit),
        "listening", sockets ? json_boolean(r->listening) : json_null(), "in_range",
        ports && all->n_ports && all->is_local ? json_boolean(r->in_set) : json_null(),
        "reachable_from", !x->reach ? json_null() : api_text_json(*x->reach ? x->reach : "nowhere"),
        "class", rpc_row_name(x->class));

    if (!j)
        cli_out_of_memory();
    return j;
}

static void put_json(struct cli *c, const char *host, const struct cli_rpc_table *all)
{
    json_t *list = json_array(), *missing = json_array();

    for (size_t i = 0; i < all->joined.n; i++)
        if (json_array_append_new(list, row_json(all, &all->v[i])) < 0)
            cli_out_of_memory();
    for (size_t i = 0; i < ARRAY_SIZE(all->missing); i++)
        if (all->missing[i][0] && json_array_append_new(missing, api_text_json(all->missing[i])))
            cli_out_of_memory();
    cli_put_document(c, "rpc-dump",
                     json_pack("{s:o, s:o, s:I, s:I, s:o, s:I, s:o}", "host",
                               host ? api_text_json(host) : json_null(), "endpoints", list,
                               "tcp_endpoints", (json_int_t)all->joined.n_tcp, "tcp_ports",
                               (json_int_t)all->joined.n_tcp_ports, "range",
                               text_or_null(all->ports), "range_ports", (json_int_t)all->n_ports,
                               "missing", missing));
}

int cmd_rpc_dump(struct cli *c)
{
    _cleanup_(cli_rpc_table_done) struct cli_rpc_table t = {.n_bad = 0};
    const char *host = c->n_words ? c->words[0] : NULL;
    unsigned what = RPC_ASK_ONC | RPC_ASK_DCE;
    struct diag d = {0};

    if (c->args.given[OPT_ONC] != c->args.given[OPT_DCE])
        what = c->args.given[OPT_ONC] ? RPC_ASK_ONC : RPC_ASK_DCE;
    const struct cli_where where = {c->socket_path, c->timeout_ms};
    if (cli_rpc_table_read(&where, host, what, &d, &t) < 0)
        return cli_fail(c, &d);
    if (c->json) {
        put_json(c, host, &t);
    } else {
        put_table(c, &t);
        put_summary(c, &t);
    }
    return t.n_bad ? EXIT_FINDINGS : 0;
}
