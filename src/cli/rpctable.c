/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/rpctable.c: see cli/rpctable.h. Called by `rpc dump` and the dialect `rpcdump`. The agent is
 * asked for range, units and filters, and only for these: what strangers send is read here. */
#include "cli/rpctable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/context.h"

enum { REACH_MAX = 4096, SPANS_MAX = 256 };

/* What the agent says; none of it is necessary. */
struct known {
    json_t *rpc, *host; /* owned, NULL = not known */
    struct rpc_port_span spans[SPANS_MAX];
    size_t n_spans;
    const char **units, **addresses; /* arrays owned */
    size_t n_units, n_addresses;
    struct cli_filters filters;
    bool has_filters;
};

static void known_done(struct known *k)
{
    json_decref(k->rpc);
    json_decref(k->host);
    free(k->units);
    free(k->addresses);
    cli_filters_done(&k->filters);
}

void cli_rpc_table_done(struct cli_rpc_table *t)
{
    for (size_t i = 0; t->v && i < t->joined.n; i++)
        free(t->v[i].reach);
    free(t->v);
    rpc_rows_done(&t->joined);
}

const char *cli_rpc_transport(enum rpc_transport t)
{
    static const char *const names[] = {
        [RPC_TRANSPORT_TCP] = "tcp",     [RPC_TRANSPORT_UDP] = "udp",
        [RPC_TRANSPORT_HTTP] = "http",   [RPC_TRANSPORT_PIPE] = "pipe",
        [RPC_TRANSPORT_LOCAL] = "local", [RPC_TRANSPORT_OTHER] = "other",
    };

    return names[t];
}

bool cli_rpc_is_bad(enum rpc_class_of_row class)
{
    switch (class) {
    case RPC_ROW_REGISTERED_DEAD:
    case RPC_ROW_OUTSIDE:
    case RPC_ROW_HALF_OPEN:
    case RPC_ROW_OTHER_OWNER:
    case RPC_ROW_OTHER_ADDRESS:
        return true;
    case RPC_ROW_OK:
    case RPC_ROW_UNREGISTERED:
    case RPC_ROW_EXPLICIT:
    case RPC_ROW_UNKNOWN:
    case _RPC_ROW_MAX:
        return false;
    }
    return false;
}

/* --- the agent --- */
/* Without a word if it does not answer. */
static json_t *ask_quietly(const struct cli_where *w, const char *target)
{
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    struct api_request r = {.method = "GET", .target = target, .timeout_ms = w->timeout_ms};
    struct diag d;
    json_t *doc;

    if (api_client_call(w->socket_path, &r, &d, &answer) < 0)
        return NULL;
    doc = json_loadb(answer.body, answer.body_len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_true(json_object_get(doc, "ok"))) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}

static void take_spans(struct known *k)
{
    const json_t *pair;
    size_t i;

    json_array_foreach(json_object_get(cli_data(k->rpc), "ranges"), i, pair)
    {
        if (k->n_spans < SPANS_MAX)
            k->spans[k->n_spans++] =
                (struct rpc_port_span){(uint16_t)json_integer_value(json_array_get(pair, 0)),
                                       (uint16_t)json_integer_value(json_array_get(pair, 1))};
    }
}

/* Strings of a list: elements themselves, or their member `name`. */
static const char **take_names(const json_t *list, const char *name, size_t *ret_n)
{
    const char **v = calloc(json_array_size(list) + 1, sizeof(*v));
    const json_t *j;
    size_t i;

    if (!v)
        cli_out_of_memory();
    json_array_foreach(list, i, j)
    {
        const char *s = name ? cli_str(j, name) : json_string_value(j);

        if (s)
            v[(*ret_n)++] = s;
    }
    return v;
}

static void ask_agent(const struct cli_where *w, struct known *k)
{
    k->rpc = ask_quietly(w, "/v1/rpc");
    k->host = k->rpc ? ask_quietly(w, "/v1/host") : NULL;
    take_spans(k);
    k->units = take_names(json_object_get(cli_data(k->rpc), "units"), "name", &k->n_units);
    k->addresses =
        take_names(json_object_get(cli_data(k->host), "addresses"), NULL, &k->n_addresses);
    k->has_filters = k->rpc && cli_filters_load(w, &k->filters) == 0;
}

/* --- from where --- */
static char *reach_of(const struct effective *e, bool udp, uint16_t port)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(REACH_MAX);
    char text[8], *s;

    (void)snprintf(text, sizeof(text), "%u", port); /* fits */
    cli_reach(e, udp ? "udp" : "tcp", text, &b);
    s = strdup(b.s ? b.s : "");
    if (!s)
        cli_out_of_memory();
    return s;
}

static bool has_port(const struct rpc_row *r)
{
    return r->e.transport == RPC_TRANSPORT_TCP || r->e.transport == RPC_TRANSPORT_UDP ||
           r->e.transport == RPC_TRANSPORT_HTTP;
}

/* Rows are sorted: neighbours have the same port. */
static void add_reach(const struct effective *e, struct cli_rpc_table *t)
{
    for (size_t i = 0; i < t->joined.n; i++) {
        const struct rpc_row *r = &t->joined.v[i], *before = i ? &t->joined.v[i - 1] : NULL;

        if (!has_port(r))
            continue;
        if (before && before->e.port == r->e.port && before->e.transport == r->e.transport &&
            !(t->v[i].reach = strdup(t->v[i - 1].reach)))
            cli_out_of_memory();
        if (!t->v[i].reach)
            t->v[i].reach = reach_of(e, r->e.transport == RPC_TRANSPORT_UDP, r->e.port);
    }
}

/* Who reaches the mapper must reach what it names, and nobody else needs to. */
static void find_half_open(const struct effective *e, struct cli_rpc_table *t)
{
    _cleanup_free_ char *dce = reach_of(e, false, RPC_DUMP_DCE_PORT);
    _cleanup_free_ char *tcp = reach_of(e, false, 111);
    _cleanup_free_ char *udp = reach_of(e, true, 111);

    for (size_t i = 0; i < t->joined.n; i++) {
        const struct rpc_row *r = &t->joined.v[i];
        bool is_udp = r->e.transport == RPC_TRANSPORT_UDP;
        const char *mapper = r->e.source == RPC_DUMP_DCE ? dce : is_udp ? udp : tcp;

        if (t->v[i].reach && r->in_set && r->class == RPC_ROW_OK && r->e.interface[0] &&
            strcmp(mapper, t->v[i].reach) != 0)
            t->v[i].class = RPC_ROW_HALF_OPEN;
    }
}

/* --- the table --- */
static void join(struct known *k, const struct rpc_endpoints *l, struct cli_rpc_table *t)
{
    _cleanup_(rpc_listeners_done) struct rpc_listeners listeners = {0};
    struct diag d;
    struct rpc_join j = {.endpoints = l,
                         .set = k->spans,
                         .n_set = t->is_local ? k->n_spans : 0,
                         .confined = k->units,
                         .n_confined = k->n_units,
                         .addresses = k->addresses,
                         .n_addresses = k->n_addresses};

    rpc_dynamic_range(&j.dynamic_first, &j.dynamic_last);
    if (t->is_local && rpc_listeners_read(&d, &listeners) == 0)
        j.listeners = &listeners;
    if (rpc_join(&j, &t->joined) < 0)
        cli_out_of_memory();
    t->v = calloc(t->joined.n + 1, sizeof(*t->v));
    if (!t->v)
        cli_out_of_memory();
    for (size_t i = 0; i < t->joined.n; i++)
        t->v[i] = (struct cli_rpc_row){.row = &t->joined.v[i], .class = t->joined.v[i].class};
}

static void finish(struct known *k, struct cli_rpc_table *t)
{
    if (t->is_local && k->has_filters) {
        struct effective e = cli_filters_effective(&k->filters);

        add_reach(&e, t);
        find_half_open(&e, t);
    }
    for (size_t i = 0; i < t->joined.n; i++)
        t->n_bad += cli_rpc_is_bad(t->v[i].class);
    (void)snprintf(t->ports, sizeof(t->ports), "%s", cli_str(cli_data(k->rpc), "ports")); /* cut */
    t->n_ports = (unsigned)cli_int(cli_data(k->rpc), "count", 0);
}

int cli_rpc_table_read(const struct cli_where *w, const char *host, unsigned what, struct diag *d,
                       struct cli_rpc_table *ret)
{
    _cleanup_(rpc_endpoints_done) struct rpc_endpoints l = {0};
    _cleanup_(known_done) struct known k = {.rpc = NULL};
    struct diag onc = {0}, dce = {0};
    bool is_local = !host || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                    strcmp(host, "::1") == 0;
    int r = -EHOSTUNREACH;

    *ret = (struct cli_rpc_table){.is_local = is_local};
    if (what & RPC_ASK_ONC)
        r = rpc_dump_onc(is_local ? NULL : host, RPC_DUMP_ONC_MS, &onc, &l);
    if (what & RPC_ASK_DCE) {
        int e =
            rpc_dump_dce(host ? host : "127.0.0.1", RPC_DUMP_DCE_PORT, RPC_DUMP_DCE_MS, &dce, &l);

        r = r < 0 ? e : r;
    }
    if (r < 0 && l.n == 0 && !is_local) {
        *d = dce.code != DIAG_NONE ? dce : onc;
        return r;
    }
    (void)snprintf(ret->missing[0], sizeof(ret->missing[0]), "%s", onc.message);
    (void)snprintf(ret->missing[1], sizeof(ret->missing[1]), "%s", dce.message);
    ask_agent(w, &k);
    join(&k, &l, ret);
    finish(&k, ret);
    return 0;
}
