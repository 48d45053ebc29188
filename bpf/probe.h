/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tag of a probe, and what the target's side of `scan --with-agent` counts; shared by
 * bpf/probe.bpf.c and src/exposure/probe. A probe carries SipHash-2-4 (Aumasson and Bernstein 2012)
 * of its protocol and port under a key of the scan: in the initial sequence number of a SYN, or as
 * the payload of a datagram. Who does not have the key cannot mark a port as reached. */
#pragma once
#include <linux/types.h>

/* Value of the maps of ports: one byte each, so that no update needs to be atomic. */
enum { PROBE_SEEN_PORTS = 65536 };
struct probe_seen {
    __u8 port[PROBE_SEEN_PORTS];
};
/* The first probe that arrived: as whom the target sees the scanner. */
struct probe_sight {
    __u8 source[16], target[16]; /* IPv4: the first four bytes */
    __u16 source_port;           /* host byte order */
    __u8 family;                 /* 4 or 6, 0 = nothing came yet */
    __u8 _pad;
    __u32 ifindex;
};
_Static_assert(sizeof(struct probe_sight) == 40, "no holes");

static inline __u64 probe_word(__u8 proto, __u16 port)
{
    return (__u64)proto << 16 | port;
}

#define PROBE_ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define PROBE_SIP_ROUND(a, b, c, d) \
    do {                            \
        a += b;                     \
        b = PROBE_ROTATE(b, 13);    \
        b ^= a;                     \
        a = PROBE_ROTATE(a, 32);    \
        c += d;                     \
        d = PROBE_ROTATE(d, 16);    \
        d ^= c;                     \
        a += d;                     \
        d = PROBE_ROTATE(d, 21);    \
        d ^= a;                     \
        c += b;                     \
        b = PROBE_ROTATE(b, 17);    \
        b ^= c;                     \
        c = PROBE_ROTATE(c, 32);    \
    } while (0)

/* SipHash-2-4 of the eight bytes of word, lowest first. */
static inline __u64 probe_tag(__u64 k0, __u64 k1, __u64 word)
{
    __u64 a = k0 ^ 0x736f6d6570736575ULL, b = k1 ^ 0x646f72616e646f6dULL;
    __u64 c = k0 ^ 0x6c7967656e657261ULL, d = k1 ^ 0x7465646279746573ULL;

    d ^= word;
    PROBE_SIP_ROUND(a, b, c, d);
    PROBE_SIP_ROUND(a, b, c, d);
    a ^= word;
    d ^= 8ULL << 56;
    PROBE_SIP_ROUND(a, b, c, d);
    PROBE_SIP_ROUND(a, b, c, d);
    a ^= 8ULL << 56;
    c ^= 0xff;
    PROBE_SIP_ROUND(a, b, c, d);
    PROBE_SIP_ROUND(a, b, c, d);
    PROBE_SIP_ROUND(a, b, c, d);
    PROBE_SIP_ROUND(a, b, c, d);
    return a ^ b ^ c ^ d;
}
