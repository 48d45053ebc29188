/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/exchange.c: the callbacks of libmicrohttpd: a request comes in piece by piece, is run by
 * routes.c, and its answer is queued. Called by libmicrohttpd inside server_run().
 *
 * The first call for a request only says MHD_YES, the answer is queued in a later one: queuing
 * at once closes a keep-alive connection after one request (measured). The exception is a body
 * announced as too large, where closing is what we want. A refused request keeps nothing of its
 * body. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/events.h"
#include "apiclient/client.h"
#include "base/limits.h"
#include "daemon.h"

enum {
    DENIED_PER_MINUTE = 10,
    /* Bodies of all requests together: one of the largest kind twice over. */
    BODIES_MAX_FACTOR = 2,
    /* Below this a body is taken in any case: whoever fills the memory for bodies must not keep
     * others from blocking something. All connections together need 8 MiB for these. */
    BODY_ALWAYS_BYTES = 64 * 1024,
};

/* From inside the agent: only asks for a run of the server, which may queue further changes. */
static void exchange_wake(struct request *r)
{
    struct exchange *x = (struct exchange *)(void *)r; /* its first member */

    MHD_resume_connection(x->mhd);
    server_kick(x->conn->server);
}

static struct exchange *exchange_free(struct exchange *x)
{
    if (!x)
        return NULL;
    if (x->prev)
        x->prev->next = x->next;
    else
        x->conn->server->exchanges = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->conn->server->body_bytes -= x->body_cap;
    x->conn->server->answer_bytes -= x->answer_bytes;
    request_done(&x->request);
    free(x->body);
    free(x);
    return NULL;
}

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* The label in the audit trail; a client may call itself what it likes. */
static const char *client_name(struct MHD_Connection *mhd)
{
    const char *agent = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "User-Agent");

    return agent && strncmp(agent, "portward/", strlen("portward/")) == 0 ? "cli" : "api";
}

static struct exchange *exchange_new(struct MHD_Connection *mhd)
{
    struct conn *c = conn_of(mhd);
    struct exchange *x = c ? calloc(1, sizeof(*x)) : NULL;

    if (!x)
        return NULL;
    c->begun = true;
    x->conn = c;
    x->mhd = mhd;
    x->request.agent = c->server->agent;
    x->request.sessions = c->server->sessions;
    x->request.peer = &c->peer;
    x->request.right = c->right;
    x->request.client = client_name(mhd);
    x->request.wake = exchange_wake;
    x->next = c->server->exchanges;
    if (x->next)
        x->next->prev = x;
    c->server->exchanges = x;
    return x;
}

/* Anybody who may connect can cause these: a few per minute are enough to see him. */
static void log_denied(struct exchange *x, const char *method)
{
    struct api_server *s = x->conn->server;
    uint64_t now = server_now_ms();
    char uid[16];

    if (now - s->denied_ms >= 60 * 1000) {
        s->denied_ms = now;
        s->denied = DENIED_PER_MINUTE;
    }
    if (s->denied == 0)
        return;
    s->denied--;
    (void)snprintf(uid, sizeof(uid), "%u", x->conn->peer.uid);
    event_log(EV_PERMISSION_DENIED, "UID", uid, "METHOD", method, "REQUEST", x->request.route->path,
              NULL);
}

static enum MHD_Result take_query(void *cls, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    struct exchange *x = cls;

    (void)kind;
    x->refused = params_from_query(&x->request, key, value) < 0;
    return x->refused ? MHD_NO : MHD_YES;
}

static void refuse_too_large(struct exchange *x)
{
    (void)diag_fail(&x->request.diag, DIAG_LIMIT, "body exceeds %zu bytes", x->body_max);
    x->request.status = 413;
    x->refused = true;
}

static bool announced_too_large(struct exchange *x)
{
    const char *text =
        MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    /* libmicrohttpd has checked that it is a number that fits 64 bits. */
    return text && strtoull(text, NULL, 10) > x->body_max;
}

static bool announces_text(struct exchange *x)
{
    const char *type =
        MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t n = strlen(API_TEXT_TYPE);

    return type && strncasecmp(type, API_TEXT_TYPE, n) == 0 && strchr("; \t", type[n]);
}

/* Everything that can be decided before the body is here. */
static void begin(struct exchange *x, const char *method, const char *url)
{
    struct request *r = &x->request;

    x->body_max = 64 * 1024; /* of a request that is refused anyway */
    if (route_find(r, method, url) < 0) {
        x->refused = true;
        return;
    }
    if (r->route->body_max > x->body_max)
        x->body_max = r->route->body_max;
    if (route_authorise(r) < 0) {
        log_denied(x, method);
        x->refused = true;
        return;
    }
    r->text_body = route_takes_text(r) && announces_text(x);
    if (r->route->body_max == 0 || r->text_body)
        (void)MHD_get_connection_values(x->mhd, MHD_GET_ARGUMENT_KIND, take_query, x);
    else if (MHD_get_connection_values(x->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL) > 0) {
        (void)diag_fail(&r->diag, DIAG_USAGE, "this request takes its members in the body");
        x->refused = true;
    }
}

/* Answers that their askers do not read stay in memory: all together they are bounded, too. */
static void count_answer(struct exchange *x)
{
    struct api_server *s = x->conn->server;
    struct request *r = &x->request;

    if (s->answer_bytes > 0 && s->answer_bytes + r->answer.len > LIMIT_API_ANSWER_BYTES) {
        (void)diag_fail(&r->diag, DIAG_AGENT, "too many large answers at once");
        diag_hint(&r->diag, "ask again when the others are read");
        r->status = 0;
        answer_diag(r);
    }
    x->answer_bytes = r->answer.len;
    s->answer_bytes += x->answer_bytes;
}

static enum MHD_Result queue_answer(struct exchange *x)
{
    struct request *r = &x->request;
    struct MHD_Response *response;
    enum MHD_Result result;
    size_t len;

    count_answer(x);
    len = r->answer.len;
    /* Who takes it drop by drop is not idle either. */
    conn_expect(x->conn);
    if (r->answer.s)
        response = MHD_create_response_from_buffer(len, r->answer.s, MHD_RESPMEM_MUST_FREE);
    else {
        union {
            const char *in;
            void *out;
        } text = {.in = answer_fallback(&len)}; /* persistent: never written to */

        response = MHD_create_response_from_buffer(len, text.out, MHD_RESPMEM_PERSISTENT);
    }
    if (!response)
        return MHD_NO;
    r->answer = (struct strbuf){0}; /* the response owns it now */
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    result = MHD_queue_response(x->mhd, r->status, response);
    MHD_destroy_response(response);
    return result;
}

static void take_body(struct exchange *x, const char *data, size_t size)
{
    struct api_server *s = x->conn->server;
    size_t before = x->body_cap;

    if (x->refused)
        return;
    if (x->body_seen > x->body_max) {
        refuse_too_large(x);
    } else if (array_reserve(&x->body, &x->body_cap, x->body_len + size + 1, 1) < 0 ||
               (x->body_cap > BODY_ALWAYS_BYTES &&
                s->body_bytes + (x->body_cap - before) >
                    (size_t)BODIES_MAX_FACTOR * LIMIT_API_BODY_BYTES)) {
        (void)diag_fail(&x->request.diag, DIAG_SYSTEM, "too many large requests at once");
        x->refused = true;
    }
    s->body_bytes += x->body_cap - before;
    if (!x->refused) {
        memcpy(x->body + x->body_len, data, size);
        x->body_len += size;
        x->body[x->body_len] = '\0';
        return;
    }
    s->body_bytes -= x->body_cap;
    free(x->body);
    x->body = NULL;
    x->body_len = x->body_cap = 0;
}

/* The request is complete: run it. */
static void run(struct exchange *x)
{
    struct request *r = &x->request;

    x->conn->deadline_ms = 0;
    if (x->conn->server->stopping && !x->refused) {
        (void)diag_fail(&r->diag, DIAG_AGENT, "agent is stopping");
        x->refused = true;
    }
    if (r->text_body)
        r->given_text = TAKE_PTR(x->body);
    const char *body = r->text_body ? r->given_text : x->body;
    if (x->refused)
        answer_diag(r);
    else
        route_run(r, body ? body : "", x->body_len);
    /* The text itself is not needed any more. What was made of it is, while a change waits: until
     * then it counts as before. */
    free(TAKE_PTR(r->given_text));
    free(TAKE_PTR(x->body));
    x->body_len = 0;
    if (r->more)
        server_expect_parts(x->conn->server);
    if (r->waiting)
        return;
    x->conn->server->body_bytes -= x->body_cap;
    x->body_cap = 0;
}

enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **con_cls)
{
    struct exchange *x = *con_cls;

    (void)cls;
    (void)version;
    if (!x) {
        x = exchange_new(mhd);
        if (!x)
            return MHD_NO;
        *con_cls = x;
        begin(x, method, url);
        if (!announced_too_large(x))
            return MHD_YES;
        refuse_too_large(x);
        answer_diag(&x->request);
        return queue_answer(x);
    }
    if (*size > 0) {
        x->body_seen += *size;
        take_body(x, data, *size);
        *size = 0;
        /* Without a length nobody could refuse at once; do not read on for ever either. */
        return x->body_seen > 2 * x->body_max ? MHD_NO : MHD_YES;
    }
    if (!x->request.answered && !x->request.waiting)
        run(x);
    if (x->request.answered)
        return queue_answer(x);
    MHD_suspend_connection(mhd);
    return MHD_YES;
}

void exchange_abandon(struct exchange *x)
{
    struct request *r = &x->request;

    if (!r->waiting)
        return;
    agent_forget(r->agent, r->change_id);
    r->waiting = false;
    (void)diag_fail(&r->diag, DIAG_AGENT, "agent is stopping%s",
                    r->more ? "" : ", the change may still be made");
    r->more = NULL;
    answer_diag(r);
    MHD_resume_connection(x->mhd);
}

void exchange_more(struct exchange *x)
{
    struct request *r = &x->request;
    int e = r->more(r);

    if (e > 0)
        return;
    r->more = NULL;
    r->waiting = false;
    if (e < 0)
        answer_diag(r);
    r->wake(r);
}

void exchange_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                        enum MHD_RequestTerminationCode why)
{
    struct exchange *x = *con_cls;

    (void)cls;
    (void)mhd;
    (void)why;
    if (!x)
        return;
    if (x->request.waiting)
        agent_forget(x->request.agent, x->request.change_id);
    if (x->request.stop_agent && agent_stop(x->request.agent) < 0)
        event_log(EV_AGENT_FAILED, "ERROR", "out of memory", NULL);
    x->conn->begun = false;
    conn_expect(x->conn);
    *con_cls = exchange_free(x);
}

/* Paths and values are decoded by routes.c, segment by segment, so that an encoded '/' stays
 * part of a name. */
size_t exchange_unescape(void *cls, struct MHD_Connection *mhd, char *s)
{
    (void)cls;
    (void)mhd;
    return strlen(s);
}
