/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_log.c: the packet log and the metrics. Called through the table of routes; both are
 * questions that the agent answers at once. Whoever follows the log asks again and again with the
 * number of the last entry: nobody holds a connection open, and what was missed is a number. */
#include <errno.h>

#include "agent/log.h"
#include "agent/metrics.h"
#include "json.h"
#include "request.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 4096 };

int handle_log(struct request *r)
{
    uint64_t limit = r->params.number[PARAM_LIMIT], next, lost;
    size_t max = limit == 0 ? LIMIT_DEFAULT : limit < LIMIT_MAX ? (size_t)limit : LIMIT_MAX;
    json_t *entries = agent_log_entries(r->agent, r->params.number[PARAM_AFTER], max, &next, &lost);

    if (!entries)
        return diag_errno(&r->diag, ENOMEM, "cannot read the log");
    return answer_data(r, agent_generation(r->agent),
                       json_pack("{s:o, s:I, s:I}", "entries", entries, "next", (json_int_t)next,
                                 "lost", (json_int_t)lost),
                       NULL);
}

int handle_metrics(struct request *r)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(METRICS_BYTES);
    int e = agent_metrics(r->agent, &text);

    if (e < 0)
        return diag_errno(&r->diag, e, "cannot write the metrics");
    return answer_data(r, agent_generation(r->agent), json_pack("{s:s}", "text", text.s), NULL);
}
