/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One name to addresses and a lifetime, in the calling process, which waits. Called in a child
 * process of its own (session.c), because what comes back was made by anybody. */
#pragma once
#include <netinet/in.h>

#include "fetch/wire.h"

struct resolve_options {
    bool has_server; /* else the system's resolv.conf */
    struct sockaddr_in server;
};
/* /etc/hosts, then A and AAAA over DNS. Always fills *ret: an answer that is not whole (one family
 * failed, too many addresses, the answer to another question) is FETCH_ERROR with a reason. */
void resolve_name(const char *name, const struct resolve_options *o, struct fetch_answer *ret);

/* The parts, for tests. Reads one answer about the address type of `name` into the fields n, v
 * and ttl_s of *ret (added to what is there). RESOLVE_FOLLOW: ret_next holds the name that must
 * be asked next. */
enum resolve_result {
    RESOLVE_FOUND,
    RESOLVE_NO_DATA,
    RESOLVE_ABSENT,
    RESOLVE_FOLLOW,
    RESOLVE_SERVER_FAILED,
    RESOLVE_MALFORMED,
    RESOLVE_WRONG_QUESTION,
    RESOLVE_WRONG_NAME,
    RESOLVE_TOO_MANY,
    RESOLVE_TIMEOUT,
    RESOLVE_LOOP,
};
enum { RESOLVE_NAME_BYTES = 1025 }; /* NS_MAXDNAME */
struct resolve_question {
    const char *name;
    int type;    /* ns_t_a or ns_t_aaaa */
    uint16_t id; /* of the query */
};
enum resolve_result resolve_read_answer(const struct resolve_question *q, const uint8_t *answer,
                                        size_t len, struct fetch_answer *ret,
                                        char ret_next[RESOLVE_NAME_BYTES]);
/* Adds what a hosts file says about the name. False if that is too much. */
_must_check_ bool resolve_read_hosts(const char *text, size_t len, const char *name,
                                     struct fetch_answer *ret);
