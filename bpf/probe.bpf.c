/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target's side of `scan --with-agent`: which tagged probes came, and how far. Loaded by
 * src/exposure/probe/listener.c for the time of one scan; two socket filters that let nothing
 * through, so that no byte of a packet ever reaches user space:
 *   pw_probe_arrived    on a packet socket, which sees packets before TCX, XDP's PASS included
 *   pw_probe_delivered  on a raw IP socket, which sees them behind TCX and all of netfilter, where
 *                       the kernel hands them to TCP and UDP
 * A probe is what carries the tag of its port under the key of the scan (probe.h). */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "probe.h"

/* Filled in before loading. */
const volatile __u64 probe_k0, probe_k1;
const volatile __u8 probe_family, probe_proto;

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct probe_seen);
} probe_arrived SEC(".maps"), probe_delivered SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct probe_sight);
} probe_sights SEC(".maps");

enum {
    IP_HEADER = 20,
    IP6_HEADER = 40,
    UDP_HEADER = 8,
    FLAGS_AT = 13,
    SYN_ACK_RST_FIN = 0x17,
    SYN = 2,
};

/* Where a probe comes from and what it says. */
struct found {
    __u8 source[16], target[16];
    __u16 source_port, port;
};

static __always_inline int load(struct __sk_buff *skb, __u32 at, void *to, __u32 n)
{
    return bpf_skb_load_bytes_relative(skb, at, to, n, BPF_HDR_START_NET);
}

/* Offset of the transport header, 0 if it is no packet of this scan's kind. */
static __always_inline __u32 read_network(struct __sk_buff *skb, struct found *f)
{
    __u8 h[IP6_HEADER];

    if (load(skb, 0, h, IP_HEADER))
        return 0;
    if (probe_family == 4) {
        __u32 n = (__u32)(h[0] & 15) * 4;

        if (h[0] >> 4 != 4 || h[9] != probe_proto || ((h[6] & 0x3f) | h[7]) || n < IP_HEADER)
            return 0;
        __builtin_memcpy(f->source, h + 12, 4);
        __builtin_memcpy(f->target, h + 16, 4);
        return n;
    }
    if (h[0] >> 4 != 6 || h[6] != probe_proto || load(skb, 0, h, IP6_HEADER))
        return 0; /* our probes have no extension header */
    __builtin_memcpy(f->source, h + 8, 16);
    __builtin_memcpy(f->target, h + 24, 16);
    return IP6_HEADER;
}

static __always_inline bool read_probe(struct __sk_buff *skb, struct found *f)
{
    __u32 at = read_network(skb, f);
    __u16 ports[2];
    __u32 sequence;
    __u64 tag, want;
    __u8 flags;

    if (!at || load(skb, at, ports, sizeof(ports)))
        return false;
    f->source_port = bpf_ntohs(ports[0]);
    f->port = bpf_ntohs(ports[1]);
    want = probe_tag(probe_k0, probe_k1, probe_word(probe_proto, f->port));
    if (probe_proto == IPPROTO_UDP)
        return !load(skb, at + UDP_HEADER, &tag, sizeof(tag)) && tag == want;
    return !load(skb, at + 4, &sequence, sizeof(sequence)) &&
           !load(skb, at + FLAGS_AT, &flags, sizeof(flags)) && (flags & SYN_ACK_RST_FIN) == SYN &&
           bpf_ntohl(sequence) == (__u32)want;
}

static __always_inline void mark(void *map, __u16 port)
{
    __u32 zero = 0;
    struct probe_seen *s = bpf_map_lookup_elem(map, &zero);

    if (s)
        s->port[port] = 1;
}

static __always_inline void keep_sight(struct __sk_buff *skb, const struct found *f)
{
    __u32 zero = 0;
    struct probe_sight *s = bpf_map_lookup_elem(&probe_sights, &zero);

    if (!s || s->family)
        return;
    __builtin_memcpy(s->source, f->source, 16);
    __builtin_memcpy(s->target, f->target, 16);
    s->source_port = f->source_port;
    s->ifindex = skb->ifindex;
    s->family = probe_family;
}

SEC("socket")
int pw_probe_arrived(struct __sk_buff *skb)
{
    struct found f = {};

    if (skb->pkt_type != PACKET_OUTGOING && read_probe(skb, &f)) {
        mark(&probe_arrived, f.port);
        keep_sight(skb, &f);
    }
    return 0;
}

SEC("socket")
int pw_probe_delivered(struct __sk_buff *skb)
{
    struct found f = {};

    if (read_probe(skb, &f))
        mark(&probe_delivered, f.port);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
