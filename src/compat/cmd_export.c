/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/cmd_export.c: `portward export FORMAT [NAME]`: stored policies, or those of a file, in a
 * foreign form.
 * Called from the table of commands. Invariant: what the form cannot say is listed before the first
 * byte is written; a preshared key is never written. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "cli/context.h"
#include "cli/policyfile.h"
#include "compat/compat.h"
#include "compat/convert.h"
#include "report.h"

struct export
{
    struct cli *c;
    struct front front;
    enum convert_format format;
    const char *name, *output; /* NULL = all policies; stdout */
    struct agent_source ctx;
    struct catalog_source source;
    struct catalog catalog;
    struct tool_run tool;
    struct convert_losses losses;
    struct strbuf text;
};

static void export_done(struct export *x)
{
    tool_run_done(&x->tool);
    catalog_done(&x->catalog);
    agent_source_done(&x->ctx);
    convert_losses_done(&x->losses);
    strbuf_done(&x->text);
}

/* --- the policies --- */
/* Identities of a file's policies hang on its text: the same file gives the same bytes. */
static int load_file(struct export *x)
{
    _cleanup_(cli_text_done) struct cli_text t = {0};
    const struct hash_seed first = {1, 0}, second = {2, 0};
    struct convert_options o = {.file = strcmp(x->name, "-") == 0 ? "stdin" : x->name};
    struct diag d = {0};
    int code = cli_text_read(x->c, x->name, &t);
    if (code)
        return code;
    uint64_t seed[2] = {siphash24(t.s, t.len, first), siphash24(t.s, t.len, second)};
    catalog_init(&x->catalog, NULL, seed);
    tool_run_init(&x->tool, &x->catalog, NULL);
    int err = convert_read(&x->tool, CONVERT_TEXT, t.s, t.len, &o, &d);
    if (err == 0 && x->catalog.n_policies == 0)
        err = diag_fail(&d, DIAG_SYNTAX, "there is no policy in '%s'", o.file);
    x->name = NULL; /* all of them */
    if (err < 0 && d.code == DIAG_NONE)
        (void)diag_errno(&d, err, "cannot read '%s'", o.file);
    return err < 0 ? report_diag(&x->front, &d) : 0;
}

static int write_stored(struct export *x, struct diag *d)
{
    struct policy *p;
    const char *assigned = "";
    int err = catalog_policy(&x->catalog, x->name, d, &p);
    if (err == 0)
        err = catalog_assigned(&x->catalog, CATALOG_LOCAL, d, &assigned);
    if (err == 0)
        err = convert_write_begin(x->format, &x->text);
    if (err == 0)
        err = convert_write(x->format, &x->catalog, p, strcmp(p->name, assigned) == 0, &x->text,
                            &x->losses);
    return err;
}

static int write_all(struct export *x, struct diag *d)
{
    int err = catalog_load_all(&x->catalog, d);
    if (err == 0 && x->catalog.n_policies == 0) {
        err = diag_fail(d, DIAG_UNKNOWN_OBJECT, "there is no policy");
        diag_hint(d, "portward policy load FILE");
    }
    return err < 0 ? err : convert_write_all(x->format, &x->catalog, &x->text, &x->losses, d);
}

/* --- what it has become --- */
static void put_losses(const struct export *x)
{
    for (size_t i = 0; i < x->losses.n; i++) {
        struct tool_remark loss = {NOTE_WARNING, x->losses.v[i]};
        report_remarks(&x->front, &loss, 1);
    }
}

static int check_strict(const struct export *x)
{
    struct diag d;
    if (x->losses.n == 0 || !x->c->args.given[OPT_STRICT])
        return 0;
    (void)diag_fail(&d, DIAG_NOT_ENFORCED, "%s cannot express %zu thing%s, nothing is written",
                    convert_format_name(x->format), x->losses.n, x->losses.n == 1 ? "" : "s");
    diag_hint(&d, "without --strict the rest is written");
    return report_diag(&x->front, &d);
}

static json_t *losses_json(const struct convert_losses *l)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < l->n; i++)
        if (json_array_append_new(list, api_text_json(l->v[i])) < 0)
            cli_out_of_memory();
    return list;
}

/* Policies that were written. */
static json_t *names_json(const struct export *x)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < x->catalog.n_policies; i++) {
        const struct policy *p = x->catalog.policies[i].now;
        if (p && (!x->name || utf8_casecmp(p->name, x->name) == 0) &&
            json_array_append_new(list, api_text_json(p->name)) < 0)
            cli_out_of_memory();
    }
    return list;
}

static int report_json(const struct export *x, int code)
{
    json_t *doc = json_pack("{s:s, s:o, s:o, s:o, s:i, s:o}", "format",
                            convert_format_name(x->format), "policies", names_json(x), "losses",
                            losses_json(&x->losses), "output", api_text_json(x->output), "exit",
                            code, "text", api_text_json(x->output ? NULL : x->text.s));
    return report_document(&x->front, "export", doc, NULL, code);
}

static void put_saved(const struct export *x)
{
    _cleanup_(strbuf_done) struct strbuf file = STRBUF_INIT(64 * 1024);
    size_t n = 0;
    for (size_t i = 0; i < x->catalog.n_policies; i++) {
        const struct policy *p = x->catalog.policies[i].now;
        n += p && (!x->name || utf8_casecmp(p->name, x->name) == 0);
    }
    if (strbuf_add_escaped(&file, x->output, strlen(x->output)) < 0)
        cli_out_of_memory();
    (void)fprintf(x->c->env->out, "saved %zu polic%s to %s (%s)\n", n, n == 1 ? "y" : "ies", file.s,
                  convert_format_name(x->format));
}

static int put_file(struct export *x)
{
    struct cli *c = x->c;
    _cleanup_(cli_text_done) struct cli_text t = {0};
    struct diag d;
    int code = x->losses.n > 0 ? EXIT_FINDINGS : 0;
    int err = convert_encode(x->format, &x->text, &t.s, &t.len);
    if (err < 0)
        return report_diag(&x->front, (diag_errno(&d, err, "cannot write the policies"), &d));
    if (x->output) {
        int failed = cli_text_write(c, x->output, &t);
        if (failed)
            return failed;
    }
    if (c->json)
        return report_json(x, code);
    if (!x->output)
        (void)fwrite(t.s, 1, t.len, c->env->out); /* errors are looked at at the end */
    else if (!c->quiet)
        put_saved(x);
    return code;
}

static int run(struct export *x)
{
    struct diag d = {0};
    int err = x->name ? write_stored(x, &d) : write_all(x, &d);
    if (err < 0 && d.code == DIAG_NONE)
        (void)diag_errno(&d, err, "cannot write the policies");
    if (err < 0)
        return report_diag(&x->front, &d);
    put_losses(x);
    int code = check_strict(x);
    return code ? code : put_file(x);
}

int cmd_export(struct cli *c)
{
    _cleanup_(export_done) struct export x = {.c = c, .text = STRBUF_INIT(LIMIT_API_ANSWER_BYTES)};
    static const uint64_t seed[2] = {0, 0}; /* what is stored has its identities */
    struct diag d;
    int code = 0, format = convert_format_from_name(c->words[0]);
    if (format < 0)
        return cli_fail_usage(c, "text, reg, netsh or ipseccmd", "unknown format '%s'",
                              c->words[0]);
    x.format = (enum convert_format)format;
    x.name = c->n_words > 1 ? c->words[1] : NULL;
    x.output = c->args.value[OPT_OUTPUT];
    if (x.output && strcmp(x.output, "-") == 0)
        x.output = NULL;
    if (front_init(&x.front, c->env, c->args.value[OPT_RUNTIME_DIR], &d) < 0)
        return cli_fail(c, &d);
    x.front.json = c->json;
    x.front.origin = API_TEXT_FILE;
    if (c->args.given[OPT_TIMEOUT])
        x.front.timeout_ms = c->timeout_ms;
    if (x.name && cli_is_policy_file(x.name)) {
        code = load_file(&x);
    } else {
        agent_source_init(&x.ctx, &x.front, &x.source);
        catalog_init(&x.catalog, &x.source, seed);
        tool_run_init(&x.tool, &x.catalog, NULL);
    }
    return code ? code : run(&x);
}
