/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory pressure protection in the agent: pressure.c holds the engine and its timer, the settings
 * (pressure_settings.c) are changed by jobs like all others. In force is agent.config.mpp. */
#pragma once
#include "agent/agent.h"
#include "mpp/mpp.h"

struct job;

/* --- pressure.c --- */
/* Opens the engine with the settings in force. That it cannot be opened is an event, no failure. */
_must_check_ int pressure_start(struct agent *a);
/* Opens the SYN gate; stamps stay. */
void pressure_stop(struct agent *a);
/* Rules again, if interfaces or their categories are not those that the engine knows. */
void pressure_look_for_ifaces(struct agent *a);
/* NULL if the engine could not be opened. */
struct mpp *pressure_engine(struct agent *a);
/* The settings, interfaces and categories of now are the engine's rules. to_existing: living
 * connections get new stamps; *ret_n of them. */
_must_check_ int pressure_apply(struct agent *a, bool to_existing, uint64_t *ret_n);

/* --- pressure_events.c --- */
/* mpp_event_fn; ctx: struct agent. */
void pressure_event(void *ctx, const struct mpp_event *e);

/* --- pressure_settings.c --- */
/* What the store and the files say at the end of a preparation: a new generation of the settings if
 * they are others than those in force. */
_must_check_ int pressure_prepared(struct agent *a, struct job *j);
/* The job is committed, but agent.config is still the old one: events of what becomes different. */
void pressure_log_settings(const struct agent *a, const struct job *j);
/* And now agent.config is the new one: the engine is told. */
void pressure_committed(struct agent *a, struct job *j);
/* At start: the number of the stored settings. */
_must_check_ int pressure_load(struct agent *a, struct diag *d);
