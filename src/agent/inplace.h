/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stores in the image in force, for both ways to them: quick.c, which knows what changed, and
 * inplace.c itself, which compares. Invariant: after a failure the image is what it was. */
#pragma once
#include "compile/patch.h"
#include "selftest_near.h"

struct agent;
/* Computes the stores on the image in force. -EAGAIN, -EBUSY, -ESTALE: it needs a new image. */
_must_check_ int inplace_compute(struct agent *a, const struct image_change *c,
                                 struct image_patch *ret);

/* What the program is asked about when the stores were made. */
struct inplace_test {
    const struct effective *e; /* settings and host */
    struct near *near;         /* the filters in force then */
    unsigned n;
    const struct filter *filter[PATCH_DELETIONS + 1]; /* whose corners are asked for */
};
_must_check_ int inplace_store(struct agent *a, const struct image_patch *p,
                               const struct inplace_test *t);
