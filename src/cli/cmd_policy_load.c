/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_load.c: `portward policy load`: has the text of a file checked and stored. Called
 * from the table of commands. The agent checks it, with the parser that is here, too; here it is
 * read only to say what is wrong with it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"
#include "cli/textfile.h"
#include "text/text.h"

/* What is wrong with c->source, shown; 0 = nothing. */
static int check_text(struct cli *c)
{
    const char *name = c->args.value[OPT_NAME];
    struct diag_list dl = {0};
    struct policy_list policies = {0};
    struct diag d;
    int r = text_parse_policies(c->source.text, c->source.len, &dl, &policies);
    size_t n = policies.n;

    policy_list_done(&policies);
    if (r == -ENOMEM)
        cli_out_of_memory();
    if (r < 0)
        return cli_fail_list(c, &dl);
    if (n == 0) {
        (void)diag_fail(&d, DIAG_SYNTAX, "there is no policy in '%s'", c->source.file);
        return cli_fail(c, &d);
    }
    if (name && n > 1)
        return cli_fail_usage(c, NULL, "--name is for a file with one policy, '%s' has %zu",
                              c->source.file, n);
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
    json_t *members;
    int code = cli_text_read(c, c->words[0], &text);

    if (code)
        return code;
    c->source = (struct cli_source){
        .file = strcmp(c->words[0], "-") == 0 ? "stdin" : c->words[0],
        .text = text.s,
        .len = text.len,
    };
    members = cli_change_body(c);
    if (name)
        cli_set_string(members, "name", name);
    cli_set_flag(members, "replace", c->args.given[OPT_REPLACE]);
    code = cli_ask_text(c, "/v1/policies", members, &c->source, check_text, &doc);
    if (code || c->json)
        return code;
    cli_report_warnings(c, doc);
    if (!c->quiet)
        show_loaded(c, doc);
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    return 0;
}
