/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/syn.c: the SYN scan (exposure.md 3.3): no state but the board. Called by child.c:
 * syn_open() with rights, syn_run() without.
 * Ten bound TCP sockets that never listen hold the source ports, one per round: the kernel resets
 * each SYN-ACK, so that nothing stays half open, and a SYN of a later round is a new connection to
 * the target, not a repeated one that it would answer at most every 500 ms (tcp_invalid_ratelimit).
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter.h"
#include "syn.h"

enum { ICMP_V4_FILTER = 1, ICMP_V4_UNREACHABLE = 3 };

void syn_freep(struct syn **s)
{
    if (!*s)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE((*s)->sender); i++)
        close_p(&(*s)->sender[i].fd);
    close_p(&(*s)->helper);
    close_p(&(*s)->rx);
    close_p(&(*s)->icmp);
    for (unsigned i = 0; i < PROBE_ROUNDS_MAX; i++)
        close_p(&(*s)->hold[i]);
    free(*s);
    *s = NULL;
}

static int hold_ports(struct syn *s, struct diag *d)
{
    for (unsigned i = 0; i < PROBE_ROUNDS_MAX; i++) {
        union address a;
        socklen_t len = address_fill(&a, s->route, s->route->source, 0);
        s->hold[i] = socket(address_family(s->route), SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (s->hold[i] < 0 || bind(s->hold[i], &a.any, len) < 0 ||
            getsockname(s->hold[i], &a.any, &len) < 0)
            return diag_errno(d, errno, "cannot take a source port");
        s->c.source_ports[i] =
            ntohs(s->route->family == FAMILY_4 ? a.four.sin_port : a.six.sin6_port);
        s->c.n_source_ports++;
    }
    return 0;
}

static int open_raw(const struct syn *s, int proto, struct diag *d, int *ret)
{
    *ret = socket(address_family(s->route), SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
    return *ret < 0 ? diag_errno(d, errno, "cannot open a raw socket") : 0;
}

/* Only answers of the target, only to our ports. */
static int open_answers(struct syn *s, struct diag *d)
{
    union address a;
    int err = open_raw(s, IPPROTO_TCP, d, &s->rx);
    if (err < 0)
        return err;
    err = filter_answers(s->rx, &s->c);
    if (err == 0 && connect(s->rx, &a.any, address_fill(&a, s->route, s->route->ip, 0)) < 0)
        err = -errno;
    filter_large_buffers(s->rx);
    return err < 0 ? diag_errno(d, err, "cannot listen for answers") : 0;
}

static int open_errors(struct syn *s, struct diag *d)
{
    bool four = s->route->family == FAMILY_4;
    struct icmp6_filter six;
    uint32_t others = ~(1U << ICMP_V4_UNREACHABLE);
    int err = open_raw(s, four ? IPPROTO_ICMP : IPPROTO_ICMPV6, d, &s->icmp);
    if (err < 0)
        return err;
    ICMP6_FILTER_SETBLOCKALL(&six);
    ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &six);
    err = four ? setsockopt(s->icmp, SOL_RAW, ICMP_V4_FILTER, &others, sizeof(others))
               : setsockopt(s->icmp, IPPROTO_ICMPV6, ICMP6_FILTER, &six, sizeof(six));
    filter_large_buffers(s->icmp);
    return err < 0 ? diag_errno(d, errno, "cannot listen for ICMP errors") : 0;
}

static int open_sender(struct syn *s, struct syn_sender *x, struct diag *d)
{
    bool four = s->route->family == FAMILY_4;
    int at = PACKET_TCP_CHECKSUM_AT;
    union address a;
    int err = open_raw(s, four ? IPPROTO_RAW : IPPROTO_TCP, d, &x->fd);
    if (err < 0)
        return err;
    if (!four && (bind(x->fd, &a.any, address_fill(&a, s->route, s->route->source, 0)) < 0 ||
                  setsockopt(x->fd, IPPROTO_IPV6, IPV6_CHECKSUM, &at, sizeof(at)) < 0))
        return diag_errno(d, errno, "cannot send from the source address");
    filter_large_buffers(x->fd);
    err = filter_nothing(x->fd);
    return err < 0 ? diag_errno(d, err, "cannot open a raw socket") : 0;
}

int syn_open(const struct probe_request *r, struct diag *d, struct syn **ret)
{
    _cleanup_(syn_freep) struct syn *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->rx = s->icmp = s->helper = s->sender[0].fd = s->sender[1].fd = -1;
    s->sender[1].is_helper = true;
    for (unsigned i = 0; i < PROBE_ROUNDS_MAX; i++)
        s->hold[i] = -1;
    for (unsigned i = 0; i < SYN_RECEIVE; i++) {
        s->v[i] = (struct iovec){s->received[i], SYN_PACKET_BYTES};
        s->m[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &s->from[i],
                                               .msg_namelen = sizeof(s->from[i]),
                                               .msg_iov = &s->v[i],
                                               .msg_iovlen = 1}};
    }
    s->route = r->route;
    s->c.family = r->route->family;
    ip_to_bytes(s->c.family, r->route->ip, s->c.target);
    ip_to_bytes(s->c.family, r->route->source, s->source);
    s->to_len = address_fill(&s->to, s->route, s->route->ip, 0);
    if (getrandom(s->c.key, sizeof(s->c.key), 0) != (ssize_t)sizeof(s->c.key))
        return diag_errno(d, EIO, "cannot get random bytes");
    int err = hold_ports(s, d);
    if (err == 0)
        err = open_answers(s, d);
    if (err == 0)
        err = open_errors(s, d);
    if (err == 0)
        err = open_sender(s, &s->sender[0], d);
    if (err == 0)
        err = open_sender(s, &s->sender[1], d);
    if (err == 0)
        *ret = TAKE_PTR(s);
    return err;
}

void syn_use_key(struct syn *s, const uint64_t key[2])
{
    memcpy(s->c.key, key, sizeof(s->c.key));
}

/* One packet of a raw socket. */
static void take(struct syn *s, struct board *b, const struct mmsghdr *m, bool is_icmp)
{
    const uint8_t *data = m->msg_hdr.msg_iov->iov_base;
    const struct sockaddr_in6 *from = m->msg_hdr.msg_name;
    struct answer a;
    bool found;
    if (is_icmp)
        found = s->c.family == FAMILY_4 ? answer_icmp4(&s->c, data, m->msg_len, &a)
                                        : answer_icmp6(&s->c, data, m->msg_len, &a);
    else
        found = s->c.family == FAMILY_4
                    ? answer_tcp4(&s->c, data, m->msg_len, &a)
                    : answer_tcp6(&s->c, from->sin6_addr.s6_addr, data, m->msg_len, &a);
    if (found)
        board_take(b, &a, board_now_us());
}

static void drain_socket(struct syn *s, struct board *b, int fd, bool is_icmp)
{
    int n;
    do {
        n = recvmmsg(fd, s->m, SYN_RECEIVE, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++) {
            take(s, b, &s->m[i], is_icmp);
            s->m[i].msg_hdr.msg_namelen = sizeof(s->from[i]); /* the kernel has changed it */
        }
    } while (n == SYN_RECEIVE);
    /* A pending error of the connected socket is read and forgotten: the ICMP socket has it. */
}

void syn_drain(struct syn *s, struct board *b)
{
    drain_socket(s, b, s->rx, false);
    drain_socket(s, b, s->icmp, true);
}

void syn_wait_us(struct syn *s, struct board *b, uint64_t us)
{
    struct pollfd p[2] = {{.fd = s->rx, .events = POLLIN}, {.fd = s->icmp, .events = POLLIN}};
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    if (ppoll(p, 2, &t, NULL) > 0)
        syn_drain(s, b);
}

static void run_round(struct syn *s, struct board *b)
{
    uint32_t half = b->n_todo / 2;
    bool helped = syn_helper_take(s, b, half);
    syn_send(s, &s->sender[0], b, 0, helped ? half : b->n_todo);
    if (helped)
        syn_helper_wait(s, b);
    b->last_us = board_now_us();
    for (;;) {
        uint64_t now = board_now_us(), wait = rounds_wait_us(&b->rounds);
        if (board_round_is_over(b, now))
            return;
        syn_wait_us(s, b, wait - (now - b->last_us));
    }
}

int syn_run(struct syn *s, struct board *b, struct diag *d _unused_)
{
    syn_helper_start(s, b);
    do {
        board_next_round(b, true);
        run_round(s, b);
    } while (!board_is_over(b));
    return 0;
}
