/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fetch/resolve.c: asks for one name.
 * Called by session.c in a child process. glibc's res_nsend() picks a random id and port, checks
 * both in the answer and asks again over TCP what was cut; answer.c checks once more. It waits
 * at most some 3 s per question with one server. Names are complete: no search list. */
#include "resolve.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <resolv.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES = 65536, QUESTIONS_MAX = 8, HOSTS_BYTES_MAX = 16 * 1024 * 1024 };
#define HOSTS_FILE "/etc/hosts"

static enum resolve_result ask_once(res_state rs, struct resolve_question *q, uint8_t *answer,
                                    struct fetch_answer *ret, char next[RESOLVE_NAME_BYTES])
{
    uint8_t query[NS_PACKETSZ];
    int n = res_nmkquery(rs, ns_o_query, q->name, ns_c_in, q->type, NULL, 0, NULL, query,
                         sizeof(query));
    if (n < 2)
        return RESOLVE_MALFORMED;
    q->id = (uint16_t)(query[0] << 8 | query[1]);
    int len = res_nsend(rs, query, n, answer, ANSWER_BYTES);
    if (len < 0)
        return RESOLVE_TIMEOUT;
    if (len > ANSWER_BYTES)
        return RESOLVE_TOO_MANY;
    return resolve_read_answer(q, answer, (size_t)len, ret, next);
}

/* One address family, across CNAMEs that lead out of the answer. */
static enum resolve_result ask(res_state rs, const char *name, int type, uint8_t *answer,
                               struct fetch_answer *ret)
{
    char asked[RESOLVE_NAME_BYTES], next[RESOLVE_NAME_BYTES];
    strcpy(asked, name); /* at most LIMIT_NAME_BYTES */
    for (int i = 0; i < QUESTIONS_MAX; i++) {
        struct resolve_question q = {.name = asked, .type = type};
        enum resolve_result r = ask_once(rs, &q, answer, ret, next);
        if (r != RESOLVE_FOLLOW)
            return r;
        if (strcasecmp(asked, next) == 0)
            return RESOLVE_LOOP;
        memcpy(asked, next, sizeof(asked));
    }
    return RESOLVE_LOOP;
}

/* Reason of an outcome that is no answer, NULL if it is one. */
static const char *fault_of(enum resolve_result r)
{
    switch (r) {
    case RESOLVE_FOUND:
    case RESOLVE_NO_DATA:
    case RESOLVE_ABSENT:
        return NULL;
    case RESOLVE_SERVER_FAILED:
        return "server-failed";
    case RESOLVE_MALFORMED:
        return "malformed";
    case RESOLVE_WRONG_QUESTION:
        return "wrong-question";
    case RESOLVE_WRONG_NAME:
        return "wrong-name";
    case RESOLVE_TOO_MANY:
        return "too-many";
    case RESOLVE_TIMEOUT:
        return "timeout";
    case RESOLVE_FOLLOW:
    case RESOLVE_LOOP:
        return "cname-loop";
    }
    return "failed";
}

static void set_error(struct fetch_answer *a, const char *reason)
{
    a->outcome = FETCH_ERROR;
    a->n = 0;
    strcpy(a->reason, reason); /* all are shorter than FETCH_REASON_BYTES */
}

static int open_resolver(res_state rs, const struct resolve_options *o)
{
    if (res_ninit(rs) < 0)
        return -1;
    rs->retrans = 1; /* seconds; doubled at the second try */
    rs->retry = 2;
    if (o->has_server) {
        rs->nscount = 1;
        rs->nsaddr_list[0] = o->server;
    }
    return 0;
}

/* Whether the file decides. What could not be read whole decides too, as a failure: an entry that
 * was missed would let a name server speak for it. */
static bool ask_hosts(const char *name, struct fetch_answer *ret)
{
    _cleanup_(close_p) int fd = open(HOSTS_FILE, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *text = malloc(HOSTS_BYTES_MAX);
    size_t len = 0;
    for (ssize_t n; fd >= 0 && text && len < HOSTS_BYTES_MAX; len += (size_t)n) {
        n = read(fd, text + len, HOSTS_BYTES_MAX - len);
        if (n <= 0)
            break;
    }
    if (len == HOSTS_BYTES_MAX || (len > 0 && !resolve_read_hosts(text, len, name, ret)))
        set_error(ret, "too-many");
    return ret->n > 0 || ret->outcome == FETCH_ERROR;
}

static void ask_servers(const char *name, const struct resolve_options *o, struct fetch_answer *ret)
{
    static const int types[] = {ns_t_a, ns_t_aaaa};
    struct __res_state rs;
    _cleanup_free_ uint8_t *answer = malloc(ANSWER_BYTES);
    memset(&rs, 0, sizeof(rs));
    if (!answer || open_resolver(&rs, o) < 0) {
        set_error(ret, "failed");
        return;
    }
    /* Half an answer is none: the addresses of the other family would seem to be gone. */
    for (size_t i = 0; i < ARRAY_SIZE(types) && ret->outcome != FETCH_ERROR; i++) {
        const char *fault = fault_of(ask(&rs, name, types[i], answer, ret));
        if (fault)
            set_error(ret, fault);
    }
    res_nclose(&rs);
}

void resolve_name(const char *name, const struct resolve_options *o, struct fetch_answer *ret)
{
    *ret = (struct fetch_answer){.outcome = FETCH_FOUND, .ttl_s = FETCH_TTL_MAX_S};
    (void)format_into(ret->name, sizeof(ret->name), "%s", name); /* valid names fit */
    if (ask_hosts(ret->name, ret)) {
        ret->ttl_s = 1; /* the file says nothing about it: the least there is */
        return;
    }
    ask_servers(ret->name, o, ret);
    if (ret->ttl_s == 0) /* "do not keep" (RFC 1035 3.2.1): no lifetime is zero here */
        ret->ttl_s = 1;
    if (ret->outcome == FETCH_FOUND && ret->n == 0)
        ret->outcome = FETCH_ABSENT;
}
