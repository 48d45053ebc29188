/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flooder of pw-inject: frames through a packet socket into one end of a veth pair, so that a
 * measured packet pays for being sent, for the device and for being received, all on one CPU.
 * Invariants: the CPU time is this thread's and that of the CPU's softirq thread; the frames are
 * made beforehand, from a pool larger than the caches of one core, because frames that repeat
 * after a few thousand would find their filters in the cache. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "inject-tool.h"

enum { POOL = 1 << 16, BATCH = 64, SETTLE_MS = 30, PID_SCAN = 4096 };

struct flood {
    const struct inject_options *o;
    int fd;
    int ksoftirqd; /* pid, 0 = not found */
    unsigned next;
    uint8_t (*frame)[INJECT_FRAME6];
    struct mmsghdr *message;
    struct iovec *vector;
};

static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = 0;
    return n > 0;
}

static int find_ksoftirqd(unsigned cpu)
{
    char want[32], path[48], text[64];

    snprintf(want, sizeof(want), "ksoftirqd/%u\n", cpu);
    for (int pid = 2; pid < PID_SCAN; pid++) {
        snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        if (read_text(path, text, sizeof(text)) && strcmp(text, want) == 0)
            return pid;
    }
    return 0;
}

static double ksoftirqd_ns(const struct flood *f)
{
    char path[48], text[128];

    snprintf(path, sizeof(path), "/proc/%d/schedstat", f->ksoftirqd);
    return f->ksoftirqd && read_text(path, text, sizeof(text)) ? strtod(text, NULL) : 0;
}

/* Packets that the queue between the devices had no room for, on this CPU. */
static uint64_t backlog_drops(unsigned cpu)
{
    char text[16384];
    const char *line = text;

    if (!read_text("/proc/net/softnet_stat", text, sizeof(text)))
        return 0;
    for (unsigned i = 0; i < cpu && line; i++) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    const char *second = line ? strchr(line, ' ') : NULL;
    return second ? strtoull(second, NULL, 16) : 0;
}

static int open_socket(const struct inject_options *o)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = htons(o->job.v6 ? ETH_P_IPV6 : ETH_P_IP),
                            .sll_ifindex = (int)if_nametoindex(o->device)};
    int one = 1, space = 8 << 20;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &space, sizeof(space));
    if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int flood_new(const struct inject_options *o, struct flood **ret)
{
    struct flood *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->o = o;
    f->ksoftirqd = find_ksoftirqd(o->cpu);
    f->frame = calloc(POOL, sizeof(*f->frame));
    f->message = calloc(POOL, sizeof(*f->message));
    f->vector = calloc(POOL, sizeof(*f->vector));
    f->fd = f->frame && f->message && f->vector ? open_socket(o) : -ENOMEM;
    if (f->fd < 0) {
        int err = f->fd;
        flood_free(f);
        return err;
    }
    for (unsigned i = 0; i < POOL; i++) {
        f->vector[i].iov_base = f->frame[i];
        f->vector[i].iov_len = inject_frame(o, f->frame[i]);
        inject_frame_source(f->frame[i], o->job.v6, inject_source(&o->job, i));
        f->message[i].msg_hdr.msg_iov = &f->vector[i];
        f->message[i].msg_hdr.msg_iovlen = 1;
    }
    *ret = f;
    return 0;
}

void flood_free(struct flood *f)
{
    if (f->fd >= 0)
        close(f->fd);
    free(f->frame);
    free(f->message);
    free(f->vector);
    free(f);
}

int flood_round(struct flood *f, struct inject_round *ret)
{
    const struct timespec settle = {.tv_nsec = SETTLE_MS * 1000000L};
    uint64_t drops = backlog_drops(f->o->cpu), sent = 0;
    double softirq = ksoftirqd_ns(f), cpu = inject_cpu_ns(), start = inject_wall_ns();
    double end = start + f->o->round_ms * 1e6, now = start;

    for (; now < end; now = inject_wall_ns()) {
        int n = sendmmsg(f->fd, f->message + f->next, BATCH, 0);
        if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
            return -errno;
        sent += n > 0 ? (unsigned)n : 0;
        f->next = (f->next + BATCH) % POOL;
    }
    ret->wall_ns = now - start;
    ret->cpu_ns = inject_cpu_ns() - cpu;
    nanosleep(&settle, NULL); /* what is still in the queue */
    ret->cpu_ns += ksoftirqd_ns(f) - softirq;
    ret->sent = sent;
    ret->lost = backlog_drops(f->o->cpu) - drops;
    return 0;
}
