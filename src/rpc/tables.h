/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mapped tables of bpf/rpc.h: what user space writes and reads while the programs work on the
 * same memory. Called by engine.c, seed.c and status.c. Everything that both sides change is
 * changed by atomic operations; the words of `member` are ours alone. */
#pragma once
#include "base/util.h"
#include "rpc.h"
#include "rpc/rpc.h"

/* A set of ports as the programs have it. */
struct port_bits {
    uint64_t word[RPC_WORDS];
};
static inline bool port_bits_has(const struct port_bits *b, uint16_t port)
{
    return b->word[port / 64] >> (port % 64) & 1;
}
static inline void port_bits_add(struct port_bits *b, uint16_t port)
{
    b->word[port / 64] |= 1ULL << (port % 64);
}
uint32_t port_bits_count(const struct port_bits *b);

struct tables {
    struct rpc_conf *conf; /* mapped, NULL = not open */
    struct rpc_table *t;   /* RPC_PROTOS of them, mapped */
    size_t conf_bytes, table_bytes;
};
_must_check_ int tables_open(int conf_fd, int tables_fd, struct tables *ret);
void tables_close(struct tables *t);

/* Both protocols get the set; who holds what stays. */
void tables_set_members(struct tables *t, const struct port_bits *b);
void tables_members(const struct tables *t, struct port_bits *ret);
uint32_t tables_refs(const struct tables *t, enum rpc_proto p, uint16_t port);
bool tables_in_limbo(const struct tables *t, enum rpc_proto p, uint16_t port);
/* A stranger holds it, and no program knows: true if nobody else does. */
bool tables_seed(struct tables *t, enum rpc_proto p, uint16_t port);
bool tables_is_seeded(const struct tables *t, enum rpc_proto p, uint16_t port);
void tables_unseed(struct tables *t, enum rpc_proto p, uint16_t port);
/* Ports of the set that the programs hand to nobody: `which` of them, seeded on both protocols.
 * Others that were are given back by watch.c. */
void tables_keep(struct tables *t, const struct port_bits *which);
/* Hints that hide a free port, which only a program that was overtaken twice leaves behind. */
unsigned tables_repair_hints(struct tables *t);
/* What rpc_reserve() of bpf/rpc.bpf.c makes of the setting. */
uint32_t tables_reserve(const struct tables *t, enum rpc_proto p);
