/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/strbuf.c: growing text with a maximum.
 * Used by every printer and renderer. Invariants: len <= max; s[len] is NUL whenever s is not
 * NULL; after the first error nothing is added any more, so a text is complete or refused,
 * never silently cut. */
#include "base/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static int reserve(struct strbuf *b, size_t more)
{
    if (b->error < 0)
        return b->error;
    if (more > b->max - b->len)
        return b->error = -E2BIG;
    int r = array_reserve(&b->s, &b->cap, b->len + more + 1, 1);
    if (r < 0)
        return b->error = r;
    return 0;
}

int strbuf_add_n(struct strbuf *b, const char *s, size_t n)
{
    /* A text of 100,000 filters is made of two million pieces: mostly there is room. */
    bool has_room = b->error == 0 && n < b->cap - b->len && n <= b->max - b->len;
    int r = has_room ? 0 : reserve(b, n);
    if (r < 0)
        return r;
    if (n > 0)
        memcpy(b->s + b->len, s, n);
    b->len += n;
    b->s[b->len] = '\0';
    return 0;
}

int strbuf_add_char(struct strbuf *b, char c)
{
    return strbuf_add_n(b, &c, 1);
}

int strbuf_add_number(struct strbuf *b, uint32_t n)
{
    char digits[10]; /* of UINT32_MAX */
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return strbuf_add_n(b, digits + at, sizeof(digits) - at);
}

int strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
    if (b->error < 0)
        return b->error;
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        return b->error = -ENOMEM;
    int r = reserve(b, (size_t)n);
    if (r < 0)
        return r;
    (void)vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap); /* the same n bytes as above */
    b->len += (size_t)n;
    return 0;
}

int strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = strbuf_vaddf(b, fmt, ap);
    va_end(ap);
    return r;
}

size_t format_into(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, size, fmt, ap);
    va_end(ap);
    if (n < 0)
        n = 0;
    return (size_t)n < size ? (size_t)n : size - 1;
}

int strbuf_add_escaped(struct strbuf *b, const char *s, size_t n)
{
    size_t done = 0, i = 0;
    while (i < n) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);
        if (len > 0 && !utf8_is_control(cp)) {
            i += len;
            continue;
        }
        (void)strbuf_add_n(b, s + done, i - done); /* errors are sticky */
        for (size_t k = 0; k < (len > 0 ? len : 1); k++)
            (void)strbuf_addf(b, "\\x%02x", (unsigned)(unsigned char)s[i + k]);
        i += len > 0 ? len : 1;
        done = i;
    }
    return strbuf_add_n(b, s + done, n - done);
}

char *strbuf_take(struct strbuf *b)
{
    if (strbuf_add_n(b, "", 0) < 0) {
        strbuf_done(b);
        return NULL;
    }
    char *s = TAKE_PTR(b->s);
    strbuf_done(b);
    return s;
}

void strbuf_done(struct strbuf *b)
{
    free(b->s);
    *b = (struct strbuf)STRBUF_INIT(b->max);
}
