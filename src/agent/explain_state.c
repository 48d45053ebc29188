/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/explain_state.c: what `keep state` says about a packet: the flow it is part of or answers,
 * or the one it would open. Called by explain.c. The verdict is the evaluator's: it is shown the
 * forward packet of the flow, then the packet. Invariant: tables are only read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "eval/state.h"
#include "internal.h"

enum { TCP_SYN = 2 };

static bool is_forward(const struct flow *f, const struct packet *p)
{
    return ip_eq(f->src, p->src) && ip_eq(f->dst, p->dst) && f->sport == p->sport &&
           f->dport == p->dport;
}

/* The packet that opened the flow, as far as filters look at it. */
static struct packet opening(const struct flow *f, const struct packet *p)
{
    return (struct packet){
        .family = f->family,
        .src = f->src,
        .dst = f->dst,
        .sport = f->sport,
        .dport = f->dport,
        .proto = f->proto,
        .tcp_flags = f->proto == PROTO_TCP ? TCP_SYN : 0,
        .l4_known = p->l4_known,
        .hop_limit = 64,
        .meta = {.dir = f->out ? DIR_OUT : DIR_IN, .zone = p->meta.zone},
    };
}

static int passes_by_state(const struct effective *e, const struct packet *p, const struct flow *f,
                           bool *ret)
{
    _cleanup_(eval_state_freep) struct eval_state *s = NULL;
    struct packet first = opening(f, p);
    uint64_t now_ns = agent_now_ns();
    struct verdict v;
    int err = eval_state_new(&s);

    if (err == 0)
        err = eval_state_packet(s, e, &first, NULL, now_ns, &v);
    if (err == 0)
        err = eval_state_packet(s, e, p, NULL, now_ns, &v);
    if (err == 0)
        *ret = !v.block;
    return err;
}

static void name_permit(const struct effective *e, uint32_t counter_id, char ret[16])
{
    for (size_t i = 0; i < e->n; i++)
        if (e->v[i].counter_id == counter_id) {
            filter_id(e->v[i].filter, e->v[i].layer, ret);
            return;
        }
}

/* Which table a permitted packet would be remembered in. */
static void note_opening(const struct effective *e, const struct packet *p, const struct verdict *v,
                         struct agent_explanation *x)
{
    bool echo = p->family == FAMILY_4 ? p->icmp_type == 8 : p->icmp_type == 128;
    bool icmp = p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6;
    const struct filter *f = v->decider == DECIDED_FILTER ? e->v[v->index].filter : NULL;

    if (!f || v->block || !f->keep_state || p->later_fragment || (icmp && !echo))
        return;
    bool here = p->proto == PROTO_TCP && (p->meta.dir == DIR_OUT || eval_dst_is_me(e, p));
    x->state.kept = true;
    x->state.flow.out = p->meta.dir == DIR_OUT;
    x->state.flow.table = here ? FLOW_CONNECTION : x->state.flow.out ? FLOW_OUT_NEW : FLOW_IN_NEW;
    filter_id(f, e->v[v->index].layer, x->state.id);
}

int explain_state(struct agent *a, const struct packet *p, const struct verdict *v,
                  struct agent_explanation *x)
{
    const struct effective *e = &a->in_force->e;
    struct flow f;

    if (!effective_keeps_state(e))
        return 0;
    int err = datapath_flow_find(a->dp, p, &f);
    if (err == -ENOENT) {
        note_opening(e, p, v, x);
        return 0;
    }
    if (err < 0)
        return err;
    x->state.kept = x->state.exists = true;
    x->state.answer = !is_forward(&f, p);
    x->state.flow = f;
    name_permit(e, f.counter_id, x->state.id);
    if (x->state.answer && v->block)
        err = passes_by_state(e, p, &f, &x->state.passes);
    return err;
}
