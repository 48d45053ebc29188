/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See gate.h. Bans are written here alone, for sources whose connections were ended, so that a
 * flood of forged packets can neither make nor push out one. */
#include "gate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NET_SOURCES = 4 };

static int map_control(struct mpp_gate *g)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    g->control_bytes = (sizeof(struct mpp_control) + page - 1) / page * page;
    void *at = mmap(NULL, g->control_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                    g->map[MPP_MAP_CONTROL], 0);
    if (at == MAP_FAILED)
        return -errno;
    g->control = at;
    return 0;
}

int gate_open(const struct mpp_options *o, struct mpp_gate *ret)
{
    struct mpp_gate g = {.cookies_before = -1};
    int cpus = libbpf_num_possible_cpus();

    if (cpus < 0)
        return cpus;
    g.n_cpus = (unsigned)cpus;
    memcpy(g.map, o->shared, sizeof(g.map));
    g.hosts = (struct mpp_bans){.map = g.map[MPP_MAP_BANS], .max = MPP_BANS_MAX};
    g.nets = (struct mpp_bans){.map = g.map[MPP_MAP_NET_BANS], .max = MPP_NET_BANS_MAX};
    int r = map_control(&g);
    if (r < 0)
        return r;
    cookies_open(&g, o->runtime_dir);
    *ret = g;
    gate_clear_bans(ret); /* the agent before is gone, and with it whoever renewed them */
    return 0;
}

void gate_close(struct mpp_gate *g)
{
    if (!g->control)
        return;
    gate_set(g, MPP_GATE_OPEN, 0);
    munmap(g->control, g->control_bytes);
    g->control = NULL;
    bans_close(&g->hosts);
    bans_close(&g->nets);
}

/* One aligned word at a time: a packet sees the level of before or of after, and the deadline of
 * either. */
void gate_set(struct mpp_gate *g, unsigned level, uint64_t now_ns)
{
    if (level)
        cookies_force(g);
    else
        cookies_restore(g);
    __atomic_store_n(&g->control->cookies, level && cookies_in_force(), __ATOMIC_RELAXED);
    __atomic_store_n(&g->control->until_ns, level ? now_ns + MPP_DEADLINE_NS : 0, __ATOMIC_RELEASE);
    __atomic_store_n(&g->control->level, level, __ATOMIC_RELEASE);
}

/* --- rules --- */

static int set_ifaces(struct mpp_gate *g, const struct mpp_iface *ifaces, size_t n)
{
    uint32_t limits = 0, key = 0, next;
    int fd = g->map[MPP_MAP_IFACES];

    for (size_t i = 0; i < n; i++) {
        struct mpp_ifrule rule = {
            .spare = ifaces[i].category != MPP_PUBLIC,
            .off = (ifaces[i].off[MPP_4] ? 1U : 0U) | (ifaces[i].off[MPP_6] ? 2U : 0U),
            .rate = ifaces[i].rate,
        };
        limits += rule.rate > 0;
        int r = bpf_map_update_elem(fd, &ifaces[i].ifindex, &rule, BPF_ANY);
        if (r < 0)
            return r;
    }
    /* Interfaces that are gone: what gets their number is public until it is known. */
    for (int r = bpf_map_get_next_key(fd, NULL, &next); r == 0;) {
        bool there = false;
        key = next;
        r = bpf_map_get_next_key(fd, &key, &next);
        for (size_t i = 0; i < n; i++)
            there = there || ifaces[i].ifindex == key;
        if (!there)
            (void)bpf_map_delete_elem(fd, &key); /* may be gone already */
    }
    __atomic_store_n(&g->control->limits, limits, __ATOMIC_RELEASE);
    return 0;
}

int gate_set_rules(struct mpp_gate *g, const struct mpp_rules *r, const struct mpp_iface *ifaces,
                   size_t n)
{
    uint32_t slot = !g->control->slot;
    _cleanup_free_ struct mpp_ruleset *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->generation = r->generation;
    s->on[0] = r->on[MPP_4];
    s->on[1] = r->on[MPP_6];
    s->profiles = r->profiles;
    memcpy(s->keep, r->keep, sizeof(s->keep));
    memcpy(s->exempt[0], r->exempt[MPP_4], sizeof(s->exempt[0]));
    memcpy(s->exempt[1], r->exempt[MPP_6], sizeof(s->exempt[1]));
    int err = bpf_map_update_elem(g->map[MPP_MAP_SETTINGS], &slot, s, BPF_ANY);
    if (!err)
        err = set_ifaces(g, ifaces, n);
    if (err < 0)
        return err;
    __atomic_store_n(&g->control->slot, slot, __ATOMIC_RELEASE);
    return 0;
}

uint32_t gate_generation(const struct mpp_gate *g)
{
    struct mpp_ruleset s;
    uint32_t slot = g->control->slot;

    return bpf_map_lookup_elem(g->map[MPP_MAP_SETTINGS], &slot, &s) < 0 ? 0 : s.generation;
}

/* --- bans --- */

void gate_expire_bans(struct mpp_gate *g, uint64_t now_ns)
{
    bans_forget(&g->hosts, now_ns);
    bans_forget(&g->nets, now_ns);
}

void gate_clear_bans(struct mpp_gate *g)
{
    bans_clear(&g->hosts);
    bans_clear(&g->nets);
}

int gate_ban(struct mpp_gate *g, uint64_t source, uint64_t now_ns)
{
    uint64_t net = source >> 8, first = net << 8;
    int r = bans_enter(&g->hosts, source, now_ns);

    if (r <= 0)
        return r;
    if (bans_in_force(&g->hosts, first, first | 0xff, now_ns) < NET_SOURCES)
        return 0;
    r = bans_enter(&g->nets, net, now_ns);
    return r < 0 ? r : 0;
}

/* --- numbers --- */

void gate_take_drops(struct mpp_gate *g, gate_drop_fn *fn, void *ctx)
{
    struct mpp_drop_key key, next;
    int fd = g->map[MPP_MAP_DROPS];

    for (int r = bpf_map_get_next_key(fd, NULL, &next); r == 0;) {
        uint64_t n;
        key = next;
        r = bpf_map_get_next_key(fd, &key, &next);
        if (bpf_map_lookup_elem(fd, &key, &n) < 0)
            continue;
        (void)bpf_map_delete_elem(fd, &key); /* the packets in between are in the counters */
        fn(ctx, &key, n);
    }
}

void gate_count(struct mpp_gate *g, uint32_t index, uint64_t by)
{
    _cleanup_free_ uint64_t *per_cpu = by ? calloc(g->n_cpus, sizeof(*per_cpu)) : NULL;

    if (!per_cpu || bpf_map_lookup_elem(g->map[MPP_MAP_COUNTS], &index, per_cpu) < 0)
        return;
    per_cpu[0] += by;
    (void)bpf_map_update_elem(g->map[MPP_MAP_COUNTS], &index, per_cpu, BPF_EXIST); /* it is there */
}

void gate_counts(const struct mpp_gate *g, uint64_t ret[_MPP_N_MAX])
{
    _cleanup_free_ uint64_t *per_cpu = calloc(g->n_cpus, sizeof(*per_cpu));

    memset(ret, 0, _MPP_N_MAX * sizeof(*ret));
    for (uint32_t i = 0; per_cpu && i < _MPP_N_MAX; i++) {
        if (bpf_map_lookup_elem(g->map[MPP_MAP_COUNTS], &i, per_cpu) < 0)
            continue;
        for (unsigned cpu = 0; cpu < g->n_cpus; cpu++)
            ret[i] += per_cpu[cpu];
    }
}
