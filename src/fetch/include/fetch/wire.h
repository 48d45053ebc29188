/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines that agent and portward-fetch exchange over <runtime-dir>/fetch.sock, as described in
 * docs/internals/fetch.md. The agent runs as root and reads what an unprivileged process writes
 * that parses the network: so the language is small, every line is bounded, and of DNS only
 * addresses and lifetimes cross. Pure: text in, plain data out. */
#pragma once
#include "base/limits.h"
#include "base/strbuf.h"
#include "model/ip.h"

#define FETCH_HELLO       "portward-fetch 1" /* the first line of both sides */
#define FETCH_SOCKET_NAME "fetch.sock"
enum {
    FETCH_LINE_BYTES = 4096, /* newline included: 64 IPv6 addresses and a name of 255 bytes fit */
    FETCH_TTL_MAX_S = 86400, /* a longer lifetime is asked again after a day */
    FETCH_REASON_BYTES = 32, /* lower case and hyphens */
};

struct fetch_address {
    enum family family; /* never FAMILY_ANY */
    struct ip ip;
};

enum fetch_outcome {
    FETCH_FOUND,  /* ttl_s and 1 .. LIMIT_NAME_ADDRESSES addresses */
    FETCH_ABSENT, /* the name does not exist, or has no address */
    FETCH_ERROR,  /* reason */
    _FETCH_OUTCOME_MAX,
};
struct fetch_answer {
    enum fetch_outcome outcome;
    char name[LIMIT_NAME_BYTES + 1];
    uint32_t ttl_s;
    char reason[FETCH_REASON_BYTES];
    size_t n;
    struct fetch_address v[LIMIT_NAME_ADDRESSES];
};
/* fetcher -> agent: "found NAME TTL ADDR...", "absent NAME", "error NAME REASON". One line
 * without its newline. 0, or -EBADMSG with *ret untouched. */
_must_check_ int fetch_answer_parse(const char *line, size_t len, struct fetch_answer *ret);
/* With newline; 0 or the strbuf's error. */
_must_check_ int fetch_answer_print(const struct fetch_answer *a, struct strbuf *out);

enum fetch_verb {
    FETCH_WANT, /* resolve now, and again whenever its lifetime ends */
    FETCH_DROP,
    _FETCH_VERB_MAX,
};
struct fetch_request {
    enum fetch_verb verb;
    char name[LIMIT_NAME_BYTES + 1];
};
/* agent -> fetcher: "want NAME", "drop NAME". */
_must_check_ int fetch_request_parse(const char *line, size_t len, struct fetch_request *ret);
_must_check_ int fetch_request_print(enum fetch_verb v, const char *name, struct strbuf *out);

/* Lower-case letters, digits, '-', '_' and single dots between them, 1 to 255 bytes: what the
 * filter parser makes of every name. */
bool fetch_name_valid(const char *name, size_t len);

/* What was received and is not a whole line yet. Zero-initialised is empty. */
struct fetch_buffer {
    size_t n;
    char data[FETCH_LINE_BYTES];
};
/* Takes the next line out: 1 with its length (NUL added, newline gone), 0 if there is none yet,
 * -EMSGSIZE if the line is longer than a line may be. */
_must_check_ int fetch_buffer_line(struct fetch_buffer *b, char ret_line[FETCH_LINE_BYTES],
                                   size_t *ret_len);
