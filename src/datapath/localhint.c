/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath/localhint.c: see localhint.h. The kernel copies an element word by word while packets
 * read it: every mixture of the old and the new bits has those of all prefixes that stay. */
#include "localhint.h"

#include <bpf/bpf.h>
#include <string.h>

enum {
    /* Shorter prefixes stand for so many addresses that all bits are set. */
    MAX_EACH = 4096,
    /* Removed prefixes that are worth a rebuild, besides as many as there are. */
    MIN_REMOVED = 64,
    LOOPBACK_BYTE = 127,
    UPPER_BITS = 64, /* of an IPv6 address, which are hashed */
};

static bool set_bit(uint64_t words[PW_HINT_WORDS], uint32_t bit)
{
    uint64_t mask = 1ULL << (bit % 64);
    bool is_new = !(words[bit / 64] & mask);
    words[bit / 64] |= mask;
    return is_new;
}

/* Whether any bit is new. */
static bool set_all(uint64_t words[PW_HINT_WORDS])
{
    bool is_new = false;
    for (unsigned i = 0; i < PW_HINT_WORDS; i++) {
        is_new = is_new || words[i] != UINT64_MAX;
        words[i] = UINT64_MAX;
    }
    return is_new;
}

static bool set_prefix(uint64_t words[2][PW_HINT_WORDS], const struct local_route *l)
{
    bool v4 = l->family == FAMILY_4;
    uint64_t first = v4 ? l->prefix.lo : l->prefix.hi;
    unsigned bits = v4 ? family_bits(FAMILY_4) : UPPER_BITS;
    unsigned len = l->prefix_len < bits ? l->prefix_len : bits;
    if (v4 && len >= 8 && first >> 24 == LOOPBACK_BYTE)
        return false; /* always looked up */
    uint64_t *to = words[v4 ? 0 : 1];
    if (bits - len > 12 || 1u << (bits - len) > MAX_EACH)
        return set_all(to);
    bool is_new = false;
    for (uint64_t i = 0; i < 1u << (bits - len); i++)
        is_new |= set_bit(to, img_hint(first + i));
    return is_new;
}

static int load(struct local_hint *h, int fd)
{
    for (uint32_t i = 0; i < 2; i++) {
        int r = bpf_map_lookup_elem(fd, &i, h->words[i]);
        if (r < 0)
            return r;
    }
    h->loaded = true;
    return 0;
}

static int store(const struct local_hint *h, int fd, uint32_t element)
{
    return bpf_map_update_elem(fd, &element, h->words[element], BPF_ANY);
}

int localhint_add(struct local_hint *h, int fd, const struct local_route *l)
{
    int r = h->loaded ? 0 : load(h, fd);
    if (r < 0 || !set_prefix(h->words, l))
        return r;
    r = store(h, fd, l->family == FAMILY_4 ? 0 : 1);
    if (r < 0)
        h->loaded = false; /* the map does not have these bits */
    return r;
}

int localhint_rebuild(struct local_hint *h, int fd, const struct host *host)
{
    memset(h->words, 0, sizeof(h->words));
    for (size_t i = 0; i < host->n_local; i++)
        (void)set_prefix(h->words, &host->local[i]);
    h->n_removed = 0;
    h->loaded = h->complete = true;
    int r = store(h, fd, 0);
    if (r == 0)
        r = store(h, fd, 1);
    if (r < 0)
        h->loaded = false;
    return r;
}

int localhint_removed(struct local_hint *h, int fd, const struct host *host)
{
    if (++h->n_removed < MIN_REMOVED + host->n_local || !h->complete)
        return 0;
    return localhint_rebuild(h, fd, host);
}
