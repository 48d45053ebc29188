/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pw-attack: holds many TCP connections in bad states, for tests of memory pressure protection.
 *   pw-attack -i mppIF -M DSTMAC -d DST -p PORT -s FIRST_SRC -m MODE [-n CONNS] [-r CONNS_PER_S]
 *             [-c CONNS_PER_SOURCE] [-w WINDOW] [-g GROW_BYTES] [-t SECONDS] [-R] [-o LIST]
 * It refuses to run anywhere but in a namespace that was made for it (guard()), and to other
 * addresses than 10.77.0.0/16 and fd77::/16. No option switches a guard off. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

enum { CONNS_MAX = 1100000, SECONDS_MAX = 150, BURST = 512, BATCH = 64, FULL_WINDOW = 65535 };
static const uint64_t second_ns = 1000000000;
static const char *const mode_names[_ATTACK_MAX] = {"idle", "zero", "slow", "noack", "syn"};

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
    return (uint64_t)t.tv_sec * second_ns + (uint64_t)t.tv_nsec;
}

/* --- guards --- */

static bool is_private_namespace(void)
{
    struct stat self, init;

    if (stat("/proc/self/ns/net", &self) < 0 || self.st_ino == 0xeffffff9u) /* the initial one */
        return false;
    return stat("/proc/1/ns/net", &init) < 0 || init.st_ino != self.st_ino;
}

static bool has_only_test_interfaces(void)
{
    struct if_nameindex *all = if_nameindex();
    bool ok = all != NULL;

    for (struct if_nameindex *i = all; ok && i->if_index; i++)
        ok = strcmp(i->if_name, "lo") == 0 || strncmp(i->if_name, "mpp", 3) == 0;
    if (all)
        if_freenameindex(all);
    return ok;
}

static bool has_no_default_route(void)
{
    FILE *f = fopen("/proc/self/net/route", "r");
    char line[256];
    unsigned long dst;
    bool ok = f != NULL;

    while (ok && fgets(line, sizeof(line), f))
        ok = sscanf(line, "%*s %lx", &dst) != 1 || dst != 0;
    if (f)
        (void)fclose(f); /* read only */
    return ok;
}

static bool is_test_address(const struct attack *a, const uint8_t addr[16])
{
    return a->ipv6 ? addr[0] == 0xfd && addr[1] == 0x77 : addr[0] == 10 && addr[1] == 77;
}

static const char *why_not(const struct attack *a)
{
    uint8_t last[16];

    if (!a->ifname || strncmp(a->ifname, "mpp", 3) != 0)
        return "the interface must be named mpp*";
    if (!is_private_namespace())
        return "not in a network namespace of its own";
    if (!has_only_test_interfaces())
        return "the namespace has other interfaces than lo and mpp*";
    if (!has_no_default_route())
        return "the namespace has a default route";
    if (a->n < 1 || a->n > CONNS_MAX || a->per_source < 1 || a->per_source > 60000 ||
        a->seconds > SECONDS_MAX || a->rate < 1)
        return "too much";
    attack_source(a, a->n - 1, last);
    if (!is_test_address(a, a->dst) || !is_test_address(a, a->src) || !is_test_address(a, last))
        return "addresses must be in 10.77.0.0/16 or fd77::/16";
    return NULL;
}

/* --- the peer --- */

static uint16_t window_of(const struct attack *a, const struct attack_conn *c)
{
    if (a->mode == ATTACK_IDLE)
        return 512;
    return c->got < a->grow ? FULL_WINDOW : (uint16_t)a->window;
}

static void acknowledge(struct attack *a, long i)
{
    const struct attack_conn *c = &a->conns[i];

    attack_send(a, &(struct attack_segment){.conn = i,
                                            .flags = TH_ACK,
                                            .seq = c->seq,
                                            .ack = c->rcv_next,
                                            .window = window_of(a, c)});
}

static void open_conn(struct attack *a, long i, uint64_t now)
{
    struct attack_conn *c = &a->conns[i];

    c->seq = c->seq ? c->seq + 100000 : 0x1000 + (uint32_t)i * 7919;
    c->state = CONN_SYN_SENT;
    c->acked_ns = now;
    c->got = 0;
    attack_send(a, &(struct attack_segment){
                       .conn = i, .flags = TH_SYN, .seq = c->seq, .window = FULL_WINDOW});
}

static void on_syn_ack(struct attack *a, const struct attack_answer *r)
{
    struct attack_conn *c = &a->conns[r->conn];
    size_t len = a->mode == ATTACK_IDLE ? 0 : a->request_len;

    if (c->state < CONN_OPEN) {
        c->state = CONN_OPEN;
        c->rcv_next = r->seq + 1;
        c->seq += 1 + (uint32_t)len;
        a->opened++;
    }
    attack_send(a, &(struct attack_segment){.conn = r->conn,
                                            .flags = len ? TH_ACK | TH_PUSH : TH_ACK,
                                            .seq = c->seq - (uint32_t)len,
                                            .ack = c->rcv_next,
                                            .window = window_of(a, c),
                                            .data = a->request,
                                            .len = len});
}

static void on_answer(struct attack *a, const struct attack_answer *r)
{
    struct attack_conn *c = &a->conns[r->conn];

    if (r->flags & TH_RST) {
        a->reset += c->state != CONN_RESET;
        c->state = CONN_RESET;
        c->was_reset = true;
        return;
    }
    if ((r->flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK)) {
        on_syn_ack(a, r);
        return;
    }
    if (c->state != CONN_OPEN || a->mode == ATTACK_NOACK)
        return;
    if (r->len > 0 && r->seq == c->rcv_next) {
        c->rcv_next += (uint32_t)r->len;
        c->got += (uint32_t)r->len;
    }
    /* Data (the slow one waits with it), a probe of the window, or a FIN that does not fit. */
    if (r->len > 0 ? a->mode != ATTACK_SLOW : r->flags & TH_FIN || r->seq != c->rcv_next)
        acknowledge(a, r->conn);
}

static void receive(struct attack *a, int wait_ms)
{
    static uint8_t buf[BATCH][2048];
    struct mmsghdr msgs[BATCH] = {0};
    struct iovec iov[BATCH];
    struct pollfd p = {.fd = a->fd, .events = POLLIN};
    struct attack_answer r;

    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){buf[i], sizeof(buf[i])};
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    int n = recvmmsg(a->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
    if (n <= 0)
        (void)poll(&p, 1, wait_ms); /* interrupted: looked again */
    for (int i = 0; i < n && a->mode != ATTACK_SYN; i++)
        if (attack_parse(a, buf[i], msgs[i].msg_len, &r))
            on_answer(a, &r);
}

/* One window a second for each. */
static void take_slowly(struct attack *a, long started, uint64_t now)
{
    static long next;

    for (int i = 0; i < 200 && started; i++) {
        long k = next++ % started;
        if (a->conns[k].state == CONN_OPEN && now - a->conns[k].acked_ns > second_ns) {
            a->conns[k].acked_ns = now;
            acknowledge(a, k);
        }
    }
}

/* At the same rate as at first: SYNs without an answer for a second again; a stubborn peer replaces
 * what was reset. */
static void again(struct attack *a, uint64_t now, double *credit)
{
    static long next;

    for (long i = 0; i < a->n && *credit >= 1; i++) {
        long k = next++ % a->n;
        const struct attack_conn *c = &a->conns[k];
        bool lost = c->state == CONN_SYN_SENT && now - c->acked_ns > second_ns;
        bool replace = a->reopen && c->state == CONN_RESET;
        if (!lost && !replace)
            continue;
        --*credit;
        open_conn(a, k, now);
    }
}

static void run(struct attack *a)
{
    uint64_t start = now_ns(), last = start;
    uint64_t end = start + (uint64_t)(a->seconds * 1e9);
    double credit = 0;
    long started = 0;

    for (uint64_t now = start; now < end; now = now_ns()) {
        credit += (double)(now - last) * 1e-9 * (double)a->rate;
        last = now;
        credit = credit > BURST ? BURST : credit;
        for (; credit >= 1 && (started < a->n || a->mode == ATTACK_SYN); credit--)
            open_conn(a, started++ % a->n, now);
        if (a->mode != ATTACK_SYN && started >= a->n)
            again(a, now, &credit);
        long open = started < a->n ? started : a->n;
        if (a->mode == ATTACK_SLOW)
            take_slowly(a, open, now);
        receive(a, started < a->n || a->mode >= ATTACK_SLOW ? 1 : 10);
    }
}

/* --- start and end --- */

static bool open_socket(struct attack *a)
{
    uint16_t type = htons(a->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
    struct ifreq q = {.ifr_name = ""};
    int one = 1, big = 64 << 20;

    a->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, type);
    strncpy(q.ifr_name, a->ifname, sizeof(q.ifr_name) - 1);
    a->to = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                 .sll_ifindex = (int)if_nametoindex(a->ifname),
                                 .sll_protocol = type,
                                 .sll_halen = 6};
    memcpy(a->to.sll_addr, a->mac_dst, 6);
    if (a->fd < 0 || ioctl(a->fd, SIOCGIFHWADDR, &q) < 0 ||
        bind(a->fd, (const void *)&a->to, sizeof(a->to)) < 0)
        return false;
    memcpy(a->mac_src, q.ifr_hwaddr.sa_data, 6);
    return setsockopt(a->fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big)) == 0 &&
           setsockopt(a->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) == 0;
}

/* Every connection that was tried: "ADDRESS PORT", " reset" behind those that were. */
static bool write_list(const struct attack *a)
{
    FILE *f = a->list ? fopen(a->list, "w") : NULL;

    for (long i = 0; f && i < a->n; i++) {
        uint8_t src[16];
        char text[INET6_ADDRSTRLEN];
        attack_source(a, i, src);
        if (a->conns[i].state != CONN_NEW &&
            inet_ntop(a->ipv6 ? AF_INET6 : AF_INET, src, text, sizeof(text)))
            (void)fprintf(f, "%s %u%s\n", text, attack_port(a, i),
                          a->conns[i].was_reset ? " reset" : "");
    }
    return !a->list || (f && fclose(f) == 0);
}

static bool read_mac(const char *text, uint8_t ret[6])
{
    return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &ret[0], &ret[1], &ret[2], &ret[3],
                  &ret[4], &ret[5]) == 6;
}

static bool read_address(struct attack *a, const char *text, uint8_t ret[16])
{
    a->ipv6 = strchr(text, ':') != NULL;
    return inet_pton(a->ipv6 ? AF_INET6 : AF_INET, text, ret) == 1;
}

static bool read_mode(const char *text, enum attack_mode *ret)
{
    for (unsigned m = 0; m < _ATTACK_MAX; m++)
        if (strcmp(text, mode_names[m]) == 0) {
            *ret = (enum attack_mode)m;
            return true;
        }
    return false;
}

static bool read_option(struct attack *a, int c)
{
    switch (c) {
    case 'i':
        a->ifname = optarg;
        return true;
    case 'M':
        return read_mac(optarg, a->mac_dst);
    case 'd':
        return read_address(a, optarg, a->dst);
    case 's':
        return read_address(a, optarg, a->src);
    case 'm':
        return read_mode(optarg, &a->mode);
    case 'o':
        a->list = optarg;
        return true;
    case 'R':
        a->reopen = true;
        return true;
    case 't':
        a->seconds = atof(optarg);
        return true;
    default:
        break;
    }
    long n = c == '?' ? -1 : atol(optarg);
    a->n = c == 'n' ? n : a->n;
    a->rate = c == 'r' ? n : a->rate;
    a->per_source = c == 'c' ? n : a->per_source;
    a->window = c == 'w' ? (uint32_t)n : a->window;
    a->grow = c == 'g' ? (uint32_t)n : a->grow;
    a->dport = c == 'p' ? (uint16_t)n : a->dport;
    return n >= 0;
}

int main(int argc, char **argv)
{
    struct attack a = {.n = 1000, .rate = 400, .per_source = 20000, .seconds = 10, .fd = -1};

    for (int c; (c = getopt(argc, argv, "i:M:d:s:p:m:n:r:c:w:g:t:o:R")) != -1;)
        if (!read_option(&a, c)) {
            (void)fputs("pw-attack: see the beginning of its source for its options\n", stderr);
            return 2;
        }
    const char *why = why_not(&a);
    if (why) {
        (void)fprintf(stderr, "pw-attack: refuses to run: %s\n", why);
        return 2;
    }
    a.request_len =
        (size_t)snprintf(a.request, sizeof(a.request), "GET /10000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    a.conns = calloc((size_t)a.n, sizeof(*a.conns));
    if (!a.conns || !open_socket(&a)) {
        perror("pw-attack");
        return 1;
    }
    run(&a);
    bool written = write_list(&a);
    (void)printf("opened %lu reset %lu sent %lu\n", a.opened, a.reset, a.sent);
    free(a.conns);
    return written ? 0 : 1;
}
