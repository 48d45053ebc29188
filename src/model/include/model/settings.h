/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings that decide what is filtered ([filter] and [safety] of portward.conf). */
#pragma once
#include "model/ip.h"

/* One entry of [safety] failsafe: tcp/22 from 192.0.2.0/24. family FAMILY_ANY = from any. */
struct failsafe {
    uint8_t proto; /* tcp or udp */
    uint16_t port;
    enum family family;
    struct ip prefix;
    uint8_t prefix_len;
};

struct filter_settings {
    uint8_t exempt;               /* NoDefaultExempt level 0..3, default 3 */
    bool source_route_classify;   /* default false: dropped */
    bool masqueraded_pass;        /* default false: judged */
    bool dhcp_client_off;         /* default false: derived */
    bool counters_off;            /* default false */
    uint32_t log_rate;            /* records per second of one filter, default 10 */
    uint32_t log_total_rate;      /* of all filters, default 1000 */
    struct failsafe failsafe[64]; /* LIMIT_FAILSAFE */
    unsigned n_failsafe;
};
/* The defaults above. */
void filter_settings_init(struct filter_settings *s);
