/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/negotiation.c: the warning `negotiation-not-configured`: which rules deny in the clear
 * because nothing negotiates for them, and the exemptions of IKE that they bring.
 * Called by change.c for the answer to a change, by query.c for status, by view.c for lists.
 * Invariant: a rule that negotiates is named or counted as long as it is in force. */
#include "negotiation.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "internal.h"

enum { MESSAGE_MAX = 4096 };

static void add_name(struct negotiation *n, const char *name)
{
    if (n->n < NEGOTIATION_NAMED)
        (void)snprintf(n->name[n->n], sizeof(n->name[0]), "%s", name); /* cut */
    n->n++;
}

static bool negotiates(const struct rule *r)
{
    for (size_t i = 0; i < r->n_filters && !r->inactive; i++)
        if (filter_effect(&r->filters[i]) == ACTION_NEGOTIATE)
            return true;
    return false;
}

/* Whether p is seen for the first time. */
static bool is_new(struct negotiation *n, const struct policy *p)
{
    for (size_t i = 0; i < n->n_policies; i++)
        if (utf8_casecmp(n->policy[i], p->name) == 0)
            return false;
    if (n->n_policies < NEGOTIATION_POLICIES)
        (void)snprintf(n->policy[n->n_policies++], sizeof(n->policy[0]), "%s", p->name); /* 255 */
    return true;
}

void negotiation_add_policy(struct negotiation *n, const struct policy *p)
{
    if (!is_new(n, p))
        return;
    for (size_t i = 0; i < p->n_rules; i++)
        if (negotiates(&p->rules[i]))
            add_name(n, p->rules[i].name);
}

void negotiation_add_filter(struct negotiation *n, const struct filter *f)
{
    char id[16];
    if (filter_effect(f) != ACTION_NEGOTIATE)
        return;
    filter_id(f, LAYER_DYNAMIC, id);
    add_name(n, id);
}

void negotiation_add_layers(struct negotiation *n, const struct layers *l)
{
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++)
        if (l->policy[s])
            negotiation_add_policy(n, l->policy[s]->policy);
    for (size_t i = 0; i < l->dynamic.n; i++)
        negotiation_add_filter(n, &l->dynamic.v[i]->filter);
}

void negotiation_warn(const struct negotiation *n, struct agent_warnings *w)
{
    _cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT(MESSAGE_MAX);
    size_t shown = n->n < NEGOTIATION_NAMED ? n->n : NEGOTIATION_NAMED;
    if (n->n == 0)
        return;
    for (size_t i = 0; i < shown; i++)
        (void)strbuf_addf(&names, "%s\"%s\"", i ? ", " : "", n->name[i]); /* errors are sticky */
    if (n->n > shown)
        (void)strbuf_addf(&names, " and %zu more", n->n - shown);
    warning_add(w, "negotiation-not-configured", "portward list",
                "denied in the clear until the negotiation engine is configured: %s; IKE, UDP 500 "
                "and 4500, passes",
                names.error ? "rules that negotiate" : names.s);
}

/* --- derived entries --- */
static int add_ike(const struct addr *from, const struct addr *to, bool answer,
                   struct agent_filters *l)
{
    static struct port_range ports[] = {{500, 500}, {4500, 4500}};
    struct filter f; /* borrows addresses and ports */
    filter_init(&f);
    f.action = ACTION_PERMIT;
    f.proto = PROTO_UDP;
    f.src = *from;
    f.dst = *to;
    *(answer ? &f.sport : &f.dport) = (struct portset){.n = ARRAY_SIZE(ports), .range = ports};
    return derived_add(&f, TIER_EXEMPTION, "IKE", l);
}

static int add_ike_to(const struct addr *from, const struct addr *to, struct agent_filters *l)
{
    const struct addr me = addr_me();
    int err = add_ike(from, to, /* answer= */ false, l);
    if (err < 0 || from->kind == ADDR_ME || (to->kind != ADDR_ME && to->kind != ADDR_ANY))
        return err;
    return add_ike(&me, from, /* answer= */ true, l);
}

int negotiation_derived(const struct desired *x, struct agent_filters *l)
{
    int err = 0;
    for (size_t i = 0; i < x->e.n && err == 0; i++) {
        const struct filter *f = x->e.v[i].filter;
        if (filter_effect(f) != ACTION_NEGOTIATE || filter_is_resolved(f))
            continue;
        err = add_ike_to(&f->src, &f->dst, l);
        if (err == 0)
            err = add_ike_to(&f->dst, &f->src, l);
    }
    return err;
}
