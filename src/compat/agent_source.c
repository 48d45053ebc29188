/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/agent_source.c: what a catalog reads, asked of the agent.
 * Made by run.c for each attempt. Invariant: everything is read after the state number that the
 * change names, so that nothing can change unseen in between. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "front.h"
#include "text/text.h"

void agent_source_done(struct agent_source *s)
{
    json_decref(s->status);
    *s = (struct agent_source){0};
}

static int fail_answer(struct diag *d, const char *what)
{
    (void)diag_fail(d, DIAG_AGENT, "answer of the agent about %s is not understood", what);
    return -EBADMSG;
}

/* GUIDs of the policy, its rules and its filters, in the order of the text. */
static void take_ids(struct policy *p, const json_t *data)
{
    const json_t *rules = json_object_get(data, "rules");
    if (guid_parse(agent_text(data, "guid"), &p->guid) < 0 || json_array_size(rules) != p->n_rules)
        return; /* without them everything is new, which is right, too */
    for (size_t i = 0; i < p->n_rules; i++) {
        struct rule *r = &p->rules[i];
        const json_t *rule = json_array_get(rules, i), *ids = json_object_get(rule, "filters");
        bool same = strcmp(agent_text(rule, "name"), r->name) == 0 &&
                    guid_parse(agent_text(rule, "guid"), &r->guid) == 0;
        for (size_t k = 0; same && k < r->n_filters; k++) {
            const char *id = json_string_value(json_array_get(ids, k));
            same = id && guid_parse(id, &r->filters[k].guid) == 0;
        }
    }
}

static int read_policy(void *ctx, const char *name, struct diag *d, struct policy **ret)
{
    const struct agent_source *s = ctx;
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(16 * 1024);
    _cleanup_(policy_list_done) struct policy_list list = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct diag_list errors = {0};
    (void)strbuf_add(&target, "/v1/policies/"); /* errors are sticky */
    (void)api_target_add_segment(&target, name);
    (void)api_target_add_query(&target, "ids", "1");
    if (target.error < 0 || name[0] == '\0')
        return diag_fail(d, DIAG_UNKNOWN_OBJECT, "unknown policy '%s'", name);
    int err = agent_ask(s->front, "GET", target.s, NULL, d, &doc);
    if (err < 0)
        return err;
    const json_t *data = json_object_get(doc, "data");
    const char *text = agent_text(data, "text");
    err = text_parse_policies(text, strlen(text), &errors, &list);
    if (err == -ENOMEM)
        return err;
    if (err < 0 || list.n != 1)
        return fail_answer(d, "a policy");
    take_ids(list.v[0], data);
    list.v[0]->revision = (uint32_t)json_integer_value(json_object_get(data, "revision"));
    *ret = TAKE_PTR(list.v[0]);
    list.n = 0;
    return 0;
}

static int read_names(void *ctx, struct diag *d, char ***ret, size_t *ret_n)
{
    const struct agent_source *s = ctx;
    _cleanup_json_ json_t *doc = NULL;
    int err = agent_ask(s->front, "GET", "/v1/policies", NULL, d, &doc);
    if (err < 0)
        return err;
    const json_t *policies = json_object_get(json_object_get(doc, "data"), "policies");
    size_t n = json_array_size(policies), i;
    char **names = calloc(n + 1, sizeof(*names));
    for (i = 0; names && i < n; i++) {
        names[i] = strdup(agent_text(json_array_get(policies, i), "name"));
        if (!names[i])
            break;
    }
    if (names && i == n) {
        *ret = names;
        *ret_n = n;
        return 0;
    }
    while (names && i > 0)
        free(names[--i]);
    free(names);
    return -ENOMEM;
}

static int read_library(void *ctx, struct diag *d, char **ret)
{
    const struct agent_source *s = ctx;
    _cleanup_json_ json_t *doc = NULL;
    int err = agent_ask(s->front, "GET", "/v1/library", NULL, d, &doc);
    if (err < 0)
        return err;
    *ret = strdup(agent_text(json_object_get(doc, "data"), "text"));
    return *ret ? 0 : -ENOMEM;
}

static int read_assigned(void *ctx, enum catalog_slot slot, struct diag *d, char ret[256])
{
    static const char *const keys[_CATALOG_SLOT_MAX] = {"local", "persistent"};
    struct agent_source *s = ctx;
    int err = s->status ? 0 : agent_ask(s->front, "GET", "/v1/status", NULL, d, &s->status);
    if (err < 0)
        return err;
    const json_t *policy = json_object_get(json_object_get(s->status, "data"), "policy");
    (void)snprintf(ret, 256, "%s", agent_text(policy, keys[slot])); /* at most 255 bytes */
    return 0;
}

static void dynamic_free(struct catalog_dynamic *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        filter_done(&v[i].filter);
    free(v);
}

static int read_dynamic(void *ctx, struct diag *d, struct catalog_dynamic **ret, size_t *ret_n)
{
    const struct agent_source *s = ctx;
    _cleanup_json_ json_t *doc = NULL;
    int err = agent_ask(s->front, "GET", "/v1/filters?layer=dynamic", NULL, d, &doc);
    if (err < 0)
        return err;
    const json_t *filters = json_object_get(json_object_get(doc, "data"), "filters");
    size_t n = json_array_size(filters);
    struct catalog_dynamic *v = calloc(n + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *f = json_array_get(filters, i);
        const char *text = agent_text(f, "text");
        struct diag ignored;
        if (text_parse_filter(text, strlen(text), &ignored, &v[i].filter) < 0) {
            dynamic_free(v, i);
            return fail_answer(d, "a dynamic filter");
        }
        (void)snprintf(v[i].id, sizeof(v[i].id), "%s", agent_text(f, "id"));
        if (guid_parse(agent_text(f, "guid"), &v[i].filter.guid) < 0)
            v[i].filter.guid = (struct guid){0};
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

static int read_setting(void *ctx, const char *key, struct diag *d, char **ret)
{
    const struct agent_source *s = ctx;
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(4096);
    _cleanup_json_ json_t *doc = NULL;
    (void)strbuf_add(&target, "/v1/settings"); /* errors are sticky */
    if (api_target_add_query(&target, "key", key) < 0)
        return -EINVAL;
    int err = agent_ask(s->front, "GET", target.s, NULL, d, &doc);
    *ret = NULL;
    if (err < 0)
        return err == -ENOENT ? 0 : err;
    const json_t *settings = json_object_get(json_object_get(doc, "data"), "settings");
    const char *value = json_string_value(json_object_get(json_array_get(settings, 0), "value"));
    *ret = value ? strdup(value) : NULL;
    return value && !*ret ? -ENOMEM : 0;
}

void agent_source_init(struct agent_source *s, const struct front *f, struct catalog_source *ret)
{
    *s = (struct agent_source){.front = f};
    *ret = (struct catalog_source){
        .ctx = s,
        .policy = read_policy,
        .names = read_names,
        .library = read_library,
        .assigned = read_assigned,
        .dynamic = read_dynamic,
        .setting = read_setting,
    };
}
