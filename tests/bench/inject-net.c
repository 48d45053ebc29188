/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The template frame of pw-inject, the socket behind it, and clocks.
 * Invariant: every datagram that reaches the socket is counted exactly once, as taken from its
 * queue or as dropped there; the queue holds one or two, so that both ways cost the same whatever
 * was tested before. Without a listener the cost of ICMP errors would be measured. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "inject-tool.h"

enum { SOURCE_PORT = 4000, IP4_BYTES = 20, IP6_BYTES = 40, UDP_BYTES = 8 };
enum { IP4_SOURCE = INJECT_ETH_BYTES + 12, IP6_SOURCE = INJECT_ETH_BYTES + 8 };
static const char local4[] = "10.0.0.1", local6[] = "2001:db8:ffff::1";

static void put_be16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t sum_be16(const uint8_t *at, unsigned len, uint32_t sum)
{
    for (unsigned i = 0; i < len; i += 2)
        sum += (uint32_t)at[i] << 8 | at[i + 1];
    return sum;
}

static uint16_t folded(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put_udp(uint8_t *udp, uint16_t port, unsigned len)
{
    put_be16(udp, SOURCE_PORT);
    put_be16(udp + 2, port);
    put_be16(udp + 4, len);
}

static void frame4(uint8_t *ip, uint16_t port, unsigned len)
{
    ip[0] = 0x45;
    put_be16(ip + 2, len);
    ip[8] = 64; /* hop limit */
    ip[9] = IPPROTO_UDP;
    (void)inet_pton(AF_INET, local4, ip + 16);
    put_udp(ip + IP4_BYTES, port, len - IP4_BYTES); /* no checksum */
    put_be16(ip + 10, folded(sum_be16(ip, IP4_BYTES, 0)));
}

static void frame6(uint8_t *ip, uint16_t port, unsigned len)
{
    unsigned payload = len - IP6_BYTES;

    ip[0] = 0x60;
    put_be16(ip + 4, payload);
    ip[6] = IPPROTO_UDP;
    ip[7] = 64;
    (void)inet_pton(AF_INET6, "2001:db8::1", ip + 8);
    (void)inet_pton(AF_INET6, local6, ip + 24);
    put_udp(ip + IP6_BYTES, port, payload);
    uint32_t pseudo = sum_be16(ip + 8, 32, payload + IPPROTO_UDP);
    put_be16(ip + IP6_BYTES + 6, folded(sum_be16(ip + IP6_BYTES, payload, pseudo)));
}

unsigned inject_frame(const struct inject_options *o, uint8_t frame[INJECT_FRAME6])
{
    unsigned len = o->job.v6 ? INJECT_FRAME6 : INJECT_FRAME4;

    memset(frame, 0, INJECT_FRAME6);
    memcpy(frame, o->mac, 6);
    frame[6] = 2; /* locally administered */
    put_be16(frame + 12, o->job.v6 ? 0x86dd : 0x0800);
    if (o->job.v6)
        frame6(frame + INJECT_ETH_BYTES, o->port, len - INJECT_ETH_BYTES);
    else
        frame4(frame + INJECT_ETH_BYTES, o->port, len - INJECT_ETH_BYTES);
    return len;
}

/* The template's checksum is right, and both halves of the old source are known. */
static void replace_sum(uint8_t *check, const uint8_t *at, uint32_t source)
{
    uint32_t sum = (uint16_t) ~((uint32_t)check[0] << 8 | check[1]);

    for (unsigned i = 0; i < 4; i += 2)
        sum += (uint16_t) ~((uint32_t)at[i] << 8 | at[i + 1]);
    uint16_t result = folded(sum + (source >> 16) + (source & 0xffff));
    put_be16(check, result ? result : 0xffff);
}

void inject_frame_source(uint8_t *frame, bool v6, uint32_t source)
{
    uint8_t *at = frame + (v6 ? IP6_SOURCE + 4 : IP4_SOURCE);
    uint8_t *check = frame + INJECT_ETH_BYTES + (v6 ? IP6_BYTES + 6 : 10);

    replace_sum(check, at, source);
    put_be16(at, source >> 16);
    put_be16(at + 2, source);
}

int inject_device_mac(const char *device, uint8_t mac[6])
{
    struct ifreq r = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    memccpy(r.ifr_name, device, 0, sizeof(r.ifr_name) - 1);
    int err = ioctl(fd, SIOCGIFHWADDR, &r) < 0 ? -errno : 0;
    close(fd);
    memcpy(mac, r.ifr_hwaddr.sa_data, 6);
    return err;
}

static int bound(const struct inject_options *o)
{
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(o->port)};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(o->port)};
    int smallest = 1;
    int fd = socket(o->job.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    (void)inet_pton(AF_INET, local4, &a4.sin_addr);
    (void)inet_pton(AF_INET6, local6, &a6.sin6_addr);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest));
    int r = o->job.v6 ? bind(fd, (const struct sockaddr *)&a6, sizeof(a6))
                      : bind(fd, (const struct sockaddr *)&a4, sizeof(a4));
    if (r < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int inject_listen(const struct inject_options *o)
{
    if (!o->receiver)
        return bound(o);
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = open(o->receiver, O_RDONLY | O_CLOEXEC);
    int fd = home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0 ? -errno : bound(o);
    if (home >= 0 && setns(home, CLONE_NEWNET) < 0 && fd >= 0)
        fd = -errno;
    close(there);
    close(home);
    return fd;
}

uint64_t inject_delivered(int fd, uint64_t *drops_seen)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(info);
    uint64_t n = 0;
    char byte;

    while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
        n++;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0) {
        n += (uint32_t)(info[SK_MEMINFO_DROPS] - (uint32_t)*drops_seen);
        *drops_seen = info[SK_MEMINFO_DROPS];
    }
    return n;
}

static double clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double inject_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

double inject_wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}
