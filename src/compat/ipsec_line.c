/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_line.c: words of one line of a script. Called by -file and by the reader of
 * ipseccmd scripts. Invariant: a word is exactly what the program would have been given; a line
 * that needs a shell is refused and not guessed at. */
#include "ipsec_line.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"

enum { LINE_BYTES = 64 * 1024, LIMIT_WORDS = 16384 };

void line_words_done(struct line_words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
    *w = (struct line_words){0};
}

struct line {
    const char *s;
    size_t n, i;
    struct diag *d;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

static int fail_line(const struct line *l, size_t at, size_t n, const char *message,
                     const char *hint)
{
    struct span span = {1, (uint32_t)at + 1, (uint32_t)n, (uint32_t)at};
    int err = diag_fail_at(l->d, DIAG_USAGE, span, "%s", message);
    diag_hint(l->d, "%s", hint);
    return err;
}

static bool begins_with(const struct line *l, const char *word)
{
    size_t n = strlen(word);
    if (l->n - l->i < n || strncasecmp(l->s + l->i, word, n) != 0)
        return false;
    return l->i + n == l->n || is_blank(l->s[l->i + n]);
}

static bool is_comment(const struct line *l)
{
    char c = l->i < l->n ? l->s[l->i] : '#';
    return c == '#' || c == ':' || begins_with(l, "rem") || begins_with(l, "@rem") ||
           begins_with(l, "@echo") || begins_with(l, "echo") || begins_with(l, "setlocal") ||
           begins_with(l, "@setlocal");
}

/* A percent sign of a batch file: %% is one, anything else a variable. */
static int take_percent(struct line *l, struct strbuf *word)
{
    if (l->i + 1 < l->n && l->s[l->i + 1] == '%') {
        l->i += 2;
        return strbuf_add_char(word, '%');
    }
    const char *end = memchr(l->s + l->i + 1, '%', l->n - l->i - 1);
    size_t n = end ? (size_t)(end - l->s) - l->i + 1 : 1;
    return fail_line(l, l->i, n, "a variable has no value here", "write its value; %% is one %");
}

/* Two before a quote are one, and a single one makes the quote part of the word; elsewhere they
 * are what they are. */
static int take_backslashes(struct line *l, struct strbuf *word)
{
    size_t n = 0;
    while (l->i + n < l->n && l->s[l->i + n] == '\\')
        n++;
    bool quote = l->i + n < l->n && l->s[l->i + n] == '"';
    l->i += n;
    for (size_t i = 0; i < (quote ? n / 2 : n); i++)
        (void)strbuf_add_char(word, '\\'); /* errors are sticky */
    if (quote && n % 2 == 1) {
        (void)strbuf_add_char(word, '"');
        l->i++;
    }
    return word->error;
}

/* Output that is thrown away: > nul, 2>&1. */
static size_t redirection(const struct line *l)
{
    static const char *const forms[] = {"2>&1", "1>&2", ">nul", "1>nul", "2>nul", ">>nul"};
    size_t best = 0;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        size_t k = l->i;
        const char *f = forms[i];
        for (; *f && k < l->n; f++) {
            while (f[-(f != forms[i])] == '>' && k < l->n && is_blank(l->s[k]))
                k++;
            if (k == l->n || strncasecmp(l->s + k, f, 1) != 0)
                break;
            k++;
        }
        if (!*f && (k == l->n || is_blank(l->s[k])) && k - l->i > best)
            best = k - l->i;
    }
    return best;
}

static int take_quoted(struct line *l, struct strbuf *word)
{
    size_t from = l->i++;
    while (l->i < l->n && l->s[l->i] != '"') {
        int err;
        if (l->s[l->i] == '%')
            err = take_percent(l, word);
        else if (l->s[l->i] == '\\')
            err = take_backslashes(l, word);
        else
            err = strbuf_add_char(word, l->s[l->i++]);
        if (err < 0)
            return err;
    }
    if (l->i == l->n)
        return fail_line(l, from, 1, "unbalanced quotes", "close the quote at the end of the name");
    l->i++;
    /* "NAME"-x: a name, and a switch that lost its blank. */
    if (l->i < l->n && l->s[l->i] == '-')
        return fail_line(l, l->i, 2, "a switch is glued to a name", "put a blank between them");
    return 0;
}

static int take_word(struct line *l, struct line_words *ret)
{
    _cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT(LINE_BYTES);
    while (l->i < l->n && !is_blank(l->s[l->i])) {
        char c = l->s[l->i];
        int err;
        if (c == '"')
            err = take_quoted(l, &word);
        else if (c == '%')
            err = take_percent(l, &word);
        else if (strchr("|<>&^", c))
            err = fail_line(l, l->i, 1, "only a shell understands this line",
                            "portward compat --batch reads whole batch files");
        else
            err = strbuf_add_char(&word, l->s[l->i++]);
        if (err < 0)
            return err;
    }
    if (ret->n == LIMIT_WORDS)
        return diag_fail(l->d, DIAG_LIMIT, "more than %d words in one line", LIMIT_WORDS);
    int err = array_reserve(&ret->v, &ret->cap, ret->n + 2, sizeof(*ret->v));
    if (err < 0)
        return err;
    ret->v[ret->n] = strbuf_take(&word);
    if (!ret->v[ret->n])
        return -ENOMEM;
    ret->v[++ret->n] = NULL;
    return 0;
}

int line_split(const char *line, size_t len, struct diag *d, struct line_words *ret)
{
    struct line l = {line, len, 0, d};
    if (len > LINE_BYTES || memchr(line, '\0', len))
        return diag_fail(d, DIAG_USAGE,
                         len > LINE_BYTES ? "line is longer than %d bytes"
                                          : "line has a byte 0 (%d bytes at most)",
                         LINE_BYTES);
    while (l.i < l.n && is_blank(l.s[l.i]))
        l.i++;
    if (is_comment(&l))
        return 0;
    while (l.i < l.n) {
        size_t skip = redirection(&l);
        int err = skip > 0 ? 0 : take_word(&l, ret);
        if (err < 0)
            return err;
        l.i += skip;
        while (l.i < l.n && is_blank(l.s[l.i]))
            l.i++;
    }
    return 0;
}
