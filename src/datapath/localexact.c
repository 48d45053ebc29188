/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath/localexact.c: see localexact.h. A packet reads one word, which is stored at once: it
 * holds an address with its kind, or those of another address with the same place, never a mixture.
 * What has no place is found in the trie. */
#include "localexact.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { EXACT_BYTES = PW_EXACT_WORDS * sizeof(uint64_t) };

int localexact_open(struct local_exact *x, int fd)
{
    void *at = mmap(NULL, EXACT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return -errno;
    x->words = at;
    return 0;
}

void localexact_close(struct local_exact *x)
{
    if (x->words)
        munmap(x->words, EXACT_BYTES);
    x->words = NULL;
}

/* Whether the prefix is one address that may have a place. */
static bool is_single(const struct local_route *l)
{
    return l->family == FAMILY_4 && l->prefix_len == family_bits(FAMILY_4);
}

static uint64_t word_of(const struct local_route *l)
{
    return (uint64_t)l->kind << 32 | (uint32_t)l->prefix.lo;
}

static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void localexact_set(struct local_exact *x, const struct local_route *l)
{
    if (is_single(l))
        store(&x->words[img_exact((uint32_t)l->prefix.lo)], word_of(l));
}

void localexact_forget(struct local_exact *x, const struct local_route *l)
{
    uint64_t *word = &x->words[img_exact((uint32_t)l->prefix.lo)];

    if (is_single(l) && (uint32_t)*word == (uint32_t)l->prefix.lo)
        store(word, 0);
}

void localexact_rebuild(struct local_exact *x, const struct host *host)
{
    uint64_t words[PW_EXACT_WORDS] = {0};

    for (size_t i = 0; i < host->n_local; i++)
        if (is_single(&host->local[i]))
            words[img_exact((uint32_t)host->local[i].prefix.lo)] = word_of(&host->local[i]);
    for (size_t i = 0; i < PW_EXACT_WORDS; i++)
        if (x->words[i] != words[i])
            store(&x->words[i], words[i]);
}
