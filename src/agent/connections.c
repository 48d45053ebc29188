/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/connections.c: how many established TCP connections of this host a change would stall.
 * Called by preview.c; and by scanblock.c, whether there is one with a source. One dump of the
 * sockets of this network namespace for each family (sock_diag(7)), judged by the deciders of both
 * states; nothing is sent to the network, nothing is kept. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "compile/diff.h"
#include "internal.h"

enum {
    BUFFER_BYTES = 32768,                                /* what the kernel fills at most */
    STATES = 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT, /* data may still come or go */
    IPPROTO_TCP_NUMBER = 6,
    TCP_FLAG_ACK = 0x10,
};

struct count {
    const struct host *host;
    const struct decider_index *before, *after;
    int64_t n;
};

struct ends {
    enum family family;
    struct ip local, peer;
    uint16_t local_port, peer_port;
};

/* IPv4 over an IPv6 socket is IPv4 on the wire (RFC 4291, 2.5.5.2). */
static void read_ends(const struct inet_diag_msg *m, struct ends *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t src[16], dst[16];
    memcpy(src, m->id.idiag_src, sizeof(src));
    memcpy(dst, m->id.idiag_dst, sizeof(dst));
    bool four = m->idiag_family == AF_INET;
    bool is_mapped = !four && memcmp(src, mapped, sizeof(mapped)) == 0;
    size_t from = is_mapped ? sizeof(mapped) : 0;
    ret->family = four || is_mapped ? FAMILY_4 : FAMILY_6;
    ret->local = ip_from_bytes(ret->family, src + from);
    ret->peer = ip_from_bytes(ret->family, dst + from);
    ret->local_port = ntohs(m->id.idiag_sport);
    ret->peer_port = ntohs(m->id.idiag_dport);
}

/* Over lo nothing is classified. */
static bool is_own(const struct host *h, enum family family, struct ip address)
{
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *l = &h->local[i];
        if (l->family == family && l->kind == LOCAL_UNICAST &&
            ip_eq(ip_and(address, ip_mask(family, l->prefix_len)), l->prefix))
            return true;
    }
    return false;
}

static struct packet packet_of(const struct ends *e, enum direction dir)
{
    bool in = dir == DIR_IN;
    return (struct packet){.meta = {.dir = dir},
                           .family = e->family,
                           .src = in ? e->peer : e->local,
                           .dst = in ? e->local : e->peer,
                           .proto = IPPROTO_TCP_NUMBER,
                           .l4_known = true,
                           .sport = in ? e->peer_port : e->local_port,
                           .dport = in ? e->local_port : e->peer_port,
                           .hop_limit = 64,
                           .tcp_flags = TCP_FLAG_ACK};
}

static bool passes(const struct decider_index *x, const struct ends *e)
{
    static const unsigned class[] = {[DIR_IN] = CLASS_TO_ME, [DIR_OUT] = CLASS_FROM_ME};
    for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++) {
        struct packet p = packet_of(e, dir);
        struct decision d = decider_index_ask(x, &p, class[dir]);
        if (d.block || d.negotiate)
            return false;
    }
    return true;
}

static int on_socket(const struct nlmsghdr *nlh, void *data)
{
    struct count *c = data;
    struct ends e;
    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct inet_diag_msg))
        return MNL_CB_OK;
    read_ends(mnl_nlmsg_get_payload(nlh), &e);
    if (!is_own(c->host, e.family, e.peer) && passes(c->before, &e) && !passes(c->after, &e))
        c->n++;
    return MNL_CB_OK;
}

struct with {
    enum family family;
    struct ip prefix;
    unsigned len;
    bool found;
};

static int on_peer(const struct nlmsghdr *nlh, void *data)
{
    struct with *w = data;
    struct ends e;
    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct inet_diag_msg))
        return MNL_CB_OK;
    read_ends(mnl_nlmsg_get_payload(nlh), &e);
    if (e.family == w->family && ip_eq(ip_and(e.peer, ip_mask(w->family, w->len)), w->prefix))
        w->found = true;
    return MNL_CB_OK;
}

static int dump(struct mnl_socket *s, uint8_t family, mnl_cb_t fn, void *ctx)
{
    _cleanup_free_ char *buffer = malloc(BUFFER_BYTES);
    if (!buffer)
        return -ENOMEM;
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
    nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    nlh->nlmsg_seq = family;
    struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
    req->sdiag_family = family;
    req->sdiag_protocol = IPPROTO_TCP_NUMBER;
    req->idiag_states = STATES;
    if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
        return -errno;
    for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
        ssize_t n = mnl_socket_recvfrom(s, buffer, BUFFER_BYTES);
        if (n < 0)
            return -errno;
        more = mnl_cb_run(buffer, (size_t)n, family, mnl_socket_get_portid(s), fn, ctx);
        if (more < 0)
            return -errno;
    }
    return 0;
}

static int dump_all(struct count *c)
{
    struct mnl_socket *s = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    if (!s)
        return -errno;
    int err =
        mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : dump(s, AF_INET, on_socket, c);
    if (err == 0)
        err = dump(s, AF_INET6, on_socket, c);
    mnl_socket_close(s);
    return err;
}

int connections_with(enum family family, struct ip prefix, unsigned len)
{
    struct with w = {.family = family, .prefix = prefix, .len = len};
    struct mnl_socket *s = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    if (!s)
        return -errno;
    int err =
        mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : dump(s, AF_INET, on_peer, &w);
    if (err == 0)
        err = dump(s, AF_INET6, on_peer, &w);
    mnl_socket_close(s);
    return err < 0 ? err : w.found;
}

int connections_count(const struct effective *before, const struct effective *after,
                      uint64_t now_ns, int64_t *ret)
{
    _cleanup_(decider_index_freep) struct decider_index *a = NULL, *b = NULL;
    if (decider_index_new(before, now_ns, &a) < 0 || decider_index_new(after, now_ns, &b) < 0)
        return -ENOMEM;
    struct count c = {.host = after->host, .before = a, .after = b};
    int err = dump_all(&c);
    if (err == -ENOMEM)
        return err;
    *ret = err < 0 ? -1 : c.n; /* a kernel without sock_diag: not known */
    return 0;
}
