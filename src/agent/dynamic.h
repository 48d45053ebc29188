/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dynamic layer (policy.md 5): filters added by `block` and `permit`. A layer is a list of
 * shared entries that never change, so that a change is prepared on a cheap copy and taken or
 * thrown away as a whole. Ids (filter.handle, d1..) are never reused while the host is up:
 * next_id only grows and is part of the snapshot. Deadlines are boot-time nanoseconds. */
#pragma once
#include "model/filter.h"

struct dynamic_entry {
    unsigned refs;
    struct filter filter; /* with GUID and handle */
    uint64_t deadline_ns; /* 0 = none */
    char *reason;         /* owned, NULL = none */
};
struct dynamic {
    struct dynamic_entry **v; /* in the order of their ids */
    size_t n, cap;
    size_t n_named;   /* of those, how many ask for a name or keyword */
    uint32_t next_id; /* 0 = none given yet; the first id is 1 */
};
void dynamic_done(struct dynamic *l);
_must_check_ int dynamic_copy(const struct dynamic *from, struct dynamic *ret);

/* What is added: the filter is taken over. id and guid are given by the caller for adopted
 * entries; id 0 takes the next one. */
struct dynamic_new {
    struct filter *filter;
    struct guid guid;
    uint32_t id;
    uint64_t deadline_ns;
    const char *reason;
};
/* DIAG_LIMIT beyond LIMIT_DYNAMIC_FILTERS. *ret_index is its place. */
_must_check_ int dynamic_add(struct dynamic *l, const struct dynamic_new *o, struct diag *d,
                             size_t *ret_index);
/* The later deadline wins (0 = none is the latest), a new reason replaces the old one.
 * *ret_changed: false if both stayed. */
_must_check_ int dynamic_extend(struct dynamic *l, size_t i, uint64_t deadline_ns,
                                const char *reason, bool *ret_changed);
void dynamic_remove(struct dynamic *l, size_t i);
void dynamic_clear(struct dynamic *l); /* keeps next_id */

/* SIZE_MAX if there is none. */
size_t dynamic_find_id(const struct dynamic *l, uint32_t id);
size_t dynamic_find_equal(const struct dynamic *l, const struct filter *f);

bool dynamic_is_expired(const struct dynamic_entry *e, uint64_t now_ns);
/* Earliest deadline, 0 = none. */
uint64_t dynamic_next_deadline(const struct dynamic *l);
/* Appends e, or puts it in the place of the one with its id; both layers share it then. */
_must_check_ int dynamic_put(struct dynamic *l, struct dynamic_entry *e);

/* What makes `after` of `before`, if it is little. */
enum { DELTA_MAX = 16 };
struct dynamic_delta {
    unsigned n_added, n_deleted, n_replaced;
    size_t added;              /* index in after, if n_added */
    size_t deleted[DELTA_MAX]; /* ascending indices in before */
    struct {
        size_t before, after;
    } replaced[DELTA_MAX]; /* the same id, another deadline or reason */
};
/* False: it is more than one added, or DELTA_MAX deleted or replaced. */
bool dynamic_difference(const struct dynamic *before, const struct dynamic *after,
                        struct dynamic_delta *ret);
/* Both return how many went. */
size_t dynamic_drop_expired(struct dynamic *l, uint64_t now_ns);
size_t dynamic_drop_permits(struct dynamic *l); /* what only permits; negotiate stays */
