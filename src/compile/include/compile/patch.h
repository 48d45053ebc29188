/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of single filters in an image that is in force (datapath.md 6): which words of it have
 * to be stored, in which order. Pure: works on a private copy of the image; storing is the
 * datapath's business. Called by the agent for changes of the dynamic layer.
 *
 * Between any two of the stores, and in the middle of one, a packet gets the verdict of before or
 * the verdict of after: a slot has its rule and key before its action, is complete before a
 * pruning word leads to it, and is not reused for another key once it was deleted, because a
 * lookup under way may hold half of it. */
#pragma once
#include "compile/compile.h"

struct image_store {
    uint32_t word; /* index of a 64-bit word of the image */
    uint64_t value, before;
};
struct image_patch {
    struct image_store *v; /* in the order in which they must become visible, owned */
    size_t n, cap;
    uint64_t generation; /* the last store makes it the image's */
    uint64_t before;     /* generation of the image that was patched */
};
void image_patch_done(struct image_patch *p);

struct image_change {
    const struct effective *before; /* what the image enforces */
    const struct effective *after;  /* what it shall; same settings, host and policies */
    const size_t *added, *deleted;  /* indices into after->v and before->v */
    size_t n_added, n_deleted;      /* n_added <= 1 */
    bool losers; /* compile_stats.n_shadowed != 0: the image lacks entries that a deletion may have
                    to bring back */
    uint64_t generation;
};
/* 0: *ret holds the stores, and copy is the image after them, in which every new entry was found
 * and every deleted one was not. -EAGAIN: this change needs a new image (no group of this shape,
 * no such port interval, no room in a chain, ...); copy is then of no use. -ENOMEM. */
_must_check_ int image_patch(struct image *copy, const struct image_change *c,
                             struct image_patch *ret);
