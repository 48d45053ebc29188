/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apiclient/client.c: one request over the agent's Unix socket. Called by the command line.
 * Everything happens before one deadline on the monotonic clock; the answer is read while the
 * body is still being sent, so that an early refusal (413, 403) is seen instead of a broken
 * pipe. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "apiclient/client.h"
#include "apiclient/http.h"
#include "base/duration.h"
#include "base/limits.h"

enum { ATTEMPTS = 4, PAUSE_MS = 20 };

struct exchange {
    const char *path;
    const struct api_request *request;
    int fd;
    int64_t deadline_ms;
    const char *head;
    size_t head_len, sent; /* sent counts head and body together */
    bool send_closed;      /* the agent stopped reading; its answer may still come */
    bool received;         /* something of an answer */
    struct http_answer *answer;
    struct diag *d;
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void api_answer_done(struct api_answer *a)
{
    free(a->body);
    a->body = NULL;
    a->body_len = 0;
}

/* strerror() begins with a capital letter, our messages do not. */
static void reason(int err, char buf[128])
{
    (void)snprintf(buf, 128, "%s", strerror(err)); /* cut at worst */
    if (buf[0] >= 'A' && buf[0] <= 'Z')
        buf[0] = (char)(buf[0] - 'A' + 'a');
}

static int fail_connect(struct diag *d, const char *path, int err)
{
    char buf[128];

    if (err == EACCES || err == EPERM) {
        (void)diag_fail(d, DIAG_PERMISSION, "no permission to ask the agent (%s)", path);
        diag_hint(d, "run as root or join group 'portward'");
        return -EPERM;
    }
    reason(err, buf);
    (void)diag_fail(d, DIAG_AGENT, "agent not running (%s: %s)", path, buf);
    diag_hint(d, "static policy stays enforced by the kernel; systemctl start portwardd");
    return -err;
}

static int fail_timeout(const struct exchange *x)
{
    char text[DURATION_TEXT_BYTES];

    duration_print((x->request->timeout_ms + 999) / 1000, text);
    (void)diag_fail(x->d, DIAG_AGENT, "agent did not answer within %s (%s)", text, x->path);
    diag_hint(x->d, "wait longer with --timeout; what is in force shows: portward status");
    return -ETIMEDOUT;
}

static int fail_answer(const struct exchange *x, int err)
{
    if (err == -E2BIG)
        return diag_fail(x->d, DIAG_LIMIT, "answer of the agent exceeds %d bytes",
                         LIMIT_API_ANSWER_BYTES);
    if (err == -ENOMEM)
        return diag_errno(x->d, ENOMEM, "cannot read the agent's answer");
    (void)diag_fail(x->d, DIAG_AGENT, "answer of the agent is not understood (%s)", x->path);
    return -EBADMSG;
}

/* Waits for events until the deadline; poll's revents, or an error. */
static int wait_for(const struct exchange *x, short events)
{
    for (;;) {
        struct pollfd p = {.fd = x->fd, .events = events};
        int64_t left = x->deadline_ms - now_ms();
        int r = poll(&p, 1, left > 0 ? (int)left : 0);

        if (r > 0)
            return p.revents;
        if (r == 0)
            return fail_timeout(x);
        if (errno != EINTR)
            return diag_errno(x->d, errno, "cannot wait for the agent");
    }
}

static int open_connection(struct exchange *x)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    if (strlen(x->path) >= sizeof(sa.sun_path)) {
        (void)diag_fail(x->d, DIAG_USAGE, "path of the agent's socket exceeds %zu bytes: '%s'",
                        sizeof(sa.sun_path) - 1, x->path);
        return -ENAMETOOLONG;
    }
    memcpy(sa.sun_path, x->path, strlen(x->path));
    x->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (x->fd < 0)
        return diag_errno(x->d, errno, "cannot make a socket");
    /* A Unix socket connects at once or fails: EAGAIN means that the agent's queue is full. */
    while (connect(x->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return fail_connect(x->d, x->path, errno);
        if (now_ms() >= x->deadline_ms)
            return fail_timeout(x);
        (void)poll(NULL, 0, 10); /* only a pause before the next attempt */
    }
    return 0;
}

/* Sends what the socket takes now. */
static int send_some(struct exchange *x)
{
    const struct api_request *r = x->request;
    bool in_head = x->sent < x->head_len;
    const char *p = in_head ? x->head + x->sent : r->body + (x->sent - x->head_len);
    size_t n = in_head ? x->head_len - x->sent : r->body_len - (x->sent - x->head_len);
    ssize_t done = send(x->fd, p, n, MSG_NOSIGNAL | (in_head && r->body_len ? MSG_MORE : 0));

    if (done >= 0) {
        x->sent += (size_t)done;
        return 0;
    }
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    if (errno == EPIPE || errno == ECONNRESET) {
        x->send_closed = true;
        return 0;
    }
    return diag_errno(x->d, errno, "cannot send to the agent");
}

/* 1 when the answer is complete. */
static int receive_some(struct exchange *x)
{
    char buf[64 * 1024];
    ssize_t n = recv(x->fd, buf, sizeof(buf), 0);
    int r;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        (void)diag_fail(x->d, DIAG_AGENT, "agent closed the connection without an answer (%s)",
                        x->path);
        diag_hint(x->d, "what is in force shows: portward status");
        return -ECONNRESET;
    }
    x->received = true;
    r = http_answer_feed(x->answer, buf, (size_t)n);
    return r < 0 ? fail_answer(x, r) : r;
}

static int run_exchange(struct exchange *x)
{
    size_t total = x->head_len + x->request->body_len;

    for (;;) {
        bool sending = !x->send_closed && x->sent < total;
        int events = wait_for(x, (short)(POLLIN | (sending ? POLLOUT : 0)));
        int r = 0;

        if (events < 0)
            return events;
        if (events & (POLLIN | POLLHUP | POLLERR)) {
            r = receive_some(x);
            if (r != 0)
                return r < 0 ? r : 0;
        }
        if (sending && (events & POLLOUT))
            r = send_some(x);
        if (r < 0)
            return r;
    }
}

static int build_head(const struct api_request *r, struct strbuf *head)
{
    (void)strbuf_addf(head,
                      "%s %s HTTP/1.1\r\nHost: portward\r\nUser-Agent: portward/" PORTWARD_VERSION
                      "\r\nConnection: close\r\n",
                      r->method, r->target);
    if (r->body)
        (void)strbuf_addf(head, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                          r->text ? API_TEXT_TYPE : "application/json", r->body_len);
    return strbuf_add(head, "\r\n"); /* the error of all three is sticky */
}

/* An agent with too many connections closes those that have not asked yet (docs/api.md, Limits).
 * A question can be asked again whatever became of it, anything else only if none of it was sent.
 */
static bool may_repeat(const struct exchange *x)
{
    return !x->received && (x->sent == 0 || strcmp(x->request->method, "GET") == 0);
}

static int try_once(struct exchange *x)
{
    _cleanup_(close_p) int fd = -1;
    int err = open_connection(x);

    fd = x->fd;
    return err < 0 ? err : run_exchange(x);
}

int api_client_call(const char *socket_path, const struct api_request *r, struct diag *d,
                    struct api_answer *ret)
{
    _cleanup_(strbuf_done) struct strbuf head = STRBUF_INIT(HTTP_HEAD_BYTES);
    _cleanup_(http_answer_freep) struct http_answer *answer = NULL;
    struct exchange x = {.path = socket_path,
                         .request = r,
                         .fd = -1,
                         .deadline_ms = now_ms() + r->timeout_ms,
                         .d = d};
    int err = http_answer_new(LIMIT_API_ANSWER_BYTES, &answer);

    if (err < 0)
        return diag_errno(d, err, "cannot ask the agent");
    if (build_head(r, &head) < 0)
        return diag_fail(d, DIAG_USAGE, "request is too long");
    x.answer = answer;
    x.head = head.s;
    x.head_len = head.len;
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        x.sent = 0;
        x.send_closed = false;
        err = try_once(&x);
        if (err != -ECONNRESET || !may_repeat(&x))
            break;
        (void)poll(NULL, 0, PAUSE_MS << i); /* only a pause before the next attempt */
    }
    if (err < 0)
        return err;
    ret->status = http_answer_status(answer);
    ret->body = http_answer_take_body(answer, &ret->body_len);
    return ret->body ? 0 : diag_errno(d, ENOMEM, "cannot read the agent's answer");
}
