/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `policy check` finds (policy.md 8): plain data that compile makes and text prints. */
#pragma once
#include "model/packetset.h"

enum finding_kind {
    FINDING_CONFLICT,      /* [0] wins, [1] loses; they differ only in the action */
    FINDING_SHADOWED,      /* [0] never decides; [1] decides the example */
    FINDING_REDUNDANT,     /* [0] decides the example; without it [1] (or nothing) decides alike */
    FINDING_OVERLAP,       /* [0] wins the example, [1] loses it */
    FINDING_NEVER_WINS,    /* [0] the permit, [1] the block that names me */
    FINDING_FAMILY_GAP,    /* [0] the block; the example of the other family passes */
    FINDING_MIRRORED_HOLE, /* [0] the permit; the example reaches a local port through it */
    FINDING_NAME_PERMIT,   /* [0]; no example: its addresses are not known */
    FINDING_LOCK_OUT,      /* [0] the block that cuts the example, a packet of the connection */
    FINDING_FRAGMENTS,     /* [0] the permit, [1] the block that drops the later fragments */
    FINDING_PMTU,          /* [0] the block that drops the example */
    FINDING_COST,          /* [0] the filter with most shapes of its own; .probes */
    _FINDING_MAX,
};
const char *finding_kind_name(enum finding_kind k); /* "conflict", "never-wins", ... */

/* Errors make a policy invalid, warnings are findings (exit 6), notes are for those who ask. */
enum finding_severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR };
enum finding_severity finding_severity(enum finding_kind k);

/* How to say what `me` would have helped (never-wins). */
enum finding_side { SIDE_NONE, SIDE_SOURCE, SIDE_DESTINATION };

struct finding {
    enum finding_kind kind;
    unsigned n_filters; /* of filter[] */
    struct {
        size_t index; /* into effective.v; place: .filter->at, name: .rule */
        uint32_t weight;
        enum tier tier;
        bool twin;
    } filter[2];
    bool has_example;
    struct example example;
    struct decision winner;      /* of the example, in the policy as it is */
    enum finding_side side;      /* never-wins: the side that should say me */
    unsigned probes, probes_max; /* cost: worst case per packet, limit */
    enum family family;          /* cost: of which packets; family-gap: the open one */
};

enum { FINDINGS_KEPT = 1000 };
struct finding_list {
    struct finding *v; /* sorted by place in the text, then kind; at most FINDINGS_KEPT */
    size_t n, cap;
    size_t counts[_FINDING_MAX]; /* found, also those not kept */
    bool complete;               /* false: budget used up, there may be more findings */
};
void finding_list_done(struct finding_list *l);
