/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff-convert: native -> foreign form -> native, compared packet by packet with the reference
 * evaluator. No agent, no kernel.
 *   plain policies, which the form can express: nothing may be reported lost, every verdict equal;
 *   any policies: without losses the same; with losses nothing may have become wider: whoever
 *   decides in what came back had a filter of the same action for this packet before.
 * diff-convert [--packets N] [--seed S] [--form reg|netsh|ipseccmd]; everything follows from the
 * printed seed. PORTWARD_BREAK=verdict turns one verdict in some hundreds round, =loss makes up a
 * loss: the run must then fail. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "convert.h"
#include "eval/eval.h"
#include "text/text.h"

enum { PACKETS_PER_POLICY = 500 };

struct run {
    uint64_t packets, seed, n_done, n_policies, n_lossy, n_filter, n_refused;
    enum convert_format form;
    const char *form_name, *broken;
    struct rng rng;
};

/* --- one side of the comparison --- */
struct side {
    struct effective_filter *v;
    struct effective e;
};

static void side_done(struct side *s)
{
    free(s->v);
}

/* Filters in force of a policy; only = those of one effect, 0 = all. */
static int side_of(const struct policy *p, const struct gen_policy *g, unsigned only,
                   struct side *ret)
{
    size_t n = 0, most = p ? policy_n_filters(p) : 0;
    struct effective_filter *v = calloc(most + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; p && i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        for (size_t j = 0; !r->inactive && j < r->n_filters; j++)
            if (only == 0 || (unsigned)filter_effect(&r->filters[j]) == only)
                v[n++] = (struct effective_filter){.filter = &r->filters[j],
                                                   .layer = LAYER_LOCAL,
                                                   .counter_id = COUNTER_NONE,
                                                   .rule = r->name};
    }
    *ret = (struct side){.v = v, .e = {v, n, &g->settings, g->e.host}};
    return 0;
}

/* --- reports --- */
static void print_policy(const char *title, const struct policy *p)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    if (p && text_print_policy(p, &text) >= 0)
        printf("%s:\n%s", title, text.s);
    else
        printf("%s: none\n", title);
}

static void print_form(const struct strbuf *form)
{
    printf("written (%zu bytes):\n", form->len);
    printf("%s\n", form->s ? form->s : "");
}

static int complain(const struct run *run, const struct convert_case *c, const struct policy *got,
                    const struct strbuf *form)
{
    printf("\nFAILED: --form %s --seed %" PRIu64 " --packets %" PRIu64 "\n", run->form_name,
           run->seed, run->packets);
    print_policy("native", c->policy);
    print_form(form);
    print_policy("came back as", got);
    return -EBADMSG;
}

static void print_packet(const struct packet *p, const struct verdict *a, const struct verdict *b)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    if (text_print_packet(p, &text) >= 0)
        printf(
            "\n%s\n  before: %s, decider %d, weight %08x\n  after:  %s, decider %d, weight %08x\n",
            text.s, a->block ? "block" : "pass", (int)a->decider, a->weight,
            b->block ? "block" : "pass", (int)b->decider, b->weight);
}

/* --- comparison --- */
static bool equal(struct run *run, const struct side *before, const struct side *after,
                  const struct packet *p)
{
    struct verdict a = eval_packet(&before->e, p, 1), b = eval_packet(&after->e, p, 1);
    if (run->broken && !strcmp(run->broken, "verdict") && run->n_done % 700 == 699)
        b.block = !b.block;
    run->n_filter += a.decider == DECIDED_FILTER;
    if (a.block == b.block && (a.decider == DECIDED_FILTER) == (b.decider == DECIDED_FILTER))
        return true;
    print_packet(p, &a, &b);
    return false;
}

/* Some filter matches, whatever stands above it. */
static bool matches(const struct effective *e, const struct packet *p)
{
    struct eval_explanation x;
    bool found = false;
    if (eval_explain(e, p, 1, &x) < 0)
        return false;
    for (size_t i = 0; i < x.n; i++)
        found |= x.v[i].index != SIZE_MAX;
    eval_explanation_done(&x);
    return found;
}

/* Nothing has become wider: who decides now stood there before for this packet. */
static bool narrower(struct run *run, const struct side by_effect[4], const struct side *after,
                     const struct packet *p)
{
    struct verdict b = eval_packet(&after->e, p, 1);
    if (b.decider != DECIDED_FILTER)
        return true;
    run->n_filter++;
    const struct effective *before = &by_effect[filter_effect(after->v[b.index].filter)].e;
    struct verdict a = eval_packet(before, p, 1);
    if (a.decider == DECIDED_FILTER || matches(before, p))
        return true;
    print_packet(p, &a, &b);
    return false;
}

static int compare(struct run *run, const struct convert_case *c, const struct policy *got,
                   bool lossy, const struct strbuf *form)
{
    struct side before[4] = {0};
    _cleanup_(side_done) struct side after = {0};
    int err = side_of(got, c->g, 0, &after);
    for (unsigned only = 0; err >= 0 && only < 4; only++)
        err = side_of(c->policy, c->g, only, &before[only]);
    for (unsigned i = 0; err >= 0 && i < PACKETS_PER_POLICY; i++, run->n_done++) {
        struct packet p = gen_packet(&run->rng, c->g);
        bool good = lossy ? narrower(run, before, &after, &p) : equal(run, &before[0], &after, &p);
        if (!good)
            err = complain(run, c, got, form);
    }
    for (unsigned only = 0; only < 4; only++)
        side_done(&before[only]);
    return err;
}

/* --- one policy --- */
/* The policy that was read: there must be at most one. */
static int only_policy(struct catalog *c, struct diag *d, struct policy **ret)
{
    int err = catalog_load_all(c, d);
    for (size_t i = 0; err >= 0 && i < c->n_policies; i++) {
        if (!c->policies[i].now)
            continue;
        if (*ret)
            return diag_fail(d, DIAG_INTERNAL, "more than one policy came back");
        *ret = c->policies[i].now;
    }
    return err;
}

static int read_back(struct run *run, const struct strbuf *form, struct catalog *c, bool plain,
                     struct diag *d, struct policy **ret)
{
    struct tool_run t;
    struct convert_options o = {.file = "round trip", .assign = true};
    _cleanup_free_ char *bytes = NULL;
    size_t n = 0;
    tool_run_init(&t, c, NULL);
    int err = convert_encode(run->form, form, &bytes, &n);
    if (err >= 0)
        err = convert_read(&t, run->form, bytes, n, &o, d);
    if (err >= 0)
        err = catalog_settle(c, d);
    if (err >= 0)
        err = only_policy(c, d, ret);
    if (err >= 0 && plain && t.partly)
        err = diag_fail(d, DIAG_INTERNAL, "read only partly: %s",
                        t.n_remarks ? t.remarks[0].text : "no remark");
    if (err >= 0 && *ret && run->form != CONVERT_TEXT && !c->assigned[CATALOG_LOCAL][0])
        err = diag_fail(d, DIAG_INTERNAL, "the assignment did not come back");
    tool_run_done(&t);
    return err;
}

static int round_trip(struct run *run, struct convert_case *c, bool plain)
{
    _cleanup_(strbuf_done) struct strbuf form = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    struct convert_losses losses = {0};
    struct catalog back;
    struct policy *got = NULL;
    struct diag d = {0};
    catalog_init(&back, NULL, (uint64_t[2]){rng_next(&run->rng), rng_next(&run->rng)});
    int err = convert_write_begin(run->form, &form);
    if (err >= 0)
        err = convert_write(run->form, &c->catalog, c->policy, true, &form, &losses);
    bool lossy = losses.n > 0;
    bool made_up = run->broken && !strcmp(run->broken, "loss");
    if (err < 0) {
        printf("writing: %s\n", strerror(-err));
    } else if (plain && (lossy || made_up)) {
        printf("lost: %s\n", lossy ? losses.v[0] : "made up");
        err = complain(run, c, NULL, &form);
    } else if (read_back(run, &form, &back, plain, &d, &got) < 0) {
        printf("reading back: %s\n", d.message);
        err = complain(run, c, got, &form);
    } else {
        run->n_lossy += lossy;
        err = compare(run, c, got, lossy, &form);
    }
    convert_losses_done(&losses);
    catalog_done(&back);
    return err;
}

static int run_form(struct run *run, bool plain)
{
    run->n_done = run->n_policies = run->n_lossy = run->n_filter = 0;
    while (run->n_done < run->packets) {
        struct convert_case c;
        int err = convert_case_new(&run->rng, run->form, plain, &c);
        if (err < 0) {
            printf("no random policy: %s\n", strerror(-err));
            return err;
        }
        if (c.policy->n_rules > 0) {
            err = round_trip(run, &c, plain);
            run->n_policies++;
        }
        convert_case_done(&c);
        if (err < 0)
            return err;
    }
    printf("%-9s %-5s: %" PRIu64 " packets on %" PRIu64 " policies, %" PRIu64
           " decided by a filter, %" PRIu64 " policies with losses\n",
           run->form_name, plain ? "plain" : "any", run->n_done, run->n_policies, run->n_filter,
           run->n_lossy);
    if (run->n_filter * 4 >= run->n_done)
        return 0;
    printf("too few packets were decided by a filter\n");
    return -EBADMSG;
}

static int parse_options(int argc, char **argv, struct run *ret)
{
    static const struct option names[] = {
        {"packets", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {"form", required_argument, NULL, 'f'},
        {0},
    };
    const char *seed = getenv("PORTWARD_SEED");
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    *ret = (struct run){
        .packets = 100000,
        .seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)t.tv_sec * 1000003 + (uint64_t)t.tv_nsec,
        .broken = getenv("PORTWARD_BREAK"),
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'n')
            ret->packets = strtoull(optarg, NULL, 0);
        else if (c == 's')
            ret->seed = strtoull(optarg, NULL, 0);
        else if (c == 'f')
            ret->form_name = optarg;
        else
            return -EINVAL;
    }
    return optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    static const enum convert_format forms[] = {CONVERT_TEXT, CONVERT_REG, CONVERT_NETSH,
                                                CONVERT_IPSECCMD};
    static const char *const names[] = {"text", "reg", "netsh", "ipseccmd"};
    struct run run;
    if (parse_options(argc, argv, &run) < 0) {
        fputs("usage: diff-convert [--packets N] [--seed S] [--form FORM]\n", stderr);
        return 2;
    }
    const char *only = run.form_name;
    int err = 0;
    printf("seed %" PRIu64 "\n", run.seed);
    for (size_t i = 0; err >= 0 && i < ARRAY_SIZE(forms); i++) {
        if (only && strcmp(only, names[i]))
            continue;
        run.form = forms[i];
        run.form_name = names[i];
        run.rng = (struct rng){run.seed + i};
        err = run_form(&run, true);
        if (err >= 0)
            err = run_form(&run, false);
    }
    return err < 0;
}
