/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_mpp_set.c: `portward mpp enable|disable|profiles|exempt|rate|reset`: changes of the
 * settings. Called from the table of commands. Words are checked here, by the parser of the agent,
 * so that wrong ones are refused without one. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd_mpp.h"
#include "cli/context.h"
#include "model/mpp.h"

enum { TEXT_BYTES = 1024 };

/* The edit as one text: first word, words of the command line, options. */
static int edit_text(struct cli *c, const char *verb, struct strbuf *text)
{
    static const struct {
        enum cli_option_id id;
        const char *word;
    } options[] = {
        {OPT_FAMILY, "family"},
        {OPT_INTERFACE, "interface"},
        {OPT_KEEP_RATE_LIMITS, "keep-rate-limits"},
        {OPT_ALL, "all"},
        {OPT_APPLY_TO_EXISTING, "apply-to-existing"},
    };

    (void)strbuf_add(text, verb); /* errors are sticky */
    for (int i = 0; i < c->n_words; i++)
        (void)strbuf_addf(text, " %s", c->words[i]);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (c->args.given[options[i].id]) {
            const char *value = c->args.value[options[i].id];

            (void)strbuf_addf(text, " %s%s%s", options[i].word, value ? " " : "",
                              value ? value : "");
        }
    return text->error ? cli_fail_usage(c, NULL, "too many words") : 0;
}

/* 0 and the answer; -1: the exit code stands in *ret_code, or nothing more is to be shown. */
static int change(struct cli *c, const char *verb, struct mpp_edit *e, int *ret_code,
                  json_t **ret_doc)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    struct diag d;
    json_t *body;

    *ret_code = edit_text(c, verb, &text);
    if (*ret_code)
        return -1;
    if (mpp_edit_parse(text.s, e, &d) < 0) {
        *ret_code = cli_fail(c, &d);
        return -1;
    }
    body = cli_change_body(c);
    cli_set_string(body, "text", text.s);
    *ret_code = cli_ask(c, "POST", "/v1/mpp", body, ret_doc);
    return *ret_code || c->json ? -1 : 0;
}

/* What became of the connections that are there. */
static void put_existing(struct cli *c, const json_t *data)
{
    int64_t n = cli_int(data, "existing", -1);
    bool restamped = json_is_true(json_object_get(data, "restamped"));

    if (n < 0)
        (void)fputs("; existing ones keep the settings they were created with\n", c->env->out);
    else if (restamped)
        (void)fprintf(c->env->out, "; and for %lld existing ones\n", (long long)n);
    else if (n == 0)
        (void)fputs("; there are no existing ones\n", c->env->out);
    else
        (void)fprintf(c->env->out,
                      "; %lld existing ones keep the settings they were created with\n",
                      (long long)n);
}

static void put_would_set(struct cli *c, const json_t *data)
{
    const json_t *s;
    size_t i;

    json_array_foreach(json_object_get(data, "settings"), i, s)
    {
        const char *now = cli_str(s, "now");

        cli_put_would(c, "set");
        cli_put(c, cli_str(s, "key"));
        (void)fputs(*now ? " = " : " to its default", c->env->out);
        cli_put(c, now);
        (void)fputc('\n', c->env->out);
    }
}

/* Shows the answer to a change. */
static int finish(struct cli *c, const struct mpp_edit *e, const json_t *doc,
                  void (*put)(struct cli *c, const struct mpp_edit *e))
{
    const json_t *data = cli_data(doc);
    bool same = strcmp(cli_str(data, "change"), "none") == 0;

    if (!c->quiet && c->dry_run) {
        put_would_set(c, data);
        cli_put_preview(c, doc);
    } else if (!c->quiet && same && !e->to_existing) {
        (void)fputs("no change\n", c->env->out);
    } else if (!c->quiet) {
        put(c, e);
        put_existing(c, data);
    }
    cli_report_warnings(c, doc);
    return 0;
}

static int run(struct cli *c, const char *verb,
               void (*put)(struct cli *c, const struct mpp_edit *e))
{
    _cleanup_json_ json_t *doc = NULL;
    struct mpp_edit e;
    int code;

    return change(c, verb, &e, &code, &doc) < 0 ? code : finish(c, &e, doc, put);
}

/* " for IPv4" */
static void put_family(struct cli *c, const struct mpp_edit *e)
{
    if (e->family[0] != e->family[1])
        (void)fprintf(c->env->out, " for %s", mpp_family_name(e->family[1]));
}

static void put_on(struct cli *c, const struct mpp_edit *e)
{
    (void)fprintf(c->env->out, "mpp %s", mpp_switch_name(e->value));
    put_family(c, e);
    if (*e->interface) {
        (void)fputs(" on ", c->env->out);
        cli_put(c, e->interface);
    }
    (void)fputs(" for new connections", c->env->out);
}

int cmd_mpp_enable(struct cli *c)
{
    return run(c, "enable", put_on);
}

int cmd_mpp_disable(struct cli *c)
{
    return run(c, "disable", put_on);
}

static void put_profiles(struct cli *c, const struct mpp_edit *e)
{
    (void)fputs(e->value == MPP_SWITCH_OFF
                    ? "profiles off: connections created from now on, on domain and private "
                      "interfaces too, may be killed under attack"
                    : "profiles on: connections created from now on, on domain and private "
                      "interfaces, are spared",
                c->env->out);
}

int cmd_mpp_profiles(struct cli *c)
{
    return run(c, "profiles", put_profiles);
}

static void put_exempt(struct cli *c, const struct mpp_edit *e)
{
    (void)fprintf(c->env->out, "%u-%u %sexempt", e->range.first, e->range.last,
                  e->kind == MPP_EDIT_EXEMPT_ADD ? "" : "no longer ");
    put_family(c, e);
    (void)fputs(" for new connections", c->env->out);
}

int cmd_mpp_exempt(struct cli *c)
{
    if (strcmp(c->words[0], "list") != 0)
        return run(c, "exempt", put_exempt);
    if (c->n_words > 1)
        return cli_fail_usage(c, "portward mpp exempt list", "unexpected word '%s'", c->words[1]);
    return cli_mpp_list_exemptions(c);
}

static void put_rate(struct cli *c, const struct mpp_edit *e)
{
    if (e->rate > 0)
        (void)fprintf(c->env->out, "at most %u new connections a second on ", e->rate);
    else
        (void)fputs("no connection rate limit on ", c->env->out);
    cli_put(c, e->interface);
}

int cmd_mpp_rate(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    struct mpp_edit e;
    int code;

    if (c->n_words == 0)
        return cli_mpp_list_rates(c);
    if (change(c, "rate", &e, &code, &doc) < 0)
        return code;
    if (c->dry_run || strcmp(cli_str(cli_data(doc), "change"), "none") == 0)
        return finish(c, &e, doc, put_rate);
    if (!c->quiet) {
        put_rate(c, &e);
        (void)fputc('\n', c->env->out);
    }
    cli_report_warnings(c, doc);
    return 0;
}

/* --- reset --- */

/* The value that a key had, "" if none. */
static const char *value_before(const json_t *data, const char *key)
{
    const json_t *s;
    size_t i;

    json_array_foreach(json_object_get(data, "settings"), i, s)
    {
        if (strcmp(cli_str(s, "key"), key) == 0)
            return cli_str(s, "before");
    }
    return "";
}

/* Ranges that both families had count once. */
static unsigned count_removed(const json_t *data)
{
    static const char *const keys[] = {"mpp.ipv4.exempt", "mpp.ipv6.exempt"};
    struct mpp_settings s;
    unsigned n = 0;

    mpp_settings_init(&s);
    for (unsigned f = 0; f < ARRAY_SIZE(keys); f++) {
        struct diag d;

        if (mpp_settings_put(&s, keys[f], value_before(data, keys[f]), &d) < 0)
            return n; /* an agent of another version: what it says is not counted */
        for (unsigned i = 0; i < s.exempt[f].n; i++)
            n += f == 0 || !mpp_ranges_have(&s.exempt[0], s.exempt[1].v[i]);
    }
    return n;
}

static void warn_rates(struct cli *c, const char *rates)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(64 * 1024);
    struct mpp_settings s;
    struct diag d;

    mpp_settings_init(&s);
    if (!*rates || mpp_settings_put(&s, "mpp.rates", rates, &d) < 0)
        return;
    if (mpp_rates_describe(&s, &text) < 0)
        cli_out_of_memory();
    (void)fflush(c->env->out);
    (void)fprintf(c->env->err, "portward: warning: connection rate limits reset: %s\n", text.s);
}

static int show_reset(struct cli *c, const json_t *doc)
{
    _cleanup_json_ json_t *now = NULL;
    const json_t *data = cli_data(doc);
    const char *rates = value_before(data, "mpp.rates");
    int code = c->quiet ? 0 : cli_fetch(c, "GET", "/v1/mpp", &now);

    if (code)
        return code;
    if (!c->quiet) {
        (void)fputs("mpp ", c->env->out);
        cli_mpp_put_switches(c, cli_data(now));
        (void)fprintf(c->env->out, ", 0 exemptions (%u removed)", count_removed(data));
        (void)fputs(c->args.given[OPT_KEEP_RATE_LIMITS] ? ", connection rate limits kept\n"
                                                        : ", connection rate limits back to "
                                                          "default\n",
                    c->env->out);
    }
    warn_rates(c, rates);
    cli_report_warnings(c, doc);
    return 0;
}

int cmd_mpp_reset(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    struct mpp_edit e;
    int code;

    if (change(c, "reset", &e, &code, &doc) < 0)
        return code;
    if (c->dry_run || strcmp(cli_str(cli_data(doc), "change"), "none") == 0)
        return finish(c, &e, doc, put_on);
    return show_reset(c, doc);
}
