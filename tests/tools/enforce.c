/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/tools/enforce.c: from a policy file to packets in one call, and how long each step took.
 * Called by pw-attach and bench-change. Invariant: the steps and their order are the agent's
 * (compile, attach, candidate, flip), so that what is measured or tested here is the product's. */
#include "enforce.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/limits.h"
#include "text/text.h"

enum { WORKER_WAIT_MS = 10000 };

double enforce_clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int read_policies(const char *path, struct policy_list *ret)
{
    _cleanup_free_ char *text = malloc(LIMIT_POLICY_TEXT_BYTES);
    struct diag_list dl = {0};
    FILE *f = text ? fopen(path, "re") : NULL;

    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -EIO;
    }
    size_t len = fread(text, 1, LIMIT_POLICY_TEXT_BYTES, f);
    fclose(f);
    int r = text_parse_policies(text, len, &dl, ret);
    for (unsigned i = 0; i < dl.n; i++)
        fprintf(stderr, "%s:%u: %s\n", path, dl.d[i].span[0].line, dl.d[i].message);
    return r;
}

static int collect(struct enforced *e)
{
    filter_settings_init(&e->settings);
    for (size_t i = 0; i < e->policies.n; i++) {
        struct policy *p = e->policies.v[i];
        for (size_t j = 0; j < p->n_rules; j++) {
            struct rule *rule = &p->rules[j];
            for (size_t k = 0; !rule->inactive && k < rule->n_filters; k++) {
                struct filter *f = &rule->filters[k];
                if (array_reserve(&e->v, &e->cap, e->n + 1, sizeof(*e->v)) < 0)
                    return -ENOMEM;
                f->handle = (uint32_t)e->n + 1;
                for (unsigned b = 0; b < 4; b++)
                    f->guid.b[12 + b] = (uint8_t)(f->handle >> (24 - 8 * b));
                e->v[e->n] = (struct effective_filter){.filter = f,
                                                       .layer = LAYER_LOCAL,
                                                       .connection = rule->connection,
                                                       .counter_id = (uint32_t)e->n};
                e->n++;
            }
        }
    }
    return 0;
}

static int wait_for_worker(struct datapath *dp)
{
    struct pollfd p = {.fd = datapath_worker_fd(dp), .events = POLLIN};

    return poll(&p, 1, WORKER_WAIT_MS) == 1 ? datapath_worker_process(dp) : -ETIMEDOUT;
}

int enforced_read(const char *path, struct enforced *ret, struct enforce_times *t)
{
    double start = enforce_clock_ms();
    int r = read_policies(path, &ret->policies);

    if (r == 0)
        r = collect(ret);
    t->parse = enforce_clock_ms() - start;
    return r;
}

void enforced_done(struct enforced *e)
{
    free(e->v);
    policy_list_done(&e->policies);
}

/* The new image decides about 0.1 ms after the flip begins, long before the call returns. */
static int flip(struct datapath *dp, uint64_t generation, struct diag *d, double *ret_visible_ms)
{
    double start = enforce_clock_ms();
    int r = datapath_flip(dp, d), seen = 0;

    while (r == 0 && seen == 0 && enforce_clock_ms() - start < WORKER_WAIT_MS)
        seen = datapath_visible(dp, DATAPATH_ACTIVE, generation);
    *ret_visible_ms = enforce_clock_ms() - start;
    if (r == 0)
        r = wait_for_worker(dp);
    return r < 0 ? r : seen < 0 ? seen : seen ? 0 : -ETIMEDOUT;
}

static int install(struct datapath *dp, const struct image *img, size_t n, struct diag *d,
                   double *ret_ms)
{
    double start = enforce_clock_ms(), visible = 0;
    int r = datapath_candidate(dp, img, (uint32_t)n, d);

    if (r == 0)
        r = wait_for_worker(dp);
    *ret_ms = enforce_clock_ms() - start;
    if (r == 0)
        r = flip(dp, img->generation, d, &visible);
    *ret_ms += visible;
    return r;
}

int enforced_install(struct datapath *dp, const struct enforced *e, struct diag *d,
                     struct enforce_times *t)
{
    struct effective eff = {
        .v = e->v, .n = e->n, .settings = &e->settings, .host = datapath_host(dp)};
    struct compile_options o = {.generation = datapath_generation(dp) + 1,
                                .tag_secret = datapath_tag_secret(dp)};
    _cleanup_(image_done) struct image img = {0};
    double start = enforce_clock_ms();
    unsigned n_ifaces;

    if (getrandom(&o.seed, sizeof(o.seed), 0) != sizeof(o.seed))
        return -errno;
    int r = compile_image(&eff, &o, d, &img, NULL);
    double compiled = enforce_clock_ms();
    if (r == 0)
        r = datapath_attach_all(dp, d, &n_ifaces);
    *t = (struct enforce_times){
        .parse = t->parse, .compile = compiled - start, .attach = enforce_clock_ms() - compiled};
    return r == 0 ? install(dp, &img, e->n, d, &t->install) : r;
}
