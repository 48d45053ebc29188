/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the guard's programs at LOCAL_IN, FORWARD and LOCAL_OUT of both families, by pinned links
 * link/guard-<in|forward|out>-<4|6> (datapath.md 2.2). Called by datapath.c and generations.c,
 * always in the network namespace that is meant.
 *
 * Invariants: a program is replaced by attaching the new one beside the old one, which goes
 * afterwards: packets meet one of them or both. Nothing here but guard_remove() takes a link off.
 * A netfilter link keeps its namespace alive: pins of one that nobody can enter any more are found
 * by datapath_collect_dead(). */
#pragma once
#include "guard_load.h"
#include "pins.h"

struct guard;

/* Loads the programs; attaches nothing. An error is one of this kernel (older than 6.4, or without
 * BTF) or of memory, and *d says which. */
_must_check_ int guard_open(const struct guard_load_options *o, struct diag *d, struct guard **ret);
/* Makes sure of the links and their pins. Number of links that were made or put back, or the errno
 * of the first that could not be; the others are there. */
_must_check_ int guard_ensure(struct guard *g, const struct pins *pins);
/* What stands at LOCAL_IN was seen there by the last guard_ensure(). */
bool guard_judges_input(const struct guard *g);
/* Links that were seen in place, of GUARD_LINKS. */
enum { GUARD_LINKS = 6 };
unsigned guard_links(const struct guard *g);
/* Takes all links off, ours and those of an earlier agent, with their pins. */
_must_check_ int guard_remove(struct guard *g, const struct pins *pins);
/* Without an agent: only the pinned ones. */
_must_check_ int guard_remove_pinned(const struct pins *pins);
/* Closes descriptors, leaves links and pins. NULL is fine. */
struct guard *guard_free(struct guard *g);
