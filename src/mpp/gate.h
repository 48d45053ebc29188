/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's side of the SYN gate: level and deadline in a mapped word, bans, rules, counters,
 * and net.ipv4.tcp_syncookies. Owned by struct mpp. Invariant: the gate's deadline is never more
 * than MPP_DEADLINE_NS ahead. */
#pragma once
#include "bans.h"
#include "mpp.h"
#include "mpp/mpp.h"

enum { MPP_DEADLINE_NS = 2000000000 };

struct mpp_gate {
    int map[_MPP_MAP_MAX]; /* borrowed */
    struct mpp_control *control;
    size_t control_bytes;
    unsigned n_cpus;
    char cookies_file[256]; /* keeps the old value while ours is in force; "" = cannot */
    int cookies_before;     /* -1 = not forced */
    struct mpp_bans hosts, nets;
};

_must_check_ int gate_open(const struct mpp_options *o, struct mpp_gate *ret);
void gate_close(struct mpp_gate *g);
/* Level until now + 2 s; 0 opens. Forces or restores SYN cookies. */
void gate_set(struct mpp_gate *g, unsigned level, uint64_t now_ns);
_must_check_ int gate_set_rules(struct mpp_gate *g, const struct mpp_rules *r,
                                const struct mpp_iface *ifaces, size_t n);
uint32_t gate_generation(const struct mpp_gate *g); /* of the rules in force */
/* Bans a source that had `same` stalled connections, until now + 5 s, and its /24 or /56 when four
 * of its sources are banned; then probation. -ENOSPC: full of what is not forgotten yet. */
_must_check_ int gate_ban(struct mpp_gate *g, uint64_t source, uint64_t now_ns);
void gate_expire_bans(struct mpp_gate *g, uint64_t now_ns);
void gate_clear_bans(struct mpp_gate *g);
/* Takes away what was dropped since the last call. */
typedef void gate_drop_fn(void *ctx, const struct mpp_drop_key *k, uint64_t n);
void gate_take_drops(struct mpp_gate *g, gate_drop_fn *fn, void *ctx);
/* Adds to a counter that no program changes at that time. */
void gate_count(struct mpp_gate *g, uint32_t index, uint64_t by);
void gate_counts(const struct mpp_gate *g, uint64_t ret[_MPP_N_MAX]);

/* cookies.c */
void cookies_open(struct mpp_gate *g, const char *runtime_dir);
void cookies_force(struct mpp_gate *g);
void cookies_restore(struct mpp_gate *g);
bool cookies_in_force(void); /* whoever set them */
