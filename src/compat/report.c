/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/report.c: output of the dialects. Called by run.c and cmd_compat.c once it is decided what
 * happened. Invariant: stdout carries what the Windows tool is known to print, and nothing else. */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"

enum { REPORT_BYTES = 1024 * 1024 };

static const char *const kinds[] = {
    [NOTE] = "note",
    [NOTE_REPAIR] = "note",
    [NOTE_WARNING] = "warning",
    [NOTE_FORETOLD] = "warning",
};

static void put_line(const struct front *f, const char *kind, const char *text)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(REPORT_BYTES);
    (void)strbuf_add_escaped(&b, text, strlen(text)); /* a cut line is still a line */
    (void)fprintf(f->env->err, "portward: %s: %s\n", kind, b.s ? b.s : "");
}

static void put_hint(const struct front *f, const char *hint)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(REPORT_BYTES);
    if (hint[0] == '\0')
        return;
    (void)strbuf_add_escaped(&b, hint, strlen(hint));
    (void)fprintf(f->env->err, "hint: %s\n", b.s ? b.s : "");
}

void report_remarks(const struct front *f, const struct tool_remark *v, size_t n)
{
    (void)fflush(f->env->out);
    for (size_t i = 0; !f->json && i < n; i++)
        put_line(f, kinds[v[i].kind], v[i].text);
}

/* The argument with carets below the place, or nothing. */
static void put_place(const struct front *f, const struct diag *d, const char *word)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(REPORT_BYTES);
    struct diag shown = *d;
    shown.hint[0] = '\0';
    if (d->n_spans == 0 || !word || diag_render(&shown, NULL, word, strlen(word), false, &b) < 0)
        return;
    const char *rest = b.s + strcspn(b.s, "\n"); /* the first line is the message */
    (void)fputs(*rest ? rest + 1 : rest, f->env->err);
}

static void put_document(const struct front *f, const json_t *doc)
{
    _cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    (void)fprintf(f->env->out, "%s\n", text ? text : "{}");
}

int report_diag(const struct front *f, const struct diag *d)
{
    if (f->json) {
        _cleanup_json_ json_t *doc = api_error_document_one(d, f->origin);
        put_document(f, doc);
    } else {
        put_line(f, "error", d->message);
        put_hint(f, d->hint);
    }
    return api_exit_code(d, f->origin);
}

int report_failure(const struct report *r, const struct diag *d)
{
    const struct front *f = r->front;
    const struct run_command *c = r->command;
    struct diag shown = *d;
    if (c && c->file)
        (void)format_into(shown.message, sizeof(shown.message), "%s:%zu: %s", c->file, c->line,
                          d->message);
    if (f->json)
        return report_diag(f, &shown);
    if (r->tool->print_out && r->tool->out.len > 0) /* errors are looked at at the end */
        (void)fwrite(r->tool->out.s, 1, r->tool->out.len, f->env->out);
    /* Repairs explain what was read; what was made of it is not true any more. */
    (void)fflush(f->env->out);
    for (size_t i = 0; i < r->tool->n_remarks; i++)
        if (r->tool->remarks[i].kind == NOTE_REPAIR)
            put_line(f, kinds[NOTE_REPAIR], r->tool->remarks[i].text);
    put_line(f, "error", shown.message);
    put_place(f, d, r->tool->word);
    put_hint(f, d->hint);
    return api_exit_code(d, f->origin);
}

/* Warnings of the agent; `forwarded-not-covered` is a thing to know (docs/api.md). */
static void put_warnings(const struct front *f, const json_t *doc)
{
    const json_t *w;
    size_t i;
    json_array_foreach(json_object_get(doc, "warnings"), i, w)
    {
        bool note = strcmp(agent_text(w, "code"), "forwarded-not-covered") == 0;
        put_line(f, note ? "note" : "warning", agent_text(w, "message"));
        if (!note)
            put_hint(f, agent_text(w, "hint"));
    }
}

static bool is_blocking(const json_t *filter)
{
    const char *action = agent_text(filter, "action");
    bool denies = strcmp(action, "permit") != 0 || json_is_true(json_object_get(filter, "inpass"));
    return denies && action[0] != '\0';
}

/* Each term of the packets that an exception lets through, once. */
static void put_exception(const struct front *f, json_t *seen, const json_t *exception)
{
    const char *id = agent_text(exception, "id"), *set = agent_text(exception, "set");
    if (json_object_get(seen, set))
        return;
    (void)json_object_set_new(seen, set, json_true()); /* at worst it is said twice */
    for (const char *p = set; *p;) {
        size_t n = strcspn(p, "\n");
        char text[2048];
        (void)format_into(text, sizeof(text), "still allowed %.*s (%s)", (int)n, p, id);
        put_line(f, "note", text);
        p += n + (p[n] == '\n');
    }
}

static const char ends_at_reboot[] = "dynamic: ends at reboot";

static bool has_remark(const struct tool_run *t, const char *text)
{
    for (size_t i = 0; i < t->n_remarks; i++)
        if (strcmp(t->remarks[i].text, text) == 0)
            return true;
    return false;
}

static void put_dynamic_notes(const struct report *r)
{
    const struct front *f = r->front;
    const json_t *doc = r->answer;
    const json_t *results = json_object_get(json_object_get(doc, "data"), "results"), *one, *e;
    _cleanup_json_ json_t *seen = json_object();
    bool said = has_remark(r->tool, ends_at_reboot);
    size_t i, k;
    json_array_foreach(results, i, one)
    {
        if (!is_blocking(json_object_get(one, "filter")))
            continue;
        if (!said)
            put_line(f, "note", ends_at_reboot);
        said = true;
        json_array_foreach(json_object_get(one, "exceptions"), k, e) put_exception(f, seen, e);
    }
}

json_t *report_remarks_json(const struct tool_remark *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++)
        if (json_array_append_new(list, json_pack("{s:s, s:o}", "kind", kinds[v[i].kind], "text",
                                                  api_text_json(v[i].text))) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

int report_document(const struct front *f, const char *verb, json_t *data, const json_t *answer,
                    int code)
{
    _cleanup_json_ json_t *owned = data;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(LIMIT_API_ANSWER_BYTES);
    uint64_t generation = (uint64_t)json_integer_value(json_object_get(answer, "generation"));
    (void)api_ok_begin(&b, verb, generation, f->env->now_s * 1000); /* sticky */
    (void)api_json_add(&b, owned);
    if (api_ok_end(&b, json_object_get(answer, "warnings")) < 0)
        return 1;
    (void)fwrite(b.s, 1, b.len, f->env->out); /* errors are looked at at the end */
    return code;
}

static int report_json(const struct report *r)
{
    const struct tool_run *t = r->tool;
    const json_t *data = json_object_get(r->answer, "data");
    return report_document(r->front, "compat",
                           json_pack("{s:s, s:i, s:o?, s:o?, s:o?, s:O?}", "tool",
                                     t->tool ? t->tool->name : "-", "exit", r->exit, "output",
                                     api_text_json(t->out.s), "commands",
                                     api_text_json(r->native ? r->native->s : NULL), "remarks",
                                     report_remarks_json(t->remarks, t->n_remarks), "results",
                                     json_object_get(data, "results")),
                           r->answer, r->exit);
}

int report_lines(const struct front *f, const struct reading *r, const char *lines)
{
    int code = r->partly ? EXIT_FINDINGS : 0;
    if (!f->json) {
        (void)fputs(lines ? lines : "", f->env->out); /* errors are looked at at the end */
        return code;
    }
    return report_document(f, "compat",
                           json_pack("{s:s, s:i, s:n, s:o?, s:o?, s:n}", "tool", "-", "exit", code,
                                     "output", "commands", api_text_json(lines), "remarks",
                                     report_remarks_json(r->remarks, r->n_remarks), "results"),
                           NULL, code);
}

int report_success(const struct report *r)
{
    const struct front *f = r->front;
    const struct strbuf *out = r->native ? r->native : &r->tool->out;
    if (f->json)
        return report_json(r);
    if (out->len > 0)
        (void)fwrite(out->s, 1, out->len, f->env->out); /* errors are looked at at the end */
    report_remarks(f, r->tool->remarks, r->tool->n_remarks);
    if (r->native && r->native->len == 0)
        put_line(f, "note", "nothing would change");
    put_dynamic_notes(r);
    put_warnings(f, r->answer);
    return r->exit;
}
