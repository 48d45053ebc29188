/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/flows.c: what `keep state` remembers, for people: the list, deleting, the sweep.
 * Called by the API, by change.c for a deletion and every 5 s by the timer. Invariant: verdicts do
 * not depend on any of it; a deletion is a change with an author like any other. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum { FLOWS_LISTED_MAX = 10000 };

void agent_flows_done(struct agent_flows *l)
{
    for (size_t i = 0; i < l->n; i++)
        agent_filter_done(&l->v[i].filter);
    free(l->v);
    *l = (struct agent_flows){0};
}

struct collecting {
    struct agent_flows *l;
    bool all; /* every flow, else those of an address */
    enum family family;
    struct ip ip;
    size_t most;
};

static bool is_wanted(const struct collecting *c, const struct flow *f)
{
    return c->all || (f->family == c->family && (ip_eq(f->src, c->ip) || ip_eq(f->dst, c->ip)));
}

static int collect(void *arg, const struct flow *f)
{
    const struct collecting *c = arg;
    struct agent_flows *l = c->l;

    if (!is_wanted(c, f))
        return 0;
    l->total++;
    if (l->n >= c->most)
        return 0;
    int err = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (err < 0)
        return err;
    l->v[l->n++] = (struct agent_flow){.flow = *f};
    return 0;
}

static int name_filters(struct agent *a, struct agent_flows *l)
{
    int err = 0;

    for (size_t i = 0; i < l->n && err == 0; i++) {
        const struct effective_filter *ef = filter_of_counter(a, l->v[i].flow.counter_id);
        if (ef)
            err = view_stored(ef->filter, ef->layer, ef->policy, ef->rule, &l->v[i].filter);
    }
    return err;
}

int agent_flows(struct agent *a, struct diag *d, struct agent_flows *ret)
{
    _cleanup_(agent_flows_done) struct agent_flows l = {0};
    struct collecting c = {.l = &l, .all = true, .most = FLOWS_LISTED_MAX};
    int err = datapath_flows(a->dp, collect, &c);

    if (err == 0)
        err = name_filters(a, &l);
    if (err < 0)
        return diag_errno(d, err, "cannot list what 'keep state' remembers");
    *ret = l;
    l = (struct agent_flows){0};
    return 0;
}

static int parse_address(struct job *j, struct collecting *c)
{
    const char *text = j->change.text ? j->change.text : "";

    c->all = strcmp(text, "all") == 0;
    if (c->all || ip_parse(text, strlen(text), &c->family, &c->ip) == 0)
        return 0;
    int err = diag_fail(&j->result.diag, DIAG_USAGE, "'%s' is no address", text);
    diag_hint(&j->result.diag, "portward state delete 192.0.2.53");
    return err;
}

int prepare_state_delete(struct agent *a, struct job *j)
{
    _cleanup_(agent_flows_done) struct agent_flows l = {0};
    struct collecting c = {.l = &l, .most = SIZE_MAX};
    int err = parse_address(j, &c);

    if (err < 0)
        return err;
    err = datapath_flows(a->dp, collect, &c);
    for (size_t i = 0; i < l.n && err == 0; i++) {
        int gone = j->change.dry_run ? 0 : datapath_flow_delete(a->dp, &l.v[i].flow);
        if (gone == 0)
            j->result.n_reset++;
        else if (gone != -ENOENT) /* it went by itself meanwhile */
            err = gone;
    }
    if (err < 0)
        return diag_errno(&j->result.diag, err, "cannot delete what 'keep state' remembers");
    (void)snprintf(j->audit, sizeof(j->audit), "delete %zu flows", j->result.n_reset); /* fits */
    return 0;
}

void flows_sweep(struct agent *a)
{
    if (!a->in_force)
        return;
    int err = datapath_flows_sweep(a->dp, effective_keeps_state(&a->in_force->e), &a->flow_counts);

    if (err < 0 && !a->sweep_failed)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-err), "SOURCE", "state", NULL);
    a->sweep_failed = err < 0;
}
