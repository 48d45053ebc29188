/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Full dumps, on a socket of their own, so that answers and the notifications of the
 * subscribed socket never mix. A dump that the kernel marks as interrupted (NLM_F_DUMP_INTR:
 * the table changed between two parts of the answer) is asked again from its beginning. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include "rtnl_internal.h"

/* An interrupted dump is repeated so often at once; then the notifications that caused it are
 * read first. */
enum { DUMP_TRIES = 8 };

static int apply_link(void *u, const struct nlmsghdr *nlh)
{
    struct rtnl_link_msg m;

    return rtnl_parse_link(nlh, &m) ? links_set(u, &m) : 0;
}

static int apply_addr(void *u, const struct nlmsghdr *nlh)
{
    struct rtnl_addr_msg m;

    return rtnl_parse_addr(nlh, &m) ? leases_set(u, &m) : 0;
}

static int apply_route(void *u, const struct nlmsghdr *nlh)
{
    struct rtnl_route m;

    return rtnl_parse_route(nlh, &m) ? routes_dump_add(u, &m) : 0;
}

static int apply_conf(void *u, const struct nlmsghdr *nlh)
{
    struct rtnl_conf_msg m;

    if (rtnl_parse_conf(nlh, &m))
        links_conf(u, &m);
    return 0;
}

static int dump_links(struct rtnl *r)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, RTM_GETLINK, NLM_F_DUMP);

    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    return rtnl_query_run(&r->query, nlh, apply_link, r);
}

static int dump_addresses(struct rtnl *r)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, RTM_GETADDR, NLM_F_DUMP);

    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
    return rtnl_query_run(&r->query, nlh, apply_addr, r);
}

static int dump_table(struct rtnl *r, uint8_t family, uint32_t table)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

    rtm->rtm_family = family;
    mnl_attr_put_u32(nlh, RTA_TABLE, table);
    int e = rtnl_query_run(&r->query, nlh, apply_route, r);
    return e == -ENOENT ? 0 : e; /* the table has no route yet */
}

/* `all.forwarding` of IPv6; without IPv6 in the kernel nothing forwards it. */
static int ask_forwarding6(struct rtnl *r)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, RTM_GETNETCONF, NLM_F_ACK);
    struct netconfmsg *ncm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ncm));

    ncm->ncm_family = AF_INET6;
    mnl_attr_put_u32(nlh, NETCONFA_IFINDEX, (uint32_t)NETCONFA_IFINDEX_ALL);
    int e = rtnl_query_run(&r->query, nlh, apply_conf, r);
    return e == -EOPNOTSUPP || e == -EAFNOSUPPORT ? 0 : e;
}

/* The one sysctl no message tells about. /proc/sys/net is that of the opener's namespace. */
static bool read_accept_local_all(void)
{
    _cleanup_(close_p) int fd =
        open("/proc/sys/net/ipv4/conf/all/accept_local", O_RDONLY | O_CLOEXEC);
    char c = '0';

    return fd >= 0 && read(fd, &c, 1) == 1 && c != '0';
}

static int dump_links_once(struct rtnl *r)
{
    links_dump_begin(r);
    int e = dump_links(r);

    if (!e)
        e = dump_addresses(r);
    return e ? e : links_dump_end(r);
}

static int dump_routes_once(struct rtnl *r)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    int e = 0;

    r->fresh.n = 0;
    for (size_t f = 0; f < ARRAY_SIZE(families) && !e; f++) {
        e = dump_table(r, families[f], RTNL_TABLE_LOCAL);
        for (size_t i = 0; i < r->host.n_ifaces && !e; i++)
            if (r->links[i].msg.vrf_table)
                e = dump_table(r, families[f], r->links[i].msg.vrf_table);
    }
    return e ? e : routes_dump_end(r);
}

static int retry(struct rtnl *r, int (*dump)(struct rtnl *))
{
    int e = -EINTR;

    for (unsigned i = 0; i < DUMP_TRIES && e == -EINTR; i++)
        e = dump(r);
    return e;
}

int dump_routes(struct rtnl *r)
{
    return retry(r, dump_routes_once);
}

int dump_all(struct rtnl *r)
{
    int e = ask_forwarding6(r);

    if (!e)
        e = socks_find_clients(r);
    if (e)
        return e;
    r->accept_local_all = read_accept_local_all();
    links_refresh_all(r);
    e = retry(r, dump_links_once);
    int er = dump_routes(r);

    return e ? e : er;
}
