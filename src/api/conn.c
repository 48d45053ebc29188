/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/conn.c: accepted connections: who is at the other end, until when he must have done what
 * is his to do, and who has to go when there are too many. Called by libmicrohttpd and by
 * exchange.c. Invariant: whoever holds a connection without a complete request, silent or drop
 * by drop, never keeps anybody else out: beyond the limit he goes first. */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon.h"

void conn_expect(struct conn *c)
{
    if (!c->ending)
        c->deadline_ms = server_now_ms() + c->server->request_timeout_ms;
}

void conn_end(struct conn *c)
{
    if (c->ending)
        return;
    (void)shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd sees the end and closes it */
    c->deadline_ms = 0;
    c->ending = true;
    c->server->n_ending++;
}

static unsigned connections_of(const struct api_server *s, uid_t uid)
{
    unsigned n = 0;

    for (const struct conn *c = s->conns; c; c = c->next)
        n += c->peer.uid == uid && !c->ending;
    return n;
}

/* A request that lies here and that we have not looked at: then it is he who waits for us. */
static bool has_unread_request(const struct conn *c)
{
    int n = 0;

    return !c->begun && ioctl(c->fd, FIONREAD, &n) == 0 && n > 0;
}

bool conn_make_room(struct api_server *s)
{
    struct conn *victim = NULL;
    unsigned most = 0;

    for (struct conn *c = s->conns; c; c = c->next) {
        unsigned n = connections_of(s, c->peer.uid);

        if (c->deadline_ms == 0 || n < most || has_unread_request(c))
            continue;
        if (!victim || n > most || c->deadline_ms <= victim->deadline_ms)
            victim = c;
        most = n;
    }
    if (victim)
        conn_end(victim);
    return victim != NULL;
}

static void conn_free(struct conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->server->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->server->n_conns--;
    c->server->n_ending -= c->ending;
    api_peer_done(&c->peer);
    free(c);
}

static struct conn *conn_new(struct api_server *s, int fd)
{
    struct conn *c = calloc(1, sizeof(*c));
    struct api_groups groups = {0};

    if (!c)
        return NULL;
    c->server = s;
    c->fd = fd;
    conn_expect(c);
    /* Who cannot be identified has no right; root needs no group file. */
    if (api_peer_read(fd, s->passwd_file, &c->peer) == 0) {
        if (api_groups_read(s->group_file, s->admin_group, s->read_group, &groups) < 0)
            groups = (struct api_groups){0};
        c->right = api_peer_right(&c->peer, &groups);
    }
    c->next = s->conns;
    if (c->next)
        c->next->prev = c;
    s->conns = c;
    s->n_conns++;
    return c;
}

void conn_changed(void *cls, struct MHD_Connection *mhd, void **socket_context,
                  enum MHD_ConnectionNotificationCode what)
{
    const union MHD_ConnectionInfo *info;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = info ? conn_new(cls, info->connect_fd) : NULL;
    } else if (*socket_context) {
        conn_free(*socket_context);
        *socket_context = NULL;
    }
}
