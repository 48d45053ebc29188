/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See attack.h: frames out and in. */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "attack.h"

enum { FIRST_PORT = 1024, OPTIONS = 12, FRAME_MAX = ETH_HLEN + 40 + 20 + OPTIONS + 128 };

static uint32_t add16(uint32_t sum, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    return len % 2 ? sum + (uint32_t)(p[len - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static uint64_t get_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static void put_be(uint8_t *p, size_t n, uint64_t v)
{
    for (size_t i = n; i-- > 0; v >>= 8)
        p[i] = (uint8_t)v;
}

void attack_source(const struct attack *a, long conn, uint8_t ret[16])
{
    size_t n = a->ipv6 ? 8 : 4;

    memcpy(ret, a->src, 16);
    put_be(ret, n, get_be(a->src, n) + (uint64_t)(conn / a->per_source));
}

uint16_t attack_port(const struct attack *a, long conn)
{
    return (uint16_t)(FIRST_PORT + conn % a->per_source);
}

static size_t put_ip(const struct attack *a, const uint8_t src[16], size_t payload, uint8_t *at)
{
    if (a->ipv6) {
        struct ip6_hdr h = {.ip6_flow = htonl(6U << 28),
                            .ip6_plen = htons((uint16_t)payload),
                            .ip6_nxt = IPPROTO_TCP,
                            .ip6_hlim = 64};
        memcpy(&h.ip6_src, src, 16);
        memcpy(&h.ip6_dst, a->dst, 16);
        memcpy(at, &h, sizeof(h));
        return sizeof(h);
    }
    struct iphdr h = {.version = 4,
                      .ihl = 5,
                      .ttl = 64,
                      .protocol = IPPROTO_TCP,
                      .frag_off = htons(0x4000),
                      .tot_len = htons((uint16_t)(20 + payload))};
    memcpy(&h.saddr, src, 4);
    memcpy(&h.daddr, a->dst, 4);
    h.check = fold(add16(0, &h, sizeof(h)));
    memcpy(at, &h, sizeof(h));
    return sizeof(h);
}

void attack_send(struct attack *a, const struct attack_segment *s)
{
    /* MSS 1440, no operation, window scale 7, SACK permitted, end */
    static const uint8_t options[OPTIONS] = {2, 4, 1440 >> 8, 1440 & 255, 1, 3, 3, 7, 4, 2, 1, 1};
    uint8_t frame[FRAME_MAX], src[16];
    size_t opt = s->flags & TH_SYN ? OPTIONS : 0, addr = a->ipv6 ? 16 : 4;
    struct tcphdr h = {.source = htons(attack_port(a, s->conn)),
                       .dest = htons(a->dport),
                       .seq = htonl(s->seq),
                       .ack_seq = htonl(s->ack),
                       .doff = (20 + opt) / 4 & 15,
                       .window = htons(s->window)};

    if (s->len > 128)
        return;
    attack_source(a, s->conn, src);
    memcpy(frame, a->mac_dst, 6);
    memcpy(frame + 6, a->mac_src, 6);
    put_be(frame + 12, 2, a->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
    size_t tcp = 20 + opt + s->len;
    uint8_t *at = frame + ETH_HLEN + put_ip(a, src, tcp, frame + ETH_HLEN);
    memcpy(at, &h, sizeof(h));
    at[13] = s->flags;
    memcpy(at + 20, options, opt);
    if (s->len)
        memcpy(at + 20 + opt, s->data, s->len);
    uint32_t sum = add16(add16(IPPROTO_TCP + (uint32_t)tcp, src, addr), a->dst, addr);
    uint16_t check = fold(add16(sum, at, tcp));
    memcpy(at + 16, &check, 2);
    if (sendto(a->fd, frame, (size_t)(at - frame) + tcp, 0, (const void *)&a->to, sizeof(a->to)) >
        0)
        a->sent++;
}

bool attack_parse(const struct attack *a, const uint8_t *frame, size_t len,
                  struct attack_answer *ret)
{
    size_t addr = a->ipv6 ? 16 : 4, ip = a->ipv6 ? 40 : 20, n = a->ipv6 ? 8 : 4;
    const uint8_t *h = frame + ETH_HLEN, *tcp = h + ip;

    if (len < ETH_HLEN + ip + 20 || h[a->ipv6 ? 6 : 9] != IPPROTO_TCP ||
        memcmp(h + (a->ipv6 ? 8 : 12), a->dst, addr) != 0 || get_be(tcp, 2) != a->dport)
        return false;
    uint64_t source = get_be(h + (a->ipv6 ? 24 : 16), n) - get_be(a->src, n);
    long at = (long)get_be(tcp + 2, 2) - FIRST_PORT;
    if (source > (uint64_t)(a->n / a->per_source) || at < 0 || at >= a->per_source)
        return false;
    size_t total = a->ipv6 ? 40 + get_be(h + 4, 2) : get_be(h + 2, 2);
    size_t head = ip + (size_t)(tcp[12] >> 4) * 4;
    ret->conn = (long)source * a->per_source + at;
    ret->flags = tcp[13];
    ret->seq = (uint32_t)get_be(tcp + 4, 4);
    ret->len = total > head ? total - head : 0;
    return ret->conn < a->n;
}
