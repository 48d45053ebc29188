/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/cmd_compat.c: `portward compat ...` and the tools by their own names. Called by main.c and
 * from the table of commands. Sorts out what is ours and what is the tool's; run.c does the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "cli/context.h"
#include "cli/textfile.h"
#include "compat/compat.h"
#include "report.h"

enum { EXIT_USAGE = 2 };

/* `Netdiag/test:`: cmd.exe splits a name from the switch that is glued to it. */
static const struct tool_entry *split_glued(const char *word, const char **ret_rest)
{
    const char *slash = strchr(word, '/');
    char name[32];
    size_t n = slash ? (size_t)(slash - word) : 0;
    if (n == 0 || n >= sizeof(name))
        return NULL;
    (void)format_into(name, sizeof(name), "%.*s", (int)n, word);
    *ret_rest = slash;
    return tool_find(name);
}

/* Takes our options behind the tool's name away. */
static void take_options(struct front *f, int *argc, char *const **argv)
{
    for (; *argc > 0; (*argc)--, (*argv)++) {
        if (strcmp((*argv)[0], "--explain") == 0)
            f->explain = true;
        else if (strcmp((*argv)[0], "--strict") == 0)
            f->strict = true;
        else
            return;
    }
}

static int run_words(struct front *f, const struct tool_entry *tool, const char *glued, int argc,
                     char *const *argv)
{
    _cleanup_(reading_done) struct reading r = {0};
    if (!glued)
        take_options(f, &argc, &argv);
    _cleanup_free_ char **words = calloc((size_t)argc + 2, sizeof(*words));
    _cleanup_free_ char *first = glued ? strdup(glued) : NULL;
    struct run_command c = {.tool = tool, .argv = words};
    struct diag d;
    if (!words || (glued && !first))
        return report_diag(f, (diag_errno(&d, ENOMEM, "cannot run '%s'", tool->name), &d));
    if (glued)
        words[c.argc++] = first;
    for (int i = 0; i < argc; i++)
        words[c.argc++] = argv[i];
    if (run_commands_add(&r.commands, &c) < 0)
        return report_diag(f, (diag_errno(&d, ENOMEM, "cannot run '%s'", tool->name), &d));
    return run_all(f, &r);
}

static int fail(const struct front *f, const char *hint, const char *message)
{
    struct diag d;
    (void)diag_fail(&d, DIAG_USAGE, "%s", message);
    diag_hint(&d, "%s", hint);
    return report_diag(f, &d);
}

static int fail_unknown_tool(const struct front *f, const char *word)
{
    struct diag d;
    char known[DIAG_HINT_BYTES] = "";
    for (size_t i = 0; i < tool_n_entries; i++) {
        size_t used = strlen(known);
        (void)format_into(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
                          tool_entries[i].name);
    }
    (void)diag_fail(&d, DIAG_USAGE, "unknown tool '%s'", word);
    diag_hint(&d, "one of: %s", known);
    return report_diag(f, &d);
}

/* Says what was read, and runs it if that is wanted. */
static int run_reading(const struct front *f, const struct reading *r, bool run, bool print)
{
    _cleanup_(strbuf_done) struct strbuf lines = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    bool repaired = false;
    for (size_t i = 0; i < r->n_remarks; i++)
        repaired |= r->remarks[i].kind == NOTE_REPAIR;
    report_remarks(f, r->remarks, r->n_remarks);
    for (size_t i = 0; print && i < r->commands.n; i++)
        (void)paste_print(&r->commands.v[i], &lines); /* errors are sticky */
    if (f->strict && repaired)
        return fail(f, "without --strict it is repaired", "the lines have misprints");
    if (!run || r->commands.n == 0)
        return report_lines(f, r, lines.s);
    if (lines.len > 0 && !f->json)
        (void)fputs(lines.s, f->env->err);
    return run_all(f, r);
}

static int read_paste(struct cli *c, const struct front *f, bool run)
{
    _cleanup_(cli_text_done) struct cli_text bytes = {0};
    _cleanup_(reading_done) struct reading r = {0};
    _cleanup_free_ char *text = NULL;
    size_t len = 0;
    struct diag d = {0};
    int code = cli_text_read(c, "-", &bytes);
    if (code)
        return code;
    int err = batch_decode(bytes.s, bytes.len, NULL, &d, &text, &len);
    if (err == 0)
        err = paste_read(text, len, &r);
    if (err < 0 && d.code == DIAG_NONE)
        (void)diag_errno(&d, err, "cannot read the lines");
    return err < 0 ? report_diag(f, &d) : run_reading(f, &r, run, true);
}

static int read_batch(struct cli *c, struct front *f, const char *file)
{
    _cleanup_(cli_text_done) struct cli_text bytes = {0};
    _cleanup_(reading_done) struct reading r = {0};
    _cleanup_free_ char *text = NULL;
    size_t len = 0;
    struct diag d = {0};
    int code = cli_text_read(c, file, &bytes);
    if (code)
        return code;
    f->explain = c->dry_run;
    int err = batch_decode(bytes.s, bytes.len, c->args.value[OPT_ENCODING], &d, &text, &len);
    if (err == 0)
        err = batch_read(file, text, len, &r);
    if (err < 0 && d.code == DIAG_NONE)
        (void)diag_errno(&d, err, "cannot read '%s'", file);
    return err < 0 ? report_diag(f, &d) : run_reading(f, &r, true, false);
}

static int check_options(const struct cli *c, const struct front *f)
{
    const bool *given = c->args.given;
    if (given[OPT_PASTE] && given[OPT_BATCH])
        return fail(f, "portward compat --paste < FILE", "--paste and --batch are two things");
    if (given[OPT_RUN] && !given[OPT_PASTE])
        return fail(f, "portward compat --paste --run", "--run goes with --paste");
    if (given[OPT_ENCODING] && !given[OPT_BATCH])
        return fail(f, "portward compat --batch FILE", "--encoding goes with --batch");
    if ((given[OPT_PASTE] || given[OPT_BATCH]) && c->n_words > 0)
        return fail(f, "portward compat --help", "a tool and --paste or --batch");
    if (!given[OPT_PASTE] && !given[OPT_BATCH] && c->n_words == 0)
        return fail(f, "portward compat netdiag /test:ipsec", "'compat' needs a tool");
    if (c->dry_run && given[OPT_PASTE])
        return fail(f, "portward compat --paste", "without --run nothing is done");
    return 0;
}

int cmd_compat(struct cli *c)
{
    struct front f;
    struct diag d;
    const char *glued = NULL;
    if (front_init(&f, c->env, c->args.value[OPT_RUNTIME_DIR], &d) < 0)
        return cli_fail(c, &d);
    f.json = c->json;
    f.strict = c->args.given[OPT_STRICT];
    f.explain = c->dry_run;
    f.reason = c->args.value[OPT_REASON];
    if (c->args.given[OPT_TIMEOUT])
        f.timeout_ms = c->timeout_ms;
    int code = check_options(c, &f);
    if (code)
        return code;
    if (c->args.given[OPT_PASTE])
        return read_paste(c, &f, c->args.given[OPT_RUN]);
    if (c->args.given[OPT_BATCH])
        return read_batch(c, &f, c->args.value[OPT_BATCH]);
    const struct tool_entry *tool = tool_find(c->words[0]);
    if (!tool)
        tool = split_glued(c->words[0], &glued);
    if (!tool)
        return fail_unknown_tool(&f, c->words[0]);
    return run_words(&f, tool, glued, c->n_words - 1, c->words + 1);
}

bool compat_by_name(const struct cli_env *env, int argc, char *const *argv, int *ret_exit)
{
    const struct tool_entry *tool = argc > 0 ? tool_find(argv[0]) : NULL;
    struct front f;
    struct diag d;
    if (!tool)
        return false;
    if (front_init(&f, env, NULL, &d) < 0) {
        (void)fprintf(env->err, "portward: error: %s\n", d.message);
        *ret_exit = EXIT_USAGE;
        return true;
    }
    *ret_exit = run_words(&f, tool, NULL, argc - 1, argv + 1);
    if (fflush(env->out) != 0 && errno != EPIPE && *ret_exit == 0)
        *ret_exit = 1;
    return true;
}
