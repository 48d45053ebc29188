/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/preview.c: what a change does to packets: those that change their verdict, the connections
 * that this stalls, and what stays permitted beside a block.
 * Called by change.c for a change that is only tried, and for the answer to a new block. Reads two
 * desired states, changes neither. Invariant: what was not looked at is never called unchanged. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "compile/diff.h"
#include "expand.h"
#include "internal.h"
#include "text/text.h"

enum {
    SET_TEXT_MAX = 1024 * 1024,
    EXCEPTIONS_MAX = 100,
    FEW_FILTERS = 256,
    FEW_BOXES = 4096,
};

void agent_preview_done(struct agent_preview *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i].set);
        free(p->v[i].example);
        free(p->v[i].rule);
    }
    free(p->v);
    *p = (struct agent_preview){0};
}

/* The time a question may take: all others wait for the answer. */
static bool is_over(void *arg)
{
    const uint64_t *end_ns = arg;
    return agent_now_ns() >= *end_ns;
}

static int print_set(const struct packetset *s, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(SET_TEXT_MAX);
    int err = text_print_set(s, 0, &b);
    if (err < 0)
        return err;
    *ret = strbuf_take(&b);
    return *ret ? 0 : -ENOMEM;
}

static int print_example(const struct example *x, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(SET_TEXT_MAX);
    int err = text_print_example(x, &b);
    if (err < 0)
        return err;
    *ret = strbuf_take(&b);
    return *ret ? 0 : -ENOMEM;
}

/* --- packets that change their verdict --- */
static int add_change(struct agent_preview *p, const struct desired *x, const struct diff_change *c)
{
    if (array_reserve(&p->v, &p->cap, p->n + 1, sizeof(*p->v)) < 0)
        return -ENOMEM;
    struct agent_packets *to = &p->v[p->n];
    *to = (struct agent_packets){.blocked = c->blocked, .negotiate = c->in_b.negotiate};
    p->n++; /* from here agent_preview_done() frees it */
    int err = print_set(&c->set, &to->set);
    if (err == 0)
        err = print_example(&c->example, &to->example);
    if (err < 0 || c->in_b.decider != DECIDED_FILTER)
        return err;
    const struct effective_filter *ef = &x->e.v[c->in_b.index];
    filter_id(ef->filter, ef->layer, to->id);
    to->rule = ef->rule ? strdup(ef->rule) : NULL;
    return ef->rule && !to->rule ? -ENOMEM : 0;
}

static int add_changes(struct agent *a, const struct desired *x, uint64_t end_ns,
                       struct agent_preview *p)
{
    struct budget budget = {.stop = is_over, .arg = &end_ns};
    struct diff_result r = {0};
    int err = diff_effective(&a->in_force->e, &x->e, agent_now_ns(), &budget, &r);
    for (size_t i = 0; err == 0 && i < r.n; i++)
        err = add_change(p, x, &r.v[i]);
    p->equal = r.equal;
    p->complete = r.complete;
    p->arms = r.armed_b && !r.armed_a;
    p->disarms = r.armed_a && !r.armed_b;
    diff_result_done(&r);
    return err;
}

static bool blocks_more(const struct agent_preview *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].blocked)
            return true;
    return !p->complete;
}

int preview_make(struct agent *a, const struct desired *x, uint64_t end_ns, struct agent_preview *p)
{
    *p = (struct agent_preview){.made = true, .equal = true, .complete = true};
    if (memcmp(a->in_force->digest, x->digest, sizeof(x->digest)) == 0)
        return 0;
    int err = add_changes(a, x, end_ns, p);
    if (err == 0 && blocks_more(p))
        err = connections_count(&a->in_force->e, &x->e, agent_now_ns(), &p->connections);
    return err;
}

/* --- what stays permitted beside a block --- */
static struct agent_filter *find_listed(struct agent_filters *l, const struct agent_filter *f)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].derived == f->derived && guid_cmp(&l->v[i].guid, &f->guid) == 0 &&
            strcmp(l->v[i].text, f->text) == 0)
            return &l->v[i];
    return NULL;
}

/* Takes *f and *set over. Several addresses of a name are one filter with several terms. */
static int list_exception(struct agent_filters *l, struct agent_filter *f, char *set)
{
    struct agent_filter *old = find_listed(l, f);
    if (!old) {
        f->set = set;
        return filters_add(l, f);
    }
    agent_filter_done(f);
    char *both = NULL;
    int n = asprintf(&both, "%s\n%s", old->set, set);
    free(set);
    if (n < 0)
        return -ENOMEM;
    free(old->set);
    old->set = both;
    return 0;
}

static int view_failsafe(const struct desired *x, size_t i, struct agent_filter *ret)
{
    struct port_range port;
    struct filter f;
    failsafe_to_filter(&x->layers.settings.failsafe[i], &port, &f);
    int err = view_stored(&f, LAYER_LOCAL, NULL, "failsafe", ret);
    if (err < 0)
        return err;
    ret->derived = true;
    ret->tier = TIER_FAILSAFE;
    (void)snprintf(ret->id, sizeof(ret->id), "-"); /* fits */
    return 0;
}

/* Exemptions stand beside every block and are in no list of it (policy.md 6). */
static int add_exception(struct agent *a, const struct desired *x, const struct exception *e,
                         struct agent_filters *l)
{
    struct agent_filter f;
    char *set = NULL;
    int err = 0;
    if (e->by.decider == DECIDED_FILTER)
        err = view_filter(a, x, e->by.index, NULL, &f);
    else if (e->by.decider == DECIDED_FAILSAFE)
        err = view_failsafe(x, e->by.index, &f);
    else
        return 0;
    if (err < 0)
        return err;
    err = print_set(&e->set, &set);
    if (err < 0) {
        agent_filter_done(&f);
        return err;
    }
    return list_exception(l, &f, set);
}

/* --- what can have to do with a block --- */
static bool has_bounds(const struct addr *a)
{
    return a->kind == ADDR_HOST || a->kind == ADDR_PREFIX || a->kind == ADDR_RANGE;
}

/* Whether one of the addresses is one of this host as it is now. The algebra takes `me` for any
 * address; a permit to somebody else leaves nothing open here. */
static bool touches_me(const struct host *h, const struct addr *a)
{
    for (size_t i = 0; i < h->n_local; i++) {
        const struct local_route *l = &h->local[i];
        struct ip end = ip_or(l->prefix, ip_not(l->family, ip_mask(l->family, l->prefix_len)));
        if (l->family == a->family && ip_cmp(a->first, end) <= 0 && ip_cmp(l->prefix, a->last) <= 0)
            return true;
    }
    return false;
}

static bool addrs_may_meet(const struct host *h, const struct addr *a, const struct addr *b)
{
    if (a->kind == ADDR_ME && has_bounds(b))
        return touches_me(h, b);
    if (b->kind == ADDR_ME && has_bounds(a))
        return touches_me(h, a);
    return !has_bounds(a) || !has_bounds(b) ||
           (a->family == b->family && ip_cmp(a->first, b->last) <= 0 &&
            ip_cmp(b->first, a->last) <= 0);
}

static bool ports_may_meet(const struct portset *a, const struct portset *b)
{
    if (a->n == 0 || b->n == 0)
        return true;
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n; k++)
            if (a->range[i].first <= b->range[k].last && b->range[k].first <= a->range[i].last)
                return true;
    return false;
}

/* Whether the two may name a common packet; true if in doubt. */
static bool may_meet(const struct host *h, const struct filter *f, const struct filter *g)
{
    enum family a = filter_family(f), b = filter_family(g);
    if ((a != FAMILY_ANY && b != FAMILY_ANY && a != b) ||
        (f->proto >= 0 && g->proto >= 0 && f->proto != g->proto))
        return false;
    if (f->mirrored || g->mirrored)
        return true;
    return addrs_may_meet(h, &f->src, &g->src) && addrs_may_meet(h, &f->dst, &g->dst) &&
           ports_may_meet(&f->dport, &g->dport) && ports_may_meet(&f->sport, &g->sport);
}

/* Of the effective filters those that may decide a packet of filter number index: a block in a
 * large policy has to do with few of them, and waits for this. */
struct neighbours {
    struct effective e;
    struct effective_filter *v;
    size_t *original; /* number in the whole of e.v[i] */
    size_t index;     /* of the block in e.v */
};

static void neighbours_done(struct neighbours *n)
{
    free(n->v);
    free(n->original);
}

static int neighbours_find(const struct effective *e, size_t index, struct neighbours *n)
{
    size_t cap_v = 0, cap_original = 0;
    *n = (struct neighbours){.e = {.settings = e->settings, .host = e->host}};
    for (size_t i = 0; i < e->n; i++) {
        if (i != index && !may_meet(e->host, e->v[index].filter, e->v[i].filter))
            continue;
        if (array_reserve(&n->v, &cap_v, n->e.n + 1, sizeof(*n->v)) < 0 ||
            array_reserve(&n->original, &cap_original, n->e.n + 1, sizeof(*n->original)) < 0)
            return -ENOMEM;
        if (i == index)
            n->index = n->e.n;
        n->v[n->e.n] = e->v[i];
        n->original[n->e.n++] = i;
    }
    n->e.v = n->v;
    return 0;
}

static int exceptions_to(struct agent *a, const struct desired *x, size_t index,
                         const struct budget *budget, struct job *j)
{
    _cleanup_(neighbours_done) struct neighbours n = {0};
    _cleanup_(exceptions_done) struct exceptions found = {0};
    struct agent_filters *l = &j->result.exceptions;
    /* Few filters are soon looked at, and the answer must not depend on how busy the host is. */
    const struct budget few = {.max_boxes = FEW_BOXES};
    int err = neighbours_find(&x->e, index, &n);
    if (err == 0)
        err = diff_exceptions(&n.e, n.index, agent_now_ns(), n.e.n <= FEW_FILTERS ? &few : budget,
                              &found);
    for (size_t i = 0; err == 0 && i < found.n && l->n < EXCEPTIONS_MAX; i++) {
        struct exception *e = &found.v[i];
        if (e->by.decider == DECIDED_FILTER)
            e->by.index = n.original[e->by.index];
        err = add_exception(a, x, e, l);
    }
    return err < 0 ? err : found.complete && l->n < EXCEPTIONS_MAX;
}

static int compare_weight(const void *pa, const void *pb)
{
    const struct agent_filter *a = pa, *b = pb;
    if (a->tier != b->tier)
        return a->tier < b->tier ? -1 : 1; /* failsafe entries last */
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return guid_cmp(&a->guid, &b->guid);
}

void preview_exceptions(struct agent *a, const struct desired *x, size_t index, struct job *j)
{
    uint64_t end = j->notes_end_ns;
    if (end == 0)
        end = agent_now_ns() + (j->change.dry_run ? AGENT_PREVIEW_NS / 2 : AGENT_NOTES_NS);
    struct budget budget = {.stop = is_over, .arg = &end};
    struct agent_filters *l = &j->result.exceptions;
    bool complete = true;
    for (size_t i = 0; i < x->e.n && complete; i++)
        if (desired_origin(x, i) == index)
            complete = exceptions_to(a, x, i, &budget, j) > 0;
    if (l->n > 1)
        qsort(l->v, l->n, sizeof(*l->v), compare_weight);
    if (!complete)
        warning_add(&j->result.warnings, "exceptions-incomplete", "portward list",
                    "there may be more permits that stay open than those listed");
}
