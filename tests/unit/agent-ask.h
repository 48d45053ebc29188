/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes that a test asks its agent for and waits for. Included once, after `struct answer`, with
 * members done, err and message at least, and keep(), which fills one from a result. Invariant: an
 * answer comes exactly once, and never from inside agent_change(). */
#pragma once
#include "agent-help.h"

static struct answer request(const struct agent_change *c)
{
    struct answer a = {0};
    struct diag d = {0};
    assert_int_equal(agent_change(agent, c, keep, &a, &d, NULL), 0);
    assert_false(a.done);
    while (!a.done)
        assert_true(sd_event_run(agent_event(agent), 5000000) > 0);
    return a;
}

static struct answer ok(const struct agent_change *c)
{
    struct answer a = request(c);
    if (a.err < 0)
        fail_msg("%s", a.message);
    return a;
}
