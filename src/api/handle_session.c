/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/handle_session.c: values that callers keep between commands, and the end of the agent. Called
 * through the table of routes. Nothing here changes what is stored or in force, but for the stop,
 * which begins when its answer was sent. */
#include <unistd.h>

#include "json.h"
#include "request.h"

int handle_session_get(struct request *r)
{
    const char *value = sessions_get(r->sessions, r->peer->uid, r->params.text[PARAM_KEY]);

    return answer_data(r, agent_generation(r->agent), json_pack("{s:s?}", "value", value), NULL);
}

int handle_session_put(struct request *r)
{
    const char *key = r->params.text[PARAM_KEY];
    int e = sessions_put(r->sessions, r->peer->uid, key, r->params.text[PARAM_VALUE], &r->diag);

    if (e < 0)
        return e;
    return answer_data(r, agent_generation(r->agent), json_pack("{s:s}", "key", key), NULL);
}

int handle_stop(struct request *r)
{
    r->stop_agent = true;
    return answer_data(r, agent_generation(r->agent),
                       json_pack("{s:I}", "pid", (json_int_t)getpid()), NULL);
}
