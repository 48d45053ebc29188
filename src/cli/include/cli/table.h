/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables (cli.md 2): upper-case header, two blanks between columns, text to the left, numbers
 * to the right, widths in display columns, no blanks at the end of a line. Cells come from
 * outside: control characters are escaped on the way in. Like all of the CLI, running out of
 * memory ends the program with exit 1. */
#pragma once
#include <stdio.h>

#include "base/util.h"

enum cli_style { STYLE_PLAIN, STYLE_ID, STYLE_BLOCK, STYLE_PERMIT, STYLE_WARNING, _STYLE_MAX };

struct cli_column {
    const char *name;
    bool right; /* numbers */
};

struct cli_cell {
    char *text; /* escaped */
    unsigned width;
    enum cli_style style;
};

struct cli_table {
    const struct cli_column *columns;
    size_t n_columns;
    struct cli_cell *cells; /* row by row */
    size_t n_cells, cap_cells;
};

void cli_table_init(struct cli_table *t, const struct cli_column *columns, size_t n);
void cli_table_done(struct cli_table *t);
/* The next cell of the current row; NULL or "" shows as "-". */
void cli_table_add(struct cli_table *t, enum cli_style style, const char *text);
void cli_table_print(const struct cli_table *t, FILE *out, bool header, bool colour);

/* Begins and ends a style; nothing without colour. */
void cli_style_begin(FILE *out, enum cli_style style, bool colour);
void cli_style_end(FILE *out, enum cli_style style, bool colour);

/* Memory is gone: one line on stderr, exit 1. */
_Noreturn void cli_out_of_memory(void);
