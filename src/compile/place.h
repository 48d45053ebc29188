/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One entry in a finished image, for changes in place. Private to src/compile: patch.c says which
 * entries come and go, place.c where they lie. All fail with -EAGAIN where only a new image can
 * help. */
#pragma once
#include "build.h"
#include "compile/patch.h"

enum { WORD = sizeof(uint64_t), WORDS_PER_LINE = IMG_LINE_BYTES / WORD };

/* One entry, what it was made of, and where its chain begins. */
struct spot {
    struct entry e;
    struct item it;
    unsigned fam;
    uint64_t hash;
    uint32_t print;
};

/* Words that are stored and not yet in the image: what is read must be what will be there. */
struct pending {
    uint32_t word; /* + 1, 0 = free */
    uint32_t at;   /* of the last store, in image_patch.v */
};
enum { PENDING = 2 * PATCH_STORES };

struct image_patcher {
    const struct image *img;
    struct image_patch *out;
    struct build b; /* expands filters; the rest of it is not used */
    struct effective e;
    struct spot *spots;
    size_t n_spots, cap_spots;
    int64_t n_entries;
    struct pending pending[PENDING];
};

/* patch_words.c. What does not change with a patch: */
const void *patch_line(const struct image_patcher *p, uint32_t line);
const struct img_header *patch_header(const struct image_patcher *p);
uint32_t patch_family_line(unsigned fam);
const struct img_family *patch_family(const struct image_patcher *p, unsigned fam);
const struct img_port *patch_ports(const struct image_patcher *p, bool destination);
/* A word as it will be, and a store. */
uint64_t patch_word(const struct image_patcher *p, uint32_t word);
_must_check_ int patch_store(struct image_patcher *p, uint32_t word, uint64_t value);
/* Words [first, first + n) of a part that begins at word `at` of the image: stores what differs. */
_must_check_ int patch_put(struct image_patcher *p, uint32_t at, const void *part, uint32_t first,
                           uint32_t n);
/* n words from `at` on, as they will be after the stores. */
void patch_get(const struct image_patcher *p, uint32_t at, void *part, uint32_t n);
/* Forgets the stores: those of p->out have been taken over. */
void patch_forget(struct image_patcher *p);
/* patch_bits.c */
_must_check_ int patch_set_pruning(struct image_patcher *p, const struct spot *s);
/* place.c. A range may be several intervals: the spot is that of the first one. */
_must_check_ int spot_make(const struct image_patcher *p, const struct item *it, struct spot *ret);
/* Is the item one entry? Copies count against a limit of the whole policy. */
bool spot_is_single(const struct image_patcher *p, const struct item *it);
/* The slot in which the entry is now. */
_must_check_ int spot_find(const struct image_patcher *p, const struct spot *s, uint32_t *ret_slot);
/* Its rank among equal weights. */
uint32_t spot_order(const struct image_patcher *p, const struct spot *s, uint32_t slot);
_must_check_ int spot_add(struct image_patcher *p, struct spot *s);
/* losers: an entry that others cover has no slot. */
/* A lookup in the image, after the stores, finds it. */
bool spot_is_found(const struct image *img, const struct spot *s);
_must_check_ int spot_delete(struct image_patcher *p, const struct spot *s, bool losers);
