/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/import_report.c: what people and scripts see of an import.
 * Called by cmd_import.c once it is decided what happened. Invariant: a value that is secret is in
 * no message and in no document. */
#include <string.h>

#include "import.h"

/* --- what was read --- */
/* Policies that the file speaks of, not those that were only looked at. */
static bool is_read(const struct catalog_policy *p)
{
    return p->now && p->change[0] != '\0';
}

static size_t n_new_dynamic(const struct catalog *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_dynamic; i++)
        n += c->dynamic[i].id[0] == '\0' && !c->dynamic[i].gone;
    return n;
}

void import_remarks(const struct import *im, const struct tool_run *t)
{
    for (size_t i = 0; i < t->n_remarks; i++)
        if (!im->c->quiet || t->remarks[i].kind >= NOTE_WARNING)
            report_remarks(&im->front, &t->remarks[i], 1);
}

/* --- text --- */
static void put_settings(struct cli *c, const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->n_settings; i++) {
        const struct catalog_setting *s = &catalog->settings[i];
        if (c->dry_run)
            cli_put_would(c, s->value ? "set" : "reset");
        else
            (void)fputs(s->value ? "set " : "reset ", c->env->out);
        cli_put(c, s->key);
        if (s->value) {
            (void)fputs(" = ", c->env->out);
            cli_put(c, s->value);
        }
        (void)fputc('\n', c->env->out);
    }
}

static void put_number(struct cli *c, const char *would, const char *done, size_t n,
                       const char *what)
{
    if (n == 0)
        return;
    if (c->dry_run)
        cli_put_would(c, would);
    else
        (void)fprintf(c->env->out, "%s ", done);
    cli_put_count(c, (int64_t)n, what);
    (void)fputc('\n', c->env->out);
}

static void put_stored(struct import *im, const struct run_outcome *o)
{
    struct cli *c = im->c;
    const json_t *result, *policy;
    size_t i, k, n_warnings = json_array_size(json_object_get(o->answer, "warnings"));
    json_array_foreach(json_object_get(cli_data(o->answer), "results"), i, result)
    {
        json_array_foreach(json_object_get(result, "policies"), k, policy)
            cli_put_stored(c, policy, n_warnings);
    }
    put_settings(c, o->catalog);
    put_number(c, "keep", "kept", o->catalog->n_secrets, "preshared key");
    put_number(c, "add", "added", n_new_dynamic(o->catalog), "dynamic filter");
    if (c->dry_run)
        cli_put_preview(c, o->answer);
}

static void put_saved(struct import *im, const struct catalog *catalog)
{
    /* With "-" stdout is the text itself. */
    bool to_stdout = strcmp(im->output, "-") == 0;
    FILE *out = to_stdout ? im->c->env->err : im->c->env->out;
    const char *to = to_stdout ? "stdout" : im->output;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(64 * 1024);
    (void)fflush(im->c->env->out);
    for (size_t i = 0; i < catalog->n_policies; i++) {
        const struct policy *p = catalog->policies[i].now;
        strbuf_done(&b);
        b = (struct strbuf)STRBUF_INIT(64 * 1024);
        (void)strbuf_add(&b, "\""); /* errors are sticky */
        (void)strbuf_add_escaped(&b, p->name, strlen(p->name));
        (void)strbuf_add(&b, "\" to ");
        if (strbuf_add_escaped(&b, to, strlen(to)) < 0)
            cli_out_of_memory();
        (void)fprintf(out, "saved %s (%zu rule%s)\n", b.s, p->n_rules, p->n_rules == 1 ? "" : "s");
    }
}

/* --- one document --- */
static json_t *policies_json(const struct catalog *c)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < c->n_policies; i++) {
        const struct policy *p = c->policies[i].now;
        if (is_read(&c->policies[i]) &&
            json_array_append_new(list, json_pack("{s:o, s:I, s:I}", "name", api_text_json(p->name),
                                                  "rules", (json_int_t)p->n_rules, "filters",
                                                  (json_int_t)policy_n_filters(p))) < 0)
            cli_out_of_memory();
    }
    return list;
}

static json_t *settings_json(const struct catalog *c)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < c->n_settings; i++)
        if (json_array_append_new(list, json_pack("{s:s, s:o}", "key", c->settings[i].key, "value",
                                                  api_text_json(c->settings[i].value))) < 0)
            cli_out_of_memory();
    return list;
}

static int report_json(const struct import *im, const struct run_outcome *o, int code)
{
    const json_t *data = cli_data(o->answer);
    json_t *doc = json_pack(
        "{s:o, s:s, s:o, s:i, s:o, s:o, s:I, s:I, s:o, s:O?, s:O*}", "file",
        api_text_json(im->file), "format", convert_format_name(im->format), "output",
        api_text_json(im->output), "exit", code, "policies", policies_json(o->catalog), "settings",
        settings_json(o->catalog), "secrets", (json_int_t)o->catalog->n_secrets, "dynamic",
        (json_int_t)n_new_dynamic(o->catalog), "remarks",
        report_remarks_json(o->tool->remarks, o->tool->n_remarks), "results",
        json_object_get(data, "results"), "preview", json_object_get(data, "preview"));
    return report_document(&im->front, "import", doc, o->answer, code);
}

int import_report(struct import *im, const struct run_outcome *o, const struct diag *d)
{
    struct cli *c = im->c;
    int code = o->tool->partly ? EXIT_FINDINGS : 0;
    if (o->err < 0)
        return report_failure(&(struct report){.front = &im->front, .tool = o->tool}, d);
    c->generation = cli_int(o->answer, "generation", 0);
    if (c->json)
        return report_json(im, o, code);
    cli_report_warnings(c, o->answer);
    if (c->quiet)
        return code;
    if (im->output)
        put_saved(im, o->catalog);
    else if (o->answer)
        put_stored(im, o);
    else
        (void)fputs("nothing to change\n", c->env->out);
    return code;
}
