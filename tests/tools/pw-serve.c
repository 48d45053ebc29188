/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pw-serve: a plain server for tests: answers "GET /N" with N bytes and closes.
 *   pw-serve [-f DESCRIPTORS] PORT...
 * Listens on all addresses of both families (one dual-stack socket for each port). SIGTERM ends it
 * as a crash would: what it had queued becomes orphans. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"

enum { PAYLOAD = 65536, EVENTS = 256, ACCEPT_BATCH = 512 };

struct conn {
    long left;
    bool listens, asked;
};

static char payload[PAYLOAD];
static struct conn *conns;
static long n_conns = 100000;

static void watch(int ep, int op, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = fd};

    if (epoll_ctl(ep, op, fd, &e) < 0)
        close_p(&fd);
}

static void accept_all(int ep, int listener)
{
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE)
                (void)usleep(1000); /* the queue stays readable */
            return;
        }
        conns[fd] = (struct conn){.left = 0};
        watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

static bool write_some(int fd)
{
    struct conn *c = &conns[fd];

    while (c->left > 0) {
        ssize_t n = write(fd, payload, c->left > PAYLOAD ? PAYLOAD : (size_t)c->left);
        if (n < 0)
            return errno == EAGAIN;
        c->left -= n;
    }
    return false;
}

/* False: this connection is at its end. */
static bool read_request(int ep, int fd)
{
    char text[2048], head[128];
    ssize_t n = read(fd, text, sizeof(text) - 1);

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    text[n] = '\0';
    const char *path = strstr(text, "GET /");
    conns[fd] = (struct conn){.left = path ? atol(path + 5) : 0, .asked = true};
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\nConnection: close\r\n\r\n",
                       conns[fd].left);
    if (write(fd, head, (size_t)len) != len)
        return false;
    watch(ep, EPOLL_CTL_MOD, fd, EPOLLOUT);
    return write_some(fd);
}

static void serve(int ep, const struct epoll_event *e)
{
    int fd = e->data.fd;
    bool alive = false;

    if (conns[fd].listens) {
        accept_all(ep, fd);
        return;
    }
    if (!(e->events & (EPOLLERR | EPOLLHUP)))
        alive = conns[fd].asked ? write_some(fd) : read_request(ep, fd);
    if (!alive)
        close_p(&fd);
}

static int listen_on(int ep, uint16_t port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int one = 1, zero = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0 ||
        bind(fd, (const void *)&a, sizeof(a)) < 0 || listen(fd, 65535) < 0)
        return -errno;
    conns[fd].listens = true;
    watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
    return 0;
}

/* What was asked for, or as many as this machine gives. */
static bool limit_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;
    if ((rlim_t)n_conns > limit.rlim_max)
        n_conns = (long)limit.rlim_max;
    limit.rlim_cur = (rlim_t)n_conns;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (int c; (c = getopt(argc, argv, "f:")) != -1;)
        n_conns = c == 'f' ? atol(optarg) : 0;
    bool limited = n_conns >= 16 && limit_descriptors();
    conns = calloc((size_t)n_conns + 16, sizeof(*conns));
    if (optind == argc || !limited || !conns || ep < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        (void)fputs("usage: pw-serve [-f DESCRIPTORS] PORT...\n", stderr);
        return 2;
    }
    for (; optind < argc; optind++)
        if (listen_on(ep, (uint16_t)atoi(argv[optind])) < 0) {
            perror("pw-serve");
            return 1;
        }
    (void)puts("listening");
    (void)fflush(stdout);
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            serve(ep, &events[i]);
    }
}
