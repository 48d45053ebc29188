/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/agent_ask.c: one question to the agent over its API.
 * Called by the sources of the catalog, the commit and the start and stop of the agent. Invariant:
 * an answer that is not understood is an error, never an empty one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "front.h"

int front_init(struct front *f, const struct cli_env *env, const char *runtime_dir, struct diag *d)
{
    const char *dir = runtime_dir;
    if (!dir)
        dir = env->runtime_dir && *env->runtime_dir ? env->runtime_dir : "/run/portward";
    *f = (struct front){.env = env, .timeout_ms = 60 * 1000};
    if (strlen(dir) >= sizeof(f->runtime_dir)) {
        (void)diag_fail(d, DIAG_USAGE, "name of the runtime directory is too long");
        return -ENAMETOOLONG;
    }
    (void)snprintf(f->runtime_dir, sizeof(f->runtime_dir), "%s", dir);
    (void)snprintf(f->socket_path, sizeof(f->socket_path), "%s/portward.sock", dir);
    return 0;
}

const char *agent_text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static int fail_refused(const json_t *doc, struct diag *d)
{
    const json_t *error = json_object_get(doc, "error");
    struct diag why;
    api_diag_from_json(error, &why);
    if (d)
        *d = why;
    if (strcmp(agent_text(error, "code"), "stale") == 0)
        return -ESTALE;
    return why.code == DIAG_UNKNOWN_OBJECT ? -ENOENT : -EINVAL;
}

/* The body of a request may hold preshared keys. */
static void wipe_text(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
}

int agent_ask(const struct front *f, const char *method, const char *target, json_t *body,
              struct diag *d, json_t **ret_doc)
{
    _cleanup_json_ json_t *owned = body;
    _cleanup_(wipe_text) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct diag why = {0};
    struct api_request r = {
        .method = method,
        .target = target,
        .body = text,
        .body_len = text ? strlen(text) : 0,
        .timeout_ms = f->timeout_ms,
    };
    if (body && !text)
        return -ENOMEM;
    json_decrefp(&owned); /* a library can be large: not kept twice while waiting */
    int err = api_client_call(f->socket_path, &r, &why, &answer);
    if (err < 0) {
        if (d)
            *d = why;
        return why.code == DIAG_AGENT ? -ENOTCONN : err;
    }
    doc = json_loadb(answer.body, answer.body_len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *ok = json_object_get(doc, "ok");
    if (json_is_false(ok))
        return fail_refused(doc, d);
    if (!json_is_true(ok) || !json_is_object(json_object_get(doc, "data"))) {
        (void)diag_fail(d, DIAG_AGENT, "answer of the agent is not understood (%s, status %u)",
                        f->socket_path, answer.status);
        return -EBADMSG;
    }
    *ret_doc = TAKE_PTR(doc);
    return 0;
}
