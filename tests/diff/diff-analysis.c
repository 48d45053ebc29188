/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff-analysis: check and diff against eval, see analysis.h. No kernel, no privilege.
 * --pairs N: random pairs of policies, and as many policies for check, in each universe. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "analysis.h"
#include "diff.h"
#include "eval/eval.h"
#include "text/text.h"

int analysis_verdict(const struct effective *e, const struct packet *p, size_t *ret_index)
{
    struct packet secured = *p;
    struct verdict v = eval_packet(e, p, ANALYSIS_NOW);
    *ret_index = v.decider == DECIDED_FILTER ? v.index : SIZE_MAX;
    if (v.decider == DECIDED_STRUCTURE || v.decider == DECIDED_EARLIER ||
        (v.exemption && strcmp(v.exemption, "nd") == 0))
        return -1;
    if (!v.block)
        return 0;
    secured.meta.secured = true;
    return eval_packet(e, &secured, ANALYSIS_NOW).block ? 2 : 1;
}

static bool is_broken(const struct analysis *a, const char *what)
{
    return strcmp(a->broken, what) == 0;
}

int analysis_diff(struct analysis *a, const struct effective *x, const struct effective *y,
                  struct diff_result *ret)
{
    int r = diff_effective(x, y, ANALYSIS_NOW, NULL, ret);
    if (r == 0 && is_broken(a, "box") && ret->n > 0 && a->diffs % 7 == 0)
        ret->v[0].set.n--;
    if (r == 0 && is_broken(a, "example") && ret->n > 0)
        ret->v[0].example.packet.proto ^= 1;
    return r;
}

int analysis_check(struct analysis *a, const struct effective *e, const struct check_options *o,
                   struct finding_list *ret)
{
    int r = check_effective(e, o, ret);
    if (r == 0 && is_broken(a, "finding") && ret->n > 0)
        ret->n--;
    return r;
}

void analysis_print(const char *title, const struct effective *e)
{
    printf("%s:\n", title);
    report_policy(e);
}

void analysis_print_packet(const struct packet *p, unsigned class)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(4096);
    if (text_print_packet(p, &text) == 0)
        printf("packet: %s%s zone %u hop limit %u, class %u\n", text.s,
               p->later_fragment ? " later fragment" : "", p->meta.zone, p->hop_limit, class);
}

static uint64_t seed_of_now(void)
{
    const char *seed = getenv("PORTWARD_SEED");
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return seed ? strtoull(seed, NULL, 0) : (uint64_t)t.tv_sec * 1000003 + (uint64_t)t.tv_nsec;
}

static bool quota(const char *what, uint64_t got, uint64_t wanted)
{
    if (got >= wanted)
        return true;
    printf("quota missed: %s %" PRIu64 ", wanted %" PRIu64 "\n", what, got, wanted);
    return false;
}

/* Nothing was proved by pairs that do not differ, or policies without findings. */
static bool quotas(const struct analysis *a)
{
    printf("%" PRIu64 " diffs: %" PRIu64 " equal, %" PRIu64 " incomplete, %" PRIu64
           " changes; %" PRIu64 " packets, %" PRIu64 " changed; %" PRIu64 " examples, %" PRIu64
           " of them impossible on their host\n",
           a->diffs, a->equal, a->incomplete, a->changes, a->points, a->points_changed, a->examples,
           a->examples_infeasible);
    printf("%" PRIu64 " policies: %" PRIu64 " filters alive", a->policies, a->alive);
    for (unsigned k = 0; k < _FINDING_MAX; k++)
        printf(", %s %" PRIu64, finding_kind_name((enum finding_kind)k), a->dead[k]);
    printf("\n");
    bool ok = quota("diffs that differ", a->diffs - a->equal, a->diffs / 3);
    ok &= quota("equal diffs", a->equal, a->diffs / 200);
    ok &= quota("packets that change", a->points_changed, a->points / 200);
    ok &= quota("filters alive", a->alive, a->policies / 2);
    ok &= quota("examples that exist", a->examples - a->examples_infeasible, a->examples / 2);
    static const enum finding_kind kinds[] = {FINDING_CONFLICT, FINDING_SHADOWED, FINDING_REDUNDANT,
                                              FINDING_OVERLAP, FINDING_NEVER_WINS};
    for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
        ok &= quota(finding_kind_name(kinds[k]), a->dead[kinds[k]], a->policies / 200 + 1);
    return ok && quota("complete diffs", a->diffs - a->incomplete, a->diffs * 99 / 100);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"pairs", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'}, {0}};
    const char *broken = getenv("PORTWARD_BREAK");
    struct analysis a = {.pairs = 300, .seed = seed_of_now(), .broken = broken ? broken : ""};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'n')
            a.pairs = strtoull(optarg, NULL, 0);
        else if (c == 's')
            a.seed = strtoull(optarg, NULL, 0);
        else
            return 2;
    }
    printf("seed %" PRIu64 "\n", a.seed);
    int (*const tests[])(struct analysis *) = {analysis_planted, analysis_small, analysis_real};
    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++) {
        a.rng.state = a.seed;
        int r = tests[i](&a);
        if (r < 0) {
            printf("failed: %s; again with: --seed %" PRIu64 " --pairs %" PRIu64 "\n", strerror(-r),
                   a.seed, a.pairs);
            return 1;
        }
    }
    return quotas(&a) ? 0 : 1;
}
