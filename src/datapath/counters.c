/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing and reading the chunks of counters.h. Called by datapath.c. Reading sums over the CPUs
 * that are possible here; an id without a chunk has counted nothing. */
#include "counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "images.h"

int counters_new_chunk(void)
{
    LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE);
    int n_cpus = libbpf_num_possible_cpus();

    if (n_cpus < 0)
        return n_cpus;
    return bpf_map_create(BPF_MAP_TYPE_ARRAY, "pw_counters", sizeof(uint32_t),
                          sizeof(struct pw_counter), (uint32_t)n_cpus * PW_CHUNK_IDS, &o);
}

static size_t chunk_bytes(const struct counters *c)
{
    return (size_t)c->n_cpus * PW_CHUNK_IDS * sizeof(struct pw_counter);
}

static void close_chunks(struct counters *c, uint32_t n_left)
{
    while (c->n > n_left) {
        c->n--;
        munmap(c->mapped[c->n], chunk_bytes(c));
        close_p(&c->chunk[c->n]);
    }
}

/* Takes the descriptor. */
static int add_chunk(struct counters *c, int fd)
{
    void *at = mmap(NULL, chunk_bytes(c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED) {
        int r = -errno;
        close(fd);
        return r;
    }
    c->chunk[c->n] = fd;
    c->mapped[c->n++] = at;
    return 0;
}

static int open_chunks(struct counters *c)
{
    for (uint32_t i = 0; i < PW_CHUNKS; i++) {
        int fd = image_map_at(c->outer_fd, i);

        if (fd == -ENOENT)
            return 0;
        if (fd < 0)
            return fd;
        int r = add_chunk(c, fd);
        if (r < 0)
            return r;
    }
    return 0;
}

int counters_open(int outer_fd, struct counters *ret)
{
    struct counters *c = ret;
    int n_cpus = libbpf_num_possible_cpus();

    if (n_cpus < 0)
        return n_cpus;
    *c = (struct counters){.outer_fd = outer_fd, .n_cpus = (uint32_t)n_cpus};
    int r = open_chunks(c);
    if (r < 0)
        counters_done(c);
    return r;
}

void counters_done(struct counters *c)
{
    close_chunks(c, 0);
}

int counters_grow(struct counters *c, uint32_t n_ids, struct diag *d, struct worker_update *u)
{
    uint32_t need = n_ids / PW_CHUNK_IDS + (n_ids % PW_CHUNK_IDS != 0);

    c->n_before = c->n;
    if (need > PW_CHUNKS)
        return diag_fail(d, DIAG_LIMIT, "too many counters: %u, limit %u", n_ids,
                         (unsigned)PW_CHUNKS * PW_CHUNK_IDS);
    u->outer_fd = c->outer_fd;
    while (c->n < need) {
        int fd = counters_new_chunk();
        int r = fd < 0 ? fd : add_chunk(c, fd);
        if (r < 0)
            return diag_errno(d, r, "cannot make room for %u counters", n_ids);
        u->slot[u->n] = c->n - 1;
        u->fd[u->n++] = fd;
    }
    return 0;
}

void counters_shrink(struct counters *c)
{
    close_chunks(c, c->n_before);
}

/* The counter of an id on one CPU; NULL if there is no such chunk. */
static struct pw_counter *counter_at(const struct counters *c, uint32_t id, uint32_t cpu)
{
    uint32_t chunk = id >> PW_CHUNK_SHIFT;

    return chunk < c->n ? &c->mapped[chunk][pw_counter_index(cpu, id)] : NULL;
}

void counters_read(const struct counters *c, uint32_t first, uint32_t n, struct counter *out)
{
    memset(out, 0, n * sizeof(*out));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t cpu = 0; cpu < c->n_cpus; cpu++) {
            const struct pw_counter *at = counter_at(c, first + i, cpu);

            if (!at)
                return;
            out[i].packets += __atomic_load_n(&at->packets, __ATOMIC_RELAXED);
            out[i].bytes += __atomic_load_n(&at->bytes, __ATOMIC_RELAXED);
        }
    }
}

void counters_reset(const struct counters *c, uint32_t id)
{
    for (uint32_t cpu = 0; cpu < c->n_cpus; cpu++) {
        struct pw_counter *at = counter_at(c, id, cpu);

        if (!at)
            return;
        __atomic_store_n(&at->packets, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&at->bytes, 0, __ATOMIC_RELAXED);
    }
}
