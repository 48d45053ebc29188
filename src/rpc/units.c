/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which directories are confined, see internal.h. The map of the programs holds exactly the ids of
 * the units that run: units_sync() brings it in step with the tree. What rpc-join put there before
 * us is found by name and stays. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static struct unit *find(struct rpc_engine *e, const char *name)
{
    for (size_t i = 0; i < e->n_units; i++)
        if (strcmp(e->units[i].name, name) == 0)
            return &e->units[i];
    return NULL;
}

static void unit_done(struct unit *u)
{
    cgroup_ids_done(&u->ids);
}

void units_forget(struct rpc_engine *e)
{
    for (size_t i = 0; i < e->n_units; i++)
        unit_done(&e->units[i]);
    free(e->units);
    e->units = NULL;
    e->n_units = 0;
}

int units_take(struct rpc_engine *e, const struct want *w)
{
    struct unit *fresh = calloc(w->n_units + 1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    for (size_t i = 0; i < w->n_units; i++) {
        struct unit *old = find(e, w->units[i].name);

        if (old) {
            fresh[i] = *old;
            old->ids = (struct cgroup_ids){0}; /* moved */
        }
        (void)snprintf(fresh[i].name, sizeof(fresh[i].name), "%s", w->units[i].name);
        fresh[i].class = w->units[i].class;
        fresh[i].how = w->units[i].how;
    }
    units_forget(e);
    e->units = fresh;
    e->n_units = w->n_units;
    return 0;
}

bool unit_is_inside(const struct rpc_engine *e, const struct unit *u)
{
    enum rpc_mode m = e->mode[u->class];

    return u->how == RPC_HOW_CGROUP && (m == RPC_MODE_INSIDE || m == RPC_MODE_LOOSE);
}

/* Id of the unit's directory: the one of before, if it is still there; 0 = not running. */
static int find_id(const struct rpc_engine *e, struct unit *u, uint64_t *ret)
{
    char path[CGROUP_PATH_BYTES];

    *ret = 0;
    if (u->how == RPC_HOW_NFS || (u->id && cgroup_id(u->path, ret) == 0 && *ret == u->id))
        return 0;
    *ret = 0;
    int r = cgroup_find_unit(e->root, u->name, path);
    if (r == 0)
        r = cgroup_id(path, ret);
    if (r == 0)
        (void)snprintf(u->path, sizeof(u->path), "%s", path);
    return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

/* 1 if the unit came, went or moved. */
static int look_for(const struct rpc_engine *e, struct unit *u)
{
    uint64_t id;
    int r = find_id(e, u, &id);

    if (r < 0)
        return r;
    bool changed = id != u->id;
    u->id = id;
    cgroup_ids_done(&u->ids);
    r = id ? cgroup_ids_below(u->path, &u->ids) : 0;
    return r < 0 && r != -ENOENT ? r : changed;
}

/* Numbers of a unit that is there stay. */
static int put(const struct rpc_engine *e, const struct unit *u)
{
    struct rpc_unit v = {.class = u->class};
    int fd = e->load.map[LOAD_MAP_UNITS];

    if (bpf_map_lookup_elem(fd, &u->id, &v) == 0) {
        if (v.class == (uint32_t)u->class)
            return 0;
        v.class = u->class;
    }
    return bpf_map_update_elem(fd, &u->id, &v, BPF_ANY);
}

static bool is_wanted(const struct rpc_engine *e, uint64_t id)
{
    for (size_t i = 0; i < e->n_units; i++)
        if (e->units[i].id == id)
            return true;
    return false;
}

/* What stood in the map before the look at the tree, so that a unit that joined since stays. */
static int list_keys(const struct rpc_engine *e, struct cgroup_ids *l)
{
    int fd = e->load.map[LOAD_MAP_UNITS], r = 0;
    uint64_t key, next;
    bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

    for (unsigned left = RPC_UNITS_MAX; r == 0 && more && left > 0; left--) {
        key = next;
        more = bpf_map_get_next_key(fd, &key, &next) == 0;
        r = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
        if (r == 0)
            l->v[l->n++] = key;
    }
    return r;
}

static int drop_others(const struct rpc_engine *e, const struct cgroup_ids *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!is_wanted(e, l->v[i]) &&
            bpf_map_delete_elem(e->load.map[LOAD_MAP_UNITS], &l->v[i]) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

int units_sync(struct rpc_engine *e)
{
    _cleanup_(cgroup_ids_done) struct cgroup_ids before = {0};
    int n = 0, error = list_keys(e, &before);

    for (size_t i = 0; i < e->n_units; i++) {
        struct unit *u = &e->units[i];
        int r = look_for(e, u);

        if (r >= 0) {
            n += r;
            r = u->id ? put(e, u) : 0;
        }
        error = error ? error : r < 0 ? r : 0;
    }
    if (!error)
        error = drop_others(e, &before);
    return error ? error : n;
}

struct unit *units_by_id(struct rpc_engine *e, uint64_t id)
{
    for (size_t i = 0; i < e->n_units; i++)
        if (e->units[i].id == id)
            return &e->units[i];
    return NULL;
}

/* The innermost one, as the programs decide. */
struct unit *units_of_sock(struct rpc_engine *e, const struct sock *s)
{
    struct unit *found = NULL;

    for (size_t i = 0; s->cgroup && i < e->n_units; i++) {
        struct unit *u = &e->units[i];

        if (cgroup_ids_has(&u->ids, s->cgroup) && (!found || strlen(u->path) > strlen(found->path)))
            found = u;
    }
    return found;
}
