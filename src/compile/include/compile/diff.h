/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packets change their verdict between two states (policy.md 8), and which packets of a
 * block stay permitted. Used by `policy diff`, --dry-run, the preview of every change and the
 * `still allowed` lines of block. Exact up to the budget; never says equal beyond it.
 *
 * a and b may have different settings and hosts; the host matters for the derived exemptions
 * and for choosing examples only, `me` is symbolic (model/packetset.h). For a policy in a file
 * give an empty struct host, never NULL. DNS names and server keywords that were not replaced by
 * addresses match nothing, as in eval. */
#pragma once
#include "compile/packetset.h"
#include "model/effective.h"

/* Packets with the same fate: blocked (or permitted) under b by the same decider. */
struct diff_change {
    bool blocked;               /* true: newly blocked, false: newly permitted */
    struct packetset set;       /* disjoint boxes, neighbours joined: print with text_print_set() */
    struct example example;     /* one packet of the set */
    struct decision in_a, in_b; /* who decides the example; in_b is the same for all of the set */
};

struct diff_result {
    bool equal;            /* no packet changes, and everything was looked at */
    bool complete;         /* false: "not enumerated completely", changes are examples */
    size_t n_boxes;        /* split off on the way */
    struct diff_change *v; /* owned; newly blocked first, then by who decides */
    size_t n, cap;
    /* Beside the filters: structural drops (martian, source-route) begin or end with the first
     * and last block. */
    bool armed_a, armed_b;
    bool state_differs; /* filters with `keep state` differ: answers may change as well */
};
void diff_result_done(struct diff_result *r);

/* now_ns: boot-time clock, for deadlines (permits past it do not match). budget may be NULL.
 * 0 or -ENOMEM. */
_must_check_ int diff_effective(const struct effective *a, const struct effective *b,
                                uint64_t now_ns, const struct budget *budget,
                                struct diff_result *ret);

/* What stays permitted of the packets that filter number index (a block) names, by decider. */
struct exception {
    struct decision by; /* a more specific permit, a failsafe entry or an exemption */
    struct packetset set;
    struct example example;
};
struct exceptions {
    struct exception *v; /* filters by index, then failsafe, then exemptions */
    size_t n, cap;
    bool complete; /* false: there may be more */
};
void exceptions_done(struct exceptions *x);
_must_check_ int diff_exceptions(const struct effective *e, size_t index, uint64_t now_ns,
                                 const struct budget *budget, struct exceptions *ret);

/* Verdict on one packet without eval, for counting connections that a change cuts: class is one
 * of CLASS_*. Prepared once, asked many times. */
struct decider_index;
_must_check_ int decider_index_new(const struct effective *e, uint64_t now_ns,
                                   struct decider_index **ret);
struct decider_index *decider_index_free(struct decider_index *x);
void decider_index_freep(struct decider_index **x);
struct decision decider_index_ask(const struct decider_index *x, const struct packet *p,
                                  unsigned class);
