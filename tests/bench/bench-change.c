/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long one block filter more takes until packets obey it, inside one process, with the N
 * filters of a policy file in force in this network namespace.
 *   bench-change FILE ROUNDS
 * Prints one JSON object with milliseconds per round: "in_place" from the decision to the last
 * store in the image in force, as the agent does it (its place among the others, the stores, the
 * check that it is found), median of SERIES filters; "in_place_first" that of the first of them,
 * with the caches full of the generation before; "in_place_delete" of taking them out; "generation"
 * a new image compiled, installed and seen by the program. Called by bench.py. Leaves nothing
 * pinned. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/agent/live.h"
#include "enforce.h"

enum { ROUNDS_MAX = 100, SERIES = 16, TEST_PORT = 5000 };

enum { IN_PLACE, IN_PLACE_FIRST, IN_PLACE_DELETE, GENERATION, _TIME_MAX };
static const char *const time_names[_TIME_MAX] = {"in_place", "in_place_first", "in_place_delete",
                                                  "generation"};

static struct port_range port = {TEST_PORT, TEST_PORT};

/* Filter number `number` of this program; GUIDs as if drawn by chance. */
static struct filter make_filter(const struct enforced *e, uint32_t number)
{
    struct filter f;
    filter_init(&f);
    f.action = ACTION_BLOCK;
    f.proto = PROTO_UDP;
    f.src = addr_host(FAMILY_4, (struct ip){.lo = 0xc6120000u + number}); /* 198.18.0.0/15 */
    f.dst = addr_me();
    f.dport = (struct portset){.n = 1, .range = &port};
    f.handle = (uint32_t)e->n + 1 + number;
    uint64_t random = (f.handle + 1) * 0x9e3779b97f4a7c15ULL;
    memcpy(f.guid.b, &random, sizeof(random));
    return f;
}

static struct effective_filter as_dynamic(const struct filter *f)
{
    return (struct effective_filter){
        .filter = f, .layer = LAYER_DYNAMIC, .counter_id = f->handle - 1};
}

/* What the agent has ready when a change comes. */
struct ready {
    struct desired in_force; /* borrows everything */
    struct live live;
    struct image_patcher *patcher; /* kept over all rounds */
};

static int get_ready(struct datapath *dp, const struct enforced *e, struct ready *ready)
{
    struct image active; /* is mapped by the look at it */
    ready->in_force = (struct desired){.dynamic_first = e->n};
    ready->in_force.e = (struct effective){
        .v = e->v, .n = e->n, .settings = &e->settings, .host = datapath_host(dp)};
    int r = live_build(&ready->live, &ready->in_force);
    return r < 0 ? r : datapath_image(dp, &active);
}

static int patch(struct datapath *dp, struct ready *ready, const struct image_change *c,
                 double *ret_ms)
{
    _cleanup_(image_patch_done) struct image_patch p = {0};
    struct image active;
    double start = enforce_clock_ms();
    struct image_change change = *c;

    if (change.adds)
        live_neighbours(&ready->live, &change);
    int r = datapath_image(dp, &active);
    if (r == 0)
        r = image_patch(ready->patcher, &active, &change, &p);
    if (r == 0)
        r = datapath_patch(dp, &p);
    if (r == 0 && !image_patch_holds(&active, &p))
        r = -EIO;
    *ret_ms = enforce_clock_ms() - start;
    return r;
}

static int compare_times(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;
    return *a < *b ? -1 : *a > *b;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), compare_times);
    return v[n / 2];
}

static int series_in_place(struct datapath *dp, struct ready *ready, const struct enforced *e,
                           uint32_t number, double t[_TIME_MAX])
{
    double added[SERIES], deleted[SERIES];
    struct filter f[SERIES];
    int r = get_ready(dp, e, ready);
    for (uint32_t i = 0; i < SERIES && r == 0; i++) {
        f[i] = make_filter(e, number + i);
        struct image_change c = {.host = datapath_host(dp),
                                 .added = as_dynamic(&f[i]),
                                 .adds = true,
                                 .armed = true,
                                 .generation = datapath_generation(dp) + 1};
        r = patch(dp, ready, &c, &added[i]);
    }
    t[IN_PLACE_FIRST] = added[0];
    for (uint32_t i = 0; i < SERIES && r == 0; i++) {
        struct image_change c = {.host = datapath_host(dp),
                                 .armed = true,
                                 .n_deleted = 1,
                                 .deleted = {as_dynamic(&f[i])},
                                 .generation = datapath_generation(dp) + 1};
        r = patch(dp, ready, &c, &deleted[i]);
    }
    if (r < 0)
        return r;
    t[IN_PLACE] = median(added, SERIES);
    t[IN_PLACE_DELETE] = median(deleted, SERIES);
    return 0;
}

/* One filter more, then without it again. */
static int by_generation(struct datapath *dp, struct enforced *e, uint32_t number, double *ret_ms)
{
    struct enforce_times steps = {0};
    struct filter f = make_filter(e, number);
    struct diag d;
    if (array_reserve(&e->v, &e->cap, e->n + 1, sizeof(*e->v)) < 0)
        return -ENOMEM;
    e->v[e->n] = as_dynamic(&f);
    e->v[e->n].counter_id = (uint32_t)e->n;
    e->n++;
    int r = enforced_install(dp, e, &d, &steps);
    *ret_ms = steps.compile + steps.attach + steps.install;
    e->n--;
    return r == 0 ? enforced_install(dp, e, &d, &steps) : r;
}

static int one_round(struct datapath *dp, struct ready *ready, struct enforced *e, unsigned round,
                     double t[_TIME_MAX])
{
    int r = series_in_place(dp, ready, e, round * (SERIES + 1), t);
    return r == 0 ? by_generation(dp, e, round * (SERIES + 1) + SERIES, &t[GENERATION]) : r;
}

static void print_times(double t[][_TIME_MAX], unsigned n)
{
    for (unsigned i = 0; i < _TIME_MAX; i++) {
        printf("%s\"%s\": [", i ? ", " : "{", time_names[i]);
        for (unsigned round = 0; round < n; round++)
            printf("%s%.5f", round ? ", " : "", t[round][i]);
        printf("]");
    }
    printf("}\n");
}

static int run(const char *path, unsigned rounds, struct diag *d)
{
    double t[ROUNDS_MAX][_TIME_MAX] = {0};
    struct datapath_options o = {.hook = HOOK_AUTO};
    struct enforced e = {0};
    struct enforce_times steps = {0};
    struct ready ready = {.patcher = NULL};
    struct datapath *dp = NULL;

    int r = enforced_read(path, &e, &steps);
    if (r == 0)
        r = datapath_open(&o, d, &dp);
    if (r == 0)
        r = enforced_install(dp, &e, d, &steps);
    if (r == 0)
        r = image_patcher_new(&ready.patcher);
    for (unsigned i = 0; i < rounds && r == 0; i++)
        r = one_round(dp, &ready, &e, i, t[i]);
    live_done(&ready.live);
    image_patcher_free(ready.patcher);
    if (dp) {
        struct diag ignored;
        int cleared = datapath_clear(dp, &ignored);
        r = r ? r : cleared;
    }
    if (r == 0)
        print_times(t, rounds);
    enforced_done(&e);
    return r;
}

int main(int argc, char **argv)
{
    unsigned rounds = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    struct diag d = {0};

    if (rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench-change FILE ROUNDS\n");
        return 2;
    }
    int r = run(argv[1], rounds, &d);
    if (r < 0)
        fprintf(stderr, "bench-change: %s: %s\n", strerror(-r), d.message);
    return r < 0;
}
