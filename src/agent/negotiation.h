/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that ask for negotiated security while no engine is there to negotiate: what they say is
 * enforced by denying in the clear (policy.md 1), which nobody may be left to find out alone. */
#pragma once
#include "agent/agent.h"
#include "desired.h"

enum { NEGOTIATION_NAMED = 3, NEGOTIATION_POLICIES = 16 };
/* Rules and dynamic filters of one answer that negotiate, the first few by name. */
struct negotiation {
    size_t n;
    char name[NEGOTIATION_NAMED][256];      /* of n the first */
    char policy[NEGOTIATION_POLICIES][256]; /* looked at already */
    size_t n_policies;
};
/* All active rules of p; once for each policy. */
void negotiation_add_policy(struct negotiation *n, const struct policy *p);
/* A dynamic filter, which has an id. */
void negotiation_add_filter(struct negotiation *n, const struct filter *f);
/* All that is in force. */
void negotiation_add_layers(struct negotiation *n, const struct layers *l);
/* One warning with all of them, none if there are none. */
void negotiation_warn(const struct negotiation *n, struct agent_warnings *w);
/* The exemptions of IKE that the filters of x derive (policy.md 6), for people. */
_must_check_ int negotiation_derived(const struct desired *x, struct agent_filters *l);
