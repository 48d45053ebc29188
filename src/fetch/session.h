/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection to the agent: names in, answers out, until it ends. */
#pragma once
#include "resolve.h"

struct session_options {
    struct resolve_options resolve;
    uint32_t min_ttl_s; /* shorter lifetimes count as this one */
};
/* Takes fd over. Returns when the connection ended; all children are gone then. */
void session_run(int fd, const struct session_options *o);
