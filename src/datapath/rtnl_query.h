/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One netlink question and its whole answer, on a socket that is subscribed to nothing. Used
 * for dumps and requests by rtnl_dump.c, rtnl_socks.c and attach_clsact.c. After every call,
 * also a failed one, nothing of the answer is left in the socket. */
#pragma once
#include <libmnl/libmnl.h>
#include <stdalign.h>

#include "base/util.h"

struct rtnl_query {
    struct mnl_socket *socket;
    uint32_t seq;
};

/* Largest request here: header, family header, a few attributes. Messages are built in
 * alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES]. */
enum { RTNL_ASK_BYTES = 256 };

/* protocol is NETLINK_ROUTE or NETLINK_SOCK_DIAG; in the caller's network namespace. */
_must_check_ int rtnl_query_open(struct rtnl_query *q, int protocol);
void rtnl_query_close(struct rtnl_query *q); /* also of a zeroed or half-opened one */
/* Begins a request in buf; NLM_F_REQUEST is added. */
struct nlmsghdr *rtnl_query_begin(uint8_t *buf, uint16_t type, unsigned flags);
/* Sends nlh, which has NLM_F_DUMP or NLM_F_ACK, and hands every message of the answer to apply
 * (may be NULL), which returns 0 or -errno to give up. 0, -errno of the kernel or of apply;
 * -EINTR: a dump was interrupted by a change and must be asked again. */
_must_check_ int rtnl_query_run(struct rtnl_query *q, struct nlmsghdr *nlh,
                                int (*apply)(void *u, const struct nlmsghdr *nlh), void *u);
