/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet log for the API: what was logged last, in the form that files and answers share. */
#pragma once
#include <jansson.h>

#include "agent/agent.h"
#include "text/logline.h"

/* One entry. In full, as answers have it: every member is there, null where nothing is known, and
 * the first bytes of the packet in hexadecimal. Else, as files have it, only what is known. NULL =
 * no memory. */
json_t *agent_log_json(const struct log_entry *e, bool full);

/* Entries behind number `after` (0: the last ones), at most `max`, as an array; *ret_next: the
 * number to ask with for what comes later; *ret_lost: how many behind `after` are not kept any
 * more. NULL = no memory. */
json_t *agent_log_entries(struct agent *a, uint64_t after, size_t max, uint64_t *ret_next,
                          uint64_t *ret_lost);
