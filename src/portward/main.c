/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portward/main.c: the program `portward`: hands the process' streams and environment to cli_run().
 * SIGPIPE is ignored, so that a closed stdout is an error we can pass over in silence. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
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
    };

    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a valid signal */
    return cli_run(&env, argc, argv);
}
