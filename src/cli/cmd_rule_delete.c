/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_rule_delete.c: `portward rule delete`: a rule and its filters. Called from the table
 * of commands. */
#include "cli/context.h"

int cmd_rule_delete(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_policy_target(c, c->words[0], "/rules/", &target);

    if (code)
        return code;
    if (!*c->words[1])
        return cli_fail_usage(c, NULL, "name of the rule is empty");
    if (api_target_add_segment(&target, c->words[1]) < 0)
        return cli_fail_usage(c, NULL, "name of the rule is too long");
    code = cli_ask(c, "DELETE", target.s, cli_change_body(c), &doc);
    if (code || c->json)
        return code;
    if (!c->quiet && c->dry_run)
        cli_put_would(c, "delete");
    if (!c->quiet)
        cli_put_rule_change(c, c->dry_run ? "" : "deleted", "from", cli_data(doc));
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}
