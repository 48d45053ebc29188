/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/table.c: table layout and styles. Called by the verbs. A cell is escaped and measured
 * once, when it is added; styles are written around the text and therefore never count. */
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "cli/table.h"

enum { GAP = 2, CELL_BYTES_MAX = 1024 * 1024 };

_Noreturn void cli_out_of_memory(void)
{
    (void)fputs("portward: out of memory\n", stderr); /* nothing else can be done */
    exit(1);
}

void cli_table_init(struct cli_table *t, const struct cli_column *columns, size_t n)
{
    *t = (struct cli_table){.columns = columns, .n_columns = n};
}

void cli_table_done(struct cli_table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct cli_table){0};
}

void cli_table_add(struct cli_table *t, enum cli_style style, const char *text)
{
    struct strbuf b = STRBUF_INIT(CELL_BYTES_MAX);
    struct cli_cell *cell;

    if (!text || !*text)
        text = "-";
    if (array_reserve(&t->cells, &t->cap_cells, t->n_cells + 1, sizeof(*t->cells)) < 0)
        cli_out_of_memory();
    (void)strbuf_add_escaped(&b, text, strlen(text)); /* the error is sticky: take gives NULL */
    cell = &t->cells[t->n_cells];
    cell->text = strbuf_take(&b);
    if (!cell->text) {
        strbuf_done(&b);
        cli_out_of_memory();
    }
    cell->width = utf8_width(cell->text, strlen(cell->text));
    cell->style = style;
    t->n_cells++;
}

static const char *const style_codes[_STYLE_MAX] = {
    [STYLE_PLAIN] = "",          [STYLE_ID] = "\033[1m",       [STYLE_BLOCK] = "\033[31m",
    [STYLE_PERMIT] = "\033[32m", [STYLE_WARNING] = "\033[33m",
};

void cli_style_begin(FILE *out, enum cli_style style, bool colour)
{
    if (colour)
        (void)fputs(style_codes[style], out);
}

void cli_style_end(FILE *out, enum cli_style style, bool colour)
{
    if (colour && style != STYLE_PLAIN)
        (void)fputs("\033[0m", out);
}

/* Where a cell stands. */
struct place {
    unsigned width; /* of the column */
    bool right, last;
};

static void put_cell(const char *text, unsigned text_width, enum cli_style style,
                     const struct place *at, FILE *out, bool colour)
{
    unsigned pad = at->width > text_width ? at->width - text_width : 0;

    if (at->right)
        (void)fprintf(out, "%*s", (int)pad, "");
    cli_style_begin(out, style, colour);
    (void)fputs(text, out); /* errors of the stream are looked at once, at the end */
    cli_style_end(out, style, colour);
    if (at->last)
        (void)fputc('\n', out);
    else
        (void)fprintf(out, "%*s", (int)(at->right ? GAP : pad + GAP), "");
}

static struct place place_of(const struct cli_table *t, const unsigned *width, size_t column)
{
    return (struct place){.width = width[column],
                          .right = t->columns[column].right,
                          .last = column + 1 == t->n_columns};
}

void cli_table_print(const struct cli_table *t, FILE *out, bool header, bool colour)
{
    unsigned *width = calloc(t->n_columns, sizeof(*width));

    if (!width)
        cli_out_of_memory();
    for (size_t c = 0; c < t->n_columns && header; c++)
        width[c] = (unsigned)strlen(t->columns[c].name);
    for (size_t i = 0; i < t->n_cells; i++)
        if (t->cells[i].width > width[i % t->n_columns])
            width[i % t->n_columns] = t->cells[i].width;
    for (size_t c = 0; c < t->n_columns && header; c++) {
        struct place at = place_of(t, width, c);

        put_cell(t->columns[c].name, (unsigned)strlen(t->columns[c].name), STYLE_PLAIN, &at, out,
                 colour);
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        struct place at = place_of(t, width, i % t->n_columns);

        put_cell(t->cells[i].text, t->cells[i].width, t->cells[i].style, &at, out, colour);
    }
    free(width);
}
