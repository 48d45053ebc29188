/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_mpp.c: requests about memory pressure protection. Called through the table of routes;
 * questions are answered at once, a change when it is in force. */
#include <errno.h>
#include <inttypes.h>

#include "json.h"
#include "request.h"

enum { LIMIT_DEFAULT = 20 };

static json_t *warning(const char *code, const char *message, const char *hint)
{
    return json_pack("[{s:s, s:s, s:s}]", "code", code, "message", message, "hint", hint);
}

/* What makes `portward mpp status` exit 6. NULL = nothing. */
static json_t *warnings(const struct agent_mpp *x)
{
    char text[128];

    if (!x->running)
        return warning("mpp-not-running", "memory pressure protection does not run here",
                       "portward mpp status --json");
    if (x->engine.kernel_generation == x->generation)
        return NULL;
    (void)format_into(text, sizeof(text), "kernel enforces generation %" PRIu32,
                      x->engine.kernel_generation);
    return warning("mpp-generation", text, "systemctl restart portwardd");
}

int handle_mpp(struct request *r)
{
    struct agent_mpp x = {.generation = 0};
    int e = agent_mpp(r->agent, &r->diag, &x);

    if (e < 0)
        return e;
    e = answer_data(r, agent_generation(r->agent), json_mpp(&x), warnings(&x));
    agent_mpp_done(&x);
    return e;
}

static size_t limit_of(const struct request *r)
{
    uint64_t n = r->params.number[PARAM_LIMIT];

    return n ? (size_t)n : LIMIT_DEFAULT;
}

int handle_mpp_ranking(struct request *r)
{
    struct mpp_ranking ranking = {.n = 0};
    int e = agent_mpp_rank(r->agent, limit_of(r), &r->diag, &ranking);

    if (e < 0)
        return e;
    e = answer_data(r, agent_generation(r->agent), json_mpp_ranking(&ranking), NULL);
    mpp_ranking_done(&ranking);
    return e;
}

int handle_mpp_records(struct request *r)
{
    _cleanup_free_ struct mpp_conn *v = NULL;
    size_t n = 0;
    int e = agent_mpp_records(r->agent, limit_of(r), &r->diag, &v, &n);

    if (e < 0)
        return e;
    return answer_data(r, agent_generation(r->agent), json_mpp_records(v, n), NULL);
}

static void reply(struct request *r, const struct agent_result *result)
{
    change_reply(r, result, change_data(r->change_kind, result));
}

int handle_mpp_change(struct request *r)
{
    struct agent_change c = {.kind = AGENT_MPP, .text = r->params.text[PARAM_TEXT]};

    return change_start(r, &c, reply);
}
