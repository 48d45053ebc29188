/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/route.c: where packets to an address would go, asked of rtnetlink, and the change
 * into another network namespace. Called for the plan of a scan. /sys/class/net is never read: it
 * may show another namespace. */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "exposureprobe/probe.h"

enum { ANSWER_BYTES = 32768, NETNS_PATH_BYTES = 4096 };

static void mnl_closep(struct mnl_socket **s)
{
    if (*s)
        (void)mnl_socket_close(*s);
}

static int ask(struct mnl_socket *s, struct nlmsghdr *h, mnl_cb_t cb, void *ctx)
{
    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    h->nlmsg_seq = 1;
    if (mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
        return -errno;
    ssize_t n = mnl_socket_recvfrom(s, answer, sizeof(answer));
    if (n < 0 || mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(s), cb, ctx) < 0)
        return -errno;
    return 0;
}

static int take_ip(const struct nlattr *a, enum family f, struct ip *ret)
{
    if (mnl_attr_get_payload_len(a) != family_bits(f) / 8)
        return MNL_CB_ERROR;
    *ret = ip_from_bytes(f, mnl_attr_get_payload(a));
    return MNL_CB_OK;
}

static int take_route_attr(const struct nlattr *a, void *ctx)
{
    struct probe_route *r = ctx;
    switch (mnl_attr_get_type(a)) {
    case RTA_OIF:
        if (mnl_attr_validate(a, MNL_TYPE_U32) < 0)
            return MNL_CB_ERROR;
        r->ifindex = mnl_attr_get_u32(a);
        return MNL_CB_OK;
    case RTA_PREFSRC:
        return take_ip(a, r->family, &r->source);
    case RTA_GATEWAY:
        r->has_gateway = true;
        return take_ip(a, r->family, &r->gateway);
    default: /* what the plan does not show */
        return MNL_CB_OK;
    }
}

static int take_route(const struct nlmsghdr *h, void *ctx)
{
    struct probe_route *r = ctx;
    const struct rtmsg *m = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
        return MNL_CB_OK;
    r->is_local = m->rtm_type == RTN_LOCAL;
    if (m->rtm_type == RTN_BROADCAST || m->rtm_type == RTN_MULTICAST) {
        errno = EADDRNOTAVAIL;
        return MNL_CB_ERROR;
    }
    return mnl_attr_parse(h, sizeof(*m), take_route_attr, r);
}

static int take_kind(const struct nlattr *a, void *ctx)
{
    struct probe_route *r = ctx;
    if (mnl_attr_get_type(a) == IFLA_INFO_KIND && mnl_attr_validate(a, MNL_TYPE_STRING) == 0)
        r->is_veth = strncmp(mnl_attr_get_payload(a), "veth", mnl_attr_get_payload_len(a)) == 0;
    return MNL_CB_OK;
}

static int take_link_attr(const struct nlattr *a, void *ctx)
{
    struct probe_route *r = ctx;
    if (mnl_attr_get_type(a) == IFLA_IFNAME && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
        (void)snprintf(r->ifname, sizeof(r->ifname), "%s", mnl_attr_get_str(a)); /* fits */
    if (mnl_attr_get_type(a) == IFLA_LINKINFO)
        return mnl_attr_parse_nested(a, take_kind, ctx);
    return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *h, void *ctx)
{
    if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(struct ifinfomsg))
        return MNL_CB_OK;
    return mnl_attr_parse(h, sizeof(struct ifinfomsg), take_link_attr, ctx);
}

static int ask_route(struct mnl_socket *s, unsigned scope, struct probe_route *r)
{
    _Alignas(struct nlmsghdr) char buffer[512] = {0};
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    uint8_t bytes[16];
    h->nlmsg_type = RTM_GETROUTE;
    h->nlmsg_flags = NLM_F_REQUEST;
    struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
    m->rtm_family = r->family == FAMILY_4 ? AF_INET : AF_INET6;
    m->rtm_dst_len = (uint8_t)family_bits(r->family);
    ip_to_bytes(r->family, r->ip, bytes);
    mnl_attr_put(h, RTA_DST, family_bits(r->family) / 8, bytes);
    if (scope)
        mnl_attr_put_u32(h, RTA_OIF, scope);
    return ask(s, h, take_route, r);
}

static int ask_link(struct mnl_socket *s, struct probe_route *r)
{
    _Alignas(struct nlmsghdr) char buffer[512] = {0};
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    h->nlmsg_type = RTM_GETLINK;
    h->nlmsg_flags = NLM_F_REQUEST;
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
    m->ifi_index = (int)r->ifindex;
    return ask(s, h, take_link, r);
}

int probe_route(enum family family, struct ip ip, unsigned scope, struct diag *d,
                struct probe_route *ret)
{
    _cleanup_(mnl_closep) struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    struct probe_route r = {.family = family, .ip = ip};
    char text[IP_TEXT_BYTES];
    if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
        return diag_errno(d, errno, "cannot ask for routes");
    ip_print(family, ip, text);
    int err = ask_route(s, scope, &r);
    if (err == -EADDRNOTAVAIL)
        return diag_fail(d, DIAG_USAGE, "'%s' is a broadcast or multicast address", text);
    if (err == 0)
        err = ask_link(s, &r);
    if (err < 0)
        return diag_errno(d, err, "no route to '%s'", text);
    if (r.source.hi == 0 && r.source.lo == 0)
        r.source = r.is_local ? ip : r.source; /* the loopback addresses of IPv6 */
    r.is_veth = r.is_veth && !r.has_gateway;
    *ret = r;
    return 0;
}

int probe_enter_netns(const char *name, struct diag *d)
{
    char path[NETNS_PATH_BYTES];
    size_t n =
        format_into(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : "/run/netns/", name);
    if (n + 1 >= sizeof(path))
        return diag_fail(d, DIAG_USAGE, "name of the network namespace is too long");
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int err = diag_errno(d, errno, "cannot open the network namespace '%s'", name);
        diag_hint(d, "ip netns list");
        return err;
    }
    return setns(fd, CLONE_NEWNET) < 0
               ? diag_errno(d, errno, "cannot enter the network namespace '%s'", name)
               : 0;
}
