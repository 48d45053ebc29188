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

static int start(struct request *r, struct agent_change *c,
                 void (*reply)(struct request *r, const struct agent_result *result))
{
    int e;

    c->author = (struct author){
        .uid = r->peer->uid, .origin = r->client, .reason = r->params.text[PARAM_REASON]};
    (void)snprintf(c->author.login, sizeof(c->author.login), "%s", r->peer->login);
    e = take_peer(r, &c->author);
    if (e < 0)
        return e;
    c->dry_run = r->params.flag[PARAM_DRY_RUN];
    c->if_generation = r->params.number[PARAM_IF_GENERATION];
    r->reply = reply;
    e = agent_change(r->agent, c, change_done, r, &r->diag, &r->change_id);
    if (e < 0)
        return e;
    r->waiting = true;
    return 1;
}

static void reply_data(struct request *r, const struct agent_result *result, json_t *data)
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

static void reply_added(struct request *r, const struct agent_result *result)
{
    if (result->filters.n && result->filters.v[0].action != ACTION_BLOCK)
        r->verb = action_name(result->filters.v[0].action);
    reply_data(r, result,
               json_pack("{s:o, s:s, s:o, s:I, s:I}", "filter", first_filter(result), "change",
                         change_of(result), "exceptions", json_exception_array(&result->exceptions),
                         "elapsed_ms", (json_int_t)result->elapsed_ms, "interfaces",
                         (json_int_t)result->n_interfaces));
}

int handle_filter_add(struct request *r)
{
    struct agent_change c = {.kind = AGENT_FILTER_ADD, .text = r->params.text[PARAM_TEXT]};

    return start(r, &c, reply_added);
}

static void reply_deleted(struct request *r, const struct agent_result *result)
{
    reply_data(r, result, json_pack("{s:o}", "deleted", json_filter_array(&result->filters)));
}

int handle_filter_delete(struct request *r)
{
    struct agent_change c = {
        .kind = AGENT_FILTER_DELETE, .items = r->params.items, .n_items = r->params.n_items};

    return start(r, &c, reply_deleted);
}

static void reply_flushed(struct request *r, const struct agent_result *result)
{
    reply_data(r, result,
               json_pack("{s:I, s:o}", "deleted", (json_int_t)result->filters.n, "policy",
                         api_text_json(result->name)));
}

int handle_flush(struct request *r)
{
    struct agent_change c = {.kind = AGENT_FLUSH};

    return start(r, &c, reply_flushed);
}

static void reply_loaded(struct request *r, const struct agent_result *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->n_policies && list; i++)
        if (json_array_append_new(list, json_policy_change(&result->policies[i])))
            json_decrefp(&list);
    reply_data(r, result, json_pack("{s:o}", "policies", list));
}

int handle_policy_load(struct request *r)
{
    struct agent_change c = {.kind = AGENT_POLICY_LOAD,
                             .text = r->params.text[PARAM_TEXT],
                             .policy = r->params.text[PARAM_NAME],
                             .replace = r->params.flag[PARAM_REPLACE]};

    return start(r, &c, reply_loaded);
}

static const struct agent_policy_change *first_policy(const struct agent_result *result)
{
    static const struct agent_policy_change none = {.change = "none"};

    return result->n_policies ? &result->policies[0] : &none;
}

static void reply_policy_deleted(struct request *r, const struct agent_result *result)
{
    const struct agent_policy_change *p = first_policy(result);

    reply_data(r, result,
               json_pack("{s:o, s:I, s:I}", "name", api_text_json(p->name), "rules",
                         (json_int_t)p->n_rules, "revision", (json_int_t)p->revision));
}

int handle_policy_delete(struct request *r)
{
    struct agent_change c = {.kind = AGENT_POLICY_DELETE, .policy = r->capture[0]};

    return start(r, &c, reply_policy_deleted);
}

static void reply_rolled_back(struct request *r, const struct agent_result *result)
{
    const struct agent_policy_change *p = first_policy(result);

    reply_data(r, result,
               json_pack("{s:o, s:I, s:I, s:I, s:b, s:s}", "name", api_text_json(p->name),
                         "restored", (json_int_t)result->restored, "revision",
                         (json_int_t)p->revision, "rules", (json_int_t)p->n_rules, "assigned",
                         p->assigned, "change", change_of(result)));
}

int handle_policy_rollback(struct request *r)
{
    struct agent_change c = {.kind = AGENT_POLICY_ROLLBACK,
                             .policy = r->capture[0],
                             .revision = (uint32_t)r->params.number[PARAM_REVISION]};

    return start(r, &c, reply_rolled_back);
}

static void reply_assigned(struct request *r, const struct agent_result *result)
{
    reply_data(r, result,
               json_pack("{s:o, s:o, s:I, s:I}", "name", api_text_json(result->name), "before",
                         api_text_json(result->before), "elapsed_ms",
                         (json_int_t)result->elapsed_ms, "interfaces",
                         (json_int_t)result->n_interfaces));
}

int handle_assign(struct request *r)
{
    struct agent_change c = {.kind = AGENT_ASSIGN,
                             .policy = r->capture[0],
                             .persistent = r->params.flag[PARAM_PERSISTENT]};

    return start(r, &c, reply_assigned);
}

static void reply_unassigned(struct request *r, const struct agent_result *result)
{
    reply_data(r, result, json_pack("{s:o}", "name", api_text_json(result->name)));
}

int handle_unassign(struct request *r)
{
    struct agent_change c = {.kind = AGENT_UNASSIGN,
                             .persistent = r->params.flag[PARAM_PERSISTENT]};

    return start(r, &c, reply_unassigned);
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

    reply_data(r, result,
               json_pack("{s:o, s:o, s:o, s:I, s:b, s:s}", "policy", api_text_json(p->name), "rule",
                         api_text_json(rule), "ids", ids_of(&result->filters), "revision",
                         (json_int_t)p->revision, "assigned", p->assigned, "change",
                         change_of(result)));
}

int handle_rule_add(struct request *r)
{
    struct agent_change c = {.kind = AGENT_RULE_ADD,
                             .policy = r->capture[0],
                             .rule = r->params.text[PARAM_NAME],
                             .text = r->params.text[PARAM_TEXT],
                             .create = r->params.flag[PARAM_CREATE],
                             .replace = r->params.flag[PARAM_REPLACE]};

    return start(r, &c, reply_rule);
}

int handle_rule_delete(struct request *r)
{
    struct agent_change c = {
        .kind = AGENT_RULE_DELETE, .policy = r->capture[0], .rule = r->capture[1]};

    return start(r, &c, reply_rule);
}

static void reply_reset(struct request *r, const struct agent_result *result)
{
    reply_data(r, result, json_pack("{s:I}", "reset", (json_int_t)result->n_reset));
}

int handle_counters_reset(struct request *r)
{
    struct agent_change c = {.kind = AGENT_COUNTERS_RESET};

    return start(r, &c, reply_reset);
}
