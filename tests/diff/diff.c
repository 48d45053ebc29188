/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/diff/diff.c: the loop of the differential tests, see diff.h. */
#include "diff.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eval/eval.h"

struct options {
    uint64_t pairs, seed;
    uint32_t packets_per_policy;
};

struct run {
    const struct backend *b;
    struct options o;
    struct rng rng;
    struct gen_stats stats;
};

static int parse_options(int argc, char **argv, const struct backend *b, struct options *ret)
{
    static const struct option names[] = {
        {"pairs", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {"packets-per-policy", required_argument, NULL, 'p'},
        {0},
    };
    const char *seed = getenv("PORTWARD_SEED");
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    *ret = (struct options){
        .pairs = 200000,
        .seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)t.tv_sec * 1000003 + (uint64_t)t.tv_nsec,
        .packets_per_policy = b->packets_per_policy,
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'n')
            ret->pairs = strtoull(optarg, NULL, 0);
        else if (c == 's')
            ret->seed = strtoull(optarg, NULL, 0);
        else if (c == 'p')
            ret->packets_per_policy = (uint32_t)strtoul(optarg, NULL, 0);
        else
            return -EINVAL;
    }
    return ret->packets_per_policy && optind == argc ? 0 : -EINVAL;
}

/* 1: eval and the backend differ, 0: they agree or the backend has no say; negative errno. */
static int differs(const struct backend *b, const struct effective *e, const struct question *q,
                   struct verdict *ret_verdict, struct outcome *ret_got)
{
    if (!b->expect(b->self, e, q, ret_verdict))
        return 0;
    int err = b->ask(b->self, e, q, ret_got);
    if (err < 0)
        return err;
    break_outcome(q, ret_got);
    struct outcome expected = outcome_of(ret_verdict);
    return !outcome_eq(&expected, ret_got);
}

/* Leaves out what can be left out while the two still differ. */
static void shrink(const struct backend *b, const struct effective *e, const struct question *q)
{
    _cleanup_free_ struct effective_filter *v = calloc(e->n ? e->n : 1, sizeof(*v));
    if (!v)
        return;
    if (e->n)
        memcpy(v, e->v, e->n * sizeof(*v));
    struct effective less = *e;
    struct verdict verdict = {0};
    struct outcome got = {0};
    less.v = v;
    for (size_t i = 0; i < less.n;) {
        struct effective_filter out = v[i];
        memmove(&v[i], &v[i + 1], (less.n - i - 1) * sizeof(*v));
        less.n--;
        if (b->install(b->self, &less) == 0 && differs(b, &less, q, &verdict, &got) == 1)
            continue;
        memmove(&v[i + 1], &v[i], (less.n - i) * sizeof(*v));
        v[i] = out;
        less.n++;
        i++;
    }
    printf("\nshrunk to %zu filters:\n", less.n);
    report_policy(&less);
    if (b->install(b->self, &less) < 0 || differs(b, &less, q, &verdict, &got) != 1)
        return;
    struct outcome expected = outcome_of(&verdict);
    report_outcome("eval", &expected);
    report_outcome(b->name, &got);
}

static void report_difference(struct run *run, const struct effective *e, const struct question *q,
                              const struct verdict *verdict, const struct outcome *got)
{
    struct outcome expected = outcome_of(verdict);
    printf("DIFFERENCE after %" PRIu64 " pairs: --seed %" PRIu64 " --packets-per-policy %u\n",
           run->stats.pairs, run->o.seed, run->o.packets_per_policy);
    report_policy(e);
    report_question(q);
    report_outcome("eval", &expected);
    report_outcome(run->b->name, got);
    shrink(run->b, e, q);
}

static int run_packets(struct run *run, const struct gen_policy *p)
{
    const struct backend *b = run->b;
    for (uint32_t i = 0; i < run->o.packets_per_policy && run->stats.pairs < run->o.pairs; i++) {
        struct question q = {.packet = gen_packet(&run->rng, p), .now_ns = b->now_ns(b->self)};
        struct verdict verdict;
        struct outcome got;
        q.len = gen_frame(&run->rng, &q.packet, q.frame);
        int r = differs(b, &p->e, &q, &verdict, &got);
        if (r < 0) {
            printf("%s: asking failed: %s\n", b->name, strerror(-r));
            report_question(&q);
            return r;
        }
        if (r > 0) {
            report_difference(run, &p->e, &q, &verdict, &got);
            return -EILSEQ;
        }
        gen_count_frame(&run->stats, q.frame, q.len);
        r = gen_count(&run->stats, &p->e, &q.packet, &verdict, q.now_ns);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run_policy(struct run *run)
{
    const struct backend *b = run->b;
    _cleanup_(gen_policy_freep) struct gen_policy *p = NULL;
    const struct host *host;
    int r = b->host(b->self, &run->rng, &host);
    if (r < 0)
        return r;
    r = gen_policy_new(&run->rng, host, b->now_ns(b->self), &p);
    if (r < 0)
        return r;
    gen_policy_places(&run->rng, p);
    while ((r = b->install(b->self, &p->e)) == -E2BIG && p->e.n > 1)
        gen_policy_halve(p);
    if (r == -E2BIG)
        return 0; /* one filter with too many shapes: draw again */
    if (r < 0) {
        printf("%s: installing failed: %s\n", b->name, strerror(-r));
        report_policy(&p->e);
        return r;
    }
    run->stats.policies++;
    return run_packets(run, p);
}

int diff_main(int argc, char **argv, const struct backend *b)
{
    struct run run = {.b = b};
    if (parse_options(argc, argv, b, &run.o) < 0) {
        fprintf(stderr, "usage: %s [--pairs N] [--seed S] [--packets-per-policy N]\n", argv[0]);
        return 2;
    }
    run.rng.state = run.o.seed;
    printf("diff-%s --pairs %" PRIu64 " --seed %" PRIu64 " --packets-per-policy %u\n", b->name,
           run.o.pairs, run.o.seed, run.o.packets_per_policy);
    while (run.stats.pairs < run.o.pairs) {
        int r = run_policy(&run);
        if (r < 0) {
            printf("FAILED: %s\n", r == -EILSEQ ? "a difference" : strerror(-r));
            return 1;
        }
    }
    gen_stats_print(&run.stats);
    if (getenv("PORTWARD_BREAK")) {
        printf("a broken comparison was not noticed\n");
        return 0;
    }
    unsigned missed = gen_stats_missed(&run.stats);
    printf("%s\n", missed ? "FAILED: quota missed" : "0 differences");
    return missed ? 1 : 0;
}
