/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_rule_add.c: `portward rule add`: one rule with one filter. Called from the table of
 * commands. The filter is parsed here first, so that a mistake is shown without a question. */
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"
#include "text/text.h"

static int check_filter(struct cli *c, struct strbuf *text)
{
    struct filter f;
    struct diag d;
    int code = cli_join(c, NULL, c->words + 2, c->n_words - 2, text);

    if (code)
        return code;
    filter_init(&f);
    if (text_parse_filter(text->s, text->len, &d, &f) < 0)
        code = cli_fail(c, &d);
    filter_done(&f);
    return code;
}

static void show(struct cli *c, const json_t *data)
{
    const char *change = cli_str(data, "change");
    bool replaced = strcmp(change, "replaced") == 0;

    if (strcmp(change, "none") == 0) {
        cli_put_rule_change(c, "no change:", "is in", data);
        return;
    }
    if (c->dry_run)
        cli_put_would(c, replaced ? "replace by" : "add");
    cli_put_rule_change(c,
                        c->dry_run ? ""
                        : replaced ? "replaced by"
                                   : "added",
                        replaced ? "in" : "to", data);
}

int cmd_rule_add(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    json_t *body;
    int code = check_filter(c, &text);

    if (code == 0)
        code = cli_policy_target(c, c->words[0], "/rules", &target);
    if (code)
        return code;
    body = cli_change_body(c);
    cli_set_string(body, "name", c->words[1]);
    cli_set_string(body, "text", text.s);
    cli_set_flag(body, "create", c->args.given[OPT_CREATE]);
    cli_set_flag(body, "replace", c->args.given[OPT_REPLACE]);
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
