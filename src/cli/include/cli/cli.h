/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line as a function: everything it takes from the process (streams, environment,
 * time, who calls) comes in through struct cli_env, so that tests can run it. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/util.h"

/* Verbs that another module adds: the command line knows their names, not what they do. */
struct cli;
struct cli_dialects {
    int (*compat_verb)(struct cli *c);
    int (*import_verb)(struct cli *c);
    int (*export_verb)(struct cli *c);
};

struct cli_env {
    FILE *in, *out, *err;
    bool in_tty, out_tty, err_tty;
    uid_t uid;
    int64_t now_s;                       /* Unix time */
    const char *runtime_dir;             /* PORTWARD_RUNTIME_DIR, NULL = not set */
    const char *ssh;                     /* SSH_CONNECTION: where the caller is logged in from */
    const char *no_color;                /* NO_COLOR */
    const char *term;                    /* TERM */
    const char *pin_root;                /* where the agent pins: /sys/fs/bpf/portward */
    const struct cli_dialects *dialects; /* NULL = this build has none */
};

/* Runs one command; the result is the exit code of cli.md 4. */
int cli_run(const struct cli_env *env, int argc, char *const *argv);
