/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clsact filters (datapath.md 2.3), for kernels without TCX, by raw rtnetlink. A filter is ours
 * if it stands at priority 1, handle 0x7077 and carries our name; nothing else is ever changed
 * or removed, and a qdisc never, since nobody can tell whose it is. Filters live without us:
 * there is nothing to pin, the kernel is asked each time.
 *
 * A legacy `ingress` qdisc has the same place as clsact but no egress side: it takes the
 * parent of the egress side and puts the filter on *ingress*. So its kind is asked before
 * every egress operation. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "attach_internal.h"
#include "rtnl_attr.h"

enum { FILTER_PRIORITY = 1, FILTER_HANDLE = 0x7077 }; /* "pw" */
static const char filter_name[] = "portward";

enum qdisc { QDISC_NONE, QDISC_CLSACT, QDISC_INGRESS };

struct tc_answer {
    enum qdisc qdisc;
    bool has_filter, ours;
    uint32_t prog_id;
};

static bool text_is(const struct nlattr *a, const char *text)
{
    size_t n = strlen(text) + 1;

    return mnl_attr_get_payload_len(a) == n && !memcmp(mnl_attr_get_payload(a), text, n);
}

static struct nlmsghdr *begin(uint8_t *buf, uint16_t type, unsigned flags, const struct tcmsg *tcm)
{
    struct nlmsghdr *nlh = rtnl_query_begin(buf, type, flags | NLM_F_ACK);
    struct tcmsg *p = mnl_nlmsg_put_extra_header(nlh, sizeof(*p));

    *p = *tcm;
    return nlh;
}

static struct tcmsg qdisc_tcm(uint32_t ifindex)
{
    return (struct tcmsg){.tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_CLSACT};
}

static struct tcmsg filter_tcm(uint32_t ifindex, enum direction dir)
{
    return (struct tcmsg){
        .tcm_ifindex = (int)ifindex,
        .tcm_handle = FILTER_HANDLE,
        .tcm_parent = TC_H_MAKE(TC_H_CLSACT, dir == DIR_IN ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS),
        .tcm_info = TC_H_MAKE((uint32_t)FILTER_PRIORITY << 16, htons(ETH_P_ALL)),
    };
}

static enum qdisc qdisc_kind(const struct nlmsghdr *nlh)
{
    struct attr_walk w = attr_walk_message(nlh, sizeof(struct tcmsg));

    ATTR_FOR_EACH(a, w)
    {
        if (mnl_attr_get_type(a) != TCA_KIND)
            continue;
        if (text_is(a, "clsact"))
            return QDISC_CLSACT;
        if (text_is(a, "ingress"))
            return QDISC_INGRESS;
    }
    return QDISC_NONE;
}

static int on_qdisc(void *u, const struct nlmsghdr *nlh)
{
    struct tc_answer *a = u;

    if (nlh->nlmsg_type == RTM_NEWQDISC)
        a->qdisc = qdisc_kind(nlh);
    return 0;
}

static int get_qdisc(struct attach *at, uint32_t ifindex, enum qdisc *ret)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct tcmsg tcm = qdisc_tcm(ifindex);
    struct tc_answer a = {0};
    /* Without ECHO kernels before 6.6 answer to the multicast group only. */
    struct nlmsghdr *nlh = begin(buf, RTM_GETQDISC, NLM_F_ECHO, &tcm);
    int r = rtnl_query_run(&at->tc, nlh, on_qdisc, &a);

    if (r < 0 && r != -ENOENT)
        return r;
    *ret = r < 0 ? QDISC_NONE : a.qdisc;
    return 0;
}

static int add_qdisc(struct attach *at, uint32_t ifindex)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct tcmsg tcm = qdisc_tcm(ifindex);

    tcm.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    struct nlmsghdr *nlh = begin(buf, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &tcm);
    mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
    int r = rtnl_query_run(&at->tc, nlh, NULL, NULL);
    return r == -EEXIST ? 0 : r;
}

static void read_options(const struct nlattr *options, struct tc_answer *ret)
{
    struct attr_walk w = attr_walk_nested(options);

    ATTR_FOR_EACH(a, w)
    {
        if (mnl_attr_get_type(a) == TCA_BPF_NAME)
            ret->ours = text_is(a, filter_name);
        if (mnl_attr_get_type(a) == TCA_BPF_ID && mnl_attr_get_payload_len(a) >= 4)
            ret->prog_id = mnl_attr_get_u32(a);
    }
}

static int on_filter(void *u, const struct nlmsghdr *nlh)
{
    struct attr_walk w = attr_walk_message(nlh, sizeof(struct tcmsg));
    struct tc_answer *ret = u;

    if (nlh->nlmsg_type != RTM_NEWTFILTER)
        return 0;
    ret->has_filter = true;
    ATTR_FOR_EACH(a, w)
    {
        if (mnl_attr_get_type(a) == TCA_OPTIONS)
            read_options(a, ret);
    }
    return 0;
}

/* What stands at our place of this direction. */
static int get_filter(struct attach *at, uint32_t ifindex, enum direction dir,
                      struct tc_answer *ret)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct tcmsg tcm = filter_tcm(ifindex, dir);
    struct tc_answer a = {0};
    int r = get_qdisc(at, ifindex, &a.qdisc);

    if (r < 0)
        return r;
    *ret = a;
    if (a.qdisc == QDISC_NONE || (a.qdisc == QDISC_INGRESS && dir == DIR_OUT))
        return 0;
    struct nlmsghdr *nlh = begin(buf, RTM_GETTFILTER, 0, &tcm);
    mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
    r = rtnl_query_run(&at->tc, nlh, on_filter, &a);
    if (r == -ENOENT || r == -EINVAL) /* no such handle; priority taken by another kind */
        a.has_filter = a.ours = false;
    else if (r < 0)
        return r;
    *ret = a;
    return 0;
}

/* With REPLACE packets meet the old program or the new one. */
static int put_filter(struct attach *at, uint32_t ifindex, enum direction dir, bool replace)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct tcmsg tcm = filter_tcm(ifindex, dir);
    unsigned how = replace ? NLM_F_REPLACE : NLM_F_EXCL;
    struct nlmsghdr *nlh = begin(buf, RTM_NEWTFILTER, NLM_F_CREATE | how, &tcm);

    mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
    struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
    mnl_attr_put_u32(nlh, TCA_BPF_FD, (uint32_t)at->prog_fd[dir]);
    mnl_attr_put_strz(nlh, TCA_BPF_NAME, filter_name);
    mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    mnl_attr_nest_end(nlh, options);
    return rtnl_query_run(&at->tc, nlh, NULL, NULL);
}

int clsact_ensure(struct attach *at, uint32_t ifindex, enum direction dir)
{
    struct tc_answer a;
    int r = get_filter(at, ifindex, dir, &a);

    if (r < 0)
        return r;
    if (a.qdisc == QDISC_NONE) {
        r = add_qdisc(at, ifindex);
        if (!r)
            r = get_qdisc(at, ifindex, &a.qdisc); /* somebody may have been faster */
        if (r < 0)
            return r;
    }
    if (a.qdisc == QDISC_INGRESS && dir == DIR_OUT)
        return -EOPNOTSUPP;
    if (a.has_filter && !a.ours)
        return -EEXIST;
    if (a.has_filter && a.prog_id == at->prog_id[dir])
        return 0;
    r = put_filter(at, ifindex, dir, a.has_filter);
    return r < 0 ? r : 1;
}

int clsact_drop(struct attach *at, uint32_t ifindex, enum direction dir)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct tcmsg tcm = filter_tcm(ifindex, dir);
    struct tc_answer a;
    int r = get_filter(at, ifindex, dir, &a);

    if (r == -ENODEV)
        return 0;
    if (r < 0 || !a.ours)
        return r;
    struct nlmsghdr *nlh = begin(buf, RTM_DELTFILTER, 0, &tcm);
    mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
    r = rtnl_query_run(&at->tc, nlh, NULL, NULL);
    return r == -ENOENT ? 0 : r;
}

bool clsact_attached(struct attach *at, uint32_t ifindex, enum direction dir)
{
    struct tc_answer a;

    return get_filter(at, ifindex, dir, &a) == 0 && a.ours && a.prog_id == at->prog_id[dir];
}

struct ifindexes {
    uint32_t *v;
    size_t n, cap;
};

static int on_any_qdisc(void *u, const struct nlmsghdr *nlh)
{
    struct ifindexes *l = u;
    const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

    if (nlh->nlmsg_type != RTM_NEWQDISC || mnl_nlmsg_get_payload_len(nlh) < sizeof(*tcm) ||
        qdisc_kind(nlh) == QDISC_NONE)
        return 0;
    int r = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (!r)
        l->v[l->n++] = (uint32_t)tcm->tcm_ifindex;
    return r;
}

int clsact_drop_all(struct attach *at)
{
    alignas(struct nlmsghdr) uint8_t buf[RTNL_ASK_BYTES];
    struct nlmsghdr *nlh = rtnl_query_begin(buf, RTM_GETQDISC, NLM_F_DUMP);
    struct ifindexes l = {0};

    mnl_nlmsg_put_extra_header(nlh, sizeof(struct tcmsg));
    int r = rtnl_query_run(&at->tc, nlh, on_any_qdisc, &l);
    for (size_t i = 0; i < l.n; i++) {
        int in = clsact_drop(at, l.v[i], DIR_IN), out = clsact_drop(at, l.v[i], DIR_OUT);

        r = r ? r : in;
        r = r ? r : out;
    }
    free(l.v);
    return r;
}
