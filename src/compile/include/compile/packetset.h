/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exact algebra on sets of packets (model/packetset.h). Pure; what may grow is bounded by a
 * budget that the caller gives. */
#pragma once
#include "model/packetset.h"

/* How much may be spent on one question. Beyond it the answer is honest but not complete. */
struct budget {
    size_t max_boxes; /* 0 = BUDGET_BOXES */
    /* Asked now and then; true = stop (the caller's clock says that 2 s are over). May be NULL. */
    bool (*stop)(void *arg);
    void *arg;
};
enum { BUDGET_BOXES = 100000 }; /* policy.md 8 */

bool box_intersect(const struct box *a, const struct box *b, struct box *ret); /* false: empty */
bool box_overlaps(const struct box *a, const struct box *b);
bool box_contains(const struct box *outer, const struct box *inner);
bool box_eq(const struct box *a, const struct box *b);
/* a without b as disjoint boxes; returns how many, at most BOX_PIECES. */
enum { BOX_PIECES = 16 };
unsigned box_subtract(const struct box *a, const struct box *b, struct box ret[BOX_PIECES]);
/* The point of the space that the packet is. class: one of CLASS_*, how the packet stands to the
 * host; names: the set or a set with the names that interfaces are numbered by. */
struct box box_of_packet(const struct packet *p, unsigned class, const struct host *host,
                         const struct packetset *names);

_must_check_ int packetset_add(struct packetset *s, const struct box *b);
_must_check_ int packetset_copy_names(const struct packetset *from, struct packetset *to);
/* *s becomes s minus b / s intersected with b; both keep the boxes disjoint. */
_must_check_ int packetset_subtract(struct packetset *s, const struct box *b);
void packetset_intersect(struct packetset *s, const struct box *b);
/* Adds what is missing, so that the boxes stay disjoint. */
_must_check_ int packetset_union(struct packetset *s, const struct box *b);
/* Joins neighbours until nothing can be joined. The set stays the same. */
void packetset_join(struct packetset *s);
/* True if the two are the same set of packets. -ENOMEM. */
_must_check_ int packetset_equal(const struct packetset *a, const struct packetset *b, bool *ret);
/* True if the packet, which stands to the host as class says (one of CLASS_*), is in the set.
 * Only for packets that filters are asked about. */
bool packetset_has(const struct packetset *s, const struct packet *p, unsigned class,
                   const struct host *host);
/* A packet of the box that people recognise: documentation of its ranges by their first ordinary
 * value (port 49152 and addresses like 198.51.100.1 where anything goes). names: of the set. */
struct example box_example(const struct box *b, const struct packetset *names,
                           const struct host *host);
