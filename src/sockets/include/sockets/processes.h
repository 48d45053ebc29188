/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the processes that hold sockets. A pid that was given to another process since the
 * sockets were read has no name: start times are compared. */
#pragma once
#include "base/util.h"

struct socket_process {
    uint32_t pid;
    bool known;    /* false: gone, or not the one that held the socket */
    char name[16]; /* comm */
    char *exe;     /* NULL = not readable */
};
struct socket_processes {
    struct socket_process *v; /* by pid */
    size_t n, cap;
};
struct sockets;
void socket_processes_done(struct socket_processes *p);
/* Of all holders. with_exe: also the path of the program. */
_must_check_ int socket_processes_read(const struct sockets *s, bool with_exe,
                                       struct socket_processes *ret);
const struct socket_process *socket_processes_find(const struct socket_processes *p, uint32_t pid);
