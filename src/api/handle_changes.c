/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_changes.c: requests that change something. Called through the table of routes.
 * Each one queues an agent_change and is answered by change_done() when the agent has finished
 * it; until then the request waits. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "request.h"

/* From the agent, in the event loop, exactly once per change that was not forgotten. */
static void change_done(void *ctx, const struct agent_result *result)
{
    struct request *r = ctx;

    r->waiting = false;
    r->has_op = result->has_op;
    r->op = result->op;
    if (r->has_op)
        r->op_origin = batch_op_origin(r);
    if (result->err < 0 && result->errors.n_errors > 0) {
        answer_error(r, &result->errors);
    } else if (result->err < 0) {
        r->diag = result->diag;
        answer_diag(r);
    } else {
        r->reply(r, result);
        if (!r->answered)
            answer_diag(r); /* the answer was too large: r->diag says so */
    }
    r->wake(r);
}

/* Where the caller says he is logged in from: an address, so that nothing else gets into the
 * trail. A claim, kept as one (docs/api.md). */
static int take_peer(struct request *r, struct author *a)
{
    const char *text = r->params.text[PARAM_PEER];
    unsigned char bytes[sizeof(struct in6_addr)];

    if (!text)
        return 0;
    if (strlen(text) >= sizeof(a->peer) ||
        (inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1))
        return diag_fail(&r->diag, DIAG_USAGE, "member 'peer' must be an address");
    (void)snprintf(a->peer, sizeof(a->peer), "%s", text); /* fits, see above */
    return 0;
}

int change_start(struct request *r, struct agent_change *c,
                 void (*reply)(struct request *r, const struct agent_result *result))
{
    const char *origin = c->author.origin ? c->author.origin : r->client;
    int e;

    c->author = (struct author){
        .uid = r->peer->uid, .origin = origin, .reason = r->params.text[PARAM_REASON]};
    (void)snprintf(c->author.login, sizeof(c->author.login), "%s", r->peer->login);
    e = take_peer(r, &c->author);
    if (e < 0)
        return e;
    c->dry_run = r->params.flag[PARAM_DRY_RUN];
    c->if_generation = r->params.number[PARAM_IF_GENERATION];
    c->if_state = r->params.number[PARAM_IF_STATE];
    r->reply = reply;
    r->change_kind = c->kind;
    e = agent_change(r->agent, c, change_done, r, &r->diag, &r->change_id);
    if (e < 0)
        return e;
    r->waiting = true;
    return 1;
}

void change_reply(struct request *r, const struct agent_result *result, json_t *data)
{
    if (data && result->preview.made &&
        json_object_set_new(data, "preview", json_preview(&result->preview)) < 0)
        json_decrefp(&data); /* answer_data() takes it for what it is: no memory */
    (void)answer_data(r, result->generation, data, json_warnings(&result->warnings));
    /* if it failed, r->answered is false and change_done() answers with r->diag */
}

static const char *change_of(const struct agent_result *result)
{
    return result->change ? result->change : "none";
}

static json_t *first_filter(const struct agent_result *result)
{
    return result->filters.n ? json_filter(&result->filters.v[0]) : json_null();
}

static json_t *data_added(const struct agent_result *result)
{
    return json_pack("{s:o, s:s, s:o, s:I, s:I}", "filter", first_filter(result), "change",
                     change_of(result), "exceptions", json_exception_array(&result->exceptions),
                     "elapsed_ms", (json_int_t)result->elapsed_ms, "interfaces",
                     (json_int_t)result->n_interfaces);
}

static json_t *data_deleted(const struct agent_result *result)
{
    return json_pack("{s:o}", "deleted", json_filter_array(&result->filters));
}

static json_t *data_flushed(const struct agent_result *result)
{
    return json_pack("{s:I, s:o}", "deleted", (json_int_t)result->filters.n, "policy",
                     api_text_json(result->name));
}

/* Microseconds of each part. */
static json_t *phases(const struct agent_result *result)
{
    json_t *j = json_object();

    for (unsigned p = 0; p < _AGENT_PHASE_MAX && j; p++)
        if (json_object_set_new(j, agent_phase_name(p),
                                json_integer((json_int_t)(result->phase_ns[p] / 1000))) < 0)
            json_decrefp(&j);
    return j;
}

static json_t *data_loaded(const struct agent_result *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->n_policies && list; i++)
        if (json_array_append_new(list, json_policy_change(&result->policies[i])))
            json_decrefp(&list);
    return json_pack("{s:o, s:o}", "policies", list, "phases_us", phases(result));
}

static const struct agent_policy_change *first_policy(const struct agent_result *result)
{
    static const struct agent_policy_change none = {.change = "none"};

    return result->n_policies ? &result->policies[0] : &none;
}

static json_t *data_policy_deleted(const struct agent_result *result)
{
    const struct agent_policy_change *p = first_policy(result);

    return json_pack("{s:o, s:I, s:I}", "name", api_text_json(p->name), "rules",
                     (json_int_t)p->n_rules, "revision", (json_int_t)p->revision);
}

static json_t *data_rolled_back(const struct agent_result *result)
{
    const struct agent_policy_change *p = first_policy(result);

    return json_pack("{s:o, s:I, s:I, s:I, s:b, s:s}", "name", api_text_json(p->name), "restored",
                     (json_int_t)result->restored, "revision", (json_int_t)p->revision, "rules",
                     (json_int_t)p->n_rules, "assigned", p->assigned, "change", change_of(result));
}

static json_t *data_assigned(const struct agent_result *result)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:o}", "name", api_text_json(result->name), "before",
                     api_text_json(result->before), "elapsed_ms", (json_int_t)result->elapsed_ms,
                     "interfaces", (json_int_t)result->n_interfaces, "phases_us", phases(result));
}

static json_t *data_unassigned(const struct agent_result *result)
{
    return json_pack("{s:o}", "name", api_text_json(result->name));
}

static json_t *ids_of(const struct agent_filters *l)
{
    _cleanup_json_ json_t *ids = json_array();

    for (size_t i = 0; i < l->n; i++)
        if (json_array_append_new(ids, api_text_json(l->v[i].id)))
            return NULL;
    return TAKE_PTR(ids);
}

static void reply_rule(struct request *r, const struct agent_result *result)
{
    const struct agent_policy_change *p = first_policy(result);
    const char *rule = r->capture[1] ? r->capture[1] : r->params.text[PARAM_NAME];

    change_reply(r, result,
                 json_pack("{s:o, s:o, s:o, s:I, s:b, s:s}", "policy", api_text_json(p->name),
                           "rule", api_text_json(rule), "ids", ids_of(&result->filters), "revision",
                           (json_int_t)p->revision, "assigned", p->assigned, "change",
                           change_of(result)));
}

static json_t *data_reset(const struct agent_result *result)
{
    return json_pack("{s:I}", "reset", (json_int_t)result->n_reset);
}

static json_t *data_state_deleted(const struct agent_result *result)
{
    return json_pack("{s:I}", "deleted", (json_int_t)result->n_reset);
}

/* What has no object to show: what became of it. */
static json_t *data_changed(const struct agent_result *result)
{
    return json_pack("{s:s}", "change", change_of(result));
}

/* Answers that need nothing of the request. */
static json_t *(*const data_of[_AGENT_CHANGE_KIND_MAX])(const struct agent_result *result) = {
    [AGENT_FILTER_ADD] = data_added,
    [AGENT_FILTER_DELETE] = data_deleted,
    [AGENT_FLUSH] = data_flushed,
    [AGENT_POLICY_LOAD] = data_loaded,
    [AGENT_POLICY_DELETE] = data_policy_deleted,
    [AGENT_POLICY_ROLLBACK] = data_rolled_back,
    [AGENT_ASSIGN] = data_assigned,
    [AGENT_UNASSIGN] = data_unassigned,
    [AGENT_COUNTERS_RESET] = data_reset,
    [AGENT_STATE_DELETE] = data_state_deleted,
    [AGENT_SETTING] = data_changed,
    [AGENT_LIBRARY] = data_changed,
    [AGENT_SECRET] = data_changed,
    [AGENT_MPP] = json_mpp_change,
};

json_t *change_data(enum agent_change_kind kind, const struct agent_result *result)
{
    return data_of[kind](result);
}

static void reply_by_kind(struct request *r, const struct agent_result *result)
{
    if (r->change_kind == AGENT_FILTER_ADD && result->filters.n &&
        result->filters.v[0].action == ACTION_PERMIT)
        r->verb = "permit"; /* one that negotiates denies, and is answered like a block */
    change_reply(r, result, change_data(r->change_kind, result));
}

int handle_filter_add(struct request *r)
{
    struct agent_change c = {.kind = AGENT_FILTER_ADD, .text = r->params.text[PARAM_TEXT]};

    return change_start(r, &c, reply_by_kind);
}

int handle_filter_delete(struct request *r)
{
    struct agent_change c = {
        .kind = AGENT_FILTER_DELETE, .items = r->params.items, .n_items = r->params.n_items};

    return change_start(r, &c, reply_by_kind);
}

int handle_flush(struct request *r)
{
    struct agent_change c = {.kind = AGENT_FLUSH};

    return change_start(r, &c, reply_by_kind);
}

int handle_policy_load(struct request *r)
{
    struct agent_change c = {.kind = AGENT_POLICY_LOAD,
                             .text = r->params.text[PARAM_TEXT],
                             .text_given = r->given_text,
                             .policy = r->params.text[PARAM_NAME],
                             .replace = r->params.flag[PARAM_REPLACE]};
    int e = change_start(r, &c, reply_by_kind);

    if (e >= 0)
        r->given_text = NULL; /* it is the agent's */
    return e;
}

int handle_policy_delete(struct request *r)
{
    struct agent_change c = {.kind = AGENT_POLICY_DELETE, .policy = r->capture[0]};

    return change_start(r, &c, reply_by_kind);
}

int handle_policy_rollback(struct request *r)
{
    struct agent_change c = {.kind = AGENT_POLICY_ROLLBACK,
                             .policy = r->capture[0],
                             .revision = (uint32_t)r->params.number[PARAM_REVISION]};

    return change_start(r, &c, reply_by_kind);
}

int handle_assign(struct request *r)
{
    struct agent_change c = {.kind = AGENT_ASSIGN,
                             .policy = r->capture[0],
                             .persistent = r->params.flag[PARAM_PERSISTENT]};

    return change_start(r, &c, reply_by_kind);
}

int handle_unassign(struct request *r)
{
    struct agent_change c = {.kind = AGENT_UNASSIGN,
                             .persistent = r->params.flag[PARAM_PERSISTENT]};

    return change_start(r, &c, reply_by_kind);
}

int handle_rule_add(struct request *r)
{
    struct agent_change c = {.kind = AGENT_RULE_ADD,
                             .policy = r->capture[0],
                             .rule = r->params.text[PARAM_NAME],
                             .text = r->params.text[PARAM_TEXT],
                             .create = r->params.flag[PARAM_CREATE],
                             .replace = r->params.flag[PARAM_REPLACE]};

    return change_start(r, &c, reply_rule);
}

int handle_rule_delete(struct request *r)
{
    struct agent_change c = {
        .kind = AGENT_RULE_DELETE, .policy = r->capture[0], .rule = r->capture[1]};

    return change_start(r, &c, reply_rule);
}

int handle_counters_reset(struct request *r)
{
    struct agent_change c = {.kind = AGENT_COUNTERS_RESET};

    return change_start(r, &c, reply_by_kind);
}

int handle_flows_delete(struct request *r)
{
    struct agent_change c = {.kind = AGENT_STATE_DELETE, .text = r->params.text[PARAM_TEXT]};

    return change_start(r, &c, reply_by_kind);
}
