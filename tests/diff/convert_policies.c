/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/diff/convert_policies.c: what diff-convert sends through the foreign forms. Filters come
 * from the generator of the differential tests; here they are joined to rules as an administrator
 * of those systems has them: own filters, or a shared list with a shared action. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "convert.h"

enum { FILTERS_PER_RULE = 4 };

static bool once_in(struct rng *r, uint32_t n)
{
    return rng_below(r, n) == 0;
}

/* --- what a form can express (windows.md 2, 4, 15.1) --- */
static bool ports_are_single(const struct portset *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->range[i].first != s->range[i].last)
            return false;
    return true;
}

/* Port 0 means "any port" in all of them. */
static bool has_port_zero(const struct portset *s)
{
    return s->n > 0 && s->range[0].first == 0;
}

static bool addr_fits(const struct addr *a, enum convert_format form)
{
    bool v6 = a->family == FAMILY_6;
    if (a->kind == ADDR_PREFIX && a->prefix_len == 0)
        return false; /* "all of IPv4": any covers both families */
    if (form == CONVERT_IPSECCMD && a->kind == ADDR_HOST && ip_eq(a->first, (struct ip){0, 0}))
        return false; /* reads as "any" on Windows */
    if (form == CONVERT_IPSECCMD)
        return !v6 && a->kind != ADDR_RANGE;
    return true;
}

static bool filter_fits(const struct filter *f, enum convert_format form)
{
    bool with_ports = f->proto == PROTO_TCP || f->proto == PROTO_UDP;
    bool has_ports = f->sport.n > 0 || f->dport.n > 0;
    bool both_me = f->src.kind == ADDR_ME && f->dst.kind == ADDR_ME;
    bool no_methods = f->action == ACTION_NEGOTIATE && !f->methods;
    if (no_methods && form == CONVERT_IPSECCMD) /* -n has no word for "the default" */
        return false;
    if (f->override || f->icmp_type >= 0 || both_me || (has_ports && !with_ports))
        return false;
    if (has_port_zero(&f->sport) || has_port_zero(&f->dport))
        return false;
    if (form == CONVERT_NETSH && (!ports_are_single(&f->sport) || !ports_are_single(&f->dport)))
        return false;
    return addr_fits(&f->src, form) && addr_fits(&f->dst, form);
}

/* --- rules --- */
/* In front of a number, so that no name occurs twice. The odd ones are what scripts trip over. */
static const char *random_name(struct rng *r, bool plain)
{
    static const char *const tame[] = {"Block Inbound UDP 1434 Rule", "webs", "R-1_x.y",
                                       "\xe8\xa6\x8f\xe5\x89\x87", "it's"};
    static const char *const odd[] = {"say \"x\"", "100%", "%PATH%", "a & b", "a ^ b", "-x",
                                      "/y",        "a=b",  "x\\",    "a;b",   "# no",  "$(id)"};
    return plain || once_in(r, 2) ? tame[rng_below(r, ARRAY_SIZE(tame))]
                                  : odd[rng_below(r, ARRAY_SIZE(odd))];
}

static int add_own(struct rule *rule, const struct gen_policy *g, const size_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_(filter_done) struct filter f;
        filter_init(&f);
        int err = filter_copy(&g->f[v[i]], &f);
        if (err >= 0)
            err = rule_add_filter(rule, &f);
        if (err < 0)
            return err;
    }
    return 0;
}

static int add_list(struct catalog *c, const char *name, const struct gen_policy *g,
                    const size_t *v, size_t n)
{
    struct diag d;
    struct filter_list l = {.name = strdup(name)};
    int err = l.name ? 0 : -ENOMEM;
    for (size_t i = 0; err >= 0 && i < n; i++) {
        _cleanup_(filter_done) struct filter f;
        filter_init(&f);
        err = filter_copy(&g->f[v[i]], &f);
        if (err < 0)
            break;
        f.action = ACTION_BLOCK;
        f.inpass = false;
        err = filter_list_add_filter(&l, &f);
    }
    if (err >= 0)
        err = catalog_list_add(c, &l, &d);
    filter_list_done(&l);
    return err;
}

/* The rule joins a list and an action of the library. */
static int add_bound(struct catalog *c, struct rule *rule, const struct gen_policy *g,
                     const size_t *v, size_t n)
{
    struct diag d;
    char name[80];
    struct filter_action a = {.action = g->f[v[0]].action, .inpass = g->f[v[0]].inpass};
    snprintf(name, sizeof(name), "action of %s", rule->name);
    a.name = strdup(name);
    int err = a.name ? catalog_action_add(c, &a, &d) : -ENOMEM;
    filter_action_done(&a);
    if (err >= 0)
        err = attributes_set(&rule->attributes, "filteraction", name);
    snprintf(name, sizeof(name), "list of %s", rule->name);
    if (err >= 0)
        err = add_list(c, name, g, v, n);
    return err < 0 ? err : attributes_set(&rule->attributes, "filterlist", name);
}

static bool same_effect(const struct filter *a, const struct filter *b)
{
    return a->action == b->action && a->inpass == b->inpass;
}

/* A rule has one action in all foreign forms; only the full policies mix them. */
static size_t take(struct rng *r, const struct gen_policy *g, bool plain, const bool *left,
                   size_t *ret)
{
    size_t n = 0, most = 1 + rng_below(r, FILTERS_PER_RULE);
    for (size_t i = 0; i < g->e.n && n < most; i++)
        if (left[i] && (n == 0 || !plain || same_effect(&g->f[i], &g->f[ret[0]])))
            ret[n++] = i;
    return n;
}

static int add_rules(struct rng *r, struct convert_case *c, enum convert_format form, bool plain)
{
    bool left[GEN_FILTERS];
    for (size_t i = 0; i < c->g->e.n; i++)
        left[i] = !plain || filter_fits(&c->g->f[i], form);
    for (unsigned number = 1;; number++) {
        size_t v[FILTERS_PER_RULE], n = take(r, c->g, plain, left, v);
        if (n == 0)
            return 0;
        char name[80];
        snprintf(name, sizeof(name), "%s %u", random_name(r, plain), number);
        _cleanup_(rule_done) struct rule rule;
        struct diag d;
        rule_init(&rule);
        rule.name = strdup(name);
        if (!rule.name)
            return -ENOMEM;
        rule.inactive = once_in(r, 12) && (!plain || form != CONVERT_IPSECCMD);
        bool bound = plain && form != CONVERT_IPSECCMD && once_in(r, 4);
        int err = bound ? add_bound(&c->catalog, &rule, c->g, v, n) : add_own(&rule, c->g, v, n);
        bool replaced;
        if (err >= 0)
            err = catalog_rule_put(&c->catalog, c->policy, &rule, &d, &replaced);
        if (err < 0)
            return err;
        for (size_t i = 0; i < n; i++)
            left[v[i]] = false;
    }
}

int convert_case_new(struct rng *r, enum convert_format form, bool plain, struct convert_case *ret)
{
    struct convert_case c = {.g = NULL};
    struct diag d;
    bool made;
    catalog_init(&c.catalog, NULL, (uint64_t[2]){rng_next(r), rng_next(r)});
    int err = gen_host(r, &c.host);
    *ret = c;
    if (err >= 0)
        err = gen_policy_new(r, &ret->host, 0, &ret->g);
    for (size_t i = 0; err >= 0 && i < ret->g->e.n; i++)
        ret->g->f[i].guid = (struct guid){0};
    if (err >= 0)
        err =
            catalog_policy_make(&ret->catalog, "Round \xe2\x86\xba trip", &d, &ret->policy, &made);
    if (err >= 0)
        err = add_rules(r, ret, form, plain);
    if (err >= 0)
        err = catalog_settle(&ret->catalog, &d);
    if (err < 0)
        convert_case_done(ret);
    return err;
}

void convert_case_done(struct convert_case *c)
{
    catalog_done(&c->catalog);
    c->g = gen_policy_free(c->g);
    host_done(&c->host);
}
