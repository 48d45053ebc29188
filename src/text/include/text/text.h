/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy language (policy.md 7): one parser and one printer for policy files, the command
 * line, explain, logs and stored filters. Pure: text in, model out. Printing is the exact
 * inverse of parsing; print(parse(print(x))) == print(x). */
#pragma once
#include "base/diag.h"
#include "base/strbuf.h"
#include "model/packet.h"
#include "model/policy.h"

/* A whole file of policies. At most LIMIT_DIAGS errors are collected in *dl (all counted).
 * 0, or -EINVAL/-E2BIG with n_errors > 0 and *ret untouched, or -ENOMEM. Filters carry no GUIDs. */
_must_check_ int text_parse_policies(const char *text, size_t len, struct diag_list *dl,
                                     struct policy_list *ret);

/* One filter, beginning with its action; the whole text must be used up. */
_must_check_ int text_parse_filter(const char *text, size_t len, struct diag *d,
                                   struct filter *ret);

/* The filter of a command line: like text_parse_filter, and at the end, in any order,
 * "for DURATION" and "reason STRING". for_s 0 and reason NULL if absent. */
struct command_filter {
    struct filter filter;
    uint32_t for_s;
    char *reason; /* owned */
};
void command_filter_done(struct command_filter *c);
_must_check_ int text_parse_command(const char *text, size_t len, struct diag *d,
                                    struct command_filter *ret);

/* PACKET of policy.md 8. Source port not given = 49152; a TCP packet is a SYN unless "ack".
 * A side given as `me` sets the flag below and the caller puts an address in. */
struct packet_text {
    struct packet packet; /* meta.dir, family, src, dst, proto, ports, icmp, tcp_flags */
    bool src_me, dst_me;
    char interface[16]; /* empty = not given */
};
_must_check_ int text_parse_packet(const char *text, size_t len, struct diag *d,
                                   struct packet_text *ret);

/* Canonical text, without trailing newline for a filter. 0 or the strbuf's error. */
_must_check_ int text_print_filter(const struct filter *f, struct strbuf *out);
_must_check_ int text_print_policy(const struct policy *p, struct strbuf *out);
_must_check_ int text_print_packet(const struct packet *p, struct strbuf *out);
/* One address / a quoted string as the grammar writes them. */
int text_print_addr(const struct addr *a, struct strbuf *out);
int text_print_string(const char *s, struct strbuf *out);
/* ` attribute KEY "VALUE"` of each, with the blank before it. */
int text_print_attributes(const struct attributes *a, struct strbuf *out);

/* [safety] failsafe = ...: "tcp/22 from 192.0.2.0/24, udp/53 from any". */
struct filter_settings;
_must_check_ int text_parse_failsafe(const char *text, size_t len, struct diag *d,
                                     struct filter_settings *ret);

/* Joins argv words to one text for the parser, quoting words that need it, so that carets
 * point into what is shown. */
_must_check_ int text_join_words(int n, char *const *words, struct strbuf *out);

/* Gives rules of `fresh` the GUID of the rule of the same name in `old`, and their filters the
 * GUID and handle of an equal filter (by canonical text) of that rule, so that counters go on
 * (policy.md 5). */
_must_check_ int text_inherit_ids(struct policy *fresh, const struct policy *old);
/* The same where rules were renamed meanwhile: a rule `now` takes from the old rule `before`, and a
 * rule that is new under a name that another one gave up takes nothing. Rules that have a GUID
 * keep theirs. DIAG_CONFLICT if two rules say that they were the same one. */
struct renamed {
    const char *now, *before; /* borrowed */
};
_must_check_ int text_inherit_renamed(struct policy *fresh, const struct policy *old,
                                      const struct renamed *v, size_t n, struct diag *d);

/* Sets of packets in `A but B` notation (policy.md 8), one line for each term, lines ended by
 * '\n' but the last: "tcp from any but 10.1.1.0/24 to me port 445". At most max_lines, then a
 * line "and N more", and long lists cut the same way; 0 = everything. */
struct packetset;
struct example;
_must_check_ int text_print_set(const struct packetset *s, size_t max_lines, struct strbuf *out);
/* "tcp from 10.1.1.5 to me port 23": a source port that stands for any is not written. */
_must_check_ int text_print_example(const struct example *x, struct strbuf *out);
/* A finding of `policy check` as people read it, three parts: the headline ("\"Office\" and
 * \"No telnet\" overlap, differ in action, and neither contains the other"), the detail (last
 * line: who wins the example and why; may be empty) and the hint (may be empty). The caller
 * prints file, line and the two rules with their weights. */
struct effective;
struct finding;
struct finding_text {
    struct strbuf headline, detail, hint;
};
#define FINDING_TEXT_INIT                                       \
    {                                                           \
        STRBUF_INIT(4096), STRBUF_INIT(4096), STRBUF_INIT(4096) \
    }
_must_check_ int text_print_finding(const struct effective *e, const struct finding *f,
                                    struct finding_text *out);
void finding_text_done(struct finding_text *t);
