/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fetch/session.c: keeps the answers about all names of the agent fresh.
 * Called by main.c. Each question runs in a child process of its own, so that a server that
 * stalls holds up at most one of CHILDREN_MAX places, and a broken answer breaks only the child.
 * Invariants: at most LIMIT_NAMES names, CHILDREN_MAX children, CHILD_MS per child; a name is
 * asked again when its lifetime ends, never earlier than the minimum, except when the agent asks
 * anew. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CHILDREN_MAX = 8,
    CHILDREN_RESERVED = 2, /* of these, for names without an answer: somebody waits for it */
    CHILD_MS = 6500,       /* below what the agent waits for a first answer (8 s) */
    MAX_TTL_S = 3600,
    RETRY_S = 5, /* after a failure, doubled up to the minimum lifetime */
    SEND_TIMEOUT_S = 5,
};

struct wanted {
    char *name;
    uint64_t due_ms; /* 0 = at once */
    bool running;
    uint32_t failures;
};
struct child {
    pid_t pid;
    int fd; /* -1 = free place */
    char name[LIMIT_NAME_BYTES + 1];
    uint64_t deadline_ms;
    struct fetch_buffer in;
};
struct session {
    const struct session_options *o;
    int fd;
    bool greeted, ended;
    struct fetch_buffer in;
    struct wanted *v;
    size_t n, cap;
    struct child child[CHILDREN_MAX];
};

static uint64_t now_ms(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_BOOTTIME, &t) < 0)
        return 0; /* exists since Linux 2.6.39 */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- names --- */
static struct wanted *find(struct session *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i].name, name) == 0)
            return &s->v[i];
    return NULL;
}

static void want(struct session *s, const char *name)
{
    struct wanted *w = find(s, name);
    if (w) {
        w->due_ms = 0;
        return;
    }
    char *copy = s->n < LIMIT_NAMES ? strdup(name) : NULL;
    if (!copy || array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v)) < 0) {
        free(copy);
        s->ended = true; /* the agent never has more; it connects anew */
        return;
    }
    s->v[s->n++] = (struct wanted){.name = copy};
}

static void drop(struct session *s, const char *name)
{
    struct wanted *w = find(s, name);
    if (!w)
        return;
    free(w->name);
    *w = s->v[--s->n];
}

/* --- lines --- */
static void send_answer(struct session *s, const struct fetch_answer *a)
{
    _cleanup_(strbuf_done) struct strbuf line = STRBUF_INIT(FETCH_LINE_BYTES);
    if (fetch_answer_print(a, &line) < 0)
        return; /* no memory: asked again later */
    for (size_t at = 0; at < line.len && !s->ended;) {
        ssize_t n = send(s->fd, line.s + at, line.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            s->ended = true;
        at += n > 0 ? (size_t)n : 0;
    }
}

static void handle_line(struct session *s, const char *line, size_t len)
{
    struct fetch_request q;
    if (!s->greeted) {
        s->greeted = strcmp(line, FETCH_HELLO) == 0;
        s->ended = !s->greeted;
        return;
    }
    if (fetch_request_parse(line, len, &q) < 0) {
        s->ended = true;
        return;
    }
    switch (q.verb) {
    case FETCH_WANT:
        want(s, q.name);
        break;
    case FETCH_DROP:
        drop(s, q.name);
        break;
    case _FETCH_VERB_MAX:
        break;
    }
}

static void receive(struct session *s)
{
    char line[FETCH_LINE_BYTES];
    size_t len;
    int r = 0;
    ssize_t n = recv(s->fd, s->in.data + s->in.n, sizeof(s->in.data) - s->in.n, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        s->ended = true;
        return;
    }
    s->in.n += (size_t)n;
    while (!s->ended && (r = fetch_buffer_line(&s->in, line, &len)) == 1)
        handle_line(s, line, len);
    s->ended |= r < 0;
}

/* --- children --- */
/* In the child: one question, one line, the end. Nothing of the agent's connection is left. */
static void __attribute__((noreturn))
child_main(int out, const char *name, const struct resolve_options *o)
{
    struct fetch_answer a;
    _cleanup_(strbuf_done) struct strbuf line = STRBUF_INIT(FETCH_LINE_BYTES);
    const struct rlimit cpu = {5, 5};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(out, STDIN_FILENO) < 0 ||
        close_range(STDERR_FILENO + 1, ~0U, 0) < 0 || setrlimit(RLIMIT_CPU, &cpu) < 0)
        _exit(1);
    resolve_name(name, o, &a);
    if (fetch_answer_print(&a, &line) < 0)
        _exit(1);
    _exit(write(STDIN_FILENO, line.s, line.len) == (ssize_t)line.len ? 0 : 1);
}

static void start_child(struct session *s, struct child *c, struct wanted *w)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return; /* tried again at the next turn */
    pid_t pid = fork();
    if (pid == 0)
        child_main(fds[1], w->name, &s->o->resolve);
    close_p(&fds[1]);
    if (pid < 0) {
        close_p(&fds[0]);
        return;
    }
    c->pid = pid;
    c->fd = fds[0];
    c->in.n = 0;
    (void)format_into(c->name, sizeof(c->name), "%s", w->name); /* fits */
    c->deadline_ms = now_ms() + CHILD_MS;
    w->running = true;
}

static void set_next_time(const struct session *s, struct wanted *w, struct fetch_answer *a)
{
    uint32_t min = s->o->min_ttl_s, wait = min;
    if (a->outcome == FETCH_FOUND) {
        w->failures = 0;
        a->ttl_s = a->ttl_s < min ? min : a->ttl_s > MAX_TTL_S ? MAX_TTL_S : a->ttl_s;
        wait = a->ttl_s;
    } else if (a->outcome == FETCH_ERROR) {
        wait = w->failures < 4 ? (uint32_t)RETRY_S << w->failures : min;
        wait = wait < min ? wait : min;
        w->failures++;
    }
    w->due_ms = now_ms() + (uint64_t)wait * 1000;
}

/* fault NULL: what the child wrote; it is believed as little as the network. */
static void end_child(struct session *s, struct child *c, const char *fault)
{
    struct fetch_answer a;
    char line[FETCH_LINE_BYTES];
    size_t len;
    (void)kill(c->pid, SIGKILL); /* mostly gone already */
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close_p(&c->fd);
    c->fd = -1;
    struct wanted *w = find(s, c->name);
    if (!w)
        return;
    w->running = false;
    if (fault || fetch_buffer_line(&c->in, line, &len) != 1 ||
        fetch_answer_parse(line, len, &a) < 0 || strcmp(a.name, c->name) != 0) {
        a = (struct fetch_answer){.outcome = FETCH_ERROR};
        (void)format_into(a.name, sizeof(a.name), "%s", c->name);
        (void)format_into(a.reason, sizeof(a.reason), "%s", fault ? fault : "failed");
    }
    set_next_time(s, w, &a);
    send_answer(s, &a);
}

static void read_child(struct session *s, struct child *c)
{
    for (;;) {
        ssize_t n = read(c->fd, c->in.data + c->in.n, sizeof(c->in.data) - c->in.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0) {
            c->in.n += (size_t)n;
            if (c->in.n < sizeof(c->in.data))
                continue;
        }
        end_child(s, c, NULL);
        return;
    }
}

/* The name that is due for longest; names without an answer come first. */
static struct wanted *next_due(struct session *s, uint64_t now)
{
    struct wanted *best = NULL;
    for (size_t i = 0; i < s->n; i++) {
        struct wanted *w = &s->v[i];
        if (!w->running && w->due_ms <= now && (!best || w->due_ms < best->due_ms))
            best = w;
    }
    return best;
}

static size_t count_free(const struct session *s)
{
    size_t n = 0;
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        n += s->child[i].fd < 0;
    return n;
}

static void start_children(struct session *s)
{
    uint64_t now = now_ms();
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->child[i];
        struct wanted *w = c->fd < 0 ? next_due(s, now) : NULL;
        if (w && (w->due_ms == 0 || count_free(s) > CHILDREN_RESERVED))
            start_child(s, c, w);
    }
}

/* --- loop --- */
static int wait_ms(const struct session *s)
{
    uint64_t now = now_ms(), next = now + 60000;
    size_t room = count_free(s);
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (s->child[i].fd >= 0 && s->child[i].deadline_ms < next)
            next = s->child[i].deadline_ms;
    for (size_t i = 0; room > 0 && i < s->n; i++) {
        const struct wanted *w = &s->v[i];
        if (!w->running && w->due_ms < next && (w->due_ms == 0 || room > CHILDREN_RESERVED))
            next = w->due_ms;
    }
    /* A child that could not be started is tried again after a moment. */
    return next > now ? (int)(next - now) : 50;
}

static void turn(struct session *s)
{
    struct pollfd p[CHILDREN_MAX + 1] = {{.fd = s->fd, .events = POLLIN}};
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        p[i + 1] = (struct pollfd){.fd = s->child[i].fd, .events = POLLIN};
    if (poll(p, ARRAY_SIZE(p), wait_ms(s)) < 0) {
        s->ended = errno != EINTR;
        return;
    }
    if (p[0].revents)
        receive(s);
    uint64_t now = now_ms();
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->child[i];
        if (c->fd >= 0 && p[i + 1].revents)
            read_child(s, c);
        if (c->fd >= 0 && now >= c->deadline_ms)
            end_child(s, c, "timeout");
    }
    start_children(s);
}

void session_run(int fd, const struct session_options *o)
{
    struct session s = {.o = o, .fd = fd};
    const struct timeval patience = {.tv_sec = SEND_TIMEOUT_S};
    static const char hello[] = FETCH_HELLO "\n";
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        s.child[i].fd = -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        send(fd, hello, strlen(hello), MSG_NOSIGNAL) != (ssize_t)strlen(hello))
        s.ended = true;
    while (!s.ended)
        turn(&s);
    for (size_t i = 0; i < s.n; i++)
        free(s.v[i].name);
    s.n = 0;
    for (size_t i = 0; i < CHILDREN_MAX; i++)
        if (s.child[i].fd >= 0)
            end_child(&s, &s.child[i], "failed");
    free(s.v);
    close_p(&fd);
}
