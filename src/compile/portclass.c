/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/portclass.c: what a port number means to the table (datapath.md 3.2).
 * Called by compile_image(): first cuts 0-65535 into elementary intervals, so that every port
 * range is a run of whole intervals; later, when the entries are known, puts ports that light
 * the same groups into one class. Invariant: exact ports cut nothing; intervals and classes are
 * numbered in port order, so their numbers never depend on the order of filters. */
#include <errno.h>
#include <string.h>

#include "build.h"

static void cut(struct port_dim *p, enum port_kind kind, struct port_range r)
{
    if (kind != PORTS_ANY)
        p->used = true;
    if (kind != PORTS_RANGE)
        return;
    p->ranges = true;
    p->interval[r.first] = 1; /* marks first, numbers below */
    if (r.last < UINT16_MAX)
        p->interval[r.last + 1] = 1;
}

static void number_intervals(struct port_dim *p)
{
    p->interval[0] = 1;
    for (unsigned port = 0; port < N_PORTS; port++) {
        if (p->interval[port] != 0)
            p->first[p->n_intervals++] = (uint16_t)port;
        p->interval[port] = (uint16_t)p->n_intervals; /* 65,536 wraps and is refused */
    }
}

int intervals_build(struct build *b)
{
    for (size_t i = 0; i < b->n_items; i++) {
        const struct item *it = &b->items[i];
        cut(&b->sport, it->shape.sport, it->sport);
        cut(&b->dport, it->shape.dport, it->dport);
    }
    number_intervals(&b->sport);
    number_intervals(&b->dport);
    if (b->sport.n_intervals > LIMIT_PORT_INTERVALS)
        return refuse_intervals(b, b->sport.n_intervals);
    if (b->dport.n_intervals > LIMIT_PORT_INTERVALS)
        return refuse_intervals(b, b->dport.n_intervals);
    b->stats.n_intervals =
        (b->sport.ranges ? b->sport.n_intervals : 0) + (b->dport.ranges ? b->dport.n_intervals : 0);
    return 0;
}

static uint64_t n_covered(const struct port_dim *p, enum port_kind kind, struct port_range r)
{
    return kind == PORTS_RANGE ? (uint64_t)p->interval[r.last] - p->interval[r.first] + 1 : 1;
}

int intervals_count_copies(struct build *b)
{
    for (size_t i = 0; i < b->n_items; i++) {
        const struct item *it = &b->items[i];
        uint64_t n = n_covered(&b->sport, it->shape.sport, it->sport) *
                     n_covered(&b->dport, it->shape.dport, it->dport);
        b->copies += n - 1;
        b->fam[it->family].n_copies += n;
    }
    return b->copies > copies_limit(b) ? refuse_copies(b) : 0;
}

/* --- classes --- */

/* Group words of every port of one family and dimension. */
struct port_words {
    __u64 no_l4, icmp;
    __u64 port[N_PORTS];
    __u64 interval[N_PORTS + 1];
};

static void collect_words(const struct build *b, unsigned fam, bool destination,
                          struct port_words *w)
{
    const struct family_build *f = &b->fam[fam];
    const struct port_dim *p = destination ? &b->dport : &b->sport;
    for (size_t g = 0; g < f->n_groups; g++) {
        const struct shape *s = &f->groups[g].shape;
        if ((destination ? s->dport : s->sport) == PORTS_ANY)
            w->no_l4 |= 1ULL << g;
    }
    w->icmp = w->no_l4;
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct entry *e = &f->entries[i];
        const struct shape *s = &f->groups[e->group].shape;
        uint16_t value = (uint16_t)(destination ? e->hi >> 16 : e->hi);
        uint8_t proto = (uint8_t)(e->hi >> 32);
        __u64 bit = 1ULL << e->group;
        switch ((enum port_kind)(destination ? s->dport : s->sport)) {
        case PORTS_ANY:
            break;
        case PORTS_RANGE:
            w->interval[value] |= bit;
            break;
        case PORTS_ICMP_TYPE:
            w->icmp |= bit;
            break;
        case PORTS_EXACT:
            if (proto == PROTO_ICMP || proto == PROTO_ICMPV6)
                w->icmp |= bit;
            else
                w->port[value] |= bit;
            break;
        }
    }
    for (unsigned port = 0; port < N_PORTS; port++)
        w->port[port] |= w->no_l4 | w->interval[p->interval[port]];
}

/* Ports with equal words in both families get one class. The last class takes all that are
 * left when the numbers end; its word is then the union, since these words only prune. */
static int number_classes(struct port_dim *p, const struct port_words *w, uint64_t seed)
{
    _cleanup_(idmap_done) struct idmap words4 = {.seed = seed};
    _cleanup_(idmap_done) struct idmap words6 = {.seed = seed};
    _cleanup_(idmap_done) struct idmap classes = {.seed = seed};
    uint32_t class = 0;
    for (unsigned port = 0; port < N_PORTS; port++) {
        if (port == 0 || w[FAM4].port[port] != w[FAM4].port[port - 1] ||
            w[FAM6].port[port] != w[FAM6].port[port - 1]) {
            uint32_t id4, id6, id;
            int r;
            if ((r = idmap_add(&words4, w[FAM4].port[port], &id4)) < 0 ||
                (r = idmap_add(&words6, w[FAM6].port[port], &id6)) < 0 ||
                (r = idmap_add(&classes, (uint64_t)id4 << 32 | id6, &id)) < 0)
                return r;
            class = id < UINT16_MAX - IMG_CLASS_FIRST ? id + IMG_CLASS_FIRST : UINT16_MAX;
        }
        p->class[port] = (uint16_t) class;
        if (class >= p->n_classes)
            p->n_classes = class + 1;
    }
    return 0;
}

static int build_dimension(struct build *b, bool destination)
{
    struct port_dim *p = destination ? &b->dport : &b->sport;
    if (!p->used)
        return 0;
    _cleanup_free_ struct port_words *w = calloc(N_FAMILIES, sizeof(*w));
    if (!w)
        return -ENOMEM;
    for (unsigned fam = 0; fam < N_FAMILIES; fam++)
        collect_words(b, fam, destination, &w[fam]);
    int r = number_classes(p, w, b->o->seed);
    if (r < 0)
        return r;
    for (unsigned fam = 0; fam < N_FAMILIES; fam++) {
        __u64 *words = calloc(p->n_classes, sizeof(*words));
        if (!words)
            return -ENOMEM;
        p->class_words[fam] = words;
        words[IMG_CLASS_NO_L4] = w[fam].no_l4;
        words[IMG_CLASS_ICMP] = w[fam].icmp;
        for (unsigned port = 0; port < N_PORTS; port++)
            words[p->class[port]] |= w[fam].port[port];
    }
    return 0;
}

int port_classes_build(struct build *b)
{
    int r = build_dimension(b, false);
    return r < 0 ? r : build_dimension(b, true);
}
