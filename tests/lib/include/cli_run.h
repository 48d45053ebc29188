/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a command line inside a test: one string with '|' between the words goes in, exit code
 * and what stood on stdout and stderr come out. Included by one test program each. */
#pragma once
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { CLI_RUN_WORDS = 64 };

static struct {
    int code;
    char *out, *err;
} run;

/* The words of `line` (a copy is kept until the next call), argv[0] included. */
static char *const *split(const char *line, int *ret_argc)
{
    static char *copy, *argv[CLI_RUN_WORDS];
    int n = 0;

    free(copy);
    assert(asprintf(&copy, "portward%s%s", *line ? "|" : "", line) >= 0);
    for (char *p = copy; p && n < CLI_RUN_WORDS; n++) {
        char *next = strchr(p, '|');

        argv[n] = p;
        if (next)
            *next++ = '\0';
        p = next;
    }
    *ret_argc = n;
    return argv;
}

static void run_cli(const struct cli_env *base, const char *line)
{
    struct cli_env env = *base;
    size_t out_size, err_size;
    int argc;
    char *const *argv = split(line, &argc);

    free(run.out);
    free(run.err);
    env.out = open_memstream(&run.out, &out_size);
    env.err = open_memstream(&run.err, &err_size);
    run.code = cli_run(&env, argc, argv);
    fclose(env.out);
    fclose(env.err);
}
