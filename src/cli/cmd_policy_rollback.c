/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_rollback.c: `portward policy rollback`: an old revision of a policy as its newest
 * one. Called from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "cli/context.h"

static void show(struct cli *c, const json_t *data)
{
    bool same = strcmp(cli_str(data, "change"), "none") == 0;

    if (c->dry_run && !same)
        cli_put_would(c, "restore");
    else
        (void)fputs(same ? "no change: " : "restored ", c->env->out);
    (void)fprintf(c->env->out, "revision %lld of ", (long long)cli_int(data, "restored", 0));
    cli_put_quoted(c, cli_str(data, "name"));
    (void)fprintf(c->env->out, same ? " says the same as revision %lld" : " as revision %lld",
                  (long long)cli_int(data, "revision", 0));
    if (json_is_true(json_object_get(data, "assigned")) && c->dry_run)
        (void)fputs(", assigned\n", c->env->out);
    else if (json_is_true(json_object_get(data, "assigned")))
        (void)fprintf(c->env->out, "; generation %lld\n", (long long)c->generation);
    else
        (void)fputs(", not assigned\n", c->env->out);
}

int cmd_policy_rollback(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    _cleanup_free_ char *name = NULL;
    int64_t revision;
    json_t *body;
    int code;

    cli_split_revision(c->words[0], &name, &revision);
    code = cli_policy_target(c, name, "/rollback", &target);
    if (code)
        return code;
    body = cli_change_body(c);
    if (revision)
        cli_set_number(body, "revision", revision);
    code = cli_ask(c, "POST", target.s, body, &doc);
    if (code || c->json)
        return code;
    if (!c->quiet)
        show(c, cli_data(doc));
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}
