/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/output.c: how times, sizes, counts and foreign text look on stdout. Called by the verbs.
 * Text from outside goes through cli_put() or a table cell, both escape. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/context.h"

static struct tm broken_down(const struct cli *c, int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm = {0};

    if (c->utc)
        (void)gmtime_r(&t, &tm); /* fails for years beyond int only: prints 1900 */
    else
        (void)localtime_r(&t, &tm);
    return tm;
}

void cli_clock(const struct cli *c, int64_t unix_s, char out[CLI_TEXT_BYTES])
{
    struct tm now = broken_down(c, c->env->now_s), at = broken_down(c, unix_s);

    if (now.tm_yday == at.tm_yday && now.tm_year == at.tm_year)
        (void)strftime(out, CLI_TEXT_BYTES, "%H:%M:%S", &at);
    else if (now.tm_year == at.tm_year)
        (void)strftime(out, CLI_TEXT_BYTES, "%d %b %H:%M:%S", &at);
    else
        (void)strftime(out, CLI_TEXT_BYTES, "%d %b %Y %H:%M:%S", &at);
}

void cli_date(const struct cli *c, const char *rfc3339, char out[CLI_TEXT_BYTES])
{
    struct tm utc = {0}, now, at;
    const char *end = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &utc);

    if (!end || (*end != 'Z' && *end != '.')) {
        (void)snprintf(out, CLI_TEXT_BYTES, "-");
        return;
    }
    now = broken_down(c, c->env->now_s);
    at = broken_down(c, (int64_t)timegm(&utc));
    (void)strftime(out, CLI_TEXT_BYTES, now.tm_year == at.tm_year ? "%d %b %H:%M" : "%d %b %Y",
                   &at);
}

void cli_size(int64_t bytes, char out[CLI_TEXT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    size_t u = 0;

    while (v >= 1024 && u + 1 < ARRAY_SIZE(units)) {
        v /= 1024;
        u++;
    }
    (void)snprintf(out, CLI_TEXT_BYTES, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void cli_put(struct cli *c, const char *text)
{
    cli_put_styled(c, STYLE_PLAIN, text);
}

void cli_put_styled(struct cli *c, enum cli_style style, const char *text)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(16 * 1024 * 1024);

    if (strbuf_add_escaped(&b, text, strlen(text)) < 0)
        cli_out_of_memory();
    cli_style_begin(c->env->out, style, c->colour);
    (void)fputs(b.s ? b.s : "", c->env->out); /* stream errors are looked at once, at the end */
    cli_style_end(c->env->out, style, c->colour);
}

void cli_put_quoted(struct cli *c, const char *text)
{
    (void)fputc('"', c->env->out);
    cli_put(c, text);
    (void)fputc('"', c->env->out);
}

void cli_table_add_rule(struct cli_table *t, const json_t *filter)
{
    _cleanup_(strbuf_done) struct strbuf quoted = STRBUF_INIT(64 * 1024);
    const char *rule = cli_str(filter, "rule"), *reason = cli_str(filter, "reason");

    if (*rule || !*reason) {
        cli_table_add(t, STYLE_PLAIN, rule);
        return;
    }
    if (strbuf_addf(&quoted, "\"%s\"", reason) < 0)
        cli_out_of_memory();
    cli_table_add(t, STYLE_PLAIN, quoted.s);
}

enum cli_style cli_action_style(const char *action)
{
    if (strcmp(action, "block") == 0)
        return STYLE_BLOCK;
    if (strcmp(action, "negotiate") == 0)
        return STYLE_WARNING;
    return strcmp(action, "permit") == 0 ? STYLE_PERMIT : STYLE_PLAIN;
}

void cli_put_count(struct cli *c, int64_t n, const char *singular)
{
    (void)fprintf(c->env->out, "%lld %s%s", (long long)n, singular, n == 1 ? "" : "s");
}

void cli_put_generation_line(struct cli *c, const json_t *data)
{
    (void)fprintf(c->env->out, "generation %lld active on ", (long long)c->generation);
    cli_put_count(c, cli_int(data, "interfaces", 0), "interface");
    (void)fprintf(c->env->out, " in %lld ms\n", (long long)cli_int(data, "elapsed_ms", 0));
}

void cli_put_rule_change(struct cli *c, const char *verb, const char *join, const json_t *data)
{
    const json_t *ids = json_object_get(data, "ids"), *id;
    size_t i;

    (void)fputs(verb, c->env->out);
    json_array_foreach(ids, i, id)
    {
        if (i || *verb)
            (void)fputs(i ? ", " : " ", c->env->out);
        cli_put_styled(c, STYLE_ID, json_string_value(id) ? json_string_value(id) : "-");
    }
    (void)fprintf(c->env->out, " %s ", join);
    cli_put_quoted(c, cli_str(data, "policy"));
    (void)fprintf(c->env->out, " revision %lld", (long long)cli_int(data, "revision", 0));
    if (json_is_true(json_object_get(data, "assigned")) && c->dry_run)
        (void)fputs(", assigned\n", c->env->out);
    else if (json_is_true(json_object_get(data, "assigned")))
        (void)fprintf(c->env->out, "; generation %lld\n", (long long)c->generation);
    else
        (void)fputs(", not assigned\n", c->env->out);
}

void cli_put_stored(struct cli *c, const json_t *policy, size_t n_warnings)
{
    bool none = strcmp(cli_str(policy, "change"), "none") == 0;

    if (c->dry_run && !none)
        cli_put_would(c, "store");
    else
        (void)fputs(none ? "no change: " : "stored ", c->env->out);
    cli_put_quoted(c, cli_str(policy, "name"));
    (void)fprintf(c->env->out, " revision %lld (", (long long)cli_int(policy, "revision", 0));
    cli_put_count(c, cli_int(policy, "rules", 0), "rule");
    (void)fputs(", ", c->env->out);
    cli_put_count(c, (int64_t)n_warnings, "warning");
    (void)fputs("), ", c->env->out);
    if (json_is_true(json_object_get(policy, "assigned")) && c->dry_run)
        (void)fputs("assigned\n", c->env->out);
    else if (json_is_true(json_object_get(policy, "assigned")))
        (void)fprintf(c->env->out, "assigned; generation %lld\n", (long long)c->generation);
    else
        (void)fputs("not assigned\n", c->env->out);
}
