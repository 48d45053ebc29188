/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sweep of the tables of `keep state`, see datapath/flows.h. Called by the agent every 5 s.
 * Entries that were pushed out of a table took no share back with them: each sweep counts shares
 * anew. What packets add meanwhile is missed until the next sweep, a few entries more or less. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "flows.h"
#include "internal.h"

/* Shares by hash with open addressing; n 0 = free. */
struct tally {
    struct {
        struct pw_share who;
        uint32_t n;
    } * v;
    size_t size, used; /* size: a power of two */
};

static size_t tally_hash(const struct pw_share *s)
{
    uint64_t h = (s->hi ^ s->table) * 0xff51afd7ed558ccdULL;

    h = (h ^ h >> 32 ^ s->lo) * 0xc4ceb9fe1a85ec53ULL;
    return (size_t)(h ^ h >> 29);
}

static size_t tally_at(const struct tally *t, const struct pw_share *s)
{
    size_t i = tally_hash(s) & (t->size - 1);

    while (t->v[i].n && memcmp(&t->v[i].who, s, sizeof(*s)) != 0)
        i = (i + 1) & (t->size - 1);
    return i;
}

static int tally_grow(struct tally *t)
{
    struct tally bigger = {.size = t->size ? 2 * t->size : 256, .used = t->used};

    bigger.v = calloc(bigger.size, sizeof(*bigger.v));
    if (!bigger.v)
        return -ENOMEM;
    for (size_t i = 0; i < t->size; i++)
        if (t->v[i].n)
            bigger.v[tally_at(&bigger, &t->v[i].who)] = t->v[i];
    free(t->v);
    *t = bigger;
    return 0;
}

static int tally_add(struct tally *t, const struct pw_share *s)
{
    if (2 * t->used >= t->size && tally_grow(t) < 0)
        return -ENOMEM;
    size_t i = tally_at(t, s);
    t->used += t->v[i].n == 0;
    t->v[i].who = *s;
    t->v[i].n++;
    return 0;
}

struct sweep {
    struct tally tally;
    struct flow_counts *counts;
    enum flow_table table;
    int map;
    uint64_t now_ns;
    bool wanted;
};

static int sweep_batch(void *arg, const struct flow_batch *b)
{
    struct sweep *s = arg;
    int r = 0;

    for (uint32_t i = 0; i < b->n && r == 0; i++) {
        if (!s->wanted || flow_is_silent(&b->flows[i], &b->entries[i], s->now_ns)) {
            (void)bpf_map_delete_elem(s->map, &b->flows[i]); /* gone already: as well */
            continue;
        }
        struct pw_share who = pw_share_of(s->table, &b->flows[i], &b->entries[i]);
        s->counts->n[s->table]++;
        r = tally_add(&s->tally, &who);
    }
    return r;
}

/* Writes what was counted, and takes out what nobody has any more. */
static void write_shares(const struct sweep *s, int map)
{
    struct pw_share at, next;
    int r = bpf_map_get_next_key(map, NULL, &next);

    for (unsigned n = 0; r == 0 && n < PW_SHARES_MAX; n++) {
        at = next;
        r = bpf_map_get_next_key(map, &at, &next);
        if (!s->tally.size || !s->tally.v[tally_at(&s->tally, &at)].n)
            (void)bpf_map_delete_elem(map, &at);
    }
    for (size_t i = 0; i < s->tally.size; i++)
        if (s->tally.v[i].n)
            (void)bpf_map_update_elem(map, &s->tally.v[i].who, &s->tally.v[i].n, BPF_ANY);
}

static int count_refused(const struct datapath *dp, uint64_t *ret)
{
    unsigned n_cpus = dp->counters.n_cpus;
    _cleanup_free_ uint64_t *per_cpu = calloc(n_cpus, sizeof(*per_cpu));
    uint64_t sum = 0;
    int r = per_cpu ? 0 : -ENOMEM;

    for (uint32_t egress = 0; egress < 2 && r == 0; egress++) {
        uint32_t key = egress * PW_STAT_MAX + PW_STAT_STATE_REFUSED;

        r = bpf_map_lookup_elem(dp->set.progs.map[MAP_STATS], &key, per_cpu);
        for (unsigned cpu = 0; cpu < n_cpus && r == 0; cpu++)
            sum += per_cpu[cpu];
    }
    *ret = sum;
    return r;
}

int datapath_flows_sweep(struct datapath *dp, bool wanted, struct flow_counts *ret)
{
    struct flow_counts counts = {0};
    struct sweep s = {.counts = &counts, .now_ns = flows_now_ns(), .wanted = wanted};
    int r = 0;

    for (s.table = 0; s.table < FLOW_TABLES && r == 0; s.table++) {
        s.map = flows_map(dp, s.table);
        r = flows_walk(s.map, sweep_batch, &s);
    }
    if (r == 0) {
        write_shares(&s, dp->set.progs.map[MAP_STATE_SHARES]);
        r = count_refused(dp, &counts.refused);
    }
    free(s.tally.v);
    if (r == 0)
        *ret = counts;
    return r;
}
