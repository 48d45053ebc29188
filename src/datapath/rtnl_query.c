/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to the kernel over libmnl. The control callbacks are our own, because those of the
 * library ignore the error number a dump may carry in its last message. */
#include "rtnl_query.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Value of linux/netlink.h. Without strict checking the kernel ignores the filters of a dump
 * request and sends everything, which is slow, not wrong. */
enum { STRICT_CHECK = 12 };
/* The kernel asks for 32 KiB for its dumps (netlink_dump() in af_netlink.c). */
enum { ANSWER_BYTES = 32 * 1024 };

struct answer {
    int (*apply)(void *u, const struct nlmsghdr *nlh);
    void *user;
};

int rtnl_query_open(struct rtnl_query *q, int protocol)
{
    /* The kernel always answers; a bug there must not hang the agent. */
    const struct timeval patience = {.tv_sec = 5};
    int on = 1;

    *q = (struct rtnl_query){.socket = mnl_socket_open2(protocol, SOCK_CLOEXEC)};
    if (!q->socket || mnl_socket_bind(q->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        setsockopt(mnl_socket_get_fd(q->socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
                   sizeof(patience)) < 0) {
        int e = -errno;

        rtnl_query_close(q);
        return e;
    }
    mnl_socket_setsockopt(q->socket, STRICT_CHECK, &on, sizeof(on));
    return 0;
}

void rtnl_query_close(struct rtnl_query *q)
{
    if (q->socket)
        mnl_socket_close(q->socket);
    *q = (struct rtnl_query){0};
}

struct nlmsghdr *rtnl_query_begin(uint8_t *buf, uint16_t type, unsigned flags)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    return nlh;
}

static int stop(int error)
{
    if (!error)
        return MNL_CB_STOP;
    errno = -error;
    return MNL_CB_ERROR;
}

static int on_message(const struct nlmsghdr *nlh, void *u)
{
    const struct answer *a = u;
    int e = a->apply ? a->apply(a->user, nlh) : 0;

    return e ? stop(e) : MNL_CB_OK;
}

/* NLMSG_ERROR and NLMSG_DONE both begin with the error number: 0 or negative. */
static int on_end(const struct nlmsghdr *nlh, _unused_ void *u)
{
    int error = 0;

    if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
        memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
    return stop(error < 0 ? error : 0);
}

/* Throws away the rest of an answer nobody wants any more. */
static void drain(struct mnl_socket *s)
{
    uint8_t byte;

    while (recv(mnl_socket_get_fd(s), &byte, sizeof(byte), MSG_DONTWAIT) > 0)
        ;
}

int rtnl_query_run(struct rtnl_query *q, struct nlmsghdr *nlh,
                   int (*apply)(void *u, const struct nlmsghdr *nlh), void *u)
{
    mnl_cb_t control[] = {[NLMSG_ERROR] = on_end, [NLMSG_DONE] = on_end};
    alignas(struct nlmsghdr) uint8_t buf[ANSWER_BYTES];
    struct answer a = {apply, u};
    int more = MNL_CB_OK, e = 0;

    nlh->nlmsg_seq = ++q->seq;
    if (mnl_socket_sendto(q->socket, nlh, nlh->nlmsg_len) < 0)
        return -errno;
    while (more > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(q->socket, buf, sizeof(buf));

        more = n < 0 ? MNL_CB_ERROR
                     : mnl_cb_run2(buf, (size_t)n, q->seq, mnl_socket_get_portid(q->socket),
                                   on_message, &a, control, ARRAY_SIZE(control));
    }
    if (more < 0)
        e = -errno;
    drain(q->socket);
    return e;
}
