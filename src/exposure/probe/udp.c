/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/udp.c: the UDP scan (exposure.md 3.5). Called by child.c, and by coop.c for its
 * sends. One socket that is not connected; ICMP errors come through its error queue. A queued error
 * of another port is reported by the next send: it is read, and the send repeated. Silence is no
 * verdict: what is open, what is filtered and what may not answer more often look alike. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h> /* needs struct timespec */

#include "address.h"
#include "board.h"
#include "filter.h"
#include "probe.h"
#include "services.h"

enum {
    BATCH = 64,
    DATA_BYTES = 2048,
    CONTROL_BYTES = 512,
    TRIES = 200,
    MAX_ROUNDS = 3,          /* no answer is proof of nothing, so more would not help */
    MINIMUM_WAIT_US = 50000, /* a server is a process that has to be woken */
};

struct udp {
    int fd;
    const struct probe_route *route;
};

void udp_freep(struct udp **u)
{
    if (*u)
        close_p(&(*u)->fd);
    free(*u);
    *u = NULL;
}

int udp_open(const struct probe_request *r, struct diag *d, struct udp **ret)
{
    _cleanup_(udp_freep) struct udp *u = calloc(1, sizeof(*u));
    bool four = r->route->family == FAMILY_4;
    union address a;
    int one = 1;
    if (!u)
        return -ENOMEM;
    u->route = r->route;
    u->fd = socket(address_family(r->route), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (u->fd < 0 ||
        setsockopt(u->fd, four ? SOL_IP : SOL_IPV6, four ? IP_RECVERR : IPV6_RECVERR, &one,
                   sizeof(one)) < 0 ||
        bind(u->fd, &a.any, address_fill(&a, r->route, r->route->source, 0)) < 0)
        return diag_errno(d, errno, "cannot open a socket");
    filter_large_buffers(u->fd);
    *ret = TAKE_PTR(u);
    return 0;
}

/* One entry of the error queue: the kernel has matched it to our socket. */
static void take_error(const struct udp *u, struct board *b, struct msghdr *m)
{
    struct answer a = {.round = b->rounds.round - 1};
    bool four = u->route->family == FAMILY_4;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct sock_extended_err e;
        bool ours = four ? c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR
                         : c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (!ours || c->cmsg_len < CMSG_LEN(sizeof(e)))
            continue;
        memcpy(&e, CMSG_DATA(c), sizeof(e));
        if (e.ee_origin == (four ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6) &&
            address_is_target(m->msg_name, u->route, &a.port) &&
            answer_icmp_means(u->route->family, e.ee_type, e.ee_code, true, &a))
            board_take(b, &a, board_now_us());
    }
}

static bool drain_errors(struct udp *u, struct board *b)
{
    bool any = false;
    for (;;) {
        uint8_t data[DATA_BYTES];
        _Alignas(struct cmsghdr) uint8_t control[CONTROL_BYTES];
        union address from;
        struct iovec v = {data, sizeof(data)};
        struct msghdr m = {.msg_name = &from,
                           .msg_namelen = sizeof(from),
                           .msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
        if (recvmsg(u->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return any;
        any = true;
        take_error(u, b, &m);
    }
}

static void drain(struct udp *u, struct board *b)
{
    (void)drain_errors(u, b);
    for (unsigned errors = 0; errors < BATCH;) {
        uint8_t data[DATA_BYTES];
        union address from;
        socklen_t len = sizeof(from);
        struct answer a = {.round = b->rounds.round - 1, .state = PROBE_OPEN};
        ssize_t n = recvfrom(u->fd, data, sizeof(data), MSG_DONTWAIT, &from.any, &len);
        if (n < 0 && (errno == EAGAIN))
            return;
        if (n < 0) { /* the pending error, whose entry was read from the queue */
            errors++;
            continue;
        }
        if (!address_is_target(&from, u->route, &a.port))
            continue;
        uint8_t service = service_answer(a.port, data, (size_t)n);
        if (service)
            b->out->service[a.port] = service;
        board_take(b, &a, board_now_us());
    }
}

static void wait_us(struct udp *u, struct board *b, uint64_t us)
{
    struct pollfd p = {.fd = u->fd, .events = POLLIN};
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    if (ppoll(&p, 1, &t, NULL) > 0)
        drain(u, b);
}

/* What a batch sends. */
struct batch {
    union address to[BATCH];
    uint64_t tag[BATCH]; /* cooperative scan */
    struct iovec v[BATCH];
    struct mmsghdr m[BATCH];
};

static void fill(const struct udp *u, const uint16_t *ports, unsigned n, const uint64_t *key,
                 struct batch *s)
{
    for (unsigned i = 0; i < n; i++) {
        socklen_t len = address_fill(&s->to[i], u->route, u->route->ip, ports[i]);
        size_t size = 0;
        if (key) {
            s->tag[i] = probe_tag(key[0], key[1], probe_word(IPPROTO_UDP, ports[i]));
            s->v[i] = (struct iovec){&s->tag[i], sizeof(s->tag[i])};
        } else {
            union { /* sendmsg() does not write, but its type says that it might */
                const uint8_t *in;
                void *out;
            } question = {.in = service_question(ports[i], &size)};
            s->v[i] = (struct iovec){question.out, size};
        }
        s->m[i] = (struct mmsghdr){
            .msg_hdr = {
                .msg_name = &s->to[i], .msg_namelen = len, .msg_iov = &s->v[i], .msg_iovlen = 1}};
    }
}

static void send_batch(struct udp *u, struct board *b, const uint16_t *ports, unsigned n,
                       const uint64_t *key)
{
    struct batch s;
    unsigned at = 0, tries = 0;
    fill(u, ports, n, key, &s);
    while (at < n && !board_must_stop()) {
        uint64_t now = board_now_us();
        int sent = sendmmsg(u->fd, s.m + at, n - at, 0);
        int err = errno;
        for (int i = 0; i < sent; i++)
            board_sent(b, ports[at++], now);
        if (sent > 0) {
            tries = 0;
            continue;
        }
        bool is_full = err == ENOBUFS || err == EAGAIN || err == ENOMEM;
        bool had_error = drain_errors(u, b); /* then it was about another port */
        if (++tries >= (is_full || had_error ? TRIES : 3)) {
            board_failed(b, ports[at++], err);
            tries = 0;
        } else if (is_full) {
            wait_us(u, b, 1000);
        }
    }
}

static void send_round(struct udp *u, struct board *b, const uint64_t *key)
{
    for (uint32_t at = 0; at < b->n_todo && !board_must_stop();) {
        uint32_t left = b->n_todo - at;
        unsigned n = pace_may(&b->pace, board_now_us(), left < BATCH ? left : BATCH);
        if (n == 0) {
            uint64_t next = pace_next_us(&b->pace), now = board_now_us();
            wait_us(u, b, next > now ? next - now : 0);
            continue;
        }
        send_batch(u, b, b->todo + at, n, key);
        pace_sent(&b->pace, n);
        at += n;
        drain(u, b);
    }
    b->last_us = board_now_us();
}

int udp_send_tagged(struct udp *u, struct board *b, const uint64_t key[2])
{
    send_round(u, b, key);
    return board_must_stop() ? -EINTR : 0;
}

int udp_run(struct udp *u, struct board *b, struct diag *d _unused_)
{
    b->max_rounds = MAX_ROUNDS;
    b->rounds.minimum_us = MINIMUM_WAIT_US;
    do {
        board_next_round(b, false);
        send_round(u, b, NULL);
        for (;;) {
            uint64_t now = board_now_us(), wait = rounds_wait_us(&b->rounds);
            if (board_round_is_over(b, now))
                break;
            wait_us(u, b, wait - (now - b->last_us));
        }
    } while (!board_is_over(b));
    return 0;
}
