/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/view.c: filters as people and programs see them: id, text, weight, counters, end.
 * Called by list.c, explain.c and the change files. Invariant: a view owns its strings and
 * outlives the generation it was made from. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "expand.h"
#include "internal.h"
#include "text/text.h"

enum { FILTER_TEXT_MAX = 256 * 1024 };

const char *agent_ends_name(enum agent_ends e)
{
    switch (e) {
    case AGENT_ENDS_NEVER:
        return "never";
    case AGENT_ENDS_EXPIRY:
        return "expiry";
    case AGENT_ENDS_REBOOT:
        return "reboot";
    case AGENT_ENDS_AGENT_STOP:
        return "agent-stop";
    }
    return "never";
}

void agent_filter_done(struct agent_filter *f)
{
    free(f->text);
    free(f->policy);
    free(f->rule);
    free(f->reason);
    free(f->set);
    *f = (struct agent_filter){0};
}

void agent_filters_done(struct agent_filters *l)
{
    for (size_t i = 0; i < l->n; i++)
        agent_filter_done(&l->v[i]);
    free(l->v);
    *l = (struct agent_filters){0};
}

int filters_add(struct agent_filters *l, struct agent_filter *f)
{
    if (array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v)) < 0) {
        agent_filter_done(f);
        return -ENOMEM;
    }
    l->v[l->n++] = *f;
    return 0;
}

void filter_id(const struct filter *f, enum layer layer, char id[16])
{
    (void)snprintf(id, 16, "%c%" PRIu32, layer_letter(layer), f->handle); /* at most 12 */
}

static int copy_text(const char *s, char **ret)
{
    *ret = s ? strdup(s) : NULL;
    return s && !*ret ? -ENOMEM : 0;
}

int view_stored(const struct filter *f, enum layer layer, const char *policy, const char *rule,
                struct agent_filter *ret)
{
    _cleanup_(agent_filter_done) struct agent_filter v = {.layer = layer,
                                                          .tier = expansion_tier(f),
                                                          .weight = expansion_top_weight(f),
                                                          .n_expanded = expansion_count(f),
                                                          .action = f->action,
                                                          .override = f->override,
                                                          .guid = f->guid,
                                                          .expires_in_s = -1};
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(FILTER_TEXT_MAX);
    int err = text_print_filter(f, &text);
    if (err < 0)
        return err;
    v.text = strbuf_take(&text);
    if (!v.text || copy_text(policy, &v.policy) < 0 || copy_text(rule, &v.rule) < 0)
        return -ENOMEM;
    filter_id(f, layer, v.id);
    *ret = v;
    v = (struct agent_filter){0};
    return 0;
}

static int add_dynamic_fields(struct agent *a, const struct dynamic_entry *e,
                              struct agent_filter *v)
{
    bool stays = filter_effect(&e->filter) != ACTION_PERMIT && !a->config.lost_on_stop;
    v->ends = stays ? AGENT_ENDS_REBOOT : AGENT_ENDS_AGENT_STOP;
    if (e->deadline_ns) {
        uint64_t now = agent_now_ns();
        v->ends = AGENT_ENDS_EXPIRY;
        /* Rounded up: 0 is for what is past. */
        v->expires_in_s =
            e->deadline_ns > now ? (int64_t)((e->deadline_ns - now + 999999999) / 1000000000) : 0;
    }
    return copy_text(e->reason, &v->reason);
}

/* What names and keywords of a filter make of it: the number of addresses, of all expansions,
 * the highest weight. */
static void add_names(const struct desired *x, size_t i, struct agent_filter *v)
{
    const struct filter *written = desired_written(x, i);
    size_t n;
    const struct filter *f = desired_expansions(x, desired_origin(x, i), &n);
    if (!addr_is_resolved(&written->src) && !addr_is_resolved(&written->dst))
        return;
    v->named = true;
    v->n_addresses = (uint32_t)n;
    v->n_expanded = 0;
    v->weight = 0;
    for (size_t k = 0; k < n; k++) {
        uint32_t w = expansion_top_weight(&f[k]);
        v->n_expanded += expansion_count(&f[k]);
        v->weight = w > v->weight ? w : v->weight;
    }
}

int view_filter(struct agent *a, const struct desired *x, size_t i, const struct counter *c,
                struct agent_filter *ret)
{
    const struct effective_filter *ef = &x->e.v[i];
    _cleanup_(agent_filter_done) struct agent_filter v = {0};
    struct counter asked = {0};
    int err = view_stored(desired_written(x, i), ef->layer, ef->policy, ef->rule, &v);
    if (err < 0)
        return err;
    add_names(x, i, &v);
    const struct dynamic_entry *e = desired_dynamic(x, desired_origin(x, i));
    if (e && add_dynamic_fields(a, e, &v) < 0)
        return -ENOMEM;
    if (!c && datapath_counters(a->dp, ef->counter_id, 1, &asked) == 0)
        c = &asked;
    v.packets = c ? c->packets : 0;
    v.bytes = c ? c->bytes : 0;
    *ret = v;
    v = (struct agent_filter){0};
    return 0;
}

/* --- derived entries --- */
/* Exemptions of policy.md 6 as filters. What the grammar has no words for (hop limit, classes
 * of addresses) stands in the rule's name. levels: bit per exemption level. */
static const struct derived {
    const char *text, *rule;
    unsigned levels;
} derived[] = {
    {"permit icmpv6 type 135", "neighbour discovery, hop limit 255", 15},
    {"permit icmpv6 type 136", "neighbour discovery, hop limit 255", 15},
    {"permit icmpv6 type 133", "router discovery, hop limit 255", 15},
    {"permit icmpv6 type 134", "router discovery, hop limit 255", 15},
    {"permit icmpv6 type 137", "redirect, hop limit 255", 15},
    {"permit icmpv6 type 130", "multicast listener, hop limit 1", 15},
    {"permit icmpv6 type 131", "multicast listener, hop limit 1", 15},
    {"permit icmpv6 type 132", "multicast listener, hop limit 1", 15},
    {"permit icmpv6 type 143", "multicast listener, hop limit 1", 15},
    {"permit from any to 224.0.0.0/4", "multicast", 1 | 2},
    {"permit from any to ff00::/8", "multicast", 1 | 2},
    {"permit from any to 255.255.255.255", "broadcast, and of the host's subnets", 1 | 2},
    {"permit 46", "RSVP", 1 | 4},
    {"permit tcp from any to any port 88", "Kerberos", 1 | 4},
    {"permit tcp from any port 88 to any", "Kerberos", 1 | 4},
    {"permit udp from any to any port 88", "Kerberos", 1 | 4},
    {"permit udp from any port 88 to any", "Kerberos", 1 | 4},
};

int derived_add(const struct filter *f, enum tier tier, const char *rule, struct agent_filters *l)
{
    struct agent_filter v;
    int err = view_stored(f, LAYER_LOCAL, NULL, rule, &v);
    if (err < 0)
        return err;
    v.derived = true;
    v.tier = tier;
    (void)snprintf(v.id, sizeof(v.id), "-");
    return filters_add(l, &v);
}

static int add_derived_text(const char *text, const char *rule, struct agent_filters *l)
{
    struct filter f;
    struct diag d;
    filter_init(&f);
    int err = text_parse_filter(text, strlen(text), &d, &f);
    if (err == 0)
        err = derived_add(&f, TIER_EXEMPTION, rule, l);
    filter_done(&f);
    return err;
}

static int add_dhcp(const struct iface *i, struct agent_filters *l)
{
    static const struct {
        bool six;
        const char *text;
    } entries[] = {
        {false, "permit in udp from any port 67 to me port 68 on %s"},
        {false, "permit out udp from me port 68 to any port 67 on %s"},
        {true, "permit in udp from fe80::/10 port 547 to me port 546 on %s"},
        {true, "permit out udp from me port 546 to any port 547 on %s"},
    };
    int err = 0;
    for (size_t k = 0; err == 0 && k < ARRAY_SIZE(entries); k++) {
        if (!(entries[k].six ? i->dhcp6 : i->dhcp4))
            continue;
        _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(128);
        err = strbuf_add_n(&b, entries[k].text, strlen(entries[k].text) - 2);
        if (err == 0)
            err = strbuf_add(&b, i->name);
        if (err == 0)
            err = add_derived_text(b.s, "DHCP client", l);
    }
    return err;
}

int derived_filters(struct agent *a, struct agent_filters *l)
{
    const struct filter_settings *s = &a->in_force->layers.settings;
    const struct host *h = datapath_host(a->dp);
    int err = 0;
    for (unsigned i = 0; err == 0 && i < s->n_failsafe; i++) {
        struct port_range port;
        struct filter f;
        failsafe_to_filter(&s->failsafe[i], &port, &f);
        err = derived_add(&f, TIER_FAILSAFE, "failsafe", l);
    }
    for (size_t i = 0; err == 0 && i < ARRAY_SIZE(derived); i++)
        if (derived[i].levels & 1U << s->exempt)
            err = add_derived_text(derived[i].text, derived[i].rule, l);
    for (size_t i = 0; err == 0 && !s->dhcp_client_off && i < h->n_ifaces; i++)
        err = add_dhcp(&h->ifaces[i], l);
    return err < 0 ? err : negotiation_derived(a->in_force, l);
}
