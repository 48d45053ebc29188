/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/selftest_near.c: see selftest_near.h. A bucket is a hash of the upper half of an IPv4
 * address, or of the upper half or quarter of an IPv6 address: sites have a /32 in common, and
 * hosts of one site are told apart by their networks. Pure. */
#include "selftest_near.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

enum { KEY4_BITS = 16, KEY6_BITS = 32, KEY6_LONG_BITS = 64 };

/* By so many of its bits. */
static uint32_t bucket(enum family f, struct ip ip, unsigned bits)
{
    uint64_t key = f == FAMILY_4 ? ip.lo >> KEY4_BITS : ~(ip.hi >> (64 - bits)) + bits;
    return (uint32_t)(key * 0x9e3779b97f4a7c15ULL >> 52) % NEAR_BUCKETS;
}

static bool is_narrow(const struct addr *a)
{
    if (a->kind != ADDR_HOST && a->kind != ADDR_PREFIX)
        return false;
    return a->prefix_len >= (a->family == FAMILY_4 ? KEY4_BITS : KEY6_BITS);
}

/* The side by which a filter is found; NULL: only by looking at all. A twin has it on the other
 * side, so both addresses of a packet are looked under. */
static const struct addr *side_of(const struct filter *f)
{
    return is_narrow(&f->src) ? &f->src : is_narrow(&f->dst) ? &f->dst : NULL;
}

/* Of a side that is narrow. */
static uint32_t bucket_of(const struct addr *a)
{
    unsigned bits = a->prefix_len >= KEY6_LONG_BITS ? KEY6_LONG_BITS : KEY6_BITS;
    return bucket(a->family, a->first, bits);
}

static struct effective only(const struct effective *e, const struct effective_filter *ef)
{
    return (struct effective){.v = ef, .n = 1, .settings = e->settings, .host = e->host};
}

static bool arms(const struct effective *e, const struct effective_filter *ef)
{
    struct effective one = only(e, ef);
    return effective_is_armed(&one);
}

static bool asks_place(const struct effective *e, const struct effective_filter *ef)
{
    struct effective one = only(e, ef);
    return effective_asks_place(&one);
}

void near_done(struct near *x)
{
    free(x->next);
    free(x->v);
    free(x->later);
    *x = (struct near){0};
}

static int keep(struct near *x, size_t n, const struct effective_filter *ef)
{
    int r = array_reserve(&x->v, &x->cap, n + 1, sizeof(*x->v));
    if (r == 0)
        x->v[n] = *ef;
    return r;
}

/* Filters that a packet looks at: a filter of a bucket of k is looked at with k others. */
static uint32_t mean_cost(const struct near *x)
{
    uint64_t n = 0, sum = 0;
    for (unsigned b = 0; b < NEAR_BUCKETS; b++) {
        uint64_t k = 0;
        for (uint32_t i = x->head[b]; i != 0; i = x->next[i - 1])
            k++;
        n += k;
        sum += k * k;
    }
    return (uint32_t)(x->n_always + (n > 0 ? sum / n : 0));
}

int near_build(struct near *ret, const struct effective *e, size_t n)
{
    struct near x = {.e = e, .next = calloc(n + 1, sizeof(*x.next))};
    int r = x.next ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && r == 0; i++) {
        const struct addr *a = side_of(e->v[i].filter);
        bool first_arming = !x.armed && arms(e, &e->v[i]);
        x.armed = x.armed || first_arming;
        if (!a || first_arming || asks_place(e, &e->v[i])) {
            r = keep(&x, x.n_always, &e->v[i]);
            x.n_always++;
            continue;
        }
        uint32_t b = bucket_of(a);
        x.next[i] = x.head[b];
        x.head[b] = (uint32_t)i + 1;
    }
    if (r < 0) {
        near_done(&x);
        return r;
    }
    x.cost = mean_cost(&x);
    *ret = x;
    return 0;
}

static int keep_bucket(struct near *x, uint32_t b, size_t *n)
{
    int r = 0;
    for (uint32_t i = b < NEAR_ALL ? x->head[b] : 0; i != 0 && r == 0; i = x->next[i - 1])
        r = keep(x, (*n)++, &x->e->v[i - 1]);
    for (uint32_t i = x->later_head[b]; i != 0 && r == 0; i = x->later[i - 1].next)
        r = keep(x, (*n)++, &x->later[i - 1].ef);
    return r;
}

/* Of many filters that arm, none needs to be looked at for that. This one stands for them: its name
 * stands for no address, so it matches no packet. */
static int keep_arming(struct near *x, size_t *n)
{
    static char name[] = "arms";
    static const struct filter arming = {.action = ACTION_BLOCK,
                                         .proto = PROTO_ANY,
                                         .icmp_type = -1,
                                         .icmp_code = -1,
                                         .src = {.kind = ADDR_NAME, .name = name}};
    const struct effective_filter ef = {.filter = &arming, .counter_id = COUNTER_NONE};
    return x->armed || x->n_later_arming == 0 ? 0 : keep(x, (*n)++, &ef);
}

static bool is_among(uint32_t b, const uint32_t *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (v[i] == b)
            return true;
    return false;
}

int near_of(struct near *x, const struct packet *p, struct effective *ret)
{
    enum { SIDES = 2, BUCKETS_MAX = 4 };
    const struct ip ip[SIDES] = {p->src, p->dst};
    uint32_t at[BUCKETS_MAX];
    unsigned n_at = 0, per_side = p->family == FAMILY_4 ? 1 : 2;
    for (unsigned i = 0; i < SIDES * per_side; i++)
        at[n_at++] = bucket(p->family, ip[i % SIDES], i < SIDES ? KEY6_BITS : KEY6_LONG_BITS);
    size_t n = x->n_always;
    int r = keep_bucket(x, NEAR_ALL, &n);
    for (unsigned i = 0; i < n_at && r == 0; i++)
        if (!is_among(at[i], at, i))
            r = keep_bucket(x, at[i], &n);
    if (r == 0)
        r = keep_arming(x, &n);
    *ret = *x->e;
    ret->v = x->v;
    ret->n = n;
    return r;
}

/* --- filters that come later --- */
static uint32_t later_bucket(const struct near *x, const struct effective_filter *ef)
{
    const struct addr *a = side_of(ef->filter);
    return !a || asks_place(x->e, ef) ? NEAR_ALL : bucket_of(a);
}

int near_reserve(struct near *x)
{
    return x->first_free != 0
               ? 0
               : array_reserve(&x->later, &x->cap_later, x->n_later + 1, sizeof(*x->later));
}

void near_add(struct near *x, const struct effective_filter *ef)
{
    uint32_t b = later_bucket(x, ef), i = x->first_free;
    if (i != 0)
        x->first_free = x->later[i - 1].next;
    else
        i = ++x->n_later;
    x->later[i - 1] = (struct near_later){.ef = *ef, .next = x->later_head[b]};
    x->later_head[b] = i;
    x->n_later_arming += arms(x->e, ef);
    x->n_later_always += b == NEAR_ALL;
}

void near_remove(struct near *x, const struct effective_filter *ef)
{
    uint32_t b = later_bucket(x, ef);
    uint32_t *at = &x->later_head[b];
    while (*at != 0 && (x->later[*at - 1].ef.counter_id != ef->counter_id ||
                        x->later[*at - 1].ef.filter != ef->filter))
        at = &x->later[*at - 1].next;
    if (*at == 0)
        return;
    uint32_t i = *at;
    *at = x->later[i - 1].next;
    x->later[i - 1].next = x->first_free;
    x->first_free = i;
    x->n_later_arming -= arms(x->e, ef);
    x->n_later_always -= b == NEAR_ALL;
}
