/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table like cli/table.h for lists of a hundred thousand rows: cells go one behind the other into
 * one text, so that a cell costs no allocation, and all is laid out at the end. No styles. */
#pragma once
#include <stdio.h>

#include "base/util.h"

enum { LISTING_COLUMNS_MAX = 12 };
struct cli_listing {
    const char *names[LISTING_COLUMNS_MAX];
    unsigned n_columns;
    /* private */
    unsigned width[LISTING_COLUMNS_MAX];
    unsigned column; /* of the next cell */
    char *text;      /* owned */
    size_t len, cap;
    struct listing_cell *cells; /* owned */
    size_t n_cells, cap_cells;
};
void cli_listing_done(struct cli_listing *l);
/* The next cell of the current row: escaped, "" shows as "-". */
void cli_listing_add(struct cli_listing *l, const char *text, size_t n);
void cli_listing_print(const struct cli_listing *l, FILE *out, bool header);
