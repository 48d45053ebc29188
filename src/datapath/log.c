/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath/log.c: the ring of records (bpf/log.h) and its numbers. Called by the agent every 200
 * ms. Lifetime: the ring is a pinned map like all others, and keeps the reader's position, so that
 * an agent goes on where the one before stopped; the mapping is ours until log_close(). */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "logrecord.h"
#include "record.h"

struct log {
    struct ring_buffer *ring;
    struct pw_bucket *buckets; /* PW_BUCKETS, mapped */
    size_t buckets_bytes;
    uint64_t
        *told; /* of each bucket, what datapath_log_suppressed() has said; NULL = nothing yet */
    /* of the reading that runs */
    unsigned left, n;
    datapath_log_fn *fn;
    void *ctx;
};

static int on_sample(void *arg, void *data, size_t len)
{
    struct log *l = arg;
    struct log_record record;

    if (record_decode(data, len, &record) == 0) {
        l->fn(l->ctx, &record);
        l->n++;
    }
    return --l->left > 0 ? 0 : -ECANCELED; /* the sample counts as read all the same */
}

static int map_buckets(struct datapath *dp, struct log *l)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = PW_BUCKETS * sizeof(struct pw_bucket);

    l->buckets_bytes = (size + page - 1) / page * page;
    void *at = mmap(NULL, l->buckets_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                    dp->set.progs.map[MAP_LOG_BUCKETS], 0);
    if (at == MAP_FAILED)
        return -errno;
    l->buckets = at;
    return 0;
}

static void log_freep(struct log **pl)
{
    struct log *l = *pl;

    if (!l)
        return;
    if (l->buckets)
        munmap(l->buckets, l->buckets_bytes);
    ring_buffer__free(l->ring); /* NULL is fine */
    free(l->told);
    free(l);
}

/* At the first use. */
static int log_open(struct datapath *dp)
{
    _cleanup_(log_freep) struct log *l = NULL;

    if (dp->log)
        return 0;
    l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    int r = map_buckets(dp, l);
    if (r < 0)
        return r;
    l->ring = ring_buffer__new(dp->set.progs.map[MAP_LOG_RING], on_sample, l, NULL);
    if (!l->ring)
        return -errno;
    dp->log = TAKE_PTR(l);
    return 0;
}

void log_close(struct datapath *dp)
{
    log_freep(&dp->log);
    dp->log = NULL;
}

int datapath_log_read(struct datapath *dp, unsigned max, datapath_log_fn *fn, void *ctx)
{
    int r = log_open(dp);

    if (r < 0)
        return r;
    struct log *l = dp->log;
    l->left = max;
    l->n = 0;
    l->fn = fn;
    l->ctx = ctx;
    r = ring_buffer__consume(l->ring);
    return r < 0 && r != -ECANCELED ? r : (int)l->n;
}

int datapath_log_stats(struct datapath *dp, struct log_stats *ret)
{
    unsigned n_cpus = dp->counters.n_cpus;
    _cleanup_free_ uint64_t *per_cpu = calloc(n_cpus, sizeof(*per_cpu));
    uint64_t sum[PW_LOG_STATS] = {0}, suppressed = 0;
    int opened = log_open(dp);

    if (!per_cpu || opened < 0)
        return per_cpu ? opened : -ENOMEM;
    for (uint32_t i = 0; i < PW_LOG_STATS; i++) {
        int r = bpf_map_lookup_elem(dp->set.progs.map[MAP_LOG_STATS], &i, per_cpu);

        if (r < 0)
            return r;
        for (unsigned cpu = 0; cpu < n_cpus; cpu++)
            sum[i] += per_cpu[cpu];
    }
    for (unsigned i = 0; i < PW_BUCKETS; i++)
        suppressed += __atomic_load_n(&dp->log->buckets[i].suppressed, __ATOMIC_RELAXED);
    *ret = (struct log_stats){
        .written = sum[PW_LOG_WRITTEN], .suppressed = suppressed, .lost = sum[PW_LOG_LOST]};
    return 0;
}

static uint64_t suppressed_by(const struct log *l, unsigned bucket)
{
    return __atomic_load_n(&l->buckets[bucket].suppressed, __ATOMIC_RELAXED);
}

int datapath_log_suppressed(struct datapath *dp, datapath_suppressed_fn *fn, void *ctx)
{
    int r = log_open(dp);

    if (r < 0)
        return r;
    struct log *l = dp->log;
    bool first = !l->told;
    if (first)
        l->told = calloc(PW_BUCKETS, sizeof(*l->told));
    if (!l->told)
        return -ENOMEM;
    for (unsigned i = PW_BUCKET_REASONS; i < PW_BUCKETS; i++) {
        uint64_t now = suppressed_by(l, i), more = now - l->told[i];

        l->told[i] = now;
        if (!more || first)
            continue;
        if (i >= PW_BUCKET_FILTERS)
            fn(ctx, i - PW_BUCKET_FILTERS, DROP_NONE, more);
        else
            fn(ctx, COUNTER_NONE, (enum drop_reason)(i - PW_BUCKET_REASONS), more);
    }
    return 0;
}

int log_forget(struct datapath *dp, uint32_t counter_id)
{
    int r = log_open(dp);

    if (r < 0)
        return r;
    struct pw_bucket *b =
        &dp->log->buckets[PW_BUCKET_FILTERS + (counter_id & (PW_BUCKETS_OF_FILTERS - 1))];
    __atomic_store_n(&b->reported, __atomic_load_n(&b->suppressed, __ATOMIC_RELAXED),
                     __ATOMIC_RELAXED);
    return 0;
}
