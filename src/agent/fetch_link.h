/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's end of <runtime-dir>/fetch.sock: one portward-fetch at a time, only root or the
 * user portward-fetch. What it sends is treated as hostile: bounded lines, a bounded rate, and a
 * wrong line ends the connection. Knows lines, not names: what an answer means is resolver.c. */
#pragma once
#include <systemd/sd-event.h>

#include "base/diag.h"
#include "fetch/wire.h"

struct fetch_link;
struct fetch_link_ops {
    void (*up)(void *u);                       /* greeted: requests can be sent */
    void (*down)(void *u, const char *reason); /* the greeted one is gone */
    void (*answer)(void *u, const struct fetch_answer *a);
};
/* Listens at dir/fetch.sock, mode 0600, owned by user portward-fetch if there is one. Everything
 * is called from the event loop, never from inside these functions. */
_must_check_ int fetch_link_new(sd_event *event, const char *dir, const struct fetch_link_ops *ops,
                                void *u, struct diag *d, struct fetch_link **ret);
struct fetch_link *fetch_link_free(struct fetch_link *l);
bool fetch_link_is_up(const struct fetch_link *l);
/* Nothing happens while it is not up. */
void fetch_link_send(struct fetch_link *l, enum fetch_verb v, const char *name);
