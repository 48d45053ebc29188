/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long one block filter more takes until packets obey it, inside one process, with the N
 * filters of a policy file in force in this network namespace.
 *   bench-change FILE ROUNDS
 * Prints one JSON object with milliseconds per round: "in_place" is the patch of the image in
 * force, "copy" the copy of the image that it is computed on, "generation" a new image compiled,
 * installed and seen by the program. Called by bench.py. Leaves nothing pinned. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enforce.h"

enum { ROUNDS_MAX = 100, TEST_PORT = 5000 };

enum { COPY, IN_PLACE, GENERATION, _TIME_MAX };
static const char *const time_names[_TIME_MAX] = {"copy", "in_place", "generation"};

/* Room for one filter more, behind the others; policies must not be freed before it. */
static int add_filter(struct enforced *e, unsigned round, struct filter *f, struct port_range *port)
{
    if (array_reserve(&e->v, &e->cap, e->n + 1, sizeof(*e->v)) < 0)
        return -ENOMEM;
    filter_init(f);
    *port = (struct port_range){TEST_PORT, TEST_PORT};
    f->action = ACTION_BLOCK;
    f->proto = PROTO_UDP;
    f->src = addr_host(FAMILY_4, (struct ip){.lo = 0xc6120000u + round}); /* 198.18.0.0/15 */
    f->dst = addr_me();
    f->dport = (struct portset){.n = 1, .range = port};
    f->handle = (uint32_t)e->n + 1;
    memcpy(f->guid.b, &f->handle, sizeof(f->handle));
    e->v[e->n] = (struct effective_filter){
        .filter = f, .layer = LAYER_DYNAMIC, .counter_id = (uint32_t)e->n};
    e->n++;
    return 0;
}

static int change_in_place(struct datapath *dp, const struct enforced *e, double t[_TIME_MAX])
{
    struct effective before = {
        .v = e->v, .n = e->n - 1, .settings = &e->settings, .host = datapath_host(dp)};
    struct effective after = before;
    after.n = e->n;
    size_t added = e->n - 1;
    struct image_change c = {.before = &before,
                             .after = &after,
                             .added = &added,
                             .n_added = 1,
                             .generation = datapath_generation(dp) + 1};
    _cleanup_(image_done) struct image copy = {0};
    _cleanup_(image_patch_done) struct image_patch patch = {0};
    double start = enforce_clock_ms();

    int r = datapath_image_copy(dp, &copy);
    double copied = enforce_clock_ms();
    if (r == 0)
        r = image_patch(&copy, &c, &patch);
    if (r == 0)
        r = datapath_patch(dp, &patch);
    t[COPY] = copied - start;
    t[IN_PLACE] = enforce_clock_ms() - copied;
    return r;
}

static int one_round(struct datapath *dp, struct enforced *e, unsigned round, struct diag *d,
                     double t[_TIME_MAX])
{
    struct filter f[2];
    struct port_range port[2];
    struct enforce_times steps = {0};

    int r = add_filter(e, 2 * round, &f[0], &port[0]);
    if (r == 0)
        r = change_in_place(dp, e, t);
    if (r == 0)
        r = add_filter(e, 2 * round + 1, &f[1], &port[1]);
    if (r == 0)
        r = enforced_install(dp, e, d, &steps);
    t[GENERATION] = steps.compile + steps.attach + steps.install;
    e->n -= 2; /* the filters are this function's; the next generation is without them */
    if (r == 0)
        r = enforced_install(dp, e, d, &steps);
    return r;
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
    struct datapath *dp = NULL;

    int r = enforced_read(path, &e, &steps);
    if (r == 0)
        r = datapath_open(&o, d, &dp);
    if (r == 0)
        r = enforced_install(dp, &e, d, &steps);
    for (unsigned i = 0; i < rounds && r == 0; i++)
        r = one_round(dp, &e, i, d, t[i]);
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
