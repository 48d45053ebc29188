/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/json_filter.c: FILTER and CANDIDATE of docs/api.md. Called by the handlers and by
 * json_explain.c; nobody else says how a filter looks in JSON. */
#include <stdio.h>
#include <string.h>

#include "apiclient/document.h"
#include "json.h"

json_t *json_int_or_null(int64_t v)
{
    return v < 0 ? json_null() : json_integer(v);
}

/* What a filter and a candidate have in common: who it is, its text and its parsed fields. */
static json_t *identity(const struct agent_filter *f, enum tier tier, uint32_t weight)
{
    _cleanup_json_ json_t *fields = json_filter_fields(f->text);
    _cleanup_json_ json_t *j = NULL;
    char hex[16];

    (void)snprintf(hex, sizeof(hex), "%08x", weight);
    j = json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "id", api_text_json(f->id), "layer",
                  f->derived ? "derived" : layer_name(f->layer), "tier", tier_name(tier), "weight",
                  hex, "action", action_name(f->action), "text", api_text_json(f->text), "policy",
                  api_text_json(f->policy), "rule", api_text_json(f->rule));
    return json_object_update(j, fields) ? NULL : TAKE_PTR(j);
}

static int set_rest(json_t *j, const struct agent_filter *f)
{
    char guid[GUID_TEXT_BYTES] = "";

    if (!guid_is_null(&f->guid))
        guid_print(&f->guid, guid);
    return json_object_set_new(j, "expires_in_s", json_int_or_null(f->expires_in_s)) |
           json_object_set_new(j, "ends", json_string(agent_ends_name(f->ends))) |
           json_object_set_new(j, "reason", api_text_json(f->reason)) |
           json_object_set_new(j, "expanded", json_integer(f->n_expanded)) |
           json_object_set_new(j, "addresses",
                               json_int_or_null(f->named ? (int64_t)f->n_addresses : -1)) |
           json_object_set_new(j, "guid", api_text_json(guid));
}

json_t *json_filter(const struct agent_filter *f)
{
    _cleanup_json_ json_t *j = identity(f, f->tier, f->weight);
    json_t *packets = f->derived ? json_null() : json_integer((json_int_t)f->packets);
    json_t *bytes = f->derived ? json_null() : json_integer((json_int_t)f->bytes);

    if (json_object_set_new(j, "packets", packets) | json_object_set_new(j, "bytes", bytes) |
        set_rest(j, f))
        return NULL;
    return TAKE_PTR(j);
}

json_t *json_exception(const struct agent_filter *f)
{
    _cleanup_json_ json_t *j = json_filter(f);

    if (json_object_set_new(j, "set", api_text_json(f->set)))
        return NULL;
    return TAKE_PTR(j);
}

json_t *json_candidate(const struct agent_candidate *c)
{
    _cleanup_json_ json_t *j = identity(&c->filter, c->tier, c->weight);
    const struct weight_fields *w = &c->fields;
    /* One side counts alone (B), the other is the rest of the sum (policy.md 3). */
    unsigned destination = w->addresses > w->source ? w->addresses - w->source : 0;
    json_t *fields =
        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "addresses", w->addresses, "source",
                  w->source, "destination", destination, "protocol", w->protocol,
                  "destination_port", w->dport, "source_port", w->sport, "where", w->where);

    if (set_rest(j, &c->filter) | json_object_set_new(j, "fields", fields) |
        json_object_set_new(j, "twin", json_boolean(c->twin)) |
        json_object_set_new(j, "expired", json_boolean(c->expired)))
        return NULL;
    return TAKE_PTR(j);
}

int json_filters_add(struct strbuf *b, const struct agent_filter *v, size_t n)
{
    for (size_t i = 0; i < n && !b->error; i++) {
        _cleanup_json_ json_t *j = json_filter(&v[i]);

        if (i > 0)
            (void)strbuf_add(b, ","); /* errors are sticky */
        (void)api_json_add(b, j);
    }
    return b->error;
}

static json_t *array_of(const struct agent_filters *l, json_t *(*one)(const struct agent_filter *))
{
    _cleanup_json_ json_t *a = json_array();

    for (size_t i = 0; i < l->n; i++)
        if (json_array_append_new(a, one(&l->v[i])))
            return NULL;
    return TAKE_PTR(a);
}

json_t *json_filter_array(const struct agent_filters *l)
{
    return array_of(l, json_filter);
}

json_t *json_exception_array(const struct agent_filters *l)
{
    return array_of(l, json_exception);
}

json_t *json_warnings(const struct agent_warnings *w)
{
    _cleanup_json_ json_t *a = json_array();

    for (size_t i = 0; i < w->n; i++)
        if (json_array_append_new(a, json_pack("{s:s, s:o, s:o}", "code", w->v[i].code, "message",
                                               api_text_json(w->v[i].message), "hint",
                                               api_text_json(w->v[i].hint))))
            return NULL;
    return TAKE_PTR(a);
}
