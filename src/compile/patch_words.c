/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/patch_words.c: a finished image as words: what they will be after the stores so far, and
 * one more store.
 * Called by place.c, patch_bits.c and patch.c for changes in place. Invariant: the image itself is
 * only read; a word that was stored is read as it will be. */
#include <errno.h>
#include <string.h>

#include "place.h"

const void *patch_line(const struct image_patcher *p, uint32_t line)
{
    return (const uint8_t *)p->img->lines + (size_t)line * IMG_LINE_BYTES;
}

const struct img_header *patch_header(const struct image_patcher *p)
{
    return patch_line(p, IMG_HEADER_LINE);
}

uint32_t patch_family_line(unsigned fam)
{
    return fam == FAM4 ? IMG_FAMILY4_LINE : IMG_FAMILY6_LINE;
}

const struct img_family *patch_family(const struct image_patcher *p, unsigned fam)
{
    return patch_line(p, patch_family_line(fam));
}

/* Place of a word among those stored, or the free one where it belongs. At most half are used. */
static uint32_t pending_at(const struct image_patcher *p, uint32_t word)
{
    uint32_t i = word * 0x9e3779b1U >> 20;
    _Static_assert(PENDING == 1 << 12, "bits of the hash");
    while (p->pending[i].word != 0 && p->pending[i].word != word + 1)
        i = (i + 1) % PENDING;
    return i;
}

uint64_t patch_word(const struct image_patcher *p, uint32_t word)
{
    const struct pending *w = &p->pending[pending_at(p, word)];
    uint64_t value;
    if (w->word != 0)
        return p->out->v[w->at].value;
    memcpy(&value, (const uint8_t *)p->img->lines + (size_t)word * WORD, WORD);
    return value;
}

void patch_get(const struct image_patcher *p, uint32_t at, void *part, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t value = patch_word(p, at + i);
        memcpy((uint8_t *)part + (size_t)i * WORD, &value, WORD);
    }
}

void patch_forget(struct image_patcher *p)
{
    if (p->out->n > PENDING / 64) {
        memset(p->pending, 0, sizeof(p->pending));
        return;
    }
    /* A word may stand behind others that are cleared first: all up to the next free one go. */
    for (size_t k = 0; k < p->out->n; k++) {
        uint32_t i = p->out->v[k].word * 0x9e3779b1U >> 20;
        for (; p->pending[i].word != 0; i = (i + 1) % PENDING)
            p->pending[i].word = 0;
    }
}

int patch_store(struct image_patcher *p, uint32_t word, uint64_t value)
{
    struct image_patch *o = p->out;
    uint64_t before = patch_word(p, word);
    if (before == value)
        return 0;
    if (o->n >= PATCH_STORES)
        return -EAGAIN;
    int r = array_reserve(&o->v, &o->cap, o->n + 1, sizeof(*o->v));
    if (r < 0)
        return r;
    p->pending[pending_at(p, word)] = (struct pending){.word = word + 1, .at = (uint32_t)o->n};
    o->v[o->n++] = (struct image_store){.word = word, .value = value, .before = before};
    return 0;
}

/* Words [first, first + n) of a part that begins at `word`. */
int patch_put(struct image_patcher *p, uint32_t word, const void *part, uint32_t first, uint32_t n)
{
    int r = 0;
    for (uint32_t i = first; i < first + n && r == 0; i++) {
        uint64_t value;
        memcpy(&value, (const uint8_t *)part + (size_t)i * WORD, WORD);
        r = patch_store(p, word + i, value);
    }
    return r;
}

const struct img_port *patch_ports(const struct image_patcher *p, bool destination)
{
    uint32_t off = destination ? patch_header(p)->dport_off : patch_header(p)->sport_off;
    return off == 0 ? NULL : patch_line(p, off);
}
