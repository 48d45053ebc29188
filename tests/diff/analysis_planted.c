/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/diff/analysis_planted.c: a policy of 2,000 filters in which nothing is to be found, and
 * the same with one planted instance of each finding. Exactly that must be found, with an example
 * that eval confirms. The time for check and diff is printed, and a policy of 100,000 filters
 * must come to an end within its budget and never be called equal. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "analysis.h"
#include "eval/eval.h"
#include "text/text.h"

enum { BASE = 2000, MANY = 100000, PLANTS_MAX = 4 };

struct book {
    struct filter *f;
    struct effective_filter *v;
    size_t n, cap;
    struct filter_settings settings;
    struct local_route local[2];
    struct iface iface;
    struct host host;
    struct effective e;
};

static void book_done(struct book *b)
{
    for (size_t i = 0; i < b->n; i++)
        filter_done(&b->f[i]);
    free(b->f);
    free(b->v);
}

static int add(struct book *b, const char *text)
{
    int r = array_reserve(&b->f, &b->cap, b->n + 1, sizeof(*b->f));
    struct diag d;
    if (r == 0)
        r = text_parse_filter(text, strlen(text), &d, &b->f[b->n]);
    if (r < 0) {
        printf("'%s': %s\n", text, d.message);
        return r;
    }
    b->f[b->n].at.line = (uint32_t)b->n + 1;
    b->n++;
    return 0;
}

/* f may have moved while it grew. */
static int finish(struct book *b)
{
    b->v = calloc(b->n, sizeof(*b->v));
    if (!b->v)
        return -ENOMEM;
    for (size_t i = 0; i < b->n; i++)
        b->v[i] = (struct effective_filter){
            .filter = &b->f[i], .layer = LAYER_LOCAL, .counter_id = COUNTER_NONE};
    filter_settings_init(&b->settings);
    b->local[0] = (struct local_route){FAMILY_4, {0, 0xc000020a}, 32, LOCAL_UNICAST};
    b->local[1] = (struct local_route){FAMILY_6, {0x20010db800000000, 0x10}, 128, LOCAL_UNICAST};
    b->host = (struct host){.local = b->local, .n_local = 2};
    b->e = (struct effective){b->v, b->n, &b->settings, &b->host};
    return 0;
}

/* Ports of TCP and UDP closed one by one, of each a network or two let in again, and banned
 * hosts: every filter matters, none crosses another, and no port is closed to one family. */
static int add_base(struct book *b, unsigned n)
{
    char text[160];
    int r = 0;
    for (unsigned i = 0; i < n && r == 0; i++) {
        unsigned k = i / 5, port = 1000 + k;
        switch (i % 5) {
        case 0:
            (void)format_into(text, sizeof(text), "block in tcp port %u", port);
            break;
        case 1:
            (void)format_into(text, sizeof(text), "permit in tcp from 10.%u.%u.0/24 to me port %u",
                              k / 250, k % 250, port);
            break;
        case 2:
            (void)format_into(text, sizeof(text),
                              "permit in tcp from 2001:db8:%x::/48 to me port %u", k, port);
            break;
        case 3:
            (void)format_into(text, sizeof(text), "block in from 203.%u.113.%u", k / 250, k % 250);
            break;
        default:
            (void)format_into(text, sizeof(text), "block out tcp port %u", port);
            break;
        }
        r = add(b, text);
    }
    return r;
}

/* One planted instance: filters, and what is to be found of them and nothing else. */
struct plant {
    enum finding_kind kind;
    const char *filter[PLANTS_MAX];
    int first, second;         /* numbers of filter[] that the finding names, -1 = none of them */
    enum finding_kind also[2]; /* what it cannot be had without, _FINDING_MAX = nothing */
};
#define ALONE                      \
    {                              \
        _FINDING_MAX, _FINDING_MAX \
    }
static const struct plant plants[] = {
    {FINDING_CONFLICT,
     {"block in udp port 7001", "permit in udp port 7001"},
     0,
     1,
     {FINDING_FRAGMENTS, _FINDING_MAX}},
    {FINDING_SHADOWED,
     {"block in udp port 7010-7019", "block in udp from 10.9.0.0/16 to me port 7010-7019",
      "block in udp from 10.9.0.0/16 to me port 7012 override",
      "permit in udp from 10.9.1.0/24 to me port 7012 keep state"},
     3,
     2,
     {FINDING_REDUNDANT, _FINDING_MAX}},
    {FINDING_REDUNDANT,
     {"block in udp port 7021", "block in udp from 10.9.0.0/16 to me port 7021"},
     1,
     0,
     ALONE},
    {FINDING_OVERLAP,
     {"block in udp port 7030", "permit in sctp from 10.9.0.0/16 to me port 7031-7035",
      "block in sctp from 10.9.0.0/16 to me port 7034-7038", "block in sctp port 7031-7035"},
     2,
     1,
     ALONE},
    {FINDING_NEVER_WINS,
     {"block in udp port 7041", "permit udp from 10.9.0.0/16 to any port 7041"},
     1,
     0,
     ALONE},
    {FINDING_FAMILY_GAP, {"block in udp from 0.0.0.0/0 to me port 7050"}, 0, -1, ALONE},
    {FINDING_MIRRORED_HOLE,
     {"block in sctp", "permit out sctp from me to 10.9.7.7 port 7060 mirrored"},
     1,
     -1,
     ALONE},
    {FINDING_FRAGMENTS,
     {"block in udp from 10.9.0.0/16", "permit in udp from 10.9.0.0/16 to me port 7070"},
     1,
     0,
     ALONE},
    {FINDING_PMTU, {"block in icmp"}, 0, -1, ALONE},
    {FINDING_COST,
     {"block in udp from 10.0.0.1-10.255.255.254 to me port 7080",
      "block out udp from me to 10.0.0.1-10.255.255.254 port 7080"},
     1,
     -1,
     ALONE},
    {FINDING_NAME_PERMIT, {"permit in udp from ns.example.net to me port 7090"}, 0, -1, ALONE},
    {FINDING_LOCK_OUT, {"block in tcp from 10.1.4.7 to me port 22"}, 0, -1, ALONE},
};

static const struct check_connection login = {.family = FAMILY_4,
                                              .peer = {0, 0x0a010407},
                                              .local = {0, 0xc000020a},
                                              .proto = PROTO_TCP,
                                              .peer_port = 50122,
                                              .local_port = 22};

static void print_findings(const struct book *b, const struct finding_list *l)
{
    for (size_t i = 0; i < l->n && i < 20; i++) {
        struct finding_text t = FINDING_TEXT_INIT;
        if (text_print_finding(&b->e, &l->v[i], &t) == 0)
            printf("  %s\n    %s\n    %s\n", t.headline.s, t.detail.s ? t.detail.s : "",
                   t.hint.s ? t.hint.s : "");
        finding_text_done(&t);
    }
}

static bool is_also(const struct plant *p, enum finding_kind kind)
{
    return p && (p->also[0] == kind || p->also[1] == kind);
}

/* eval names the same winner for the example. */
static bool example_is_right(const struct book *b, const struct finding *f)
{
    size_t who;
    if (!f->has_example)
        return f->kind == FINDING_NAME_PERMIT; /* nobody knows the addresses */
    int verdict = analysis_verdict(&b->e, &f->example.packet, &who);
    if (f->winner.decider == DECIDED_FILTER ? who != f->winner.index : who != SIZE_MAX)
        return false;
    return verdict >= 0 && f->winner.block == (verdict > 0);
}

static bool plant_is_right(const struct book *b, const struct plant *p, const struct finding *f)
{
    size_t base = BASE;
    return f->n_filters > 0 && f->filter[0].index == base + (size_t)p->first &&
           (p->second < 0 ||
            (f->n_filters == 2 && f->filter[1].index == base + (size_t)p->second)) &&
           example_is_right(b, f);
}

/* p NULL: the base alone, in which nothing is to be found. */
static int try_plant(struct analysis *a, const struct plant *p)
{
    _cleanup_(book_done) struct book b = {0};
    _cleanup_(finding_list_done) struct finding_list l = {0};
    struct check_options o = {.now_ns = ANALYSIS_NOW, .connections = &login, .n_connections = 1};
    int r = add_base(&b, BASE);
    for (unsigned i = 0; p && i < PLANTS_MAX && p->filter[i] && r == 0; i++)
        r = add(&b, p->filter[i]);
    if (r == 0 && p && p->kind == FINDING_NAME_PERMIT) /* the parser refuses it without */
        portset_done(&b.f[b.n - 1].dport);
    if (r == 0)
        r = finish(&b);
    if (r == 0)
        r = analysis_check(a, &b.e, &o, &l);
    if (r < 0)
        return r;
    bool found = !p, other = false;
    for (size_t i = 0; i < l.n; i++) {
        if (p && l.v[i].kind == p->kind && !found)
            found = plant_is_right(&b, p, &l.v[i]);
        else if (!is_also(p, l.v[i].kind))
            other = true;
    }
    if (found && !other && l.complete)
        return 0;
    printf("PLANTED %s: found %d, others %d, complete %d; findings:\n",
           p ? finding_kind_name(p->kind) : "nothing", found, other, l.complete);
    print_findings(&b, &l);
    return -EILSEQ;
}

/* --- time --- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool is_late(void *arg)
{
    return seconds() > *(const double *)arg;
}

/* What a command waits for: the exceptions of one block among n filters. */
static int time_exceptions(unsigned n)
{
    _cleanup_(book_done) struct book b = {0};
    struct exceptions x;
    int r = add_base(&b, n);
    if (r == 0)
        r = add(&b, "block in tcp port 1007");
    if (r == 0)
        r = finish(&b);
    if (r < 0)
        return r;
    double start = seconds();
    r = diff_exceptions(&b.e, b.n - 1, ANALYSIS_NOW, NULL, &x);
    if (r < 0)
        return r;
    printf("%u filters: exceptions of one block %.2f ms, %zu\n", n, 1000 * (seconds() - start),
           x.n);
    r = x.n == 2 && x.complete ? 0 : -EILSEQ; /* one network of each family is let in again */
    exceptions_done(&x);
    return r;
}

/* Two policies with hardly anything in common, of n filters each. */
static int time_of(unsigned n, double limit)
{
    _cleanup_(book_done) struct book x = {0}, y = {0};
    _cleanup_(diff_result_done) struct diff_result d = {0};
    _cleanup_(finding_list_done) struct finding_list l = {0};
    int r = add_base(&x, n);
    if (r == 0)
        r = add(&y, "block in from any to me");
    if (r == 0)
        r = finish(&x);
    if (r == 0)
        r = finish(&y);
    if (r < 0)
        return r;
    double start = seconds(), end = start + limit;
    struct budget budget = {.stop = is_late, .arg = &end};
    r = check_effective(&x.e, &(struct check_options){.budget = &budget}, &l);
    double checked = seconds();
    end = checked + limit;
    if (r == 0)
        r = diff_effective(&x.e, &y.e, ANALYSIS_NOW, &budget, &d);
    double done = seconds();
    if (r < 0)
        return r;
    printf("%u filters: check %.0f ms%s, diff %.0f ms%s, %zu boxes, %zu changes\n", n,
           1000 * (checked - start), l.complete ? "" : " (not complete)", 1000 * (done - checked),
           d.complete ? "" : " (not complete)", d.n_boxes, d.n);
    if (d.equal || d.n == 0) {
        printf("policies that differ are called equal, or no example was found\n");
        return -EILSEQ;
    }
    if (done - start > 4 * limit + 2) {
        printf("budget of %.0f s each not kept\n", limit);
        return -EILSEQ;
    }
    return 0;
}

int analysis_planted(struct analysis *a)
{
    int r = try_plant(a, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(plants) && r == 0; i++) {
        r = try_plant(a, &plants[i]);
        a->dead[plants[i].kind]++;
    }
    if (r == 0)
        r = time_exceptions(5 * BASE);
    if (r == 0)
        r = time_of(BASE, 2);
    return r == 0 ? time_of(MANY, 2) : r;
}
