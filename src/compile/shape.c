/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/shape.c: groups, what the datapath looks up once per packet (datapath.md 3.1).
 * Called by compile_image() per family after expansion. Invariant: group 0 can hold the most
 * precise match; numbers are a pure function of the set of shapes and weights, so that the
 * image does not depend on the order of filters. */
#include <errno.h>

#include "build.h"

static int add_group(struct family_build *f, const struct item *it, uint32_t id)
{
    int r = array_reserve(&f->groups, &f->cap_groups, id + 1, sizeof(*f->groups));
    if (r < 0)
        return r;
    f->groups[f->n_groups++] = (struct group){
        .shape = it->shape, .shape_id = id, .origin = it->origin, .order = it->order};
    return 0;
}

static void use_group(struct group *g, const struct item *it)
{
    uint64_t w = IMG_W(it->tier, it->weight);
    if (w > g->maxw)
        g->maxw = w;
    /* The items of a filter follow each other. */
    if (g->n_filters == 0 || g->last_origin != it->origin)
        g->n_filters++;
    g->last_origin = it->origin;
    if (it->order < g->order) {
        g->order = it->order;
        g->origin = it->origin;
    }
    if (it->proto == PROTO_ICMPV6 && it->shape.dport != PORTS_ANY)
        g->icmp_typed = true;
}

static int cmp_group(const void *pa, const void *pb)
{
    const struct group *a = pa, *b = pb;
    if (a->maxw != b->maxw)
        return a->maxw > b->maxw ? -1 : 1;
    uint64_t x = shape_code(a->shape), y = shape_code(b->shape);
    return x > y ? -1 : x < y;
}

/* The final order: the merged ones may have become heavier. */
static int number_groups(struct build *b, unsigned fam)
{
    struct family_build *f = &b->fam[fam];
    _cleanup_free_ uint32_t *place = calloc(f->n_groups, sizeof(*place));
    if (!place)
        return -ENOMEM;
    for (size_t g = 0; g < f->n_groups; g++)
        f->groups[g].shape_id = (uint32_t)g;
    qsort(f->groups, f->n_groups, sizeof(*f->groups), cmp_group);
    for (size_t g = 0; g < f->n_groups; g++) {
        place[f->groups[g].shape_id] = (uint32_t)g;
        f->masks[g] = shape_masks(fam, f->groups[g].shape);
        f->masks[g].merged = f->groups[g].merged;
        f->masks[g].maxw = f->groups[g].maxw;
    }
    for (size_t i = 0; i < f->shapes.n; i++)
        f->group_of_shape[i] = place[f->group_of_shape[i]];
    b->stats.n_groups[fam] = (uint32_t)f->n_groups;
    return 0;
}

int groups_build(struct build *b, unsigned fam)
{
    struct family_build *f = &b->fam[fam];
    idmap_init(&f->shapes, b->o->seed);
    for (size_t i = 0; i < b->n_items; i++) {
        const struct item *it = &b->items[i];
        if (it->family != fam)
            continue;
        uint32_t id;
        int r = idmap_add(&f->shapes, shape_code(it->shape), &id);
        if (r == 0 && id == f->n_groups)
            r = add_group(f, it, id);
        if (r < 0)
            return r;
        use_group(&f->groups[id], it);
        f->n_items++;
    }
    if (f->n_groups == 0)
        return 0;
    b->stats.n_shapes[fam] = (uint32_t)f->n_groups;
    f->group_of_shape = calloc(f->n_groups, sizeof(*f->group_of_shape));
    if (!f->group_of_shape)
        return -ENOMEM;
    qsort(f->groups, f->n_groups, sizeof(*f->groups), cmp_group);
    for (size_t g = 0; g < f->n_groups; g++)
        f->group_of_shape[f->groups[g].shape_id] = (uint32_t)g;
    int r = merge_groups(b, fam);
    if (r < 0)
        return r;
    if (f->n_groups > LIMIT_GROUPS)
        return refuse_groups(b, f);
    return number_groups(b, fam);
}

uint32_t group_find(const struct family_build *f, struct shape s)
{
    return f->group_of_shape[idmap_get(&f->shapes, shape_code(s))];
}
