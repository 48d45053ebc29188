/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See run.h. Called by samba.c; the agent's loop waits meanwhile, so the limit is short. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
        return 0; /* the clock exists */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int spawn(const char *const argv[], int out_fd, pid_t *ret)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    union {
        const char *const *in;
        char *const *out;
    } args = {argv}; /* posix_spawn(3) changes none of them */
    char *const env[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, (char[]){"LC_ALL=C"},
                         NULL};

    sigemptyset(&none);
    int r = posix_spawn_file_actions_init(&files);
    if (r)
        return -r;
    r = posix_spawnattr_init(&attr);
    if (r) {
        (void)posix_spawn_file_actions_destroy(&files);
        return -r;
    }
    r = posix_spawnattr_setsigmask(&attr, &none);
    if (!r)
        r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    if (!r)
        r = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!r)
        r = posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO);
    if (!r)
        r = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!r)
        r = posix_spawnp(ret, argv[0], &files, &attr, args.out, env);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return -r;
}

/* What comes until the end of the pipe; the rest of what does not fit is thrown away. */
static int read_all(int fd, uint64_t end_ms, char *out, size_t size)
{
    size_t n = 0;

    for (;;) {
        uint64_t now = now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char more[512];

        if (now >= end_ms || poll(&p, 1, (int)(end_ms - now)) <= 0)
            return -ETIMEDOUT;
        ssize_t got = read(fd, more, sizeof(more));
        if (got <= 0) {
            out[n] = '\0';
            return got < 0 ? -errno : 0;
        }
        size_t fits = (size_t)got < size - 1 - n ? (size_t)got : size - 1 - n;
        memcpy(out + n, more, fits);
        n += fits;
    }
}

int run_program(const char *const argv[], unsigned limit_ms, char *out, size_t size)
{
    int fds[2], status;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_(close_p) int from = fds[0];
    _cleanup_(close_p) int to = fds[1];
    int r = spawn(argv, to, &pid);

    if (r < 0)
        return r;
    close_p(&to);
    r = read_all(from, now_ms() + limit_ms, out, size);
    if (r < 0)
        (void)kill(pid, SIGKILL); /* our child: it cannot be anybody else yet */
    if (waitpid(pid, &status, 0) < 0)
        return -errno;
    if (r < 0)
        return r;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}
