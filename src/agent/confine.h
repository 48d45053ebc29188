/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports of RPC servers: settings of files and database -> the engine of src/rpc, and its events.
 * Part of struct agent; confine.c says how. */
#pragma once
#include "base/diag.h"
#include "rpc/rpc.h"
#include "rpc/settings.h"

struct agent;
struct agent_config;
struct job;

struct confine {
    struct rpc_engine *engine; /* NULL until confine_open() */
    struct rpc_settings in_force;
};
/* Takes over what is pinned and puts the settings in force. Invalid ones are an event. */
_must_check_ int confine_open(struct agent *a, struct diag *d);
void confine_done(struct confine *c);
/* Inside a change: whether its settings, with the files *files, can be put in force. */
_must_check_ int confine_try(struct agent *a, const struct agent_config *files, bool keep_holders,
                             struct diag *d);
/* After the change: puts them in force. A failure is an event and a warning of the answer. */
void confine_changed(struct agent *a, struct job *j);
/* Every 500 ms: units that came, listeners outside; and the events. */
void confine_reconcile(struct agent *a);
/* Every 200 ms. */
void confine_events(struct agent *a);
