/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections of this host that carry a stamp (bpf/state_skb.h): the kernel's list of TCP sockets
 * with their storage. Called by flows.c. A stamp of an earlier connection of the same socket is
 * none of this one. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>

#include "flows.h"
#include "internal.h"
#include "rtnl_attr.h"
#include "rtnl_query.h"

struct asking {
    flow_visitor *visit;
    void *arg;
    uint64_t now_ns;
};

static const struct nlattr *find(const struct nlattr *in, uint16_t type)
{
    struct attr_walk w = attr_walk_nested(in);

    ATTR_FOR_EACH(a, w)
    {
        if (mnl_attr_get_type(a) == type)
            return a;
    }
    return NULL;
}

/* The stamp inside the attribute that lists the storage of a socket. */
static const struct pw_stamp *stamp_of(const struct nlattr *list)
{
    const struct nlattr *one = find(list, SK_DIAG_BPF_STORAGE);
    const struct nlattr *value = one ? find(one, SK_DIAG_BPF_STORAGE_MAP_VALUE) : NULL;

    return value && mnl_attr_get_payload_len(value) == sizeof(struct pw_stamp)
               ? mnl_attr_get_payload(value)
               : NULL;
}

static bool is_of_socket(const struct pw_flow *f, const struct inet_diag_sockid *id)
{
    bool out_ports = f->sport == ntohs(id->idiag_sport) && f->dport == ntohs(id->idiag_dport);
    bool in_ports = f->dport == ntohs(id->idiag_sport) && f->sport == ntohs(id->idiag_dport);

    return out_ports || in_ports;
}

static int on_socket(void *u, const struct nlmsghdr *nlh)
{
    const struct asking *x = u;
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
    struct attr_walk w = attr_walk_message(nlh, sizeof(*m));
    struct pw_stamp s;
    struct flow f;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
        return 0;
    ATTR_FOR_EACH(a, w)
    {
        if (mnl_attr_get_type(a) != INET_DIAG_SK_BPF_STORAGES)
            continue;
        const struct pw_stamp *at = stamp_of(a);
        if (!at)
            continue;
        memcpy(&s, at, sizeof(s)); /* attributes are aligned to four bytes */
        if (!is_of_socket(&s.flow, &m->id))
            continue;
        flow_from(FLOW_CONNECTION, &s.flow, &s.entry, x->now_ns, &f);
        f.ifindex = m->id.idiag_if;
        return x->visit(x->arg, &f);
    }
    return 0;
}

static int ask(struct rtnl_query *q, uint8_t family, int map, struct asking *x)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

    req->sdiag_family = family;
    req->sdiag_protocol = IPPROTO_TCP;
    req->idiag_states = UINT32_MAX;
    struct nlattr *maps = mnl_attr_nest_start(nlh, INET_DIAG_REQ_SK_BPF_STORAGES);
    mnl_attr_put_u32(nlh, SK_DIAG_BPF_STORAGE_REQ_MAP_FD, (uint32_t)map);
    mnl_attr_nest_end(nlh, maps);
    return rtnl_query_run(q, nlh, on_socket, x);
}

int flows_connections(const struct datapath *dp, flow_visitor *visit, void *arg)
{
    struct asking x = {.visit = visit, .arg = arg, .now_ns = flows_now_ns()};
    int map = dp->set.progs.map[MAP_STATE_STAMPS];
    struct rtnl_query q;
    int r = rtnl_query_open(&q, NETLINK_SOCK_DIAG);

    if (r < 0)
        return r;
    r = ask(&q, AF_INET, map, &x);
    if (r == 0)
        r = ask(&q, AF_INET6, map, &x);
    rtnl_query_close(&q);
    return r;
}
