/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/selftest_near.c: see selftest_near.h. A bucket is a hash of the upper half of an IPv4
 * address, or of a quarter of an IPv6 address. Pure. */
#include "selftest_near.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

enum { KEY4_BITS = 16, KEY6_BITS = 32 };

static uint32_t bucket(enum family f, struct ip ip)
{
    uint64_t key = f == FAMILY_4 ? ip.lo >> KEY4_BITS : ~(ip.hi >> KEY6_BITS);
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

static bool arms(const struct effective *e, size_t i)
{
    struct effective one = {.v = &e->v[i], .n = 1, .settings = e->settings, .host = e->host};
    return effective_is_armed(&one);
}

static bool asks_place(const struct effective *e, size_t i)
{
    struct effective one = {.v = &e->v[i], .n = 1, .settings = e->settings, .host = e->host};
    return effective_asks_place(&one);
}

void near_done(struct near *x)
{
    free(x->next);
    free(x->v);
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

int near_build(struct near *ret, const struct effective *e)
{
    struct near x = {.e = e, .next = calloc(e->n + 1, sizeof(*x.next))};
    int r = x.next ? 0 : -ENOMEM;
    bool armed = false;
    for (size_t i = 0; i < e->n && r == 0; i++) {
        const struct addr *a = side_of(e->v[i].filter);
        bool first_arming = !armed && arms(e, i);
        armed = armed || first_arming;
        if (!a || first_arming || asks_place(e, i)) {
            r = keep(&x, x.n_always, &e->v[i]);
            x.n_always++;
            continue;
        }
        uint32_t b = bucket(a->family, a->first);
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

int near_of(struct near *x, const struct packet *p, struct effective *ret)
{
    uint32_t at[2] = {bucket(p->family, p->src), bucket(p->family, p->dst)};
    size_t n = x->n_always;
    for (unsigned side = 0; side < (at[0] == at[1] ? 1 : 2); side++) {
        for (uint32_t i = x->head[at[side]]; i != 0; i = x->next[i - 1]) {
            int r = keep(x, n, &x->e->v[i - 1]);
            if (r < 0)
                return r;
            n++;
        }
    }
    *ret = *x->e;
    ret->v = x->v;
    ret->n = n;
    return 0;
}
