/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing and reading the chunks of counters.h. Called by datapath.c. Reading sums over the CPUs
 * that are possible here; an id without a chunk has counted nothing. */
#include "counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "images.h"

static void close_chunks(struct counters *c, uint32_t n_left)
{
    while (c->n > n_left)
        close_p(&c->chunk[--c->n]);
}

static int open_chunks(struct counters *c)
{
    for (uint32_t i = 0; i < PW_CHUNKS; i++) {
        int fd = image_map_at(c->outer_fd, i);

        if (fd == -ENOENT)
            return 0;
        if (fd < 0)
            return fd;
        c->chunk[c->n++] = fd;
    }
    return 0;
}

int counters_open(int outer_fd, struct counters *ret)
{
    struct counters *c = ret;
    int n_cpus = libbpf_num_possible_cpus();

    if (n_cpus < 0)
        return n_cpus;
    *c = (struct counters){.outer_fd = outer_fd, .n_cpus = (unsigned)n_cpus};
    c->per_cpu = calloc(c->n_cpus, sizeof(*c->per_cpu));
    if (!c->per_cpu)
        return -ENOMEM;
    int r = open_chunks(c);
    if (r < 0)
        counters_done(c);
    return r;
}

void counters_done(struct counters *c)
{
    close_chunks(c, 0);
    free(c->per_cpu);
    c->per_cpu = NULL;
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
        int fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "pw_counters", sizeof(uint32_t),
                                sizeof(struct pw_counter), PW_CHUNK_IDS, NULL);
        if (fd < 0)
            return diag_errno(d, fd, "cannot make room for %u counters", n_ids);
        u->slot[u->n] = c->n;
        u->fd[u->n++] = fd;
        c->chunk[c->n++] = fd;
    }
    return 0;
}

void counters_shrink(struct counters *c)
{
    close_chunks(c, c->n_before);
}

/* Chunk and index of an id; -1 if there is no such chunk. */
static int place(const struct counters *c, uint32_t id, uint32_t *ret_index)
{
    uint32_t chunk = id >> PW_CHUNK_SHIFT;

    *ret_index = id & (PW_CHUNK_IDS - 1);
    return chunk < c->n ? c->chunk[chunk] : -1;
}

int counters_read(const struct counters *c, uint32_t first, uint32_t n, struct counter *out)
{
    memset(out, 0, n * sizeof(*out));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index;
        int fd = place(c, first + i, &index);

        if (fd < 0)
            break;
        int r = bpf_map_lookup_elem(fd, &index, c->per_cpu);
        if (r < 0)
            return r;
        for (unsigned cpu = 0; cpu < c->n_cpus; cpu++) {
            out[i].packets += c->per_cpu[cpu].packets;
            out[i].bytes += c->per_cpu[cpu].bytes;
        }
    }
    return 0;
}

int counters_reset(const struct counters *c, uint32_t id)
{
    uint32_t index;
    int fd = place(c, id, &index);

    if (fd < 0)
        return 0;
    memset(c->per_cpu, 0, c->n_cpus * sizeof(*c->per_cpu));
    return bpf_map_update_elem(fd, &index, c->per_cpu, BPF_ANY);
}
