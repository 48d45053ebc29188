/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the analysis share. Private to src/compile; independent of the image.
 *
 *   boxes.c    one box            boxset.c   unions of boxes      example.c  packets of a box
 *   rules.c    effective filters, failsafe, exemptions -> parts in the order of precedence
 *   winner.c   a box of packets -> its pieces, each with the part that decides it
 *   diff.c, exceptions.c, check*.c: the questions */
#pragma once
#include "compile/packetset.h"

enum dimension {
    DIM_CLASS,
    DIM_L4,
    DIM_SPECIAL,
    DIM_PROFILE,
    DIM_INTERFACE,
    DIM_PROTO,
    DIM_SRC,
    DIM_DST,
    DIM_SPORT,
    DIM_DPORT,
    _DIM_MAX,
};
/* Total orders: of all fields, and with one dimension last (equal without it = 0 of _except). */
int box_cmp(const struct box *a, const struct box *b);
int box_cmp_except(const struct box *a, const struct box *b, enum dimension except);
int box_cmp_along(const struct box *a, const struct box *b, enum dimension d);
/* a and b are equal but for d, a begins first: makes a their union if that is a box. */
bool box_extend(struct box *a, const struct box *b, enum dimension d);
/* Every packet of one family and class, for filters with and without ICMPv6 type alike. */
struct box box_all(enum family f, uint8_t class, uint16_t n_names);

/* One expansion of a filter or entry in one family: a box, and how much it weighs. */
struct part {
    struct box box;
    uint32_t weight;
    size_t index;    /* effective filter, SIZE_MAX for entries */
    size_t failsafe; /* number of the failsafe entry, else SIZE_MAX */
    enum tier tier;
    enum connection connection;
    enum action effect; /* what happens to clear packets; ordered: more is stricter */
    bool twin;
    bool same; /* diff: the other side has the same part */
};

struct rules {
    const struct effective *e;
    struct packetset names; /* of interfaces only */
    struct part *v;         /* the strongest first */
    size_t n, cap;
    struct box_index *index;  /* NULL: every part may overlap */
    const struct rules *only; /* while filling: only what overlaps these parts */
};
/* Interfaces that e names, added to *names. */
_must_check_ int rules_collect_names(const struct effective *e, struct packetset *names);
/* names: of all effective filters that take part; expired permits are left out. */
_must_check_ int rules_new(const struct effective *e, uint64_t now_ns,
                           const struct packetset *names, struct rules *ret);
/* Only the parts that overlap filter number index, without an index: cheap for one question. */
_must_check_ int rules_around(const struct effective *e, size_t index, uint64_t now_ns,
                              const struct packetset *names, struct rules *ret);
void rules_done(struct rules *r);
/* Sets bit i of hits (n bits) for every part that overlaps b; returns how many were compared. */
size_t rules_find(const struct rules *r, const struct box *b, uint64_t *hits);
/* Boxes of a filter that is not among the effective ones, with weights. */
_must_check_ int rules_expand(struct rules *r, const struct effective_filter *ef, size_t index);

/* Numbers of parts, ascending: the strongest first. All that overlap some box between the first
 * and the last number, but those of the filter `without` (SIZE_MAX: all). */
struct part_list {
    uint32_t *v;
    size_t n, cap;
    size_t without;
};
void part_list_done(struct part_list *l);

/* Scratch space and account of one analysis. */
struct walk {
    const struct budget *budget;
    size_t n_boxes; /* split off since walk_begin() */
    size_t n_steps; /* since the last look at the clock */
    bool exhausted; /* since walk_begin() */
    bool stopped;   /* by the clock: for good */
    uint64_t *hits;
    size_t hits_words;
};
void walk_done(struct walk *w);
/* A new question: counts from 0 again. */
void walk_begin(struct walk *w);
bool walk_is_over(const struct walk *w);
/* All parts of r that overlap b. 0 or -ENOMEM. */
_must_check_ int walk_find(struct walk *w, const struct rules *r, const struct box *b,
                           struct part_list *ret);
/* Splits b by the parts in the list: every piece is given with the part that decides it, or NULL
 * where none matches. The visitor returns 0 to go on, 1 to stop, or a negative errno. Returns
 * what the visitor returned last, 0 when the budget is used up (w->exhausted), or -ENOMEM. */
typedef int piece_fn(void *arg, const struct box *piece, const struct part *winner);
_must_check_ int walk_split(struct walk *w, const struct rules *r, const struct box *b,
                            const struct part_list *parts, piece_fn *visit, void *arg);

/* The strongest part from number first to last that overlaps b and is not of filter without. */
enum { NEXT_NONE = UINT32_MAX, NEXT_MANY = UINT32_MAX - 1 /* more than max to compare */ };
uint32_t rules_next(const struct rules *r, const struct box *b, const struct part_list *range,
                    size_t from, size_t max);

struct decision decision_of(const struct part *p);
enum action effect_of(const struct part *p); /* NULL = no filter: permit */
/* The part that decides one point. */
const struct part *rules_decide(const struct rules *r, const struct box *point);
