/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The benchmark's packet source inside the kernel. pw-inject runs `inject` by BPF_PROG_TEST_RUN
 * with live frames: each run gives the template frame the next source address and passes it into
 * the receive path of a device, as if it had arrived there. `pass` makes that device's receive
 * queue known to XDP and changes nothing; `drop` is the cheapest possible
 * packet filter, to compare with. Invariant: checksums stay right, because a packet that
 * the stack throws away costs less than one that it delivers. */
#include <linux/types.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "inject.h"

char LICENSE[] SEC("license") = "GPL";

volatile struct inject_job job;

/* The checksum after the 32 bits `old` became `fresh` (RFC 1624). */
static __always_inline __u16 replaced(__u16 check, __u32 old, __u32 fresh)
{
    __u32 sum = (__u16)~check + (__u16) ~(old & 0xffff) + (__u16) ~(old >> 16);

    sum += (fresh & 0xffff) + (fresh >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)~sum;
}

SEC("xdp")
int inject(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u32 source = bpf_htonl(inject_source(&job, job.seq++));

    if (job.v6) {
        struct ipv6hdr *ip6 = data + ETH_HLEN;
        struct udphdr *udp = (void *)(ip6 + 1);

        if ((void *)(udp + 1) > end)
            return XDP_DROP;
        __u16 check = replaced(udp->check, ip6->saddr.in6_u.u6_addr32[1], source);
        udp->check = check ? check : 0xffff; /* 0 means none, which IPv6 refuses */
        ip6->saddr.in6_u.u6_addr32[1] = source;
        return XDP_PASS;
    }
    struct iphdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > end)
        return XDP_DROP;
    ip->check = replaced(ip->check, ip->saddr, source);
    ip->saddr = source;
    return XDP_PASS;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
    (void)ctx;
    return XDP_PASS;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
    (void)ctx;
    return XDP_DROP;
}
