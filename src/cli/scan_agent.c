/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/scan_agent.c: starts and ends the command of `--with-agent`. Called by cmd_scan.c, before the
 * network namespace is changed and before any right is dropped: the command may need the caller's
 * keys. What it says is read by the scan, in the process without rights. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/scanagent.h"

extern char **environ;

enum { WAIT_STEPS = 100, WAIT_STEP_US = 20000 }; /* then it is ended */

static int spawn(const char *command, int in, int out, pid_t *ret)
{
    union { /* posix_spawn() does not write to them */
        const char *in[4];
        char *out[4];
    } argv = {.in = {"sh", "-c", command, NULL}};
    posix_spawn_file_actions_t files;
    int err = posix_spawn_file_actions_init(&files);

    if (err)
        return -err;
    err = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    if (!err)
        err = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (!err)
        err = posix_spawn(ret, "/bin/sh", &files, NULL, argv.out, environ);
    (void)posix_spawn_file_actions_destroy(&files); /* cannot fail */
    return -err;
}

int cli_scan_agent_start(const char *command, struct diag *d, struct cli_scan_agent *ret)
{
    int to[2], from[2];

    if (pipe2(to, O_CLOEXEC) < 0)
        return diag_errno(d, errno, "cannot make a pipe");
    if (pipe2(from, O_CLOEXEC) < 0) {
        int err = errno;

        close_p(&to[0]);
        close_p(&to[1]);
        return diag_errno(d, err, "cannot make a pipe");
    }
    int err = spawn(command, to[0], from[1], &ret->pid);
    close_p(&to[0]);
    close_p(&from[1]);
    ret->out = to[1];
    ret->in = from[0];
    return err < 0 ? diag_errno(d, err, "cannot run '%s'", command) : 0;
}

void cli_scan_agent_end(struct cli_scan_agent *a)
{
    close_p(&a->out);
    close_p(&a->in);
    a->in = a->out = -1;
    for (int i = 0; a->pid > 0; i++) {
        pid_t done = waitpid(a->pid, NULL, WNOHANG);

        if (done == a->pid || (done < 0 && errno != EINTR))
            a->pid = 0;
        else if (i == WAIT_STEPS || i == 2 * WAIT_STEPS) /* its own work is over */
            (void)kill(a->pid, i == WAIT_STEPS ? SIGTERM : SIGKILL);
        else
            (void)usleep(WAIT_STEP_US);
    }
}
