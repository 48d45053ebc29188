/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which counter belongs to which filter: counters follow the GUID (policy.md 1), so an id is
 * given once and kept as long as any generation counts with it.
 *
 * One generation at a time: begin, get for each filter, then commit when it is in force, or
 * rollback. The ids of filters that the new generation lacks are *retired* by commit: packets
 * judged by the old image may still count there. When no CPU uses the old image any more, the
 * caller resets them in the kernel and recycles them. */
#pragma once
#include "base/hash.h"
#include "model/guid.h"

struct counter_ids;
_must_check_ int counter_ids_new(struct hash_seed seed, struct counter_ids **ret);
struct counter_ids *counter_ids_free(struct counter_ids *t);
void counter_ids_freep(struct counter_ids **t);

/* Takes over an entry of an earlier process, before the first begin. -EEXIST for an id or GUID
 * that is taken, -ERANGE beyond the kernel's table. */
_must_check_ int counter_ids_adopt(struct counter_ids *t, const struct guid *g, uint32_t id);

void counter_ids_begin(struct counter_ids *t);
/* So many GUIDs are going to be asked for. */
_must_check_ int counter_ids_expect(struct counter_ids *t, size_t n);
/* -ENOSPC when the kernel's table is used up. *ret_fresh (may be NULL): given by this call. */
_must_check_ int counter_ids_get(struct counter_ids *t, const struct guid *g, uint32_t *ret_id,
                                 bool *ret_fresh);
void counter_ids_rollback(struct counter_ids *t);
void counter_ids_commit(struct counter_ids *t);

/* The same of a single filter, whatever else is in force: after _get() without _begin(). */
void counter_ids_keep(struct counter_ids *t, const struct guid *g); /* it is in force */
void counter_ids_take_back(struct counter_ids *t,
                           const struct guid *g);                     /* it is not, and was fresh */
void counter_ids_retire(struct counter_ids *t, const struct guid *g); /* it was deleted */

/* One retired id; false if there is none. It is free for reuse after this call. */
bool counter_ids_recycle(struct counter_ids *t, uint32_t *ret_id);

/* One more than the largest id ever given. */
uint32_t counter_ids_limit(const struct counter_ids *t);
/* The filter of an id, NULL if it has none. Valid until the next id is given. */
const struct guid *counter_ids_owner(const struct counter_ids *t, uint32_t id);
