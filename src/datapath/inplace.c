/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of single filters in the image in force (datapath.md 6). Called by the agent with what
 * image_patch() computed. Packets obey every store at once and nothing waits for a grace period;
 * the order of the stores is what keeps each verdict that of before or of after. Invariant: words
 * of the active image alone are written, none beyond its end. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "images.h"
#include "internal.h"

/* The active image in our memory. */
struct mapping {
    struct img_header header;
    uint8_t *lines;
    size_t size;
};

static void mapping_done(struct mapping *m)
{
    if (m->lines)
        munmap(m->lines, m->size);
}

/* Not while programs of an older layout decide, nor before the image that was flipped to is known
 * to decide: the slot may name either. */
static int map_active(struct datapath *dp, int protection, struct mapping *ret)
{
    struct mapping m = {0};

    if (dp->waits_beside ||
        (dp->install == INSTALL_FLIPPING && dp->generation != dp->candidate_generation))
        return -EBUSY;
    _cleanup_(close_p) int fd = image_map_at(dp->set.progs.map[MAP_ROOTS], PW_ROOT_ACTIVE);
    if (fd < 0)
        return fd;
    int r = image_map_header(fd, &m.header);
    if (r < 0)
        return r;
    m.size = (size_t)m.header.n_lines * IMG_LINE_BYTES;
    void *at = mmap(NULL, m.size, protection, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    m.lines = at;
    *ret = m;
    return 0;
}

int datapath_image_copy(struct datapath *dp, struct image *ret)
{
    _cleanup_(mapping_done) struct mapping m = {0};
    int r = map_active(dp, PROT_READ, &m);

    if (r < 0)
        return r;
    void *lines = malloc(m.size);
    if (!lines)
        return -ENOMEM;
    memcpy(lines, m.lines, m.size);
    *ret = (struct image){
        .lines = lines, .n_lines = m.header.n_lines, .generation = m.header.generation};
    return 0;
}

/* One aligned word, visible after everything stored before it. */
static void store(const struct mapping *m, uint32_t word, uint64_t value)
{
    uint64_t *words = (uint64_t *)(void *)m->lines; /* pages are aligned */

    __atomic_store_n(&words[word], value, __ATOMIC_RELEASE);
}

static int check_words(const struct mapping *m, const struct image_patch *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].word >= m->size / sizeof(uint64_t))
            return -ERANGE;
    return 0;
}

static void now_in_force(struct datapath *dp, uint64_t generation)
{
    if (dp->install == INSTALL_FLIPPING) /* the end of that job says the same */
        dp->candidate_generation = generation;
    dp->generation = generation;
}

int datapath_patch(struct datapath *dp, const struct image_patch *p)
{
    _cleanup_(mapping_done) struct mapping m = {0};
    int r = map_active(dp, PROT_READ | PROT_WRITE, &m);

    if (r == 0)
        r = m.header.generation == p->before ? check_words(&m, p) : -ESTALE;
    if (r < 0)
        return r;
    for (size_t i = 0; i < p->n; i++)
        store(&m, p->v[i].word, p->v[i].value);
    now_in_force(dp, p->generation);
    return 0;
}

int datapath_unpatch(struct datapath *dp, const struct image_patch *p)
{
    _cleanup_(mapping_done) struct mapping m = {0};
    int r = map_active(dp, PROT_READ | PROT_WRITE, &m);

    if (r == 0)
        r = m.header.generation == p->generation ? check_words(&m, p) : -ESTALE;
    if (r < 0)
        return r;
    for (size_t i = p->n; i-- > 0;)
        store(&m, p->v[i].word, p->v[i].before);
    now_in_force(dp, p->before);
    return 0;
}

uint32_t datapath_counter_room(const struct datapath *dp)
{
    return dp->counters.n * PW_CHUNK_IDS;
}
