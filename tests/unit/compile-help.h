/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters and packets in short words for the tests of src/compile, which may not link the text
 * parser. A set owns its filters and is a ready struct effective; every helper fails the test
 * when something cannot be made. */
#pragma once
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* cmocka.h needs the headers above */
#include <cmocka.h>

#include "base/limits.h"
#include "base/rng.h"
#include "compile/compile.h"
#include "image.h"
#include "model/effective.h"

struct set {
    struct effective_filter *v;
    size_t n, cap;
    struct filter_settings settings;
    struct host host;
};

/* A filter in words; zero is any. */
struct spec {
    enum action action;
    int proto; /* 0 = any */
    const char *src, *sport, *dst, *dport;
    int icmp; /* 1 = type given, 2 = type and code */
    int type, code;
    bool mirrored, override;
    enum layer layer;
    uint64_t deadline_ns;
    uint32_t id; /* handle, counter and GUID; 0 = the next number */
};

static inline struct addr addr_of(const char *s)
{
    enum family f;
    struct ip ip, last;
    if (!s || strcmp(s, "any") == 0)
        return addr_any();
    if (strcmp(s, "me") == 0)
        return addr_me();
    size_t n = strcspn(s, "/-");
    assert_int_equal(ip_parse(s, n, &f, &ip), 0);
    if (s[n] == '/')
        return addr_prefix(f, ip, (unsigned)atoi(s + n + 1));
    if (s[n] == '\0')
        return addr_host(f, ip);
    assert_int_equal(ip_parse(s + n + 1, strlen(s + n + 1), &f, &last), 0);
    return addr_range(f, ip, last);
}

static inline struct portset ports_of(const char *s)
{
    struct port_range item[LIMIT_PORT_ITEMS];
    size_t n = 0;
    for (; s && *s; s += *s == ',') {
        char *end;
        unsigned long first = strtoul(s, &end, 10), last = first;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        assert_true(n < ARRAY_SIZE(item) && end != s);
        item[n++] = (struct port_range){(uint16_t)first, (uint16_t)last};
        s = end;
    }
    struct portset set;
    assert_int_equal(portset_from(item, n, &set), 0);
    return set;
}

static inline struct guid guid_of(uint32_t id)
{
    struct guid g = {{0}};
    for (unsigned i = 0; i < 4; i++)
        g.b[12 + i] = (uint8_t)(id >> (24 - 8 * i));
    return g;
}

static inline void set_init(struct set *s)
{
    *s = (struct set){0};
    filter_settings_init(&s->settings);
}

/* Takes *f over. */
static inline struct effective_filter *set_add_filter(struct set *s, struct filter *f,
                                                      enum layer layer)
{
    assert_int_equal(array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v)), 0);
    struct effective_filter *ef = &s->v[s->n++];
    *ef = (struct effective_filter){.filter = f, .layer = layer, .counter_id = f->handle};
    return ef;
}

static inline void set_add(struct set *s, struct spec w)
{
    uint32_t id = w.id ? w.id : (uint32_t)s->n + 1;
    struct filter *f = malloc(sizeof(*f));
    assert_non_null(f);
    filter_init(f);
    f->guid = guid_of(id);
    f->handle = id;
    f->action = w.action;
    f->proto = (int16_t)(w.proto ? w.proto : PROTO_ANY);
    f->src = addr_of(w.src);
    f->dst = addr_of(w.dst);
    f->sport = ports_of(w.sport);
    f->dport = ports_of(w.dport);
    f->mirrored = w.mirrored;
    f->override = w.override;
    if (w.icmp > 0)
        f->icmp_type = (int16_t)w.type;
    if (w.icmp > 1)
        f->icmp_code = (int16_t)w.code;
    struct diag d;
    if (filter_validate(f, &d) < 0)
        fail_msg("filter %u: %s", id, d.message);
    set_add_filter(s, f, w.layer)->deadline_ns = w.deadline_ns;
}
#define ADD(set, ...) set_add(set, (struct spec){__VA_ARGS__})

static inline void set_done(struct set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        union {
            const struct filter *in;
            struct filter *out;
        } u = {s->v[i].filter}; /* made by set_add() or the test, given away as const */
        filter_free(u.out);
    }
    free(s->v);
    host_done(&s->host);
    *s = (struct set){0};
}

static inline struct effective set_effective(const struct set *s)
{
    return (struct effective){.v = s->v, .n = s->n, .settings = &s->settings, .host = &s->host};
}

static inline void set_shuffle(struct set *s, struct rng *r)
{
    for (size_t i = s->n; i > 1; i--) {
        size_t j = rng_below(r, (uint32_t)i);
        struct effective_filter t = s->v[i - 1];
        s->v[i - 1] = s->v[j];
        s->v[j] = t;
    }
}

static inline struct image set_compile(const struct set *s, struct compile_stats *stats)
{
    struct effective e = set_effective(s);
    struct compile_options o = {.generation = 7, .seed = 0x5eed};
    struct diag d = {0};
    struct image img;
    if (compile_image(&e, &o, &d, &img, stats) < 0)
        fail_msg("compile: %s", d.message);
    return img;
}

/* proto 0 = a packet without known ports; type and code of ICMP travel in dport. */
static inline struct packet packet_of(int proto, const char *src, unsigned sport, const char *dst,
                                      unsigned dport)
{
    struct packet p = {.proto = (uint8_t)proto, .hop_limit = 64, .l4_known = true};
    enum family f;
    assert_int_equal(ip_parse(src, strlen(src), &f, &p.src), 0);
    assert_int_equal(ip_parse(dst, strlen(dst), &p.family, &p.dst), 0);
    assert_int_equal(f, p.family);
    p.sport = (uint16_t)sport;
    p.dport = (uint16_t)dport;
    p.icmp_type = (uint8_t)(dport >> 8);
    p.icmp_code = (uint8_t)dport;
    return p;
}

/* Number of the filter that decides a packet for this host; 0 = none matches. */
static inline uint32_t decides_in(const struct image *img, struct packet p)
{
    struct image_hit h = image_lookup(img, &p, false, true, 0);
    return h.w == 0 ? 0 : h.counter_id;
}

static inline uint32_t decides_out(const struct image *img, struct packet p)
{
    struct image_hit h = image_lookup(img, &p, true, false, 0);
    return h.w == 0 ? 0 : h.counter_id;
}

/* From the environment or fixed; printed by rng_report() when a test fails. */
static inline uint64_t test_seed(void)
{
    const char *s = getenv("PORTWARD_SEED");
    return s ? strtoull(s, NULL, 0) : 20260722;
}
