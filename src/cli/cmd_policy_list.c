/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_list.c: `portward policy list`: what is stored and what of it is assigned.
 * Called from the table of commands. */
#include <stdio.h>

#include "cli/context.h"

static void add_number(struct cli_table *t, int64_t v)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)v);
    cli_table_add(t, STYLE_PLAIN, v >= 0 ? text : NULL);
}

int cmd_policy_list(struct cli *c)
{
    static const struct cli_column columns[] = {{"NAME", false},    {"LAYER", false},
                                                {"STATE", false},   {"RULES", true},
                                                {"REVISION", true}, {"CHANGED", false}};
    _cleanup_(cli_table_done) struct cli_table t;
    _cleanup_json_ json_t *doc = NULL;
    const json_t *p;
    size_t i;
    int code;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    code = cli_ask(c, "GET", "/v1/policies", NULL, &doc);
    if (code || c->json)
        return code;
    json_array_foreach(json_object_get(cli_data(doc), "policies"), i, p)
    {
        char changed[CLI_TEXT_BYTES];

        cli_date(c, cli_str(p, "changed"), changed);
        cli_table_add(&t, STYLE_PLAIN, cli_str(p, "name"));
        cli_table_add(&t, STYLE_PLAIN, cli_str(p, "layer"));
        cli_table_add(&t, STYLE_PLAIN, cli_str(p, "state"));
        add_number(&t, cli_int(p, "rules", -1));
        add_number(&t, cli_int(p, "revision", -1));
        cli_table_add(&t, STYLE_PLAIN, changed);
    }
    cli_table_print(&t, c->env->out, c->header, c->colour);
    cli_report_warnings(c, doc);
    return 0;
}
