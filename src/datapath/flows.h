/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What flows.c, flows_sweep.c and flows_socks.c share. Private to src/datapath. */
#pragma once
#include "datapath/flows.h"
#include "flow.h"

/* Now, on the clock of the entries. */
uint64_t flows_now_ns(void);
void flow_from(enum flow_table table, const struct pw_flow *f, const struct pw_entry *e,
               uint64_t now_ns, struct flow *ret);
/* Descriptor of a table. */
int flows_map(const struct datapath *dp, enum flow_table t);
bool flow_is_silent(const struct pw_flow *f, const struct pw_entry *e, uint64_t now_ns);

/* One batch of a table after the other; the walk may be ended by a negative result. */
enum { FLOWS_BATCH = 2048 };
struct flow_batch {
    struct pw_flow flows[FLOWS_BATCH];
    struct pw_entry entries[FLOWS_BATCH];
    uint32_t n;
};
typedef int flow_batch_fn(void *arg, const struct flow_batch *b);
_must_check_ int flows_walk(int map_fd, flow_batch_fn *fn, void *arg);

/* flows_socks.c: the stamped connections. */
_must_check_ int flows_connections(const struct datapath *dp, flow_visitor *visit, void *arg);
