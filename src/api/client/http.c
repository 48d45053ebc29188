/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apiclient/http.c: the answer parser, a state machine over lines and counted bytes. Called by
 * client.c with whatever a read gave; keeps the invariant that no state ever holds more than
 * HTTP_HEAD_BYTES of head, one chunk line, and body_max bytes of body. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include "apiclient/http.h"

enum state {
    STATE_STATUS,     /* reading the status line */
    STATE_HEADER,     /* reading header lines */
    STATE_BODY,       /* Content-Length, .left to go */
    STATE_CHUNK_SIZE, /* reading the line with the size of a chunk */
    STATE_CHUNK_DATA, /* .left to go */
    STATE_CHUNK_CRLF, /* the empty line behind a chunk's data */
    STATE_TRAILER,    /* lines behind the last chunk */
    STATE_DONE,
    STATE_FAILED,
};

struct http_answer {
    enum state state;
    unsigned status;
    bool has_length, chunked;
    size_t head_used; /* bytes of status line, headers, trailers so far */
    size_t left;
    size_t body_max, body_len, body_cap;
    char *body;
    size_t line_len;
    char line[HTTP_HEAD_BYTES];
};

int http_answer_new(size_t body_max, struct http_answer **ret)
{
    struct http_answer *a = calloc(1, sizeof(*a));

    if (!a)
        return -ENOMEM;
    a->body_max = body_max;
    *ret = a;
    return 0;
}

struct http_answer *http_answer_free(struct http_answer *a)
{
    if (a) {
        free(a->body);
        free(a);
    }
    return NULL;
}

void http_answer_freep(struct http_answer **a)
{
    *a = http_answer_free(*a);
}

/* "HTTP/1.1 200 OK"; the reason may be empty, but its blank is there (RFC 9112 4). */
static int status_line(struct http_answer *a)
{
    static const char prefix[] = "HTTP/1.1 ";
    const char *p = a->line + sizeof(prefix) - 1;

    if (a->line_len < sizeof(prefix) - 1 + 4 || memcmp(a->line, prefix, sizeof(prefix) - 1) != 0)
        return -EBADMSG;
    for (int i = 0; i < 3; i++)
        if (p[i] < '0' || p[i] > '9')
            return -EBADMSG;
    if (p[0] == '0' || p[3] != ' ')
        return -EBADMSG;
    a->status = (unsigned)(p[0] - '0') * 100 + (unsigned)(p[1] - '0') * 10 + (unsigned)(p[2] - '0');
    a->has_length = a->chunked = false;
    a->state = STATE_HEADER;
    return 0;
}

static int parse_length(struct http_answer *a, const char *value)
{
    size_t n = 0;

    if (!*value || a->has_length)
        return -EBADMSG;
    for (; *value; value++) {
        if (*value < '0' || *value > '9')
            return -EBADMSG;
        if (__builtin_mul_overflow(n, (size_t)10, &n) ||
            __builtin_add_overflow(n, (size_t)(*value - '0'), &n))
            return -E2BIG;
    }
    if (n > a->body_max)
        return -E2BIG;
    a->has_length = true;
    a->left = n;
    return 0;
}

static int end_of_headers(struct http_answer *a)
{
    if (a->status < 200) {
        a->state = STATE_STATUS;
        return 0;
    }
    if (a->status == 204 || a->status == 304) {
        a->state = STATE_DONE;
        return 0;
    }
    if (a->chunked == a->has_length) /* neither, or both */
        return -EBADMSG;
    if (a->chunked)
        a->state = STATE_CHUNK_SIZE;
    else
        a->state = a->left ? STATE_BODY : STATE_DONE;
    return 0;
}

static int header_line(struct http_answer *a)
{
    char *colon, *value, *end;

    if (a->line_len == 0)
        return end_of_headers(a);
    colon = memchr(a->line, ':', a->line_len);
    /* No name, a blank before the colon and folded lines are refused (RFC 9112 5.1, 5.2). */
    if (!colon || colon == a->line || memchr(a->line, ' ', (size_t)(colon - a->line)) ||
        memchr(a->line, '\t', (size_t)(colon - a->line)))
        return -EBADMSG;
    *colon = '\0';
    value = colon + 1 + strspn(colon + 1, " \t");
    end = a->line + a->line_len;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    if (strcasecmp(a->line, "content-length") == 0)
        return parse_length(a, value);
    if (strcasecmp(a->line, "transfer-encoding") == 0) {
        if (a->chunked || strcasecmp(value, "chunked") != 0)
            return -EBADMSG;
        a->chunked = true;
    }
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* "1a2b" with an optional ";extension", which is ignored (RFC 9112 7.1.1). */
static int chunk_size_line(struct http_answer *a)
{
    const char *p = a->line;
    size_t n = 0;

    if (hex_digit(*p) < 0)
        return -EBADMSG;
    for (; hex_digit(*p) >= 0; p++)
        if (__builtin_mul_overflow(n, (size_t)16, &n) ||
            __builtin_add_overflow(n, (size_t)hex_digit(*p), &n))
            return -E2BIG;
    if (*p && *p != ';')
        return -EBADMSG;
    if (n > a->body_max - a->body_len)
        return -E2BIG;
    a->left = n;
    a->state = n ? STATE_CHUNK_DATA : STATE_TRAILER;
    return 0;
}

static int line_complete(struct http_answer *a)
{
    /* Lines end in CR LF, nothing else is taken for an end. */
    if (a->line_len == 0 || a->line[a->line_len - 1] != '\r')
        return -EBADMSG;
    a->line[--a->line_len] = '\0';
    if (strlen(a->line) != a->line_len)
        return -EBADMSG; /* embedded NUL */
    switch (a->state) {
    case STATE_STATUS:
        return status_line(a);
    case STATE_HEADER:
        return header_line(a);
    case STATE_CHUNK_SIZE:
        return chunk_size_line(a);
    case STATE_CHUNK_CRLF:
        a->state = STATE_CHUNK_SIZE;
        return a->line_len == 0 ? 0 : -EBADMSG;
    case STATE_TRAILER:
        if (a->line_len == 0)
            a->state = STATE_DONE;
        return 0;
    case STATE_BODY:
    case STATE_CHUNK_DATA:
    case STATE_DONE:
    case STATE_FAILED:
        break;
    }
    return -EBADMSG;
}

/* Takes bytes up to the end of one line; the number taken or an error. */
static ssize_t feed_line(struct http_answer *a, const char *data, size_t n)
{
    const char *lf = memchr(data, '\n', n);
    size_t take = lf ? (size_t)(lf - data) : n;
    bool in_chunks = a->state == STATE_CHUNK_SIZE || a->state == STATE_CHUNK_CRLF;
    size_t room = in_chunks ? HTTP_CHUNK_LINE_BYTES - a->line_len : HTTP_HEAD_BYTES - a->head_used;
    int r;

    if (take >= room)
        return -E2BIG;
    memcpy(a->line + a->line_len, data, take);
    a->line_len += take;
    if (!in_chunks)
        a->head_used += take;
    if (!lf)
        return (ssize_t)n;
    r = line_complete(a);
    a->line_len = 0;
    return r < 0 ? r : (ssize_t)take + 1;
}

static ssize_t feed_body(struct http_answer *a, const char *data, size_t n)
{
    size_t take = n < a->left ? n : a->left;
    int r = array_reserve(&a->body, &a->body_cap, a->body_len + take + 1, 1);

    if (r < 0)
        return r;
    memcpy(a->body + a->body_len, data, take);
    a->body_len += take;
    a->left -= take;
    if (a->left == 0)
        a->state = a->state == STATE_BODY ? STATE_DONE : STATE_CHUNK_CRLF;
    return (ssize_t)take;
}

int http_answer_feed(struct http_answer *a, const char *data, size_t n)
{
    if (a->state == STATE_DONE || a->state == STATE_FAILED)
        return -EBADMSG;
    while (n > 0 && a->state != STATE_DONE) {
        bool body = a->state == STATE_BODY || a->state == STATE_CHUNK_DATA;
        ssize_t used = body ? feed_body(a, data, n) : feed_line(a, data, n);

        if (used < 0) {
            a->state = STATE_FAILED;
            return (int)used;
        }
        data += used;
        n -= (size_t)used;
    }
    return a->state == STATE_DONE;
}

unsigned http_answer_status(const struct http_answer *a)
{
    return a->status;
}

char *http_answer_take_body(struct http_answer *a, size_t *ret_len)
{
    if (array_reserve(&a->body, &a->body_cap, a->body_len + 1, 1) < 0)
        return NULL;
    a->body[a->body_len] = '\0';
    *ret_len = a->body_len;
    a->body_len = a->body_cap = 0;
    return TAKE_PTR(a->body);
}
