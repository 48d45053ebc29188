/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets/read.c: asks sock_diag (sockets/sockets.h). Called by `portward sockets` and `audit`, the
 * dialect netstat and the agent. A dump that says it was interrupted is made again, three times at
 * most; then the list is marked incomplete. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <linux/xdp_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

enum {
    ASK_BYTES = 256,
    ANSWER_BYTES = 256 * 1024,
    QUEUE_BYTES = 8 * 1024 * 1024,
    ATTEMPTS = 3,
    STATE_BOUND_INACTIVE = 13, /* TCP_BOUND_INACTIVE, Linux 6.8; answers say TCP_CLOSE */
};
#define STATE_BIT(state) (UINT32_C(1) << (state))

struct question {
    uint8_t family, proto;
    uint32_t states;
};

struct asking {
    int fd;
    struct iterators *it;
    uint8_t *answer; /* ANSWER_BYTES */
    struct sockets *s;
};

static int open_diag(void)
{
    _cleanup_(close_p) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int bytes = QUEUE_BYTES;

    if (fd < 0)
        return -errno;
    /* Without the right to it the dump is slower, not wrong. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    return TAKE_FD(fd);
}

static void put_question(struct nlmsghdr *h, const struct question *q)
{
    struct inet_diag_req_v2 *inet;
    struct inet_diag_req *both;
    struct packet_diag_req *packet;
    struct xdp_diag_req *xdp;

    h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    switch (q->family) {
    case AF_UNSPEC:
        both = mnl_nlmsg_put_extra_header(h, sizeof(*both));
        h->nlmsg_type = TCPDIAG_GETSOCK;
        both->idiag_family = AF_INET;
        both->idiag_states = q->states;
        break;
    case AF_PACKET:
        packet = mnl_nlmsg_put_extra_header(h, sizeof(*packet));
        packet->sdiag_family = AF_PACKET;
        packet->pdiag_show = PACKET_SHOW_INFO;
        break;
    case AF_XDP:
        xdp = mnl_nlmsg_put_extra_header(h, sizeof(*xdp));
        xdp->sdiag_family = AF_XDP;
        xdp->xdiag_show = XDP_SHOW_INFO;
        break;
    default:
        inet = mnl_nlmsg_put_extra_header(h, sizeof(*inet));
        inet->sdiag_family = q->family;
        inet->sdiag_protocol = q->proto;
        inet->idiag_states = q->states;
        break;
    }
}

static int send_question(int fd, const struct question *q)
{
    alignas(struct nlmsghdr) uint8_t buf[ASK_BYTES] = {0};
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    put_question(h, q);
    if (sendto(fd, h, h->nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return -errno;
    return 0;
}

/* One dump; 1: it was interrupted. */
static int ask_once(struct asking *x, const struct question *q)
{
    struct socket_answer a = {0};
    bool interrupted = false;
    int r = send_question(x->fd, q);

    while (r == 0 && !a.done) {
        ssize_t n = recv(x->fd, x->answer, ANSWER_BYTES, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        r = sockets_parse(x->answer, (size_t)n, q->family, q->proto, x->s, &a);
        interrupted |= a.interrupted;
    }
    return r < 0 ? r : a.error < 0 ? a.error : interrupted;
}

static int ask(struct asking *x, const struct question *q)
{
    size_t before = x->s->n;
    int r = 1;

    for (int i = 0; r == 1 && i < ATTEMPTS; i++) {
        x->s->n = before;
        r = ask_once(x, q);
    }
    if (r == 1)
        x->s->incomplete = true;
    return r < 0 ? r : 0;
}

/* What a kernel does not have, it does not list. */
static bool is_absent(int err)
{
    return err == -ENOENT || err == -EPROTONOSUPPORT || err == -EAFNOSUPPORT || err == -EINVAL ||
           err == -EOPNOTSUPP;
}

/* Any other state of TCP makes the kernel walk the table of all connections. */
static uint32_t states_of(uint8_t proto, unsigned what)
{
    bool datagrams = proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE;
    uint32_t waiting = STATE_BIT(datagrams ? TCP_CLOSE : TCP_LISTEN);
    uint32_t others =
        ~(STATE_BIT(TCP_LISTEN) | STATE_BIT(TCP_CLOSE) | STATE_BIT(STATE_BOUND_INACTIVE));

    return (what & SOCKETS_WAITING ? waiting : 0) | (what & SOCKETS_CONNECTED ? others : 0);
}

/* The older form of the question has both families answered in one walk of the kernel's tables. */
static int ask_tcp(struct asking *x, uint32_t states)
{
    struct question q = {AF_UNSPEC, IPPROTO_TCP, states};
    int r = ask(x, &q);

    if (!is_absent(r))
        return r;
    q.family = AF_INET;
    r = ask(x, &q);
    q.family = AF_INET6;
    if (r == 0)
        r = ask(x, &q);
    return is_absent(r) ? 0 : r;
}

static int ask_ports(struct asking *x, unsigned what)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    static const uint8_t protos[] = {IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP};
    bool only_waiting = (what & (SOCKETS_WAITING | SOCKETS_CONNECTED)) == SOCKETS_WAITING;
    int r = only_waiting ? listeners_iterate(x->it, x->s) : -ENOENT;

    if (r < 0 && r != -ENOMEM)
        r = ask_tcp(x, states_of(IPPROTO_TCP, what));

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families) * ARRAY_SIZE(protos); i++) {
        uint8_t proto = protos[i % ARRAY_SIZE(protos)];
        struct question q = {families[i / ARRAY_SIZE(protos)], proto, states_of(proto, what)};

        r = ask(x, &q);
        if (is_absent(r) && (proto != IPPROTO_UDP || q.family == AF_INET6))
            r = 0;
    }
    return r;
}

/* A kernel that does not know the state gives an empty list. */
static int sees_reserved(struct asking *x)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    _cleanup_(close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t before = x->s->n;

    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
        return -errno;
    int r = ask_tcp(x, STATE_BIT(STATE_BOUND_INACTIVE));
    bool seen = x->s->n > before;
    x->s->n = before;
    return r < 0 ? r : seen;
}

static int ask_reserved(struct asking *x)
{
    size_t before = x->s->n;
    int r = ask_tcp(x, STATE_BIT(STATE_BOUND_INACTIVE));

    if (r < 0 || x->s->n > before)
        return r;
    x->s->reserved_hidden = sees_reserved(x) != 1;
    return 0;
}

static int ask_sniffers(struct asking *x)
{
    static const struct question questions[] = {
        {AF_INET, IPPROTO_RAW, UINT32_MAX},
        {AF_INET6, IPPROTO_RAW, UINT32_MAX},
        {AF_PACKET, 0, 0},
        {AF_XDP, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
        int r = ask(x, &questions[i]);

        if (r < 0 && questions[i].family == AF_PACKET)
            x->s->sniff_hidden = true;
        if (r < 0 && questions[i].proto == IPPROTO_RAW)
            r = raw_from_proc(questions[i].family, x->s);
        if (r < 0 && !is_absent(r))
            return r;
    }
    return 0;
}

/* Clock of field 22 of /proc/PID/stat. */
static uint64_t now_ticks(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_BOOTTIME, &t); /* exists */
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
    return (uint64_t)t.tv_sec * hz + (uint64_t)t.tv_nsec * hz / 1000000000;
}

static int read_holders(struct iterators *it, int own_fd, struct sockets *s)
{
    struct stat st;

    if (fstat(own_fd, &st) == 0 && holders_iterate(it, (uint32_t)st.st_ino, s) == 0)
        return 0;
    s->n_holders = 0;
    s->by = HOLDERS_PROC;
    return holders_from_proc(s);
}

int sockets_read(unsigned what, const char *pin, struct diag *d, struct sockets *ret)
{
    _cleanup_(sockets_done) struct sockets s = {0};
    _cleanup_free_ uint8_t *answer = malloc(ANSWER_BYTES);
    _cleanup_(close_p) int fd = open_diag();
    _cleanup_(iterators_done) struct iterators it;
    struct asking x = {.fd = fd, .it = &it, .answer = answer, .s = &s};
    int r = !answer ? -ENOMEM : fd < 0 ? fd : 0;

    iterators_init(&it);
    iterators_open(pin, &it);
    if (r == 0)
        r = ask_ports(&x, what);
    if (r == 0 && what & SOCKETS_WAITING)
        r = ask_reserved(&x);
    if (r == 0 && what & SOCKETS_SNIFFING)
        r = ask_sniffers(&x);
    s.read_ticks = now_ticks();
    if (r == 0 && what & SOCKETS_HOLDERS)
        r = read_holders(&it, fd, &s);
    if (r < 0)
        return diag_errno(d, r, "cannot read the list of sockets");
    r = sockets_settle(&s);
    if (r < 0)
        return diag_errno(d, r, "cannot sort the list of sockets");
    *ret = s;
    s = (struct sockets){0};
    return 0;
}
