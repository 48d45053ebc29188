/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing text with a maximum given at creation, so that no input can make it unbounded.
 * Always NUL-terminated once something was added; embedded NUL is not supported. */
#pragma once
#include <stdarg.h>
#include <string.h>

#include "base/util.h"

struct strbuf {
    char *s; /* NULL while empty */
    size_t len, cap, max;
    int error; /* sticky: -ENOMEM or -E2BIG; later additions do nothing */
};
#define STRBUF_INIT(max_bytes) \
    {                          \
        .max = (max_bytes)     \
    }

/* All return the sticky error or 0. */
int strbuf_add_n(struct strbuf *b, const char *s, size_t n);
static inline int strbuf_add(struct strbuf *b, const char *s)
{
    return strbuf_add_n(b, s, strlen(s)); /* mostly a constant, whose length is one, too */
}
int strbuf_add_char(struct strbuf *b, char c);
/* Its decimal digits. */
int strbuf_add_number(struct strbuf *b, uint32_t n);
int strbuf_addf(struct strbuf *b, const char *fmt, ...) _printf_(2, 3);
int strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap) _printf_(2, 0);
/* Adds s with control characters and invalid UTF-8 as \xNN, for text from outside. */
int strbuf_add_escaped(struct strbuf *b, const char *s, size_t n);
/* snprintf() for fixed arrays: always terminated, cut if it does not fit; the length written. */
size_t format_into(char *out, size_t size, const char *fmt, ...) _printf_(3, 4);
/* Gives up the text ("" as allocated string when empty), NULL on sticky error. */
char *strbuf_take(struct strbuf *b);
void strbuf_done(struct strbuf *b);
