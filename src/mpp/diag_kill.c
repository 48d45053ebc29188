/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/diag_kill.c: SOCK_DESTROY of sock_diag, for what is no full socket (half-open connections,
 * TIME_WAIT) and for kernels without bpf_sock_destroy (before 6.5). Twelve times slower. The cookie
 * of the record guards against another connection that has got the same ends meanwhile. Called by
 * records.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "engine.h"

enum { BUFFER_BYTES = 8192 };

void diag_close(struct mnl_socket **s)
{
    if (*s)
        mnl_socket_close(*s);
    *s = NULL;
}

static int open_socket(struct mnl_socket **s)
{
    if (*s)
        return 0;
    *s = mnl_socket_open(NETLINK_SOCK_DIAG);
    if (*s && mnl_socket_bind(*s, 0, MNL_SOCKET_AUTOPID) == 0)
        return 0;
    int err = -errno;
    diag_close(s);
    return err;
}

static void fill(struct inet_diag_req_v2 *q, const struct mpp_record *r)
{
    size_t len = r->family == 6 ? 16 : 4;

    q->sdiag_family = r->family == 6 ? AF_INET6 : AF_INET;
    q->sdiag_protocol = IPPROTO_TCP;
    q->idiag_states = UINT32_MAX;
    q->id.idiag_sport = htons(r->lport);
    q->id.idiag_dport = htons(r->rport);
    memcpy(q->id.idiag_src, r->local, len);
    memcpy(q->id.idiag_dst, r->peer, len);
    q->id.idiag_cookie[0] = (uint32_t)r->cookie;
    q->id.idiag_cookie[1] = (uint32_t)(r->cookie >> 32);
}

int diag_kill(struct mnl_socket **s, const struct mpp_record *r)
{
    char buf[BUFFER_BYTES];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

    h->nlmsg_type = SOCK_DESTROY;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    h->nlmsg_seq = 1;
    fill(mnl_nlmsg_put_extra_header(h, sizeof(struct inet_diag_req_v2)), r);
    int err = open_socket(s);
    if (err < 0)
        return err;
    if (mnl_socket_sendto(*s, h, h->nlmsg_len) < 0)
        return -errno;
    ssize_t n = mnl_socket_recvfrom(*s, buf, sizeof(buf));
    if (n < 0)
        return -errno;
    return mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(*s), NULL, NULL) < 0 ? -errno : 0;
}
