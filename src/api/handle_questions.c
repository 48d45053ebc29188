/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_questions.c: requests that change nothing. Called through the table of routes; the
 * agent answers them at once. */
#include <errno.h>
#include <string.h>

#include "json.h"
#include "request.h"

enum {
    LIST_AT_ONCE = 1000,
    LIST_PART = 500, /* about 15 ms */
};

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

/* What is shown is what was in force when the list began, whatever changes meanwhile. */
static int begin_list(struct request *r)
{
    struct api_list *x = &r->list;
    int e = agent_list(r->agent, &x->q, &r->diag, &x->l);

    if (e < 0)
        return e;
    x->begun = true;
    answer_begin(r, agent_generation(r->agent));
    (void)strbuf_addf(&r->answer, "{\"%s\":[", x->member); /* errors are sticky */
    return 1;
}

static int list_more(struct request *r)
{
    struct api_list *x = &r->list;
    size_t left = x->l.n - x->next, n = left < LIST_PART ? left : LIST_PART;

    if (!x->begun)
        return begin_list(r);
    if (x->next > 0 && n > 0)
        (void)strbuf_add(&r->answer, ",");
    (void)json_filters_add(&r->answer, x->l.v + x->next, n);
    x->next += n;
    if (x->next < x->l.n && !r->answer.error)
        return 1;
    (void)strbuf_add(&r->answer, "]}");
    return answer_end(r, NULL);
}

/* Of 100,000 filters the list takes seconds: then others are served between its parts. */
static int answer_filters(struct request *r, const struct agent_list_query *q, const char *member)
{
    int e = 1;

    r->list = (struct api_list){.q = *q, .member = member};
    if (agent_n_filters(r->agent) > LIST_AT_ONCE) {
        r->more = list_more;
        r->waiting = true;
        return 1;
    }
    while (e > 0)
        e = list_more(r);
    return e;
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

int handle_flows(struct request *r)
{
    struct agent_flows l = {0};
    int e = agent_flows(r->agent, &r->diag, &l);

    if (e < 0)
        return e;
    e = answer_data(r, agent_generation(r->agent), json_flows(&l), NULL);
    agent_flows_done(&l);
    return e;
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

static json_t *json_guid(const struct guid *g)
{
    char text[GUID_TEXT_BYTES];

    guid_print(g, text);
    return json_string(text);
}

/* "rules" of a policy: who they and their filters are. */
static json_t *json_rule_ids(const struct policy *p)
{
    _cleanup_json_ json_t *rules = json_array();

    for (size_t i = 0; i < p->n_rules; i++) {
        const struct rule *rule = &p->rules[i];
        json_t *filters = json_array();

        for (size_t k = 0; k < rule->n_filters && filters; k++)
            if (json_array_append_new(filters, json_guid(&rule->filters[k].guid)))
                json_decrefp(&filters);
        if (json_array_append_new(rules, json_pack("{s:s, s:o, s:o}", "name", rule->name, "guid",
                                                   json_guid(&rule->guid), "filters", filters)))
            return NULL;
    }
    return TAKE_PTR(rules);
}

/* Adds the identities to the data of the answer, which is NULL if memory ran out. */
static int add_ids(struct request *r, const struct agent_text_query *q, json_t **data)
{
    _cleanup_(policy_freep) struct policy *p = NULL;
    int e = agent_policy_get(r->agent, q, &r->diag, &p);

    if (e < 0)
        return e;
    if (json_object_set_new(*data, "guid", json_guid(&p->guid)) ||
        json_object_set_new(*data, "rules", json_rule_ids(p)))
        json_decrefp(data);
    return 0;
}

int handle_policy_text(struct request *r)
{
    _cleanup_free_ char *text = NULL;
    char name[256] = "";
    uint32_t revision = 0;
    struct agent_text_query q = {.name = r->capture[0],
                                 .source = r->params.flag[PARAM_SOURCE],
                                 .revision = (uint32_t)r->params.number[PARAM_REVISION]};
    json_t *data;
    int e;

    if (q.source && q.revision)
        return diag_fail(&r->diag, DIAG_USAGE,
                         "only the current revision has a source text: 'source' or 'revision'");
    e = agent_policy_text(r->agent, &q, &r->diag, &text, name, &revision);

    if (e < 0)
        return e;
    data = json_pack("{s:o, s:I, s:o}", "name", api_text_json(name), "revision",
                     (json_int_t)revision, "text", api_text_json(text));
    if (r->params.flag[PARAM_IDS])
        e = add_ids(r, &q, &data);
    if (e < 0) {
        json_decrefp(&data);
        return e;
    }
    return answer_data(r, agent_generation(r->agent), data, NULL);
}

static json_t *json_history_entry(const struct history_entry *e)
{
    char when[API_TIME_BYTES];

    api_time_print(e->time_s * 1000, /* with_ms= */ false, when);
    return json_pack("{s:o, s:o, s:s, s:I, s:o, s:s, s:o, s:o, s:o, s:o}", "revision",
                     json_int_or_null(e->revision ? (int64_t)e->revision : -1), "object",
                     api_text_json(e->object), "time", when, "uid", (json_int_t)e->uid, "login",
                     api_text_json(e->login), "origin", e->origin, "peer", api_text_json(e->peer),
                     "change", api_text_json(e->change), "generation",
                     json_int_or_null(e->generation ? (int64_t)e->generation : -1), "reason",
                     api_text_json(e->reason));
}

int handle_history(struct request *r)
{
    const char *policy = r->params.text[PARAM_POLICY];
    struct history h = {0};
    int e = agent_history(r->agent, policy, (uint32_t)r->params.number[PARAM_LIMIT], &r->diag, &h);

    if (e < 0)
        return e;
    answer_begin(r, agent_generation(r->agent));
    (void)strbuf_add(&r->answer, "{\"policy\":"); /* errors are sticky */
    {
        _cleanup_json_ json_t *name = api_text_json(policy);
        (void)api_json_add(&r->answer, name);
    }
    (void)strbuf_add(&r->answer, ",\"entries\":[");
    for (size_t i = 0; i < h.n && !r->answer.error; i++) {
        _cleanup_json_ json_t *entry = json_history_entry(&h.v[i]);

        if (i > 0)
            (void)strbuf_add(&r->answer, ",");
        (void)api_json_add(&r->answer, entry);
    }
    (void)strbuf_add(&r->answer, "]}");
    history_done(&h);
    return answer_end(r, NULL);
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
