/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between rules.c and boxindex.c: finding the parts that overlap a box. Private to compile. */
#pragma once
#include "analysis.h"
#include "derive.h"

struct box_index;
/* parts: borrowed, in their final order. */
_must_check_ int box_index_new(const struct part *parts, size_t n, struct box_index **ret);
struct box_index *box_index_free(struct box_index *x);
