/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/reachtext.c: words for what reach.c found (exposure/reach.h). Called by the agent, by
 * `portward audit` and by tests. */
#include <string.h>

#include "exposure/reach.h"

enum { SHOWN_MAX = 8 };

const char *reach_verdict_name(enum reach_verdict v)
{
    static const char *const names[_REACH_MAX] = {
        [REACH_BLOCKED] = "block", [REACH_CONDITIONAL] = "conditional", [REACH_OPEN] = "permit"};

    return names[v];
}

enum reach_verdict reach_verdict(const struct reach *r)
{
    size_t blocked = 0;

    for (size_t i = 0; i < r->n; i++)
        blocked += r->v[i].block;
    if (blocked == r->n)
        return REACH_BLOCKED; /* also when nothing can arrive */
    return blocked || !r->complete ? REACH_CONDITIONAL : REACH_OPEN;
}

int reach_range_text(enum family f, struct ip first, struct ip last, struct strbuf *out)
{
    char a[IP_TEXT_BYTES], z[IP_TEXT_BYTES];
    struct ip all = ip_not(f, (struct ip){0, 0});

    if (ip_eq(first, (struct ip){0, 0}) && ip_eq(last, all))
        return strbuf_add(out, "any");
    ip_print(f, first, a);
    if (ip_eq(first, last))
        return strbuf_add(out, a);
    for (unsigned len = 0; len < family_bits(f); len++) {
        struct ip mask = ip_mask(f, len);

        if (ip_eq(ip_and(first, mask), first) && ip_eq(ip_or(first, ip_not(f, mask)), last))
            return strbuf_addf(out, "%s/%u", a, len);
    }
    ip_print(f, last, z);
    return strbuf_addf(out, "%s-%s", a, z);
}

/* The pieces of one interface, address and source port. */
struct group {
    const struct reach_piece *v;
    size_t n;
};

static bool same_group(const struct reach_piece *a, const struct reach_piece *b)
{
    return a->iface == b->iface && ip_eq(a->address, b->address) && a->sport == b->sport;
}

static struct group group_at(const struct reach *r, size_t at)
{
    size_t n = 1;

    while (at + n < r->n && same_group(&r->v[at], &r->v[at + n]))
        n++;
    return (struct group){&r->v[at], n};
}

/* Length of the run of pieces from i on with the same verdict. */
static size_t run_at(const struct group *g, size_t i)
{
    size_t n = 1;

    while (i + n < g->n && g->v[i + n].block == g->v[i].block)
        n++;
    return n;
}

static size_t count_runs(const struct group *g, bool block)
{
    size_t runs = 0;

    for (size_t i = 0; i < g->n; i += run_at(g, i))
        runs += g->v[i].block == block;
    return runs;
}

static int add_runs(const struct group *g, enum family f, bool block, struct strbuf *out)
{
    size_t shown = 0, all = count_runs(g, block);
    int r = 0;

    for (size_t i = 0; r == 0 && shown < all && shown < SHOWN_MAX; i += run_at(g, i)) {
        if (g->v[i].block != block)
            continue;
        if (shown++)
            r = strbuf_add(out, ", ");
        if (r == 0)
            r = reach_range_text(f, g->v[i].first, g->v[i + run_at(g, i) - 1].last, out);
    }
    return r == 0 && all > shown ? strbuf_addf(out, " and %zu more", all - shown) : r;
}

static int add_group(const struct group *g, enum family f, struct strbuf *out)
{
    size_t permits = count_runs(g, false), blocks = count_runs(g, true);

    if (!permits || !blocks)
        return strbuf_add(out, permits ? "permit" : "block");
    bool few_permits = permits <= blocks;
    int r = strbuf_add(out, few_permits ? "permit from " : "permit, but block from ");
    if (r == 0)
        r = add_runs(g, f, !few_permits, out);
    return r == 0 && few_permits ? strbuf_add(out, ", else block") : r;
}

static int add_place(const struct reach *r, const struct reach_piece *p, struct strbuf *out)
{
    char text[IP_TEXT_BYTES];
    int e = 0;

    if (p->iface && !r->everywhere)
        e = strbuf_addf(out, "on %s ", p->iface->name);
    if (e == 0 && !r->everywhere && !ip_eq(r->v[0].address, r->v[r->n - 1].address)) {
        ip_print(r->family, p->address, text);
        e = strbuf_addf(out, "to %s ", text);
    }
    return e == 0 && p->sport ? strbuf_addf(out, "from port %u ", p->sport) : e;
}

int reach_text(const struct reach *r, struct strbuf *out)
{
    int e = 0;

    if (r->no_address || r->n == 0)
        return strbuf_add(out, r->family == FAMILY_4 ? "no IPv4 address" : "no IPv6 address");
    for (size_t i = 0; e == 0 && i < r->n;) {
        struct group g = group_at(r, i);

        if (i)
            e = strbuf_add(out, "; ");
        if (e == 0)
            e = add_place(r, &r->v[i], out);
        if (e == 0)
            e = add_group(&g, r->family, out);
        i += g.n;
    }
    return e == 0 && !r->complete ? strbuf_add(out, " (not all sources looked at)") : e;
}
