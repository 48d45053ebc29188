/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/route.c: asks the kernel which source address and interface lead to a peer, so that
 * `explain` can put an address in for `me` and name the interface.
 * Called by explain.c. One rtnetlink request (rtnetlink(7), RTM_GETROUTE); nothing is sent to
 * the network. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "internal.h"

struct question {
    enum family family;
    struct route_answer answer;
};

static int attribute(const struct nlattr *attr, void *data)
{
    struct question *q = data;
    size_t bytes = family_bits(q->family) / 8;
    uint16_t type = mnl_attr_get_type(attr);
    if (type == RTA_OIF && mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
        q->answer.ifindex = mnl_attr_get_u32(attr);
    if (type == RTA_PREFSRC && mnl_attr_get_payload_len(attr) == bytes)
        q->answer.source = ip_from_bytes(q->family, mnl_attr_get_payload(attr));
    return MNL_CB_OK;
}

static int message(const struct nlmsghdr *nlh, void *data)
{
    return mnl_attr_parse(nlh, sizeof(struct rtmsg), attribute, data);
}

/* One answer to one question; 8 KiB is what libmnl itself uses at most. */
enum { BUFFER_BYTES = 8192 };

static int ask(struct mnl_socket *s, struct question *q, struct ip peer)
{
    char buffer[BUFFER_BYTES];
    uint8_t bytes[16];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
    nlh->nlmsg_type = RTM_GETROUTE;
    nlh->nlmsg_flags = NLM_F_REQUEST;
    nlh->nlmsg_seq = 1;
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
    rt->rtm_family = q->family == FAMILY_4 ? AF_INET : AF_INET6;
    rt->rtm_dst_len = (uint8_t)family_bits(q->family);
    ip_to_bytes(q->family, peer, bytes);
    mnl_attr_put(nlh, RTA_DST, family_bits(q->family) / 8, bytes);
    if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
        return -errno;
    ssize_t n = mnl_socket_recvfrom(s, buffer, sizeof(buffer));
    if (n < 0)
        return -errno;
    return mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(s), message, q) < 0 ? -errno : 0;
}

int route_lookup(enum family f, struct ip peer, struct route_answer *ret)
{
    struct question q = {.family = f};
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!s)
        return -errno;
    int err = mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : ask(s, &q, peer);
    mnl_socket_close(s);
    if (err < 0)
        return err;
    *ret = q.answer;
    return 0;
}
