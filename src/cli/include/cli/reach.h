/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From where a port of this host can be reached, by the filters that are in force or by those of a
 * policy: exactly what a block of that port would take away. Failsafe entries are not looked at. */
#pragma once
#include "base/strbuf.h"
#include "model/effective.h"

/* Where the agent is. */
struct cli_where {
    const char *socket_path;
    uint32_t timeout_ms;
};

/* The filters in force. Not known (agent down, no right): -1, nothing was shown. */
struct cli_filters {
    struct filter *v;
    struct effective_filter *e;
    size_t n;
    struct filter_settings settings;
    struct host host;
};
_must_check_ int cli_filters_load(const struct cli_where *w, struct cli_filters *ret);
void cli_filters_done(struct cli_filters *f);
struct effective cli_filters_effective(const struct cli_filters *f);

/* "any", "10.1.1.0/24", "any but 10.1.1.0/24", several separated by "; ", "" = from nowhere.
 * ports as in a filter: "135", "5001-5021". */
void cli_reach(const struct effective *e, const char *proto, const char *ports, struct strbuf *out);
