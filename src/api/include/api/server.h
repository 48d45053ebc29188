/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's API over its Unix socket (docs/api.md): HTTP/1.1 + JSON, served by libmicrohttpd
 * inside the caller's event loop; there is no thread. Bounded everywhere: connections, body per
 * request and in sum, time to send a request, idle time. Who may do what is decided by
 * SO_PEERCRED and SO_PEERGROUPS of the connection, per request.
 *
 * The socket is bound as 0600 root and opened to 0660 root:<read group> and to the group that may
 * change, as far as they exist. Beyond the limit of connections the one that keeps us waiting
 * longest is closed for the newcomer.
 * A change is answered when its generation is in force; meanwhile the connection is suspended
 * and costs nothing. */
#pragma once
#include "agent/agent.h"

struct sd_event;
struct api_server;

struct api_options {
    const char *socket_path;    /* NULL = <runtime dir of the agent>/portward.sock */
    const char *group_file;     /* NULL = /etc/group */
    const char *passwd_file;    /* NULL = /etc/passwd, for names in the audit trail */
    const char *admin_group;    /* NULL = portward-admin: may change */
    const char *read_group;     /* NULL = portward: may read */
    unsigned idle_timeout_s;    /* 0 = 5: a silent connection is closed */
    unsigned request_timeout_s; /* 0 = 60: to receive one request completely */
};

/* On failure *d says why and nothing is left behind. -EADDRINUSE: somebody serves there. */
_must_check_ int api_server_start(struct sd_event *event, struct agent *agent,
                                  const struct api_options *o, struct diag *d,
                                  struct api_server **ret);
/* Answers what still waits with DIAG_AGENT, closes everything, removes the socket. NULL is
 * fine. Call before agent_free(). */
struct api_server *api_server_stop(struct api_server *s);
void api_server_stopp(struct api_server **s);
