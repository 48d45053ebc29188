/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of check share. Private to src/compile. */
#pragma once
#include "analysis.h"
#include "compile/check.h"
#include "idmap.h"

/* What is known of a filter already. */
enum {
    SEEN_CONFLICT_LOST = 1, /* a conflict says that it never decides some packets */
    SEEN_DEAD = 2,          /* never-wins, shadowed, redundant, or a conflict that covers it */
};

struct check {
    const struct effective *e;
    const struct check_options *o;
    struct rules rules;
    uint32_t *first, *by_filter; /* numbers of the parts of filter i: by_filter[first[i] ..] */
    uint8_t *seen;               /* SEEN_* of filter i */
    struct walk outer, inner;    /* one runs inside the other */
    struct part_list found, upper, lower;
    struct finding_list *ret;
};

static inline size_t check_n_parts(const struct check *c, size_t filter)
{
    return c->first[filter + 1] - c->first[filter];
}
static inline const struct part *check_part(const struct check *c, size_t filter, size_t i)
{
    return &c->rules.v[c->by_filter[c->first[filter] + i]];
}

/* Packets that p decides and that would fare otherwise without filter `without`: the first piece
 * of box is kept. */
struct effect_search {
    struct check *c;
    const struct part *p;
    size_t without;
    bool decides, matters;             /* is there a piece that p decides; that changes */
    bool want_matters;                 /* false: stop at the first piece that p decides */
    struct box decided, changed, lost; /* one piece each */
    const struct part *below_decided;  /* who would decide `decided` */
    const struct part *winner;         /* of `lost` */
};
/* box: p's, or a part of it. 0 or -ENOMEM; c->outer.exhausted or c->inner.exhausted if the
 * budget did not suffice. */
_must_check_ int check_effect(struct effect_search *s, const struct box *box);

/* The clock says that it is enough: what follows is not looked at. */
static inline bool check_is_late(const struct check *c)
{
    return c->outer.stopped || c->inner.stopped;
}

/* Adds *f and counts it; what is beyond FINDINGS_KEPT is only counted. */
_must_check_ int check_add(struct check *c, const struct finding *f);
void check_name(struct finding *f, const struct part *p);
void check_show(const struct check *c, struct finding *f, const struct box *piece,
                const struct part *winner);

/* check_pairs.c */
_must_check_ int check_conflicts(struct check *c);
_must_check_ int check_overlaps(struct check *c);
/* check_dead.c */
_must_check_ int check_dead(struct check *c);
/* check_single.c */
_must_check_ int check_singles(struct check *c);
/* check_host.c */
_must_check_ int check_host(struct check *c);
