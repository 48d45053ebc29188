/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/explain.c: what decides a packet, by the evaluator over what is in force, and on demand
 * by the loaded program.
 * Called by the API. Invariant: nothing is changed by a question; the program is asked through
 * its test entry, which writes no map. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "eval/eval.h"
#include "expand.h"
#include "internal.h"
#include "text/text.h"

enum { PACKET_TEXT_MAX = 4096, CANDIDATES_MAX = 1000 };

void agent_explanation_done(struct agent_explanation *x)
{
    free(x->packet);
    for (size_t i = 0; i < x->n; i++)
        agent_filter_done(&x->v[i].filter);
    free(x->v);
    free(x->path.beside);
    *x = (struct agent_explanation){0};
}

static const struct iface *find_iface(const struct host *h, const char *name, uint32_t ifindex)
{
    for (size_t i = 0; i < h->n_ifaces; i++)
        if (name ? strncmp(h->ifaces[i].name, name, sizeof(h->ifaces[i].name)) == 0
                 : h->ifaces[i].ifindex == ifindex)
            return &h->ifaces[i];
    return NULL;
}

/* How well an own address stands for `me`: not at all, loopback, link-local, any other. */
static unsigned rank(const struct local_route *l, enum family f)
{
    if (l->family != f || l->kind != LOCAL_UNICAST || l->prefix_len != family_bits(f))
        return 0;
    bool loopback = f == FAMILY_4 ? l->prefix.lo >> 24 == 127
                                  : ip_eq(l->prefix, (struct ip){0, 1}); /* RFC 4291, 2.5.3 */
    bool link_local = f == FAMILY_6 && l->prefix.hi >> 54 == 0xfe80 >> 6;
    return loopback ? 1 : link_local ? 2 : 3;
}

/* An address of the host for a peer that no route leads to. */
static int any_own_address(const struct host *h, enum family f, struct ip *ret)
{
    unsigned best = 0;
    for (size_t i = 0; i < h->n_local; i++)
        if (rank(&h->local[i], f) > best) {
            best = rank(&h->local[i], f);
            *ret = h->local[i].prefix;
        }
    return best > 0 ? 0 : -ENOENT;
}

/* Puts in what the text left to the host: the address of `me` and the interface. */
static int complete(struct agent *a, struct packet_text *t, struct diag *d,
                    const struct iface **ret_iface)
{
    struct packet *p = &t->packet;
    const struct host *h = datapath_host(a->dp);
    struct ip peer = p->meta.dir == DIR_IN ? p->src : p->dst;
    struct route_answer route = {0};
    bool routed = route_lookup(p->family, peer, &route) == 0;
    const struct iface *iface = NULL;
    if (t->interface[0]) {
        iface = find_iface(h, t->interface, 0);
        if (!iface) {
            int err = diag_fail(d, DIAG_UNKNOWN_OBJECT, "no interface '%s'", t->interface);
            diag_hint(d, "portward status");
            return err;
        }
    } else if (routed) {
        iface = find_iface(h, NULL, route.ifindex);
    }
    if (t->src_me || t->dst_me) {
        struct ip own = route.source;
        if ((!routed || ip_eq(own, (struct ip){0, 0})) && any_own_address(h, p->family, &own) < 0)
            return diag_fail(d, DIAG_ADDRESS, "this host has no address of the packet's family");
        *(t->src_me ? &p->src : &p->dst) = own;
    }
    if (iface) {
        p->meta.zone = iface->zone;
        p->meta.accept_local = iface->accept_local;
    }
    /* A question has no frame: `me` is a matter of the address alone (policy.md 2). */
    p->meta.to_host = false;
    *ret_iface = iface;
    return 0;
}

static void fill_path(struct agent *a, const struct iface *iface, struct agent_explanation *x)
{
    _cleanup_free_ struct iface_status *s = NULL;
    size_t n = 0;
    struct guard_status guard;
    datapath_guard_status(a->dp, &guard);
    x->path.guard = guard.state;
    x->path.hook = datapath_hook(a->dp);
    x->path.role = IFACE_NONE;
    if (!iface)
        return;
    (void)snprintf(x->path.interface, sizeof(x->path.interface), "%s", iface->name); /* 15 */
    x->path.role = iface->role;
    if (datapath_iface_status(a->dp, &s, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (s[i].ifindex == iface->ifindex)
            x->path.attached = s[i].attached_in && s[i].attached_out;
}

/* What reads or sends past the hook there; what names no interface is everywhere. */
static int fill_beside(const struct iface *iface, struct agent_explanation *x)
{
    size_t n = 0, kept = 0;
    int err = datapath_beside(BESIDE_MS, &x->path.beside, &n);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n; i++) {
        const struct beside *b = &x->path.beside[i];
        if (!iface || !*b->ifname || strncmp(b->ifname, iface->name, sizeof(b->ifname)) == 0)
            x->path.beside[kept++] = *b;
    }
    x->path.n_beside = kept;
    return 0;
}

static int view_entry(struct agent *a, const struct eval_candidate *c, struct agent_filter *ret)
{
    if (c->index != SIZE_MAX)
        return view_filter(a, a->in_force, c->index, NULL, ret);
    const struct filter_settings *s = &a->in_force->layers.settings;
    struct filter f;
    struct port_range port;
    filter_init(&f);
    f.action = ACTION_PERMIT;
    if (c->failsafe != SIZE_MAX && c->failsafe < s->n_failsafe)
        failsafe_to_filter(&s->failsafe[c->failsafe], &port, &f);
    int err = view_stored(&f, LAYER_LOCAL, NULL, c->entry, ret);
    if (err < 0)
        return err;
    (void)snprintf(ret->id, sizeof(ret->id), "-"); /* fits */
    ret->derived = true;
    ret->tier = c->tier;
    ret->weight = c->weight;
    if (c->failsafe == SIZE_MAX) { /* the grammar has no words for all of them */
        free(ret->text);
        ret->text = strdup(c->entry);
    }
    return ret->text ? 0 : -ENOMEM;
}

static int fill_candidates(struct agent *a, const struct eval_explanation *e,
                           struct agent_explanation *x)
{
    size_t n = e->n < CANDIDATES_MAX ? e->n : CANDIDATES_MAX;
    x->v = calloc(n + 1, sizeof(*x->v));
    if (!x->v)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct eval_candidate *c = &e->v[i];
        struct agent_candidate *to = &x->v[i];
        int err = view_entry(a, c, &to->filter);
        if (err < 0)
            return err;
        x->n++;
        to->tier = c->tier;
        to->weight = c->weight;
        to->fields = weight_split(c->weight);
        to->block = c->block;
        to->twin = c->twin;
        to->expired = c->expired;
    }
    return 0;
}

static void fill_verdict(const struct verdict *v, struct agent_explanation *x)
{
    x->block = v->block;
    x->decider = v->decider;
    x->reason = v->reason;
    x->exemption = v->exemption;
    x->has_winner = x->n > 0 && !x->v[0].expired &&
                    (v->decider == DECIDED_FILTER || v->decider == DECIDED_FAILSAFE ||
                     v->decider == DECIDED_EXEMPTION);
    if (!x->has_winner || x->n < 2)
        return;
    const struct agent_candidate *w = &x->v[0], *r = &x->v[1];
    x->lost_in = r->expired           ? "expiry"
                 : w->tier != r->tier ? "tier"
                                      : weight_decider(w->weight, r->weight);
    if (!x->lost_in)
        x->lost_in = w->filter.layer != r->filter.layer ? "layer" : "guid";
}

static int ask_kernel(struct agent *a, const struct packet *p, const struct verdict *v,
                      struct diag *d, struct agent_explanation *x)
{
    uint8_t frame[EVAL_FRAME_BYTES];
    struct datapath_answer answer;
    size_t len = eval_build_frame(p, frame);
    int err = datapath_test(a->dp, DATAPATH_ACTIVE, frame, len, &p->meta, &answer);
    if (err < 0)
        return diag_errno(d, err, "cannot ask the loaded program");
    x->kernel.asked = true;
    x->kernel.block = answer.block;
    x->kernel.reason = answer.reason;
    x->kernel.probes = answer.probes;
    x->kernel.generation = a->run.generation;
    x->kernel.weight = answer.weight;
    x->kernel.agrees = answer.block == v->block && answer.reason == v->reason &&
                       answer.generation == (uint32_t)a->run.generation;
    if (v->decider == DECIDED_FILTER)
        x->kernel.agrees &= answer.by_filter && answer.counter_id == v->counter_id &&
                            answer.weight == v->weight && answer.tier == v->tier;
    for (size_t i = 0; answer.by_filter && i < a->in_force->e.n; i++) {
        const struct effective_filter *ef = &a->in_force->e.v[i];
        if (ef->counter_id == answer.counter_id) {
            filter_id(ef->filter, ef->layer, x->kernel.id);
            break;
        }
    }
    if (!x->kernel.agrees)
        event_log(EV_SELF_TEST_FAILED, "PACKET", x->packet, NULL);
    return 0;
}

int agent_explain(struct agent *a, const char *packet, bool live, struct diag *d,
                  struct agent_explanation *ret)
{
    _cleanup_(agent_explanation_done) struct agent_explanation x = {0};
    _cleanup_(eval_explanation_done) struct eval_explanation e = {0};
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(PACKET_TEXT_MAX);
    struct packet_text t = {0};
    const struct iface *iface;
    int err = text_parse_packet(packet, strlen(packet), d, &t);
    if (err == 0)
        err = complete(a, &t, d, &iface);
    if (err < 0)
        return err;
    a->in_force->e.host = datapath_host(a->dp);
    err = text_print_packet(&t.packet, &text);
    x.packet = strbuf_take(&text);
    if (err == 0)
        err = eval_explain(&a->in_force->e, &t.packet, agent_now_ns(), &e);
    if (err == 0)
        err = fill_candidates(a, &e, &x);
    if (err < 0 || !x.packet)
        return diag_errno(d, err < 0 ? err : -ENOMEM, "cannot explain the packet");
    fill_verdict(&e.verdict, &x);
    fill_path(a, iface, &x);
    err = fill_beside(iface, &x);
    if (err == 0)
        err = explain_state(a, &t.packet, &e.verdict, &x);
    if (err < 0)
        return diag_errno(d, err, "cannot read the state of the kernel");
    if (live)
        err = ask_kernel(a, &t.packet, &e.verdict, d, &x);
    if (err < 0)
        return err;
    *ret = x;
    x = (struct agent_explanation){0};
    return 0;
}
