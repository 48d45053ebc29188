/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map `local_exact` (bpf/image.h): single local addresses of IPv4 with their kind, so that the
 * program seldom has to walk the trie `local4` for packets to this host. Called by hostmaps.c and
 * datapath.c. Invariant: what it says of an address the trie says too, or said until just now: an
 * address is in the trie first and leaves this map first. */
#pragma once
#include "base/util.h"
#include "image.h"
#include "model/host.h"

struct local_exact {
    uint64_t *words; /* the map itself, NULL until opened */
};

/* fd: of the map, which may be closed afterwards. */
_must_check_ int localexact_open(struct local_exact *x, int fd);
void localexact_close(struct local_exact *x);
/* The trie has this prefix. */
void localexact_set(struct local_exact *x, const struct local_route *l);
/* The trie will lose this prefix. */
void localexact_forget(struct local_exact *x, const struct local_route *l);
/* Leaves the addresses of this host only. */
void localexact_rebuild(struct local_exact *x, const struct host *host);
