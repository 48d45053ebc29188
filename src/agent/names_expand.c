/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/names_expand.c: filters with names and keywords as filters with addresses (policy.md 1).
 * Called by desired.c and view.c. Pure. Invariant: an expansion differs from the filter written
 * only in its addresses; GUID, handle and all qualifiers are the same, strings are shared. */
#include "model/filter.h"
#include "names.h"

/* One side of a filter as a list of addresses; n 1 and given: the side as it was written. */
struct side {
    const struct address_set *set;
    const struct addr *written;
    size_t n;
};

static struct side side_of(const struct names *t, const struct addr *a)
{
    static const struct address_set none;
    if (!addr_is_resolved(a))
        return (struct side){.written = a, .n = 1};
    const struct name_entry *e = names_find(t, a);
    const struct address_set *s = e && e->resolved ? &e->now : &none;
    return (struct side){.set = s, .n = s->n};
}

static struct addr side_at(const struct side *s, size_t i)
{
    return s->set ? addr_host(s->set->v[i].family, s->set->v[i].ip) : *s->written;
}

size_t names_expand(const struct names *t, const struct filter *f, struct filter *out)
{
    struct side src = side_of(t, &f->src), dst = side_of(t, &f->dst);
    size_t n = 0;
    for (size_t i = 0; i < src.n; i++) {
        struct addr s = side_at(&src, i);
        for (size_t k = 0; k < dst.n; k++) {
            struct addr d = side_at(&dst, k);
            if (s.family != d.family && s.family != FAMILY_ANY && d.family != FAMILY_ANY)
                continue;
            if (out) {
                out[n] = *f;
                out[n].src = s;
                out[n].dst = d;
            }
            n++;
        }
    }
    return n;
}

size_t names_count_addresses(const struct names *t, const struct filter *f)
{
    size_t n = 0;
    if (addr_is_resolved(&f->src))
        n += side_of(t, &f->src).n;
    if (addr_is_resolved(&f->dst))
        n += side_of(t, &f->dst).n;
    return n;
}
