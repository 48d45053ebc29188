/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/json_rpc.c: confined ports of RPC servers as JSON (docs/api.md, RPC). Called by
 * handle_stored.c. */
#include "json.h"
#include "request.h"
#include "rpc/rpc.h"
#include "rpc/settings.h"

static const char *proto_of(enum rpc_proto p)
{
    return p == RPC_PROTO_TCP ? "tcp" : "udp";
}

static json_t *text(const char *s)
{
    return *s ? api_text_json(s) : json_null();
}

/* Appends and forgets; NULL once memory is gone. */
static json_t *append(json_t *list, json_t *item)
{
    if (list && json_array_append_new(list, item) == 0)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *numbers(const struct rpc_numbers *n)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "total", (json_int_t)n->total,
                     "used", (json_int_t)n->used, "clients", (json_int_t)n->clients, "strangers",
                     (json_int_t)n->strangers, "quarantine", (json_int_t)n->quarantine, "reserve",
                     (json_int_t)n->reserve, "max_listeners", (json_int_t)n->max_listeners,
                     "recommended", (json_int_t)n->recommended);
}

static json_t *unit(const struct rpc_unit_status *u)
{
    return json_pack("{s:o, s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
                     "name", api_text_json(u->name), "class", u->class_name, "loose", u->loose,
                     "how", rpc_how_name(u->how), "state", rpc_unit_state_name(u->state), "tcp",
                     (json_int_t)u->held[RPC_PROTO_TCP], "udp", (json_int_t)u->held[RPC_PROTO_UDP],
                     "tcp_clients", (json_int_t)u->clients[RPC_PROTO_TCP], "udp_clients",
                     (json_int_t)u->clients[RPC_PROTO_UDP], "rewrites", (json_int_t)u->rewrites,
                     "overflows", (json_int_t)u->overflows, "exhausted", (json_int_t)u->exhausted,
                     "outside", text(u->outside), "reason", text(u->why));
}

static const char *kind_of(enum rpc_holder_kind k)
{
    switch (k) {
    case RPC_HOLDER_LISTENER:
        return "listener";
    case RPC_HOLDER_CLIENT:
        return "client";
    case RPC_HOLDER_STRANGER:
        return "stranger";
    }
    return "stranger";
}

static json_t *holder(const struct rpc_holder *h)
{
    return json_pack("{s:s, s:I, s:o, s:s, s:b, s:I, s:o}", "proto", proto_of(h->proto), "port",
                     (json_int_t)h->port, "address", text(h->address), "kind", kind_of(h->kind),
                     "in_range", h->in_set, "uid", (json_int_t)h->uid, "unit", text(h->unit));
}

static json_t *ranges(const struct rpc_settings *set)
{
    json_t *list = json_array();

    for (size_t i = 0; set->is_set && !set->invalid && i < set->ports.n; i++)
        list = append(list, json_pack("[I, I]", (json_int_t)set->ports.v[i].first,
                                      (json_int_t)set->ports.v[i].last));
    return list;
}

static json_t *ports_text(const struct rpc_settings *set)
{
    char out[RPC_PORTS_TEXT_BYTES];

    if (!set->is_set || set->invalid)
        return json_null();
    rpc_ports_print(&set->ports, out, sizeof(out));
    return json_string(out);
}

static const char *state_of(const struct rpc_status *s, const struct rpc_settings *set)
{
    if (set->invalid || s->invalid)
        return "invalid";
    if (!s->active && !s->available)
        return "unavailable";
    if (!set->is_set)
        return "off";
    return s->active ? "active" : "idle"; /* a range, and nobody is confined to it */
}

static json_t *reserve(const struct rpc_settings *set)
{
    return set->reserve < 0 ? json_string("auto") : json_sprintf("%d", set->reserve);
}

json_t *json_rpc(const struct rpc_status *s, const struct rpc_settings *set)
{
    json_t *units = json_array(), *holders = json_array();

    for (size_t i = 0; i < s->n_units; i++)
        units = append(units, unit(&s->units[i]));
    for (size_t i = 0; i < s->n_holders; i++)
        holders = append(holders, holder(&s->holders[i]));
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:I, s:s, s:s, s:b, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, "
        "s:I}, s:o, s:o}",
        "state", state_of(s, set), "reason", text(set->invalid ? set->why : s->why), "ports",
        ports_text(set), "ranges", ranges(set), "count",
        set->is_set && !set->invalid ? (json_int_t)set->ports.n_ports : 0, "class",
        set->ports_internet_available ? "internet" : "intranet", "default",
        set->use_internet_ports ? "internet" : "intranet", "guard", set->guard, "reserve",
        reserve(set), "tcp", numbers(&s->n[RPC_PROTO_TCP]), "udp", numbers(&s->n[RPC_PROTO_UDP]),
        "counters", "rewrites", (json_int_t)s->rewrites, "overflows", (json_int_t)s->overflows,
        "exhausted", (json_int_t)s->exhausted, "escapes", (json_int_t)s->escapes, "guarded",
        (json_int_t)s->guarded, "no_port", (json_int_t)s->no_port, "failed", (json_int_t)s->failed,
        "units", units, "holders", holders);
}
