/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_config.c: `portward config show` and `config reset`: settings with where they come from,
 * and back to what the files say. Called from the table of commands. */
#include <stdio.h>

#include "cli/context.h"

/* "/v1/settings?key=K" */
static int settings_target(struct cli *c, const char *key, struct strbuf *target)
{
    (void)strbuf_add(target, "/v1/settings"); /* errors are sticky */
    if (key)
        (void)api_target_add_query(target, "key", key);
    return target->error ? cli_fail_usage(c, NULL, "key is too long") : 0;
}

int cmd_config_show(struct cli *c)
{
    static const struct cli_column columns[] = {
        {"KEY", false}, {"VALUE", false}, {"SOURCE", false}};
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_(cli_table_done) struct cli_table t;
    _cleanup_json_ json_t *doc = NULL;
    const json_t *s;
    size_t i;
    int code = settings_target(c, c->n_words ? c->words[0] : NULL, &target);

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    if (code == 0)
        code = cli_ask(c, "GET", target.s, NULL, &doc);
    if (code || c->json)
        return code;
    json_array_foreach(json_object_get(cli_data(doc), "settings"), i, s)
    {
        const char *value = json_string_value(json_object_get(s, "value"));

        cli_table_add(&t, STYLE_PLAIN, cli_str(s, "key"));
        cli_table_add(&t, STYLE_PLAIN, value && !*value ? "\"\"" : value);
        cli_table_add(&t, STYLE_PLAIN, cli_str(s, "source"));
    }
    cli_table_print(&t, c->env->out, c->header, c->colour);
    cli_report_warnings(c, doc);
    return 0;
}

/* {"ops":[{"op":"setting","key":K}]}: no value, so what the files say holds again. */
static json_t *reset_body(struct cli *c, const char *key)
{
    json_t *body = cli_change_body(c);

    if (json_object_set_new(body, "ops", json_pack("[{s:s, s:s}]", "op", "setting", "key", key)) <
        0)
        cli_out_of_memory();
    return body;
}

/* The value that holds now, which is what one wants to know after a reset. */
static int show_value(struct cli *c, const char *target)
{
    _cleanup_json_ json_t *doc = NULL;
    const json_t *s;
    int code = cli_fetch(c, "GET", target, &doc);

    if (code)
        return code;
    s = json_array_get(json_object_get(cli_data(doc), "settings"), 0);
    cli_put(c, cli_str(s, "key"));
    if (json_is_string(json_object_get(s, "value"))) {
        (void)fputs(" = ", c->env->out);
        cli_put(c, cli_str(s, "value"));
    } else {
        (void)fputs(" is not set", c->env->out);
    }
    (void)fputs(" (", c->env->out);
    cli_put(c, cli_str(s, "source"));
    (void)fputs(")\n", c->env->out);
    return 0;
}

int cmd_config_reset(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    int code = settings_target(c, c->words[0], &target);

    if (code == 0)
        code = cli_ask(c, "POST", "/v1/batch", reset_body(c, c->words[0]), &doc);
    if (code || c->json)
        return code;
    if (!c->quiet && c->dry_run) {
        cli_put_would(c, "reset");
        cli_put(c, c->words[0]);
        (void)fputc('\n', c->env->out);
        cli_put_preview(c, doc);
    } else if (!c->quiet) {
        code = show_value(c, target.s);
    }
    cli_report_warnings(c, doc);
    return code;
}
