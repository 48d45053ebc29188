/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attack generator of the tests of memory pressure protection: a TCP peer of its own over a
 * packet socket, that holds thousands of connections in bad states. pw-attack.c has options,
 * guards and the loop, attack_wire.c the frames. Works in namespaces of tests alone. */
#pragma once
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "base/util.h"

enum attack_mode {
    ATTACK_IDLE,  /* opens and says nothing */
    ATTACK_ZERO,  /* asks for much, closes its window (after `grow` bytes) */
    ATTACK_SLOW,  /* takes one window a second */
    ATTACK_NOACK, /* never acknowledges data */
    ATTACK_SYN,   /* forged SYNs, no answer */
    _ATTACK_MAX,
};
enum attack_state { CONN_NEW, CONN_SYN_SENT, CONN_OPEN, CONN_RESET };

struct attack_conn {
    uint32_t seq, rcv_next, got;
    uint8_t state;
    bool was_reset;
    uint64_t acked_ns; /* or last SYN */
};

struct attack {
    enum attack_mode mode;
    const char *ifname, *list;
    bool ipv6, reopen;
    uint8_t src[16], dst[16]; /* IPv4 in the first four bytes; src: of the first source */
    uint8_t mac_src[6], mac_dst[6];
    uint16_t dport;
    long n, rate, per_source;
    uint32_t grow, window;
    double seconds;
    char request[128];
    size_t request_len;
    int fd;
    struct sockaddr_ll to;
    struct attack_conn *conns;
    unsigned long opened, reset, sent;
};

struct attack_segment {
    long conn;
    uint8_t flags;
    uint32_t seq, ack;
    uint16_t window;
    const char *data;
    size_t len;
};
struct attack_answer {
    long conn;
    uint8_t flags;
    uint32_t seq;
    size_t len; /* of its data */
};

/* Address of the source of a connection: IPv4 counts up, IPv6 in the upper half, so that each
 * source is a /64 of its own. */
void attack_source(const struct attack *a, long conn, uint8_t ret[16]);
uint16_t attack_port(const struct attack *a, long conn);
void attack_send(struct attack *a, const struct attack_segment *s);
/* False: not one of ours. */
bool attack_parse(const struct attack *a, const uint8_t *frame, size_t len,
                  struct attack_answer *ret);
