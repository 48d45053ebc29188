/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_counters.c: `portward counters`: packets and bytes per filter. Called from the table
 * of commands. */
#include <stdio.h>

#include "cli/context.h"

static int reset(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_ask(c, "POST", "/v1/counters/reset", cli_change_body(c), &doc);

    if (code || c->json)
        return code;
    if (!c->quiet) {
        if (c->dry_run)
            cli_put_would(c, "reset");
        else
            (void)fputs("reset ", c->env->out);
        cli_put_count(c, cli_int(cli_data(doc), "reset", 0), "counter");
        (void)fputc('\n', c->env->out);
    }
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}

/* Everything that is counted, for a collector. */
static int put_metrics(struct cli *c, const char *policy)
{
    _cleanup_json_ json_t *doc = NULL;

    if (policy)
        return cli_fail_usage(c, "portward counters --prometheus",
                              "--prometheus shows everything, not one policy");
    int code = cli_ask(c, "GET", "/v1/metrics", NULL, &doc);
    if (code || c->json)
        return code;
    (void)fputs(cli_str(cli_data(doc), "text"), c->env->out); /* errors are looked at at the end */
    return 0;
}

static void add_number(struct cli_table *t, const json_t *f, const char *key)
{
    int64_t v = cli_int(f, key, -1);
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)v);
    cli_table_add(t, STYLE_PLAIN, v >= 0 ? text : NULL);
}

int cmd_counters(struct cli *c)
{
    static const struct cli_column columns[] = {
        {"ID", false}, {"ACTION", false}, {"PACKETS", true}, {"BYTES", true}, {"RULE", false}};
    static const enum cli_option_id for_reset[] = {OPT_REASON, OPT_IF_GENERATION, OPT_DRY_RUN};
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_(cli_table_done) struct cli_table t;
    _cleanup_json_ json_t *doc = NULL;
    const char *policy = c->args.value[OPT_POLICY];
    const json_t *f;
    size_t i;
    int code;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    if (c->args.given[OPT_RESET] && policy)
        return cli_fail_usage(c, "portward counters --reset",
                              "--reset sets all counters, not those of one policy");
    if (c->args.given[OPT_RESET])
        return reset(c);
    for (size_t k = 0; k < ARRAY_SIZE(for_reset); k++)
        if (c->args.given[for_reset[k]])
            return cli_fail_usage(c, NULL, "option '--%s' is for --reset",
                                  cli_option(for_reset[k])->name);
    if (c->args.given[OPT_PROMETHEUS])
        return put_metrics(c, policy);
    (void)strbuf_add(&target, "/v1/counters"); /* sticky error, seen below */
    if (policy)
        (void)api_target_add_query(&target, "policy", policy);
    if (target.error)
        return cli_fail_usage(c, NULL, "name of the policy is too long");
    code = cli_ask(c, "GET", target.s, NULL, &doc);
    if (code || c->json)
        return code;
    json_array_foreach(json_object_get(cli_data(doc), "counters"), i, f)
    {
        const char *action = cli_str(f, "action");

        cli_table_add(&t, STYLE_ID, cli_str(f, "id"));
        cli_table_add(&t, cli_action_style(action), action);
        add_number(&t, f, "packets");
        add_number(&t, f, "bytes");
        cli_table_add_rule(&t, f);
    }
    cli_table_print(&t, c->env->out, c->header, c->colour);
    cli_report_warnings(c, doc);
    return 0;
}
