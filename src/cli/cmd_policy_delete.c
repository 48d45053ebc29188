/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_delete.c: `portward policy delete`: removes a stored policy that is not
 * assigned. Called from the table of commands. */
#include "cli/context.h"

static void show(struct cli *c, const json_t *data)
{
    if (c->dry_run)
        cli_put_would(c, "delete");
    else
        (void)fputs("deleted ", c->env->out);
    cli_put_quoted(c, cli_str(data, "name"));
    (void)fputs(" (", c->env->out);
    cli_put_count(c, cli_int(data, "rules", 0), "rule");
    (void)fputc(')', c->env->out);
    if (!c->dry_run) {
        (void)fputs("; undo with: portward policy rollback \"", c->env->out);
        cli_put(c, cli_str(data, "name"));
        (void)fprintf(c->env->out, "@%lld\"", (long long)cli_int(data, "revision", 0));
    }
    (void)fputc('\n', c->env->out);
}

int cmd_policy_delete(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_policy_target(c, c->words[0], "", &target);

    if (code == 0)
        code = cli_ask(c, "DELETE", target.s, cli_change_body(c), &doc);
    if (code || c->json)
        return code;
    if (!c->quiet)
        show(c, cli_data(doc));
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}
