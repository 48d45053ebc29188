/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portward/main.c: the program `portward`: hands the process' streams and environment to cli_run(),
 * with the verbs of the dialects; called by the name of a Windows tool it is that tool.
 * SIGPIPE is ignored, so that a closed stdout is an error we can pass over in silence. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "compat/compat.h"

static const struct cli_dialects dialects = {
    .compat_verb = cmd_compat,
    .import_verb = cmd_import,
    .export_verb = cmd_export,
};

int main(int argc, char **argv)
{
    int code;
    struct cli_env env = {
        .in = stdin,
        .out = stdout,
        .err = stderr,
        .in_tty = isatty(STDIN_FILENO),
        .out_tty = isatty(STDOUT_FILENO),
        .err_tty = isatty(STDERR_FILENO),
        .uid = geteuid(),
        .now_s = time(NULL),
        .runtime_dir = getenv("PORTWARD_RUNTIME_DIR"),
        .ssh = getenv("SSH_CONNECTION"),
        .no_color = getenv("NO_COLOR"),
        .term = getenv("TERM"),
        .pin_root = "/sys/fs/bpf/portward",
        .dialects = &dialects,
    };

    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a valid signal */
    if (compat_by_name(&env, argc, argv, &code))
        return code;
    return cli_run(&env, argc, argv);
}
