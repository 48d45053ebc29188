/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/match.c: does this packet match this filter, expansion by expansion (policy.md 1, 2, 3)?
 * Called by eval.c for filters and by exempt.c for the filters it makes of entries. Every
 * expansion is written out and compared literally; nothing is prepared or remembered. */
#include <string.h>

#include "internal.h"

static bool addr_matches(const struct addr *a, enum family f, struct ip ip, bool is_me)
{
    switch (a->kind) {
    case ADDR_ANY:
        return true;
    case ADDR_ME:
        return is_me;
    case ADDR_HOST:
        return a->family == f && ip_eq(a->first, ip);
    case ADDR_PREFIX:
        return a->family == f && ip_in_prefix(f, ip, a->first, a->prefix_len);
    case ADDR_RANGE:
        return a->family == f && ip_cmp(a->first, ip) <= 0 && ip_cmp(ip, a->last) <= 0;
    case ADDR_NAME:
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
    case _ADDR_KIND_MAX:
        return false; /* stands for no address (effective.h) */
    }
    return false;
}

/* A later fragment, or a protocol without ports, has no layer 4: then only "any" matches. */
static bool port_matches(const struct port_range *r, const struct packet *p, uint16_t port)
{
    if (!r)
        return true;
    return p->l4_known && r->first <= port && port <= r->last;
}

static bool protocol_matches(const struct filter *f, const struct packet *p)
{
    if (f->proto != PROTO_ANY && f->proto != p->proto)
        return false;
    if (f->icmp_type >= 0 && (!p->l4_known || f->icmp_type != p->icmp_type))
        return false;
    return f->icmp_code < 0 || f->icmp_code == p->icmp_code;
}

static const struct iface *iface_of_zone(const struct host *h, uint8_t zone)
{
    for (size_t i = 0; zone && i < h->n_ifaces; i++)
        if (h->ifaces[i].zone == zone)
            return &h->ifaces[i];
    return NULL;
}

/* An interface without a profile is public. Of one that nobody knows yet the worst is assumed:
 * whatever blocks somewhere blocks there, and nothing that permits somewhere permits. */
static bool place_matches(const struct query *q, const struct filter *f, enum connection c)
{
    const struct iface *i = iface_of_zone(q->e->host, q->p->meta.zone);
    if (!f->interface && f->profile == PROFILE_NONE && c == CONNECTION_ALL)
        return true;
    if (!i)
        return filter_effect(f) != ACTION_PERMIT;
    if (f->interface && strcmp(f->interface, i->name))
        return false;
    if (f->profile != PROFILE_NONE && f->profile != iface_profile(i))
        return false;
    return c == CONNECTION_ALL || (c == CONNECTION_DIALUP) == ifname_is_dialup(i->name);
}

static bool expansion_matches(const struct query *q, const struct filter *f, const struct origin *o,
                              const struct expansion *x)
{
    const struct packet *p = q->p;
    return addr_matches(x->src, p->family, p->src, q->src_me) &&
           addr_matches(x->dst, p->family, p->dst, q->dst_me) && protocol_matches(f, p) &&
           port_matches(x->sport, p, p->sport) && port_matches(x->dport, p, p->dport) &&
           place_matches(q, f, o->connection);
}

/* What the action means for this packet. A security path satisfies negotiate. `inpass` accepts
 * clear packets on the way in only once an engine can secure the answers: without one it is denied
 * in the clear like negotiate (windows.md 1.1, datapath.md 5.5). */
static bool action_blocks(const struct filter *f, const struct packet *p)
{
    switch (f->action) {
    case ACTION_BLOCK:
        return true;
    case ACTION_NEGOTIATE:
        return !p->meta.secured;
    case ACTION_PERMIT:
        return f->inpass && !p->meta.secured;
    }
    return true;
}

static void visit_expansion(const struct query *q, const struct filter *f, const struct origin *o,
                            const struct expansion *x, match_visitor *visit, void *arg)
{
    if (!expansion_matches(q, f, o, x))
        return;
    bool past = o->deadline_ns && q->now_ns >= o->deadline_ns;
    struct match m = {
        .tier = o->tier,
        .weight = expansion_weight(f, x),
        .layer = o->layer,
        .guid = f->guid,
        .action = f->action,
        .index = o->index,
        .entry = o->entry,
        .failsafe = o->failsafe,
        .block = action_blocks(f, q->p),
        .twin = x->twin,
        .expired = past && f->action == ACTION_PERMIT && !f->inpass, /* only what permits ends */
    };
    visit(arg, &m);
}

/* Item number i of a port list; a set without items is one item, "any". */
static uint32_t n_items(const struct portset *s)
{
    return s->n ? s->n : 1;
}

static const struct port_range *item(const struct portset *s, uint32_t i)
{
    return s->n ? &s->range[i] : NULL;
}

void match_filter(const struct query *q, const struct filter *f, const struct origin *o,
                  match_visitor *visit, void *arg)
{
    if (q->typed_only && f->icmp_type < 0)
        return;
    for (uint32_t s = 0; s < n_items(&f->sport); s++) {
        for (uint32_t d = 0; d < n_items(&f->dport); d++) {
            struct expansion as_written = {
                .src = &f->src,
                .dst = &f->dst,
                .sport = item(&f->sport, s),
                .dport = item(&f->dport, d),
            };
            visit_expansion(q, f, o, &as_written, visit, arg);
            if (!f->mirrored)
                continue;
            struct expansion twin = {
                .src = &f->dst,
                .dst = &f->src,
                .sport = as_written.dport,
                .dport = as_written.sport,
                .twin = true,
            };
            visit_expansion(q, f, o, &twin, visit, arg);
        }
    }
}
