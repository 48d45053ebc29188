/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Equal filters of a dynamic layer by their print, for a batch, which would else compare each of
 * its filters with all. The layer alone says what is there: the index may hold filters that are
 * gone, and finds none of them. */
#pragma once
#include "dynamic.h"

struct dynamic_index;
/* Of the filters of l, with room for n_more. */
_must_check_ int dynamic_index_new(const struct dynamic *l, size_t n_more,
                                   struct dynamic_index **ret);
struct dynamic_index *dynamic_index_free(struct dynamic_index *x);
/* After dynamic_add(); no more often than there is room for. */
void dynamic_index_add(struct dynamic_index *x, const struct dynamic *l, const struct filter *f);
/* No room for another one: it is to be made anew. */
bool dynamic_index_is_full(const struct dynamic_index *x);
/* As dynamic_find_equal(), which is asked if x is NULL. */
size_t dynamic_index_find(const struct dynamic_index *x, const struct dynamic *l,
                          const struct filter *f);
