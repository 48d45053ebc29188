/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath/scan.c: thresholds, beginnings, progress and end of scans, see datapath/scan.h. Called
 * by the agent every 200 ms. Lifetime: all maps are pinned with the set, so that the kernel counts
 * on when the agent is gone; the mapping of the control and the reader of the ring are ours until
 * scan_close(). */
#include "datapath/scan.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "internal.h"
#include "scan.h"

_Static_assert((int)SCAN_KIND_SYN == (int)SCAN_SYN && (int)SCAN_KIND_FIN == (int)SCAN_FIN &&
                   (int)SCAN_KIND_XMAS == (int)SCAN_XMAS && (int)SCAN_KIND_NULL == (int)SCAN_NULL &&
                   (int)SCAN_KIND_UDP == (int)SCAN_UDP &&
                   (int)SCAN_KIND_CLOSED_TCP == (int)SCAN_CLOSED_TCP &&
                   (int)SCAN_KIND_CLOSED_UDP == (int)SCAN_CLOSED_UDP &&
                   (int)SCAN_PACE_FAST == (int)SCAN_FAST && (int)SCAN_PACE_SLOW == (int)SCAN_SLOW &&
                   (int)SCAN_PACE_SWEEP == (int)SCAN_SWEEP && (int)SCAN_SAMPLE == (int)SCAN_PORTS &&
                   (int)SCAN_SOURCES == (int)SCAN_SPOOFABLE_SETS * SCAN_WAYS,
               "numbers of scan.h");

enum { FAST_S = 10, SLOW_S = 3600 };
static const uint64_t mask_64 = ~0ULL, mask_48 = ~0xffffULL;

struct scan {
    struct ring_buffer *ring;
    struct scan_control *control; /* these are mapped */
    struct scan_set *spoofable, *proven;
    /* of the reading that runs */
    unsigned left, n;
    datapath_scan_fn *fn;
    void *ctx;
};

static int map_of(const struct datapath *dp, unsigned map)
{
    return dp->set.progs.map[map];
}

static int on_sample(void *arg, void *data, size_t len)
{
    struct scan *s = arg;
    struct scan_record r;

    s->left--;
    if (len == sizeof(r)) {
        memcpy(&r, data, sizeof(r));
        struct scan_begin b = {
            .time_ns = r.time_ns,
            .source = r.source,
            .family = r.family == 6 ? FAMILY_6 : FAMILY_4,
            .src = {.hi = r.src_hi, .lo = r.src_lo},
            .dst = {.hi = r.dst_hi, .lo = r.dst_lo},
            .ifindex = r.ifindex,
            .count = r.count,
            .port = r.port,
            .kinds = r.kinds,
            .kind = r.kind,
            .pace = r.pace <= SCAN_SWEEP ? (enum scan_pace)r.pace : SCAN_PACE_FAST,
            .proven = r.proven,
        };
        s->fn(s->ctx, &b);
        s->n++;
    }
    return s->left > 0 ? 0 : -ECANCELED; /* the sample counts as read all the same */
}

static const size_t spoofable_bytes = SCAN_SPOOFABLE_SETS * sizeof(struct scan_set),
                    proven_bytes = SCAN_PROVEN_SETS * sizeof(struct scan_set),
                    control_bytes = sizeof(struct scan_control);

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) / page * page;
}

static int map_in(const struct datapath *dp, unsigned map, size_t bytes, void **ret)
{
    void *at =
        mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, map_of(dp, map), 0);

    if (at == MAP_FAILED)
        return -errno;
    *ret = at;
    return 0;
}

static void map_out(void *at, size_t bytes)
{
    if (at)
        munmap(at, whole_pages(bytes));
}

static void scan_freep(struct scan **ps)
{
    struct scan *s = *ps;

    if (!s)
        return;
    map_out(s->control, control_bytes);
    map_out(s->spoofable, spoofable_bytes);
    map_out(s->proven, proven_bytes);
    ring_buffer__free(s->ring); /* NULL is fine */
    free(s);
}

/* At the first use. */
static int scan_open(struct datapath *dp)
{
    _cleanup_(scan_freep) struct scan *s = NULL;
    void *control, *spoofable, *proven;

    if (dp->scan)
        return 0;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    int r = map_in(dp, MAP_SCAN_CONTROL, control_bytes, &control);
    if (r < 0)
        return r;
    s->control = control;
    r = map_in(dp, MAP_SCAN_SPOOFABLE, spoofable_bytes, &spoofable);
    if (r < 0)
        return r;
    s->spoofable = spoofable;
    r = map_in(dp, MAP_SCAN_PROVEN, proven_bytes, &proven);
    if (r < 0)
        return r;
    s->proven = proven;
    s->ring = ring_buffer__new(map_of(dp, MAP_SCAN_RING), on_sample, s, NULL);
    if (!s->ring)
        return -errno;
    dp->scan = TAKE_PTR(s);
    return 0;
}

void scan_close(struct datapath *dp)
{
    scan_freep(&dp->scan);
    dp->scan = NULL;
}

/* Bits of a sketch of `size` that n distinct things set on average, rounded down: so many are never
 * set by fewer things than that. */
static uint32_t expected_bits(unsigned n, unsigned size)
{
    uint64_t empty = (uint64_t)size << 16;

    for (unsigned i = 0; i < n; i++)
        empty -= empty / size;
    return size - (uint32_t)((empty + 0xffff) >> 16);
}

static uint32_t ticks(uint64_t seconds)
{
    return (uint32_t)(seconds * 1000000000 >> SCAN_TICK_SHIFT);
}

static void store(uint32_t *at, uint32_t v)
{
    __atomic_store_n(at, v, __ATOMIC_RELAXED);
}

int datapath_scan_set(struct datapath *dp, const struct scan_limits *l)
{
    int r = scan_open(dp);

    if (r < 0)
        return r;
    struct scan_control *c = dp->scan->control;
    if (!c->seed && getrandom(&c->seed, sizeof(c->seed), 0) != sizeof(c->seed))
        return -errno;
    if (!c->mask6)
        c->mask6 = mask_64;
    store(&c->fast_bits, expected_bits(l->fast, SCAN_SKETCH_BITS));
    store(&c->slow_bits, expected_bits(l->slow, SCAN_SKETCH_BITS));
    store(&c->sweep_bits, expected_bits(l->sweep, SCAN_SWEEP_BITS));
    store(&c->fast_ticks, ticks(FAST_S));
    store(&c->slow_ticks, ticks(SLOW_S));
    __atomic_store_n(&c->on, l->on, __ATOMIC_RELEASE);
    return 0;
}

int datapath_scan_widen(struct datapath *dp, bool wide)
{
    int r = scan_open(dp);

    if (r < 0)
        return r;
    __atomic_store_n(&dp->scan->control->mask6, wide ? mask_48 : mask_64, __ATOMIC_RELAXED);
    return 0;
}

int datapath_scan_read(struct datapath *dp, unsigned max, datapath_scan_fn *fn, void *ctx)
{
    int r = scan_open(dp);

    if (r < 0)
        return r;
    struct scan *s = dp->scan;
    s->left = max;
    s->n = 0;
    s->fn = fn;
    s->ctx = ctx;
    r = ring_buffer__consume(s->ring);
    return r < 0 && r != -ECANCELED ? r : (int)s->n;
}

int datapath_scan_state(struct datapath *dp, uint64_t source, struct scan_state *ret)
{
    struct scan_progress g;
    int r = bpf_map_lookup_elem(map_of(dp, MAP_SCAN_ACTIVE), &source, &g);

    if (r < 0)
        return r;
    *ret = (struct scan_state){.source = source,
                               .last_ns = g.last_ns,
                               .count = g.count,
                               .n_ports = g.n_ports < SCAN_PORTS ? g.n_ports : SCAN_PORTS,
                               .kinds = g.kinds};
    memcpy(ret->port, g.port, sizeof(g.port));
    return 0;
}

int datapath_scan_list(struct datapath *dp, uint64_t *sources, size_t max)
{
    uint64_t *before = NULL, key;
    size_t n = 0;

    while (n < max && bpf_map_get_next_key(map_of(dp, MAP_SCAN_ACTIVE), before, &key) == 0) {
        sources[n] = key;
        before = &sources[n++];
    }
    return (int)n;
}

/* What was counted of a source. One that is proven stays proven. */
static void forget(struct scan_set *sets, uint32_t n_sets, uint64_t seed, uint64_t source)
{
    struct scan_set *s = &sets[scan_set_of(source, seed, n_sets)];

    for (unsigned i = 0; i < SCAN_WAYS; i++)
        if (s->source[i] == source)
            s->entry[i] = (struct scan_entry){.count = 0};
}

int datapath_scan_end(struct datapath *dp, uint64_t source)
{
    int r = scan_open(dp);

    if (r < 0)
        return r;
    const struct scan *s = dp->scan;
    forget(s->proven, SCAN_PROVEN_SETS, s->control->seed, source);
    forget(s->spoofable, SCAN_SPOOFABLE_SETS, s->control->seed, source);
    return bpf_map_delete_elem(map_of(dp, MAP_SCAN_ACTIVE), &source);
}

int datapath_scan_stats(struct datapath *dp, struct scan_stats *ret)
{
    unsigned n_cpus = dp->counters.n_cpus;
    _cleanup_free_ uint64_t *per_cpu = calloc(n_cpus, sizeof(*per_cpu));
    uint64_t sum[_SCAN_N_MAX] = {0};

    if (!per_cpu)
        return -ENOMEM;
    for (uint32_t i = 0; i < _SCAN_N_MAX; i++) {
        int r = bpf_map_lookup_elem(map_of(dp, MAP_SCAN_COUNTS), &i, per_cpu);

        if (r < 0)
            return r;
        for (unsigned cpu = 0; cpu < n_cpus; cpu++)
            sum[i] += per_cpu[cpu];
    }
    *ret = (struct scan_stats){.new4 = sum[SCAN_N_NEW4],
                               .new6 = sum[SCAN_N_NEW6],
                               .pushed_out = sum[SCAN_N_PUSHED],
                               .detected = sum[SCAN_N_DETECTED],
                               .lost = sum[SCAN_N_LOST]};
    return 0;
}
