/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From where ports of this host can be reached, by the filters in force: questions of the API, with
 * the filters that decide. Nothing is changed by them. */
#pragma once
#include "agent/agent.h"
#include "exposure/reach.h"
#include "model/portset.h"

/* Ports of one question that have the same answer. */
struct agent_reach_range {
    size_t item;
    struct port_range ports;
    bool known; /* false: there was no time to judge it */
    char *text; /* for people, owned */
    struct reach reach;
};
struct agent_reach {
    struct agent_reach_range *v;
    size_t n, cap;
    bool complete;
};
void agent_reach_done(struct agent_reach *r);
/* items: exposure/item.h. */
_must_check_ int agent_reach(struct agent *a, const char *const *items, size_t n, struct diag *d,
                             struct agent_reach *ret);
/* Directory where the iterators over sockets are pinned. */
void agent_holders_pin(const struct agent *a, char *ret, size_t size);
/* The filter behind a piece: its id, "" = none; its rule, NULL = none, borrowed. */
void agent_reach_decider(struct agent *a, const struct reach_piece *p, char ret_id[16],
                         const char **ret_rule);
