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
    uint32_t mark; /* number of the last begin() that wanted it */
    bool used;     /* else free or retired */
    bool fresh;    /* given since that begin(): a rollback takes it back */
};
struct id_list {
    uint32_t *v;
    size_t n, cap;
};
struct counter_ids {
    struct hash_seed seed; /* GUIDs may be chosen by others */
    struct entry *v;       /* by id */
    size_t cap;
    uint32_t *slots; /* by GUID: id + 1, 0 = empty; what is removed leaves no hole */
    uint32_t n_slots;
    uint32_t n_used, limit;
    struct id_list free_ids, retired;
    uint32_t mark;
};
enum { IDS_MAX = DATAPATH_COUNTER_IDS, SLOTS_MIN = 64 };
_Static_assert(IDS_MAX <= UINT32_MAX / 8, "slots are numbered, too");

int counter_ids_new(struct hash_seed seed, struct counter_ids **ret)
{
    _cleanup_(counter_ids_freep) struct counter_ids *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->seed = seed;
    t->n_slots = SLOTS_MIN;
    t->slots = calloc(t->n_slots, sizeof(*t->slots));
    if (!t->slots)
        return -ENOMEM;
    *ret = TAKE_PTR(t);
    return 0;
}

struct counter_ids *counter_ids_free(struct counter_ids *t)
{
    if (!t)
        return NULL;
    free(t->v);
    free(t->slots);
    free(t->free_ids.v);
    free(t->retired.v);
    free(t);
    return NULL;
}

void counter_ids_freep(struct counter_ids **t)
{
    counter_ids_free(*t);
}

/* --- by GUID --- */
static uint32_t home_of(const struct counter_ids *t, const struct guid *g)
{
    return (uint32_t)siphash24(g, sizeof(*g), t->seed) & (t->n_slots - 1);
}

/* Slot of the GUID, or the empty one where it belongs. */
static uint32_t slot_of(const struct counter_ids *t, const struct guid *g)
{
    uint32_t i = home_of(t, g);
    while (t->slots[i] && guid_cmp(&t->v[t->slots[i] - 1].guid, g) != 0)
        i = (i + 1) & (t->n_slots - 1);
    return i;
}

static struct entry *find(const struct counter_ids *t, const struct guid *g)
{
    uint32_t slot = t->slots[slot_of(t, g)];
    return slot ? &t->v[slot - 1] : NULL;
}

/* At most half of them are in use. */
static int reserve_slots(struct counter_ids *t, size_t n)
{
    uint32_t n_slots = t->n_slots;
    while (n > n_slots / 2)
        n_slots *= 2;
    if (n_slots == t->n_slots)
        return 0;
    uint32_t *slots = calloc(n_slots, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    free(t->slots);
    t->slots = slots;
    t->n_slots = n_slots;
    for (uint32_t id = 0; id < t->limit; id++)
        if (t->v[id].used)
            t->slots[slot_of(t, &t->v[id].guid)] = id + 1;
    return 0;
}

/* Every later entry of the run whose home does not lie behind the hole moves into it. */
static void remove_slot(struct counter_ids *t, uint32_t hole)
{
    uint32_t mask = t->n_slots - 1;
    for (uint32_t i = (hole + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
        uint32_t home = home_of(t, &t->v[t->slots[i] - 1].guid);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole] = 0;
}

/* Room for one id more in every list: then taking back and retiring cannot fail. */
static int reserve(struct counter_ids *t, uint32_t limit)
{
    if (limit > IDS_MAX)
        return -ENOSPC;
    size_t old = t->cap;
    if (array_reserve(&t->v, &t->cap, limit, sizeof(*t->v)) < 0 ||
        array_reserve(&t->free_ids.v, &t->free_ids.cap, limit, sizeof(uint32_t)) < 0 ||
        array_reserve(&t->retired.v, &t->retired.cap, limit, sizeof(uint32_t)) < 0)
        return -ENOMEM;
    if (t->cap > old)
        memset(&t->v[old], 0, (t->cap - old) * sizeof(*t->v));
    return 0;
}

/* slot: that of the GUID before; there is room for one more. */
static struct entry *insert(struct counter_ids *t, uint32_t slot, const struct guid *g, uint32_t id)
{
    struct entry *e = &t->v[id];
    *e = (struct entry){.guid = *g, .used = true};
    t->slots[slot] = id + 1;
    t->n_used++;
    return e;
}

int counter_ids_adopt(struct counter_ids *t, const struct guid *g, uint32_t id)
{
    if (id >= IDS_MAX)
        return -ERANGE;
    if ((id < t->limit && t->v[id].used) || find(t, g))
        return -EEXIST;
    bool hole = id < t->limit; /* only then it can be among the retired ones */
    int err = hole ? 0 : reserve(t, id + 1);
    if (err == 0)
        err = reserve_slots(t, t->n_used + 1);
    if (err < 0)
        return err;
    (void)insert(t, slot_of(t, g), g, id);
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
    return n <= IDS_MAX ? reserve_slots(t, n) : 0; /* more is refused one by one */
}

int counter_ids_get(struct counter_ids *t, const struct guid *g, uint32_t *ret_id, bool *ret_fresh)
{
    uint32_t slot = slot_of(t, g);
    bool fresh = !t->slots[slot];
    if (fresh) {
        bool recycled = t->free_ids.n > 0;
        uint32_t id = recycled ? t->free_ids.v[t->free_ids.n - 1] : t->limit;
        uint32_t n_slots = t->n_slots;
        int err = recycled ? 0 : reserve(t, id + 1);
        if (err == 0)
            err = reserve_slots(t, t->n_used + 1);
        if (err < 0)
            return err;
        if (t->n_slots != n_slots)
            slot = slot_of(t, g);
        insert(t, slot, g, id)->fresh = true;
        if (recycled)
            t->free_ids.n--;
        else
            t->limit++;
    }
    *ret_id = t->slots[slot] - 1;
    t->v[*ret_id].mark = t->mark;
    if (ret_fresh)
        *ret_fresh = fresh;
    return 0;
}

/* Forgets the owner of an id and puts the id into a list that has room for it. */
static void release(struct counter_ids *t, uint32_t id, struct id_list *to)
{
    remove_slot(t, slot_of(t, &t->v[id].guid));
    t->v[id] = (struct entry){.used = false};
    t->n_used--;
    to->v[to->n++] = id;
}

void counter_ids_rollback(struct counter_ids *t)
{
    /* A candidate counts nothing before the flip: its ids are clean. */
    for (uint32_t i = 0; i < t->limit; i++)
        if (t->v[i].used && t->v[i].fresh)
            release(t, i, &t->free_ids);
}

void counter_ids_commit(struct counter_ids *t)
{
    for (uint32_t i = 0; i < t->limit; i++) {
        if (!t->v[i].used)
            continue;
        t->v[i].fresh = false;
        if (t->v[i].mark != t->mark)
            release(t, i, &t->retired);
    }
}

void counter_ids_keep(struct counter_ids *t, const struct guid *g)
{
    struct entry *e = find(t, g);
    if (e)
        e->fresh = false;
}

void counter_ids_take_back(struct counter_ids *t, const struct guid *g)
{
    struct entry *e = find(t, g);
    if (e && e->fresh)
        release(t, (uint32_t)(e - t->v), &t->free_ids);
}

void counter_ids_retire(struct counter_ids *t, const struct guid *g)
{
    struct entry *e = find(t, g);
    if (e)
        release(t, (uint32_t)(e - t->v), &t->retired);
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
    return id < t->limit && t->v[id].used ? &t->v[id].guid : NULL;
}
