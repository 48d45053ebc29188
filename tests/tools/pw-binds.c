/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binds to port 0, for tests/netns/test-rpc*.py and tests/bench/bench-rpc.py:
 *   pw-binds churn COUNT LISTEN   COUNT times socket, bind, listen or not, close, TCP and UDP in
 * turn; prints "COUNT FAILED OUTSIDE" pw-binds time HELD COUNT      holds HELD TCP ports, then
 * prints ns per bind() of COUNT, the best of 20 parts pw-binds storm COUNT PROTO HOST PORT  COUNT
 * sockets that bind to 0 and connect, all held until standard input ends; prints "CONNECTED FAILED"
 * churn is given the set by PW_FIRST and PW_LAST: OUTSIDE counts ports that are not in it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

enum { PARTS = 20, BACKLOG = 4 };

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* exists */
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static unsigned long number(const char *text)
{
    return text ? strtoul(text, NULL, 10) : 0;
}

static int open_socket(int type)
{
    return socket(AF_INET, type | SOCK_CLOEXEC, 0);
}

static int bind_any(int fd)
{
    const struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

static unsigned port_of(int fd)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof(a);

    return getsockname(fd, (struct sockaddr *)&a, &len) < 0 ? 0 : ntohs(a.sin_port);
}

static int churn(unsigned long count, bool listens)
{
    unsigned long failed = 0, outside = 0;
    unsigned long first = number(getenv("PW_FIRST")), last = number(getenv("PW_LAST"));

    for (unsigned long i = 0; i < count; i++) {
        _cleanup_(close_p) int fd = open_socket(i & 1 ? SOCK_DGRAM : SOCK_STREAM);

        if (fd < 0)
            return 1;
        if (bind_any(fd) < 0) {
            failed++;
            continue;
        }
        unsigned port = port_of(fd);
        outside += port < first || port > last;
        if (listens && !(i & 1) && listen(fd, BACKLOG) < 0)
            failed++;
    }
    return printf("%lu %lu %lu\n", count, failed, outside) < 0;
}

static int measure(unsigned long held, unsigned long count)
{
    uint64_t best = UINT64_MAX;
    unsigned long n = count / PARTS;

    for (unsigned long i = 0; i < held; i++) {
        int fd = open_socket(SOCK_STREAM); /* kept to the end of the process */

        if (fd < 0 || bind_any(fd) < 0)
            return 1;
    }
    for (unsigned part = 0; part < PARTS; part++) {
        uint64_t sum = 0;

        for (unsigned long i = 0; i < n; i++) {
            _cleanup_(close_p) int fd = open_socket(SOCK_STREAM);
            uint64_t begin = now_ns();
            int r = bind_any(fd);

            sum += now_ns() - begin;
            if (r < 0)
                return 1;
        }
        best = sum / n < best ? sum / n : best;
    }
    return printf("%llu\n", (unsigned long long)best) < 0;
}

static int storm(unsigned long count, const char *proto, const char *host, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(port))};
    unsigned long connected = 0, failed = 0;
    char end;

    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return 2;
    for (unsigned long i = 0; i < count; i++) {
        const struct sockaddr_in any = {.sin_family = AF_INET};
        int fd = open_socket(strcmp(proto, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM);

        if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
            connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
            failed++;
        else
            connected++;
    }
    if (printf("%lu %lu\n", connected, failed) < 0 || fflush(stdout) == EOF)
        return 1;
    while (read(STDIN_FILENO, &end, 1) > 0) {
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* if not, too many are refused below */
    }
    if (argc == 4 && strcmp(argv[1], "churn") == 0)
        return churn(number(argv[2]), number(argv[3]) != 0);
    if (argc == 4 && strcmp(argv[1], "time") == 0)
        return measure(number(argv[2]), number(argv[3]));
    if (argc == 6 && strcmp(argv[1], "storm") == 0)
        return storm(number(argv[2]), argv[3], argv[4], argv[5]);
    (void)fprintf(stderr, "usage: pw-binds churn|time|storm ...\n");
    return 2;
}
