/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/fetch_link.c: listens for portward-fetch and exchanges lines with it.
 * Called by resolver.c. Invariants: at most one connection, the newest (a restarted fetcher must
 * not wait for a hung one); nothing it sends makes the agent allocate, wait, or read more than
 * READ_BYTES in one turn of the loop. */
#include "fetch_link.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FETCH_USER "portward-fetch"
enum {
    READ_BYTES = 65536,
    OUT_BYTES_MAX = 1024 * 1024, /* LIMIT_NAMES requests need 260 KB */
    /* All names once at connection, then at most one a minute each, with room to spare. */
    LINES_BURST = 4 * LIMIT_NAMES,
    LINES_PER_S = 100,
};

struct fetch_link {
    sd_event *event; /* borrowed */
    char *path;
    const struct fetch_link_ops *ops;
    void *u;
    uid_t user;
    bool has_user;
    int listen_fd, fd; /* fd -1: nobody is connected */
    sd_event_source *listener, *io;
    bool greeted;
    struct fetch_buffer in;
    struct strbuf out;
    size_t out_at;
    uint64_t lines_left, filled_s;
};

static uint64_t now_s(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_BOOTTIME, &t) < 0 ? 0 : (uint64_t)t.tv_sec;
}

static void hang_up(struct fetch_link *l, const char *reason)
{
    bool was_up = l->greeted;
    l->io = sd_event_source_disable_unref(l->io);
    close_p(&l->fd);
    l->fd = -1;
    l->greeted = false;
    l->in.n = 0;
    strbuf_done(&l->out);
    l->out = (struct strbuf)STRBUF_INIT(OUT_BYTES_MAX);
    l->out_at = 0;
    if (was_up)
        l->ops->down(l->u, reason);
}

/* The rate outlives connections, so that connecting again buys nothing. */
static bool take_line(struct fetch_link *l)
{
    uint64_t now = now_s(), more = (now - l->filled_s) * LINES_PER_S;
    l->filled_s = now;
    l->lines_left = l->lines_left + more > LINES_BURST ? LINES_BURST : l->lines_left + more;
    if (l->lines_left == 0)
        return false;
    l->lines_left--;
    return true;
}

/* NULL, or why the connection must end. */
static const char *handle_line(struct fetch_link *l, const char *line, size_t len)
{
    struct fetch_answer a;
    if (!take_line(l))
        return "too many lines";
    if (!l->greeted) {
        if (strcmp(line, FETCH_HELLO) != 0)
            return "another version";
        l->greeted = true;
        l->ops->up(l->u);
        return NULL;
    }
    if (fetch_answer_parse(line, len, &a) < 0)
        return "malformed line";
    l->ops->answer(l->u, &a);
    return NULL;
}

static const char *handle_lines(struct fetch_link *l)
{
    char line[FETCH_LINE_BYTES];
    size_t len;
    const char *why = NULL;
    int r = 1;
    while (!why && l->fd >= 0 && (r = fetch_buffer_line(&l->in, line, &len)) == 1)
        why = handle_line(l, line, len);
    return why ? why : r < 0 ? "line too long" : NULL;
}

/* NULL, or why the connection must end. */
static const char *receive(struct fetch_link *l)
{
    for (size_t got = 0; got < READ_BYTES && l->fd >= 0;) {
        ssize_t n = read(l->fd, l->in.data + l->in.n, sizeof(l->in.data) - l->in.n);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return NULL;
        if (n < 0)
            return strerror(errno);
        if (n == 0)
            return "closed";
        l->in.n += (size_t)n;
        got += (size_t)n;
        const char *why = handle_lines(l);
        if (why)
            return why;
    }
    return NULL;
}

static const char *flush_out(struct fetch_link *l)
{
    while (l->out_at < l->out.len) {
        ssize_t n = send(l->fd, l->out.s + l->out_at, l->out.len - l->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return strerror(errno);
        l->out_at += (size_t)n;
    }
    bool all = l->out_at == l->out.len;
    if (all) {
        strbuf_done(&l->out);
        l->out = (struct strbuf)STRBUF_INIT(OUT_BYTES_MAX);
        l->out_at = 0;
    }
    int err = sd_event_source_set_io_events(l->io, all ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return err < 0 ? strerror(-err) : NULL;
}

static int on_io(sd_event_source *s _unused_, int fd _unused_, uint32_t events, void *userdata)
{
    struct fetch_link *l = userdata;
    const char *why = NULL;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        why = receive(l);
    if (!why && l->fd >= 0 && events & EPOLLOUT)
        why = flush_out(l);
    if (why)
        hang_up(l, why);
    return 0;
}

static bool may_connect(const struct fetch_link *l, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    return peer.uid == 0 || (l->has_user && peer.uid == l->user);
}

static int on_connection(sd_event_source *s _unused_, int listen_fd, uint32_t events _unused_,
                         void *userdata)
{
    struct fetch_link *l = userdata;
    _cleanup_(close_p) int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || !may_connect(l, fd))
        return 0; /* gone again, or none of ours */
    hang_up(l, "replaced by a newer one");
    int err = sd_event_add_io(l->event, &l->io, fd, EPOLLIN, on_io, l);
    if (err < 0)
        return 0; /* out of memory: it will try again */
    l->fd = TAKE_FD(fd);
    (void)strbuf_add(&l->out, FETCH_HELLO "\n"); /* an error shows as a line that never comes */
    const char *why = flush_out(l);
    if (why)
        hang_up(l, why);
    return 0;
}

bool fetch_link_is_up(const struct fetch_link *l)
{
    return l && l->greeted;
}

void fetch_link_send(struct fetch_link *l, enum fetch_verb v, const char *name)
{
    if (!fetch_link_is_up(l))
        return;
    if (fetch_request_print(v, name, &l->out) < 0) {
        (void)shutdown(l->fd, SHUT_RDWR); /* does not read: on_io() sees the end */
        return;
    }
    if (sd_event_source_set_io_events(l->io, EPOLLIN | EPOLLOUT) < 0)
        (void)shutdown(l->fd, SHUT_RDWR); /* the same */
}

/* --- life --- */
static void find_user(struct fetch_link *l)
{
    struct passwd *p = getpwnam(FETCH_USER);
    l->has_user = p && p->pw_uid != 0;
    l->user = l->has_user ? p->pw_uid : 0;
}

static int listen_at(struct fetch_link *l, struct diag *d)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(l->path) >= sizeof(sa.sun_path))
        return diag_fail(d, DIAG_USAGE, "path of the socket exceeds %zu bytes: '%s'",
                         sizeof(sa.sun_path) - 1, l->path);
    memcpy(sa.sun_path, l->path, strlen(l->path));
    /* The directory is locked by this agent: what is there is of a dead one. */
    if (unlink(l->path) < 0 && errno != ENOENT)
        return diag_errno(d, errno, "cannot remove '%s'", l->path);
    l->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->listen_fd < 0)
        return diag_errno(d, errno, "cannot make a socket");
    mode_t mask = umask(0177);
    int r = bind(l->listen_fd, (const struct sockaddr *)&sa, sizeof(sa)), e = errno;
    (void)umask(mask); /* cannot fail */
    if (r < 0)
        return diag_errno(d, e, "cannot bind '%s'", l->path);
    if ((l->has_user && lchown(l->path, l->user, (gid_t)-1) < 0) || listen(l->listen_fd, 4) < 0)
        return diag_errno(d, errno, "cannot listen at '%s'", l->path);
    return 0;
}

int fetch_link_new(sd_event *event, const char *dir, const struct fetch_link_ops *ops, void *u,
                   struct diag *d, struct fetch_link **ret)
{
    struct strbuf path = STRBUF_INIT(4096);
    struct fetch_link *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->event = event;
    l->ops = ops;
    l->u = u;
    l->fd = l->listen_fd = -1;
    l->out = (struct strbuf)STRBUF_INIT(OUT_BYTES_MAX);
    l->filled_s = now_s();
    l->lines_left = LINES_BURST;
    find_user(l);
    int err = strbuf_addf(&path, "%s/" FETCH_SOCKET_NAME, dir);
    l->path = strbuf_take(&path);
    if (err == 0)
        err = l->path ? listen_at(l, d) : -ENOMEM;
    if (err == 0)
        err = sd_event_add_io(event, &l->listener, l->listen_fd, EPOLLIN, on_connection, l);
    if (err < 0) {
        fetch_link_free(l);
        return err;
    }
    *ret = l;
    return 0;
}

struct fetch_link *fetch_link_free(struct fetch_link *l)
{
    if (!l)
        return NULL;
    sd_event_source_disable_unref(l->io);
    sd_event_source_disable_unref(l->listener);
    close_p(&l->fd);
    if (l->listen_fd >= 0 && l->path)
        (void)unlink(l->path); /* a rest is removed by the next agent */
    close_p(&l->listen_fd);
    strbuf_done(&l->out);
    free(l->path);
    free(l);
    return NULL;
}
