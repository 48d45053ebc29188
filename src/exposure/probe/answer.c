/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/answer.c: see answer.h. Called by syn.c and udp.c, and by fuzz-probe. Every read
 * is behind a check of the length that is left; nothing here trusts a field of the packet. */
#include "answer.h"

#include <netinet/in.h>
#include <string.h>

#include "probe.h"

enum {
    IP4_HEADER_BYTES = 20,
    IP6_HEADER_BYTES = 40,
    ICMP_HEADER_BYTES = 8,
    TCP_HEADER_BYTES = 20,
    TCP_QUOTED_BYTES = 8, /* RFC 792: ports and sequence number */
    TCP_FIN = 1,
    TCP_SYN = 2,
    TCP_RST = 4,
    TCP_ACK = 16,
    ICMP_UNREACHABLE = 3,
    ICMP6_UNREACHABLE = 1,
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

uint32_t answer_cookie(const struct answer_context *c, uint16_t port)
{
    return (uint32_t)probe_tag(c->key[0], c->key[1], probe_word(IPPROTO_TCP, port));
}

static bool find_round(const struct answer_context *c, uint16_t source_port, unsigned *ret)
{
    for (unsigned i = 0; i < c->n_source_ports; i++)
        if (c->source_ports[i] == source_port) {
            *ret = i;
            return true;
        }
    return false;
}

/* A segment from the target. */
static bool take_segment(const struct answer_context *c, const uint8_t *t, size_t len,
                         struct answer *ret)
{
    if (len < TCP_HEADER_BYTES)
        return false;
    uint8_t flags = t[13];
    uint16_t port = get16(t);
    if (!(flags & TCP_ACK) || flags & TCP_FIN || !find_round(c, get16(t + 2), &ret->round) ||
        get32(t + 8) != answer_cookie(c, port) + 1)
        return false;
    if (!(flags & (TCP_SYN | TCP_RST)) || (flags & TCP_SYN && flags & TCP_RST))
        return false;
    ret->port = port;
    ret->state = flags & TCP_SYN ? PROBE_OPEN : PROBE_CLOSED;
    ret->why = PROBE_WHY_NONE;
    return true;
}

/* Length of the IPv4 header, 0 if there is none of this protocol, or only a later fragment. */
static size_t ip4_header(const uint8_t *data, size_t len, uint8_t proto)
{
    if (len < IP4_HEADER_BYTES || data[0] >> 4 != 4 || data[9] != proto || get16(data + 6) & 0x1fff)
        return 0;
    size_t n = (size_t)(data[0] & 15) * 4;
    return n >= IP4_HEADER_BYTES && n <= len ? n : 0;
}

bool answer_tcp4(const struct answer_context *c, const uint8_t *data, size_t len,
                 struct answer *ret)
{
    size_t n = ip4_header(data, len, IPPROTO_TCP);
    if (n == 0 || memcmp(data + 12, c->target, 4) != 0)
        return false;
    return take_segment(c, data + n, len - n, ret);
}

bool answer_tcp6(const struct answer_context *c, const uint8_t *from, const uint8_t *data,
                 size_t len, struct answer *ret)
{
    return memcmp(from, c->target, 16) == 0 && take_segment(c, data, len, ret);
}

bool answer_icmp_means(enum family family, uint8_t type, uint8_t code, bool udp, struct answer *ret)
{
    static const enum probe_state v4[] = {
        [0] = PROBE_UNKNOWN,  [1] = PROBE_UNKNOWN,   [2] = PROBE_UNKNOWN,  [3] = PROBE_REJECTED,
        [9] = PROBE_REJECTED, [10] = PROBE_REJECTED, [13] = PROBE_REJECTED};
    static const enum probe_state v6[] = {[0] = PROBE_UNKNOWN,
                                          [1] = PROBE_REJECTED,
                                          [3] = PROBE_UNKNOWN,
                                          [4] = PROBE_REJECTED,
                                          [5] = PROBE_REJECTED};
    bool six = family == FAMILY_6;
    if (type != (six ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE) ||
        code >= (six ? ARRAY_SIZE(v6) : ARRAY_SIZE(v4)))
        return false;
    enum probe_state state = six ? v6[code] : v4[code];
    if (state == PROBE_NOT_SCANNED) /* a hole in the table */
        return false;
    if (udp && code == (six ? 4 : 3))
        state = PROBE_CLOSED; /* what a host without a socket says */
    ret->state = state;
    ret->why = state == PROBE_UNKNOWN ? PROBE_WHY_UNREACHABLE : PROBE_WHY_NONE;
    return true;
}

/* The quoted beginning of our probe. */
static bool take_quoted(const struct answer_context *c, const uint8_t *t, size_t len,
                        struct answer *ret)
{
    if (len < TCP_QUOTED_BYTES || !find_round(c, get16(t), &ret->round))
        return false;
    ret->port = get16(t + 2);
    return get32(t + 4) == answer_cookie(c, ret->port);
}

bool answer_icmp4(const struct answer_context *c, const uint8_t *data, size_t len,
                  struct answer *ret)
{
    size_t n = ip4_header(data, len, IPPROTO_ICMP);
    if (n == 0 || len - n < ICMP_HEADER_BYTES)
        return false;
    const uint8_t *icmp = data + n, *quoted = icmp + ICMP_HEADER_BYTES;
    size_t left = len - n - ICMP_HEADER_BYTES, q = ip4_header(quoted, left, IPPROTO_TCP);
    if (q == 0 || memcmp(quoted + 16, c->target, 4) != 0)
        return false;
    return take_quoted(c, quoted + q, left - q, ret) &&
           answer_icmp_means(FAMILY_4, icmp[0], icmp[1], false, ret);
}

bool answer_icmp6(const struct answer_context *c, const uint8_t *data, size_t len,
                  struct answer *ret)
{
    if (len < ICMP_HEADER_BYTES + IP6_HEADER_BYTES)
        return false;
    const uint8_t *quoted = data + ICMP_HEADER_BYTES;
    size_t left = len - ICMP_HEADER_BYTES;
    /* Our probes have no extension header. */
    if (quoted[0] >> 4 != 6 || quoted[6] != IPPROTO_TCP || memcmp(quoted + 24, c->target, 16) != 0)
        return false;
    return take_quoted(c, quoted + IP6_HEADER_BYTES, left - IP6_HEADER_BYTES, ret) &&
           answer_icmp_means(FAMILY_6, data[0], data[1], false, ret);
}
