/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/eval.c: the verdict on one packet, step by step as docs/internals/parsing.md section 6
 * (policy.md 2, 3, 6). Called by everybody through eval.h. Invariant: the order in which filters
 * are visited never changes a verdict; match_cmp() alone decides. */
#include "internal.h"

static struct verdict pass(enum decider decider, const char *exemption)
{
    return (struct verdict){
        .decider = decider,
        .index = SIZE_MAX,
        .exemption = exemption,
        .counter_id = COUNTER_NONE,
    };
}

static struct verdict structural(const struct effective *e, enum drop_reason reason)
{
    struct verdict v = pass(DECIDED_STRUCTURE, NULL);
    if (effective_is_armed(e)) {
        v.block = true;
        v.reason = reason;
    }
    return v;
}

static bool is_loopback(enum family f, struct ip ip)
{
    if (f == FAMILY_4)
        return ip_in_prefix(f, ip, (struct ip){0, 0x7f000000}, 8);
    return ip_eq(ip, (struct ip){0, 1});
}

/* From outside with an address that only this host may use (policy.md 2). */
static bool is_martian(const struct effective *e, const struct packet *p)
{
    if (p->meta.dir != DIR_IN)
        return false;
    if (is_loopback(p->family, p->src) || is_loopback(p->family, p->dst))
        return true;
    return !p->meta.accept_local && local_kind_of(e->host, p->family, p->src) == LOCAL_UNICAST;
}

/* Judged on the way in, and not masqueraded since (datapath.md 5.3). */
static bool was_judged(const struct effective *e, const struct packet *p)
{
    if (p->meta.dir != DIR_OUT || !p->meta.judged)
        return false;
    return e->settings->masqueraded_pass || !eval_src_is_me(e, p);
}

bool decide_before_filters(const struct effective *e, const struct packet *p, uint64_t now_ns,
                           struct query *q, struct verdict *ret)
{
    if (p->source_routed && !e->settings->source_route_classify) {
        *ret = structural(e, DROP_SOURCE_ROUTE);
        return true;
    }
    if (is_neighbour_discovery(p)) {
        *ret = pass(DECIDED_EXEMPTION, "nd");
        return true;
    }
    if (effective_is_armed(e) && is_martian(e, p)) {
        *ret = structural(e, DROP_MARTIAN);
        return true;
    }
    if (was_judged(e, p)) {
        *ret = pass(DECIDED_EARLIER, NULL);
        return true;
    }
    *q = (struct query){
        .e = e,
        .p = p,
        .now_ns = now_ns,
        .src_me = eval_src_is_me(e, p),
        .dst_me = eval_dst_is_me(e, p),
        .typed_only = typed_exemption(p) != NULL,
    };
    return false;
}

void match_everything(const struct query *q, match_visitor *visit, void *arg)
{
    match_failsafe(q, visit, arg);
    match_exemptions(q, visit, arg);
    for (size_t i = 0; i < q->e->n; i++) {
        const struct effective_filter *ef = &q->e->v[i];
        struct origin o = {
            .tier = ef->filter->override ? TIER_OVERRIDE : TIER_ORDINARY,
            .layer = ef->layer,
            .connection = ef->connection,
            .index = i,
            .failsafe = SIZE_MAX,
            .deadline_ns = ef->deadline_ns,
        };
        match_filter(q, ef->filter, &o, visit, arg);
    }
}

/* The highest tier decides, in a tier the highest weight (which ends in the action); then the
 * layer and the smaller GUID get the counter (policy.md 3). */
int match_cmp(const struct match *a, const struct match *b)
{
    if (a->tier != b->tier)
        return a->tier > b->tier ? 1 : -1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? 1 : -1;
    if (a->layer != b->layer)
        return a->layer < b->layer ? 1 : -1;
    return -guid_cmp(&a->guid, &b->guid);
}

static enum drop_reason reason_of(const struct query *q, const struct match *m)
{
    if (m->action != ACTION_BLOCK)
        return DROP_NO_SA;
    if (m->tier == TIER_OVERRIDE)
        return DROP_OVERRIDE;
    if (q->p->later_fragment)
        return DROP_FRAGMENT;
    return q->e->v[m->index].deadline_ns ? DROP_TIMED_BLOCK : DROP_FILTER;
}

struct verdict verdict_of(const struct query *q, const struct match *m)
{
    if (!m && q->typed_only)
        return pass(DECIDED_EXEMPTION, typed_exemption(q->p));
    if (!m)
        return pass(DECIDED_NO_MATCH, NULL);
    struct verdict v = {.index = m->index,
                        .tier = m->tier,
                        .weight = m->weight,
                        .exemption = m->entry,
                        .counter_id = COUNTER_NONE};
    if (m->tier == TIER_FAILSAFE) {
        v.decider = DECIDED_FAILSAFE;
        v.index = m->failsafe;
        return v;
    }
    if (m->tier == TIER_EXEMPTION) {
        v.decider = DECIDED_EXEMPTION;
        return v;
    }
    v.decider = DECIDED_FILTER;
    v.counter_id = q->e->v[m->index].counter_id;
    v.block = m->block;
    if (m->block)
        v.reason = reason_of(q, m);
    return v;
}

struct best {
    bool found;
    struct match match;
};

static void keep_best(void *arg, const struct match *m)
{
    struct best *b = arg;
    if (m->expired)
        return;
    if (!b->found || match_cmp(m, &b->match) > 0) {
        b->found = true;
        b->match = *m;
    }
}

struct verdict eval_packet(const struct effective *e, const struct packet *p, uint64_t now_ns)
{
    struct query q;
    struct verdict v;
    if (decide_before_filters(e, p, now_ns, &q, &v))
        return v;
    struct best best = {.found = false};
    match_everything(&q, keep_best, &best);
    return verdict_of(&q, best.found ? &best.match : NULL);
}

struct verdict eval_frame(const struct effective *e, const uint8_t *frame, size_t len,
                          const struct packet_meta *meta, uint64_t now_ns)
{
    struct eval_parsed parsed;
    eval_parse_frame(frame, len, meta, e->settings->source_route_classify, &parsed);
    if (!parsed.is_ip)
        return pass(DECIDED_STRUCTURE, NULL);
    if (parsed.reason != DROP_NONE)
        return structural(e, parsed.reason);
    return eval_packet(e, &parsed.packet, now_ns);
}
