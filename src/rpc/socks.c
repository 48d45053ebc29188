/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See socks.h. */
#include "socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

enum {
    ASK_BYTES = 256,
    ANSWER_BYTES = 32768, /* what the kernel fills at most in one go */
    ATTR_SKV6ONLY = 11,   /* INET_DIAG_*; headers of Debian 12 have them all */
    ATTR_CGROUP_ID = 21,
    STATE_BOUND = 13, /* TCP_BOUND_INACTIVE, Linux 6.8 */
};

struct reader {
    struct socks *l;
    enum rpc_proto proto;
};

void socks_done(struct socks *l)
{
    free(l->v);
    *l = (struct socks){0};
}

static int on_attr(const struct nlattr *a, void *u)
{
    struct sock *s = u;

    if (mnl_attr_get_type(a) == ATTR_CGROUP_ID && mnl_attr_validate(a, MNL_TYPE_U64) >= 0)
        s->cgroup = mnl_attr_get_u64(a);
    else if (mnl_attr_get_type(a) == ATTR_SKV6ONLY && mnl_attr_validate(a, MNL_TYPE_U8) >= 0)
        s->six_only = mnl_attr_get_u8(a);
    return MNL_CB_OK;
}

static int on_socket(const struct nlmsghdr *nlh, void *u)
{
    struct reader *r = u;
    const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || !m->id.idiag_sport)
        return MNL_CB_OK;
    if (array_reserve(&r->l->v, &r->l->cap, r->l->n + 1, sizeof(*r->l->v)) < 0)
        return MNL_CB_ERROR;
    struct sock *s = &r->l->v[r->l->n++];

    *s = (struct sock){
        .proto = r->proto,
        .family = m->idiag_family,
        .state = m->idiag_state,
        .port = ntohs(m->id.idiag_sport),
        .peer_port = ntohs(m->id.idiag_dport),
        .uid = m->idiag_uid,
        .ifindex = m->id.idiag_if,
        .inode = m->idiag_inode,
    };
    memcpy(s->local, m->id.idiag_src, sizeof(s->local));
    memcpy(s->peer, m->id.idiag_dst, sizeof(s->peer));
    return mnl_attr_parse(nlh, sizeof(*m), on_attr, s) < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

static int ask(struct mnl_socket *nl, uint8_t family, enum rpc_proto proto, struct socks *l)
{
    alignas(struct nlmsghdr) uint8_t buf[ASK_BYTES] = {0};
    _cleanup_free_ char *answer = malloc(ANSWER_BYTES);
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
    struct reader r = {.l = l, .proto = proto};
    unsigned seq = 1 + (unsigned)proto + 2U * family;

    if (!answer)
        return -ENOMEM;
    nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    nlh->nlmsg_seq = seq;
    req->sdiag_family = family;
    req->sdiag_protocol = proto == RPC_PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP;
    req->idiag_states = UINT32_MAX;
    if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
        return -errno;
    for (int run = MNL_CB_OK; run > MNL_CB_STOP;) {
        ssize_t n = mnl_socket_recvfrom(nl, answer, ANSWER_BYTES);

        if (n < 0)
            return -errno;
        run = mnl_cb_run(answer, (size_t)n, seq, mnl_socket_get_portid(nl), on_socket, &r);
        if (run < 0)
            return errno ? -errno : -EIO;
    }
    return 0;
}

static void mnl_closep(struct mnl_socket **s)
{
    if (*s)
        (void)mnl_socket_close(*s);
}

int socks_read(struct socks *ret)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    _cleanup_(socks_done) struct socks l = {0};
    _cleanup_(mnl_closep) struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    int r = nl ? 0 : -errno;

    if (r == 0 && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
        r = -errno;
    for (unsigned f = 0; r == 0 && f < ARRAY_SIZE(families); f++) {
        for (int p = 0; r == 0 && p < _RPC_PROTO_MAX; p++)
            r = ask(nl, families[f], (enum rpc_proto)p, &l);
    }
    if (r < 0)
        return r;
    *ret = l;
    l = (struct socks){0};
    return 0;
}

bool sock_waits(const struct sock *s)
{
    if (s->proto == RPC_PROTO_UDP)
        return s->state != TCP_ESTABLISHED;
    return s->state == TCP_LISTEN || s->state == STATE_BOUND || s->state == TCP_CLOSE;
}

void sock_print(const uint8_t address[16], uint8_t family, uint16_t port,
                char out[SOCK_ADDRESS_BYTES + 16])
{
    char text[SOCK_ADDRESS_BYTES];

    if (!inet_ntop(family, address, text, sizeof(text)))
        text[0] = '\0'; /* no other family is asked for */
    (void)snprintf(out, SOCK_ADDRESS_BYTES + 16, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
                   port);
}
