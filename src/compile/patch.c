/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/patch.c: image_patch(), the stores of a change in place, filter by filter.
 * Called by the agent with a copy of the image in force. Each store is made in the copy when it
 * is recorded, so that the next entry sees it. Invariant: whatever needs more than a slot, a
 * tuple number and pruning bits ends with -EAGAIN; the next image is compiled from the filters,
 * never from a patched one. */
#include "compile/patch.h"

#include <errno.h>

#include "place.h"

enum { NEIGHBOURS = 8 }; /* that are asked for their order */

void image_patch_done(struct image_patch *p)
{
    free(p->v);
    *p = (struct image_patch){0};
}

/* --- filters --- */

static int expand(struct patcher *p, const struct effective_filter *ef, uint32_t order)
{
    p->b->n_items = 0;
    p->b->copies = 0;
    return expand_filter(p->b, ef, order, 0);
}

/* Appends all entries of a filter, if each is one slot. */
static int collect_spots(struct patcher *p, const struct effective_filter *ef, uint32_t order)
{
    int r = expand(p, ef, order);
    size_t n = p->b->n_items, first = p->n_spots;
    if (r == 0 && (p->b->copies > 0 || n == 0))
        r = -EAGAIN;
    if (r == 0)
        r = array_reserve(&p->spots, &p->cap_spots, first + n, sizeof(*p->spots));
    for (size_t i = 0; i < n && r == 0; i++, p->n_spots++)
        r = spot_is_single(p, &p->b->items[i]) ? spot_make(p, &p->b->items[i], &p->spots[first + i])
                                               : -EAGAIN;
    return r;
}

static int add_filter(struct patcher *p, const struct effective_filter *ef, uint32_t order)
{
    p->n_spots = 0;
    int r = collect_spots(p, ef, order);
    for (size_t i = 0; i < p->n_spots && r == 0; i++)
        r = spot_add(p, &p->spots[i]);
    return r;
}

static int cmp_rank(const struct effective_filter *a, const struct effective_filter *b)
{
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    return guid_cmp(&a->filter->guid, &b->filter->guid);
}

/* Order that the image has for a filter, from any of its entries. */
static int order_of(struct patcher *p, const struct effective_filter *ef, uint32_t *ret)
{
    struct spot s;
    uint32_t slot;
    int r = expand(p, ef, 0);
    if (r < 0)
        return r;
    for (size_t i = 0; i < p->b->n_items; i++) {
        if (spot_make(p, &p->b->items[i], &s) == 0 && spot_find(p, &s, &slot) == 0) {
            *ret = spot_rule(p, &s, slot).order;
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

static bool shares_key(const struct patcher *p, const struct spot *s)
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
static int check_loser(struct patcher *p, const struct item *it)
{
    struct spot s;
    uint32_t slot;
    int r = spot_is_single(p, it) ? spot_make(p, it, &s) : -EAGAIN;
    return r < 0 || !shares_key(p, &s) ? r : spot_find(p, &s, &slot);
}

/* The build left entries out that others covered: none of them may be covered by this filter. */
static int check_losers(struct patcher *p, const struct effective *after, const struct filter *f)
{
    int r = 0;
    for (size_t i = 0; i < after->n && r == 0; i++) {
        if (!may_share_key(f, after->v[i].filter))
            continue;
        r = expand(p, &after->v[i], 0);
        for (size_t k = 0; k < p->b->n_items && r == 0; k++)
            r = check_loser(p, &p->b->items[k]);
    }
    return r;
}

/* --- deleting --- */

/* Expansions of one filter have one counter, by which slots are found, and may have equal keys: a
 * slot of one may stand for another. */
static bool has_sibling(const struct effective *after, const struct effective_filter *ef)
{
    for (size_t i = 0; i < after->n; i++) {
        if (cmp_rank(&after->v[i], ef) == 0)
            return true;
    }
    return false;
}

/* Place of a deleted filter among them: between equal weights, who decides. */
static uint32_t rank_among_deleted(const struct image_change *c, const struct effective_filter *ef)
{
    uint32_t n = 0;
    for (size_t i = 0; i < c->n_deleted; i++)
        n += cmp_rank(&c->before->v[c->deleted[i]], ef) < 0;
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
static int delete_filters(struct patcher *p, const struct image_change *c)
{
    int r = 0;
    p->n_spots = 0;
    for (size_t i = 0; i < c->n_deleted && r == 0; i++) {
        const struct effective_filter *ef = &c->before->v[c->deleted[i]];
        r = has_sibling(c->after, ef) ? -EAGAIN : collect_spots(p, ef, rank_among_deleted(c, ef));
    }
    for (size_t i = 0; i < c->n_deleted && c->losers && r == 0; i++)
        r = check_losers(p, c->after, c->before->v[c->deleted[i]].filter);
    if (r == 0 && p->n_spots > 0)
        qsort(p->spots, p->n_spots, sizeof(*p->spots), cmp_lightest_first);
    for (size_t i = 0; i < p->n_spots && r == 0; i++)
        r = spot_delete(p, &p->spots[i], c->losers);
    return r;
}

/* --- order --- */

/* The filter next to `self` by layer and GUID, below it or above; `limit` is passed already. */
static int next_neighbour(const struct effective *e, const struct effective_filter *self, int side,
                          const struct effective_filter **limit)
{
    const struct effective_filter *best = NULL;
    for (size_t i = 0; i < e->n; i++) {
        const struct effective_filter *ef = &e->v[i];
        if (ef != self && cmp_rank(ef, self) == 0)
            return -EAGAIN; /* no identity of its own */
        if (cmp_rank(ef, *limit) * side > 0 && (!best || cmp_rank(ef, best) * side < 0))
            best = ef;
    }
    *limit = best;
    return 0;
}

/* Order of the next neighbour that has a slot. One without is covered by others or stands for no
 * address, and comes back by a new image only. Leaves *order alone if there is none. */
static int neighbour_order(struct patcher *p, const struct effective *e,
                           const struct effective_filter *self, int side, uint32_t *order)
{
    const struct effective_filter *ef = self;
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        int r = next_neighbour(e, self, side, &ef);
        if (r < 0 || !ef)
            return r;
        r = order_of(p, ef, order);
        if (r != -EAGAIN)
            return r;
    }
    return -EAGAIN;
}

/* A free number between the neighbours by layer and GUID. */
static int choose_order(struct patcher *p, const struct effective *e, size_t index, uint32_t *ret)
{
    uint32_t low = 0, high = UINT32_MAX;
    int r = neighbour_order(p, e, &e->v[index], -1, &low);
    if (r == 0)
        r = neighbour_order(p, e, &e->v[index], 1, &high);
    if (r < 0)
        return r;
    *ret = low + (high - low) / 2;
    return low < *ret && *ret < high ? 0 : -EAGAIN;
}

/* Filters with every port item counted, as check_filters() of expand.c. */
static bool is_within_limit(const struct effective *e)
{
    uint64_t n = 0;
    for (size_t i = 0; i < e->n; i++) {
        const struct filter *f = e->v[i].filter;
        n += (uint64_t)(f->sport.n > 0 ? f->sport.n : 1) * (f->dport.n > 0 ? f->dport.n : 1);
    }
    return n <= LIMIT_EFFECTIVE_FILTERS;
}

/* A filter that negotiates brings the exemptions of IKE with it (derive.c). */
static bool derives_entries(const struct image_change *c)
{
    bool any = false;
    for (size_t i = 0; i < c->n_added; i++)
        any |= filter_effect(c->after->v[c->added[i]].filter) == ACTION_NEGOTIATE;
    for (size_t i = 0; i < c->n_deleted; i++)
        any |= filter_effect(c->before->v[c->deleted[i]].filter) == ACTION_NEGOTIATE;
    return any;
}

/* --- header --- */

static int put_flags(struct patcher *p, uint32_t flags)
{
    struct img_header h = *patch_header(p);
    h.flags = flags;
    return patch_put(p, IMG_HEADER_LINE, &h, offsetof(struct img_header, flags) / WORD, 1);
}

/* The generation is the last word: an image that has it is complete. */
static int finish(struct patcher *p, const struct image_change *c)
{
    struct img_header h = *patch_header(p);
    h.n_entries = (uint32_t)(h.n_entries + p->n_entries);
    h.state_epoch = h.generation = c->generation;
    int r = patch_put(p, IMG_HEADER_LINE, &h, offsetof(struct img_header, n_entries) / WORD, 1);
    if (r == 0 && !effective_is_armed(c->after))
        r = put_flags(p, h.flags & ~(uint32_t)IMG_ARMED);
    if (r == 0)
        r = patch_put(p, IMG_HEADER_LINE, &h, offsetof(struct img_header, state_epoch) / WORD, 1);
    if (r == 0)
        r = patch_put(p, IMG_HEADER_LINE, &h, offsetof(struct img_header, generation) / WORD, 1);
    p->img->generation = p->out->generation = c->generation;
    return r;
}

static int apply(struct patcher *p, const struct image_change *c)
{
    int r = 0;
    if (effective_is_armed(c->after))
        r = put_flags(p, patch_header(p)->flags | IMG_ARMED);
    for (size_t i = 0; i < c->n_added && r == 0; i++) {
        uint32_t order = 0;
        if (c->after->v[c->added[i]].filter->keep_state)
            r = put_flags(p, patch_header(p)->flags | IMG_KEEP_STATE);
        if (r < 0)
            break;
        r = choose_order(p, c->after, c->added[i], &order);
        if (r == 0)
            r = add_filter(p, &c->after->v[c->added[i]], order);
    }
    if (r == 0)
        r = delete_filters(p, c);
    return r < 0 ? r : finish(p, c);
}

int image_patch(struct image *copy, const struct image_change *c, struct image_patch *ret)
{
    if (c->n_added > 1 || !is_within_limit(c->after) || derives_entries(c))
        return -EAGAIN;
    _cleanup_(image_patch_done) struct image_patch out = {0};
    _cleanup_free_ struct build *b = calloc(1, sizeof(*b));
    struct diag d = {0};
    if (!b)
        return -ENOMEM;
    b->e = c->after;
    b->d = &d;
    struct patcher p = {.img = copy, .out = &out, .b = b};
    out.before = patch_header(&p)->generation;
    int r = apply(&p, c);
    free(b->items);
    free(p.spots);
    if (r < 0)
        return r;
    *ret = out;
    out = (struct image_patch){0};
    return 0;
}
