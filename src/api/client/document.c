/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apiclient/document.c: the envelope of every answer (docs/api.md). Called by the server for
 * its answers and by the command line for failures on its own side. All integers, no floats;
 * an absent text is null, never an empty string (cli.md 3). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "apiclient/document.h"
#include "base/strbuf.h"

int api_exit_code(const struct diag *d, enum api_text_origin origin)
{
    if (d->code == DIAG_SYNTAX || d->code == DIAG_UNKNOWN_WORD)
        return origin == API_TEXT_FILE ? 7 : 2;
    return diag_exit_code(d->code);
}

int api_exit_worse(int a, int b)
{
    static const int order[] = {2, 3, 4, 5, 7, 1, 8, 9, 6}; /* cli.md 4 */

    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return a ? a : b;
}

int api_exit_code_list(const struct diag_list *l, enum api_text_origin origin)
{
    int code = 0;

    for (unsigned i = 0; i < l->n; i++)
        if (!l->is_warning[i])
            code = api_exit_worse(code, api_exit_code(&l->d[i], origin));
    return code;
}

/* JSON strings are UTF-8; a message may quote bytes that are not: they become \xNN. */
json_t *api_text_json(const char *s)
{
    json_t *plain;

    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(16 * DIAG_MESSAGE_BYTES);

    if (!s || !*s)
        return json_null();
    plain = json_string(s);
    if (plain)
        return plain;
    if (strbuf_add_escaped(&b, s, strlen(s)) < 0)
        return NULL;
    return json_string(b.s);
}

json_t *api_warning_json(const struct diag *d)
{
    return json_pack("{s:s, s:o, s:o}", "code", diag_code_name(d->code), "message",
                     api_text_json(d->message), "hint", api_text_json(d->hint));
}

static json_t *span_json(const struct span *s, const char *file)
{
    json_t *j = json_pack("{s:I, s:I, s:I, s:I}", "line", (json_int_t)s->line, "column",
                          (json_int_t)s->column, "length", (json_int_t)s->len, "offset",
                          (json_int_t)s->offset);

    if (j && file && json_object_set_new(j, "file", api_text_json(file)) < 0)
        json_decrefp(&j);
    return j;
}

static json_t *error_json(const struct diag *d, const char *file)
{
    _cleanup_json_ json_t *j = api_warning_json(d);
    _cleanup_json_ json_t *spans = json_array();

    for (unsigned i = 0; i < d->n_spans && i < DIAG_SPANS; i++)
        if (d->span[i].line && json_array_append_new(spans, span_json(&d->span[i], file)) < 0)
            return NULL;
    if (!j || json_object_set(j, "spans", spans) < 0)
        return NULL;
    return TAKE_PTR(j);
}

json_t *api_error_document(const struct diag_list *l, enum api_text_origin origin, const char *file)
{
    _cleanup_json_ json_t *first = NULL;
    _cleanup_json_ json_t *more = json_array();

    for (unsigned i = 0; i < l->n; i++) {
        if (l->is_warning[i])
            continue;
        if (!first)
            first = error_json(&l->d[i], file);
        else if (json_array_append_new(more, error_json(&l->d[i], file)) < 0)
            return NULL;
    }
    return json_pack("{s:s, s:b, s:i, s:O, s:O, s:I}", "schema", "portward.error/1", "ok", 0,
                     "exit", api_exit_code_list(l, origin), "error", first, "errors", more,
                     "n_errors", (json_int_t)l->n_errors);
}

json_t *api_error_document_one(const struct diag *d, enum api_text_origin origin)
{
    struct diag_list l = {0};

    diag_list_add(&l, d, /* warning= */ false);
    return api_error_document(&l, origin, /* file= */ NULL);
}

void api_time_print(int64_t time_ms, bool with_ms, char out[API_TIME_BYTES])
{
    time_t s = (time_t)(time_ms / 1000);
    struct tm tm = {0};
    size_t n;

    (void)gmtime_r(&s, &tm); /* fails only for years beyond int; then it prints 1900 */
    n = strftime(out, API_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    if (with_ms)
        (void)snprintf(out + n, API_TIME_BYTES - n, ".%03dZ", (int)(time_ms % 1000));
    else
        (void)snprintf(out + n, API_TIME_BYTES - n, "Z");
}

/* Callback of json_dump_callback(). */
static int add_piece(const char *buffer, size_t size, void *data)
{
    struct strbuf *b = data;

    return strbuf_add_n(b, buffer, size);
}

int api_json_add(struct strbuf *b, const json_t *j)
{
    if (!j || json_dump_callback(j, add_piece, b, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
        b->error = b->error ? b->error : -ENOMEM;
    return b->error;
}

int api_ok_begin(struct strbuf *b, const char *verb, uint64_t generation, int64_t time_ms)
{
    char when[API_TIME_BYTES];

    api_time_print(time_ms, /* with_ms= */ true, when);
    return strbuf_addf(b,
                       "{\"schema\":\"portward.%s/%d\",\"ok\":true,\"generation\":%llu,"
                       "\"time\":\"%s\",\"data\":",
                       verb, API_SCHEMA_MAJOR, (unsigned long long)generation, when);
}

int api_ok_end(struct strbuf *b, const json_t *warnings)
{
    (void)strbuf_add(b, ",\"warnings\":"); /* errors are sticky */
    if (warnings)
        (void)api_json_add(b, warnings);
    else
        (void)strbuf_add(b, "[]");
    return strbuf_add(b, "}\n");
}

static void copy_text(const json_t *j, const char *key, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(j, key));

    (void)snprintf(out, size, "%s", s ? s : ""); /* cut at worst */
}

static uint32_t span_member(const json_t *span, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(span, key));

    return v > 0 && v <= UINT32_MAX ? (uint32_t)v : 0;
}

static enum diag_code code_from_name(const char *name)
{
    for (int i = 0; name && i < _DIAG_CODE_MAX; i++)
        if (strcmp(name, diag_code_name((enum diag_code)i)) == 0)
            return (enum diag_code)i;
    return DIAG_INTERNAL;
}

void api_diag_from_json(const json_t *error, struct diag *ret)
{
    const json_t *spans = json_object_get(error, "spans");
    size_t i;
    const json_t *s;

    *ret = (struct diag){.code = code_from_name(json_string_value(json_object_get(error, "code")))};
    copy_text(error, "message", ret->message, sizeof(ret->message));
    copy_text(error, "hint", ret->hint, sizeof(ret->hint));
    json_array_foreach(spans, i, s)
    {
        if (ret->n_spans == DIAG_SPANS)
            break;
        ret->span[ret->n_spans++] = (struct span){.line = span_member(s, "line"),
                                                  .column = span_member(s, "column"),
                                                  .len = span_member(s, "length"),
                                                  .offset = span_member(s, "offset")};
    }
}
