/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net.ipv4.ip_local_reserved_ports of this namespace: the ports of the set are in it, so that the
 * kernel gives none of them to somebody who did not ask for it. What was there before is kept in a
 * file and comes back. Called by engine.c. */
#pragma once
#include "tables.h"

/* The list of the kernel becomes (what was there before us) + *b. */
_must_check_ int reserved_set(const char *state_file, const struct port_bits *b);
/* What was there before us; nothing if the file does not exist. */
int reserved_restore(const char *state_file);
/* "5001-5021,6000"; adds. Exposed for the test. */
_must_check_ int reserved_parse(const char *text, struct port_bits *b);
_must_check_ int reserved_print(const struct port_bits *b, char **ret);
