/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_delete.c: `portward delete`: dynamic filters, by id or by text. Called from the table
 * of commands. All items go in one request, so that all are deleted or none. */
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"
#include "text/text.h"

/* s12, g3, p2, d17: the short handles of filters. */
static bool is_id(const char *word)
{
    return strchr("sgpd", word[0]) && word[0] && word[1] &&
           word[1 + strspn(word + 1, "0123456789")] == '\0';
}

static int add_filter_item(struct cli *c, char *const *words, int n, json_t *items)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    struct filter f;
    struct diag d;
    int code;

    if (n == 1 && !strchr(words[0], ' ') && strcmp(words[0], "block") != 0 &&
        strcmp(words[0], "permit") != 0)
        return cli_fail_usage(c, "portward list --layer dynamic",
                              "'%s' is neither an id nor a filter", words[0]);
    code = cli_join(c, NULL, words, n, &text);
    if (code)
        return code;
    filter_init(&f);
    if (text_parse_filter(text.s, text.len, &d, &f) < 0)
        code = cli_fail(c, &d);
    else if (json_array_append_new(items, json_string(text.s)) < 0)
        cli_out_of_memory();
    filter_done(&f);
    c->source = (struct cli_source){0}; /* the text ends here */
    return code;
}

/* Ids first; what follows them is one filter. */
static int add_items(struct cli *c, json_t *items)
{
    int i = 0;

    for (; i < c->n_words && is_id(c->words[i]); i++)
        if (json_array_append_new(items, json_string(c->words[i])) < 0)
            cli_out_of_memory();
    return i < c->n_words ? add_filter_item(c, c->words + i, c->n_words - i, items) : 0;
}

static void show_deleted(struct cli *c, const json_t *deleted)
{
    const json_t *f;
    size_t i;

    json_array_foreach(deleted, i, f)
    {
        if (c->dry_run)
            cli_put_would(c, "delete");
        else
            (void)fputs("deleted ", c->env->out);
        cli_put_styled(c, STYLE_ID, cli_str(f, "id"));
        (void)fputs("  ", c->env->out);
        cli_put_styled(c, cli_action_style(cli_str(f, "action")), cli_str(f, "text"));
        if (!c->dry_run && i + 1 == json_array_size(deleted))
            (void)fprintf(c->env->out, "; generation %lld", (long long)c->generation);
        (void)fputc('\n', c->env->out);
    }
}

int cmd_delete(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    json_t *body = cli_change_body(c), *items = json_array();
    int code;

    if (json_object_set_new(body, "items", items) < 0)
        cli_out_of_memory();
    code = add_items(c, items);
    if (code) {
        json_decref(body);
        return code;
    }
    code = cli_ask(c, "DELETE", "/v1/filters", body, &doc);
    if (code || c->json)
        return code;
    if (!c->quiet)
        show_deleted(c, json_object_get(cli_data(doc), "deleted"));
    if (!c->quiet && c->dry_run)
        cli_put_preview(c, doc);
    cli_report_warnings(c, doc);
    return 0;
}
