/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Incremental parser of one HTTP/1.1 answer (RFC 9112), small and strict: a status line, at
 * most HTTP_HEAD_BYTES of header lines, and a body with Content-Length or in chunks. What the
 * agent never sends is an error, not something to be repaired: both length forms at once, two
 * lengths, other transfer codings, folded header lines, a body that only ends with the
 * connection. Interim answers (1xx) are skipped. Pure: bytes in, answer out. */
#pragma once
#include "base/util.h"

enum { HTTP_HEAD_BYTES = 16 * 1024, HTTP_CHUNK_LINE_BYTES = 256 };

struct http_answer;

/* An answer whose body has more than body_max bytes is refused with -E2BIG. */
_must_check_ int http_answer_new(size_t body_max, struct http_answer **ret);
struct http_answer *http_answer_free(struct http_answer *a);
void http_answer_freep(struct http_answer **a);

/* Takes the next n bytes. 1: the answer is complete (what follows it is not looked at), 0: more
 * is needed, -EBADMSG: not an answer we accept, -E2BIG, -ENOMEM. After an error or 1 the parser
 * takes nothing more (-EBADMSG). */
_must_check_ int http_answer_feed(struct http_answer *a, const char *data, size_t n);

unsigned http_answer_status(const struct http_answer *a);
/* Gives up the body: NUL-terminated, "" for none. NULL if memory ran out. */
char *http_answer_take_body(struct http_answer *a, size_t *ret_len);
