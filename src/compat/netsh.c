/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh.c: netsh (windows.md 4-7): switches, and one line from its words to its
 * command. Called by the front for `netsh`, and by the converter of scripts. Invariant: a line that
 * is refused leaves nothing behind, because the catalog of a failed run is thrown away. */
#include "netsh.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "misprint.h"

void netsh_init(struct netsh *n, struct tool_run *t)
{
    *n = (struct netsh){.t = t};
    for (unsigned i = 0; i < _CATALOG_SLOT_MAX; i++) {
        n->had_assigned[i] = t->catalog->has_assigned[i];
        memcpy(n->was_assigned[i], t->catalog->assigned[i], sizeof(n->was_assigned[i]));
    }
}

int netsh_finish(struct netsh *n, struct diag *d)
{
    const struct catalog *c = n->t->catalog;
    int err = 0;
    for (unsigned i = 0; err == 0 && i < _CATALOG_SLOT_MAX; i++) {
        const char *was = n->had_assigned[i] ? n->was_assigned[i] : c->assigned_before[i];
        if (c->has_assigned[i] && was[0] != '\0' && c->assigned[i][0] == '\0')
            err = tool_remark(n->t, NOTE_WARNING, d,
                              "policy '%s' was assigned: nothing of it is blocked any more", was);
    }
    return err;
}

void netsh_done(struct netsh *n)
{
    netsh_line_done(&n->line);
    strbuf_done(&n->pending);
    *n = (struct netsh){0};
}

/* --- help --- */

static bool asks_help(const char *s)
{
    static const char *const words[] = {"?", "/?", "-?", "help", "/h"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcasecmp(s, words[i]) == 0)
            return true;
    return false;
}

/* What stands before the "?" names a context, a verb or a command. */
static int help_for(struct netsh *n, size_t first, struct diag *d)
{
    const struct netsh_command *c = NULL;
    size_t next, n_words = n->line.n;
    struct diag ignored = {0};
    const char *verb = NULL;
    n->line.n--;
    int err = 0;
    if (first < n->line.n) {
        err = netsh_find_command(n, first, &ignored, &c, &next);
        /* "add ?": the verb is known, what it adds is what is asked for. */
        if (err < 0 && n->line.n > first && netsh_context_parent(n->context) != CONTEXT_ROOT) {
            verb = n->line.v[n->line.n - 1].s;
            err = 0;
        }
    }
    n->line.n = n_words;
    if (err < 0) {
        *d = ignored;
        return err;
    }
    n->error = NETSH_OK;
    if (c)
        netsh_help_command(n, c);
    else
        netsh_help_context(n, n->context, verb);
    return 0;
}

/* --- one line --- */

/* The line belongs to a part of netsh that is not here: only "ipsec" leads out of it. */
static bool is_foreign(const struct netsh *n, size_t first)
{
    return n->context == CONTEXT_FOREIGN && strcasecmp(n->line.v[first].s, "ipsec") != 0;
}

static int run_pushd(struct netsh *n, struct diag *d)
{
    const struct netsh_command *c;
    size_t next;
    if (n->depth == ARRAY_SIZE(n->stack))
        return netsh_fail_word(n, d, NETSH_SYNTAX, 0, "more than %zu pushd", ARRAY_SIZE(n->stack));
    n->stack[n->depth++] = n->context;
    if (n->line.n == 1 || is_foreign(n, 1))
        return 0;
    int err = netsh_find_command(n, 1, d, &c, &next);
    if (err < 0 && n->import && n->error == NETSH_UNKNOWN_CONTEXT)
        n->context = CONTEXT_FOREIGN;
    if (err == 0 && c)
        err = netsh_fail_word(n, d, NETSH_SYNTAX, next - 1, "pushd takes a context");
    return err;
}

static int run_popd(struct netsh *n, struct diag *d)
{
    if (n->line.n > 1)
        return netsh_fail_word(n, d, NETSH_LEFT_OVER, 1, "popd takes no value");
    if (n->depth == 0)
        return netsh_fail_word(n, d, NETSH_SYNTAX, 0, "popd without pushd");
    n->context = n->stack[--n->depth];
    return 0;
}

static int run_exec(struct netsh *n, struct diag *d)
{
    if (n->line.n != 2) {
        int err = netsh_fail_word(n, d, NETSH_SYNTAX, 0, "exec takes one file");
        diag_hint(d, "exec FILE");
        return err;
    }
    _cleanup_free_ char *name = strdup(n->line.v[1].s);
    return name ? netsh_run_file(n, name, d) : -ENOMEM;
}

static int run_up(struct netsh *n, struct diag *d)
{
    (void)d;
    if (n->context != CONTEXT_FOREIGN)
        n->context = netsh_context_parent(n->context);
    return 0;
}

/* Lines that are no commands of a context. */
static const struct {
    const char *word;
    int (*run)(struct netsh *n, struct diag *d);
} special[] = {
    {"pushd", run_pushd},
    {"popd", run_popd},
    {"exec", run_exec},
    {"..", run_up},
};

/* windows.md 1.3: what else is known to be printed. */
static void print_done(struct netsh *n, const struct netsh_command *c)
{
    bool tcp = c->context == CONTEXT_TCP;
    if (strcmp(c->verb, "set") == 0 || (tcp && !c->reads))
        (void)strbuf_add(&n->t->out, tcp ? "Ok.\n\n" : "Ok.\n"); /* sticky */
}

static bool chooses_mode(const struct netsh_command *c)
{
    return c->run == netsh_set_store || c->run == netsh_set_batch;
}

static int run_command(struct netsh *n, const struct netsh_command *c, size_t next, struct diag *d)
{
    _cleanup_(netsh_args_done) struct netsh_args a = {0};
    bool kept = false;
    int err = netsh_parse_args(n, c, next, d, &a);
    if (err == 0 && c->context == CONTEXT_STATIC && !c->reads && !chooses_mode(c))
        err = netsh_check_writable(n, d);
    if (err == 0 && !c->reads && c->run != netsh_set_batch && c->context != CONTEXT_TCP)
        err = netsh_keep_line(n, &a, d, &kept);
    if (err < 0 || kept)
        return err;
    err = c->run(n, &a, d);
    if (err == 0)
        print_done(n, c);
    return err;
}

static int fail_no_command(struct netsh *n, struct diag *d)
{
    const char *context = netsh_context_name(n->context);
    int err = netsh_fail(n, d, NETSH_UNKNOWN_COMMAND, DIAG_USAGE, "no command given");
    diag_hint(d, "netsh%s%s ?", context[0] ? " " : "", context);
    return err;
}

int netsh_run_line(struct netsh *n, struct diag *d)
{
    const struct netsh_command *c;
    size_t next;
    const struct netsh_line *l = &n->line;
    size_t first = l->n > 1 && n->file && strcasecmp(l->v[0].s, "netsh") == 0 ? 1 : 0;
    if (l->n == 0)
        return 0;
    enum netsh_context before = n->context;
    if (asks_help(l->v[l->n - 1].s) && !l->v[l->n - 1].quoted) {
        int err = help_for(n, first, d);
        n->context = before;
        return err;
    }
    for (size_t i = 0; i < ARRAY_SIZE(special); i++)
        if (strcasecmp(l->v[0].s, special[i].word) == 0)
            return special[i].run(n, d);
    if (is_foreign(n, first)) {
        n->t->partly = true;
        return tool_remark(n->t, NOTE_WARNING, d, "%s:%zu: left out: '%s' is no command of ipsec",
                           n->file, n->number, l->v[first].s);
    }
    int err = netsh_find_command(n, first, d, &c, &next);
    if (err < 0) {
        n->context = before; /* an import goes on */
        return err;
    }
    if (!c) /* a bare context line: it holds for the next ones */
        return n->file ? 0 : fail_no_command(n, d);
    err = run_command(n, c, next, d);
    n->context = before;
    return err;
}

/* --- switches --- */

struct switches {
    const char *context, *script, *computer;
};

/* Length of a dash at s: '-', or one of those that pages print (windows.md 1.4). */
static size_t dash_length(const char *s)
{
    return s[0] == '-' ? 1 : misprint_dash(s);
}

static int check_computer(struct netsh *n, const char *name, struct diag *d)
{
    static const char *const own[] = {".", "localhost", "127.0.0.1", "::1"};
    const struct tool_host *host = n->t->host;
    while (*name == '\\')
        name++;
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (strcasecmp(name, own[i]) == 0)
            return 0;
    if (host && host->is_local && host->is_local(host->ctx, name))
        return 0;
    int err = netsh_fail(n, d, NETSH_REMOTE, DIAG_UNKNOWN_OBJECT,
                         "'%s' is another computer, and this one changes only itself", name);
    diag_hint(d, "run it over ssh on that host");
    return err;
}

static int fail_switch(struct netsh *n, const char *word, struct diag *d, const char *why)
{
    n->error = NETSH_SYNTAX;
    int err = tool_fail_at(n->t, d, word, 0, strlen(word), DIAG_USAGE, "%s '%s'", why, word);
    diag_hint(d, "switches: -c CONTEXT, -f FILE, -r COMPUTER");
    return err;
}

/* Reads the switches before the command; *ret_used arguments. */
static int read_switches(struct netsh *n, int argc, char *const *argv, struct diag *d,
                         struct switches *s, int *ret_used)
{
    int i = 0;
    for (; i < argc && dash_length(argv[i]) > 0 && strcmp(argv[i], "-?") != 0; i += 2) {
        size_t dash = dash_length(argv[i]);
        const char *name = argv[i] + dash;
        const char **value = NULL;
        if (strcasecmp(name, "c") == 0)
            value = &s->context;
        else if (strcasecmp(name, "f") == 0)
            value = &s->script;
        else if (strcasecmp(name, "r") == 0)
            value = &s->computer;
        if (!value)
            return fail_switch(n, argv[i], d, "unknown switch");
        if (i + 1 == argc)
            return fail_switch(n, argv[i], d, "a value is missing behind");
        if (*value)
            return fail_switch(n, argv[i], d, "given twice:");
        *value = argv[i + 1];
        int err =
            dash == 1 ? 0 : tool_remark(n->t, NOTE_REPAIR, d, "read '%s' as -%s", argv[i], name);
        if (err < 0)
            return err;
    }
    *ret_used = i;
    return 0;
}

static int enter(struct netsh *n, const char *context, struct diag *d)
{
    const struct netsh_command *c;
    size_t next;
    int err = netsh_split(n, context, strlen(context), d);
    if (err == 0 && n->line.n > 0)
        err = netsh_find_command(n, 0, d, &c, &next);
    if (err == 0 && n->line.n > 0 && c)
        err = netsh_fail_word(n, d, NETSH_SYNTAX, next - 1, "-c takes a context");
    return err;
}

static int run(struct netsh *n, int argc, char *const *argv, struct diag *d)
{
    struct switches s = {0};
    int used = 0;
    int err = read_switches(n, argc, argv, d, &s, &used);
    if (err == 0 && s.computer)
        err = check_computer(n, s.computer, d);
    if (err == 0 && s.context)
        err = enter(n, s.context, d);
    if (err < 0)
        return err;
    if (s.script)
        return used == argc ? netsh_run_file(n, s.script, d)
                            : fail_switch(n, argv[used], d, "-f takes no command beside it:");
    err = netsh_take_words(n, argc - used, argv + used, d);
    if (err == 0 && n->line.n == 0)
        return fail_no_command(n, d);
    return err < 0 ? err : netsh_run_line(n, d);
}

int tool_netsh(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    _cleanup_(netsh_done) struct netsh n;
    struct diag own = {0};
    struct diag *use = d ? d : &own;
    netsh_init(&n, t);
    int err = run(&n, argc, argv, use);
    if (err == 0)
        err = netsh_keep_lines(&n, use);
    if (err == 0)
        err = netsh_finish(&n, use);
    if (err < 0 && use->message[0] != '\0')
        netsh_print_error(&n, use);
    return err;
}
