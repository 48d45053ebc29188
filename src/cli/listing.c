/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/listing.c: see cli/listing.h. Called by `portward sockets`. */
#include "cli/listing.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "cli/table.h"

enum { GAP = 2, CELL_MAX = 64 * 1024, OUT_BYTES = 64 * 1024 };

struct listing_cell {
    uint32_t len, width;
};

void cli_listing_done(struct cli_listing *l)
{
    free(l->text);
    free(l->cells);
    *l = (struct cli_listing){0};
}

static bool is_plain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < ' ' || s[i] > '~')
            return false;
    return true;
}

static void append(struct cli_listing *l, const char *s, size_t n, unsigned width)
{
    if (array_reserve(&l->text, &l->cap, l->len + n, 1) < 0 ||
        array_reserve(&l->cells, &l->cap_cells, l->n_cells + 1, sizeof(*l->cells)) < 0)
        cli_out_of_memory();
    memcpy(l->text + l->len, s, n);
    l->len += n;
    l->cells[l->n_cells++] = (struct listing_cell){(uint32_t)n, width};
    if (width > l->width[l->column])
        l->width[l->column] = width;
    l->column = l->column + 1 == l->n_columns ? 0 : l->column + 1;
}

void cli_listing_add(struct cli_listing *l, const char *text, size_t n)
{
    if (n == 0) {
        append(l, "-", 1, 1);
        return;
    }
    if (is_plain(text, n)) {
        append(l, text, n, (unsigned)n);
        return;
    }
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(CELL_MAX);
    (void)strbuf_add_escaped(&b, text, n); /* cut if it is longer than any name */
    append(l, b.s ? b.s : "-", b.len, utf8_width(text, n));
}

/* Lines are put together here: a call of stdio for each cell costs more than all the rest. */
struct writer {
    FILE *out;
    size_t n;
    char v[OUT_BYTES];
};

static void flush(struct writer *w)
{
    (void)fwrite(w->v, 1, w->n, w->out); /* errors of the stream are looked at at the end */
    w->n = 0;
}

static void put(struct writer *w, const char *s, size_t n)
{
    if (w->n + n > sizeof(w->v))
        flush(w);
    if (n > sizeof(w->v)) {
        (void)fwrite(s, 1, n, w->out); /* see flush() */
        return;
    }
    memcpy(w->v + w->n, s, n);
    w->n += n;
}

static void put_blanks(struct writer *w, unsigned n)
{
    static const char blanks[] = "                                                                ";

    for (unsigned part; n; n -= part) {
        part = n < sizeof(blanks) - 1 ? n : (unsigned)sizeof(blanks) - 1;
        put(w, blanks, part);
    }
}

static void put_cell(struct writer *w, const char *s, struct listing_cell cell, unsigned width,
                     bool last)
{
    put(w, s, cell.len);
    if (last)
        put(w, "\n", 1);
    else
        put_blanks(w, (width > cell.width ? width - cell.width : 0) + GAP);
}

void cli_listing_print(const struct cli_listing *l, FILE *out, bool header)
{
    _cleanup_free_ struct writer *w = calloc(1, sizeof(*w));
    unsigned width[LISTING_COLUMNS_MAX];
    const char *at = l->text;

    if (!w)
        cli_out_of_memory();
    w->out = out;
    for (unsigned c = 0; c < l->n_columns; c++) {
        size_t n = header ? strlen(l->names[c]) : 0;

        width[c] = n > l->width[c] ? (unsigned)n : l->width[c];
    }
    for (unsigned c = 0; header && c < l->n_columns; c++) {
        uint32_t n = (uint32_t)strlen(l->names[c]);

        put_cell(w, l->names[c], (struct listing_cell){n, n}, width[c], c + 1 == l->n_columns);
    }
    for (size_t i = 0, c = 0; i < l->n_cells; i++) {
        put_cell(w, at, l->cells[i], width[c], c + 1 == l->n_columns);
        at += l->cells[i].len;
        c = c + 1 == l->n_columns ? 0 : c + 1;
    }
    flush(w);
}
