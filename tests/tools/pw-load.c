/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pw-load: legitimate clients, open loop: RATE requests a second, whatever becomes of them.
 *   pw-load ADDRESS PORT RATE TIMEOUT_S SECONDS BYTES
 * Success: the whole answer within the timeout. Prints one line of JSON: success of the whole run
 * and of its last two seconds, the 50th and 99th percentile of the times of what succeeded, and
 * what was tried and succeeded of each second's requests. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

enum { FDS = 1000, EVENTS = 256, TIMES = 1000000, SECONDS = 600 };
enum state { FREE, CONNECTING, READING };
struct request {
    uint64_t begin_ns;
    long got;
    enum state state;
};

static struct request requests[FDS + 1];
static double times[TIMES];
static long n_times, tried, succeeded, tried_late, succeeded_late, open_now;
static uint64_t begin_ns, late_ns;
static long by_second[SECONDS][2]; /* tried, succeeded */
static long body;

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The second in which a request began. */
static long *second_of(uint64_t ns)
{
    uint64_t s = (ns - begin_ns) / 1000000000;

    return by_second[s < SECONDS ? s : SECONDS - 1];
}

static void finish(int fd, bool ok)
{
    struct request *r = &requests[fd];

    if (ok) {
        succeeded++;
        second_of(r->begin_ns)[1]++;
        succeeded_late += r->begin_ns >= late_ns;
        if (n_times < TIMES)
            times[n_times++] = (double)(now_ns() - r->begin_ns) * 1e-6;
    }
    r->state = FREE;
    open_now--;
    close_p(&fd);
}

static void start(int ep, const struct sockaddr *to, socklen_t len)
{
    struct epoll_event e = {.events = EPOLLOUT};
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    tried++;
    second_of(now_ns())[0]++;
    tried_late += now_ns() >= late_ns;
    if (fd < 0 || fd > FDS || (connect(fd, to, len) < 0 && errno != EINPROGRESS)) {
        close_p(&fd);
        return;
    }
    requests[fd] = (struct request){.begin_ns = now_ns(), .state = CONNECTING};
    open_now++;
    e.data.fd = fd;
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
        finish(fd, false);
}

static void ask(int ep, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    char text[128];
    int error = 0, n;
    socklen_t len = sizeof(error);

    n = snprintf(text, sizeof(text), "GET /%ld HTTP/1.1\r\nHost: x\r\n\r\n", body);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error ||
        write(fd, text, (size_t)n) != n || epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e) < 0) {
        finish(fd, false);
        return;
    }
    requests[fd].state = READING;
}

/* The server closes at the end; an answer without its whole body is none. */
static void take(int fd)
{
    static char buf[65536];

    for (;;) {
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            finish(fd, n == 0 && requests[fd].got > body);
            return;
        }
        requests[fd].got += n;
    }
}

static void sweep(uint64_t now, uint64_t timeout_ns)
{
    for (int fd = 0; fd <= FDS; fd++)
        if (requests[fd].state != FREE && now > requests[fd].begin_ns + timeout_ns)
            finish(fd, false);
}

static void run(int ep, const struct sockaddr *to, socklen_t len, const double v[3])
{
    uint64_t begin = now_ns(), end = begin + (uint64_t)(v[2] * 1e9), next = begin, swept = begin;
    uint64_t timeout_ns = (uint64_t)(v[1] * 1e9);
    struct epoll_event events[EVENTS];

    begin_ns = begin;
    late_ns = end - 2000000000;
    for (uint64_t now = begin; now < end || (open_now && now < end + timeout_ns); now = now_ns()) {
        for (; now < end && next <= now; next += (uint64_t)(1e9 / v[0]))
            start(ep, to, len);
        int n = epoll_wait(ep, events, EVENTS, 1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (requests[fd].state == CONNECTING)
                ask(ep, fd);
            else if (requests[fd].state == READING)
                take(fd);
        }
        if (now - swept > 20000000) {
            swept = now;
            sweep(now, timeout_ns);
        }
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    struct sockaddr_in a4 = {.sin_family = AF_INET};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
    int ep = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 7 || ep < 0) {
        (void)fputs("usage: pw-load ADDRESS PORT RATE TIMEOUT_S SECONDS BYTES\n", stderr);
        return 2;
    }
    const double v[3] = {atof(argv[3]), atof(argv[4]), atof(argv[5])};
    a4.sin_port = a6.sin6_port = htons((uint16_t)atoi(argv[2]));
    body = atol(argv[6]);
    if (inet_pton(AF_INET, argv[1], &a4.sin_addr) == 1) {
        run(ep, (const void *)&a4, sizeof(a4), v);
    } else if (inet_pton(AF_INET6, argv[1], &a6.sin6_addr) == 1) {
        run(ep, (const void *)&a6, sizeof(a6), v);
    } else {
        (void)fprintf(stderr, "pw-load: '%s' is no address\n", argv[1]);
        return 2;
    }
    qsort(times, (size_t)n_times, sizeof(times[0]), compare);
    (void)printf("{\"tried\": %ld, \"ok\": %ld, \"tried_late\": %ld, \"ok_late\": %ld, "
                 "\"p50_ms\": %.2f, \"p99_ms\": %.2f, \"seconds\": [",
                 tried, succeeded, tried_late, succeeded_late, n_times ? times[n_times / 2] : -1.0,
                 n_times ? times[n_times * 99 / 100] : -1.0);
    for (long s = 0; s < SECONDS && by_second[s][0] > 0; s++)
        (void)printf("%s[%ld, %ld]", s > 0 ? ", " : "", by_second[s][0], by_second[s][1]);
    (void)puts("]}");
    return 0;
}
