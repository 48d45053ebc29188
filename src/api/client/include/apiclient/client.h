/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Client of the agent's API (docs/api.md): one request, one answer, one connection over the
 * Unix socket, with a deadline for the whole exchange. Used by the command line; links nothing
 * of the agent. */
#pragma once
#include "base/diag.h"
#include "base/strbuf.h"

#define API_TEXT_TYPE "text/plain"
enum { API_STATUS_OK = 200 };

struct api_request {
    const char *method;
    const char *target; /* "/v1/..." already encoded, see api_target_*() */
    const char *body;   /* NULL = no body */
    size_t body_len;
    bool text; /* the body is a policy text, else JSON */
    uint32_t timeout_ms;
};

struct api_answer {
    unsigned status;
    char *body; /* owned, NUL-terminated */
    size_t body_len;
};
void api_answer_done(struct api_answer *a);

/* 0, or negative with *d: DIAG_AGENT (not running, not answering, not HTTP), DIAG_PERMISSION
 * (the socket may not be opened), DIAG_LIMIT (answer too large), DIAG_SYSTEM. */
_must_check_ int api_client_call(const char *socket_path, const struct api_request *r,
                                 struct diag *d, struct api_answer *ret);

/* Builds targets: "/v1/policies/" + name percent-encoded (RFC 3986: all but unreserved). */
int api_target_add_segment(struct strbuf *target, const char *s);
/* Appends "?key=value" or "&key=value", the value encoded. */
int api_target_add_query(struct strbuf *target, const char *key, const char *value);
