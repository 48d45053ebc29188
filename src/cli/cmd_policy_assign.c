/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_assign.c: `portward policy assign`: puts a stored policy in force. Called from
 * the table of commands. */
#include <string.h>

#include "cli/context.h"

static void show_assigned(struct cli *c, const json_t *data)
{
    const char *before = cli_str(data, "before"), *name = cli_str(data, "name");
    bool same = strcmp(before, name) == 0;

    if (same)
        (void)fputs("no change: ", c->env->out);
    else if (c->dry_run)
        cli_put_would(c, "assign");
    cli_put_quoted(c, name);
    (void)fprintf(c->env->out, " %sthe %s policy",
                  same         ? "is "
                  : c->dry_run ? "as "
                               : "is now ",
                  c->args.given[OPT_PERSISTENT] ? "persistent" : "local");
    if (!same && *before) {
        (void)fputs(", before: ", c->env->out);
        cli_put_quoted(c, before);
    } else if (!same) {
        (void)fputs(", before: none", c->env->out);
    }
    (void)fputc('\n', c->env->out);
    if (!same && !c->dry_run)
        cli_put_generation_line(c, data);
}

int cmd_policy_assign(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    json_t *body;
    int code = cli_policy_target(c, c->words[0], "/assign", &target);

    if (code)
        return code;
    body = cli_change_body(c);
    cli_set_flag(body, "persistent", c->args.given[OPT_PERSISTENT]);
    code = cli_ask(c, "POST", target.s, body, &doc);
    if (code || c->json)
        return code;
    if (!c->quiet)
        show_assigned(c, cli_data(doc));
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}
