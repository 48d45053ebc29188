/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_token.c: lines into words (windows.md 6).
 * Called by netsh.c for the shell's arguments and by netsh_script.c for the lines of a file.
 * Invariant: a word keeps the place where it was written, so that every later refusal can point at
 * it, and nothing that was typed is lost. */
#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "netsh.h"

static void clear_words(struct netsh_line *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].s);
    l->n = 0;
}

void netsh_line_done(struct netsh_line *l)
{
    clear_words(l);
    free(l->v);
    *l = (struct netsh_line){0};
}

static int add_word(struct netsh_line *l, const struct netsh_word *w, const char *s)
{
    int r = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    char *copy = r < 0 ? NULL : strdup(s);
    if (!copy)
        return -ENOMEM;
    l->v[l->n] = *w;
    l->v[l->n++].s = copy;
    return 0;
}

/* Length of the typographic quote at s, 0 if none stands there: U+201C to U+201E. */
static size_t typographic(const char *s, size_t n)
{
    bool is = n >= 3 && (uint8_t)s[0] == 0xe2 && (uint8_t)s[1] == 0x80 && (uint8_t)s[2] >= 0x9c &&
              (uint8_t)s[2] <= 0x9e;
    return is ? 3 : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A word while it is read. */
struct reading {
    const char *text;
    size_t len, pos;
    struct strbuf out;
    bool in_quotes, any_quotes, repaired, ends_quoted;
};

/* Takes one character of the word, or the quote that stands there. */
static void take_character(struct reading *r)
{
    size_t fancy = typographic(r->text + r->pos, r->len - r->pos);
    bool plain = r->text[r->pos] == '"';
    r->ends_quoted = false;
    if (plain || fancy > 0) {
        r->in_quotes = !r->in_quotes;
        r->any_quotes = true;
        r->repaired = r->repaired || fancy > 0;
        r->ends_quoted = !r->in_quotes;
        r->pos += plain ? 1 : fancy;
        return;
    }
    (void)strbuf_add_char(&r->out, r->text[r->pos]); /* sticky */
    r->pos++;
}

static int split_word(struct netsh *n, struct reading *r, struct diag *d)
{
    size_t at = r->pos;
    bool quoted = r->text[at] == '"' || typographic(r->text + at, r->len - at) > 0;
    r->in_quotes = r->any_quotes = r->repaired = false;
    while (r->pos < r->len && (r->in_quotes || !is_blank(r->text[r->pos])))
        take_character(r);
    struct netsh_word w = {
        .at = at,
        .len = r->pos - at,
        .exact = !r->any_quotes,
        .quoted = quoted,
        .ends_quoted = r->ends_quoted,
    };
    if (r->out.error < 0)
        return r->out.error;
    int err = add_word(&n->line, &w, r->out.s ? r->out.s : "");
    if (err < 0)
        return err;
    if (utf8_has_control(n->line.v[n->line.n - 1].s, strlen(n->line.v[n->line.n - 1].s)))
        return netsh_fail_word(n, d, NETSH_SYNTAX, n->line.n - 1, "control character in the text");
    if (r->in_quotes) {
        err = netsh_fail_word(n, d, NETSH_SYNTAX, n->line.n - 1, "quote without end");
        diag_hint(d, "close it with \"");
        return err;
    }
    return r->repaired ? tool_remark(n->t, NOTE_REPAIR, d, "read typographic quotes as \"") : 0;
}

int netsh_split(struct netsh *n, const char *text, size_t len, struct diag *d)
{
    struct reading r = {.text = text, .len = len, .out = STRBUF_INIT(len + 1)};
    int err = 0;
    clear_words(&n->line);
    n->line.text = text;
    n->line.len = len;
    while (err == 0) {
        while (r.pos < len && is_blank(text[r.pos]))
            r.pos++;
        if (r.pos == len)
            break;
        strbuf_done(&r.out);
        r.out = (struct strbuf)STRBUF_INIT(len + 1);
        err = split_word(n, &r, d);
    }
    strbuf_done(&r.out);
    return err;
}

/* Typographic quotes round a whole argument, or round its value, were copied from a page. */
static int unquote_argument(struct netsh *n, const char *s, struct diag *d, char **ret)
{
    size_t len = strlen(s);
    const char *eq = strchr(s, '=');
    size_t from =
        eq && typographic(eq + 1, len - (size_t)(eq + 1 - s)) > 0 ? (size_t)(eq + 1 - s) : 0;
    size_t first = typographic(s + from, len - from);
    size_t last = len >= from + first + 3 ? typographic(s + len - 3, 3) : 0;
    *ret = strdup(s);
    if (!*ret)
        return -ENOMEM;
    if (first == 0 || last == 0)
        return 0;
    memmove(*ret + from, s + from + first, len - from - first - last);
    (*ret)[len - first - last] = '\0';
    return tool_remark(n->t, NOTE_REPAIR, d, "removed typographic quotes around '%s'", *ret + from);
}

int netsh_take_words(struct netsh *n, int argc, char *const *argv, struct diag *d)
{
    clear_words(&n->line);
    n->line.text = NULL;
    for (int i = 0; i < argc; i++) {
        _cleanup_free_ char *s = NULL;
        int err = unquote_argument(n, argv[i], d, &s);
        if (err < 0)
            return err;
        struct netsh_word w = {.len = strlen(s), .exact = true};
        err = add_word(&n->line, &w, s);
        if (err < 0)
            return err;
        if (utf8_has_control(s, strlen(s)))
            return netsh_fail_word(n, d, NETSH_SYNTAX, (size_t)i,
                                   "control character in the text, or no UTF-8");
    }
    return 0;
}
