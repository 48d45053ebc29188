/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/expand.c: walks over the expansions of a filter by number.
 * Called by view.c, notes.c and probe.c. Pure. Invariant: the numbering is a pure function of
 * the filter. */
#include "expand.h"

#include "model/settings.h"

static uint32_t items(const struct portset *s)
{
    return s->n > 0 ? s->n : 1;
}

uint32_t expansion_count(const struct filter *f)
{
    return items(&f->sport) * items(&f->dport) * (f->mirrored ? 2 : 1);
}

static const struct port_range *item(const struct portset *s, uint32_t i)
{
    return s->n > 0 ? &s->range[i] : NULL;
}

struct expansion expansion_at(const struct filter *f, uint32_t i)
{
    uint32_t n_s = items(&f->sport), n_d = items(&f->dport);
    const struct port_range *s = item(&f->sport, i % n_s), *d = item(&f->dport, i / n_s % n_d);
    struct expansion x = {.twin = i >= n_s * n_d};
    x.src = x.twin ? &f->dst : &f->src;
    x.dst = x.twin ? &f->src : &f->dst;
    x.sport = x.twin ? d : s;
    x.dport = x.twin ? s : d;
    x.weight = filter_weight(f, x.src, x.dst, x.sport, x.dport);
    return x;
}

uint32_t expansion_top_weight(const struct filter *f)
{
    uint32_t n = expansion_count(f), top = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w = expansion_at(f, i).weight;
        if (w > top)
            top = w;
    }
    return top;
}

enum tier expansion_tier(const struct filter *f)
{
    return f->override ? TIER_OVERRIDE : TIER_ORDINARY;
}

void failsafe_to_filter(const struct failsafe *s, struct port_range *storage, struct filter *ret)
{
    filter_init(ret);
    ret->action = ACTION_PERMIT;
    ret->proto = s->proto;
    ret->mirrored = true;
    ret->src =
        s->family == FAMILY_ANY ? addr_any() : addr_prefix(s->family, s->prefix, s->prefix_len);
    ret->dst = addr_me();
    *storage = (struct port_range){s->port, s->port};
    ret->dport = (struct portset){.n = 1, .range = storage};
}
