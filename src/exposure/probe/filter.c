/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/filter.c: see filter.h. Called by syn.c and udp.c while they open their sockets.
 */
#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

static int attach(int fd, struct sock_filter *f, unsigned short n)
{
    struct sock_fprog prog = {.len = n, .filter = f};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

int filter_answers(int fd, const struct answer_context *c)
{
    struct sock_filter f[4 + PROBE_ROUNDS_MAX];
    unsigned n = c->n_source_ports, at = 0;
    bool four = c->family == FAMILY_4;
    /* A raw IPv4 socket sees the IP header, whose length goes into X; one of IPv6 does not. */
    f[at++] = four ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0)
                   : (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0);
    f[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2);
    for (unsigned i = 0; i < n; i++)
        f[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->source_ports[i],
                                               (uint8_t)(n - i), 0);
    f[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    f[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 128); /* headers are enough */
    return attach(fd, f, (unsigned short)at);
}

int filter_nothing(int fd)
{
    struct sock_filter f = BPF_STMT(BPF_RET | BPF_K, 0);
    return attach(fd, &f, 1);
}

void filter_large_buffers(int fd)
{
    static const int names[][2] = {{SO_RCVBUFFORCE, SO_RCVBUF}, {SO_SNDBUFFORCE, SO_SNDBUF}};
    int bytes = FILTER_BUFFER_BYTES;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (setsockopt(fd, SOL_SOCKET, names[i][0], &bytes, sizeof(bytes)) < 0)
            /* Without CAP_NET_ADMIN what the limit allows; lost answers are asked for again. */
            (void)setsockopt(fd, SOL_SOCKET, names[i][1], &bytes, sizeof(bytes));
}
