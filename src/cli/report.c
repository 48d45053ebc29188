/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/report.c: failures, warnings and hints (cli.md 5). Called by everything in the CLI that
 * cannot go on. With --json a failure is one document on stdout, made by the code the agent
 * uses; otherwise text with carets on stderr. What was printed before is flushed first, so that
 * the order on a terminal is the order of events. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"

enum { REPORT_BYTES_MAX = 1024 * 1024 };

static enum api_text_origin origin_of(const struct cli *c)
{
    return c->source.file ? API_TEXT_FILE : API_TEXT_WORDS;
}

static void put_rendered(struct cli *c, const struct diag *d, bool warning)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(REPORT_BYTES_MAX);
    struct diag shown = *d;
    enum cli_style style = warning ? STYLE_WARNING : STYLE_BLOCK;
    const char *file = d->n_spans ? c->source.file : NULL;

    if (c->quiet && warning)
        shown.hint[0] = '\0';
    if (diag_render(&shown, file, c->source.text, c->source.len, warning, &b) < 0)
        cli_out_of_memory();
    (void)fflush(c->env->out);
    cli_style_begin(c->env->err, style, c->colour_err);
    (void)fwrite(b.s, 1, strcspn(b.s, "\n"), c->env->err); /* the first line is the message */
    cli_style_end(c->env->err, style, c->colour_err);
    (void)fputs(b.s + strcspn(b.s, "\n"), c->env->err);
}

static void put_document(struct cli *c, const json_t *doc)
{
    _cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

    if (!text)
        cli_out_of_memory();
    (void)fprintf(c->env->out, "%s\n", text); /* stream errors are looked at once, at the end */
}

int cli_fail_list(struct cli *c, const struct diag_list *l)
{
    if (c->json) {
        _cleanup_json_ json_t *doc = api_error_document(l, origin_of(c), c->source.file);

        put_document(c, doc);
        return api_exit_code_list(l, origin_of(c));
    }
    for (unsigned i = 0; i < l->n; i++)
        put_rendered(c, &l->d[i], l->is_warning[i]);
    if (l->n_errors > LIMIT_DIAGS)
        (void)fprintf(c->env->err, "%u errors, the first %u are shown\n", l->n_errors, l->n);
    return api_exit_code_list(l, origin_of(c));
}

int cli_fail(struct cli *c, const struct diag *d)
{
    struct diag_list l = {0};

    diag_list_add(&l, d, /* warning= */ false);
    return cli_fail_list(c, &l);
}

int cli_fail_with_data(struct cli *c, const struct diag *d, json_t *data)
{
    _cleanup_json_ json_t *owned = data;
    _cleanup_json_ json_t *doc = NULL;

    if (!c->json)
        return cli_fail(c, d);
    doc = api_error_document_one(d, origin_of(c));
    if (!doc || json_object_set(doc, "data", owned) < 0)
        cli_out_of_memory();
    put_document(c, doc);
    return api_exit_code(d, origin_of(c));
}

int cli_fail_usage(struct cli *c, const char *hint, const char *fmt, ...)
{
    struct diag d;
    char message[DIAG_MESSAGE_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap); /* cut at worst */
    va_end(ap);
    (void)diag_fail(&d, DIAG_USAGE, "%s", message);
    if (hint)
        diag_hint(&d, "%s", hint);
    return cli_fail(c, &d);
}

int cli_report_error(struct cli *c, const json_t *doc)
{
    const json_t *more = json_object_get(doc, "errors"), *e;
    struct diag d;
    size_t i;

    api_diag_from_json(json_object_get(doc, "error"), &d);
    put_rendered(c, &d, /* warning= */ false);
    json_array_foreach(more, i, e)
    {
        api_diag_from_json(e, &d);
        put_rendered(c, &d, /* warning= */ false);
    }
    if (cli_int(doc, "n_errors", 0) > (int64_t)json_array_size(more) + 1)
        (void)fprintf(c->env->err, "%lld errors, the first %zu are shown\n",
                      (long long)cli_int(doc, "n_errors", 0), json_array_size(more) + 1);
    return (int)cli_int(doc, "exit", 1);
}

/* Things to know that are no reason to worry. */
static bool is_note(const char *code)
{
    return strcmp(code, "forwarded-not-covered") == 0;
}

void cli_report_warnings(struct cli *c, const json_t *doc)
{
    const json_t *w;
    size_t i;

    json_array_foreach(json_object_get(doc, "warnings"), i, w)
    {
        const char *code = cli_str(w, "code");
        struct diag d;

        api_diag_from_json(w, &d);
        if (!is_note(code)) {
            put_rendered(c, &d, /* warning= */ true);
        } else if (!c->quiet) {
            _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(REPORT_BYTES_MAX);

            if (strbuf_add_escaped(&b, d.message, strlen(d.message)) < 0)
                cli_out_of_memory();
            (void)fflush(c->env->out);
            (void)fprintf(c->env->err, "note: %s\n", b.s ? b.s : "");
        }
    }
}

void cli_hint(struct cli *c, const char *fmt, ...)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(REPORT_BYTES_MAX);
    char text[4096];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut at worst */
    va_end(ap);
    if (c->quiet || c->json)
        return;
    if (strbuf_add_escaped(&b, text, strlen(text)) < 0)
        cli_out_of_memory();
    (void)fflush(c->env->out);
    (void)fprintf(c->env->err, "hint: %s\n", b.s);
}
