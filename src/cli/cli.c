/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cli.c: from the argument list to the verb and back to an exit code. Called by main.c and
 * by tests. Everything that is wrong with the words themselves is found here or in the verb
 * before the agent is asked: nothing has changed then. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "cli/complete.h"
#include "cli/context.h"

enum {
    TIMEOUT_DEFAULT_MS = 10 * 1000, /* cli.md 1 */
    TIMEOUT_SLOW_MS = 60 * 1000,    /* a policy may have a million filters */
};

static void cli_done(struct cli *c)
{
    cli_args_done(&c->args);
}

static bool want_colour(const char *mode, bool tty, const struct cli_env *env)
{
    if (strcmp(mode, "always") == 0)
        return true;
    if (strcmp(mode, "never") == 0)
        return false;
    return tty && !(env->no_color && *env->no_color) && env->term && strcmp(env->term, "dumb") != 0;
}

static int set_appearance(struct cli *c)
{
    const char *json = c->args.value[OPT_JSON], *colour = c->args.value[OPT_COLOR];
    struct diag d;

    c->json = c->args.given[OPT_JSON];
    c->quiet = c->args.given[OPT_QUIET];
    c->header = !c->args.given[OPT_NO_HEADER];
    c->utc = c->args.given[OPT_UTC];
    c->dry_run = c->args.given[OPT_DRY_RUN];
    if (json && strcmp(json, "1") != 0)
        return cli_fail_usage(c, "--json=1", "no JSON documents of major version '%s'", json);
    if (!colour)
        colour = "auto";
    if (strcmp(colour, "auto") != 0 && strcmp(colour, "always") != 0 &&
        strcmp(colour, "never") != 0)
        return cli_fail_usage(c, "--color auto", "unknown word '%s' for '--color'", colour);
    c->colour = !c->json && want_colour(colour, c->env->out_tty, c->env);
    c->colour_err = want_colour(colour, c->env->err_tty, c->env);
    c->timeout_ms = TIMEOUT_DEFAULT_MS;
    if (c->args.value[OPT_TIMEOUT]) {
        const char *text = c->args.value[OPT_TIMEOUT];
        uint32_t s;

        if (duration_parse(text, strlen(text), (struct span){0}, &d, &s) < 0)
            return cli_fail_usage(c, "--timeout 30s", "%s", d.message);
        c->timeout_ms = s > UINT32_MAX / 2000 ? UINT32_MAX / 2 : s * 1000;
    }
    return 0;
}

static int set_socket_path(struct cli *c)
{
    const char *dir = c->args.value[OPT_RUNTIME_DIR];
    int n;

    if (!dir)
        dir = c->env->runtime_dir && *c->env->runtime_dir ? c->env->runtime_dir : "/run/portward";
    n = snprintf(c->socket_path, sizeof(c->socket_path), "%s/portward.sock", dir);
    if (n < 0 || (size_t)n >= sizeof(c->socket_path))
        return cli_fail_usage(c, NULL, "name of the runtime directory is too long");
    return 0;
}

static int check_options(struct cli *c)
{
    for (int i = 0; i < _OPT_MAX; i++) {
        const struct cli_option *o = cli_option((enum cli_option_id)i);
        char hint[96];

        if (!c->args.given[i])
            continue;
        (void)snprintf(hint, sizeof(hint), "portward %s --help", c->command->name);
        if (!cli_command_takes(c->command, (enum cli_option_id)i))
            return cli_fail_usage(c, hint, "'%s' takes no option '--%s'", c->command->name,
                                  o->name);
        if (o->not_yet)
            return cli_fail_usage(c, hint, "option '--%s' is not available in this version",
                                  o->name);
    }
    return 0;
}

/* A whole number of 1 to max. */
static int take_number(struct cli *c, enum cli_option_id id, int64_t max, int64_t *ret)
{
    const char *text = c->args.value[id];
    size_t digits;

    if (!text)
        return 0;
    digits = strspn(text, "0123456789");
    errno = 0;
    *ret = digits > 0 && !text[digits] ? strtoll(text, NULL, 10) : 0;
    if (errno != 0 || *ret < 1 || *ret > max)
        return cli_fail_usage(c, NULL, "option '--%s' needs a whole number of 1 to %lld, not '%s'",
                              cli_option(id)->name, (long long)max, text);
    return 0;
}

static int check_numbers(struct cli *c)
{
    int64_t limit;
    int code = take_number(c, OPT_IF_GENERATION, INT64_MAX, &c->if_generation);

    return code ? code : take_number(c, OPT_LIMIT, UINT32_MAX, &limit);
}

static int check_words(struct cli *c)
{
    const struct cli_command *cmd = c->command;
    const char *reason = c->args.value[OPT_REASON];
    struct diag d;
    char hint[96];

    (void)snprintf(hint, sizeof(hint), "portward %s --help", cmd->name);
    if (c->n_words < cmd->min_words)
        return cli_fail_usage(c, hint, "'%s' needs %s", cmd->name, cmd->synopsis);
    if (cmd->max_words >= 0 && c->n_words > cmd->max_words)
        return cli_fail_usage(c, hint, "unexpected word '%s'", c->words[cmd->max_words]);
    if (reason && (!*reason || strlen(reason) > LIMIT_REASON_BYTES)) {
        (void)diag_fail(&d, DIAG_LIMIT, "reason must have 1 to %d bytes", LIMIT_REASON_BYTES);
        return cli_fail(c, &d);
    }
    return 0;
}

/* The words of all commands are text of the policy language, and JSON: UTF-8 both. */
static int check_utf8(struct cli *c, int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++)
        if (!utf8_valid(argv[i], strlen(argv[i])))
            return cli_fail_usage(c, NULL, "argument %d is not UTF-8: '%s'", i, argv[i]);
    return 0;
}

static int run_command(struct cli *c)
{
    int code = check_options(c);

    if (code == 0)
        code = check_words(c);
    if (code == 0)
        code = check_numbers(c);
    if (code == 0)
        code = set_socket_path(c);
    return code ? code : c->command->run(c);
}

static int dispatch(struct cli *c, int argc, char *const *argv)
{
    struct diag d;
    int err = cli_args_parse(argc, argv, &d, &c->args);
    int code = set_appearance(c), n_verb = 0;

    if (code == 0 && err < 0)
        code = cli_fail(c, &d);
    if (code == 0)
        code = check_utf8(c, argc, argv);
    if (code)
        return code;
    if (c->args.given[OPT_VERSION]) {
        (void)fprintf(c->env->out, "portward %s\n", PORTWARD_VERSION);
        return 0;
    }
    if (c->args.given[OPT_HELP] && c->args.n_words == 0) {
        cli_help_all(c->env->out);
        return 0;
    }
    if (c->args.given[OPT_HELP] && c->args.n_words == 1 &&
        cli_help_object(c->args.words[0], c->env->out))
        return 0;
    c->command = cli_command_find(c->args.words, c->args.n_words, &d, &n_verb);
    if (!c->command)
        return cli_fail(c, &d);
    if (c->command->flags & CMD_SLOW && !c->args.given[OPT_TIMEOUT])
        c->timeout_ms = TIMEOUT_SLOW_MS;
    c->words = c->args.words + n_verb;
    c->n_words = c->args.n_words - n_verb;
    if (c->args.given[OPT_HELP]) {
        cli_help_command(c->command, c->env->out);
        return 0;
    }
    return run_command(c);
}

int cli_run(const struct cli_env *env, int argc, char *const *argv)
{
    _cleanup_(cli_done) struct cli c = {.env = env};
    int code, err;

    if (argc > 1 && strcmp(argv[1], "__complete") == 0)
        return cli_complete(env, argc - 2, argv + 2);
    code = dispatch(&c, argc, argv);
    errno = 0;
    err = fflush(env->out) != 0 || ferror(env->out) ? errno : 0;
    /* Whoever closed our output (| head) does not want to hear of it. */
    if (err != 0 && err != EPIPE) {
        struct diag d;

        (void)diag_errno(&d, err, "cannot write the output");
        (void)fprintf(env->err, "portward: %s\n", d.message);
        return code ? code : 1;
    }
    return code;
}
