/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_batch.c: POST /v1/batch: several changes as one. Called through the table of routes.
 * Invariant: an OP takes the members of the request that it stands for, checked the same way; an
 * error names the OP. Whoever adds an OP adds a line to the table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "json.h"
#include "request.h"
#include "text/text.h"

enum { OPS_MAX = LIMIT_DYNAMIC_FILTERS };

#define BIT(p) PARAM_BIT(PARAM_##p)

static const struct op {
    const char *name;
    enum agent_change_kind kind;
    unsigned params, required;
    enum api_text_origin origin;
} ops[] = {
    {"policy-load", AGENT_POLICY_LOAD,
     BIT(TEXT) | BIT(NAME) | BIT(REPLACE) | BIT(CHANGE) | BIT(RENAMED_FROM) | BIT(RENAMED_RULES),
     BIT(TEXT), API_TEXT_FILE},
    {"policy-delete", AGENT_POLICY_DELETE, BIT(NAME) | BIT(UNASSIGN), BIT(NAME), API_TEXT_WORDS},
    {"assign", AGENT_ASSIGN, BIT(NAME) | BIT(PERSISTENT), BIT(NAME), API_TEXT_WORDS},
    {"unassign", AGENT_UNASSIGN, BIT(PERSISTENT), 0, API_TEXT_WORDS},
    {"filter-add", AGENT_FILTER_ADD, BIT(TEXT), BIT(TEXT), API_TEXT_WORDS},
    {"filter-delete", AGENT_FILTER_DELETE, BIT(ITEMS), BIT(ITEMS), API_TEXT_WORDS},
    {"flush", AGENT_FLUSH, 0, 0, API_TEXT_WORDS},
    {"setting", AGENT_SETTING, BIT(KEY) | BIT(VALUE), BIT(KEY), API_TEXT_WORDS},
    {"library", AGENT_LIBRARY, BIT(TEXT), BIT(TEXT), API_TEXT_WORDS},
    {"mpp", AGENT_MPP, BIT(TEXT), BIT(TEXT), API_TEXT_WORDS},
    {"secret", AGENT_SECRET, BIT(ID) | BIT(VALUE), BIT(ID), API_TEXT_WORDS},
};

void batch_done(struct batch *b)
{
    union {
        const void *in;
        void *out;
    } u;

    for (size_t i = 0; i < b->n; i++) {
        u.in = b->v[i].items;
        free(u.out);
        u.in = b->v[i].renamed_rules;
        free(u.out);
    }
    free(b->v);
}

static const struct op *find_op(struct request *r, const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "op"));

    for (size_t i = 0; name && i < ARRAY_SIZE(ops); i++)
        if (strcmp(ops[i].name, name) == 0)
            return &ops[i];
    if (name)
        (void)diag_fail(&r->diag, DIAG_USAGE, "unknown op '%.64s'", name);
    else
        (void)diag_fail(&r->diag, DIAG_USAGE, "member 'op' is missing or no string");
    return NULL;
}

/* Members of `renamed_rules`: new name to old name. */
static int take_renamed(struct request *r, const json_t *object, struct agent_change *c)
{
    union {
        const json_t *in;
        json_t *out;
    } u = {object}; /* iterators only read */
    struct renamed *v;
    const char *now;
    json_t *before;

    if (json_object_size(object) == 0)
        return 0;
    v = calloc(json_object_size(object), sizeof(*v));
    if (!v)
        return diag_errno(&r->diag, ENOMEM, "cannot read the request");
    c->renamed_rules = v;
    json_object_foreach(u.out, now, before)
    {
        if (!json_is_string(before))
            return diag_fail(&r->diag, DIAG_USAGE, "members of 'renamed_rules' must be strings");
        v[c->n_renamed_rules++] = (struct renamed){.now = now, .before = json_string_value(before)};
    }
    return 0;
}

static int check_required(struct request *r, const struct op *op, const struct api_params *p)
{
    for (int i = 0; i < _PARAM_MAX; i++)
        if ((op->required & PARAM_BIT(i)) && !p->text[i] && !(i == PARAM_ITEMS && p->n_items))
            return diag_fail(&r->diag, DIAG_USAGE, "member '%s' is missing",
                             param_name((enum param)i));
    return 0;
}

static int take_op(struct request *r, const json_t *object, struct agent_change *c)
{
    const struct op *op = json_is_object(object) ? find_op(r, object) : NULL;
    struct api_params p = {0};
    int e;

    if (!op && !json_is_object(object))
        return diag_fail(&r->diag, DIAG_USAGE, "members of 'ops' must be objects");
    if (!op)
        return -EINVAL;
    e = params_from_object(r, object, op->params | BIT(OP), &p);
    *c =
        (struct agent_change){.kind = op->kind,
                              .policy = p.text[PARAM_NAME],
                              .text = p.text[PARAM_TEXT] ? p.text[PARAM_TEXT] : p.text[PARAM_VALUE],
                              .key = p.text[PARAM_KEY] ? p.text[PARAM_KEY] : p.text[PARAM_ID],
                              .title = p.text[PARAM_CHANGE],
                              .renamed_from = p.text[PARAM_RENAMED_FROM],
                              .replace = p.flag[PARAM_REPLACE],
                              .persistent = p.flag[PARAM_PERSISTENT],
                              .unassign = p.flag[PARAM_UNASSIGN],
                              .items = p.items, /* batch_done() frees it */
                              .n_items = p.n_items};
    if (e == 0)
        e = check_required(r, op, &p);
    return e == 0 && p.json[PARAM_RENAMED_RULES] ? take_renamed(r, p.json[PARAM_RENAMED_RULES], c)
                                                 : e;
}

int batch_read(struct request *r, struct batch *b)
{
    const json_t *list = r->params.json[PARAM_OPS], *object;
    size_t n = json_array_size(list), i;

    if (n > OPS_MAX)
        return diag_fail(&r->diag, DIAG_LIMIT, "more than %d ops in one batch", OPS_MAX);
    b->v = calloc(n + 1, sizeof(*b->v));
    if (!b->v)
        return diag_errno(&r->diag, ENOMEM, "cannot read the request");
    json_array_foreach(list, i, object)
    {
        int e = take_op(r, object, &b->v[b->n++]);

        if (e < 0) {
            r->has_op = true;
            r->op = i;
            r->op_origin = API_TEXT_WORDS;
            return e;
        }
    }
    return 0;
}

/* One OP's part of the answer, by the function that answers such a request. */
static json_t *op_data(const struct agent_result *whole, const struct agent_op_result *op)
{
    struct agent_result one = {.generation = whole->generation,
                               .elapsed_ms = whole->elapsed_ms,
                               .n_interfaces = whole->n_interfaces,
                               .change = op->change,
                               .filters = op->filters, /* views */
                               .exceptions = op->exceptions,
                               .mpp = op->mpp,
                               .mpp_existing = -1,
                               .policies = op->policies,
                               .n_policies = op->n_policies};

    memcpy(one.phase_ns, whole->phase_ns, sizeof(one.phase_ns));
    (void)snprintf(one.name, sizeof(one.name), "%s", op->name ? op->name : "");         /* fits */
    (void)snprintf(one.before, sizeof(one.before), "%s", op->before ? op->before : ""); /* fits */
    return change_data(op->kind, &one);
}

static void reply_batch(struct request *r, const struct agent_result *result)
{
    json_t *results = json_array();

    for (size_t i = 0; i < result->n_ops && results; i++)
        if (json_array_append_new(results, op_data(result, &result->ops[i])))
            json_decrefp(&results);
    change_reply(r, result,
                 json_pack("{s:o, s:I, s:I}", "results", results, "elapsed_ms",
                           (json_int_t)result->elapsed_ms, "interfaces",
                           (json_int_t)result->n_interfaces));
}

/* Who made the commands that became this batch, for the trail. */
static int take_origin(struct request *r, const char **ret)
{
    static const char *const origins[] = {"cli", "dialect"};
    const char *given = r->params.text[PARAM_ORIGIN];

    *ret = r->client;
    if (!given)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(origins); i++)
        if (strcmp(origins[i], given) == 0) {
            *ret = origins[i];
            return 0;
        }
    return diag_fail(&r->diag, DIAG_USAGE, "member 'origin' must be 'cli' or 'dialect'");
}

int handle_batch(struct request *r)
{
    _cleanup_(batch_done) struct batch b = {0};
    struct agent_change c = {.kind = AGENT_BATCH,
                             .keep_holders = r->params.flag[PARAM_KEEP_HOLDERS]};
    int e = take_origin(r, &c.author.origin);

    if (e == 0)
        e = batch_read(r, &b);
    if (e < 0)
        return e;
    c.ops = b.v;
    c.n_ops = b.n;
    return change_start(r, &c, reply_batch); /* copies what it keeps */
}

enum api_text_origin batch_op_origin(const struct request *r)
{
    const char *name =
        json_string_value(json_object_get(json_array_get(r->params.json[PARAM_OPS], r->op), "op"));

    for (size_t i = 0; name && i < ARRAY_SIZE(ops); i++)
        if (strcmp(ops[i].name, name) == 0)
            return ops[i].origin;
    return API_TEXT_WORDS;
}
