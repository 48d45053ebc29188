/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parse_packet.c: PACKET of policy.md 8, a packet in the words of a filter with single
 * values only. Called for `explain` through text.h. What is not given is filled with the most
 * ordinary value: source port 49152, the first segment of a connection, an echo request, and
 * the hop limit that packets of the kind have. */
#include <errno.h>
#include <string.h>

#include "parser.h"
#include "text/text.h"

enum {
    DEFAULT_SOURCE_PORT = 49152, /* policy.md 8; the lowest dynamic port of RFC 6335 */
    TCP_SYN = 0x02,              /* RFC 9293, 3.1 */
    TCP_ACK = 0x10,
    ICMP_ECHO_REQUEST = 8,     /* RFC 792 */
    ICMPV6_ECHO_REQUEST = 128, /* RFC 4443 */
    HOP_LIMIT_DEFAULT = 64,    /* RFC 1700 */
    HOP_LIMIT_NEIGHBOUR = 255, /* RFC 4861, 7.1: others are not neighbour discovery */
    HOP_LIMIT_LISTENER = 1,    /* RFC 2710, 3; RFC 3810, 5 */
};

/* One side as written. */
struct side {
    bool me, has_port;
    enum family family;
    struct ip ip;
    uint16_t port;
    struct span at, port_at;
};

static int parse_direction(struct parser *p, struct packet *k)
{
    if (!parser_at(p, WORD_IN) && !parser_at(p, WORD_OUT)) {
        int err = parser_unexpected(p, CTX_DIR);
        if (p->tok.kind == TOKEN_WORD && p->tok.word != WORD_NONE)
            diag_hint(p->d, "a packet begins with in or out");
        return err;
    }
    k->meta.dir = parser_at(p, WORD_IN) ? DIR_IN : DIR_OUT;
    parser_advance(p);
    return 0;
}

static int parse_packet_proto(struct parser *p, struct packet *k, struct span *ret_at)
{
    int16_t proto = PROTO_ANY;
    bool is_given;
    struct span at = p->tok.span;
    int err = parse_proto(p, 0, &proto, &is_given);
    if (err < 0)
        return err;
    if (proto == PROTO_ANY) {
        err = is_given ? diag_fail_at(p->d, DIAG_PROTOCOL, at, "a packet has one protocol")
                       : parser_expected(p, "a protocol");
        if (is_given || p->tok.kind != TOKEN_BAD)
            diag_hint(p->d, "for example tcp, udp, icmp or a number");
        return err;
    }
    k->proto = (uint8_t)proto;
    *ret_at = at;
    return 0;
}

static int parse_packet_icmp(struct parser *p, struct packet *k)
{
    uint32_t value;
    struct span at = p->tok.span;
    bool icmp = k->proto == PROTO_ICMP || k->proto == PROTO_ICMPV6;
    k->icmp_type = k->proto == PROTO_ICMPV6 ? ICMPV6_ECHO_REQUEST : icmp ? ICMP_ECHO_REQUEST : 0;
    if (!parser_accept(p, WORD_TYPE))
        return 0;
    if (!icmp) {
        int err = diag_fail_at(p->d, DIAG_COMBINATION, at, "'type' goes with icmp and icmpv6 only");
        diag_hint(p->d, "write icmp or icmpv6 before it");
        return err;
    }
    int err = parser_number(p, "an ICMP type", UINT8_MAX, &value);
    if (err < 0)
        return err;
    k->icmp_type = (uint8_t)value;
    if (!parser_accept(p, WORD_CODE))
        return 0;
    err = parser_number(p, "an ICMP code", UINT8_MAX, &value);
    if (err < 0)
        return err;
    k->icmp_code = (uint8_t)value;
    return 0;
}

static int parse_packet_port(struct parser *p, struct side *s)
{
    s->port_at = p->tok.span;
    if (!parser_accept(p, WORD_PORT))
        return 0;
    const struct token *t = &p->tok;
    if (t->kind != TOKEN_WORD || (t->word != WORD_NONE && service_port(t->s, t->len) < 0)) {
        int err = parser_expected(p, "a port");
        if (t->kind != TOKEN_BAD)
            diag_hint(p->d, "a number or the name of a service");
        return err;
    }
    int err = parse_one_port(p->tok.s, p->tok.len, p->tok.span, p->d, &s->port);
    if (err < 0)
        return err;
    s->has_port = true;
    parser_advance(p);
    return 0;
}

static int parse_packet_side(struct parser *p, bool source, struct side *s)
{
    int err = parser_expect(p, source ? WORD_FROM : WORD_TO, source ? CTX_FROM : CTX_TO);
    if (err < 0)
        return err;
    s->at = p->tok.span;
    if (parser_at(p, WORD_ME)) {
        s->me = true;
    } else if (p->tok.kind != TOKEN_WORD || p->tok.word != WORD_NONE) {
        err = parser_expected(p, "an address");
        if (p->tok.kind != TOKEN_BAD)
            diag_hint(p->d, "a packet has single addresses, for example 192.0.2.1, or me");
        return err;
    } else {
        err = parse_host(p->tok.s, p->tok.len, p->tok.span, p->d, &s->family, &s->ip);
        if (err < 0)
            return err;
    }
    parser_advance(p);
    return parse_packet_port(p, s);
}

static int parse_packet_tail(struct parser *p, struct packet_text *t)
{
    struct packet *k = &t->packet;
    for (;;) {
        struct span at = p->tok.span;
        if (t->interface[0] == '\0' && parser_accept(p, WORD_ON)) {
            _cleanup_free_ char *name = NULL;
            int err = parse_interface(p, &name);
            if (err < 0)
                return err;
            /* parse_interface() allows as many bytes as the kernel, 15 */
            memcpy(t->interface, name, strlen(name) + 1);
        } else if (!(k->tcp_flags & TCP_ACK) && parser_accept(p, WORD_ACK)) {
            if (k->proto != PROTO_TCP) {
                int err = diag_fail_at(p->d, DIAG_COMBINATION, at, "'ack' goes with tcp only");
                diag_hint(p->d, "remove 'ack'");
                return err;
            }
            k->tcp_flags = TCP_ACK;
        } else {
            break;
        }
    }
    p->possible = (t->interface[0] == '\0' ? CTX_ON : 0) |
                  (k->proto == PROTO_TCP && !(k->tcp_flags & TCP_ACK) ? CTX_ACK : 0);
    return parser_end(p);
}

static int check_sides(struct parser *p, const struct packet *k, const struct side *src,
                       const struct side *dst)
{
    int err;
    if (src->me && k->meta.dir == DIR_IN) {
        err = diag_fail_at(p->d, DIAG_DIRECTION, src->at, "a packet on the way in is not from me");
        diag_hint(p->d, "write out, or name the address of the sender");
        return err;
    }
    if (dst->me && k->meta.dir == DIR_OUT) {
        err = diag_fail_at(p->d, DIAG_DIRECTION, dst->at, "a packet on the way out is not to me");
        diag_hint(p->d, "write in, or name the address of the receiver");
        return err;
    }
    if (!src->me && !dst->me && src->family != dst->family) {
        err = diag_fail_at(p->d, DIAG_FAMILY, src->at, "source is IPv%d and destination is IPv%d",
                           (int)src->family, (int)dst->family);
        diag_add_span(p->d, dst->at);
        diag_hint(p->d, "a packet has addresses of one family");
        return err;
    }
    return 0;
}

static int check_proto(struct parser *p, const struct packet *k, struct span proto_at,
                       const struct side *src, const struct side *dst)
{
    int err;
    if ((k->proto == PROTO_ICMP && k->family == FAMILY_6) ||
        (k->proto == PROTO_ICMPV6 && k->family == FAMILY_4)) {
        err = diag_fail_at(p->d, DIAG_FAMILY, proto_at, "%s does not go with IPv%d addresses",
                           proto_name(k->proto), (int)k->family);
        diag_hint(p->d, "write %s", k->proto == PROTO_ICMP ? "icmpv6" : "icmp");
        return err;
    }
    bool ports = proto_has_ports(k->proto);
    if (!ports && (src->has_port || dst->has_port)) {
        err = diag_fail_at(p->d, DIAG_COMBINATION, src->has_port ? src->port_at : dst->port_at,
                           "ports need a protocol that has ports");
        diag_hint(p->d, "tcp, udp, udplite, sctp and dccp have ports");
        return err;
    }
    if (ports && !dst->has_port) {
        err = diag_fail_at(p->d, DIAG_SYNTAX, dst->at, "destination port is missing");
        diag_hint(p->d, "write it behind the address, for example: port 135");
        return err;
    }
    return 0;
}

/* RFC 4861 and policy.md 6: what the kinds of packets carry when they are genuine. */
static uint8_t usual_hop_limit(const struct packet *k)
{
    if (k->proto != PROTO_ICMPV6)
        return HOP_LIMIT_DEFAULT;
    if (k->icmp_type >= 133 && k->icmp_type <= 137)
        return HOP_LIMIT_NEIGHBOUR;
    if ((k->icmp_type >= 130 && k->icmp_type <= 132) || k->icmp_type == 143)
        return HOP_LIMIT_LISTENER;
    return HOP_LIMIT_DEFAULT;
}

static void fill_packet(struct packet_text *t, const struct side *src, const struct side *dst)
{
    struct packet *k = &t->packet;
    bool ports = proto_has_ports(k->proto);
    t->src_me = src->me;
    t->dst_me = dst->me;
    k->src = src->ip;
    k->dst = dst->ip;
    k->l4_known = true;
    k->sport = src->has_port ? src->port : ports ? DEFAULT_SOURCE_PORT : 0;
    k->dport = dst->port;
    if (k->proto == PROTO_TCP && k->tcp_flags == 0)
        k->tcp_flags = TCP_SYN;
    k->hop_limit = usual_hop_limit(k);
}

int text_parse_packet(const char *text, size_t len, struct diag *d, struct packet_text *ret)
{
    struct diag unused;
    struct parser p;
    struct packet_text t = {0};
    struct side src = {0}, dst = {0};
    struct span proto_at = {0};
    int err = parser_init(&p, text, len, d ? d : &unused);
    if (err == 0)
        err = parse_direction(&p, &t.packet);
    if (err == 0)
        err = parse_packet_proto(&p, &t.packet, &proto_at);
    if (err == 0)
        err = parse_packet_icmp(&p, &t.packet);
    if (err == 0)
        err = parse_packet_side(&p, /* source= */ true, &src);
    if (err == 0)
        err = parse_packet_side(&p, /* source= */ false, &dst);
    if (err == 0)
        err = parse_packet_tail(&p, &t);
    if (err == 0)
        err = check_sides(&p, &t.packet, &src, &dst);
    if (err < 0)
        return err;
    t.packet.family = src.me ? dst.family : src.family;
    err = check_proto(&p, &t.packet, proto_at, &src, &dst);
    if (err < 0)
        return err;
    fill_packet(&t, &src, &dst);
    *ret = t;
    return 0;
}
