/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who listens where a DHCP client listens (datapath.md 5.4): UDP 68, or UDP 546 for IPv6. There
 * is no message when a socket comes or goes, so this is asked at every full dump only; the
 * first lease does not depend on it, since clients read that one from a packet socket.
 *
 * A socket bound to an interface counts for it, one bound to nothing for all. One bound to an
 * address counts for none: such an address is leased and speaks for itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>

#include "rtnl_internal.h"

enum { PORT_DHCP4_CLIENT = 68, PORT_DHCP6_CLIENT = 546 }; /* RFC 2131, RFC 8415 */

static int on_socket(void *u, const struct nlmsghdr *nlh)
{
    static const uint32_t anywhere[4];
    struct rtnl *r = u;
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
        return 0;
    if (!m->id.idiag_if && memcmp(m->id.idiag_src, anywhere, sizeof(anywhere)))
        return 0;
    int e = array_reserve(&r->clients, &r->cap_clients, r->n_clients + 1, sizeof(*r->clients));

    if (!e)
        r->clients[r->n_clients++] = (struct dhcp_client){
            .family = m->idiag_family == AF_INET ? FAMILY_4 : FAMILY_6,
            .ifindex = m->id.idiag_if,
        };
    return e;
}

static int find_one(struct rtnl *r, struct rtnl_query *q, uint8_t family, uint16_t port)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

    req->sdiag_family = family;
    req->sdiag_protocol = IPPROTO_UDP;
    req->idiag_states = UINT32_MAX;
    req->id.idiag_sport = htons(port); /* the kernel filters by it */
    return rtnl_query_run(q, nlh, on_socket, r);
}

int socks_find_clients(struct rtnl *r)
{
    struct rtnl_query q;

    r->n_clients = 0;
    if (rtnl_query_open(&q, NETLINK_SOCK_DIAG) < 0)
        return 0;
    int e4 = find_one(r, &q, AF_INET, PORT_DHCP4_CLIENT);
    int e6 = find_one(r, &q, AF_INET6, PORT_DHCP6_CLIENT);

    rtnl_query_close(&q);
    return e4 == -ENOMEM || e6 == -ENOMEM ? -ENOMEM : 0;
}
