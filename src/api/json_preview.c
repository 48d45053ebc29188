/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/json_preview.c: PREVIEW of docs/api.md: packets that change their verdict. Called by
 * handle_changes.c for changes that are only tried; nobody else says how it looks. */
#include "apiclient/document.h"
#include "json.h"

static json_t *json_packets(const struct agent_packets *p)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "verdict",
                     p->negotiate ? "negotiate"
                     : p->blocked ? "block"
                                  : "permit",
                     "set", api_text_json(p->set), "example", api_text_json(p->example), "id",
                     api_text_json(p->id), "rule", api_text_json(p->rule));
}

json_t *json_preview(const struct agent_preview *p)
{
    _cleanup_json_ json_t *changes = json_array();

    for (size_t i = 0; i < p->n; i++)
        if (json_array_append_new(changes, json_packets(&p->v[i])))
            return NULL;
    return json_pack("{s:O, s:b, s:b, s:b, s:b, s:o}", "changes", changes, "equal", p->equal,
                     "complete", p->complete, "arms", p->arms, "disarms", p->disarms, "connections",
                     json_int_or_null(p->connections));
}
