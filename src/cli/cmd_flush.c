/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_flush.c: `portward flush`: all dynamic filters. Called from the table of commands. */
#include "cli/context.h"

static void show(struct cli *c, const json_t *doc)
{
    int64_t n = cli_int(cli_data(doc), "deleted", 0);
    const char *policy = cli_str(cli_data(doc), "policy");

    if (n == 0) {
        (void)fputs("no change: there is no dynamic filter\n", c->env->out);
        return;
    }
    if (c->dry_run)
        cli_put_would(c, "delete");
    else
        (void)fputs("deleted ", c->env->out);
    cli_put_count(c, n, "dynamic filter");
    if (*policy) {
        (void)fputs("; local policy ", c->env->out);
        cli_put_quoted(c, policy);
        (void)fputs(" stays assigned", c->env->out);
    } else {
        (void)fputs("; no local policy is assigned", c->env->out);
    }
    if (!c->dry_run)
        (void)fprintf(c->env->out, "; generation %lld", (long long)c->generation);
    (void)fputc('\n', c->env->out);
}

int cmd_flush(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_ask(c, "POST", "/v1/flush", cli_change_body(c), &doc);

    if (code || c->json)
        return code;
    if (!c->quiet)
        show(c, doc);
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}
