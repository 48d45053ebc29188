/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/build.c: the frame of a packet, for the self-test of a generation, explain --live and tests.
 * Invariant: eval_parse_frame() of the result gives the packet back. Lengths and checksums are
 * right (RFC 791, 8200, 1071; SCTP: CRC32c, RFC 9260), so that a kernel accepts it as well. */
#include <string.h>

#include "internal.h"

enum {
    ETH_BYTES = 14,
    L4_MAX_BYTES = 20,
    LATER_OFFSET = 185, /* 1480 bytes: where the second fragment at an MTU of 1500 begins */
    HOP_LIMIT = 64,
};

static void put16(uint8_t *b, unsigned v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

static uint32_t sum16(uint32_t sum, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* CRC32c, reflected (RFC 9260 appendix A); stored least significant byte first. */
static void put_crc32c(uint8_t *at, const uint8_t *b, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    crc = ~crc;
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(crc >> 8 * i);
}

static uint32_t pseudo_header(const struct packet *p, size_t len)
{
    uint8_t b[40];
    size_t bytes = p->family == FAMILY_4 ? 4 : 16;
    ip_to_bytes(p->family, p->src, b);
    ip_to_bytes(p->family, p->dst, b + bytes);
    return sum16(0, b, 2 * bytes) + (uint32_t)len + p->proto;
}

/* Writes layer 4 without checksum and says where the checksum stands, 0 = none. */
static size_t write_l4(const struct packet *p, uint8_t *b, size_t *ret_checksum)
{
    put16(b, p->sport);
    put16(b + 2, p->dport);
    switch (p->proto) {
    case PROTO_TCP:
        b[12] = 5 << 4; /* data offset in words */
        b[13] = p->tcp_flags;
        put16(b + 14, 0xffff);
        *ret_checksum = 16;
        return 20;
    case PROTO_UDP:
    case PROTO_UDPLITE:
        put16(b + 4, 8); /* length; for UDP-Lite the coverage */
        *ret_checksum = 6;
        return 8;
    case PROTO_SCTP:
        *ret_checksum = 8;
        return 12;
    case PROTO_DCCP:
        b[4] = 3; /* data offset in words */
        *ret_checksum = 6;
        return 12;
    case PROTO_ICMP:
    case PROTO_ICMPV6:
        b[0] = p->icmp_type;
        b[1] = p->icmp_code;
        b[2] = b[3] = 0;
        *ret_checksum = 2;
        return 8;
    default:
        memset(b, 0, 4);
        *ret_checksum = 0;
        return 8;
    }
}

static size_t build_l4(const struct packet *p, uint8_t *b)
{
    size_t checksum;
    if (p->later_fragment) {
        memset(b, 0, 8);
        return 8;
    }
    size_t n = write_l4(p, b, &checksum);
    if (checksum == 0)
        return n;
    if (p->proto == PROTO_SCTP) {
        put_crc32c(b + checksum, b, n);
        return n;
    }
    uint32_t sum = p->proto == PROTO_ICMP ? 0 : pseudo_header(p, n);
    uint16_t value = fold(sum16(sum, b, n));
    put16(b + checksum, value ? value : 0xffff); /* 0 would mean "no checksum" (RFC 768) */
    return n;
}

static size_t build_ipv4(const struct packet *p, const uint8_t *l4, size_t l4_len, uint8_t *b)
{
    size_t header = p->source_routed ? 28 : 20;
    b[0] = (uint8_t)(0x40 | header / 4);
    put16(b + 2, (unsigned)(header + l4_len));
    put16(b + 6, p->later_fragment ? LATER_OFFSET : 0);
    b[8] = p->hop_limit ? p->hop_limit : HOP_LIMIT;
    b[9] = p->proto;
    ip_to_bytes(FAMILY_4, p->src, b + 12);
    ip_to_bytes(FAMILY_4, p->dst, b + 16);
    if (p->source_routed) {
        static const uint8_t lsrr[8] = {131, 7, 4, 192, 0, 2, 1, 0};
        memcpy(b + 20, lsrr, sizeof(lsrr));
    }
    put16(b + 10, fold(sum16(0, b, header)));
    memcpy(b + header, l4, l4_len);
    return header + l4_len;
}

static size_t build_ipv6(const struct packet *p, const uint8_t *l4, size_t l4_len, uint8_t *b)
{
    size_t at = 40;
    uint8_t *next = &b[6];
    b[0] = 0x60;
    b[7] = p->hop_limit ? p->hop_limit : HOP_LIMIT;
    ip_to_bytes(FAMILY_6, p->src, b + 8);
    ip_to_bytes(FAMILY_6, p->dst, b + 24);
    if (p->source_routed) { /* type 0, one address, one segment left (RFC 2460 4.4) */
        *next = 43;
        next = &b[at];
        b[at + 1] = 2;
        b[at + 3] = 1;
        ip_to_bytes(FAMILY_6, p->dst, b + at + 8);
        at += 24;
    }
    if (p->later_fragment) {
        *next = 44;
        next = &b[at];
        put16(b + at + 2, LATER_OFFSET << 3);
        at += 8;
    }
    *next = p->proto;
    memcpy(b + at, l4, l4_len);
    put16(b + 4, (unsigned)(at + l4_len - 40));
    return at + l4_len;
}

size_t eval_build_frame(const struct packet *p, uint8_t frame[EVAL_FRAME_BYTES])
{
    uint8_t l4[L4_MAX_BYTES] = {0};
    memset(frame, 0, EVAL_FRAME_BYTES);
    size_t l4_len = build_l4(p, l4);
    put16(frame + 12, p->family == FAMILY_4 ? 0x0800 : 0x86dd);
    size_t ip_len = p->family == FAMILY_4 ? build_ipv4(p, l4, l4_len, frame + ETH_BYTES)
                                          : build_ipv6(p, l4, l4_len, frame + ETH_BYTES);
    return ETH_BYTES + ip_len;
}
