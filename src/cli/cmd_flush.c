/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_flush.c: `portward flush`: all dynamic filters. Called from the table of commands. */
#include "cli/context.h"

int cmd_flush(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    const char *policy;
    int64_t n;
    int code = cli_ask(c, "POST", "/v1/flush", cli_change_body(c), &doc);

    if (code || c->json)
        return code;
    n = cli_int(cli_data(doc), "deleted", 0);
    policy = cli_str(cli_data(doc), "policy");
    if (!c->quiet && n == 0) {
        (void)fputs("no change: there is no dynamic filter\n", c->env->out);
    } else if (!c->quiet) {
        (void)fputs("deleted ", c->env->out);
        cli_put_count(c, n, "dynamic filter");
        if (*policy) {
            (void)fputs("; local policy ", c->env->out);
            cli_put_quoted(c, policy);
            (void)fputs(" stays assigned", c->env->out);
        } else {
            (void)fputs("; no local policy is assigned", c->env->out);
        }
        (void)fprintf(c->env->out, "; generation %lld\n", (long long)c->generation);
    }
    cli_report_warnings(c, doc);
    return 0;
}
