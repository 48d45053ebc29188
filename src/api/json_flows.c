/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/json_flows.c: what `keep state` remembers as JSON (docs/api.md, FLOW). Called by
 * handle_questions.c. */
#include "json.h"
#include "model/proto.h"
#include "request.h"

static json_t *address(enum family family, struct ip ip)
{
    char text[IP_TEXT_BYTES];

    ip_print(family, ip, text);
    return json_string(text);
}

static json_t *port(const struct flow *f, uint16_t n)
{
    return proto_has_ports(f->proto) ? json_integer(n) : json_null();
}

static json_t *protocol(const struct flow *f)
{
    const char *name = proto_name(f->proto);

    return name ? json_string(name) : json_sprintf("%u", f->proto);
}

static json_t *flow(const struct agent_flow *x)
{
    const struct flow *f = &x->flow;
    const struct agent_filter *by = &x->filter;
    bool connection = f->table == FLOW_CONNECTION;
    bool answered = f->table == FLOW_OUT_ANSWERED || f->table == FLOW_IN_ANSWERED;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:I, s:o, s:o, s:o}", "protocol",
                     protocol(f), "source", address(f->family, f->src), "source_port",
                     port(f, f->sport), "destination", address(f->family, f->dst),
                     "destination_port", port(f, f->dport), "opened", f->out ? "out" : "in", "kept",
                     connection ? "connection" : "table", "answered",
                     connection ? json_null() : json_boolean(answered), "idle_s",
                     (json_int_t)(f->idle_ns / 1000000000), "filter",
                     by->text ? json_string(by->id) : json_null(), "rule", api_text_json(by->rule),
                     "policy", api_text_json(by->policy));
}

json_t *json_flows(const struct agent_flows *l)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < l->n && list; i++)
        if (json_array_append_new(list, flow(&l->v[i])))
            return NULL;
    return list ? json_pack("{s:O, s:I}", "flows", list, "total", (json_int_t)l->total) : NULL;
}
