/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/rpcdump.c: `rpcdump /s HOST /v /i /p PROTSEQ`: registered RPC endpoints (windows.md 9).
 * Called through the table of tools. Changes nothing. What the original prints of an endpoint comes
 * first on each line; what only we know stands behind it. */
#include <string.h>
#include <strings.h>

#include "cli/rpctable.h"
#include "winswitch.h"

static const char hint[] = "rpcdump /s 192.0.2.10 /v";
enum { EXIT_FINDINGS = 6 };

enum { RPCDUMP_HOST, RPCDUMP_VERBOSE, RPCDUMP_PING, RPCDUMP_PROTSEQ, RPCDUMP_HELP };
static const struct win_switch switches[] = {
    [RPCDUMP_HOST] = {"s", WIN_FLAG, NULL}, [RPCDUMP_VERBOSE] = {"v", WIN_FLAG, NULL},
    [RPCDUMP_PING] = {"i", WIN_FLAG, NULL}, [RPCDUMP_PROTSEQ] = {"p", WIN_FLAG, NULL},
    [RPCDUMP_HELP] = {"?", WIN_FLAG, NULL},
};

struct request {
    const char *host, *protseq; /* NULL = this host, all */
    bool verbose, ping, help;
};

static int take_words(struct tool_run *t, const struct win_words *l, struct diag *d,
                      struct request *q)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct win_word *w = &l->v[i];
        bool takes = w->index == RPCDUMP_HOST || w->index == RPCDUMP_PROTSEQ;
        if (w->index < 0)
            return win_fail_word(t, w, d, hint);
        if (takes && (i + 1 >= l->n || l->v[i + 1].index != WIN_WORD)) {
            int r = tool_fail_at(t, d, w->typed, w->at, w->len, DIAG_USAGE, "'/%s' needs a value",
                                 switches[w->index].name);
            diag_hint(d, "%s", hint);
            return r;
        }
        if (takes)
            *(w->index == RPCDUMP_HOST ? &q->host : &q->protseq) = l->v[++i].value;
        q->verbose |= w->index == RPCDUMP_VERBOSE;
        q->ping |= w->index == RPCDUMP_PING;
        q->help |= w->index == RPCDUMP_HELP;
    }
    return 0;
}

static bool is_wanted(const struct request *q, const struct rpc_endpoint *e)
{
    if (q->protseq)
        return strcasecmp(q->protseq, rpc_transport_protseq(e->transport)) == 0;
    return true;
}

/* "ncacn_ip_tcp:192.0.2.10[5003]". */
static void put_binding(struct tool_run *t, const struct rpc_endpoint *e, const char *host)
{
    const char *where = e->address[0] ? e->address : e->host[0] ? e->host : host;
    (void)strbuf_addf(&t->out, "%s:%s[", rpc_transport_protseq(e->transport), where); /* sticky */
    if (e->path[0])
        (void)strbuf_addf(&t->out, "%s]", e->path);
    else
        (void)strbuf_addf(&t->out, "%u]", e->port);
}

static const char *yes_no(bool known, bool yes)
{
    return !known ? "unknown" : yes ? "yes" : "no";
}

static void put_row(struct tool_run *t, const struct request *q, const struct cli_rpc_table *all,
                    const struct cli_rpc_row *x)
{
    const struct rpc_row *r = x->row;
    bool sockets = x->class != RPC_ROW_UNKNOWN;
    put_binding(t, &r->e, q->host ? q->host : "localhost");
    (void)strbuf_addf(&t->out, " %s v%s", r->e.interface[0] ? r->e.interface : "-",
                      r->e.version[0] ? r->e.version : "-"); /* errors are sticky */
    if (r->e.name[0])
        (void)strbuf_addf(&t->out, " %s", r->e.name);
    if (r->e.port)
        (void)strbuf_addf(&t->out, " %s", rpc_row_name(x->class));
    (void)strbuf_add(&t->out, "\n");
    if (!q->verbose || !r->e.port)
        return;
    if (r->e.object[0])
        (void)strbuf_addf(&t->out, "    object     : %s\n", r->e.object);
    (void)strbuf_addf(&t->out, "    listening  : %s\n", yes_no(sockets, r->listening));
    (void)strbuf_addf(&t->out, "    in set     : %s\n",
                      yes_no(all->n_ports && all->is_local, r->in_set));
    (void)strbuf_addf(&t->out, "    owner      : %s\n", r->unit[0] ? r->unit : r->e.owner);
    (void)strbuf_addf(&t->out, "    reachable  : %s\n",
                      !x->reach   ? "unknown"
                      : *x->reach ? x->reach
                                  : "nowhere");
}

/* /i: one group per protocol sequence. */
static const struct {
    enum rpc_transport transport;
    const char *title;
} groups[] = {
    {RPC_TRANSPORT_TCP, "ncacn_ip_tcp (connection-oriented TCP/IP)"},
    {RPC_TRANSPORT_UDP, "ncadg_ip_udp (datagrams)"},
    {RPC_TRANSPORT_HTTP, "ncacn_http (over HTTP)"},
    {RPC_TRANSPORT_PIPE, "ncacn_np (named pipes)"},
    {RPC_TRANSPORT_LOCAL, "ncalrpc (local RPC)"},
    {RPC_TRANSPORT_OTHER, "unknown"},
};

static void put_group(struct tool_run *t, const struct request *q, const struct cli_rpc_table *all,
                      size_t g)
{
    size_t n = 0;
    for (size_t i = 0; i < all->joined.n; i++) {
        const struct rpc_row *r = all->v[i].row;
        if (r->e.transport != groups[g].transport || !is_wanted(q, &r->e) || !r->e.interface[0])
            continue;
        if (n++ == 0 && q->ping)
            (void)strbuf_addf(&t->out, "\n%s\n", groups[g].title); /* errors are sticky */
        put_row(t, q, all, &all->v[i]);
    }
}

static int print(struct tool_run *t, const struct request *q, const struct cli_rpc_table *all,
                 struct diag *d)
{
    int r = 0;
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
        put_group(t, q, all, g);
    (void)strbuf_addf(&t->out, "\n%zu TCP endpoints on %zu ports", all->joined.n_tcp,
                      all->joined.n_tcp_ports); /* errors are sticky */
    if (all->n_ports)
        (void)strbuf_addf(&t->out, ", set %s has %u", all->ports, all->n_ports);
    (void)strbuf_add(&t->out, "\n");
    for (size_t i = 0; i < ARRAY_SIZE(all->missing) && r == 0; i++)
        if (all->missing[i][0])
            r = tool_remark(t, NOTE, d, "not known: %s", all->missing[i]);
    t->exit = all->n_bad ? EXIT_FINDINGS : 0;
    return r < 0 ? r : t->out.error;
}

int tool_rpcdump(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    _cleanup_(win_words_done) struct win_words l = {0};
    struct request q = {.host = NULL};
    int r =
        win_words_read(t, &(struct win_input){argc, argv, switches, ARRAY_SIZE(switches)}, d, &l);
    if (r == 0)
        r = take_words(t, &l, d, &q);
    if (r < 0)
        return r;
    if (q.help)
        return strbuf_add(&t->out, tool_rpcdump_help);
    if (!t->host || !t->host->endpoints)
        return diag_fail(d, DIAG_USAGE, "there is no host here to ask for its endpoints");
    struct cli_rpc_table all;
    r = t->host->endpoints(t->host->ctx, q.host, d, &all);
    if (r < 0)
        return r;
    r = print(t, &q, &all, d);
    cli_rpc_table_done(&all);
    return r;
}

const char tool_rpcdump_help[] =
    "Lists the RPC endpoints that a host has registered.\n"
    "\n"
    "rpcdump [/s HOST] [/v] [/i] [/p PROTSEQ]\n"
    "\n"
    "  /s HOST     another host; its sockets cannot be seen\n"
    "  /v          also whether somebody listens, and who can reach it\n"
    "  /i          grouped by protocol sequence\n"
    "  /p PROTSEQ  only ncacn_ip_tcp, ncadg_ip_udp, ncacn_np, ncalrpc or ncacn_http\n"
    "\n"
    "Endpoints of DCE/RPC (TCP port 135) and of rpcbind. Exit status 6 if an\n"
    "endpoint lies outside of the set or nobody listens.\n";
