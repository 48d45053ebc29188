/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/change_log.c: the events of a change that was made (docs/events.md).
 * Called by change.c. Invariant: of many filters the first few are named and the rest is counted,
 * so that a batch of thousands does not flood the journal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum { FILTER_EVENTS_MAX = 20 };

/* n_left: how many filters of this change are still named. Returns how many were not. */
static size_t log_filters(const struct agent_op_result *r, size_t *n_left)
{
    const struct agent_filters *l = &r->filters;
    enum agent_event_id id = r->kind == AGENT_FILTER_ADD ? EV_FILTER_ADDED : EV_FILTER_DELETED;
    size_t n = 0;
    for (; n<l->n && * n_left> 0; n++, --*n_left)
        event_log(id, "ID", l->v[n].id, "FILTER", l->v[n].text, "REASON", l->v[n].reason, NULL);
    return l->n - n;
}

static void log_more(enum agent_event_id id, size_t n)
{
    char more[24];
    if (n == 0)
        return;
    (void)snprintf(more, sizeof(more), "%zu", n); /* fits */
    event_log(id, "MORE", more, NULL);
}

/* More filters than are named, by what became of them. */
struct unnamed {
    size_t n_left, n_added, n_deleted;
};

static void log_result(const struct agent_op_result *r, struct unnamed *u)
{
    if (!r->change || strcmp(r->change, "none") == 0)
        return;
    if (r->kind == AGENT_FILTER_ADD)
        u->n_added += log_filters(r, &u->n_left);
    else if (r->kind == AGENT_FILTER_DELETE || r->kind == AGENT_FLUSH)
        u->n_deleted += log_filters(r, &u->n_left);
    else if (r->kind == AGENT_ASSIGN)
        event_log(EV_POLICY_ASSIGNED, "POLICY", r->name, "BEFORE", r->before ? r->before : "",
                  NULL);
    else if (r->kind == AGENT_UNASSIGN)
        event_log(EV_POLICY_UNASSIGNED, "POLICY", r->name, NULL);
}

static void log_request(struct job *j)
{
    struct agent_result *r = &j->result;
    struct unnamed u = {.n_left = FILTER_EVENTS_MAX};
    const struct agent_op_result single = {.kind = j->change.kind,
                                           .change = r->change,
                                           .filters = r->filters, /* a view */
                                           .name = r->name,
                                           .before = r->before};
    log_result(&single, &u);
    for (size_t i = 0; i < r->n_ops; i++)
        log_result(&r->ops[i], &u);
    log_more(EV_FILTER_ADDED, u.n_added);
    log_more(EV_FILTER_DELETED, u.n_deleted);
}

static void log_expired(const struct agent_filters *l)
{
    for (size_t i = 0; i < l->n; i++)
        event_log(EV_FILTER_EXPIRED, "ID", l->v[i].id, "ACTION", action_name(l->v[i].action), NULL);
}

void change_log(const struct agent *a, struct job *j)
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%" PRIu64, a->run.generation); /* fits */
    if (j->result.flipped)
        event_log(EV_GENERATION_INSTALLED, "GENERATION", number, "CHANGE", job_name(j), NULL);
    if (j->kind == JOB_EXPIRE)
        log_expired(&j->result.filters);
    if (j->kind == JOB_RELOAD)
        event_log(EV_CONFIG_RELOADED, "IGNORED",
                  j->hook_ignored ? "[datapath] hook and guard need a restart of the agent" : NULL,
                  NULL);
    if (j->kind == JOB_REQUEST)
        log_request(j);
}
