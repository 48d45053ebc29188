/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of single filters in the image in force (datapath.md 6). Called by the agent with what
 * image_patch() computed. Packets obey every store at once and nothing waits for a grace period;
 * the order of the stores is what keeps each verdict that of before or of after. The image stays
 * mapped from one change to the next, as mapping it touches each of its pages. Invariant: words
 * of the active image alone are written, none beyond its end. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "images.h"
#include "internal.h"

void inplace_forget(struct datapath *dp)
{
    if (dp->mapped.lines)
        munmap(dp->mapped.lines, dp->mapped.size);
    dp->mapped = (struct mapped_image){0};
}

static int map_image(struct datapath *dp, uint32_t id)
{
    struct img_header h;
    _cleanup_(close_p) int fd = bpf_map_get_fd_by_id(id);

    inplace_forget(dp);
    if (fd < 0)
        return fd;
    int r = image_map_header(fd, &h);
    if (r < 0)
        return r;
    size_t size = (size_t)h.n_lines * IMG_LINE_BYTES;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    dp->mapped = (struct mapped_image){.map_id = id, .lines = at, .size = size};
    return 0;
}

/* The active image in our memory. Not while programs of an older layout decide, nor before the
 * image that was flipped to is known to decide: the slot may name either. */
static int map_active(struct datapath *dp)
{
    uint32_t slot = PW_ROOT_ACTIVE, id;

    if (dp->waits_beside ||
        (dp->install == INSTALL_FLIPPING && dp->generation != dp->candidate_generation))
        return -EBUSY;
    int r = bpf_map_lookup_elem(dp->set.progs.map[MAP_ROOTS], &slot, &id);
    if (r < 0)
        return r;
    /* An id is not given again while the mapping holds the map. */
    return dp->mapped.lines && dp->mapped.map_id == id ? 0 : map_image(dp, id);
}

static uint64_t generation_of(const struct mapped_image *m)
{
    const struct img_header *h = (const void *)m->lines; /* pages are aligned */

    return h->generation;
}

int datapath_image(struct datapath *dp, struct image *ret)
{
    int r = map_active(dp);

    if (r < 0)
        return r;
    *ret = (struct image){.lines = dp->mapped.lines,
                          .n_lines = (uint32_t)(dp->mapped.size / IMG_LINE_BYTES),
                          .generation = generation_of(&dp->mapped)};
    return 0;
}

/* One aligned word, visible after everything stored before it. */
static void store(const struct mapped_image *m, uint32_t word, uint64_t value)
{
    __u64 *words = (void *)m->lines; /* pages are aligned */

    __atomic_store_n(&words[word], value, __ATOMIC_RELEASE);
}

/* The image that p was computed from, or made. */
static int map_for(struct datapath *dp, const struct image_patch *p, uint64_t generation)
{
    int r = map_active(dp);

    if (r == 0 && generation_of(&dp->mapped) != generation)
        r = -ESTALE;
    for (size_t i = 0; i < p->n && r == 0; i++)
        if (p->v[i].word >= dp->mapped.size / sizeof(uint64_t))
            r = -ERANGE;
    return r;
}

static void now_in_force(struct datapath *dp, uint64_t generation)
{
    if (dp->install == INSTALL_FLIPPING) /* the end of that job says the same */
        dp->candidate_generation = generation;
    dp->generation = generation;
}

int datapath_patch(struct datapath *dp, const struct image_patch *p)
{
    int r = map_for(dp, p, p->before);

    if (r < 0)
        return r;
    for (size_t i = 0; i < p->n; i++)
        store(&dp->mapped, p->v[i].word, p->v[i].value);
    now_in_force(dp, p->generation);
    return 0;
}

int datapath_unpatch(struct datapath *dp, const struct image_patch *p)
{
    int r = map_for(dp, p, p->generation);

    if (r < 0)
        return r;
    for (size_t i = p->n; i-- > 0;)
        store(&dp->mapped, p->v[i].word, p->v[i].before);
    now_in_force(dp, p->before);
    return 0;
}

uint32_t datapath_counter_room(const struct datapath *dp)
{
    return dp->counters.n * PW_CHUNK_IDS;
}
