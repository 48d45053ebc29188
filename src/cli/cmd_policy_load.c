/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_load.c: `portward policy load`: checks a file here, with the parser that the
 * agent uses, then has it stored. Called from the table of commands. An invalid file never
 * reaches the agent. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"
#include "cli/textfile.h"
#include "text/text.h"

static int check_text(struct cli *c, const struct cli_text *t, size_t *ret_n)
{
    struct diag_list dl = {0};
    struct policy_list policies = {0};
    struct diag d;
    int r = text_parse_policies(t->s, t->len, &dl, &policies);

    *ret_n = policies.n;
    policy_list_done(&policies);
    if (r == -ENOMEM)
        cli_out_of_memory();
    if (r < 0)
        return cli_fail_list(c, &dl);
    if (*ret_n == 0) {
        (void)diag_fail(&d, DIAG_SYNTAX, "there is no policy in '%s'", c->source.file);
        return cli_fail(c, &d);
    }
    return 0;
}

static void show_loaded(struct cli *c, const json_t *doc)
{
    const json_t *p;
    size_t i;

    json_array_foreach(json_object_get(cli_data(doc), "policies"), i, p)
        cli_put_stored(c, p, json_array_size(json_object_get(doc, "warnings")));
}

int cmd_policy_load(struct cli *c)
{
    _cleanup_(cli_text_done) struct cli_text text = {0};
    _cleanup_json_ json_t *doc = NULL;
    const char *name = c->args.value[OPT_NAME];
    size_t n_policies;
    json_t *members;
    int code = cli_text_read(c, c->words[0], &text);

    if (code)
        return code;
    c->source = (struct cli_source){
        .file = strcmp(c->words[0], "-") == 0 ? "stdin" : c->words[0],
        .text = text.s,
        .len = text.len,
    };
    code = check_text(c, &text, &n_policies);
    if (code)
        return code;
    if (name && n_policies > 1)
        return cli_fail_usage(c, NULL, "--name is for a file with one policy, '%s' has %zu",
                              c->source.file, n_policies);
    members = cli_change_body(c);
    if (name)
        cli_set_string(members, "name", name);
    cli_set_flag(members, "replace", c->args.given[OPT_REPLACE]);
    code = cli_ask_text(c, "/v1/policies", members, &c->source, &doc);
    if (code || c->json)
        return code;
    cli_report_warnings(c, doc);
    if (!c->quiet)
        show_loaded(c, doc);
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    return 0;
}
