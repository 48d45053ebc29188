/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The findings of `policy check` (policy.md 8). Called by the agent for stored policies and by
 * the command line for files. Each finding names its filters, and one packet that shows it with
 * the filter that decides it.
 *
 * One filter that never matters gets one finding: conflict before never-wins before shadowed
 * before redundant, and no overlap with it is reported. Filters without GUID (a file) of equal
 * weight and action decide in the order in which they are given. A filter that
 * keeps state, logs or negotiates is never redundant: it does more than decide. */
#pragma once
#include "compile/packetset.h"
#include "model/finding.h"

/* An established connection that must not be cut: the caller's login, management connections. */
struct check_connection {
    enum family family;
    struct ip peer, local;
    uint8_t proto;
    uint16_t peer_port, local_port;
    bool opened_here;   /* this host opened it: matters with keep state only */
    char interface[16]; /* empty = not known */
};

struct check_options {
    uint64_t now_ns;                            /* boot-time clock, for deadlines */
    const struct check_connection *connections; /* for lock-out */
    size_t n_connections;
    const struct budget *budget; /* may be NULL; max_boxes is the work limit per filter */
};

/* 0 or -ENOMEM. e->host and e->settings must be given (an empty host for a file). */
_must_check_ int check_effective(const struct effective *e, const struct check_options *o,
                                 struct finding_list *ret);
