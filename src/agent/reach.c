/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/reach.c: from where ports of this host can be reached, by what is in force: the API's
 * questions in, pieces with the filters that decide them out. Also the iterators over sockets
 * that are left pinned for the command line. Called by the API and by agent.c. Invariant: a
 * question takes a bounded time of the loop; what was not looked at is said to be so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/reach.h"
#include "base/strbuf.h"
#include "exposure/item.h"
#include "internal.h"
#include "sockets/sockets.h"

enum { TIME_NS = 300 * 1000 * 1000, TEXT_MAX = 16 * 1024, PATH_BYTES = 512 };

void agent_holders_pin(const struct agent *a, char *ret, size_t size)
{
    (void)format_into(ret, size, "%s/iter", datapath_pin_dir(a->dp));
}

void reach_pin_iterators(struct agent *a)
{
    char path[PATH_BYTES];
    struct diag d;

    agent_holders_pin(a, path, sizeof(path));
    if (sockets_pin_iterators(path, &d) < 0)
        return; /* the command line then loads its own, or reads /proc */
}

void agent_reach_done(struct agent_reach *r)
{
    for (size_t i = 0; i < r->n; i++) {
        reach_done(&r->v[i].reach);
        free(r->v[i].text);
    }
    free(r->v);
    *r = (struct agent_reach){0};
}

static bool is_alike(const struct reach *a, const struct reach *b)
{
    if (a->n != b->n || a->complete != b->complete)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct reach_piece *p = &a->v[i], *q = &b->v[i];

        if (!ip_eq(p->first, q->first) || !ip_eq(p->last, q->last) || p->iface != q->iface ||
            !ip_eq(p->address, q->address) || p->sport != q->sport || p->block != q->block ||
            p->decider != q->decider || p->index != q->index)
            return false;
    }
    return true;
}

/* Takes *x over; joins it with the range before it that says the same. */
static int add_range(struct agent_reach *r, size_t item, struct port_range ports, struct reach *x)
{
    struct agent_reach_range *before = r->n ? &r->v[r->n - 1] : NULL;

    if (before && before->item == item && before->known && before->ports.last + 1 == ports.first &&
        is_alike(&before->reach, x)) {
        before->ports.last = ports.last;
        return 0;
    }
    int e = array_reserve(&r->v, &r->cap, r->n + 1, sizeof(*r->v));
    if (e < 0)
        return e;
    struct strbuf b = STRBUF_INIT(TEXT_MAX);
    e = reach_text(x, &b);
    if (e == -E2BIG)
        e = 0; /* cut */
    char *text = e == 0 ? strdup(b.s ? b.s : "") : NULL;
    strbuf_done(&b);
    if (!text)
        return e < 0 ? e : -ENOMEM;
    r->v[r->n++] = (struct agent_reach_range){
        .item = item, .ports = ports, .known = true, .text = text, .reach = *x};
    *x = (struct reach){0};
    return 0;
}

static int add_unknown(struct agent_reach *r, size_t item, struct port_range ports)
{
    int e = array_reserve(&r->v, &r->cap, r->n + 1, sizeof(*r->v));

    if (e == 0)
        r->v[r->n++] = (struct agent_reach_range){.item = item, .ports = ports};
    return e;
}

static int judge_range(struct agent_reach *r, const struct reach_base *b, size_t item,
                       struct port_range ports, uint64_t end_ns)
{
    int e = 0;

    for (unsigned port = ports.first; e == 0 && port <= ports.last;) {
        _cleanup_(reach_done) struct reach x = {0};
        uint16_t until = reach_same_until(b, (uint16_t)port);

        if (until > ports.last)
            until = ports.last;
        if (agent_now_ns() > end_ns) {
            struct port_range rest = {(uint16_t)port, ports.last};

            r->complete = false;
            return add_unknown(r, item, rest);
        }
        e = reach_judge(b, (uint16_t)port, &x);
        if (e == 0)
            e = add_range(r, item, (struct port_range){(uint16_t)port, until}, &x);
        port = until + 1U;
    }
    return e;
}

static int judge_item(struct agent *a, struct agent_reach *r, size_t number, const char *text,
                      uint64_t end_ns, struct diag *d)
{
    _cleanup_(reach_item_done) struct reach_item item = {0};
    _cleanup_(reach_base_freep) struct reach_base *b = NULL;
    int e = reach_item_parse(text, d, &item);

    if (e < 0)
        return e;
    e = reach_base_new(&a->in_force->e, &item.q, agent_now_ns(), &b);
    for (size_t i = 0; e == 0 && i < item.n_ports; i++)
        e = judge_range(r, b, number, item.ports[i], end_ns);
    return e < 0 ? diag_errno(d, e, "cannot judge '%.60s'", text) : 0;
}

int agent_reach(struct agent *a, const char *const *items, size_t n, struct diag *d,
                struct agent_reach *ret)
{
    _cleanup_(agent_reach_done) struct agent_reach r = {.complete = true};
    uint64_t end_ns = agent_now_ns() + TIME_NS;
    int e = 0;

    a->in_force->e.host = datapath_host(a->dp);
    for (size_t i = 0; e == 0 && i < n; i++)
        e = judge_item(a, &r, i, items[i], end_ns, d);
    if (e < 0)
        return e;
    *ret = r;
    r = (struct agent_reach){0};
    return 0;
}

void agent_reach_decider(struct agent *a, const struct reach_piece *p, char ret_id[16],
                         const char **ret_rule)
{
    const struct effective *e = &a->in_force->e;

    (void)snprintf(ret_id, 16, "%s", ""); /* none */
    *ret_rule = NULL;
    if (p->decider != DECIDED_FILTER || p->index >= e->n)
        return;
    filter_id(e->v[p->index].filter, e->v[p->index].layer, ret_id);
    *ret_rule = e->v[p->index].rule;
}
