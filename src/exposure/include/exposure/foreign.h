/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nftables rules that are not ours do to a new connection: read from `nft -j list ruleset`
 * (libnftables-json(5)), answered in three values. What is not modelled makes the branch unknown
 * and names the rule, it never makes a verdict. Modelled: base chains of ip, ip6 and inet at
 * prerouting and input with their priorities and policies; addresses, ports, protocol, interface
 * in; ct state new; sets, verdict maps, jump, goto, return; dnat and redirect; limit is unknown.
 * Pure. */
#pragma once
#include <jansson.h>

#include "base/diag.h"
#include "model/host.h"

struct foreign;
/* text: the whole output of nft. */
_must_check_ int foreign_parse(const char *text, size_t len, struct diag *d, struct foreign **ret);
struct foreign *foreign_free(struct foreign *f);
void foreign_freep(struct foreign **f);
/* Base chains at prerouting or input: none means that nothing of others is in the way. */
size_t foreign_n_chains(const struct foreign *f);

struct foreign_packet {
    enum family family;
    struct ip src, dst;
    uint8_t proto;
    uint16_t sport, dport;
    const char *iif; /* name of the interface */
};
enum foreign_verdict { FOREIGN_ACCEPT, FOREIGN_DROP, FOREIGN_UNKNOWN, _FOREIGN_MAX };
const char *foreign_verdict_name(enum foreign_verdict v); /* "accept" "drop" "unknown" */
enum { FOREIGN_RULE_BYTES = 160 };
struct foreign_answer {
    enum foreign_verdict verdict;
    char rule[FOREIGN_RULE_BYTES]; /* "inet filter input handle 7", that decided; "" = none */
    bool redirected;               /* to another address or port: */
    struct ip to;
    uint16_t to_port;
    bool elsewhere; /* that is no address of this host */
    char redirect[FOREIGN_RULE_BYTES];
};
void foreign_judge(const struct foreign *f, const struct host *h, const struct foreign_packet *p,
                   struct foreign_answer *ret);

/* Ports of TCP or UDP that a dnat or redirect rule names, for who looks for published ports. */
_must_check_ int foreign_redirected_ports(const struct foreign *f, uint8_t proto, uint16_t **ret,
                                          size_t *ret_n);
