/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/diag_render.c: a diagnostic as text with the line and a caret (cli.md 5).
 * Called by the front ends. Invariants: no byte from outside reaches the terminal unescaped;
 * work and output are bounded by the window below, however long the line is; the caret stands
 * under the first byte of its place whatever tabs and wide characters come before. */
#include <string.h>

#include "base/diag.h"
#include "base/strbuf.h"
#include "base/utf8.h"

enum {
    LINE_MAX_BYTES = 200, /* longer lines are cut around the place */
    LEFT_BYTES = 80,      /* kept before the place when cut */
    RIGHT_BYTES = 80,     /* kept behind its beginning when cut */
    INDENT_COLUMNS = 4,   /* of the source line below the message */
};
static const char ellipsis[] = "...";

/* The part of a line that is shown: text[first .. end), with marks where it was cut. */
struct window {
    size_t first, end;
    bool cut_left, cut_right;
};

/* Moves i forward out of the middle of a character. */
static size_t to_boundary(const char *text, size_t i, size_t end)
{
    for (int k = 0; k < 3 && i < end && ((unsigned char)text[i] & 0xc0) == 0x80; k++)
        i++;
    return i;
}

static struct window find_window(const char *text, size_t len, size_t at)
{
    struct window w = {.first = at, .end = at};
    size_t low = at > LINE_MAX_BYTES ? at - LINE_MAX_BYTES : 0;
    while (w.first > low && text[w.first - 1] != '\n')
        w.first--;
    w.cut_left = w.first > 0 && text[w.first - 1] != '\n';
    size_t high = len - at > LINE_MAX_BYTES ? at + LINE_MAX_BYTES : len;
    while (w.end < high && text[w.end] != '\n')
        w.end++;
    w.cut_right = w.end < len && text[w.end] != '\n';
    if (!w.cut_left && !w.cut_right && w.end - w.first <= LINE_MAX_BYTES) {
        if (w.end > w.first && text[w.end - 1] == '\r' && w.end - 1 > at)
            w.end--;
        return w;
    }
    if (at - w.first > LEFT_BYTES) {
        w.first = to_boundary(text, at - LEFT_BYTES, at);
        w.cut_left = true;
    }
    if (w.end - at > RIGHT_BYTES) {
        w.end = to_boundary(text, at + RIGHT_BYTES, w.end);
        w.cut_right = true;
    }
    return w;
}

/* The line itself; a tab stays a tab, everything else is escaped. */
static void add_line(const char *s, size_t n, struct strbuf *out)
{
    size_t done = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != '\t')
            continue;
        (void)strbuf_add_escaped(out, s + done, i - done); /* errors are sticky in out */
        if (i < n)
            (void)strbuf_add_char(out, '\t');
        done = i + 1;
    }
}

/* Below the line: fill for each column, tabs where the line has tabs. */
static void add_below(const char *s, size_t n, char fill, bool caret_first, struct strbuf *out)
{
    size_t done = 0;
    bool caret = caret_first;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != '\t')
            continue;
        unsigned width = utf8_width(s + done, i - done);
        for (unsigned k = 0; k < width; k++, caret = false)
            (void)strbuf_add_char(out, caret ? '^' : fill);
        if (i < n)
            (void)strbuf_add_char(out, caret ? '^' : '\t');
        caret = caret && i >= n;
        done = i + 1;
    }
    if (caret)
        (void)strbuf_add_char(out, '^');
}

static void add_place(const char *text, size_t text_len, struct span at, struct strbuf *out)
{
    size_t offset = at.offset < text_len ? at.offset : text_len;
    struct window w = find_window(text, text_len, offset);
    while (!w.cut_left && w.first < offset && (text[w.first] == ' ' || text[w.first] == '\t'))
        w.first++; /* the line's own indentation is replaced by ours */
    size_t span_end = w.end - offset > at.len ? offset + at.len : w.end;
    if (span_end < offset)
        span_end = offset;

    (void)strbuf_addf(out, "%*s%s", INDENT_COLUMNS, "", w.cut_left ? ellipsis : "");
    add_line(text + w.first, w.end - w.first, out);
    (void)strbuf_addf(out, "%s\n", w.cut_right ? ellipsis : "");
    (void)strbuf_addf(out, "%*s", INDENT_COLUMNS + (w.cut_left ? (int)strlen(ellipsis) : 0), "");
    add_below(text + w.first, offset - w.first, ' ', false, out);
    add_below(text + offset, span_end - offset, '~', true, out);
    (void)strbuf_add_char(out, '\n');
}

static void add_head(const char *file, const struct span *at, const char *kind, const char *message,
                     struct strbuf *out)
{
    if (file) {
        (void)strbuf_add_escaped(out, file, strlen(file));
        if (at)
            (void)strbuf_addf(out, ":%u:%u", at->line, at->column);
        (void)strbuf_addf(out, ": %s: ", kind);
    } else if (strcmp(kind, "error") == 0) {
        (void)strbuf_add(out, "portward: "); /* the command line's form */
    } else {
        (void)strbuf_addf(out, "%s: ", kind);
    }
    (void)strbuf_add_escaped(out, message, strlen(message));
    (void)strbuf_add_char(out, '\n');
}

int diag_render(const struct diag *d, const char *file, const char *text, size_t text_len,
                bool warning, struct strbuf *out)
{
    const char *kind = warning ? "warning" : "error";
    add_head(file, d->n_spans > 0 ? &d->span[0] : NULL, kind, d->message, out);
    for (unsigned i = 0; i < d->n_spans && text; i++) {
        if (i > 0)
            add_head(file, &d->span[i], "note", "the other place", out);
        add_place(text, text_len, d->span[i], out);
    }
    if (d->hint[0] != '\0') {
        (void)strbuf_add(out, "hint: ");
        (void)strbuf_add_escaped(out, d->hint, strlen(d->hint));
        (void)strbuf_add_char(out, '\n');
    }
    return out->error;
}
