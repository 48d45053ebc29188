/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What syn.c (sockets, answers, rounds), synsend.c (probes) and synhelp.c (a second process that
 * sends) share. */
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include "address.h"
#include "board.h"
#include "packet.h"

enum {
    SYN_BATCH = 64, /* measured: 64 probes and a look at the answers beat 256 and 1024 */
    SYN_RECEIVE = 256,
    SYN_PACKET_BYTES = 128, /* headers, in an ICMP error of two packets */
};

/* One process that sends, and its socket. */
struct syn_sender {
    int fd;
    bool is_helper; /* then nobody here looks at answers */
    uint8_t packets[SYN_BATCH][PACKET_MAX_BYTES];
};
struct syn {
    struct syn_sender sender[2]; /* this process, the helper */
    int rx, icmp, hold[PROBE_ROUNDS_MAX];
    int helper; /* socket to it, -1 = none */
    const struct probe_route *route;
    struct answer_context c;
    uint8_t source[16];
    union address to;
    socklen_t to_len;
    uint8_t received[SYN_RECEIVE][SYN_PACKET_BYTES];
    struct sockaddr_in6 from[SYN_RECEIVE];
    struct iovec v[SYN_RECEIVE];
    struct mmsghdr m[SYN_RECEIVE];
};

/* Waits at most so long for answers, and takes what is there. */
void syn_wait_us(struct syn *s, struct board *b, uint64_t us);
void syn_drain(struct syn *s, struct board *b);

/* Ports of todo from first to below last. */
void syn_send(struct syn *s, struct syn_sender *x, struct board *b, uint32_t first, uint32_t last);

/* A helper that sends half of a large round, where there is a second CPU and no limit of the rate:
 * most of the work of a probe is the kernel's, on the CPU that sends it. */
void syn_helper_start(struct syn *s, struct board *b);
/* Gives it todo from first on; false: there is none, or it is not worth it. */
bool syn_helper_take(struct syn *s, const struct board *b, uint32_t first);
/* Until it is done. */
void syn_helper_wait(struct syn *s, struct board *b);
