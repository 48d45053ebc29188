/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/parse.c: from the bytes of a frame to struct packet, or to the reason that structure alone
 * gives. Follows docs/internals/parsing.md sections 1-5 step by step; bpf/classify.bpf.c does the
 * same on its own. Invariant: no byte is looked at that is not present (readable and before `end`),
 * so that padding is never taken for a header. */
#include <string.h>

#include "base/limits.h"
#include "internal.h"

enum {
    ETH_BYTES = 14,
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    TYPE_8021Q = 0x8100,
    TYPE_8021AD = 0x88a8,
    IPOPT_END = 0,
    IPOPT_NOP = 1,
    IPOPT_LSRR = 131,
    IPOPT_SSRR = 137,
    EXT_HOP_BY_HOP = 0,
    EXT_ROUTING = 43,
    EXT_FRAGMENT = 44,
    EXT_AH = 51,
    EXT_DESTINATION = 60,
    EXT_MOBILITY = 135,
    EXT_HIP = 139,
    EXT_SHIM6 = 140,
};

/* The IP packet that is being read. */
struct reader {
    const uint8_t *b; /* first byte of the IP header */
    size_t n;         /* readable bytes from there on */
    size_t end;       /* where the packet ends by its own word, SIZE_MAX = it does not say */
    bool first_fragment;
    bool source_route_classify;
    struct packet *p;
};

static uint16_t be16_at(const uint8_t *b)
{
    return (uint16_t)(b[0] << 8 | b[1]);
}

static bool readable(const struct reader *r, size_t offset, size_t len)
{
    return offset + len <= r->n;
}

static bool present(const struct reader *r, size_t offset, size_t len)
{
    return readable(r, offset, len) && offset + len <= r->end;
}

static enum drop_reason missing_l4(const struct reader *r)
{
    return r->first_fragment ? DROP_TINY_FRAGMENT : DROP_TRUNCATED_L4;
}

/* Section 5: bytes of layer 4 that must be there, 0 = this protocol has no ports or types. */
static size_t l4_bytes(uint8_t proto)
{
    switch (proto) {
    case PROTO_TCP:
        return 20;
    case PROTO_SCTP:
    case PROTO_DCCP:
        return 12;
    case PROTO_UDP:
    case PROTO_UDPLITE:
    case PROTO_ICMP:
    case PROTO_ICMPV6:
        return 8;
    default:
        return 0;
    }
}

static enum drop_reason parse_l4(const struct reader *r, size_t offset)
{
    struct packet *p = r->p;
    size_t need = l4_bytes(p->proto);
    if (p->later_fragment || need == 0)
        return DROP_NONE;
    if (!present(r, offset, need))
        return missing_l4(r);
    const uint8_t *b = r->b + offset;
    p->l4_known = true;
    if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6) {
        p->icmp_type = b[0];
        p->icmp_code = b[1];
        return DROP_NONE;
    }
    p->sport = be16_at(b);
    p->dport = be16_at(b + 2);
    if (p->proto == PROTO_TCP)
        p->tcp_flags = b[13];
    return DROP_NONE;
}

static enum drop_reason found_source_route(const struct reader *r)
{
    r->p->source_routed = true;
    return r->source_route_classify ? DROP_NONE : DROP_SOURCE_ROUTE;
}

static enum drop_reason parse_ipv4_options(const struct reader *r, size_t header)
{
    size_t at = 20;
    while (at < header) {
        uint8_t type = r->b[at];
        if (type == IPOPT_END)
            return DROP_NONE;
        if (type == IPOPT_LSRR || type == IPOPT_SSRR)
            return found_source_route(r);
        if (type == IPOPT_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= header)
            return DROP_BAD_HEADER;
        size_t len = r->b[at + 1];
        if (len < 2 || at + len > header)
            return DROP_BAD_HEADER;
        at += len;
    }
    return DROP_NONE;
}

/* Offset in units of 8 bytes. A TCP fragment with offset 1 would overwrite the flags of the first
 * one (RFC 3128). */
static enum drop_reason note_fragment(struct reader *r, unsigned offset, bool more)
{
    r->p->later_fragment = offset > 0;
    r->first_fragment = offset == 0 && more;
    return r->p->proto == PROTO_TCP && offset == 1 ? DROP_TINY_FRAGMENT : DROP_NONE;
}

static enum drop_reason parse_ipv4(struct reader *r)
{
    struct packet *p = r->p;
    if (!readable(r, 0, 20) || r->b[0] >> 4 != 4)
        return DROP_BAD_HEADER;
    size_t header = (size_t)(r->b[0] & 15) * 4;
    if (header < 20 || !readable(r, 0, header))
        return DROP_BAD_HEADER;
    size_t total = be16_at(r->b + 2);
    if (total == 0 && p->meta.gso)
        total = SIZE_MAX; /* BIG TCP: the length is in the buffer */
    if (total < header)
        return DROP_BAD_HEADER;
    r->end = total;
    p->family = FAMILY_4;
    p->hop_limit = r->b[8];
    p->proto = r->b[9];
    p->src = ip_from_bytes(FAMILY_4, r->b + 12);
    p->dst = ip_from_bytes(FAMILY_4, r->b + 16);
    enum drop_reason reason = parse_ipv4_options(r, header);
    if (reason != DROP_NONE)
        return reason;
    uint16_t fragment = be16_at(r->b + 6);
    reason = note_fragment(r, fragment & 0x1fff, fragment & 0x2000);
    if (reason != DROP_NONE)
        return reason;
    return parse_l4(r, header);
}

static bool is_extension(uint8_t next)
{
    switch (next) {
    case EXT_HOP_BY_HOP:
    case EXT_ROUTING:
    case EXT_FRAGMENT:
    case EXT_AH:
    case EXT_DESTINATION:
    case EXT_MOBILITY:
    case EXT_HIP:
    case EXT_SHIM6:
        return true;
    default:
        return false;
    }
}

static size_t extension_bytes(uint8_t type, uint8_t length)
{
    if (type == EXT_FRAGMENT)
        return 8;
    if (type == EXT_AH)
        return ((size_t)length + 2) * 4;
    return ((size_t)length + 1) * 8;
}

/* Section 4 step 3: leaves the offset and number of the first header behind them. */
static enum drop_reason parse_extensions(struct reader *r, size_t *offset)
{
    struct packet *p = r->p;
    bool seen_fragment = false;
    for (unsigned count = 0; is_extension(p->proto) && !p->later_fragment; count++) {
        enum drop_reason reason = DROP_NONE;
        uint8_t type = p->proto;
        if (count == LIMIT_EXT_HEADERS)
            return DROP_EXT_HEADERS;
        if (!present(r, *offset, 8))
            return missing_l4(r);
        if (type == EXT_FRAGMENT && seen_fragment)
            return DROP_EXT_HEADERS;
        const uint8_t *b = r->b + *offset;
        p->proto = b[0];
        *offset += extension_bytes(type, b[1]);
        if (type == EXT_ROUTING && b[3] > 0)
            reason = found_source_route(r);
        if (type == EXT_FRAGMENT) {
            seen_fragment = true;
            reason = note_fragment(r, be16_at(b + 2) >> 3, b[3] & 1);
        }
        if (reason != DROP_NONE)
            return reason;
    }
    return DROP_NONE;
}

static enum drop_reason parse_ipv6(struct reader *r)
{
    struct packet *p = r->p;
    if (!readable(r, 0, 40) || r->b[0] >> 4 != 6)
        return DROP_BAD_HEADER;
    size_t payload = be16_at(r->b + 4);
    p->family = FAMILY_6;
    p->proto = r->b[6];
    p->hop_limit = r->b[7];
    p->src = ip_from_bytes(FAMILY_6, r->b + 8);
    p->dst = ip_from_bytes(FAMILY_6, r->b + 24);
    bool unsaid = payload == 0 && (p->meta.gso || p->proto == EXT_HOP_BY_HOP);
    r->end = unsaid ? SIZE_MAX : 40 + payload;
    size_t offset = 40;
    enum drop_reason reason = parse_extensions(r, &offset);
    if (reason != DROP_NONE)
        return reason;
    return parse_l4(r, offset);
}

/* Section 2. Leaves the EtherType and the offset of what follows the tags. */
static enum drop_reason peel_tags(const uint8_t *frame, size_t len, size_t *at, uint16_t *type)
{
    *at = ETH_BYTES;
    *type = be16_at(frame + ETH_BYTES - 2);
    for (unsigned count = 0; *type == TYPE_8021Q || *type == TYPE_8021AD; count++) {
        if (count == LIMIT_VLAN_TAGS)
            return DROP_VLAN_DEPTH;
        if (*at + 4 > len)
            return DROP_BAD_HEADER;
        *type = be16_at(frame + *at + 2);
        *at += 4;
    }
    return DROP_NONE;
}

void eval_parse_frame(const uint8_t *frame, size_t len, const struct packet_meta *meta,
                      bool source_route_classify, struct eval_parsed *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->packet.meta = *meta;
    if (len < ETH_BYTES)
        return;
    size_t at;
    uint16_t type;
    ret->reason = peel_tags(frame, len, &at, &type);
    ret->is_ip = ret->reason != DROP_NONE || type == TYPE_IPV4 || type == TYPE_IPV6;
    if (!ret->is_ip || ret->reason != DROP_NONE)
        return;
    struct reader r = {
        .b = frame + at,
        .n = len - at,
        .end = SIZE_MAX,
        .source_route_classify = source_route_classify,
        .p = &ret->packet,
    };
    ret->reason = type == TYPE_IPV4 ? parse_ipv4(&r) : parse_ipv6(&r);
}
