/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/patch.c: image_patch(), the stores of a change in place, filter by filter.
 * Called by the agent about the image in force, which is only read: what was stored so far stands
 * in the patcher, so that the next entry sees it. Invariants: whatever needs more than a slot, a
 * tuple number and pruning bits ends with -EAGAIN; no step but check_losers() looks at filters that
 * stay; the next image is compiled from the filters, never from a patched one. */
#include "compile/patch.h"

#include <errno.h>
#include <string.h>

#include "place.h"

void image_patch_done(struct image_patch *p)
{
    free(p->v);
    free(p->added);
    *p = (struct image_patch){0};
}

int image_patcher_new(struct image_patcher **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

struct image_patcher *image_patcher_free(struct image_patcher *p)
{
    if (!p)
        return NULL;
    free(p->b.items);
    free(p->spots);
    free(p);
    return NULL;
}

void image_patcher_freep(struct image_patcher **p)
{
    image_patcher_free(*p);
}

/* --- filters --- */

static int expand(struct image_patcher *p, const struct effective_filter *ef, uint32_t order)
{
    p->b.n_items = 0;
    p->b.copies = 0;
    return expand_filter(&p->b, ef, order, 0);
}

/* Appends all entries of a filter, if each is one slot. */
static int collect_spots(struct image_patcher *p, const struct effective_filter *ef, uint32_t order)
{
    int r = expand(p, ef, order);
    size_t n = p->b.n_items, first = p->n_spots;
    if (r == 0 && (p->b.copies > 0 || n == 0))
        r = -EAGAIN;
    if (r == 0)
        r = array_reserve(&p->spots, &p->cap_spots, first + n, sizeof(*p->spots));
    for (size_t i = 0; i < n && r == 0; i++, p->n_spots++)
        r = spot_is_single(p, &p->b.items[i]) ? spot_make(p, &p->b.items[i], &p->spots[first + i])
                                              : -EAGAIN;
    return r;
}

static int add_filter(struct image_patcher *p, const struct effective_filter *ef, uint32_t order)
{
    p->n_spots = 0;
    int r = collect_spots(p, ef, order);
    for (size_t i = 0; i < p->n_spots && r == 0; i++)
        r = spot_add(p, &p->spots[i]);
    if (r < 0)
        return r;
    p->out->added = malloc(p->n_spots * sizeof(*p->out->added));
    if (!p->out->added)
        return -ENOMEM;
    memcpy(p->out->added, p->spots, p->n_spots * sizeof(*p->out->added));
    p->out->n_added = p->n_spots;
    return 0;
}

static int cmp_rank(const struct effective_filter *a, const struct effective_filter *b)
{
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    return guid_cmp(&a->filter->guid, &b->filter->guid);
}

/* Order that the image has for a filter, from any of its entries. */
static int order_of(struct image_patcher *p, const struct effective_filter *ef, uint32_t *ret)
{
    struct spot s;
    uint32_t slot;
    int r = expand(p, ef, 0);
    if (r < 0)
        return r;
    for (size_t i = 0; i < p->b.n_items; i++) {
        if (spot_make(p, &p->b.items[i], &s) == 0 && spot_find(p, &s, &slot) == 0) {
            *ret = spot_order(p, &s, slot);
            return 0;
        }
    }
    return -EAGAIN;
}

/* --- what a deletion would bring back --- */

static bool may_be_same(const struct addr *a, const struct addr *b)
{
    if (a->kind == ADDR_RANGE || b->kind == ADDR_RANGE)
        return true;
    return (a->kind == ADDR_ME) == (b->kind == ADDR_ME) && a->first.hi == b->first.hi &&
           a->first.lo == b->first.lo;
}

/* Cheap, and true too often: it is asked about every filter. */
static bool may_share_key(const struct filter *a, const struct filter *b)
{
    return (may_be_same(&a->src, &b->src) && may_be_same(&a->dst, &b->dst)) ||
           ((a->mirrored || b->mirrored) && may_be_same(&a->src, &b->dst) &&
            may_be_same(&a->dst, &b->src));
}

static bool shares_key(const struct image_patcher *p, const struct spot *s)
{
    for (size_t i = 0; i < p->n_spots; i++) {
        const struct spot *own = &p->spots[i];
        if (s->fam == own->fam && s->hash == own->hash && s->e.group == own->e.group &&
            s->e.hi == own->e.hi)
            return true;
    }
    return false;
}

/* An entry with a key of the filter that is deleted must have a slot already. */
static int check_loser(struct image_patcher *p, const struct item *it)
{
    struct spot s;
    uint32_t slot;
    int r = spot_is_single(p, it) ? spot_make(p, it, &s) : -EAGAIN;
    return r < 0 || !shares_key(p, &s) ? r : spot_find(p, &s, &slot);
}

static bool is_deleted(const struct image_change *c, const struct effective_filter *ef)
{
    for (unsigned i = 0; i < c->n_deleted; i++)
        if (cmp_rank(&c->deleted[i], ef) == 0)
            return true;
    return false;
}

/* The build left entries out that others covered: none of them may be covered by this filter. */
static int check_losers(struct image_patcher *p, const struct image_change *c,
                        const struct filter *f)
{
    const struct effective *e = c->shadows;
    int r = 0;
    for (size_t i = 0; i < e->n && r == 0; i++) {
        if (!may_share_key(f, e->v[i].filter) || is_deleted(c, &e->v[i]))
            continue;
        r = expand(p, &e->v[i], 0);
        for (size_t k = 0; k < p->b.n_items && r == 0; k++)
            r = check_loser(p, &p->b.items[k]);
    }
    return r;
}

/* --- deleting --- */

/* Place of a deleted filter among them: between equal weights, who decides. */
static uint32_t rank_among_deleted(const struct image_change *c, const struct effective_filter *ef)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < c->n_deleted; i++)
        n += cmp_rank(&c->deleted[i], ef) < 0;
    return n;
}

static int cmp_lightest_first(const void *pa, const void *pb)
{
    const struct spot *a = pa, *b = pb;
    uint64_t x = IMG_W(a->e.tier, a->e.weight), y = IMG_W(b->e.tier, b->e.weight);
    if (x != y)
        return x < y ? -1 : 1;
    return a->e.order > b->e.order ? -1 : a->e.order < b->e.order;
}

/* The lightest entry goes first: after a heavier one, a packet would get the verdict of a lighter
 * one that goes as well, which is neither that of before nor of after. */
static int delete_filters(struct image_patcher *p, const struct image_change *c)
{
    int r = 0;
    p->n_spots = 0;
    for (unsigned i = 0; i < c->n_deleted && r == 0; i++)
        r = collect_spots(p, &c->deleted[i], rank_among_deleted(c, &c->deleted[i]));
    for (unsigned i = 0; i < c->n_deleted && c->shadows && r == 0; i++)
        r = check_losers(p, c, c->deleted[i].filter);
    if (r == 0 && p->n_spots > 1)
        qsort(p->spots, p->n_spots, sizeof(*p->spots), cmp_lightest_first);
    for (size_t i = 0; i < p->n_spots && r == 0; i++)
        r = spot_delete(p, &p->spots[i], c->shadows != NULL);
    return r;
}

/* --- order --- */

/* A free range of numbers, and of GUIDs by their first half. */
struct gap {
    uint32_t low, high;
    uint64_t guid_low, guid_high;
};

static uint64_t guid_key(const struct guid *g)
{
    uint64_t key = 0;
    for (unsigned i = 0; i < sizeof(key); i++)
        key = key << 8 | g->b[i];
    return key;
}

/* The nearest of n neighbours that has a slot. One without is covered by others or stands for no
 * address, and comes back by a new image only. */
static int nearest(struct image_patcher *p, const struct effective_filter *v, unsigned n,
                   uint32_t *ret_order, const struct effective_filter **ret)
{
    for (unsigned i = 0; i < n; i++) {
        int r = order_of(p, &v[i], ret_order);
        if (r == 0)
            *ret = &v[i];
        if (r != -EAGAIN)
            return r;
    }
    return n < PATCH_NEIGHBOURS ? 0 : -EAGAIN;
}

static int find_gap(struct image_patcher *p, const struct image_change *c, struct gap *ret)
{
    struct gap g = {.high = UINT32_MAX, .guid_high = UINT64_MAX};
    const struct effective_filter *below = NULL, *above = NULL;
    int r = nearest(p, c->below, c->n_below, &g.low, &below);
    if (r == 0)
        r = nearest(p, c->above, c->n_above, &g.high, &above);
    if (below && below->layer == c->added.layer)
        g.guid_low = guid_key(&below->filter->guid);
    if (above && above->layer == c->added.layer)
        g.guid_high = guid_key(&above->filter->guid);
    *ret = g;
    return r;
}

/* A free number between the neighbours by layer and GUID: as far from them as its GUID is from
 * theirs, so that thousands of filters with GUIDs drawn by chance find room, one after the other.
 */
static int choose_order(struct image_patcher *p, const struct image_change *c, uint32_t *ret)
{
    struct gap g;
    int r = find_gap(p, c, &g);
    if (r < 0)
        return r;
    if (g.high <= g.low || g.high - g.low < 2)
        return -EAGAIN;
    uint64_t key = guid_key(&c->added.filter->guid), room = g.high - g.low - 1;
    uint64_t part = room / 2;
    if (g.guid_low < key && key < g.guid_high) {
        __extension__ unsigned __int128 x = key - g.guid_low;
        part = (uint64_t)(x * room / (g.guid_high - g.guid_low));
    }
    *ret = g.low + 1 + (uint32_t)part;
    return 0;
}

/* A filter that negotiates brings the exemptions of IKE with it (derive.c). */
static bool derives_entries(const struct image_change *c)
{
    bool any = c->adds && filter_effect(c->added.filter) == ACTION_NEGOTIATE;
    for (unsigned i = 0; i < c->n_deleted; i++)
        any |= filter_effect(c->deleted[i].filter) == ACTION_NEGOTIATE;
    return any;
}

/* --- header --- */

static struct img_header header_now(const struct image_patcher *p)
{
    struct img_header h;
    patch_get(p, IMG_HEADER_LINE, &h, sizeof(h) / WORD);
    return h;
}

static int put_flags(struct image_patcher *p, uint32_t set, uint32_t clear)
{
    struct img_header h = header_now(p);
    h.flags = (h.flags | set) & ~clear;
    return patch_put(p, IMG_HEADER_LINE, &h, offsetof(struct img_header, flags) / WORD, 1);
}

/* The generation is the last word: an image that has it is complete. */
static int finish(struct image_patcher *p, const struct image_change *c)
{
    struct img_header h = header_now(p);
    h.n_entries = (uint32_t)(h.n_entries + p->n_entries);
    h.state_epoch = h.generation = c->generation;
    int r = patch_put(p, IMG_HEADER_LINE, &h, offsetof(struct img_header, n_entries) / WORD, 1);
    if (r == 0 && !c->armed)
        r = put_flags(p, 0, IMG_ARMED);
    if (r == 0)
        r = patch_put(p, IMG_HEADER_LINE, &h, offsetof(struct img_header, state_epoch) / WORD, 1);
    if (r == 0)
        r = patch_put(p, IMG_HEADER_LINE, &h, offsetof(struct img_header, generation) / WORD, 1);
    p->out->generation = c->generation;
    return r;
}

static int apply(struct image_patcher *p, const struct image_change *c)
{
    uint32_t order = 0, flags = c->armed ? IMG_ARMED : 0;
    if (c->adds && c->added.filter->keep_state)
        flags |= IMG_KEEP_STATE;
    int r = flags ? put_flags(p, flags, 0) : 0;
    if (r == 0 && c->adds)
        r = choose_order(p, c, &order);
    if (r == 0 && c->adds)
        r = add_filter(p, &c->added, order);
    if (r == 0)
        r = delete_filters(p, c);
    return r < 0 ? r : finish(p, c);
}

int image_patch(struct image_patcher *p, const struct image *img, const struct image_change *c,
                struct image_patch *ret)
{
    if (derives_entries(c))
        return -EAGAIN;
    _cleanup_(image_patch_done) struct image_patch out = {0};
    struct diag d = {0};
    p->img = img;
    p->out = &out;
    p->e = (struct effective){.host = c->host};
    p->b.e = &p->e;
    p->b.d = &d;
    p->n_entries = 0;
    out.before = patch_header(p)->generation;
    int r = apply(p, c);
    patch_forget(p);
    p->out = NULL;
    if (r < 0)
        return r;
    *ret = out;
    out = (struct image_patch){0};
    return 0;
}

bool image_patch_holds(const struct image *img, const struct image_patch *p)
{
    for (size_t i = 0; i < p->n_added; i++)
        if (!spot_is_found(img, &p->added[i]))
            return false;
    return true;
}
