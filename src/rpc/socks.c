/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See socks.h. The list itself is read by src/sockets. */
#include "socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "sockets/sockets.h"

enum { STATE_BOUND = 13 /* TCP_BOUND_INACTIVE, Linux 6.8 */ };

void socks_done(struct socks *l)
{
    free(l->v);
    *l = (struct socks){0};
}

static struct sock sock_of(const struct socket_row *r)
{
    struct sock s = {
        .proto = r->proto == IPPROTO_TCP ? RPC_PROTO_TCP : RPC_PROTO_UDP,
        .family = r->family,
        .state = r->tcp_state,
        .six_only = r->six_only,
        .port = r->port,
        .peer_port = r->peer_port,
        .uid = r->uid,
        .ifindex = r->ifindex,
        .inode = r->inode,
        .cgroup = r->cgroup,
    };

    memcpy(s.local, r->local, sizeof(s.local));
    memcpy(s.peer, r->peer, sizeof(s.peer));
    return s;
}

int socks_read(struct socks *ret)
{
    _cleanup_(sockets_done) struct sockets all = {0};
    struct diag d;
    int r = sockets_read(SOCKETS_WAITING | SOCKETS_CONNECTED, NULL, &d, &all);

    if (r < 0)
        return r;
    struct socks l = {.v = calloc(all.n + 1, sizeof(*l.v)), .cap = all.n + 1};
    if (!l.v)
        return -ENOMEM;
    for (size_t i = 0; i < all.n; i++)
        if (all.v[i].proto == IPPROTO_TCP || all.v[i].proto == IPPROTO_UDP)
            l.v[l.n++] = sock_of(&all.v[i]);
    *ret = l;
    return 0;
}

bool sock_waits(const struct sock *s)
{
    if (s->proto == RPC_PROTO_UDP)
        return s->state != TCP_ESTABLISHED;
    return s->state == TCP_LISTEN || s->state == STATE_BOUND || s->state == TCP_CLOSE;
}

void sock_print(const uint8_t address[16], uint8_t family, uint16_t port,
                char out[SOCK_ADDRESS_BYTES + 16])
{
    char text[SOCK_ADDRESS_BYTES];

    if (!inet_ntop(family, address, text, sizeof(text)))
        text[0] = '\0'; /* no other family is asked for */
    (void)snprintf(out, SOCK_ADDRESS_BYTES + 16, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
                   port);
}
