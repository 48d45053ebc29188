/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/cmd_import.c: `portward import FORMAT|auto FILE`: policies in a foreign form, stored by
 * the agent as one change, or written as native text with -o. Called from the table of commands.
 * Invariant: an import adds and replaces, it deletes nothing and assigns nothing; what cannot be
 * carried over is named. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/limits.h"
#include "compat/compat.h"
#include "import.h"

static void import_done(struct import *im)
{
    cli_text_done(&im->bytes);
    free(im->decoded);
    free(im->map_text);
    free(im->map);
}

/* --- the command line --- */
static int fail_format(struct cli *c)
{
    return cli_fail_usage(c, "text, reg, netsh, ipseccmd or auto", "unknown format '%s'",
                          c->words[0]);
}

/* GUID=IF,GUID=IF */
static int read_map(struct import *im)
{
    struct cli *c = im->c;
    const char *given = c->args.value[OPT_MAP];
    size_t cap = 0;
    if (!given)
        return 0;
    im->map_text = strdup(given);
    for (char *s = im->map_text, *end; s; s = end) {
        end = strchr(s, ',');
        if (end)
            *end++ = '\0';
        const char *equals = strchr(s, '=');
        if (!equals || equals == s || !equals[1])
            return cli_fail_usage(c, "--map {GUID}=eth0,{GUID}=eth1", "'%s' is no GUID=IF", s);
        if (array_reserve(&im->map, &cap, im->o.n_map + 1, sizeof(*im->map)) < 0)
            cli_out_of_memory();
        im->map[im->o.n_map++] = s;
    }
    if (!im->map_text)
        cli_out_of_memory();
    im->o.map = im->map;
    return 0;
}

static int read_options(struct import *im)
{
    struct cli *c = im->c;
    im->file = strcmp(c->words[1], "-") == 0 ? "stdin" : c->words[1];
    im->output = c->args.value[OPT_OUTPUT];
    im->o = (struct convert_options){.file = im->file,
                                     .name = c->args.value[OPT_NAME],
                                     .strict = c->args.given[OPT_STRICT],
                                     .all_ranges = c->args.given[OPT_ALL_RANGES]};
    if (im->output && c->dry_run)
        return cli_fail_usage(c, "-o - writes to stdout",
                              "--dry-run is for the agent, which -o does not ask");
    if (im->output && c->json && strcmp(im->output, "-") == 0)
        return cli_fail_usage(c, NULL, "the policies and --json cannot both go to stdout");
    return read_map(im);
}

/* --- the file --- */
static int fail_guess(const struct import *im)
{
    struct diag d;
    (void)diag_fail(&d, DIAG_SYNTAX, "'%s' has no form that can be imported", im->file);
    diag_hint(&d, "say which one: portward import text|reg|netsh|ipseccmd FILE");
    return report_diag(&im->front, &d);
}

/* Scripts may be UTF-16, too; a registry file has rules of its own. */
static int decode(struct import *im)
{
    struct diag d = {0};
    bool guess = strcasecmp(im->c->words[0], "auto") == 0;
    int format = guess ? -1 : convert_format_from_name(im->c->words[0]);
    if (!guess && format < 0)
        return fail_format(im->c);
    im->data = im->bytes.s;
    im->len = im->bytes.len;
    int err = format == CONVERT_REG
                  ? 0
                  : batch_decode(im->bytes.s, im->bytes.len, NULL, &d, &im->decoded, &im->len);
    if (err == -ENOMEM)
        cli_out_of_memory();
    if (guess)
        format = convert_guess(im->file, err < 0 ? im->bytes.s : im->decoded,
                               err < 0 ? im->bytes.len : im->len);
    if (format < 0)
        return fail_guess(im);
    im->format = (enum convert_format)format;
    if (format == CONVERT_REG) {
        im->len = im->bytes.len;
        return 0;
    }
    if (err < 0) {
        diag_hint(&d, "iconv -f CP1252 -t UTF-8 FILE | portward import %s -",
                  convert_format_name(im->format));
        return report_diag(&im->front, &d);
    }
    im->data = im->decoded;
    return 0;
}

static int check_format(struct import *im)
{
    bool is_reg = im->format == CONVERT_REG;
    if (!is_reg && (im->o.n_map > 0 || im->o.all_ranges))
        return cli_fail_usage(im->c, NULL, "--map and --all-ranges are for registry files");
    return 0;
}

/* --- what was read --- */
static int fail_deletes(const struct import *im, struct diag *d, const char *what, const char *name)
{
    int err = diag_fail(d, DIAG_CONFLICT, "'%s' deletes %s '%s', an import deletes nothing",
                        im->file, what, name);
    if (im->format == CONVERT_NETSH)
        diag_hint(d, "portward compat netsh -f FILE runs the script");
    else
        diag_hint(d, "portward compat --batch FILE runs the commands");
    return err;
}

static int check_library(const struct import *im, struct catalog *c, struct diag *d)
{
    struct catalog before;
    int err = 0;
    if (!c->has_library || !c->library_before)
        return 0;
    catalog_init(&before, NULL, c->guid_seed);
    before.has_library = true;
    err = catalog_library_parse(&before, c->library_before, strlen(c->library_before), d);
    for (size_t i = 0; err == 0 && i < before.n_lists; i++) {
        struct filter_list *l;
        struct diag ignored;
        if (catalog_list(c, before.lists[i].name, &ignored, &l) < 0)
            err = fail_deletes(im, d, "filter list", before.lists[i].name);
    }
    for (size_t i = 0; err == 0 && i < before.n_actions; i++) {
        struct filter_action *a;
        struct diag ignored;
        if (catalog_action(c, before.actions[i].name, &ignored, &a) < 0)
            err = fail_deletes(im, d, "filter action", before.actions[i].name);
    }
    catalog_done(&before);
    return err;
}

/* A script can say "delete all", which is meant for the host it was written on. */
static int check_deletions(const struct import *im, struct catalog *c, struct diag *d)
{
    for (size_t i = 0; i < c->n_policies; i++)
        if (!c->policies[i].now)
            return fail_deletes(im, d, "policy", c->policies[i].before_name);
    for (size_t i = 0; i < c->n_dynamic; i++)
        if (c->flush || c->dynamic[i].gone)
            return fail_deletes(im, d, "dynamic filter", c->dynamic[i].id);
    return check_library(im, c, d);
}

/* Policies that the file does not speak of, and whose filters are other ones because they share a
 * filter list or action with it. */
static int warn_others(const struct import *im, struct tool_run *t, struct diag *d)
{
    const struct catalog *c = t->catalog;
    int err = 0;
    for (size_t i = 0; err == 0 && i < c->n_policies; i++) {
        const struct catalog_policy *e = &c->policies[i];
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
        if (!e->before || !e->now || e->change[0] != '\0')
            continue;
        err = text_print_policy(e->now, &text);
        if (err == 0 && strcmp(text.s ? text.s : "", e->before) != 0)
            err = tool_remark(t, NOTE_WARNING, d,
                              "policy '%s' is not in '%s' and changes with it: they share a filter "
                              "list or a filter action",
                              e->now->name, im->file);
    }
    return err;
}

static int read_into(void *ctx, struct tool_run *t, struct diag *d)
{
    const struct import *im = ctx;
    struct catalog *c = t->catalog;
    int err = convert_read(t, im->format, im->data, im->len, &im->o, d);
    if (err == 0)
        err = check_deletions(im, c, d);
    if (err == 0)
        err = catalog_settle(c, d);
    if (err == 0)
        err = warn_others(im, t, d);
    if (err < 0 || c->n_policies > 0 || c->n_settings > 0 || c->n_dynamic > 0 || t->n_remarks > 0)
        return err;
    return diag_fail(d, DIAG_SYNTAX, "there is no policy in '%s'", im->file);
}

/* --- without the agent --- */
static int lose(const struct import *im, struct tool_run *t, struct diag *d, const char *what,
                const char *which)
{
    t->partly = true;
    if (!im->o.strict)
        return tool_remark(t, NOTE_WARNING, d,
                           "%s %s is not part of a policy file, without -o it "
                           "is taken over",
                           what, which);
    int err = diag_fail(d, DIAG_NOT_ENFORCED, "%s %s is not part of a policy file", what, which);
    diag_hint(d, "without --strict the rest is written");
    return err;
}

/* What stands beside policies. */
static int lose_rest(const struct import *im, struct tool_run *t, struct diag *d)
{
    const struct catalog *c = t->catalog;
    int err = 0;
    for (size_t i = 0; err == 0 && i < c->n_settings; i++)
        err = lose(im, t, d, "setting", c->settings[i].key);
    for (size_t i = 0; err == 0 && i < c->n_secrets; i++)
        err = lose(im, t, d, "preshared key", c->secrets[i].id);
    for (size_t i = 0; err == 0 && i < c->n_dynamic; i++) {
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
        err = text_print_filter(&c->dynamic[i].filter, &text);
        if (err == 0)
            err = lose(im, t, d, "dynamic filter", text.s);
    }
    return err;
}

static int print_policies(struct catalog *c, struct diag *d, struct strbuf *out)
{
    int err = catalog_load_all(c, d); /* sorts */
    for (size_t i = 0; err == 0 && i < c->n_policies; i++) {
        if (out->len > 0)
            (void)strbuf_add_char(out, '\n'); /* errors are sticky */
        err = text_print_policy(c->policies[i].now, out);
    }
    return err;
}

static int write_output(struct import *im, const struct strbuf *text)
{
    struct cli *c = im->c;
    struct cli_text t = {.s = text->s, .len = text->len}; /* borrows */
    if (strcmp(im->output, "-") != 0)
        return cli_text_write(c, im->output, &t);
    (void)fwrite(text->s, 1, text->len, c->env->out); /* errors are looked at at the end */
    return 0;
}

static int import_offline(struct import *im)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    struct catalog catalog;
    struct tool_run t;
    struct diag d = {0};
    uint64_t seed[2];
    int code = 0;
    if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return cli_fail(im->c, (diag_errno(&d, EIO, "cannot get random bytes"), &d));
    catalog_init(&catalog, NULL, seed);
    tool_run_init(&t, &catalog, NULL);
    int err = read_into(im, &t, &d);
    if (err == 0)
        t.word = NULL;
    if (err == 0)
        err = catalog_settle(&catalog, &d);
    if (err == 0)
        err = lose_rest(im, &t, &d);
    if (err == 0)
        err = print_policies(&catalog, &d, &text);
    if (err == 0 && text.len == 0 && !t.partly)
        err = diag_fail(&d, DIAG_SYNTAX, "there is no policy in '%s'", im->file);
    if (err < 0 && d.code == DIAG_NONE)
        (void)diag_errno(&d, err, "cannot import '%s'", im->file);
    struct run_outcome o = {&t, &catalog, NULL, err};
    if (err == 0)
        import_remarks(im, &t);
    if (err == 0 && text.len > 0)
        code = write_output(im, &text);
    if (code == 0)
        code = import_report(im, &o, &d);
    tool_run_done(&t);
    catalog_done(&catalog);
    return code;
}

static int report(void *ctx, const struct run_outcome *o, const struct diag *d)
{
    struct import *im = ctx;
    if (o->err == 0)
        import_remarks(im, o->tool);
    return import_report(im, o, d);
}

int cmd_import(struct cli *c)
{
    _cleanup_(import_done) struct import im = {.c = c};
    struct run_work work = {&im, read_into, report};
    struct diag d;
    if (front_init(&im.front, c->env, c->args.value[OPT_RUNTIME_DIR], &d) < 0)
        return cli_fail(c, &d);
    im.front.json = c->json;
    im.front.dry_run = c->dry_run;
    im.front.reason = c->args.value[OPT_REASON];
    im.front.origin = API_TEXT_FILE;
    if (c->args.given[OPT_TIMEOUT])
        im.front.timeout_ms = c->timeout_ms;
    int code = read_options(&im);
    if (code == 0 && strcasecmp(c->words[0], "auto") != 0 &&
        convert_format_from_name(c->words[0]) < 0)
        code = fail_format(c);
    if (code == 0)
        code = cli_text_read(c, c->words[1], &im.bytes);
    if (code == 0)
        code = decode(&im);
    if (code == 0)
        code = check_format(&im);
    if (code)
        return code;
    return im.output ? import_offline(&im) : run_work(&im.front, &work);
}
