/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/listener.c: see listener.h; the only file that sees the skeleton. Called by
 * `scan --listen`. The packet socket takes all protocols, because only such a one sees packets
 * before TCX; its filter refuses every packet after it has looked at it. */
#include "exposureprobe/listener.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "probe.h"

#include "probe.skel.h"

struct probe_listener {
    struct probe_skel *skel;
    int tap, raw;
    const struct probe_seen *arrived, *delivered; /* mapped */
};

static void unmap(const struct probe_seen *p)
{
    union { /* munmap() does not write to it */
        const struct probe_seen *in;
        void *out;
    } u = {.in = p};
    if (p)
        (void)munmap(u.out, sizeof(*p));
}

void probe_listener_freep(struct probe_listener **l)
{
    if (!*l)
        return;
    close_p(&(*l)->tap);
    close_p(&(*l)->raw);
    unmap((*l)->arrived);
    unmap((*l)->delivered);
    probe_skel__destroy((*l)->skel); /* NULL is fine */
    free(*l);
    *l = NULL;
}

static int load(struct probe_listener *l, const uint64_t key[2], enum family family, bool udp)
{
    l->skel = probe_skel__open();
    if (!l->skel)
        return -errno;
    l->skel->rodata->probe_k0 = key[0];
    l->skel->rodata->probe_k1 = key[1];
    l->skel->rodata->probe_family = family == FAMILY_4 ? 4 : 6;
    l->skel->rodata->probe_proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
    return probe_skel__load(l->skel);
}

static int map(struct bpf_map *m, const struct probe_seen **ret)
{
    void *p = mmap(NULL, sizeof(**ret), PROT_READ, MAP_SHARED, bpf_map__fd(m), 0);
    if (p == MAP_FAILED)
        return -errno;
    *ret = p;
    return 0;
}

/* Nothing is ever read from it. */
static int attach(int fd, struct bpf_program *p)
{
    int prog = bpf_program__fd(p), least = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)); /* the kernel's least */
    return fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)) < 0 ? -errno
                                                                                        : 0;
}

static int open_tap(struct probe_listener *l)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    l->tap = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* no packet before it is bound */
    int err = attach(l->tap, l->skel->progs.pw_probe_arrived);
    if (err == 0 && bind(l->tap, (const struct sockaddr *)&a, sizeof(a)) < 0)
        err = -errno;
    return err;
}

static int open_raw(struct probe_listener *l, enum family family, bool udp)
{
    l->raw = socket(family == FAMILY_4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC,
                    udp ? IPPROTO_UDP : IPPROTO_TCP);
    return attach(l->raw, l->skel->progs.pw_probe_delivered);
}

int probe_listener_open(const uint64_t key[2], enum family family, bool udp, struct diag *d,
                        struct probe_listener **ret)
{
    _cleanup_(probe_listener_freep) struct probe_listener *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->tap = l->raw = -1;
    (void)libbpf_set_strict_mode(LIBBPF_STRICT_ALL); /* always the case in later versions */
    int err = load(l, key, family, udp);
    if (err == 0)
        err = map(l->skel->maps.probe_arrived, &l->arrived);
    if (err == 0)
        err = map(l->skel->maps.probe_delivered, &l->delivered);
    if (err == 0)
        err = open_raw(l, family, udp);
    if (err == 0)
        err = open_tap(l);
    if (err < 0)
        return diag_errno(d, err, "cannot listen for probes");
    *ret = TAKE_PTR(l);
    return 0;
}

static void take_ports(const struct probe_seen *seen, struct probe_ports *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (unsigned i = 0; i < PROBE_PORTS; i++)
        if (__atomic_load_n(&seen->port[i], __ATOMIC_RELAXED))
            probe_ports_add(ret, i);
}

void probe_listener_read(const struct probe_listener *l, struct probe_heard *ret)
{
    struct probe_sight s = {.family = 0};
    uint32_t zero = 0;
    memset(ret, 0, sizeof(*ret));
    take_ports(l->delivered, &ret->delivered);
    take_ports(l->arrived, &ret->arrived); /* after: what was delivered has arrived */
    if (bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.probe_sights), &zero, &s) < 0 || !s.family)
        return;
    ret->any = true;
    ret->family = s.family == 4 ? FAMILY_4 : FAMILY_6;
    ret->source = ip_from_bytes(ret->family, s.source);
    ret->target = ip_from_bytes(ret->family, s.target);
    ret->source_port = s.source_port;
    ret->ifindex = s.ifindex;
    if (!if_indextoname(s.ifindex, ret->ifname))
        ret->ifname[0] = '\0';
}
