/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/phases.c: how long the parts of a change took, for its answer and tests/bench.
 * Called by change.c, change_policy.c and install.c around their steps. Invariant: a measurement
 * never decides anything. */
#include "internal.h"

const char *agent_phase_name(enum agent_phase p)
{
    static const char *const names[_AGENT_PHASE_MAX] = {
        [AGENT_PHASE_PARSE] = "parse", [AGENT_PHASE_STORE] = "store",
        [AGENT_PHASE_BUILD] = "build", [AGENT_PHASE_COMPILE] = "compile",
        [AGENT_PHASE_LOAD] = "load",   [AGENT_PHASE_SELF_TEST] = "self_test",
        [AGENT_PHASE_FLIP] = "flip",
    };
    return names[p];
}

void phase_end(struct job *j, enum agent_phase p, uint64_t *since_ns)
{
    uint64_t now = agent_now_ns();
    if (j)
        j->result.phase_ns[p] += now - *since_ns;
    *since_ns = now;
}
