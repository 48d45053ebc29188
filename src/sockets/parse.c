/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets/parse.c: answers of sock_diag to rows (sockets/sockets.h). Called by read.c and by
 * the fuzzer. Invariant: a message or an attribute that is too short is never looked into, and what
 * has no local port is no row. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <linux/inet_diag.h>
#include <linux/packet_diag.h>
#include <linux/xdp_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "sockets/sockets.h"

enum {
    ATTR_SKV6ONLY = 11, /* INET_DIAG_*; older headers lack some */
    ATTR_CGROUP_ID = 21,
};

/* What is being read. */
struct reading {
    uint8_t family, proto;
    struct sockets *s;
};

static int append(struct sockets *s, const struct socket_row *r)
{
    int e = array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v));

    if (e == 0)
        s->v[s->n++] = *r;
    return e;
}

/* The attributes behind `offset` bytes of payload; false at the first that does not fit. */
struct attrs {
    const uint8_t *at;
    size_t left;
};

static size_t align(size_t n)
{
    return (n + MNL_ALIGNTO - 1) / MNL_ALIGNTO * MNL_ALIGNTO;
}

static bool next_attr(struct attrs *w, uint16_t *ret_type, const void **ret_data, size_t *ret_len)
{
    struct nlattr a;

    if (w->left < sizeof(a))
        return false;
    memcpy(&a, w->at, sizeof(a));
    if (a.nla_len < sizeof(a) || a.nla_len > w->left)
        return false;
    *ret_type = a.nla_type & (uint16_t)NLA_TYPE_MASK;
    *ret_data = w->at + sizeof(a);
    *ret_len = a.nla_len - sizeof(a);
    size_t step = align(a.nla_len);
    if (step > w->left)
        step = w->left;
    w->at += step;
    w->left -= step;
    return true;
}

static struct attrs attrs_of(const struct nlmsghdr *h, size_t fixed)
{
    size_t have = mnl_nlmsg_get_payload_len(h), skip = align(fixed);

    if (skip > have)
        skip = have;
    return (struct attrs){(const uint8_t *)mnl_nlmsg_get_payload(h) + skip, have - skip};
}

static enum socket_state inet_state(const struct reading *x, uint8_t state)
{
    if (x->proto == IPPROTO_RAW)
        return SOCKET_RAW;
    if (x->proto == IPPROTO_UDP || x->proto == IPPROTO_UDPLITE)
        return state == TCP_ESTABLISHED ? SOCKET_CONNECTED : SOCKET_BOUND;
    if (state == TCP_LISTEN)
        return SOCKET_LISTEN;
    return state == TCP_CLOSE ? SOCKET_RESERVED : SOCKET_CONNECTED;
}

/* AF_UNSPEC stands for both. */
static bool is_asked_family(const struct reading *x, const struct inet_diag_msg *m)
{
    return m->idiag_family == x->family ||
           (x->family == AF_UNSPEC && (m->idiag_family == AF_INET || m->idiag_family == AF_INET6));
}

static int add_inet(const struct reading *x, const struct nlmsghdr *h)
{
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
    uint16_t type;
    const void *data;
    size_t len;

    if (mnl_nlmsg_get_payload_len(h) < sizeof(*m) || !is_asked_family(x, m))
        return 0;
    struct socket_row r = {
        .family = m->idiag_family,
        .proto = x->proto,
        .state = inet_state(x, m->idiag_state),
        .tcp_state = m->idiag_state,
        .port = ntohs(m->id.idiag_sport),
        .peer_port = ntohs(m->id.idiag_dport),
        .ifindex = m->id.idiag_if,
        .uid = m->idiag_uid,
        .inode = m->idiag_inode,
        .cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0],
    };
    if (!r.port)
        return 0;
    if (r.state == SOCKET_RAW) { /* the number of the protocol stands in the place of a port */
        r.proto = (uint8_t)r.port;
        r.port = 0;
    }
    size_t address = r.family == AF_INET ? 4 : 16;
    memcpy(r.local, m->id.idiag_src, address);
    memcpy(r.peer, m->id.idiag_dst, address);
    for (struct attrs w = attrs_of(h, sizeof(*m)); next_attr(&w, &type, &data, &len);) {
        if (type == ATTR_CGROUP_ID && len == sizeof(r.cgroup))
            memcpy(&r.cgroup, data, sizeof(r.cgroup));
        else if (type == ATTR_SKV6ONLY && len == 1)
            r.six_only = *(const uint8_t *)data;
    }
    return append(x->s, &r);
}

static int add_packet(const struct reading *x, const struct nlmsghdr *h)
{
    const struct packet_diag_msg *m = mnl_nlmsg_get_payload(h);
    struct packet_diag_info info;
    uint16_t type;
    const void *data;
    size_t len;

    if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
        return 0;
    struct socket_row r = {.family = AF_PACKET,
                           .state = SOCKET_SNIFF,
                           .port = m->pdiag_num,
                           .inode = m->pdiag_ino,
                           .cookie = (uint64_t)m->pdiag_cookie[1] << 32 | m->pdiag_cookie[0]};
    for (struct attrs w = attrs_of(h, sizeof(*m)); next_attr(&w, &type, &data, &len);) {
        if (type == PACKET_DIAG_INFO && len >= sizeof(info)) {
            memcpy(&info, data, sizeof(info));
            r.ifindex = info.pdi_index;
        } else if (type == PACKET_DIAG_UID && len == sizeof(r.uid)) {
            memcpy(&r.uid, data, sizeof(r.uid));
        }
    }
    return append(x->s, &r);
}

static int add_xdp(const struct reading *x, const struct nlmsghdr *h)
{
    const struct xdp_diag_msg *m = mnl_nlmsg_get_payload(h);
    struct xdp_diag_info info;
    uint16_t type;
    const void *data;
    size_t len;

    if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
        return 0;
    struct socket_row r = {.family = AF_XDP,
                           .state = SOCKET_XSK,
                           .inode = m->xdiag_ino,
                           .cookie = (uint64_t)m->xdiag_cookie[1] << 32 | m->xdiag_cookie[0]};
    for (struct attrs w = attrs_of(h, sizeof(*m)); next_attr(&w, &type, &data, &len);) {
        if (type == XDP_DIAG_INFO && len >= sizeof(info)) {
            memcpy(&info, data, sizeof(info));
            r.ifindex = info.ifindex;
        } else if (type == XDP_DIAG_UID && len == sizeof(r.uid)) {
            memcpy(&r.uid, data, sizeof(r.uid));
        }
    }
    return append(x->s, &r);
}

static int add_row(const struct reading *x, const struct nlmsghdr *h)
{
    switch (x->family) {
    case AF_PACKET:
        return add_packet(x, h);
    case AF_XDP:
        return add_xdp(x, h);
    default:
        return add_inet(x, h);
    }
}

/* Both an error and the end of a dump begin with what went wrong. */
static int read_error(const struct nlmsghdr *h)
{
    int e;

    if (mnl_nlmsg_get_payload_len(h) < sizeof(e))
        return h->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
    memcpy(&e, mnl_nlmsg_get_payload(h), sizeof(e));
    return e == INT32_MIN ? -EBADMSG : e > 0 ? -e : e;
}

/* The message at `at`; NULL if what is left does not hold it. (mnl_nlmsg_ok() takes lengths beyond
 * 2 GiB for negative ones, and accepts them.) */
static const struct nlmsghdr *message_at(const uint8_t *data, size_t len, size_t at)
{
    const struct nlmsghdr *h = (const void *)(data + at);

    if (len - at < sizeof(*h) || h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len - at)
        return NULL;
    return h;
}

int sockets_parse(const void *data, size_t len, uint8_t family, uint8_t proto, struct sockets *s,
                  struct socket_answer *ret)
{
    struct reading x = {.family = family, .proto = proto, .s = s};
    const struct nlmsghdr *h;
    size_t at = 0;
    int r = 0;

    *ret = (struct socket_answer){0};
    for (; r == 0 && !ret->done && at < len; at += align(h->nlmsg_len)) {
        h = message_at(data, len, at);
        if (!h)
            return -EBADMSG;
        ret->interrupted |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
            ret->done = true;
            ret->error = read_error(h);
        } else if (h->nlmsg_type >= NLMSG_MIN_TYPE) {
            r = add_row(&x, h);
        }
    }
    return r;
}
