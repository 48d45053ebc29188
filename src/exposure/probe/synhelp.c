/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/synhelp.c: the second process of a fast SYN scan (syn.h). Called by syn.c. It
 * shares the board's memory, writes to its own ports of todo only, reads no packet, and like its
 * parent has no right any more. If it ends, its ports stay silent in this round and are asked in
 * the next one. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "syn.h"

enum { WORTH_IT = 4096, POLL_US = 1000 };

static _Noreturn void help(struct syn *s, struct board *b, int fd)
{
    uint32_t first;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(fd, &first, sizeof(first)) == (ssize_t)sizeof(first)) {
        uint8_t done = 1;
        syn_send(s, &s->sender[1], b, first, b->n_todo);
        if (write(fd, &done, sizeof(done)) != (ssize_t)sizeof(done))
            break;
    }
    _exit(0);
}

void syn_helper_start(struct syn *s, struct board *b)
{
    cpu_set_t cpus;
    int fds[2];
    if (b->rate || b->n_silent < WORTH_IT || sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ||
        CPU_COUNT(&cpus) < 2 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return; /* one process can do it all */
    pid_t pid = fork();
    if (pid == 0) {
        close_p(&fds[0]);
        close_p(&b->events);
        help(s, b, fds[1]);
    }
    close_p(&fds[1]);
    if (pid < 0)
        close_p(&fds[0]);
    else
        s->helper = fds[0]; /* nobody waits for it: it ends with this process */
}

bool syn_helper_take(struct syn *s, const struct board *b, uint32_t first)
{
    if (s->helper < 0 || b->rate || b->n_todo < WORTH_IT)
        return false;
    return send(s->helper, &first, sizeof(first), MSG_NOSIGNAL) == (ssize_t)sizeof(first);
}

void syn_helper_wait(struct syn *s, struct board *b)
{
    uint8_t done;
    for (;;) {
        ssize_t n = recv(s->helper, &done, sizeof(done), MSG_DONTWAIT);
        if (n == (ssize_t)sizeof(done))
            return;
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            close_p(&s->helper);
            s->helper = -1;
            return;
        }
        syn_wait_us(s, b, POLL_US);
    }
}
