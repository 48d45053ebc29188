/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources, or prefixes of them, that are banned: the agent's own list, of which the map of the gate
 * is a copy. A ban is followed by probation: the gate lets one SYN of the source pass in 100 ms,
 * and this list keeps the entry for that long. Owned by struct mpp_gate. Invariant: at most `max`
 * entries, sorted by key; what a packet can do never makes, keeps or removes one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

struct mpp_ban {
    uint64_t key;
    uint64_t until_ns;  /* no SYN passes */
    uint64_t forget_ns; /* end of the probation */
};
struct mpp_bans {
    int map; /* borrowed; key -> from when on a SYN may pass */
    size_t max;
    struct mpp_ban *v;
    size_t n, cap;
};

/* 1: it was no ban before, 0: one is longer now; -ENOSPC: full of what is not forgotten yet. */
_must_check_ int bans_enter(struct mpp_bans *b, uint64_t key, uint64_t now_ns);
/* Bans, without those on probation, of keys from `first` on up to `last`. */
size_t bans_in_force(const struct mpp_bans *b, uint64_t first, uint64_t last, uint64_t now_ns);
void bans_forget(struct mpp_bans *b, uint64_t now_ns);
/* All of them, also what an agent before this one left in the map. */
void bans_clear(struct mpp_bans *b);
void bans_close(struct mpp_bans *b);
