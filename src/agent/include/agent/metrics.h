/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent counts, in the text form of Prometheus (exposition format 0.0.4). Cardinality is
 * bounded: METRICS_FILTERS filters have series of their own, the others are one, and no address,
 * port or name of a remote host is ever a label. */
#pragma once
#include "agent/agent.h"
#include "base/strbuf.h"

enum { METRICS_FILTERS = 256, METRICS_INTERFACES = 64, METRICS_BYTES = 1024 * 1024 };
_must_check_ int agent_metrics(struct agent *a, struct strbuf *b);
