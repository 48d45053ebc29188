/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the front end of the dialects shares: where the agent is, how it is asked, and one run of
 * commands against it. Only run, commit, native, paste, batch, agent_* and cmd_* include it. */
#pragma once
#include <jansson.h>

#include "apiclient/client.h"
#include "apiclient/document.h"
#include "cli/cli.h"
#include "compat/tool.h"
#include "reading.h"

enum { EXIT_FINDINGS = 6, EXIT_OVERRIDDEN = 9 };

struct front {
    const struct cli_env *env;
    char runtime_dir[4000], socket_path[4096];
    uint32_t timeout_ms;
    bool json, strict, explain;
    bool dry_run;                /* the agent is asked what the change would be */
    enum api_text_origin origin; /* of what is read: decides the exit code of a mistake */
    const char *reason;          /* --reason, NULL */
};
/* runtime_dir NULL = from the environment, else the default. -ENAMETOOLONG with *d. */
_must_check_ int front_init(struct front *f, const struct cli_env *env, const char *runtime_dir,
                            struct diag *d);

/* --- the agent (agent_ask.c) --- */
/* body is taken over. 0 and the answer, or negative with *d: -ENOTCONN: no agent; -ENOENT: no such
 * object; -ESTALE: if_state is not the state any more; *ret_exit: exit code of a failure. */
_must_check_ int agent_ask(const struct front *f, const char *method, const char *target,
                           json_t *body, struct diag *d, json_t **ret_doc);
/* Member of "data"; "" if it is absent or null. */
const char *agent_text(const json_t *object, const char *key);

struct agent_source { /* ctx of both */
    const struct front *front;
    json_t *status; /* asked once */
};
void agent_source_done(struct agent_source *s);
void agent_source_init(struct agent_source *s, const struct front *f, struct catalog_source *ret);
int agent_scan(void *ctx, struct tool_scan *s, struct diag *d); /* agent_scan.c */
void agent_show(void *ctx, struct strbuf *out);
/* may_show: the command is alone, nothing else prints or changes before it. */
void agent_host_init(struct agent_source *s, bool may_show, struct tool_host *ret);

/* --- the difference (commit.c, native.c) --- */
/* Array of OPs for POST /v1/batch, empty if nothing changed. */
_must_check_ int commit_ops(struct catalog *c, json_t **ret);
/* The same as commands that can be typed. */
_must_check_ int native_print(struct catalog *c, struct strbuf *out);
/* The lines of a setting of memory pressure protection; false: it is none (native_mpp.c). */
bool native_mpp(const char *key, const char *value, struct strbuf *out);
/* A word as a POSIX shell takes it. */
int shell_word(const char *word, struct strbuf *out);

/* --- one run (run.c) --- */
/* All commands as one change: exit code. Whatever is to be said is said. The remarks of the reader
 * were shown before, and stand in the document of --json. */
int run_all(const struct front *f, const struct reading *r);

/* Something else than commands that changes the catalog: an import. */
struct run_outcome {
    const struct tool_run *tool;
    const struct catalog *catalog;
    const json_t *answer; /* of the batch, NULL = nothing had to change */
    int err;              /* negative: nothing is changed, and the diagnostic says why */
};
struct run_work {
    void *ctx;
    int (*run)(void *ctx, struct tool_run *t, struct diag *d);
    int (*report)(void *ctx, const struct run_outcome *o, const struct diag *d); /* exit code */
};
int run_work(const struct front *f, const struct run_work *w);

/* --- starting and stopping the agent (agent_life.c) --- */
_must_check_ int agent_stop(const struct front *f, struct diag *d);
_must_check_ int agent_start_now(const struct front *f, struct diag *d);
