/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filter: which packets, and what happens to them (policy.md 1). A filter has no direction
 * of its own; "in" and "out" are ways of writing `me` on one side. */
#pragma once
#include "base/diag.h"
#include "model/addr.h"
#include "model/guid.h"
#include "model/portset.h"
#include "model/proto.h"

/* The values are field G of the weight (policy.md 3) and the action of an image slot. */
enum action { ACTION_PERMIT = 1, ACTION_NEGOTIATE = 2, ACTION_BLOCK = 3 };
const char *action_name(enum action a);

enum profile { PROFILE_NONE, PROFILE_DOMAIN, PROFILE_PRIVATE, PROFILE_PUBLIC, _PROFILE_MAX };
const char *profile_name(enum profile p);

/* Of a rule: which interfaces its filters are for, beyond what they say themselves. */
enum connection { CONNECTION_ALL, CONNECTION_LAN, CONNECTION_DIALUP, _CONNECTION_MAX };
const char *connection_name(enum connection c);

struct filter {
    struct guid guid; /* null until it is stored or added */
    uint32_t handle;  /* number of its short id (s12, d17), 0 until then */
    enum action action;
    bool inpass; /* permit inpass */
    bool mirrored, override, keep_state, log;
    int16_t proto;     /* 0-255 or PROTO_ANY */
    int16_t icmp_type; /* 0-255 or -1; only with icmp, icmpv6 */
    int16_t icmp_code; /* 0-255 or -1; only with a type */
    enum profile profile;
    struct addr src, dst;
    struct portset sport, dport;
    char *interface;   /* "on IF", owned, NULL = none */
    char *methods;     /* words after negotiate, canonical, owned, NULL = default list */
    char *description; /* owned, NULL = none */
    struct span at;    /* where its text began */
};

void filter_init(struct filter *f); /* permit-less zero value: proto, icmp -1, any to any */
void filter_done(struct filter *f);
struct filter *filter_free(struct filter *f);
void filter_freep(struct filter **f);
_must_check_ int filter_copy(const struct filter *f, struct filter *ret);
/* Same packets, action and qualifiers; identity, place and description are not compared. */
bool filter_eq(const struct filter *a, const struct filter *b);
/* What it does to packets in the clear: `permit inpass` demands negotiation like `negotiate`, and
 * without an engine both are denied (policy.md 1, windows.md 1.1). Field G of the weight. */
static inline enum action filter_effect(const struct filter *f)
{
    return f->inpass && f->action == ACTION_PERMIT ? ACTION_NEGOTIATE : f->action;
}
/* A side of it is a DNS name or a keyword, which stands for addresses that may change. */
static inline bool filter_is_resolved(const struct filter *f)
{
    return addr_is_resolved(&f->src) || addr_is_resolved(&f->dst);
}
/* Checks what the grammar alone cannot: families of both sides, ports and ICMP types with a
 * fitting protocol, override only with block, the rule of names in permits (policy.md 1).
 * 0, or negative with *d filled at f->at. Every constructor of filters ends here. */
_must_check_ int filter_validate(const struct filter *f, struct diag *d);
/* FAMILY_ANY, or the one family it can match. */
static inline enum family filter_family(const struct filter *f)
{
    return f->src.family != FAMILY_ANY ? f->src.family : f->dst.family;
}
