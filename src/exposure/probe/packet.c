/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/packet.c: see packet.h. Called by syn.c for every probe. */
#include "packet.h"

#include <netinet/in.h>
#include <string.h>

enum { TTL = 64, SYN = 2, DATA_OFFSET = PACKET_SYN_BYTES / 4, WINDOW = 64240, MSS = 1460 };

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

uint32_t packet_sum(const uint8_t *data, size_t len, uint32_t sum)
{
    for (; len > 1; len -= 2, data += 2)
        sum += (uint32_t)(data[0] << 8 | data[1]);
    return len ? sum + (uint32_t)(data[0] << 8) : sum;
}

uint16_t packet_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

size_t packet_syn6(const struct packet_syn *s, uint8_t out[PACKET_SYN_BYTES])
{
    memset(out, 0, PACKET_SYN_BYTES);
    put16(out, s->source_port);
    put16(out + 2, s->port);
    put32(out + 4, s->sequence);
    out[12] = DATA_OFFSET << 4;
    out[13] = SYN;
    put16(out + 14, WINDOW);
    out[20] = 2; /* option: maximum segment size, four bytes */
    out[21] = 4;
    put16(out + 22, MSS);
    return PACKET_SYN_BYTES;
}

size_t packet_syn4(const struct packet_syn *s, uint8_t out[PACKET_MAX_BYTES])
{
    uint8_t *t = out + PACKET_IP4_BYTES;
    memset(out, 0, PACKET_IP4_BYTES);
    out[0] = 0x45;
    put16(out + 2, PACKET_MAX_BYTES);
    put16(out + 6, 0x4000); /* don't fragment */
    out[8] = TTL;
    out[9] = IPPROTO_TCP;
    memcpy(out + 12, s->source, 4);
    memcpy(out + 16, s->target, 4);
    (void)packet_syn6(s, t);
    uint32_t sum = packet_sum(out + 12, 8, IPPROTO_TCP + PACKET_SYN_BYTES);
    put16(t + PACKET_TCP_CHECKSUM_AT, packet_fold(packet_sum(t, PACKET_SYN_BYTES, sum)));
    return PACKET_MAX_BYTES;
}
