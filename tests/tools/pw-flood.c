/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pw-flood: sends frames as fast as it can, for packet tests. Only into namespaces of tests.
 *   pw-flood IFNAME SECONDS < FRAMES
 * FRAMES are whole Ethernet frames, one per line in hexadecimal, sent in turn. Ends after SECONDS
 * or on SIGTERM and prints "sent N in S s". The first batch is out before "started" is printed. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

enum { FRAME_BYTES = 1514, BATCH = 64, LINE_BYTES = 2 * FRAME_BYTES + 2 };

struct frame {
    uint8_t data[FRAME_BYTES];
    size_t len;
};

struct frames {
    struct frame *v;
    size_t n, cap;
};

static volatile sig_atomic_t stopped;

static void stop(int sig _unused_)
{
    stopped = 1;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return p ? (int)(p - digits) : -1;
}

static int read_frame(const char *line, struct frame *ret)
{
    size_t n = strcspn(line, "\r\n");

    if (n % 2 || n / 2 < ETH_HLEN || n / 2 > FRAME_BYTES)
        return -EINVAL;
    for (size_t i = 0; i < n / 2; i++) {
        int high = digit(line[2 * i]), low = digit(line[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        ret->data[i] = (uint8_t)(high << 4 | low);
    }
    ret->len = n / 2;
    return 0;
}

static int read_frames(FILE *f, struct frames *ret)
{
    char line[LINE_BYTES];

    while (fgets(line, sizeof(line), f)) {
        int r = array_reserve(&ret->v, &ret->cap, ret->n + 1, sizeof(*ret->v));

        if (!r)
            r = read_frame(line, &ret->v[ret->n]);
        if (r < 0)
            return r;
        ret->n++;
    }
    return ret->n ? 0 : -ENODATA;
}

static int open_socket(const char *ifname)
{
    int bypass = 1;
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(ifname)};
    _cleanup_(close_p) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* The next frames in turn; the number sent. */
static int send_batch(int fd, const struct frames *l, size_t *next)
{
    struct mmsghdr m[BATCH] = {0};
    struct iovec iov[BATCH];

    for (size_t i = 0; i < BATCH; i++) {
        struct frame *f = &l->v[(*next + i) % l->n];

        iov[i] = (struct iovec){f->data, f->len};
        m[i].msg_hdr.msg_iov = &iov[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    int n = sendmmsg(fd, m, BATCH, 0);
    if (n < 0)
        return errno == EINTR || errno == ENOBUFS || errno == EAGAIN ? 0 : -errno;
    *next = (*next + (size_t)n) % l->n;
    return n;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int flood(int fd, const struct frames *l, double seconds)
{
    double start = now_s(), at = start;
    unsigned long long sent = 0;
    size_t next = 0;

    for (unsigned round = 0; !stopped && at < start + seconds; round++) {
        int n = send_batch(fd, l, &next);

        if (n < 0)
            return n;
        if (round == 0) {
            printf("started\n");
            fflush(stdout);
        }
        sent += (unsigned)n;
        at = now_s();
    }
    printf("sent %llu in %.3f s\n", sent, at - start);
    return 0;
}

int main(int argc, char **argv)
{
    struct frames l = {0};
    double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;

    if (seconds <= 0) {
        fprintf(stderr, "usage: pw-flood IFNAME SECONDS < FRAMES\n");
        return 2;
    }
    signal(SIGTERM, stop);
    _cleanup_(close_p) int fd = open_socket(argv[1]);
    int r = fd < 0 ? fd : read_frames(stdin, &l);
    if (!r)
        r = flood(fd, &l, seconds);
    free(l.v);
    if (r < 0)
        fprintf(stderr, "pw-flood: %s: %s\n", argv[1], strerror(-r));
    return r < 0;
}
