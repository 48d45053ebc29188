/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_questions.c: requests that change nothing. Called through the table of routes; the
 * agent answers them at once. */
#include <errno.h>
#include <string.h>

#include "json.h"
#include "request.h"

int handle_status(struct request *r)
{
    struct agent_status s = {0};
    int e = agent_status(r->agent, &r->diag, &s);

    if (e < 0)
        return e;
    e = answer_data(r, s.generation, json_status(&s), json_warnings(&s.warnings));
    agent_status_done(&s);
    return e;
}

/* "local" ... "persistent" to the number of the layer. */
static int parse_layer(struct request *r, const char *text, int *ret)
{
    for (int i = 0; i < _LAYER_MAX; i++)
        if (strcmp(layer_name((enum layer)i), text) == 0) {
            *ret = i;
            return 0;
        }
    (void)diag_fail(&r->diag, DIAG_USAGE, "unknown layer '%s'", text);
    diag_hint(&r->diag, "layers are local, domain, persistent, dynamic");
    return -EINVAL;
}

static int answer_filters(struct request *r, const struct agent_list_query *q, const char *member)
{
    struct agent_filters l = {0};
    int e = agent_list(r->agent, q, &r->diag, &l);

    if (e < 0)
        return e;
    answer_begin(r, agent_generation(r->agent));
    (void)strbuf_addf(&r->answer, "{\"%s\":", member); /* errors are sticky */
    (void)json_filters_add(&r->answer, &l);
    (void)strbuf_add(&r->answer, "}");
    agent_filters_done(&l);
    return answer_end(r, NULL);
}

int handle_list(struct request *r)
{
    struct agent_list_query q = {
        .layer = -1, .policy = r->params.text[PARAM_POLICY], .all = r->params.flag[PARAM_ALL]};
    const char *layer = r->params.text[PARAM_LAYER];
    int e = layer ? parse_layer(r, layer, &q.layer) : 0;

    return e < 0 ? e : answer_filters(r, &q, "filters");
}

int handle_counters(struct request *r)
{
    struct agent_list_query q = {.layer = -1, .policy = r->params.text[PARAM_POLICY]};

    return answer_filters(r, &q, "counters");
}

int handle_policies(struct request *r)
{
    _cleanup_free_ struct agent_policy_info *v = NULL;
    json_t *list;
    size_t n = 0;
    int e = agent_policies(r->agent, &r->diag, &v, &n);

    if (e < 0)
        return e;
    list = json_array();
    for (size_t i = 0; i < n && list; i++)
        if (json_array_append_new(list, json_policy_info(&v[i])))
            json_decrefp(&list);
    return answer_data(r, agent_generation(r->agent), json_pack("{s:o}", "policies", list), NULL);
}

int handle_policy_text(struct request *r)
{
    _cleanup_free_ char *text = NULL;
    char name[256] = "";
    uint32_t revision = 0;
    int e = agent_policy_text(r->agent, r->capture[0], r->params.flag[PARAM_SOURCE], &r->diag,
                              &text, name, &revision);

    if (e < 0)
        return e;
    return answer_data(r, agent_generation(r->agent),
                       json_pack("{s:o, s:I, s:o}", "name", api_text_json(name), "revision",
                                 (json_int_t)revision, "text", api_text_json(text)),
                       NULL);
}

int handle_explain(struct request *r)
{
    struct agent_explanation x = {0};
    int e = agent_explain(r->agent, r->params.text[PARAM_PACKET], r->params.flag[PARAM_LIVE],
                          &r->diag, &x);

    if (e < 0)
        return e;
    e = answer_data(r, agent_generation(r->agent), json_explanation(&x), NULL);
    agent_explanation_done(&x);
    return e;
}
