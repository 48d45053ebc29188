/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/gateways.c: the gateways of the default routes, for the address `gateway` of filters.
 * Called by resolver.c when routes changed while filters use it. A dump of the main table of both
 * families (rtnetlink(7), RTM_GETROUTE); nothing is sent to the network. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "keywords.h"

enum { BUFFER_BYTES = 32768 }; /* what the kernel fills in one message of a dump at most */

struct walk {
    struct address_list *out;
    enum family family;
};

static void add_bytes(struct walk *w, enum family f, const void *bytes, size_t n)
{
    if (n == family_bits(f) / 8)
        address_list_add(w->out, f, ip_from_bytes(f, bytes));
}

/* RTA_GATEWAY, or RTA_VIA (an IPv4 route over an IPv6 gateway, RFC 5549). */
static void add_gateway(struct walk *w, const struct nlattr *attr)
{
    size_t n = mnl_attr_get_payload_len(attr);
    const uint8_t *p = mnl_attr_get_payload(attr);
    if (mnl_attr_get_type(attr) == RTA_GATEWAY) {
        add_bytes(w, w->family, p, n);
    } else if (mnl_attr_get_type(attr) == RTA_VIA && n > sizeof(struct rtvia)) {
        struct rtvia via;
        memcpy(&via, p, sizeof(via));
        add_bytes(w, via.rtvia_family == AF_INET6 ? FAMILY_6 : FAMILY_4, p + sizeof(via),
                  n - sizeof(via));
    }
}

static int next_hop_attribute(const struct nlattr *attr, void *data)
{
    add_gateway(data, attr);
    return MNL_CB_OK;
}

static void add_next_hops(struct walk *w, const struct nlattr *attr)
{
    const uint8_t *p = mnl_attr_get_payload(attr);
    size_t left = mnl_attr_get_payload_len(attr);
    while (left >= sizeof(struct rtnexthop)) {
        struct rtnexthop nh;
        memcpy(&nh, p, sizeof(nh));
        if (nh.rtnh_len < sizeof(nh) || nh.rtnh_len > left)
            return;
        (void)mnl_attr_parse_payload(p + sizeof(nh), nh.rtnh_len - sizeof(nh), next_hop_attribute,
                                     w); /* what is broken names no gateway */
        size_t step = RTNH_ALIGN(nh.rtnh_len);
        if (step > left)
            return;
        p += step;
        left -= step;
    }
}

static int attribute(const struct nlattr *attr, void *data)
{
    if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
        add_next_hops(data, attr);
    else
        add_gateway(data, attr);
    return MNL_CB_OK;
}

static int message(const struct nlmsghdr *nlh, void *data)
{
    const struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);
    if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rt) ||
        rt->rtm_dst_len != 0 || rt->rtm_table != RT_TABLE_MAIN || rt->rtm_type != RTN_UNICAST)
        return MNL_CB_OK;
    return mnl_attr_parse(nlh, sizeof(*rt), attribute, data);
}

static int dump(struct mnl_socket *s, enum family f, unsigned seq, struct address_list *out)
{
    struct walk w = {out, f};
    _cleanup_free_ char *buffer = malloc(BUFFER_BYTES);
    if (!buffer)
        return -ENOMEM;
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
    nlh->nlmsg_type = RTM_GETROUTE;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    nlh->nlmsg_seq = seq;
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
    rt->rtm_family = f == FAMILY_4 ? AF_INET : AF_INET6;
    rt->rtm_table = RT_TABLE_MAIN;
    if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
        return -errno;
    for (int more = MNL_CB_OK; more == MNL_CB_OK;) {
        ssize_t n = mnl_socket_recvfrom(s, buffer, BUFFER_BYTES);
        if (n < 0)
            return -errno;
        more = mnl_cb_run(buffer, (size_t)n, seq, mnl_socket_get_portid(s), message, &w);
        if (more < 0)
            return -errno;
    }
    return 0;
}

int gateways_read(struct address_list *ret)
{
    struct address_list l = {.n = 0};
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!s)
        return -errno;
    int err = mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
    int strict = 1;
    /* Only the main table is dumped; older kernels dump all, message() looks again. */
    (void)mnl_socket_setsockopt(s, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
    if (err == 0)
        err = dump(s, FAMILY_4, 1, &l);
    if (err == 0)
        err = dump(s, FAMILY_6, 2, &l);
    mnl_socket_close(s);
    if (err < 0)
        return err;
    *ret = l;
    return 0;
}
