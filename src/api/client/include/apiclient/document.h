/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The documents both ends speak (docs/api.md, "Envelope"): made here by the server for every
 * answer and by the command line for failures that the agent never saw, so that scripts read
 * one form; read here by the command line to show errors with their place. */
#pragma once
#include <jansson.h>

#include "base/diag.h"
#include "base/strbuf.h"

#define _cleanup_json_ _cleanup_(json_decrefp)

enum { API_SCHEMA_MAJOR = 1 };

/* Where the refused text came from. Mistakes in the words of a command are wrong use (2), in a
 * file they are a rejected policy (7): cli.md 4. */
enum api_text_origin { API_TEXT_WORDS, API_TEXT_FILE };

/* Exit code of cli.md 4 for one diagnostic. */
int api_exit_code(const struct diag *d, enum api_text_origin origin);
/* The one that counts of two reasons: order 2, 3, 4, 5, 7, 1, 8, 9, 6; 0 only if both are. */
int api_exit_worse(int a, int b);
/* Exit code of a list: the one that counts among its errors. */
int api_exit_code_list(const struct diag_list *l, enum api_text_origin origin);

/* {"code","message","hint"}: an element of "warnings". New reference or NULL. */
json_t *api_warning_json(const struct diag *d);
/* {"schema":"portward.error/1",...} of the errors in l, which has at least one. file: name put
 * into the spans, or NULL. New reference or NULL. */
json_t *api_error_document(const struct diag_list *l, enum api_text_origin origin,
                           const char *file);
json_t *api_error_document_one(const struct diag *d, enum api_text_origin origin);

/* {"schema":"portward.<verb>/1","ok":true,...}, written in pieces, because a list may have a
 * million elements: begin, then the caller adds one JSON value, the data, then end. time_ms:
 * Unix time. warnings: array or NULL. All return the strbuf's sticky error or 0. */
int api_ok_begin(struct strbuf *b, const char *verb, uint64_t generation, int64_t time_ms);
int api_ok_end(struct strbuf *b, const json_t *warnings);
/* Adds j in compact form; j NULL counts as out of memory. */
int api_json_add(struct strbuf *b, const json_t *j);

/* A string; null for NULL and ""; what is not UTF-8 is escaped. NULL if memory is gone. */
json_t *api_text_json(const char *s);

/* RFC 3339 in UTC, "2026-11-22T02:47:12Z"; with milliseconds if with_ms. */
enum { API_TIME_BYTES = 40 };
void api_time_print(int64_t time_ms, bool with_ms, char out[API_TIME_BYTES]);

/* Reads an error object ("error" or an element of "errors" or "warnings"). Members that are
 * missing or of another type read as empty. */
void api_diag_from_json(const json_t *error, struct diag *ret);
