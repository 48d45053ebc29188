/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of single filters in an image that is in force (datapath.md 6): which words of it have
 * to be stored, in which order. Pure: reads the image, storing is the datapath's business. Called
 * by the agent for changes of the dynamic layer. The work is that of the filters that come and go,
 * however many others there are.
 *
 * Between any two of the stores, and in the middle of one, a packet gets the verdict of before or
 * the verdict of after: a slot has its rule and key before its action, is complete before a
 * pruning word leads to it, and is not reused for another key once it was deleted, because a
 * lookup under way may hold half of it. */
#pragma once
#include "compile/compile.h"
#include "model/effective.h"

enum {
    PATCH_DELETIONS = 16, /* of one change */
    PATCH_NEIGHBOURS = 8, /* on each side */
    PATCH_STORES = 2048,  /* more are no small change */
};

struct image_store {
    uint32_t word; /* index of a 64-bit word of the image */
    uint64_t value, before;
};
struct image_patch {
    struct image_store *v; /* in the order in which they must become visible, owned */
    size_t n, cap;
    uint64_t generation; /* the last store makes it the image's */
    uint64_t before;     /* generation of the image that was patched */
    struct spot *added;  /* where the new entries are, owned; for image_patch_holds() */
    size_t n_added;
};
void image_patch_done(struct image_patch *p);

/* From the filters that an image enforces to those that it shall, with the same settings and the
 * same host. Filters are borrowed. */
struct image_change {
    const struct host *host;
    struct effective_filter added; /* if adds */
    bool adds;
    bool armed; /* effective_is_armed() of the result */
    unsigned n_deleted, n_below, n_above;
    struct effective_filter deleted[PATCH_DELETIONS];
    /* Filters before and after, next to `added` by layer and GUID, the nearest first: it is
     * numbered between them. One without a slot is passed over. */
    struct effective_filter below[PATCH_NEIGHBOURS], above[PATCH_NEIGHBOURS];
    /* All filters before the change, if a deletion may have to bring back some that the build left
     * out (compile_stats.n_shadowed); NULL = it cannot. They are looked at one by one. */
    const struct effective *shadows;
    uint64_t generation;
};

/* What patches are computed with; kept from one to the next. */
struct image_patcher;
_must_check_ int image_patcher_new(struct image_patcher **ret);
struct image_patcher *image_patcher_free(struct image_patcher *p);
void image_patcher_freep(struct image_patcher **p);

/* 0: *ret holds the stores. -EAGAIN: this change needs a new image (no group of this shape, no such
 * port interval, no room in a chain, ...). -ENOMEM. */
_must_check_ int image_patch(struct image_patcher *p, const struct image *img,
                             const struct image_change *c, struct image_patch *ret);
/* After the stores: a lookup finds every entry that came. */
bool image_patch_holds(const struct image *img, const struct image_patch *p);

/* --- changes from whole lists of filters --- */
struct image_lists {
    const struct effective *before, *after;
    const size_t *added, *deleted; /* indices into after->v and before->v */
    size_t n_added, n_deleted;     /* n_added <= 1 */
    bool losers;                   /* compile_stats.n_shadowed != 0 */
    uint64_t generation;
};
/* The change that they are; looks at all filters. -EAGAIN: it needs a new image. */
_must_check_ int image_change_of(const struct image_lists *l, struct image_change *ret);
/* Fills c->below and c->above with the filters of e next to c->added. -EAGAIN: one of them has the
 * same layer and GUID. */
_must_check_ int image_neighbours(const struct effective *e, struct image_change *c);
/* Filters with every port item counted, as the limit counts them (policy.md 9). */
uint64_t image_port_items(const struct filter *f);
