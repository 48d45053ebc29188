/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_list.c: `portward list`: the filters in force as a table. Called from the table of
 * commands. The order is the agent's. */
#include <string.h>

#include "base/duration.h"
#include "cli/context.h"

enum { LIST_TEXT_BYTES = 1024 * 1024 };

static void add_row(struct cli_table *t, const json_t *f)
{
    const char *tier = cli_str(f, "tier");
    bool ordinary = strcmp(tier, "ordinary") == 0;
    int64_t hits = cli_int(f, "packets", -1), left = cli_int(f, "expires_in_s", -1);
    int64_t addresses = cli_int(f, "addresses", -1); /* of a name or keyword */
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIST_TEXT_BYTES);
    char weight[64], number[32], expires[DURATION_TEXT_BYTES] = "";

    (void)snprintf(weight, sizeof(weight), "%s%s%s", ordinary ? "" : tier, ordinary ? "" : " ",
                   cli_str(f, "weight"));
    (void)snprintf(number, sizeof(number), "%lld", (long long)hits);
    if (left >= 0)
        duration_print_human((uint64_t)left, expires);
    (void)strbuf_add(&text, cli_str(f, "text")); /* too long: shown as empty */
    if (addresses >= 0)
        (void)strbuf_addf(&text, " (%lld address%s)", (long long)addresses,
                          addresses == 1 ? "" : "es");
    cli_table_add(t, STYLE_ID, cli_str(f, "id"));
    cli_table_add(t, STYLE_PLAIN, weight);
    cli_table_add(t, STYLE_PLAIN, cli_str(f, "layer"));
    cli_table_add(t, cli_action_style(cli_str(f, "action")), text.s ? text.s : "");
    cli_table_add(t, STYLE_PLAIN, hits >= 0 ? number : NULL);
    cli_table_add(t, STYLE_PLAIN, expires);
    cli_table_add_rule(t, f);
}

int cmd_list(struct cli *c)
{
    static const struct cli_column columns[] = {
        {"ID", false},  {"WEIGHT", false},  {"LAYER", false}, {"FILTER", false},
        {"HITS", true}, {"EXPIRES", false}, {"RULE", false}};
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_(cli_table_done) struct cli_table t;
    _cleanup_json_ json_t *doc = NULL;
    const char *layer = c->args.value[OPT_LAYER], *policy = c->args.value[OPT_POLICY];
    const json_t *f;
    size_t i;
    int code;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    if (layer && strcmp(layer, "local") != 0 && strcmp(layer, "domain") != 0 &&
        strcmp(layer, "persistent") != 0 && strcmp(layer, "dynamic") != 0)
        return cli_fail_usage(c, "--layer local, domain, persistent or dynamic",
                              "unknown layer '%s'", layer);
    (void)strbuf_add(&target, "/v1/filters"); /* sticky error, seen below */
    if (layer)
        (void)api_target_add_query(&target, "layer", layer);
    if (policy)
        (void)api_target_add_query(&target, "policy", policy);
    if (c->args.given[OPT_ALL])
        (void)api_target_add_query(&target, "all", "1");
    if (target.error)
        return cli_fail_usage(c, NULL, "name of the policy is too long");
    code = cli_ask(c, "GET", target.s, NULL, &doc);
    if (code || c->json)
        return code;
    json_array_foreach(json_object_get(cli_data(doc), "filters"), i, f)
    {
        add_row(&t, f);
    }
    cli_table_print(&t, c->env->out, c->header, c->colour);
    cli_report_warnings(c, doc);
    return 0;
}
