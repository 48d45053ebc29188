/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of paths beside the hook (datapath/beside.h): sockets from sock_diag, XDP programs from
 * rtnetlink, XFRM policies from their own netlink family; owners of sockets from /proc. */
#include "datapath/beside.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/packet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/xdp_diag.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "beside_owner.h"
#include "rtnl_query.h"

enum { MAX_FOUND = 1000 }; /* more are counted with the last one of their kind */

struct search {
    struct beside *v;
    size_t n, cap;
    struct beside_owners owners;
};

static const struct {
    const char *name, *what, *means;
} kinds[_BESIDE_KIND_MAX] = {
    [BESIDE_PACKET_SOCKET] = {"packet-socket", "packet socket", "reads before the filters"},
    [BESIDE_XDP_SOCKET] = {"xdp-socket", "XDP socket", "reads before the filters"},
    [BESIDE_XDP_PROGRAM] = {"xdp-program", "XDP program", "runs before the filters"},
    [BESIDE_XFRM_POLICY] = {"xfrm-policy", "XFRM policy", "inner packets are judged by the guard"},
};

const char *beside_kind_name(enum beside_kind kind)
{
    return kinds[kind].name;
}

void beside_text(const struct beside *b, char ret[BESIDE_TEXT_BYTES])
{
    char number[16] = "", place[32] = "", owner[96] = "";

    if (b->n > 1)
        snprintf(number, sizeof(number), "%u x ", b->n);
    if (*b->ifname)
        snprintf(place, sizeof(place), " on %s", b->ifname);
    if (b->pid)
        snprintf(owner, sizeof(owner), " of %s (pid %u)", b->program, b->pid);
    else if (*b->program)
        snprintf(owner, sizeof(owner), " '%s'", b->program);
    snprintf(ret, BESIDE_TEXT_BYTES, "%s%s%s%s, %s", number, kinds[b->kind].what, owner, place,
             b->only_sends ? "may send past the filters" : kinds[b->kind].means);
}

static bool is_same(const struct beside *a, const struct beside *b)
{
    return a->kind == b->kind && a->only_sends == b->only_sends && a->pid == b->pid &&
           !strcmp(a->ifname, b->ifname) && !strcmp(a->program, b->program);
}

/* Counts b with one that is alike, or adds it. */
static int add(struct search *s, const struct beside *b)
{
    for (size_t i = 0; i < s->n; i++)
        if (is_same(&s->v[i], b) || (s->n >= MAX_FOUND && s->v[i].kind == b->kind)) {
            s->v[i].n++;
            return 0;
        }
    int r = array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v));
    if (!r)
        s->v[s->n++] = *b;
    return r;
}

static void name_of(uint32_t ifindex, char ret[16])
{
    char name[IF_NAMESIZE];

    if (ifindex && if_indextoname(ifindex, name))
        snprintf(ret, 16, "%s", name);
}

static int add_socket(struct search *s, struct beside *b, uint32_t inode, uint32_t ifindex)
{
    const struct beside_owner *o = beside_owners_find(&s->owners, inode);

    name_of(ifindex, b->ifname);
    if (o) {
        b->pid = o->pid;
        snprintf(b->program, sizeof(b->program), "%s", o->name);
    }
    return add(s, b);
}

/* --- sockets --- */
static int packet_attr(const struct nlattr *a, void *u)
{
    const struct packet_diag_info *info = mnl_attr_get_payload(a);

    if (mnl_attr_get_type(a) == PACKET_DIAG_INFO && mnl_attr_get_payload_len(a) >= sizeof(*info))
        *(uint32_t *)u = info->pdi_index;
    return MNL_CB_OK;
}

static int on_packet_socket(void *u, const struct nlmsghdr *nlh)
{
    const struct packet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
    uint32_t ifindex = 0;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) ||
        mnl_attr_parse(nlh, sizeof(*m), packet_attr, &ifindex) < 0)
        return 0;
    /* Taps of all protocols stand before the hook, those of one behind it (Linux,
     * __netif_receive_skb_core). */
    struct beside b = {
        .kind = BESIDE_PACKET_SOCKET, .n = 1, .only_sends = m->pdiag_num != ETH_P_ALL};
    return add_socket(u, &b, m->pdiag_ino, ifindex);
}

static int xdp_attr(const struct nlattr *a, void *u)
{
    const struct xdp_diag_info *info = mnl_attr_get_payload(a);

    if (mnl_attr_get_type(a) == XDP_DIAG_INFO && mnl_attr_get_payload_len(a) >= sizeof(*info))
        *(uint32_t *)u = info->ifindex;
    return MNL_CB_OK;
}

static int on_xdp_socket(void *u, const struct nlmsghdr *nlh)
{
    const struct xdp_diag_msg *m = mnl_nlmsg_get_payload(nlh);
    uint32_t ifindex = 0;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) ||
        mnl_attr_parse(nlh, sizeof(*m), xdp_attr, &ifindex) < 0)
        return 0;
    struct beside b = {.kind = BESIDE_XDP_SOCKET, .n = 1};
    return add_socket(u, &b, m->xdiag_ino, ifindex);
}

static int find_packet_sockets(struct search *s, struct rtnl_query *q)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    struct packet_diag_req *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

    req->sdiag_family = AF_PACKET;
    req->pdiag_show = PACKET_SHOW_INFO;
    return rtnl_query_run(q, nlh, on_packet_socket, s);
}

static int find_xdp_sockets(struct search *s, struct rtnl_query *q)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    struct xdp_diag_req *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

    req->sdiag_family = AF_XDP;
    req->xdiag_show = XDP_SHOW_INFO;
    return rtnl_query_run(q, nlh, on_xdp_socket, s);
}

/* --- XDP programs --- */
static void program_name(uint32_t id, char ret[64])
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof(info);
    _cleanup_(close_p) int fd = bpf_prog_get_fd_by_id(id);

    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && *info.name)
        snprintf(ret, 64, "%s", info.name);
}

/* *u = id of the program that runs, whatever the mode. */
static int program_attr(const struct nlattr *a, void *u)
{
    if (mnl_attr_get_type(a) == IFLA_XDP_PROG_ID && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
        *(uint32_t *)u = mnl_attr_get_u32(a);
    return MNL_CB_OK;
}

static int link_attr(const struct nlattr *a, void *u)
{
    return mnl_attr_get_type(a) == IFLA_XDP ? mnl_attr_parse_nested(a, program_attr, u) : MNL_CB_OK;
}

static int on_link(void *u, const struct nlmsghdr *nlh)
{
    const struct ifinfomsg *m = mnl_nlmsg_get_payload(nlh);
    struct beside b = {.kind = BESIDE_XDP_PROGRAM, .n = 1};
    uint32_t id = 0;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) ||
        mnl_attr_parse(nlh, sizeof(*m), link_attr, &id) < 0 || !id)
        return 0;
    name_of((uint32_t)m->ifi_index, b.ifname);
    program_name(id, b.program);
    return add(u, &b);
}

static int find_xdp_programs(struct search *s, struct rtnl_query *q)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, RTM_GETLINK, NLM_F_DUMP);
    struct ifinfomsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));

    m->ifi_family = AF_UNSPEC;
    return rtnl_query_run(q, nlh, on_link, s);
}

/* --- XFRM --- */
static int on_policy(void *u, const struct nlmsghdr *nlh _unused_)
{
    const struct beside b = {.kind = BESIDE_XFRM_POLICY, .n = 1};

    return add(u, &b);
}

static int find_policies(struct search *s, struct rtnl_query *q)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];

    return rtnl_query_run(q, rtnl_query_begin(buf, XFRM_MSG_GETPOLICY, NLM_F_DUMP), on_policy, s);
}

static const struct {
    int protocol;
    int (*find)(struct search *s, struct rtnl_query *q);
} searches[] = {
    {NETLINK_SOCK_DIAG, find_packet_sockets},
    {NETLINK_SOCK_DIAG, find_xdp_sockets},
    {NETLINK_ROUTE, find_xdp_programs},
    {NETLINK_XFRM, find_policies},
};

int datapath_beside(unsigned max_ms, struct beside **ret, size_t *ret_n)
{
    struct search s = {.owners = {.max_ms = max_ms}};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(searches) && r != -ENOMEM; i++) {
        struct rtnl_query q;

        if (rtnl_query_open(&q, searches[i].protocol) < 0)
            continue; /* not in this kernel */
        r = searches[i].find(&s, &q);
        rtnl_query_close(&q);
    }
    beside_owners_done(&s.owners);
    if (r == -ENOMEM) {
        free(s.v);
        return r;
    }
    *ret = s.v;
    *ret_n = s.n;
    return 0;
}
