/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thousands of changes in place on one base, in tables so full that chains collide and end: the
 * image always answers as one compiled anew from the same filters, whatever was stored before. What
 * finds no room is compiled anew, as the agent does. PORTWARD_SEED repeats a run. */
#include "compile-help.h"
#include "compile/patch.h"

enum { POOL = 500, STEPS = 4000, PACKETS = 60, COMPARE_EVERY = 5, WHOLE_EVERY = 100 };

struct run {
    struct set pool;
    bool in[POOL];
    struct effective_filter v[POOL];
    struct effective now;
    struct image image;
    struct compile_stats stats;
    struct image_patcher *patcher;
    struct rng r;
    unsigned load_percent, in_place, compiled;
    uint64_t generation;
};

/* Hosts, networks, both families, twins, several filters of one key, two layers. */
static void fill_pool(struct run *x)
{
    for (uint32_t i = 0; i < POOL; i++) {
        char src[64], port[8];
        bool six = rng_below(&x->r, 4) == 0;
        uint32_t host = rng_below(&x->r, 120);
        snprintf(src, sizeof(src), six ? "2001:db8::%x" : "10.0.0.%u", host);
        if (!six && rng_below(&x->r, 3) == 0)
            snprintf(src, sizeof(src), "10.0.%u.0/24", rng_below(&x->r, 40));
        snprintf(port, sizeof(port), "%u", 1 + rng_below(&x->r, 3));
        const struct spec w = {.action = rng_below(&x->r, 3) ? ACTION_BLOCK : ACTION_PERMIT,
                               .proto = PROTO_UDP,
                               .src = src,
                               .dst = "me",
                               .dport = rng_below(&x->r, 5) ? port : NULL,
                               .mirrored = rng_below(&x->r, 6) == 0,
                               .layer = rng_below(&x->r, 3) ? LAYER_DYNAMIC : LAYER_LOCAL};
        set_add(&x->pool, w);
    }
}

static void update_now(struct run *x)
{
    x->now = set_effective(&x->pool);
    x->now.v = x->v;
    x->now.n = 0;
    for (size_t i = 0; i < POOL; i++)
        if (x->in[i])
            x->v[x->now.n++] = x->pool.v[i];
}

static struct image compile_now(struct run *x, unsigned load_percent, struct compile_stats *stats)
{
    struct compile_options o = {
        .generation = ++x->generation, .seed = rng_next(&x->r), .force_load_percent = load_percent};
    struct image img;
    struct diag d = {0};
    if (compile_image(&x->now, &o, &d, &img, stats) < 0)
        fail_msg("compile: %s", d.message);
    return img;
}

static void compile_base(struct run *x)
{
    image_done(&x->image);
    x->image = compile_now(x, x->load_percent, &x->stats);
    x->compiled++;
}

static void store_all(struct image *img, const struct image_patch *p)
{
    uint64_t *words = img->lines;
    for (size_t i = 0; i < p->n; i++) {
        assert_int_equal(words[p->v[i].word], p->v[i].before);
        words[p->v[i].word] = p->v[i].value;
    }
    img->generation = p->generation;
}

static void toggle(struct run *x, size_t i)
{
    struct effective_filter v[POOL];
    struct effective before = x->now;
    size_t at = 0;
    memcpy(v, x->v, x->now.n * sizeof(*v));
    before.v = v;
    for (size_t k = 0; k < i; k++)
        at += x->in[k];
    x->in[i] = !x->in[i];
    update_now(x);
    const struct image_lists l = {.before = &before,
                                  .after = &x->now,
                                  .added = &at,
                                  .n_added = x->in[i],
                                  .deleted = &at,
                                  .n_deleted = !x->in[i],
                                  .losers = x->stats.n_shadowed > 0,
                                  .generation = ++x->generation};
    struct image_change c;
    struct image_patch p = {0};
    int r = image_change_of(&l, &c);
    if (r == 0)
        r = image_patch(x->patcher, &x->image, &c, &p);
    if (r == -EAGAIN) {
        compile_base(x);
        return;
    }
    assert_int_equal(r, 0);
    store_all(&x->image, &p);
    assert_true(image_patch_holds(&x->image, &p));
    image_patch_done(&p);
    x->in_place++;
}

static struct packet packet_like(struct run *x, const struct filter *f, bool out)
{
    struct packet p = {.proto = PROTO_UDP, .hop_limit = 64, .l4_known = rng_below(&x->r, 10) != 0};
    struct ip peer = f->src.first;
    p.family = f->src.family;
    peer.lo |= f->src.kind == ADDR_PREFIX ? rng_below(&x->r, 200) : 0;
    p.src = out ? (struct ip){0} : peer;
    p.dst = out ? peer : (struct ip){0};
    p.sport = out ? (uint16_t)(1 + rng_below(&x->r, 3)) : 9;
    p.dport = out ? 9 : (uint16_t)(1 + rng_below(&x->r, 3));
    return p;
}

/* Patched and compiled anew say the same about packets like n filters of the pool, `first` among
 * them. */
static void compare(struct run *x, size_t first, unsigned n)
{
    struct image fresh = compile_now(x, 0, NULL);
    for (unsigned i = 0; i < n; i++) {
        size_t k = i < 8 ? first : rng_below(&x->r, POOL);
        bool out = rng_below(&x->r, 2) != 0;
        struct packet p = packet_like(x, x->pool.v[k].filter, out);
        struct image_hit a = image_lookup(&x->image, &p, out, !out, 0);
        struct image_hit b = image_lookup(&fresh, &p, out, !out, 0);
        assert_true(a.w == b.w);
        assert_true(a.w == 0 || a.counter_id == b.counter_id);
    }
    image_done(&fresh);
}

/* The image keeps count of the slots that are not empty. */
static void check_used(const struct image *img)
{
    const uint64_t *words = img->lines;
    const struct img_family *f[2] = {(const void *)(words + IMG_FAMILY4_LINE * 8),
                                     (const void *)(words + IMG_FAMILY6_LINE * 8)};
    const struct img_line4 *four = (const void *)(words + (size_t)f[0]->slots_off * 8);
    const struct img_slot6 *six = (const void *)(words + (size_t)f[1]->slots_off * 8);
    unsigned used[2] = {0};
    for (uint32_t i = 0; i < (f[0]->slots_mask + 1) * IMG_SLOTS4; i++)
        used[0] += IMG_META_ACTION(four[i / IMG_SLOTS4].hi[i % IMG_SLOTS4]) != 0;
    for (uint32_t i = 0; i < (f[1]->slots_mask + 1) * IMG_SLOTS6; i++)
        used[1] += IMG_META_ACTION(six[i].hi) != 0;
    assert_int_equal(used[0], f[0]->n_used);
    assert_int_equal(used[1], f[1]->n_used);
}

static void check_header(const struct run *x)
{
    const struct img_header *h = x->image.lines;
    assert_true(h->generation == x->image.generation);
    assert_int_equal((h->flags & IMG_ARMED) != 0, effective_is_armed(&x->now));
}

static void sequence(unsigned load_percent)
{
    struct run x = {.r = {test_seed() + load_percent}, .load_percent = load_percent};
    set_init(&x.pool);
    fill_pool(&x);
    for (size_t i = 0; i < POOL; i++)
        x.in[i] = rng_below(&x.r, 2) != 0;
    update_now(&x);
    assert_int_equal(image_patcher_new(&x.patcher), 0);
    compile_base(&x);
    for (unsigned i = 0; i < STEPS; i++) {
        size_t k = rng_below(&x.r, POOL);
        toggle(&x, k);
        check_header(&x);
        if (i % COMPARE_EVERY == 0)
            compare(&x, k, i % WHOLE_EVERY ? PACKETS : 20 * PACKETS);
    }
    check_used(&x.image);
    print_message("load %u%%: %u in place, %u compiled, PORTWARD_SEED=%llu\n", load_percent,
                  x.in_place, x.compiled, (unsigned long long)test_seed());
    assert_true(x.in_place > STEPS / 4 && x.compiled > 1);
    image_patcher_free(x.patcher);
    image_done(&x.image);
    set_done(&x.pool);
}

static void test_room(void **state _unused_)
{
    sequence(0);
}

static void test_full_lines(void **state _unused_)
{
    sequence(85);
}

/* As the agent's: GUIDs drawn by chance between two layers, one image, no list of filters. */
static void test_thousands_between_layers(void **state _unused_)
{
    enum { MANY = 2000 };
    struct set s;
    struct image_patcher *patcher = NULL;
    struct rng r = {test_seed()};
    struct compile_stats stats;
    set_init(&s);
    for (uint32_t i = 0; i < 26000; i++) { /* as full as images are built */
        char src[32];
        snprintf(src, sizeof(src), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        ADD(&s, ACTION_BLOCK, PROTO_UDP, .src = src, .dst = "me", .dport = "7",
            .layer = i % 2 ? LAYER_LOCAL : LAYER_PERSISTENT);
    }
    struct image img = set_compile(&s, &stats);
    assert_int_equal(image_patcher_new(&patcher), 0);
    struct effective_filter *added = calloc(MANY, sizeof(*added));
    struct filter *f = calloc(MANY, sizeof(*f));
    assert_non_null(added);
    assert_non_null(f);
    unsigned done = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        filter_init(&f[i]);
        f[i] = *s.v[i].filter;
        f[i].src.first.lo = f[i].src.last.lo = 0x0b000000 + i;
        uint64_t guid[2] = {rng_next(&r), rng_next(&r)};
        memcpy(f[i].guid.b, guid, sizeof(guid));
        struct image_change c = {.host = &s.host, .adds = true, .armed = true, .generation = 8 + i};
        c.added = (struct effective_filter){
            .filter = &f[i], .layer = LAYER_DYNAMIC, .counter_id = 100000 + i};
        const struct effective all = set_effective(&s), dynamic = {.v = added, .n = done};
        assert_int_equal(image_neighbours(&dynamic, &c), 0);
        if (c.n_below < PATCH_NEIGHBOURS || c.n_above < PATCH_NEIGHBOURS)
            assert_int_equal(image_neighbours(&all, &c), 0);
        struct image_patch p = {0};
        int err = image_patch(patcher, &img, &c, &p);
        if (err == 0) {
            store_all(&img, &p);
            assert_true(image_patch_holds(&img, &p));
            added[done++] = c.added;
        }
        assert_true(err == 0 || err == -EAGAIN);
        image_patch_done(&p);
    }
    print_message("%u of %d filters found an order and a slot\n", done, MANY);
    assert_true(done > MANY * 999 / 1000);
    for (unsigned i = 0; i < done; i++) {
        struct packet p = {.family = FAMILY_4,
                           .proto = PROTO_UDP,
                           .l4_known = true,
                           .src = added[i].filter->src.first,
                           .dport = 7};
        assert_int_equal(image_lookup(&img, &p, false, true, 0).counter_id, added[i].counter_id);
    }
    free(f);
    free(added);
    image_patcher_free(patcher);
    image_done(&img);
    set_done(&s);
}

/* --- many filters of one shape --- */

/* An image of n filters, and one more that is put into it again and again with another address. */
struct crowd {
    struct set s;
    struct image img;
    struct image_patcher *patcher;
    struct filter f;
    struct image_change c;
};

static struct ip crowd_address(enum family fam, uint32_t first, uint32_t i)
{
    return fam == FAMILY_4 ? (struct ip){.lo = first + i}
                           : (struct ip){.hi = 0x20010db800000000 + first, .lo = i};
}

static void crowd_make(struct crowd *x, enum family fam, uint32_t n)
{
    *x = (struct crowd){0};
    set_init(&x->s);
    for (uint32_t i = 0; i < n; i++) {
        struct filter *f = malloc(sizeof(*f));
        assert_non_null(f);
        filter_init(f);
        f->handle = i + 1;
        f->guid = guid_of(i + 1);
        f->action = ACTION_BLOCK;
        f->src = addr_host(fam, crowd_address(fam, 0x0a000000, i));
        f->dst = addr_me();
        set_add_filter(&x->s, f, LAYER_LOCAL);
    }
    x->img = set_compile(&x->s, NULL);
    assert_int_equal(image_patcher_new(&x->patcher), 0);
    x->f = *x->s.v[0].filter;
    x->c = (struct image_change){.host = &x->s.host, .adds = true, .armed = true, .generation = 8};
    x->c.added = (struct effective_filter){.filter = &x->f, .layer = LAYER_DYNAMIC};
}

static void crowd_done(struct crowd *x)
{
    image_patcher_free(x->patcher);
    image_done(&x->img);
    set_done(&x->s);
}

static void crowd_next(struct crowd *x, enum family fam, uint32_t i)
{
    uint64_t spread = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(x->f.guid.b, &spread, sizeof(spread));
    x->f.src = addr_host(fam, crowd_address(fam, 0x0b000000, i));
    x->c.added.counter_id = 1000000 + i;
}

/* 0, or -EAGAIN */
static int crowd_add(struct crowd *x, bool stores)
{
    struct image_patch p = {0};
    int r = image_patch(x->patcher, &x->img, &x->c, &p);
    assert_true(r == 0 || r == -EAGAIN);
    if (r == 0 && stores) {
        store_all(&x->img, &p);
        assert_true(image_patch_holds(&x->img, &p));
    }
    image_patch_done(&p);
    return r;
}

/* As full as images are built: one filter more finds room in place, whatever its hash. */
static void test_room_in_full_images(void **state _unused_)
{
    static const struct {
        enum family fam;
        uint32_t n;
    } cases[] = {{FAMILY_4, 102}, {FAMILY_4, 1638}, {FAMILY_4, 104857},
                 {FAMILY_6, 51},  {FAMILY_6, 819},  {FAMILY_6, 52428}};
    enum { TRIALS = 20000, REFUSED_MAX = 1 };
    uint32_t first = (uint32_t)test_seed() * TRIALS;
    for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
        struct crowd x;
        crowd_make(&x, cases[k].fam, cases[k].n);
        assert_int_equal(image_neighbours(&(struct effective){.v = x.s.v, .n = x.s.n}, &x.c), 0);
        unsigned refused = 0;
        for (uint32_t i = 0; i < TRIALS; i++) {
            crowd_next(&x, cases[k].fam, (first + i) & 0xffffff);
            refused += crowd_add(&x, false) != 0;
        }
        print_message("IPv%d, %u filters: %u of %d need a new image, PORTWARD_SEED=%llu\n",
                      cases[k].fam == FAMILY_4 ? 4 : 6, cases[k].n, refused, TRIALS,
                      (unsigned long long)test_seed());
        assert_true(refused <= REFUSED_MAX);
        crowd_done(&x);
    }
}

/* A small image has room for a hundred more, and no longer when lookups would become long. */
static void test_end_of_additions(void **state _unused_)
{
    struct crowd x;
    uint32_t n = 0;
    crowd_make(&x, FAMILY_4, 10);
    struct effective_filter v[200];
    struct filter f[200];
    do {
        assert_true(n < ARRAY_SIZE(v));
        crowd_next(&x, FAMILY_4, n);
        f[n] = x.f;
        v[n] = x.c.added;
        v[n].filter = &f[n];
        const struct effective stay = {.v = x.s.v, .n = x.s.n}, added = {.v = v, .n = n};
        x.c.n_below = x.c.n_above = 0;
        assert_int_equal(image_neighbours(&added, &x.c), 0);
        assert_int_equal(image_neighbours(&stay, &x.c), 0);
    } while (crowd_add(&x, true) == 0 && ++n);
    const struct img_family *part =
        (const void *)((const uint64_t *)x.img.lines + IMG_FAMILY4_LINE * 8);
    uint32_t slots = (part->slots_mask + 1) * IMG_SLOTS4;
    print_message("%u filters added to 10, %u of %u slots are used\n", n, part->n_used, slots);
    assert_int_equal(part->n_used, n + 10);
    assert_true(n >= 100 && part->n_used <= slots * 2 / 3);
    check_used(&x.img);
    crowd_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_full_lines),
        cmocka_unit_test(test_thousands_between_layers),
        cmocka_unit_test(test_room_in_full_images),
        cmocka_unit_test(test_end_of_additions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
