/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes as bytes: a SYN with its MSS, the smallest that every stack answers. Pure. */
#pragma once
#include "model/ip.h"

enum { PACKET_IP4_BYTES = 20, PACKET_SYN_BYTES = 24, PACKET_MAX_BYTES = 44 };

struct packet_syn {
    const uint8_t *source, *target; /* 4 bytes each; not looked at for IPv6 */
    uint16_t source_port, port;
    uint32_t sequence;
};
/* IPv4: with its header, 44 bytes, whose own checksum the kernel fills in. */
size_t packet_syn4(const struct packet_syn *s, uint8_t out[PACKET_MAX_BYTES]);
/* IPv6: 24 bytes without a header; the kernel makes it and the checksum (IPV6_CHECKSUM). */
size_t packet_syn6(const struct packet_syn *s, uint8_t out[PACKET_SYN_BYTES]);
enum { PACKET_TCP_CHECKSUM_AT = 16 };
/* RFC 1071 over one's complement sums: adds, and ends. */
uint32_t packet_sum(const uint8_t *data, size_t len, uint32_t sum);
uint16_t packet_fold(uint32_t sum);
