/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_block.c: `portward block` and `portward permit`: add one dynamic filter. Called from
 * the table of commands. The words are parsed here first, with the parser that the agent uses,
 * so that a mistake is shown without a question; the agent decides. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"
#include "text/text.h"

enum { EXIT_FINDINGS = 6 };

/* "expires 04:51:07, at the latest at reboot", as FILTER says it ends. */
static void put_end(struct cli *c, const json_t *filter, bool denies)
{
    const char *last = denies ? "at reboot" : "when the agent is stopped, or at reboot";
    int64_t left = cli_int(filter, "expires_in_s", -1);
    char when[CLI_TEXT_BYTES];

    if (left >= 0) {
        cli_clock(c, c->env->now_s + left, when);
        (void)fprintf(c->env->out, "expires %s, at the latest %s\n", when, last);
    } else if (denies) {
        (void)fputs("ends at reboot; to keep it: portward rule add\n", c->env->out);
    } else {
        (void)fprintf(c->env->out, "ends %s\n", last);
    }
}

/* What --strict is about: filters, not the failsafe entries that nothing closes; and what nobody
 * looked at. */
static bool permits_may_remain(const json_t *doc)
{
    const json_t *e;
    size_t i;

    json_array_foreach(json_object_get(cli_data(doc), "exceptions"), i, e)
    {
        if (strcmp(cli_str(e, "id"), "-") != 0)
            return true;
    }
    json_array_foreach(json_object_get(doc, "warnings"), i, e)
    {
        if (strcmp(cli_str(e, "code"), "exceptions-incomplete") == 0)
            return true;
    }
    return false;
}

/* The user's own words up to "for" and "reason", with `override`: true if they mean what `with`
 * does. */
static bool own_words(struct cli *c, const struct filter *with, struct strbuf *text)
{
    struct filter reread;
    struct diag d;
    bool same;
    int n = 0;

    while (n < c->n_words && strcmp(c->words[n], "for") != 0 && strcmp(c->words[n], "reason") != 0)
        n++;
    (void)strbuf_add(text, "block "); /* errors are sticky */
    if (text_join_words(n, c->words, text) < 0 || strbuf_add(text, " override") < 0)
        return false;
    filter_init(&reread);
    same = text_parse_filter(text->s, text->len, &d, &reread) == 0 && filter_eq(&reread, with);
    filter_done(&reread);
    return same;
}

static void hint_override(struct cli *c, const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf own = STRBUF_INIT(4096), canonical = STRBUF_INIT(4096);
    struct filter with = *f; /* shallow: only printed and compared */

    with.override = true;
    if (own_words(c, &with, &own))
        cli_hint(c, "to close it for them too: portward %s", own.s);
    else if (text_print_filter(&with, &canonical) == 0)
        cli_hint(c, "to close it for them too: portward %s", canonical.s);
}

/* Failsafe entries and exemptions (id "-") stand above override: no hint could close them. */
static bool override_would_help(const json_t *exceptions)
{
    const json_t *exception;
    size_t i;

    json_array_foreach(exceptions, i,
                       exception) if (strcmp(cli_str(exception, "id"), "-") != 0) return true;
    return false;
}

static void show_added(struct cli *c, const json_t *doc, const struct filter *f)
{
    const json_t *data = cli_data(doc), *filter = json_object_get(data, "filter");
    const json_t *exceptions = json_object_get(data, "exceptions");
    bool block = f->action == ACTION_BLOCK;

    cli_put_styled(c, STYLE_ID, cli_str(filter, "id"));
    (void)fputs("  ", c->env->out);
    cli_put_styled(c, cli_action_style(cli_str(filter, "action")), cli_str(filter, "text"));
    (void)fputs("  ", c->env->out);
    put_end(c, filter, filter_effect(f) != ACTION_PERMIT);
    cli_put_still_allowed(c, exceptions);
    if (block && !f->override && override_would_help(exceptions))
        hint_override(c, f);
}

static void show_tried(struct cli *c, const json_t *doc)
{
    const json_t *filter = json_object_get(cli_data(doc), "filter");
    const char *change = cli_str(cli_data(doc), "change");

    if (strcmp(change, "none") == 0)
        cli_put_label(c, "in force");
    else
        cli_put_would(c, strcmp(change, "extended") == 0 ? "extend" : "add");
    cli_put_styled(c, cli_action_style(cli_str(filter, "action")), cli_str(filter, "text"));
    (void)fputc('\n', c->env->out);
    cli_put_preview(c, doc);
}

static void show(struct cli *c, const json_t *doc, const struct filter *f)
{
    if (!c->quiet && c->dry_run)
        show_tried(c, doc);
    else if (!c->quiet)
        show_added(c, doc, f);
    cli_report_warnings(c, doc);
    if (c->quiet || c->dry_run)
        return;
    if (strcmp(cli_str(cli_data(doc), "change"), "none") == 0)
        (void)fputs("no change\n", c->env->out);
    else
        cli_put_generation_line(c, cli_data(doc));
}

static int add_filter(struct cli *c, const char *verb)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    _cleanup_(command_filter_done) struct command_filter parsed = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct diag d;
    json_t *body;
    int code = cli_join(c, verb, c->words, c->n_words, &text);

    if (code)
        return code;
    if (text_parse_command(text.s, text.len, &d, &parsed) < 0)
        return cli_fail(c, &d);
    if (parsed.reason && c->args.value[OPT_REASON])
        return cli_fail_usage(c, NULL, "reason is given twice");
    body = cli_change_body(c);
    cli_set_string(body, "text", text.s);
    code = cli_ask(c, "POST", "/v1/filters", body, &doc);
    if (code)
        return code;
    if (c->args.given[OPT_STRICT] && permits_may_remain(doc))
        code = EXIT_FINDINGS;
    if (c->json)
        return code;
    show(c, doc, &parsed.filter);
    return code;
}

int cmd_block(struct cli *c)
{
    return add_filter(c, "block");
}

int cmd_permit(struct cli *c)
{
    return add_filter(c, "permit");
}
