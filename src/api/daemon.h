/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What server.c (life, event loop), conn.c (connections) and exchange.c (requests on them)
 * share. */
#pragma once
#include <microhttpd.h>

#include "api/server.h"
#include "request.h"

struct sd_event_source;

/* One accepted connection. */
struct conn {
    struct api_server *server;
    int fd;
    struct api_peer peer;
    enum api_right right;
    uint64_t deadline_ms; /* until then the peer must have sent its request or taken its answer;
                             0 = nothing is expected of it */
    bool begun;           /* the head of its request was read */
    bool ending;          /* shut down, to be closed by libmicrohttpd */
    struct conn *prev, *next;
};

/* One request on a connection. */
struct exchange {
    struct request request;
    struct conn *conn;
    struct MHD_Connection *mhd;
    size_t body_max;
    bool refused; /* the body is thrown away, request.diag is the answer */
    size_t body_seen;
    char *body;
    size_t body_len, body_cap;
    size_t answer_bytes;
    struct exchange *prev, *next;
};

_Static_assert(offsetof(struct exchange, request) == 0, "a request is found in its exchange");

struct api_server {
    struct agent *agent;
    struct sessions *sessions;
    struct MHD_Daemon *daemon;
    struct sd_event_source *io, *timer, *parts;
    int listen_fd;
    char *path;
    char *group_file, *passwd_file, *admin_group, *read_group;
    uint64_t request_timeout_ms;
    struct conn *conns;
    unsigned n_conns, n_ending;
    struct exchange *exchanges;
    size_t body_bytes; /* of all exchanges */
    size_t answer_bytes;
    unsigned denied;    /* permission events left in this minute */
    uint64_t denied_ms; /* when that began */
    bool stopping;      /* nothing new is begun */
};

/* --- server.c --- */
uint64_t server_now_ms(void);
/* Lets libmicrohttpd work and sets the timer anew. Not from inside its callbacks. */
void server_run(struct api_server *s);
/* Has server_run() called from the event loop, soon. */
void server_kick(struct api_server *s);

/* A request has an answer in parts (request.more). */
void server_expect_parts(struct api_server *s);

/* --- exchange.c --- */
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **con_cls);
void exchange_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                        enum MHD_RequestTerminationCode why);
size_t exchange_unescape(void *cls, struct MHD_Connection *mhd, char *s);
/* The next part of its answer. Not from inside libmicrohttpd's callbacks. */
void exchange_more(struct exchange *x);
/* Answers one that waits for the agent, which will not answer any more. */
void exchange_abandon(struct exchange *x);

/* --- conn.c --- */
void conn_changed(void *cls, struct MHD_Connection *mhd, void **socket_context,
                  enum MHD_ConnectionNotificationCode what);
/* From now on the peer has the request timeout to do its part. */
void conn_expect(struct conn *c);
/* Ends it soon, from inside the event loop. */
void conn_end(struct conn *c);
/* Ends the connection that we have waited for longest, of the user who has the most. Whoever
 * waits for us (a change under way, a request we did not read yet) stays: false if all do. */
bool conn_make_room(struct api_server *s);
