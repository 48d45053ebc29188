/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pw-connect: what one new TCP connection costs: connects to a listener of its own over 127.0.0.1,
 * accepts and resets, batch by batch; both ends are made here, and the kernel does all of it in
 * this thread. Prints nanoseconds of processor time of one connection, of the cheapest batch.
 *   pw-connect BATCHES CONNECTIONS_OF_A_BATCH
 * Called by tests/netns/mppcost.py. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

static uint64_t cpu_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* cannot fail with this clock */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int listen_somewhere(struct sockaddr_in *a)
{
    socklen_t len = sizeof(*a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (fd < 0 || bind(fd, (const void *)a, len) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (void *)a, &len) < 0)
        return -errno;
    return fd;
}

/* Reset, so that nothing stays in TIME_WAIT. */
static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* then it lasts longer */
    close_p(&fd);
}

static int one(int listener, const struct sockaddr_in *a)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -1;
    int r = client < 0 || connect(client, (const void *)a, sizeof(*a)) < 0 ? -errno : 0;

    if (r == 0) {
        server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        r = server < 0 ? -errno : 0;
    }
    reset(client);
    reset(server);
    return r;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a;
    uint64_t best = UINT64_MAX;
    int r = listen_somewhere(&a);
    const int listener = r;

    if (argc != 3) {
        (void)fputs("usage: pw-connect BATCHES CONNECTIONS_OF_A_BATCH\n", stderr);
        return 2;
    }
    long n = atol(argv[2]);
    for (long batch = 0; r >= 0 && batch < atol(argv[1]); batch++) {
        uint64_t begin = cpu_ns();
        for (long i = 0; r >= 0 && i < n; i++)
            r = one(listener, &a);
        uint64_t took = cpu_ns() - begin;
        best = took < best ? took : best;
    }
    if (r < 0) {
        (void)fprintf(stderr, "pw-connect: %s\n", strerror(-r));
        return 1;
    }
    (void)printf("%.1f\n", (double)best / (double)n);
    return 0;
}
