/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_file.c: `ipseccmd -file F`: commands of a file, one a line, with or without the name
 * of the tool. Called by the tool. Invariant: all lines or none; a file runs no other file. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ipsec_internal.h"
#include "ipsec_line.h"

enum { FILE_BYTES = 16 * 1024 * 1024 };

static int name_line(const char *file, size_t number, struct diag *d, int err)
{
    if (err == -ENOMEM)
        return err;
    struct diag why = *d;
    err = diag_fail(d, why.code, "%s:%zu: %s", file, number, why.message);
    diag_hint(d, "%s", why.hint);
    return err;
}

static int run_words(struct tool_run *t, struct line_words *w, struct diag *d)
{
    const struct tool_entry *tool = w->n > 0 ? tool_find(w->v[0]) : NULL;
    size_t from = tool && tool->run == tool_ipsec ? 1 : 0;
    return w->n > from ? ipsec_run_command(t, (int)(w->n - from), w->v + from, d) : 0;
}

int ipsec_run_file(struct tool_run *t, const char *name, struct diag *d)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0, number = 0;
    if (!t->host || !t->host->read_file)
        return diag_fail(d, DIAG_USAGE, "'%s' cannot be read here", name);
    int err = t->host->read_file(t->host->ctx, name, FILE_BYTES, d, &text, &len);
    t->from_file = true;
    for (size_t from = 0; err == 0 && from < len;) {
        _cleanup_(line_words_done) struct line_words words = {0};
        const char *end = memchr(text + from, '\n', len - from);
        size_t n = end ? (size_t)(end - text) - from : len - from;
        number++;
        err = line_split(text + from, n, d, &words);
        if (err == 0)
            err = run_words(t, &words, d);
        if (err < 0) {
            t->word = NULL; /* it belonged to the line */
            return name_line(name, number, d, err);
        }
        from += n + 1;
    }
    return err;
}
