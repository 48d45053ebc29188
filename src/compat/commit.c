/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/commit.c: the difference that a catalog makes, as the OPs of one POST /v1/batch.
 * Called by run.c and cmd_import.c after catalog_settle(). Invariant: each OP is valid after those
 * before it, and what was only looked at is in none. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "front.h"
#include "text/text.h"

static int add_op(json_t *ops, json_t *op)
{
    return op && json_array_append_new(ops, op) == 0 ? 0 : -ENOMEM;
}

static int library_op(struct catalog *c, json_t *ops)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    if (!c->has_library)
        return 0;
    int err = catalog_library_print(c, &text);
    const char *now = text.s ? text.s : "", *before = c->library_before ? c->library_before : "";
    if (err < 0 || strcmp(now, before) == 0)
        return err;
    return add_op(ops, json_pack("{s:s, s:s}", "op", "library", "text", now));
}

static int value_ops(const struct catalog *c, json_t *ops)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < c->n_secrets; i++)
        err = add_op(ops, json_pack("{s:s, s:s, s:s}", "op", "secret", "id", c->secrets[i].id,
                                    "value", c->secrets[i].value));
    if (err == 0 && c->mpp_reset)
        err = add_op(ops, json_pack("{s:s, s:s}", "op", "mpp", "text", "reset"));
    for (size_t i = 0; err == 0 && i < c->n_settings; i++)
        err = add_op(ops, json_pack("{s:s, s:s, s:s?}", "op", "setting", "key", c->settings[i].key,
                                    "value", c->settings[i].value));
    return err;
}

static int delete_ops(const struct catalog *c, json_t *ops)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < c->n_policies; i++)
        if (!c->policies[i].now && c->policies[i].before)
            err = add_op(ops, json_pack("{s:s, s:s, s:b}", "op", "policy-delete", "name",
                                        c->policies[i].before_name, "unassign", 1));
    return err;
}

/* New name to old name of the rules that go on under another one. */
static json_t *renamed_rules(const struct catalog_policy *e)
{
    json_t *map = json_object();
    for (size_t i = 0; map && i < e->now->n_rules; i++) {
        const struct rule *r = &e->now->rules[i];
        for (size_t k = 0; !guid_is_null(&r->guid) && k < e->n_rules_before; k++)
            if (guid_cmp(&r->guid, &e->rules_before[k].guid) == 0 &&
                strcmp(r->name, e->rules_before[k].name) != 0 &&
                json_object_set_new(map, r->name, json_string(e->rules_before[k].name)) < 0) {
                json_decref(map);
                return NULL;
            }
    }
    return map;
}

/* What stands under a policy while its OPs are made. */
struct pending {
    const struct catalog_policy *entry;
    char stored[300]; /* name it has in the agent now, "" = none */
    bool done;
};

static int load_op(struct pending *p, json_t *ops)
{
    const struct catalog_policy *e = p->entry;
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    int err = text_print_policy(e->now, &text);
    if (err < 0)
        return err;
    bool renamed = p->stored[0] != '\0' && strcmp(p->stored, e->now->name) != 0;
    p->done = true;
    if (!renamed && e->before && strcmp(text.s, e->before) == 0)
        return 0;
    _cleanup_json_ json_t *rules = renamed_rules(e);
    json_t *op = json_pack("{s:s, s:s, s:b}", "op", "policy-load", "text", text.s, "replace",
                           e->before != NULL);
    if (!rules || !op) {
        json_decref(op);
        return -ENOMEM;
    }
    err = add_op(ops, op);
    if (err == 0 && e->change[0] != '\0')
        err = json_object_set_new(op, "change", json_string(e->change));
    if (err == 0 && renamed)
        err = json_object_set_new(op, "renamed_from", json_string(p->stored));
    if (err == 0 && json_object_size(rules) > 0)
        err = json_object_set(op, "renamed_rules", rules);
    return err < 0 ? -ENOMEM : 0;
}

/* Another policy that still has the name in the agent. */
static bool is_taken(const struct pending *v, size_t n, size_t i)
{
    for (size_t k = 0; k < n; k++)
        if (k != i && !v[k].done && v[k].stored[0] != '\0' &&
            utf8_casecmp(v[k].stored, v[i].entry->now->name) == 0)
            return true;
    return false;
}

/* Two policies that exchange their names: one steps aside. */
static int step_aside(struct pending *p, json_t *ops)
{
    char name[300];
    (void)snprintf(name, sizeof(name), "%.200s (renamed)", p->stored);
    while (!utf8_valid(name, strlen(name)))
        (void)snprintf(name, sizeof(name), "(renamed)"); /* cut within a character */
    int err = add_op(ops, json_pack("{s:s, s:s, s:s, s:b, s:s}", "op", "policy-load", "text",
                                    p->entry->before, "name", name, "replace", 1, "renamed_from",
                                    p->stored));
    (void)snprintf(p->stored, sizeof(p->stored), "%s", name);
    return err;
}

static int load_ops(const struct catalog *c, json_t *ops)
{
    _cleanup_free_ struct pending *v = calloc(c->n_policies + 1, sizeof(*v));
    size_t n = 0, left;
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < c->n_policies; i++)
        if (c->policies[i].now) {
            v[n].entry = &c->policies[i];
            if (c->policies[i].before)
                (void)snprintf(v[n].stored, sizeof(v[n].stored), "%s", c->policies[i].before_name);
            n++;
        }
    for (left = n; left > 0;) {
        size_t before = left, waiting = n;
        for (size_t i = 0; i < n; i++) {
            if (v[i].done)
                continue;
            if (is_taken(v, n, i)) {
                waiting = v[i].stored[0] != '\0' ? i : waiting;
                continue;
            }
            int err = load_op(&v[i], ops);
            if (err < 0)
                return err;
            left--;
        }
        if (left > 0 && left == before) {
            int err = waiting < n ? step_aside(&v[waiting], ops) : -EINVAL;
            if (err < 0)
                return err;
        }
    }
    return 0;
}

/* Name that is assigned once the OPs so far are done. */
static const char *assigned_then(const struct catalog *c, enum catalog_slot slot)
{
    const char *name = c->assigned_before[slot];
    for (size_t i = 0; i < c->n_policies; i++) {
        const struct catalog_policy *e = &c->policies[i];
        if (e->before && utf8_casecmp(e->before_name, name) == 0)
            return e->now ? e->now->name : "";
    }
    return name;
}

static int assign_ops(const struct catalog *c, json_t *ops)
{
    int err = 0;
    for (int i = 0; err == 0 && i < _CATALOG_SLOT_MAX; i++) {
        const char *want = c->assigned[i];
        int persistent = i == CATALOG_PERSISTENT;
        if (!c->has_assigned[i] || utf8_casecmp(want, assigned_then(c, (enum catalog_slot)i)) == 0)
            continue;
        if (want[0] != '\0')
            err = add_op(ops, json_pack("{s:s, s:s, s:b}", "op", "assign", "name", want,
                                        "persistent", persistent));
        else
            err = add_op(ops, json_pack("{s:s, s:b}", "op", "unassign", "persistent", persistent));
    }
    return err;
}

static int filter_delete_op(const struct catalog *c, json_t *ops)
{
    json_t *items = json_array();
    int err = items ? 0 : -ENOMEM;
    for (size_t i = 0; err == 0 && !c->flush && i < c->n_dynamic; i++)
        if (c->dynamic[i].gone && c->dynamic[i].id[0] != '\0')
            err = json_array_append_new(items, json_string(c->dynamic[i].id));
    if (err == 0 && json_array_size(items) > 0)
        err = add_op(ops, json_pack("{s:s, s:O}", "op", "filter-delete", "items", items));
    json_decref(items);
    return err < 0 ? -ENOMEM : 0;
}

static int dynamic_ops(const struct catalog *c, json_t *ops)
{
    int err = c->flush ? add_op(ops, json_pack("{s:s}", "op", "flush")) : 0;
    if (err == 0)
        err = filter_delete_op(c, ops);
    for (size_t i = 0; err == 0 && i < c->n_dynamic; i++) {
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
        if (c->dynamic[i].gone || c->dynamic[i].id[0] != '\0')
            continue;
        err = text_print_filter(&c->dynamic[i].filter, &text);
        if (err == 0)
            err = add_op(ops, json_pack("{s:s, s:s}", "op", "filter-add", "text", text.s));
    }
    return err;
}

int commit_ops(struct catalog *c, json_t **ret)
{
    _cleanup_json_ json_t *ops = json_array();
    int err = ops ? library_op(c, ops) : -ENOMEM;
    if (err == 0)
        err = value_ops(c, ops);
    if (err == 0)
        err = delete_ops(c, ops);
    if (err == 0)
        err = load_ops(c, ops);
    if (err == 0)
        err = assign_ops(c, ops);
    if (err == 0)
        err = dynamic_ops(c, ops);
    if (err == 0)
        *ret = TAKE_PTR(ops);
    return err;
}
