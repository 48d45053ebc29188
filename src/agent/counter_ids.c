/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/counter_ids.c: allocation of counter ids by GUID.
 * Called by desired.c (get), install.c (commit, rollback, recycle) and runstate.c (adopt).
 * Invariants: two GUIDs never share an id; an id that some image may still count with is never
 * given to another GUID. */
#include "counter_ids.h"

#include <errno.h>
#include <string.h>

#include "datapath/datapath.h"

struct entry {
    struct guid guid;
    uint32_t id;
    uint32_t mark; /* number of the last begin() that wanted it */
    bool fresh;    /* given since that begin(): a rollback takes it back */
};
struct id_list {
    uint32_t *v;
    size_t n, cap;
};
struct counter_ids {
    struct hash_table *by_guid;
    struct entry **by_id; /* NULL = free or retired */
    size_t cap_by_id;
    uint32_t limit;
    struct id_list free_ids, retired;
    uint32_t mark;
};
enum { IDS_MAX = DATAPATH_COUNTER_IDS };

int counter_ids_new(struct hash_seed seed, struct counter_ids **ret)
{
    _cleanup_(counter_ids_freep) struct counter_ids *t = calloc(1, sizeof(*t));
    if (!t || hash_table_new(seed, &t->by_guid) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(t);
    return 0;
}

struct counter_ids *counter_ids_free(struct counter_ids *t)
{
    if (!t)
        return NULL;
    for (uint32_t i = 0; i < t->limit; i++)
        free(t->by_id[i]);
    hash_table_free(t->by_guid);
    free(t->by_id);
    free(t->free_ids.v);
    free(t->retired.v);
    free(t);
    return NULL;
}

void counter_ids_freep(struct counter_ids **t)
{
    counter_ids_free(*t);
}

/* Room for one id more in every list: then taking back and retiring cannot fail. */
static int reserve(struct counter_ids *t, uint32_t limit)
{
    if (limit > IDS_MAX)
        return -ENOSPC;
    size_t old = t->cap_by_id;
    if (array_reserve(&t->by_id, &t->cap_by_id, limit, sizeof(struct entry *)) < 0 ||
        array_reserve(&t->free_ids.v, &t->free_ids.cap, limit, sizeof(uint32_t)) < 0 ||
        array_reserve(&t->retired.v, &t->retired.cap, limit, sizeof(uint32_t)) < 0)
        return -ENOMEM;
    if (t->cap_by_id > old)
        memset(&t->by_id[old], 0, (t->cap_by_id - old) * sizeof(struct entry *));
    return 0;
}

static int insert(struct counter_ids *t, const struct guid *g, uint32_t id, struct entry **ret)
{
    _cleanup_free_ struct entry *e = calloc(1, sizeof(*e));
    if (!e)
        return -ENOMEM;
    *e = (struct entry){.guid = *g, .id = id};
    int err = hash_table_put(t->by_guid, &e->guid, sizeof(e->guid), e);
    if (err < 0)
        return err;
    *ret = t->by_id[id] = TAKE_PTR(e);
    return 0;
}

int counter_ids_adopt(struct counter_ids *t, const struct guid *g, uint32_t id)
{
    struct entry *e;
    if (id >= IDS_MAX)
        return -ERANGE;
    if (id < t->limit && t->by_id[id])
        return -EEXIST;
    bool hole = id < t->limit; /* only then it can be among the retired ones */
    int err = hole ? 0 : reserve(t, id + 1);
    if (err == 0)
        err = insert(t, g, id, &e);
    if (err < 0)
        return err;
    /* Ids between are holes: whose counts they hold is unknown, so they are retired. */
    for (; t->limit <= id; t->limit++)
        if (t->limit < id)
            t->retired.v[t->retired.n++] = t->limit;
    for (size_t i = 0; hole && i < t->retired.n; i++)
        if (t->retired.v[i] == id)
            t->retired.v[i] = t->retired.v[--t->retired.n];
    return 0;
}

void counter_ids_begin(struct counter_ids *t)
{
    t->mark++;
}

int counter_ids_expect(struct counter_ids *t, size_t n)
{
    size_t known = hash_table_size(t->by_guid);
    return n > known ? hash_table_reserve(t->by_guid, n - known) : 0;
}

int counter_ids_get(struct counter_ids *t, const struct guid *g, uint32_t *ret_id, bool *ret_fresh)
{
    struct entry *e = hash_table_get(t->by_guid, g, sizeof(*g));
    bool fresh = !e;
    if (!e) {
        bool recycled = t->free_ids.n > 0;
        uint32_t id = recycled ? t->free_ids.v[t->free_ids.n - 1] : t->limit;
        int err = recycled ? 0 : reserve(t, id + 1);
        if (err == 0)
            err = insert(t, g, id, &e);
        if (err < 0)
            return err;
        if (recycled)
            t->free_ids.n--;
        else
            t->limit++;
        e->fresh = true;
    }
    e->mark = t->mark;
    *ret_id = e->id;
    if (ret_fresh)
        *ret_fresh = fresh;
    return 0;
}

/* Forgets the owner of an id and puts the id into a list that has room for it. */
static void release(struct counter_ids *t, uint32_t id, struct id_list *to)
{
    struct entry *e = t->by_id[id];
    (void)hash_table_remove(t->by_guid, &e->guid, sizeof(e->guid)); /* it is e itself */
    t->by_id[id] = NULL;
    free(e);
    to->v[to->n++] = id;
}

void counter_ids_rollback(struct counter_ids *t)
{
    /* A candidate counts nothing before the flip: its ids are clean. */
    for (uint32_t i = 0; i < t->limit; i++)
        if (t->by_id[i] && t->by_id[i]->fresh)
            release(t, i, &t->free_ids);
}

void counter_ids_commit(struct counter_ids *t)
{
    for (uint32_t i = 0; i < t->limit; i++) {
        if (!t->by_id[i])
            continue;
        t->by_id[i]->fresh = false;
        if (t->by_id[i]->mark != t->mark)
            release(t, i, &t->retired);
    }
}

void counter_ids_keep(struct counter_ids *t, const struct guid *g)
{
    struct entry *e = hash_table_get(t->by_guid, g, sizeof(*g));
    if (e)
        e->fresh = false;
}

void counter_ids_take_back(struct counter_ids *t, const struct guid *g)
{
    struct entry *e = hash_table_get(t->by_guid, g, sizeof(*g));
    if (e && e->fresh)
        release(t, e->id, &t->free_ids);
}

void counter_ids_retire(struct counter_ids *t, const struct guid *g)
{
    struct entry *e = hash_table_get(t->by_guid, g, sizeof(*g));
    if (e)
        release(t, e->id, &t->retired);
}

bool counter_ids_recycle(struct counter_ids *t, uint32_t *ret_id)
{
    if (t->retired.n == 0)
        return false;
    uint32_t id = t->retired.v[--t->retired.n];
    t->free_ids.v[t->free_ids.n++] = id;
    *ret_id = id;
    return true;
}

uint32_t counter_ids_limit(const struct counter_ids *t)
{
    return t->limit;
}

const struct guid *counter_ids_owner(const struct counter_ids *t, uint32_t id)
{
    return id < t->limit && t->by_id[id] ? &t->by_id[id]->guid : NULL;
}
