/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_show.c: `portward policy show`: the text of a policy, for `policy load`. Called
 * from the table of commands. Inverse of load: bytes that are text of a file go out as they are
 * (the parser let no control character in). */
#include <string.h>

#include "cli/context.h"

int cmd_policy_show(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    const char *text;
    int code =
        cli_policy_target(c, c->words[0], c->args.given[OPT_SOURCE] ? "?source=1" : "", &target);

    if (code == 0)
        code = cli_ask(c, "GET", target.s, NULL, &doc);
    if (code || c->json)
        return code;
    text = cli_str(cli_data(doc), "text");
    (void)fputs(text, c->env->out); /* stream errors are looked at once, at the end */
    if (*text && text[strlen(text) - 1] != '\n')
        (void)fputc('\n', c->env->out);
    cli_report_warnings(c, doc);
    return 0;
}
