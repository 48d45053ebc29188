/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of diff-convert: random policies for the round trips through foreign forms.
 */
#pragma once
#include "compat/convert.h"
#include "testlib/gen.h"

/* A random policy in a catalog of its own. g: packets are drawn from it, and it has the settings
 * and the host that both sides are judged with. */
struct convert_case {
    struct host host;
    struct gen_policy *g;
    struct catalog catalog;
    struct policy *policy; /* of the catalog */
};
/* plain: only what windows.md says that the form can express, so that nothing may get lost. */
_must_check_ int convert_case_new(struct rng *r, enum convert_format form, bool plain,
                                  struct convert_case *ret);
void convert_case_done(struct convert_case *c);
