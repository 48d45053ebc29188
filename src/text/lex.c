/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/lex.c: the lexer. A word is whatever stands between blanks, braces, quotes and `#`;
 * which words mean what is the parsers' business. Called by parser.c alone. Invariants: every
 * call moves forward or returns TOKEN_END, each byte is looked at once, and text inside tokens
 * is valid UTF-8 without control characters. */
#include "lex.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

struct span span_part(struct span whole, size_t from, size_t len)
{
    whole.column += (uint32_t)from;
    whole.offset += (uint32_t)from;
    whole.len = len > 0 ? (uint32_t)len : 1;
    return whole;
}

static struct span span_at(const struct lexer *lx, size_t pos, size_t len)
{
    return (struct span){.line = lx->line,
                         .column = (uint32_t)(pos - lx->line_start) + 1,
                         .len = len > 0 ? (uint32_t)len : 1,
                         .offset = (uint32_t)pos};
}

void lex_init(struct lexer *lx, const char *text, size_t len)
{
    *lx = (struct lexer){.text = text, .end = len, .line = 1, .fresh_line = true};
    /* Editors of some systems put a byte order mark before the text. */
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        lx->pos = 3;
    lx->behind = span_at(lx, lx->pos, 1);
}

/* What the character is outside strings and comments, if it only looks like one of ours. */
static enum lex_error lookalike(uint32_t cp)
{
    static const struct {
        uint32_t first, last;
        enum lex_error error;
    } ranges[] = {
        {0x00a0, 0x00a0, LEX_BLANK}, {0x00ab, 0x00ab, LEX_QUOTE}, {0x00bb, 0x00bb, LEX_QUOTE},
        {0x1680, 0x1680, LEX_BLANK}, {0x2000, 0x200b, LEX_BLANK}, {0x2010, 0x2015, LEX_DASH},
        {0x2018, 0x201f, LEX_QUOTE}, {0x2028, 0x2029, LEX_BLANK}, {0x202f, 0x202f, LEX_BLANK},
        {0x205f, 0x205f, LEX_BLANK}, {0x2212, 0x2212, LEX_DASH},  {0x3000, 0x3000, LEX_BLANK},
        {0xfeff, 0xfeff, LEX_BLANK}, {0xff02, 0xff02, LEX_QUOTE}, {0xff0d, 0xff0d, LEX_DASH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        if (cp >= ranges[i].first && cp <= ranges[i].last)
            return ranges[i].error;
    return LEX_OK;
}

/* Length in bytes of the character at pos. *ret_error says why it may not stand in any text of
 * ours, LEX_OK if it may. */
static size_t look(const struct lexer *lx, size_t pos, uint32_t *ret_cp, enum lex_error *ret_error)
{
    unsigned char c = (unsigned char)lx->text[pos];
    *ret_error = LEX_OK;
    *ret_cp = c;
    if (c < 0x80) {
        if (c == '\0')
            *ret_error = LEX_NUL;
        else if (c == '\r')
            *ret_error = pos + 1 < lx->end && lx->text[pos + 1] == '\n' ? LEX_OK : LEX_CONTROL;
        else if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
            *ret_error = LEX_CONTROL;
        return 1;
    }
    size_t n = utf8_decode(lx->text + pos, lx->end - pos, ret_cp);
    if (n == 0) {
        *ret_error = LEX_UTF8;
        *ret_cp = c;
        return 1;
    }
    if (utf8_is_control(*ret_cp))
        *ret_error = LEX_CONTROL;
    return n;
}

static void set_bad(const struct lexer *lx, struct token *t, enum lex_error error, size_t pos,
                    size_t len)
{
    if (t->kind == TOKEN_BAD)
        return; /* the first one counts */
    t->kind = TOKEN_BAD;
    t->error = error;
    t->s = lx->text + pos;
    t->len = len;
    t->span = span_at(lx, pos, len);
}

/* A comment up to the end of its line. Leaves a TOKEN_BAD in *t if something in it is not
 * allowed. */
static void skip_comment(struct lexer *lx, struct token *t)
{
    while (lx->pos < lx->end && lx->text[lx->pos] != '\n') {
        enum lex_error error;
        uint32_t cp;
        size_t n = look(lx, lx->pos, &cp, &error);
        if (error != LEX_OK) {
            if (t->kind != TOKEN_BAD)
                t->code_point = cp;
            set_bad(lx, t, error, lx->pos, n);
        }
        lx->pos += n;
    }
}

/* Blanks, line ends and comments. */
static void skip_blanks(struct lexer *lx, struct token *t)
{
    while (lx->pos < lx->end && t->kind != TOKEN_BAD) {
        char c = lx->text[lx->pos];
        if (c == '\n') {
            lx->line++;
            lx->line_start = ++lx->pos;
            lx->fresh_line = true;
        } else if (c == ' ' || c == '\t' ||
                   (c == '\r' && lx->pos + 1 < lx->end && lx->text[lx->pos + 1] == '\n')) {
            lx->pos++;
        } else if (c == '#') {
            skip_comment(lx, t);
        } else {
            return;
        }
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* n hexadecimal digits; 0, which no escape may stand for, if they are none. */
static uint32_t hex_digits(const char *s, size_t n)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = hex_value(s[i]);
        if (digit < 0)
            return 0;
        value = value * 16 + (uint32_t)digit;
    }
    return value;
}

/* The escape at s (its backslash), of which n bytes are left: its length and code point, 0 if
 * it is none. \xNN and \uNNNN are the characters with that code, so that every character that
 * may not stand in text can be written. */
static size_t escape(const char *s, size_t n, uint32_t *ret_cp)
{
    if (n < 2)
        return 0;
    switch (s[1]) {
    case '"':
    case '\\':
        *ret_cp = (uint32_t)s[1];
        return 2;
    case 'n':
        *ret_cp = '\n';
        return 2;
    case 't':
        *ret_cp = '\t';
        return 2;
    case 'x':
        *ret_cp = n < 4 ? 0 : hex_digits(s + 2, 2);
        return *ret_cp > 0 ? 4 : 0;
    case 'u':
        *ret_cp = n < 6 ? 0 : hex_digits(s + 2, 4);
        return *ret_cp > 0 && (*ret_cp < 0xd800 || *ret_cp > 0xdfff) ? 6 : 0; /* no surrogates */
    }
    return 0;
}

/* One character of a string at lx->pos; *ret_decoded is how many bytes it stands for. */
static size_t look_string(const struct lexer *lx, uint32_t *ret_cp, enum lex_error *ret_error,
                          size_t *ret_decoded)
{
    size_t n = look(lx, lx->pos, ret_cp, ret_error);
    *ret_decoded = n;
    if (*ret_error != LEX_OK || *ret_cp != '\\')
        return n;
    n = escape(lx->text + lx->pos, lx->end - lx->pos, ret_cp);
    if (n == 0) {
        *ret_error = LEX_ESCAPE;
        return 1;
    }
    *ret_decoded = *ret_cp < 0x80 ? 1 : *ret_cp < 0x800 ? 2 : 3;
    return n;
}

/* A string from its opening quote on; always ends behind the closing quote or at the end of
 * the line. */
static void lex_string(struct lexer *lx, struct token *t)
{
    size_t start = lx->pos++, decoded_len = 0;
    bool closed = false;
    t->kind = TOKEN_STRING;
    while (!closed && lx->pos < lx->end && lx->text[lx->pos] != '\n') {
        enum lex_error error;
        uint32_t cp;
        size_t decoded, n = look_string(lx, &cp, &error, &decoded);
        closed = n == 1 && lx->text[lx->pos] == '"';
        if (error != LEX_OK && t->kind != TOKEN_BAD) {
            t->code_point = cp;
            set_bad(lx, t, error, lx->pos, n);
        }
        decoded_len += closed ? 0 : decoded;
        lx->pos += n;
    }
    if (!closed)
        set_bad(lx, t, LEX_UNCLOSED, start, 1);
    else if (decoded_len > LIMIT_TEXT_STRING_BYTES)
        set_bad(lx, t, LEX_LONG, start, lx->pos - start);
    if (t->kind == TOKEN_BAD)
        return;
    t->s = lx->text + start;
    t->len = lx->pos - start;
    t->span = span_at(lx, start, t->len);
}

/* ASCII that a word may hold: printable, and not what ends one. A policy of 100,000 filters has
 * five million of these. */
static const bool plain[UINT8_MAX + 1] = {
    ['!'] = true, ['$' ... 'z'] = true, ['|'] = true, ['~'] = true};

static bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '"' || c == '#' || c == '{' ||
           c == '}';
}

/* A word, or a TOKEN_BAD of one character if it would begin with one that is not allowed. */
static void lex_word(struct lexer *lx, struct token *t)
{
    size_t start = lx->pos;
    for (;;) {
        while (lx->pos < lx->end && plain[(unsigned char)lx->text[lx->pos]])
            lx->pos++;
        if (lx->pos == lx->end || ends_word(lx->text[lx->pos]))
            break;
        enum lex_error error;
        uint32_t cp;
        size_t n = look(lx, lx->pos, &cp, &error);
        if (error == LEX_OK && cp >= 0x80)
            error = lookalike(cp);
        if (error != LEX_OK && lx->pos > start)
            break;
        lx->pos += n;
        if (error != LEX_OK) {
            t->code_point = cp;
            set_bad(lx, t, error, start, n);
            return;
        }
    }
    t->kind = TOKEN_WORD;
    t->s = lx->text + start;
    t->len = lx->pos - start;
    t->span = span_at(lx, start, t->len);
    t->word = word_find(t->s, t->len);
}

void lex_next(struct lexer *lx, struct token *t)
{
    *t = (struct token){.kind = TOKEN_END};
    skip_blanks(lx, t);
    t->first_on_line = lx->fresh_line;
    if (t->kind == TOKEN_BAD)
        return;
    if (lx->pos >= lx->end) {
        t->s = lx->text + lx->end;
        t->span = lx->behind;
        return;
    }
    char c = lx->text[lx->pos];
    if (c == '{' || c == '}') {
        t->kind = c == '{' ? TOKEN_OPEN : TOKEN_CLOSE;
        t->s = lx->text + lx->pos;
        t->len = 1;
        t->span = span_at(lx, lx->pos++, 1);
    } else if (c == '"') {
        lex_string(lx, t);
    } else if (c == '\r') { /* not before a line end: skip_blanks() has taken those */
        t->code_point = '\r';
        set_bad(lx, t, LEX_CONTROL, lx->pos++, 1);
    } else {
        lex_word(lx, t);
    }
    lx->fresh_line = false;
    lx->behind = span_at(lx, lx->pos, 1);
}

/* UTF-8 (RFC 3629) of a code point up to U+FFFF, where escapes end. */
static char *put_utf8(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        *out++ = (char)cp;
        return out;
    }
    if (cp < 0x800) {
        *out++ = (char)(0xc0 | (cp >> 6));
    } else {
        *out++ = (char)(0xe0 | (cp >> 12));
        *out++ = (char)(0x80 | (cp >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (cp & 0x3f));
    return out;
}

int lex_decode(const struct token *t, char **ret)
{
    char *out = malloc(t->len + 1);
    if (!out)
        return -ENOMEM;
    char *to = out;
    bool quoted = t->kind == TOKEN_STRING;
    const char *s = t->s + (quoted ? 1 : 0), *end = t->s + t->len - (quoted ? 1 : 0);
    while (s < end) {
        if (!quoted || *s != '\\') {
            *to++ = *s++;
            continue;
        }
        uint32_t cp = 0;
        s += escape(s, (size_t)(end - s), &cp); /* valid since lex_string() */
        to = put_utf8(to, cp);
    }
    *to = '\0';
    *ret = out;
    return 0;
}

int lex_fail(const struct token *t, struct diag *d)
{
    int err = -EINVAL;
    switch (t->error) {
    case LEX_OK:
        break;
    case LEX_NUL:
        err = diag_fail_at(d, DIAG_SYNTAX, t->span, "NUL byte in the text");
        diag_hint(d, "only plain text can be read, encoded as UTF-8");
        break;
    case LEX_UTF8:
        err = diag_fail_at(d, DIAG_SYNTAX, t->span, "byte 0x%02x is not valid UTF-8",
                           (unsigned)t->code_point);
        diag_hint(d, "save the text encoded as UTF-8");
        break;
    case LEX_CONTROL:
        err = diag_fail_at(d, DIAG_SYNTAX, t->span, "control character U+%04X in the text",
                           (unsigned)t->code_point);
        diag_hint(d,
                  t->code_point < 0x100 ? "in a string write \\x%02x" : "in a string write \\u%04x",
                  (unsigned)t->code_point);
        break;
    case LEX_BLANK:
        err = diag_fail_at(d, DIAG_SYNTAX, t->span, "character U+%04X only looks like a blank",
                           (unsigned)t->code_point);
        diag_hint(d, "type an ordinary blank there");
        break;
    case LEX_QUOTE:
        err = diag_fail_at(d, DIAG_SYNTAX, t->span, "character U+%04X only looks like a quote",
                           (unsigned)t->code_point);
        diag_hint(d, "strings stand in plain double quotes: \"text\"");
        break;
    case LEX_DASH:
        err = diag_fail_at(d, DIAG_SYNTAX, t->span, "character U+%04X only looks like a hyphen",
                           (unsigned)t->code_point);
        diag_hint(d, "type an ordinary hyphen: -");
        break;
    case LEX_UNCLOSED:
        err = diag_fail_at(d, DIAG_SYNTAX, t->span, "string is not closed on its line");
        diag_hint(d, "end it with \"; write a line break inside as \\n");
        break;
    case LEX_ESCAPE:
        err = diag_fail_at(d, DIAG_SYNTAX, t->span, "unknown escape in a string");
        diag_hint(d, "known are \\\" \\\\ \\n \\t \\xNN and \\uNNNN; a backslash is written \\\\");
        break;
    case LEX_LONG:
        err = diag_fail_at(d, DIAG_LIMIT, t->span, "string is longer than %d bytes",
                           LIMIT_TEXT_STRING_BYTES);
        diag_hint(d, "a string has at most %d bytes", LIMIT_TEXT_STRING_BYTES);
        break;
    }
    return err;
}
