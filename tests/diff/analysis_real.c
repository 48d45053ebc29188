/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/diff/analysis_real.c: random policies of tests/lib on random hosts; packets drawn from
 * the filters' corners are asked of eval before and after, and examples are taken from the boxes
 * that were reported. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analysis.h"
#include "eval/eval.h"

enum { PACKETS = 120, BOXES = 40, FILTERS = 2 * GEN_FILTERS };

struct real {
    struct analysis *a;
    struct gen_policy *p, *q;
    struct effective_filter v[FILTERS];
    struct filter flipped;
    struct effective x, y; /* before, after */
};

static unsigned class_of(const struct effective *e, const struct packet *p)
{
    return eval_src_is_me(e, p) ? CLASS_FROM_ME : eval_dst_is_me(e, p) ? CLASS_TO_ME : CLASS_OTHER;
}

/* --- diff --- */

/* y: some filters less, some more, one with the other action, other settings, or all different. */
static void change_policy(struct real *s)
{
    struct rng *r = &s->a->rng;
    s->x = s->p->e;
    s->y = s->x;
    s->y.v = s->v;
    s->y.n = 0;
    uint32_t drop = 1 + rng_below(r, 8), kind = rng_below(r, 10);
    for (size_t i = 0; i < s->x.n && kind > 0; i++) {
        if (kind < 6 && one_in(r, 4 * drop))
            continue;
        s->v[s->y.n++] = s->x.v[i];
    }
    size_t more = kind == 0 ? s->q->e.n : kind < 8 ? rng_below(r, 4) : 0;
    for (size_t i = 0; i < more && i < s->q->e.n; i++)
        s->v[s->y.n++] = s->q->e.v[i];
    if (kind == 7 && s->y.n > 0) {
        struct effective_filter *ef = &s->v[rng_below(r, (uint32_t)s->y.n)];
        s->flipped = *ef->filter; /* borrows */
        s->flipped.action = ef->filter->action == ACTION_BLOCK ? ACTION_PERMIT : ACTION_BLOCK;
        s->flipped.override = s->flipped.inpass = false;
        ef->filter = &s->flipped;
    }
    if (one_in(r, 8))
        s->y.settings = &s->q->settings;
}

static int disagree(struct real *s, const char *what, const struct packet *p, unsigned class,
                    const int verdict[2])
{
    printf("REAL DIFF: %s; eval %d -> %d\n", what, verdict[0], verdict[1]);
    analysis_print_packet(p, class);
    analysis_print("before", &s->x);
    analysis_print("after", &s->y);
    return -EILSEQ;
}

static int compare_packet(struct real *s, const struct diff_result *d, const struct packet *p)
{
    size_t who;
    const int verdict[2] = {analysis_verdict(&s->x, p, &who), analysis_verdict(&s->y, p, &who)};
    if (verdict[0] < 0 || verdict[1] < 0)
        return 0;
    unsigned class = class_of(&s->x, p);
    int expected = verdict[0] == verdict[1] ? 0 : verdict[1] > verdict[0] ? 1 : 2, got = 0;
    s->a->points++;
    s->a->points_changed += expected != 0;
    for (size_t i = 0; i < d->n; i++) {
        if (packetset_has(&d->v[i].set, p, class, s->x.host))
            got |= d->v[i].blocked ? 1 : 2;
    }
    if (got == expected || (!d->complete && got == 0))
        return expected && d->equal ? disagree(s, "said to be equal", p, class, verdict) : 0;
    return disagree(s, got ? "wrongly in the set" : "missed", p, class, verdict);
}

/* The example must change as it is said, if this host can have such a packet at all. */
static int compare_example(struct real *s, const struct diff_change *c, const struct example *x)
{
    size_t who;
    const struct packet *p = &x->packet;
    const int verdict[2] = {analysis_verdict(&s->x, p, &who), analysis_verdict(&s->y, p, &who)};
    unsigned class = class_of(&s->x, p);
    unsigned said = x->dst_me ? CLASS_TO_ME : x->src_me ? CLASS_FROM_ME : CLASS_OTHER;
    s->a->examples++;
    if (verdict[0] < 0 || verdict[1] < 0 || class != said || x->interface[0]) {
        s->a->examples_infeasible++;
        return 0;
    }
    if (!packetset_has(&c->set, p, class, s->x.host))
        return disagree(s, "example is not in its set", p, class, verdict);
    if (c->blocked ? verdict[1] > verdict[0] : verdict[1] < verdict[0])
        return 0;
    return disagree(s, c->blocked ? "example of newly blocked" : "example of newly permitted", p,
                    class, verdict);
}

/* A corner of a box, as a box. */
static struct box corner_of(struct rng *r, const struct box *b)
{
    struct box c = *b;
    if (one_in(r, 2))
        c.src_first = c.src_last;
    if (one_in(r, 2))
        c.dst_first = c.dst_last;
    if (one_in(r, 2))
        c.sport_first = c.sport_last;
    if (one_in(r, 2))
        c.dport_first = c.dport_last;
    if (one_in(r, 2) && c.class & CLASS_FROM_ME)
        c.class = CLASS_FROM_ME;
    if (one_in(r, 2) && c.class & CLASS_OTHER)
        c.class = CLASS_OTHER;
    if (one_in(r, 2) && c.l4 & L4_FRAGMENT)
        c.l4 = L4_FRAGMENT;
    return c;
}

static int compare_diff(struct real *s)
{
    _cleanup_(diff_result_done) struct diff_result d = {0};
    change_policy(s);
    int r = analysis_diff(s->a, &s->x, &s->y, &d);
    if (r < 0)
        return r;
    s->a->diffs++;
    s->a->equal += d.equal;
    s->a->incomplete += !d.complete;
    s->a->changes += d.n;
    for (unsigned i = 0; i < PACKETS && r == 0; i++) {
        struct packet p = gen_packet(&s->a->rng, i % 2 ? s->p : s->q);
        r = compare_packet(s, &d, &p);
    }
    for (size_t i = 0; i < d.n && r == 0; i++) {
        struct diff_change *c = &d.v[i];
        r = compare_example(s, c, &c->example);
        for (size_t k = 0; k < c->set.n && k < BOXES && r == 0; k++) {
            struct box corner = corner_of(&s->a->rng, &c->set.v[k]);
            struct example x = box_example(&corner, &c->set, s->x.host);
            r = compare_example(s, c, &x);
        }
    }
    return r;
}

/* --- check --- */

static int bad_finding(const struct real *s, const struct finding *f, const char *what,
                       const struct packet *p)
{
    printf("REAL CHECK: %s of filter %zu: %s\n", finding_kind_name(f->kind), f->filter[0].index,
           what);
    if (p)
        analysis_print_packet(p, class_of(&s->x, p));
    analysis_print("policy", &s->x);
    return -EILSEQ;
}

/* Taking the filter out changes nothing; one that is shadowed decides nothing. */
static int confirm_dead(struct real *s, const struct finding *f)
{
    size_t i = f->filter[0].index;
    struct effective less = s->x;
    less.v = s->v;
    less.n = 0;
    for (size_t k = 0; k < s->x.n; k++) {
        if (k != i)
            s->v[less.n++] = s->x.v[k];
    }
    for (unsigned k = 0; k < PACKETS / 2; k++) {
        struct packet p = gen_packet(&s->a->rng, s->p);
        size_t who, other;
        int before = analysis_verdict(&s->x, &p, &who), after = analysis_verdict(&less, &p, &other);
        if (before < 0 || after < 0)
            continue;
        s->a->points++;
        if (f->kind == FINDING_SHADOWED && who == i)
            return bad_finding(s, f, "it decides", &p);
        if (before != after)
            return bad_finding(s, f, "it matters", &p);
    }
    return 0;
}

/* The winner that is named is eval's, if the host can have the packet. */
static int confirm_example(struct real *s, const struct finding *f)
{
    size_t who;
    const struct packet *p = &f->example.packet;
    int verdict = f->has_example ? analysis_verdict(&s->x, p, &who) : -1;
    unsigned said = f->example.dst_me   ? CLASS_TO_ME
                    : f->example.src_me ? CLASS_FROM_ME
                                        : CLASS_OTHER;
    if (f->has_example)
        s->a->examples++;
    if (verdict < 0 || class_of(&s->x, p) != said || f->example.interface[0]) {
        s->a->examples_infeasible += f->has_example;
        return 0;
    }
    if (f->winner.decider == DECIDED_FILTER ? who != f->winner.index : who != SIZE_MAX)
        return bad_finding(s, f, "another winner", p);
    return f->winner.block == (verdict > 0) ? 0 : bad_finding(s, f, "another verdict", p);
}

static int compare_check(struct real *s)
{
    _cleanup_(finding_list_done) struct finding_list l = {0};
    s->x = s->p->e;
    int r = analysis_check(s->a, &s->x, &(struct check_options){.now_ns = ANALYSIS_NOW}, &l);
    if (r < 0)
        return r;
    s->a->policies++;
    for (unsigned k = 0; k < _FINDING_MAX; k++)
        s->a->dead[k] += l.counts[k];
    for (size_t i = 0; i < l.n && r == 0; i++) {
        const struct finding *f = &l.v[i];
        if (f->kind == FINDING_SHADOWED || f->kind == FINDING_REDUNDANT ||
            f->kind == FINDING_NEVER_WINS)
            r = confirm_dead(s, f);
        if (r == 0)
            r = confirm_example(s, f);
    }
    return r;
}

/* --- the loop --- */

int analysis_real(struct analysis *a)
{
    _cleanup_free_ struct real *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->a = a;
    int r = 0;
    for (uint64_t i = 0; i < a->pairs && r == 0; i++) {
        _cleanup_(gen_policy_freep) struct gen_policy *p = NULL;
        _cleanup_(gen_policy_freep) struct gen_policy *q = NULL;
        _cleanup_(host_done) struct host h = {0};
        r = gen_host(&a->rng, &h);
        if (r == 0)
            r = gen_policy_new(&a->rng, &h, ANALYSIS_NOW, &p);
        if (r == 0)
            r = gen_policy_new(&a->rng, &h, ANALYSIS_NOW, &q);
        if (r < 0)
            return r;
        s->p = p;
        s->q = q;
        r = compare_check(s);
        if (r == 0)
            r = compare_diff(s);
    }
    return r;
}
