/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/synsend.c: builds and sends the probes of a round. Called by syn.c, and by
 * synhelp.c in the second process. What this host cannot send is noted for that port, and the next
 * one is tried all the same; only the board says later what that means. */
#include <errno.h>
#include <time.h>

#include "syn.h"

enum {
    TRIES_FULL = 200, /* of a full queue, a millisecond each */
    TRIES = 3,        /* of any other error */
    FULL_WAIT_US = 1000,
};

static void build(const struct syn *s, struct syn_sender *x, const struct board *b,
                  const uint16_t *ports, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct packet_syn p = {s->source, s->c.target, s->c.source_ports[b->rounds.round - 1],
                               ports[i], answer_cookie(&s->c, ports[i])};
        (void)(s->c.family == FAMILY_4 ? packet_syn4(&p, x->packets[i])
                                       : packet_syn6(&p, x->packets[i]));
    }
}

static void pause_us(struct syn *s, const struct syn_sender *x, struct board *b, uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    if (x->is_helper)
        (void)nanosleep(&t, NULL); /* a signal ends the scan */
    else
        syn_wait_us(s, b, us);
}

static void send_batch(struct syn *s, struct syn_sender *x, struct board *b, const uint16_t *ports,
                       unsigned n)
{
    size_t size = s->c.family == FAMILY_4 ? PACKET_MAX_BYTES : PACKET_SYN_BYTES;
    struct mmsghdr m[SYN_BATCH];
    struct iovec v[SYN_BATCH];
    unsigned at = 0, tries = 0;
    for (unsigned i = 0; i < n; i++) {
        v[i] = (struct iovec){x->packets[i], size};
        m[i] = (struct mmsghdr){
            .msg_hdr = {
                .msg_name = &s->to, .msg_namelen = s->to_len, .msg_iov = &v[i], .msg_iovlen = 1}};
    }
    while (at < n && !board_must_stop()) {
        uint64_t now = board_now_us();
        int sent = sendmmsg(x->fd, m + at, n - at, 0);
        for (int i = 0; i < sent; i++)
            board_sent(b, ports[at++], now);
        if (sent > 0) {
            tries = 0;
            continue;
        }
        bool is_full = errno == ENOBUFS || errno == EAGAIN || errno == ENOMEM;
        if (++tries >= (is_full ? TRIES_FULL : TRIES)) {
            board_failed(b, ports[at++], errno);
            tries = 0;
        } else if (is_full) {
            pause_us(s, x, b, FULL_WAIT_US);
        }
    }
}

void syn_send(struct syn *s, struct syn_sender *x, struct board *b, uint32_t first, uint32_t last)
{
    for (uint32_t at = first; at < last && !board_must_stop();) {
        uint32_t left = last - at;
        unsigned n = pace_may(&b->pace, board_now_us(), left < SYN_BATCH ? left : SYN_BATCH);
        if (n == 0) {
            uint64_t next = pace_next_us(&b->pace), now = board_now_us();
            pause_us(s, x, b, next > now ? next - now : 0);
            continue;
        }
        build(s, x, b, b->todo + at, n);
        send_batch(s, x, b, b->todo + at, n);
        if (!x->is_helper) { /* whose rate has no limit */
            pace_sent(&b->pace, n);
            syn_drain(s, b);
        }
        at += n;
    }
}
