/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of this network namespace with a local port, by sock_diag: all states of TCP, also
 * bound ones that neither listen nor are connected (Linux 6.8), and UDP. Called by seed.c and
 * status.c. */
#pragma once
#include "base/util.h"
#include "rpc/rpc.h"

enum { SOCK_ADDRESS_BYTES = 48 };
struct sock {
    enum rpc_proto proto;
    uint8_t family; /* AF_INET, AF_INET6 */
    uint8_t state;  /* TCP_LISTEN ...; of UDP TCP_ESTABLISHED (connected) or TCP_CLOSE */
    bool six_only;
    uint16_t port, peer_port;
    uint32_t uid, ifindex;
    uint64_t inode;  /* 0 = no file any more */
    uint64_t cgroup; /* id of the directory it was made in, 0 = unknown */
    uint8_t local[16], peer[16];
};
struct socks {
    struct sock *v; /* owned */
    size_t n, cap;
};
void socks_done(struct socks *l);
_must_check_ int socks_read(struct socks *ret);
/* It waits for somebody: listens, or is UDP and not connected, or bound and nothing else. */
bool sock_waits(const struct sock *s);
/* "0.0.0.0:5001", "[::]:5001". */
void sock_print(const uint8_t address[16], uint8_t family, uint16_t port,
                char out[SOCK_ADDRESS_BYTES + 16]);
