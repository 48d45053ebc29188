/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map `local_hint` (bpf/image.h): one bit per hash of an address, so that the program asks the
 * tries `local4` and `local6` only about addresses that may be in them. Called by hostmaps.c.
 * Invariant: the bits of a prefix are set before it is in a trie and never cleared while it is. */
#pragma once
#include "image.h"
#include "model/host.h"

struct local_hint {
    uint64_t words[2][PW_HINT_WORDS]; /* what the map holds, IPv4, IPv6 */
    bool loaded;
    bool complete;    /* the host is known: bits of prefixes that went may be cleared */
    size_t n_removed; /* prefixes since the last rebuild: their bits are still set */
};

/* fd: of the map. A map that was taken over keeps its bits. */
_must_check_ int localhint_add(struct local_hint *h, int fd, const struct local_route *l);
/* Says that a prefix went; host: what is still there, perhaps with that one. */
_must_check_ int localhint_removed(struct local_hint *h, int fd, const struct host *host);
/* Leaves the bits of these prefixes only. */
_must_check_ int localhint_rebuild(struct local_hint *h, int fd, const struct host *host);
