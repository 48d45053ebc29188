/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filters that the benchmarks compile: number i blocks one TCP port of this host for one
 * address. Addresses lie in clusters of 256, as those of real block lists do. */
#pragma once
#include <stdio.h>
#include <string.h>

#include "compile/compile.h"

struct bench_set {
    struct filter *filter;
    struct port_range *port;
    struct effective_filter *v;
    struct filter_settings settings;
    struct host host;
    struct effective e;
};

static inline uint32_t bench_addr(uint32_t i)
{
    uint32_t cluster = (i >> 8) * 0x9e3779b1u; /* odd: no two clusters are equal */
    return (cluster & 0xffffff00u) ^ (i & 0xff);
}

static inline uint16_t bench_port(uint32_t i)
{
    return (uint16_t)(1000 + i % 50);
}

static inline void bench_set_done(struct bench_set *s)
{
    free(s->filter);
    free(s->port);
    free(s->v);
}

static inline bool bench_set_init(struct bench_set *s, uint32_t n)
{
    *s = (struct bench_set){0};
    filter_settings_init(&s->settings);
    s->filter = calloc(n, sizeof(*s->filter));
    s->port = calloc(n, sizeof(*s->port));
    s->v = calloc(n, sizeof(*s->v));
    if (!s->filter || !s->port || !s->v)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct filter *f = &s->filter[i];
        filter_init(f);
        s->port[i] = (struct port_range){bench_port(i), bench_port(i)};
        f->action = ACTION_BLOCK;
        f->proto = PROTO_TCP;
        f->src = addr_host(FAMILY_4, (struct ip){.lo = bench_addr(i)});
        f->dst = addr_me();
        f->dport = (struct portset){.n = 1, .range = &s->port[i]};
        f->handle = i + 1;
        memcpy(f->guid.b, &i, sizeof(i));
        s->v[i] = (struct effective_filter){.filter = f, .layer = LAYER_LOCAL, .counter_id = i};
    }
    s->e = (struct effective){.v = s->v, .n = n, .settings = &s->settings, .host = &s->host};
    return true;
}
