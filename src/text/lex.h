/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Splits text into words, quoted strings and braces, each with its place. Used by the parsers
 * of src/text only. A token borrows the text. Nothing is lost: whatever the language does not
 * allow becomes a TOKEN_BAD that says why, and lexing goes on behind it. */
#pragma once
#include "base/diag.h"
#include "words.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_BAD };

enum lex_error {
    LEX_OK,
    LEX_NUL,
    LEX_UTF8,
    LEX_CONTROL,
    LEX_BLANK,    /* looks like a blank */
    LEX_QUOTE,    /* looks like a quote */
    LEX_DASH,     /* looks like a hyphen */
    LEX_UNCLOSED, /* string without end */
    LEX_ESCAPE,
    LEX_LONG, /* string beyond LIMIT_TEXT_STRING_BYTES */
};

struct token {
    enum token_kind kind;
    enum word word;     /* of a TOKEN_WORD, WORD_NONE otherwise */
    bool first_on_line; /* nothing but blanks before it */
    const char *s;      /* as written, strings with their quotes */
    size_t len;
    struct span span;     /* of a TOKEN_END: just behind the last token */
    enum lex_error error; /* of a TOKEN_BAD */
    uint32_t code_point;  /* of the offending character, if there is one */
};

struct lexer {
    const char *text;
    size_t end, pos;
    size_t line_start;
    uint32_t line;
    bool fresh_line;
    struct span behind; /* just behind the last token */
};

void lex_init(struct lexer *lx, const char *text, size_t len);
void lex_next(struct lexer *lx, struct token *t);
/* Text of a TOKEN_STRING without quotes and escapes, or of a TOKEN_WORD. 0 or -ENOMEM. */
_must_check_ int lex_decode(const struct token *t, char **ret);
/* Fills *d for a TOKEN_BAD; the errno of its kind. */
int lex_fail(const struct token *t, struct diag *d);

/* Part of a place: len bytes beginning `from` bytes after its start, on the same line. */
struct span span_part(struct span whole, size_t from, size_t len);
