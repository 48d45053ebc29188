/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's part of names and keywords: which ones filters need, where their addresses come
 * from, and when a change of them becomes a generation. Only change.c, agent.c, query.c and
 * internal_jobs.c call it. See docs/internals/fetch.md. */
#pragma once
#include <systemd/sd-event.h>

#include "fetch_link.h"
#include "names.h"

struct agent;
struct agent_warnings;
struct job;
struct layers;

enum { RESOLVER_KEYWORDS = 4 };
struct resolver {
    struct names *names;
    struct fetch_link *link;
    struct job *parked; /* requests that wait for the first answer about a name */
    size_t n_parked;
    sd_event_source *park_timer, *apply_timer, *keyword_timer;
    /* Changes of the table are counted; built: the count that the generation being made, or the
     * last one tried, has seen. */
    uint64_t version, built;
    uint64_t applied_ns;
    bool dirty;                        /* the file is older than the table */
    bool routes_changed;               /* since gateways were read */
    bool was_empty[RESOLVER_KEYWORDS]; /* at the last look, while addresses are in use */
};

/* The table alone, for agent_new(). */
_must_check_ int resolver_new(struct resolver *r);
/* Reads the last good addresses, listens for portward-fetch. Before JOB_START. */
_must_check_ int resolver_start(struct agent *a, struct diag *d);
void resolver_done(struct resolver *r);

/* At start with an image in force: a block by a name whose last good addresses were lost would
 * open, so the start is refused. */
_must_check_ int resolver_check_start(struct agent *a, const struct layers *l, struct diag *d);
/* Before a generation is built from j->next_layers. 0: go on. 1: j was parked and comes again.
 * Negative: refused, *d says why. */
_must_check_ int resolver_ready(struct agent *a, struct job *j, struct diag *d);
/* After a job: events, which names are in use, the fetcher's list. */
void resolver_job_done(struct agent *a, const struct job *j, bool ok);
/* Warnings of the answer to a request: keywords of its filters that stand for nothing. */
void resolver_notes(struct agent *a, struct job *j);
void resolver_status(struct agent *a, struct agent_warnings *w);
void resolver_routes_changed(struct agent *a);
/* Parked jobs: forget the asker of one; take one out (NULL if there is none). */
void resolver_forget(struct agent *a, uint64_t id);
struct job *resolver_unpark_one(struct agent *a);
