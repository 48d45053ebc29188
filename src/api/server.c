/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/server.c: life of the server and its place in the event loop. Called by portwardd.
 * libmicrohttpd runs with its own epoll descriptor, which is one source of the caller's loop; a
 * timer follows MHD_get_timeout() after every run, with an accuracy of 1 us. (Without it
 * pipelined requests stall and half-open clients stay; with sd-event's default accuracy of
 * 250 ms a body of 16 MB takes minutes. Both measured, both have a test.) */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "daemon.h"
#include "listen.h"

enum {
    IDLE_TIMEOUT_S = 5,
    REQUEST_TIMEOUT_S = 60,
    /* Head of a request and one piece of its body; larger pieces make large bodies faster. */
    CONNECTION_BYTES = 128 * 1024,
    TIMER_ACCURACY_US = 1,
    /* Above our own limit, so that newcomers are accepted while others are being closed. */
    SPARE_CONNECTIONS = 64,
    /* Runs that flush the last answers before the daemon is stopped. */
    LAST_RUNS = 8,
};

uint64_t server_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Whoever sends a request drop by drop never is idle: his connection ends here. Returns the
 * time until the next one is due. */
static uint64_t end_overdue(struct api_server *s)
{
    uint64_t now = server_now_ms(), next = UINT64_MAX;

    for (struct conn *c = s->conns; c; c = c->next) {
        if (c->deadline_ms == 0)
            continue;
        if (c->deadline_ms <= now) {
            conn_end(c);
        } else if (c->deadline_ms - now < next) {
            next = c->deadline_ms - now;
        }
    }
    return next;
}

static void set_timer(struct api_server *s, uint64_t ms)
{
    uint64_t now;

    /* These fail only for a source of another kind or a loop that ended. */
    (void)sd_event_now(sd_event_source_get_event(s->timer), CLOCK_MONOTONIC, &now);
    (void)sd_event_source_set_time(s->timer, now + ms * 1000);
    (void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void arm_timer(struct api_server *s, uint64_t next_ms)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms < next_ms)
        next_ms = ms;
    if (next_ms == UINT64_MAX)
        (void)sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
    else
        set_timer(s, next_ms);
}

void server_kick(struct api_server *s)
{
    set_timer(s, 0);
}

void server_run(struct api_server *s)
{
    bool ended;
    unsigned before;

    /* At its limit libmicrohttpd takes the listening socket out of its epoll set and puts it
     * back only in the run after one that closed connections; nothing else would wake us. */
    do {
        before = s->n_conns;
        (void)MHD_run(s->daemon); /* fails only with another threading mode */
        ended = false;
        while (s->n_conns - s->n_ending > LIMIT_API_CONNECTIONS && conn_make_room(s))
            ended = true;
    } while (s->n_conns < before || ended);
    arm_timer(s, end_overdue(s));
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    server_run(userdata);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    server_run(userdata);
    return 0;
}

void server_expect_parts(struct api_server *s)
{
    /* fails only for a source of another kind or a loop that ended */
    (void)sd_event_source_set_enabled(s->parts, SD_EVENT_ONESHOT);
}

/* Answers in parts are made one after the other, so that not more than one large list is in memory
 * beside those that wait to be read: the oldest one's next part, if there is nothing else to do. */
static int on_parts(sd_event_source *source, void *userdata)
{
    struct api_server *s = userdata;
    struct exchange *oldest = NULL;

    (void)source;
    for (struct exchange *x = s->exchanges; x; x = x->next)
        oldest = x->request.more ? x : oldest;
    if (oldest) {
        exchange_more(oldest);
        server_expect_parts(s);
    }
    return 0;
}

static char *copy_or(const char *given, const char *otherwise)
{
    return strdup(given ? given : otherwise);
}

static int init(struct api_server *s, const struct api_options *o)
{
    s->group_file = copy_or(o->group_file, "/etc/group");
    s->passwd_file = copy_or(o->passwd_file, "/etc/passwd");
    s->admin_group = copy_or(o->admin_group, "portward-admin");
    s->read_group = copy_or(o->read_group, "portward");
    s->request_timeout_ms =
        1000 * (uint64_t)(o->request_timeout_s ? o->request_timeout_s : REQUEST_TIMEOUT_S);
    if (o->socket_path)
        s->path = strdup(o->socket_path);
    else if (asprintf(&s->path, "%s/portward.sock", agent_runtime_dir(s->agent)) < 0)
        s->path = NULL;
    if (sessions_new(&s->sessions) < 0)
        return -ENOMEM;
    return s->group_file && s->passwd_file && s->admin_group && s->read_group && s->path ? 0
                                                                                         : -ENOMEM;
}

static int start_daemon(struct api_server *s, const struct api_options *o, struct diag *d)
{
    unsigned idle = o->idle_timeout_s ? o->idle_timeout_s : IDLE_TIMEOUT_S;

    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, exchange_handle, s,
        MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)LIMIT_API_CONNECTIONS + SPARE_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, idle,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED,
        exchange_completed, s, MHD_OPTION_NOTIFY_CONNECTION, conn_changed, s,
        MHD_OPTION_UNESCAPE_CALLBACK, exchange_unescape, s, MHD_OPTION_END);
    if (!s->daemon)
        return diag_fail(d, DIAG_SYSTEM, "cannot start the server at '%s'", s->path);
    return 0;
}

static int add_sources(struct api_server *s, struct sd_event *event, struct diag *d)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int r = info ? sd_event_add_io(event, &s->io, info->epoll_fd, EPOLLIN, on_io, s) : -EINVAL;

    if (r >= 0)
        r = sd_event_add_time(event, &s->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_US, on_timer, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_defer(event, &s->parts, on_parts, s);
    if (r >= 0)
        r = sd_event_source_set_priority(s->parts, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->parts, SD_EVENT_OFF);
    return r < 0 ? diag_errno(d, r, "cannot add the server to the event loop") : 0;
}

int api_server_start(struct sd_event *event, struct agent *agent, const struct api_options *o,
                     struct diag *d, struct api_server **ret)
{
    _cleanup_(api_server_stopp) struct api_server *s = calloc(1, sizeof(*s));
    struct api_groups groups;
    int r;

    if (!s)
        return diag_errno(d, ENOMEM, "cannot start the server");
    s->listen_fd = -1;
    s->agent = agent;
    r = init(s, o);
    if (r < 0)
        return diag_errno(d, r, "cannot start the server");
    r = api_groups_read(s->group_file, s->admin_group, s->read_group, &groups);
    if (r < 0)
        return diag_errno(d, r, "cannot read '%s'", s->group_file);
    r = api_listen(s->path, &groups, d, &s->listen_fd);
    if (r == 0)
        r = start_daemon(s, o, d);
    if (r == 0)
        r = add_sources(s, event, d);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

static void answer_the_waiting(struct api_server *s)
{
    s->stopping = true;
    for (struct exchange *x = s->exchanges; x; x = x->next)
        exchange_abandon(x);
    for (int i = 0; i < LAST_RUNS; i++)
        (void)MHD_run(s->daemon);
}

struct api_server *api_server_stop(struct api_server *s)
{
    if (!s)
        return NULL;
    s->io = sd_event_source_unref(s->io);
    s->timer = sd_event_source_unref(s->timer);
    s->parts = sd_event_source_unref(s->parts);
    if (s->daemon) {
        answer_the_waiting(s);
        MHD_stop_daemon(s->daemon); /* closes the listening socket, too */
    }
    if (s->listen_fd >= 0) {
        (void)unlink(s->path); /* the next agent replaces it, should this fail */
        if (!s->daemon)
            close_p(&s->listen_fd);
    }
    s->sessions = sessions_free(s->sessions);
    free(s->group_file);
    free(s->passwd_file);
    free(s->admin_group);
    free(s->read_group);
    free(s->path);
    free(s);
    return NULL;
}

void api_server_stopp(struct api_server **s)
{
    *s = api_server_stop(*s);
}
