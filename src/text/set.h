/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of packets as terms, one for each line of text. set_terms.c makes them of boxes,
 * print_set.c writes them. Private to text. */
#pragma once
#include "base/strbuf.h"
#include "model/packetset.h"

/* Sorted, disjoint, not touching. Ports are numbers in .lo. */
struct set_range {
    struct ip first, last;
};
struct set_list {
    struct set_range *v;
    size_t n, cap;
};
enum { SET_SRC4, SET_SRC6, SET_DST4, SET_DST6, SET_SPORT, SET_DPORT, SET_LISTS };

/* In every family it has: all sources x all destinations x all ports. */
struct set_term {
    struct box key; /* class, l4, special, profiles, interfaces, protocols */
    struct set_list list[SET_LISTS];
    bool fragments; /* and the later fragments of the protocol */
};
struct set_terms {
    struct set_term *v;
    size_t n, cap;
    size_t left_out; /* boxes */
};
void set_terms_done(struct set_terms *t);
_must_check_ int set_terms_new(const struct packetset *s, struct set_terms *ret);

static inline bool set_is_whole(const struct set_list *l, struct ip last)
{
    return l->n == 1 && !l->v[0].first.hi && !l->v[0].first.lo && ip_eq(l->v[0].last, last);
}
static inline struct ip set_last_address(enum family f)
{
    return ip_not(f, (struct ip){0});
}
/* The list as "PREFIX but ...": the prefix and the holes in it, to be freed. */
struct set_holes {
    struct set_range outer;
    unsigned len; /* of the prefix */
    struct set_list but;
    bool as_ranges; /* the list itself is shorter */
};
_must_check_ int set_holes_of(const struct set_list *l, enum family f, struct set_holes *ret);
/* "10.0.0.0/8": the range as a prefix. */
bool set_is_prefix(enum family f, const struct set_range *r, unsigned *ret_len);
/* Does "any but ..." say the list shorter than its ranges? */
bool set_is_any_but(const struct set_list *l, enum family f);
