/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of the packet log, as the agent writes it into files and `portward log` shows it. Plain
 * data and two printers; a third form, JSON, belongs to whoever has a JSON library. Invariant: one
 * entry is one line, whatever names it carries. */
#pragma once
#include "base/strbuf.h"
#include "model/ip.h"

enum { LOG_ENTRY_HEAD = 64 };
enum log_verdict { LOG_VERDICT_BLOCK, LOG_VERDICT_PERMIT, LOG_VERDICT_SUPPRESSED };

/* Strings are borrowed; NULL = none or not known. */
struct log_entry {
    uint64_t seq;    /* grows by one with each entry */
    int64_t time_ms; /* since 1970 */
    enum log_verdict verdict;
    const char *dir; /* "in", "out", "forwarded" */
    const char *reason;
    const char *filter, *rule, *policy, *layer;
    const char *iface;
    const char *marks; /* "guard,fragment" */
    uint64_t generation;
    enum family family; /* FAMILY_ANY: could not be read */
    struct ip src, dst;
    uint8_t proto;
    bool has_ports, has_icmp;
    uint16_t sport, dport;
    uint8_t tcp_flags, icmp_type, icmp_code;
    uint32_t length;
    uint8_t mac[6];               /* zero = none */
    uint64_t count;               /* suppressed */
    uint32_t window_ms;           /* suppressed */
    uint8_t head[LOG_ENTRY_HEAD]; /* the packet from its IP header on */
    unsigned n_head;              /* bytes of it that are known */
};

/* FIN SYN RST PSH ACK URG ECE CWR, as tcpdump has them. */
enum { LOG_TCP_FLAGS_BYTES = 9 };
void log_tcp_flags(uint8_t flags, char out[LOG_TCP_FLAGS_BYTES]);
/* Bytes of the IP packet, by its own header; 0 = not known. */
uint32_t log_packet_bytes(const struct log_entry *e);

/* One line with newline. clock: of the entry, "02:41:12.103". Error of the strbuf. */
int log_print_text(const struct log_entry *e, const char *clock, struct strbuf *b);
/* The W3C form of pfirewall.log; date and time: "2026-11-22 02:41:12". */
int log_print_pfirewall(const struct log_entry *e, const char *date_time, struct strbuf *b);
/* What stands at the beginning of such a file. */
extern const char log_pfirewall_header[];
