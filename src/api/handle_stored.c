/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_stored.c: questions about what is stored beside policies: state, library, settings,
 * confined ports; and about the addresses of the host. Called through the table of routes; the
 * agent answers them at once. */
#include <stdlib.h>

#include "json.h"
#include "request.h"
#include "rpc/rpc.h"
#include "rpc/settings.h"

int handle_state(struct request *r)
{
    uint64_t state = 0;
    int e = agent_state(r->agent, &r->diag, &state);

    if (e < 0)
        return e;
    return answer_data(r, agent_generation(r->agent),
                       json_pack("{s:I}", "state", (json_int_t)state), NULL);
}

int handle_library(struct request *r)
{
    _cleanup_free_ char *text = NULL;
    int e = agent_library(r->agent, &r->diag, &text);

    if (e < 0)
        return e;
    return answer_data(r, agent_generation(r->agent),
                       json_pack("{s:o}", "text", api_text_json(text)), NULL);
}

int handle_settings(struct request *r)
{
    struct agent_settings l = {0};
    json_t *list;
    int e = agent_settings(r->agent, r->params.text[PARAM_KEY], &r->diag, &l);

    if (e < 0)
        return e;
    list = json_array();
    for (size_t i = 0; i < l.n && list; i++)
        if (json_array_append_new(list, json_pack("{s:s, s:s?, s:s}", "key", l.v[i].key, "value",
                                                  l.v[i].value, "source", l.v[i].source)))
            json_decrefp(&list);
    agent_settings_done(&l);
    return answer_data(r, agent_generation(r->agent), json_pack("{s:o}", "settings", list), NULL);
}

int handle_rpc(struct request *r)
{
    struct rpc_status status;
    struct rpc_settings settings;
    int e = agent_rpc(r->agent, &r->diag, &status, &settings);
    json_t *data;

    if (e < 0)
        return e;
    data = json_rpc(&status, &settings);
    rpc_status_done(&status);
    rpc_settings_done(&settings);
    return answer_data(r, agent_generation(r->agent), data, NULL);
}

int handle_host(struct request *r)
{
    char **texts = NULL;
    size_t n = 0;
    json_t *list = NULL;

    if (agent_host_addresses(r->agent, &texts, &n) == 0)
        list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (list && json_array_append_new(list, json_string(texts[i])))
            json_decrefp(&list);
        free(texts[i]);
    }
    free(texts);
    return answer_data(r, agent_generation(r->agent), json_pack("{s:o}", "addresses", list), NULL);
}
