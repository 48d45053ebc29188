/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_history.c: `portward policy history`: revisions of one policy, or the trail of
 * all changes. Called from the table of commands. */
#include <stdio.h>

#include "cli/context.h"

static void add_number(struct cli_table *t, const json_t *entry, const char *key)
{
    int64_t v = cli_int(entry, key, -1);
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)v);
    cli_table_add(t, STYLE_PLAIN, v >= 0 ? text : NULL);
}

/* "alice (uid 1000, ssh from 10.1.4.7)" */
static void add_who(struct cli_table *t, const json_t *entry)
{
    const char *login = cli_str(entry, "login"), *peer = cli_str(entry, "peer");
    char text[256];

    (void)snprintf(text, sizeof(text), "%s (uid %lld, %s%s)", *login ? login : "unknown",
                   (long long)cli_int(entry, "uid", -1), *peer ? "ssh from " : "",
                   *peer ? peer : cli_str(entry, "origin")); /* all of them are short */
    cli_table_add(t, STYLE_PLAIN, text);
}

static void add_entry(struct cli *c, struct cli_table *t, const json_t *entry, bool objects)
{
    char when[CLI_TEXT_BYTES];

    add_number(t, entry, "revision");
    cli_date(c, cli_str(entry, "time"), when);
    cli_table_add(t, STYLE_PLAIN, when);
    add_who(t, entry);
    if (objects)
        cli_table_add(t, STYLE_PLAIN, cli_str(entry, "object"));
    cli_table_add(t, STYLE_PLAIN, cli_str(entry, "change"));
    add_number(t, entry, "generation");
    cli_table_add(t, STYLE_PLAIN, cli_str(entry, "reason"));
}

int cmd_policy_history(struct cli *c)
{
    static const struct cli_column of_one[] = {{"REV", true},        {"WHEN", false},
                                               {"WHO", false},       {"CHANGE", false},
                                               {"GENERATION", true}, {"REASON", false}};
    static const struct cli_column of_all[] = {
        {"REV", true},     {"WHEN", false},      {"WHO", false},   {"OBJECT", false},
        {"CHANGE", false}, {"GENERATION", true}, {"REASON", false}};
    const char *name = c->n_words > 0 ? c->words[0] : NULL;
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_(cli_table_done) struct cli_table t;
    _cleanup_json_ json_t *doc = NULL;
    const json_t *entry;
    size_t i;
    int code;

    cli_table_init(&t, name ? of_one : of_all, name ? ARRAY_SIZE(of_one) : ARRAY_SIZE(of_all));
    (void)strbuf_add(&target, "/v1/history"); /* sticky error, seen below */
    if (name)
        (void)api_target_add_query(&target, "policy", name);
    if (c->args.given[OPT_LIMIT])
        (void)api_target_add_query(&target, "limit", c->args.value[OPT_LIMIT]);
    if (target.error)
        return cli_fail_usage(c, NULL, "name of the policy is too long");
    code = cli_ask(c, "GET", target.s, NULL, &doc);
    if (code || c->json)
        return code;
    json_array_foreach(json_object_get(cli_data(doc), "entries"), i, entry)
    {
        add_entry(c, &t, entry, name == NULL);
    }
    cli_table_print(&t, c->env->out, c->header, c->colour);
    cli_report_warnings(c, doc);
    return 0;
}
