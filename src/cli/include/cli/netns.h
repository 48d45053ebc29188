/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other network namespaces of the host, each entered for the time of one call. */
#pragma once
#include <stddef.h>

struct cli;
/* Calls visit in every network namespace but our own that a process is in or that `ip netns` has
 * named: name of it, or "pid 123". Root. Exit code; the first other than 0 ends the walk. */
int cli_netns_each(struct cli *c, int (*visit)(void *arg, const char *name), void *arg);
/* Where the agent of this namespace pins its iterators over sockets; "" = not known. */
void cli_holders_pin(const struct cli *c, char *ret, size_t size);
