/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's structs as JSON (docs/api.md). All functions give a new reference, or NULL if
 * memory ran out; NULL inside the arguments of jansson's setters makes those fail, so that one
 * check at the end is enough. */
#pragma once
#include <jansson.h>

#include "agent/agent.h"

json_t *json_filter(const struct agent_filter *f);
/* The parsed fields of a filter's text; all null if it is no text of the grammar. */
json_t *json_filter_fields(const char *text);
/* An element of "exceptions": a filter and its "set", the packets it names. */
json_t *json_exception(const struct agent_filter *f);
json_t *json_candidate(const struct agent_candidate *c);
/* "[...]" of filters, one after the other, into b. */
int json_filters_add(struct strbuf *b, const struct agent_filter *v, size_t n);
json_t *json_filter_array(const struct agent_filters *l);
json_t *json_exception_array(const struct agent_filters *l);
json_t *json_warnings(const struct agent_warnings *w);
json_t *json_status(const struct agent_status *s);
/* Paths beside the hook, as a list. */
json_t *json_beside(const struct beside *v, size_t n);
json_t *json_explanation(const struct agent_explanation *x);
json_t *json_flows(const struct agent_flows *l);
json_t *json_mpp(const struct agent_mpp *x);
json_t *json_mpp_ranking(const struct mpp_ranking *r);
json_t *json_mpp_records(const struct mpp_conn *v, size_t n);
json_t *json_mpp_change(const struct agent_result *result);
json_t *json_policy_info(const struct agent_policy_info *p);
json_t *json_policy_change(const struct agent_policy_change *p);
/* What a change that was only tried would do to packets. */
json_t *json_preview(const struct agent_preview *p);
/* Settings and state of the confined ports. */
struct rpc_status;
struct rpc_settings;
json_t *json_rpc(const struct rpc_status *s, const struct rpc_settings *set);
json_t *json_int_or_null(int64_t v); /* negative = unknown */
const char *json_role_name(enum iface_role r);
