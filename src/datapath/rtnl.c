/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subscribed socket: receives notifications in order, applies each to the tables, and asks
 * for a dump where messages are missing or the kernel is known to send none. */
#include "rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/datapath.h"
#include "rtnl_internal.h"

/* Room for the burst of some thousand interfaces appearing at once (about 2 KiB each); what
 * does not fit costs a dump, nothing else. */
enum { RECEIVE_BYTES = 4 * 1024 * 1024 };
/* Datagrams read in one call, so that a flood of changes cannot keep the caller's loop busy;
 * the descriptor stays readable. */
enum { DATAGRAMS_PER_CALL = 1024 };

static const unsigned groups[] = {
    RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR,  RTNLGRP_IPV6_IFADDR,  RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF,
};

void rtnl_op_result(struct rtnl *r, int e)
{
    if (e < 0 && !r->op_error)
        r->op_error = e;
}

static int subscribe(int *ret)
{
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
    _cleanup_(close_p) int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    int size = RECEIVE_BYTES;

    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
            return -errno;
    /* Without the privilege the default size must do. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 && errno != EPERM)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}

static int apply(struct rtnl *r, const struct nlmsghdr *nlh)
{
    union {
        struct rtnl_link_msg link;
        struct rtnl_addr_msg addr;
        struct rtnl_route route;
        struct rtnl_conf_msg conf;
    } m;

    switch (nlh->nlmsg_type) {
    case RTM_NEWLINK:
        return rtnl_parse_link(nlh, &m.link) ? links_set(r, &m.link) : 0;
    case RTM_DELLINK:
        return rtnl_parse_link(nlh, &m.link) ? links_del(r, m.link.ifindex) : 0;
    case RTM_NEWADDR:
        return rtnl_parse_addr(nlh, &m.addr) ? leases_set(r, &m.addr) : 0;
    case RTM_DELADDR:
        if (rtnl_parse_addr(nlh, &m.addr))
            leases_del(r, &m.addr);
        return 0;
    case RTM_NEWROUTE:
        return rtnl_parse_route(nlh, &m.route)
                   ? routes_set(r, &m.route, nlh->nlmsg_flags & NLM_F_REPLACE)
                   : 0;
    case RTM_DELROUTE:
        if (rtnl_parse_route(nlh, &m.route))
            routes_del(r, &m.route);
        return 0;
    case RTM_NEWNETCONF:
        if (rtnl_parse_conf(nlh, &m.conf))
            links_conf(r, &m.conf);
        return 0;
    }
    return 0;
}

static int apply_datagram(struct rtnl *r, size_t len)
{
    const void *p = r->buf;
    int left = (int)len;

    for (const struct nlmsghdr *nlh = p; mnl_nlmsg_ok(nlh, left);
         nlh = mnl_nlmsg_next(nlh, &left)) {
        int e = apply(r, nlh);

        if (e)
            return e;
    }
    return 0;
}

/* One datagram: 1 if there was one, 0 if there is none, -errno. Missing messages set r->lost. */
static int receive_one(struct rtnl *r)
{
    struct sockaddr_nl from = {0};
    struct iovec iov = {r->buf, RTNL_BUF_BYTES};
    struct msghdr mh = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = recvmsg(r->fd, &mh, 0);

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0 && errno == EINTR)
        return 1;
    if (n < 0 && errno != ENOBUFS)
        return -errno;
    if (n < 0 || mh.msg_flags & MSG_TRUNC) {
        r->lost = true;
        return 1;
    }
    if (from.nl_pid) /* only the kernel knows */
        return 1;
    int e = apply_datagram(r, (size_t)n);
    if (e) { /* out of memory: the rest of the datagram was not applied */
        r->lost = true;
        return e;
    }
    return 1;
}

/* Dumps what is needed. Interrupted again and again is no failure: the messages of what
 * interrupts us are waiting, and the next call dumps again. */
static int catch_up(struct rtnl *r)
{
    int e = 0;

    if (r->lost) {
        r->lost = r->routes_dirty = false;
        e = dump_all(r);
        r->lost = e != 0;
    }
    /* Also after a full dump: its links may have had something to say about routes. */
    if (r->routes_dirty && !r->lost) {
        r->routes_dirty = false;
        e = dump_routes(r);
        r->routes_dirty = e != 0;
    }
    return e == -EINTR ? 0 : e;
}

static int finish(struct rtnl *r, int e, unsigned *ret_changes)
{
    *ret_changes = r->changes;
    return e ? e : r->op_error;
}

int rtnl_process(struct rtnl *r, unsigned *ret_changes)
{
    int e = 1;

    r->changes = 0;
    r->op_error = 0;
    for (unsigned i = 0; i < DATAGRAMS_PER_CALL && e > 0; i++)
        e = receive_one(r);
    return finish(r, e < 0 ? e : catch_up(r), ret_changes);
}

int rtnl_resync(struct rtnl *r, unsigned *ret_changes)
{
    r->changes = 0;
    r->op_error = 0;
    r->lost = true;
    return finish(r, catch_up(r), ret_changes);
}

int rtnl_fd(const struct rtnl *r)
{
    return r->fd;
}

const struct host *rtnl_host(const struct rtnl *r)
{
    return &r->host;
}

struct rtnl *rtnl_close(struct rtnl *r)
{
    if (!r)
        return NULL;
    close_p(&r->fd);
    rtnl_query_close(&r->query);
    host_done(&r->host);
    free(r->links);
    free(r->leases);
    free(r->clients);
    free(r->routes.v);
    free(r->fresh.v);
    free(r->buf);
    free(r);
    return NULL;
}

void rtnl_closep(struct rtnl **r)
{
    *r = rtnl_close(*r);
}

int rtnl_open(const struct rtnl_ops *ops, void *u, struct diag *d, struct rtnl **ret)
{
    _cleanup_(rtnl_closep) struct rtnl *r = calloc(1, sizeof(*r));
    unsigned changes;

    if (!r)
        return diag_errno(d, ENOMEM, "cannot watch the network interfaces");
    r->ops = ops;
    r->user = u;
    r->fd = -1;
    r->buf = malloc(RTNL_BUF_BYTES);
    int e = r->buf ? subscribe(&r->fd) : -ENOMEM;

    if (!e)
        e = rtnl_query_open(&r->query, NETLINK_ROUTE);
    if (!e)
        e = rtnl_resync(r, &changes);
    if (e)
        return diag_errno(d, e, "cannot read the network interfaces");
    *ret = TAKE_PTR(r);
    return 0;
}
