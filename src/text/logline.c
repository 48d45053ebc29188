/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/logline.c: a line of the packet log in the words of the policy grammar, and as pfirewall.log
 * has it (windows.md 18: fields as published). Called by the agent for its files and by `portward
 * log`. Pure. Control characters of names are escaped; what else a name contains stands between
 * quotes, so that no name can look like a field. */
#include "text/logline.h"

#include <string.h>

#include "model/proto.h"

enum { FLOW_WIDTH = 47, TCP_SEQ_AT = 4, TCP_ACK_AT = 8, TCP_WINDOW_AT = 14 };

const char log_pfirewall_header[] =
    "#Version: 1.5\n"
    "#Software: Microsoft Windows Firewall\n"
    "#Time Format: Local\n"
    "#Fields: date time action protocol src-ip dst-ip src-port dst-port size tcpflags tcpsyn "
    "tcpack tcpwin icmptype icmpcode info path\n"
    "\n";

void log_tcp_flags(uint8_t flags, char out[LOG_TCP_FLAGS_BYTES])
{
    static const char letters[] = "FSRPAUEC";
    size_t n = 0;

    for (unsigned i = 0; i < 8; i++)
        if (flags >> i & 1)
            out[n++] = letters[i];
    out[n] = '\0';
}

static uint32_t be16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t be32(const uint8_t *at)
{
    return be16(at) << 16 | be16(at + 2);
}

uint32_t log_packet_bytes(const struct log_entry *e)
{
    if (e->n_head >= 20 && e->head[0] >> 4 == 4)
        return be16(e->head + 2);
    if (e->n_head >= 40 && e->head[0] >> 4 == 6)
        return 40 + be16(e->head + 4);
    return 0;
}

/* Where the TCP header is, if it lies in the head as a whole: behind the shortest IPv6 header, or
 * the options of IPv4. */
static const uint8_t *tcp_header(const struct log_entry *e)
{
    unsigned at = e->family == FAMILY_6 ? 40 : (unsigned)(e->head[0] & 15) * 4;
    bool plain = e->family == FAMILY_4 || e->head[6] == PROTO_TCP;

    if (e->proto != PROTO_TCP || !e->has_ports || !plain || at < 20 || at + 20 > e->n_head)
        return NULL;
    return e->head + at;
}

/* --- text --- */

static void add_side(struct strbuf *b, enum family f, struct ip ip, bool port, uint16_t n)
{
    char address[IP_TEXT_BYTES];
    bool brackets = port && f == FAMILY_6;

    ip_print(f, ip, address);
    (void)strbuf_addf(b, brackets ? "[%s]" : "%s", address); /* errors are sticky */
    if (port)
        (void)strbuf_addf(b, ":%u", n);
}

static void add_proto(struct strbuf *b, uint8_t proto)
{
    const char *name = proto_name(proto);

    (void)(name ? strbuf_add(b, name) : strbuf_addf(b, "proto %u", proto)); /* sticky */
}

static void add_plain(struct strbuf *b, const char *text)
{
    (void)strbuf_add_escaped(b, text, strlen(text)); /* sticky */
}

static void add_flow(const struct log_entry *e, struct strbuf *b)
{
    size_t from = b->len;

    if (e->family == FAMILY_ANY) {
        (void)strbuf_add(b, "packet that cannot be read"); /* sticky, as all below */
    } else {
        add_proto(b, e->proto);
        (void)strbuf_add(b, " ");
        add_side(b, e->family, e->src, e->has_ports, e->sport);
        (void)strbuf_add(b, " > ");
        add_side(b, e->family, e->dst, e->has_ports, e->dport);
        if (e->has_icmp)
            (void)strbuf_addf(b, " type %u code %u", e->icmp_type, e->icmp_code);
    }
    if (e->iface) {
        (void)strbuf_add(b, " ");
        add_plain(b, e->iface);
    }
    do
        (void)strbuf_add_char(b, ' ');
    while (b->len - from < FLOW_WIDTH && !b->error);
}

static void add_quoted(struct strbuf *b, const char *text)
{
    (void)strbuf_add(b, " \"");                      /* sticky */
    for (size_t at = 0, n = strlen(text); at < n;) { /* a quote is no end of the name */
        size_t part = strcspn(text + at, "\"");

        (void)strbuf_add_escaped(b, text + at, part);
        at += part;
        if (at < n && text[at] == '"') {
            (void)strbuf_add(b, "\\\"");
            at++;
        }
    }
    (void)strbuf_add(b, "\"");
}

static int print_suppressed(const struct log_entry *e, const char *clock, struct strbuf *b)
{
    (void)strbuf_addf(b, "%s  (%llu more of ", clock, (unsigned long long)e->count); /* sticky */
    add_plain(b, e->filter ? e->filter : e->reason ? e->reason : "what no filter decided");
    return strbuf_addf(b, " suppressed in %u s)\n", (e->window_ms + 500) / 1000);
}

static const char *way_of(const struct log_entry *e)
{
    static const char *const ways[] = {"in", "out", "forwarded"};

    for (size_t i = 0; e->dir && i < ARRAY_SIZE(ways); i++)
        if (strcmp(e->dir, ways[i]) == 0)
            return ways[i];
    return "-";
}

int log_print_text(const struct log_entry *e, const char *clock, struct strbuf *b)
{
    if (e->verdict == LOG_VERDICT_SUPPRESSED)
        return print_suppressed(e, clock, b);
    (void)strbuf_addf(b, "%s  %-5s  %-3s ", clock, /* sticky */
                      e->verdict == LOG_VERDICT_BLOCK ? "block" : "permit", way_of(e));
    add_flow(e, b);
    add_plain(b, e->filter ? e->filter : "-");
    if (e->rule)
        add_quoted(b, e->rule);
    if (e->reason && strcmp(e->reason, "filter") != 0) {
        (void)strbuf_add(b, " ("); /* sticky */
        add_plain(b, e->reason);
        (void)strbuf_add(b, ")");
    }
    return strbuf_add(b, "\n");
}

/* --- pfirewall.log --- */

static void add_number_or_dash(struct strbuf *b, bool is, uint32_t n)
{
    (void)(is ? strbuf_addf(b, " %u", n) : strbuf_add(b, " -")); /* sticky */
}

static void add_protocol(const struct log_entry *e, struct strbuf *b)
{
    const char *name = e->proto == PROTO_TCP    ? "TCP"
                       : e->proto == PROTO_UDP  ? "UDP"
                       : e->proto == PROTO_ICMP ? "ICMP"
                                                : NULL;

    (void)(name ? strbuf_addf(b, " %s", name) : strbuf_addf(b, " %u", e->proto)); /* sticky */
}

static void add_addresses(const struct log_entry *e, struct strbuf *b)
{
    char src[IP_TEXT_BYTES], dst[IP_TEXT_BYTES];

    if (e->family == FAMILY_ANY) {
        (void)strbuf_add(b, " - - -"); /* sticky, as all here */
        return;
    }
    ip_print(e->family, e->src, src);
    ip_print(e->family, e->dst, dst);
    add_protocol(e, b);
    (void)strbuf_addf(b, " %s %s", src, dst);
}

static void add_tcp(const struct log_entry *e, struct strbuf *b)
{
    char flags[LOG_TCP_FLAGS_BYTES];
    const uint8_t *tcp = tcp_header(e);

    log_tcp_flags(e->tcp_flags, flags);
    (void)strbuf_addf(b, " %s", e->proto == PROTO_TCP && *flags ? flags : "-"); /* sticky */
    add_number_or_dash(b, tcp, tcp ? be32(tcp + TCP_SEQ_AT) : 0);
    add_number_or_dash(b, tcp, tcp ? be32(tcp + TCP_ACK_AT) : 0);
    add_number_or_dash(b, tcp, tcp ? be16(tcp + TCP_WINDOW_AT) : 0);
}

static const char *path_of(const struct log_entry *e)
{
    if (!e->dir)
        return "UNKNOWN";
    if (strcmp(e->dir, "out") == 0)
        return "SEND";
    return strcmp(e->dir, "forwarded") == 0 ? "FORWARD" : "RECEIVE";
}

int log_print_pfirewall(const struct log_entry *e, const char *date_time, struct strbuf *b)
{
    if (e->verdict == LOG_VERDICT_SUPPRESSED)
        return strbuf_addf(b, "%s INFO-EVENTS-LOST - - - - - - - - - - - - %llu -\n", date_time,
                           (unsigned long long)e->count);
    (void)strbuf_addf(b, "%s %s", date_time, /* sticky */
                      e->verdict == LOG_VERDICT_BLOCK ? "DROP" : "ALLOW");
    add_addresses(e, b);
    add_number_or_dash(b, e->has_ports, e->sport);
    add_number_or_dash(b, e->has_ports, e->dport);
    uint32_t size = log_packet_bytes(e);
    add_number_or_dash(b, true, size ? size : e->length);
    add_tcp(e, b);
    add_number_or_dash(b, e->has_icmp, e->icmp_type);
    add_number_or_dash(b, e->has_icmp, e->icmp_code);
    return strbuf_addf(b, " - %s\n", path_of(e));
}
