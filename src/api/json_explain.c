/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/json_explain.c: an explanation as JSON. Called by the handler of explain. */
#include <stdio.h>

#include "apiclient/document.h"
#include "json.h"

static const char *decider_name(enum decider d)
{
    switch (d) {
    case DECIDED_NO_MATCH:
        return "no-match";
    case DECIDED_FILTER:
        return "filter";
    case DECIDED_FAILSAFE:
        return "failsafe";
    case DECIDED_EXEMPTION:
        return "exemption";
    case DECIDED_STRUCTURE:
        return "structure";
    case DECIDED_EARLIER:
        return "earlier";
    }
    return "unknown";
}

static json_t *kernel_json(const struct agent_explanation *x)
{
    char hex[16] = "";

    if (!x->kernel.asked)
        return json_null();
    if (x->kernel.id[0])
        (void)snprintf(hex, sizeof(hex), "%08x", x->kernel.weight);
    return json_pack(
        "{s:b, s:s, s:o, s:I, s:o, s:o, s:I}", "agrees", x->kernel.agrees, "verdict",
        x->kernel.block ? "block" : "permit", "reason",
        x->kernel.reason == DROP_NONE ? json_null()
                                      : api_text_json(drop_reason_name(x->kernel.reason)),
        "generation", (json_int_t)x->kernel.generation, "id", api_text_json(x->kernel.id), "weight",
        api_text_json(hex), "probes", (json_int_t)x->kernel.probes);
}

static const char *table_name(enum flow_table t)
{
    switch (t) {
    case FLOW_OUT_NEW:
        return "out-new";
    case FLOW_OUT_ANSWERED:
        return "out-answered";
    case FLOW_IN_NEW:
        return "in-new";
    case FLOW_IN_ANSWERED:
        return "in-answered";
    case FLOW_CONNECTION:
        return "connection";
    }
    return "unknown";
}

static json_t *state_json(const struct agent_explanation *x)
{
    if (!x->state.kept)
        return json_null();
    return json_pack("{s:s, s:s, s:b, s:b, s:b, s:o}", "table", table_name(x->state.flow.table),
                     "opened", x->state.flow.out ? "out" : "in", "exists", x->state.exists,
                     "answer", x->state.answer, "passes", x->state.passes, "filter",
                     api_text_json(*x->state.id ? x->state.id : NULL));
}

static json_t *path_json(const struct agent_explanation *x)
{
    return json_pack("{s:o, s:s, s:b, s:s, s:s, s:o}", "interface",
                     api_text_json(x->path.interface), "role", json_role_name(x->path.role),
                     "attached", x->path.attached, "hook", hook_mode_name(x->path.hook), "guard",
                     guard_state_name(x->path.guard), "beside",
                     json_beside(x->path.beside, x->path.n_beside));
}

enum { OTHERS_SHOWN = 10 };

json_t *json_explanation(const struct agent_explanation *x)
{
    _cleanup_json_ json_t *others = json_array();
    _cleanup_json_ json_t *j = NULL;
    bool has_runner_up = x->has_winner && x->n > 1;
    size_t next = (size_t)x->has_winner + has_runner_up;

    for (size_t i = next; i < x->n && i < next + OTHERS_SHOWN; i++)
        if (json_array_append_new(others, json_candidate(&x->v[i])))
            return NULL;
    j = json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:O, s:I, s:o, s:o, s:o}", "packet",
                  api_text_json(x->packet), "verdict", x->block ? "block" : "permit", "decider",
                  decider_name(x->decider), "reason",
                  x->reason == DROP_NONE ? json_null() : api_text_json(drop_reason_name(x->reason)),
                  "exemption", api_text_json(x->exemption), "winner",
                  x->has_winner ? json_candidate(&x->v[0]) : json_null(), "runner_up",
                  has_runner_up ? json_candidate(&x->v[1]) : json_null(), "lost_in",
                  api_text_json(x->lost_in), "others", others, "n_others",
                  (json_int_t)(x->n - next), "kernel", kernel_json(x), "path", path_json(x),
                  "state", state_json(x));
    return TAKE_PTR(j);
}
