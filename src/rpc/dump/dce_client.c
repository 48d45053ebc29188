/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc/dump/dce_client.c: asks an endpoint mapper for everything it has. Called by the command line.
 * Invariant: one deadline for name, connection and all calls; a peer that sends one byte a second,
 * or nothing, or for ever, costs that much time and RPC_DUMP_STUB_BYTES, no more. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dce.h"

struct peer {
    int fd;
    uint64_t end_ms;
};

uint64_t dump_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int wait_for(const struct peer *p, short events)
{
    struct pollfd f = {.fd = p->fd, .events = events};
    for (;;) {
        uint64_t now = dump_now_ms();
        if (now >= p->end_ms)
            return -ETIMEDOUT;
        int n = poll(&f, 1, (int)(p->end_ms - now));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

static int read_all(const struct peer *p, uint8_t *b, size_t n)
{
    while (n > 0) {
        int err = wait_for(p, POLLIN);
        if (err < 0)
            return err;
        ssize_t r = recv(p->fd, b, n, MSG_DONTWAIT);
        if (r == 0)
            return -ECONNRESET;
        if (r < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (r > 0) {
            b += r;
            n -= (size_t)r;
        }
    }
    return 0;
}

static int write_all(const struct peer *p, const uint8_t *b, size_t n)
{
    while (n > 0) {
        int err = wait_for(p, POLLOUT);
        if (err < 0)
            return err;
        ssize_t r = send(p->fd, b, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (r > 0) {
            b += r;
            n -= (size_t)r;
        }
    }
    return 0;
}

/* One answer with all of its fragments. */
static int read_answer(const struct peer *p, struct dce_answer *a)
{
    _cleanup_free_ uint8_t *body = malloc(UINT16_MAX + 1);
    int done = body ? 0 : -ENOMEM;
    while (done == 0) {
        uint8_t head[DCE_HEADER_BYTES];
        struct dce_header h;
        int err = read_all(p, head, sizeof(head));
        if (err == 0)
            err = dce_header_read(head, &h);
        if (err == 0)
            err = read_all(p, body, h.frag_len - (size_t)DCE_HEADER_BYTES);
        if (err < 0)
            return err;
        done = dce_answer_take(a, &h, body, h.frag_len - (size_t)DCE_HEADER_BYTES);
    }
    return done < 0 ? done : 0;
}

static int bind_mapper(const struct peer *p)
{
    _cleanup_(dce_answer_done) struct dce_answer a = {.call = 1};
    uint8_t b[DCE_BIND_BYTES];
    dce_put_bind(b, a.call);
    int err = write_all(p, b, sizeof(b));
    if (err == 0)
        err = read_answer(p, &a);
    return err < 0 ? err : dce_read_bind_ack(&a);
}

static int look_up(const struct peer *p, struct rpc_endpoints *l)
{
    uint8_t handle[DCE_HANDLE_BYTES] = {0};
    for (uint32_t i = 0; i < RPC_DUMP_CALLS; i++) {
        _cleanup_(dce_answer_done) struct dce_answer a = {.call = 2 + i};
        uint8_t b[DCE_LOOKUP_BYTES];
        dce_put_lookup(b, a.call, handle);
        int err = write_all(p, b, sizeof(b));
        if (err == 0)
            err = read_answer(p, &a);
        l->calls++;
        int done = err < 0 ? err : dce_read_lookup(&a, handle, l);
        if (done != 0)
            return done < 0 ? done : 0;
    }
    return -E2BIG; /* it never ends */
}

static int connect_to(const struct addrinfo *a, struct peer *p)
{
    int err = 0;
    socklen_t len = sizeof(err);
    p->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0)
        return -errno;
    if (connect(p->fd, a->ai_addr, a->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    int w = wait_for(p, POLLOUT);
    if (w < 0)
        return w;
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        return -errno;
    return -err;
}

static int talk(const struct addrinfo *list, struct peer *p, struct rpc_endpoints *l)
{
    int err = -EADDRNOTAVAIL;
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        close_p(&p->fd);
        p->fd = -1;
        err = connect_to(a, p);
        if (err == 0)
            break;
    }
    if (err == 0)
        err = bind_mapper(p);
    return err == 0 ? look_up(p, l) : err;
}

static int explain(struct diag *d, int err, const char *host, uint16_t port)
{
    switch (err) {
    case -EBADMSG:
        (void)diag_fail(d, DIAG_SYSTEM, "the answer of '%.200s' port %u is no endpoint map", host,
                        port);
        return err;
    case -E2BIG:
        (void)diag_fail(d, DIAG_SYSTEM, "the endpoint map of '%.200s' does not end", host);
        return err;
    case -EREMOTEIO:
        (void)diag_fail(d, DIAG_SYSTEM, "the endpoint mapper of '%.200s' reports a failure", host);
        return err;
    default:
        return diag_errno(d, err, "endpoint mapper of '%.200s' (tcp port %u)", host, port);
    }
}

int rpc_dump_dce(const char *host, uint16_t port, unsigned limit_ms, struct diag *d,
                 struct rpc_endpoints *l)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    struct peer p = {.fd = -1, .end_ms = dump_now_ms() + limit_ms};
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", port); /* fits */
    int r = getaddrinfo(host, service, &hints, &list);
    if (r != 0) {
        (void)diag_fail(d, DIAG_SYSTEM, "no address of '%.200s': %s", host, gai_strerror(r));
        return -EHOSTUNREACH;
    }
    int err = talk(list, &p, l);
    freeaddrinfo(list);
    close_p(&p.fd);
    return err < 0 ? explain(d, err, host, port) : 0;
}
