/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The eBPF programs of memory pressure protection: loading, pins, one look at all connections.
 * Owned by struct mpp. Lifetime: descriptors until kern_close(); the stamps and the link of the
 * sockops program stay pinned below pin_dir, so that stamps survive the agent. */
#pragma once
#include "base/diag.h"
#include "mpp.h"
#include "mpp/mpp.h"

struct bpf_link;
struct mpp_kern {
    int stamps, sources, scan, sums, ring;
    int limits; /* program that reads tcp_mem, -1: not loaded */
    struct bpf_link *iter;
    int sockops;  /* link; -1: stamps at first sight */
    bool destroy; /* this kernel has bpf_sock_destroy */
    char degraded[160];
};

_must_check_ int kern_open(const struct mpp_options *o, struct diag *d, struct mpp_kern *ret);
void kern_close(struct mpp_kern *k);
/* tcp_mem by a program, for namespaces in which /proc does not show it. */
_must_check_ int kern_limits(int prog, uint64_t ret[3]);
/* One look; records of MPP_DO_LIST go to fn (may be NULL). */
typedef int kern_record_fn(void *ctx, const struct mpp_record *r);
_must_check_ int kern_look(struct mpp_kern *k, const struct mpp_scan *scan, kern_record_fn *fn,
                           void *ctx, struct mpp_sums *ret);
