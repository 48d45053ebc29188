/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_state.c: `portward state list|delete`: what `keep state` remembers. Called from the table
 * of commands. */
#include <stdio.h>
#include <string.h>

#include "cli/context.h"

static void add_side(struct cli_table *t, const json_t *f, const char *address, const char *port)
{
    const char *host = cli_str(f, address);
    int64_t n = cli_int(f, port, -1);
    char text[80];

    if (n < 0)
        (void)snprintf(text, sizeof(text), "%s", host);
    else
        (void)snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%lld" : "%s:%lld", host,
                       (long long)n);
    cli_table_add(t, STYLE_PLAIN, text);
}

static void add_flow(struct cli_table *t, const json_t *f)
{
    bool out = strcmp(cli_str(f, "opened"), "out") == 0;
    bool connection = strcmp(cli_str(f, "kept"), "connection") == 0;
    char idle[32];

    cli_table_add(t, STYLE_PLAIN, cli_str(f, "protocol"));
    add_side(t, f, out ? "source" : "destination", out ? "source_port" : "destination_port");
    add_side(t, f, out ? "destination" : "source", out ? "destination_port" : "source_port");
    (void)snprintf(idle, sizeof(idle), "%lld s", (long long)cli_int(f, "idle_s", 0));
    cli_table_add(t, STYLE_PLAIN, connection ? NULL : idle);
    const char *rule = cli_str(f, "rule");
    cli_table_add(t, STYLE_PLAIN, *rule ? rule : cli_str(f, "filter"));
}

int cmd_state_list(struct cli *c)
{
    static const struct cli_column columns[] = {
        {"PROTO", false}, {"LOCAL", false}, {"REMOTE", false}, {"IDLE", true}, {"RULE", false}};
    _cleanup_(cli_table_done) struct cli_table t;
    _cleanup_json_ json_t *doc = NULL;
    const json_t *flows, *f;
    size_t i;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    int code = cli_ask(c, "GET", "/v1/flows", NULL, &doc);
    if (code || c->json)
        return code;
    flows = json_object_get(cli_data(doc), "flows");
    json_array_foreach(flows, i, f) add_flow(&t, f);
    cli_table_print(&t, c->env->out, c->header, c->colour);
    int64_t more = cli_int(cli_data(doc), "total", 0) - (int64_t)json_array_size(flows);
    if (more > 0 && !c->quiet)
        (void)fprintf(c->env->err, "note: %lld more are not shown\n", (long long)more);
    cli_report_warnings(c, doc);
    return 0;
}

int cmd_state_delete(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    json_t *body = cli_change_body(c);

    if (!body || json_object_set_new(body, "text", api_text_json(c->words[0])))
        cli_out_of_memory();
    int code = cli_ask(c, "POST", "/v1/flows/delete", body, &doc);
    if (code || c->json)
        return code;
    if (!c->quiet) {
        if (c->dry_run)
            cli_put_would(c, "delete");
        else
            (void)fputs("deleted ", c->env->out);
        cli_put_count(c, cli_int(cli_data(doc), "deleted", 0), "flow");
        (void)fputc('\n', c->env->out);
    }
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}
