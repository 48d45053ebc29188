/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/run.c: runs commands of the dialects, or an import, against the agent, as one change.
 * Called by cmd_compat.c and cmd_import.c. Reads, lets the tools work on a catalog, and sends the
 * difference with the number of the state that was read; if another change came in between,
 * everything is done again. Invariant: nothing is printed before the change is made, and nothing
 * was changed if a command was refused; only a single command that changes nothing (spp) shows
 * what it finds as it goes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "front.h"
#include "misprint.h"
#include "report.h"

enum { ATTEMPTS = 5 };

/* One attempt. */
struct attempt {
    const struct front *front;
    const struct reading *reading;
    const struct run_work *work; /* instead of commands */
    struct run_commands repaired;
    struct agent_source ctx;
    struct catalog_source source;
    struct tool_host host;
    struct catalog catalog;
    struct tool_run tool;
    int persona;    /* of the configuration, -1 = each tool its own */
    int64_t state;  /* -1 = the agent does not answer */
    json_t *answer; /* of the batch, NULL = nothing had to change */
    struct strbuf native;
    size_t failed; /* command that was refused */
};

static void attempt_done(struct attempt *a)
{
    tool_run_done(&a->tool);
    run_commands_done(&a->repaired);
    catalog_done(&a->catalog);
    agent_source_done(&a->ctx);
    json_decref(a->answer);
    strbuf_done(&a->native);
}

static int ask_state(struct attempt *a, struct diag *d)
{
    _cleanup_json_ json_t *doc = NULL;
    int err = agent_ask(a->front, "GET", "/v1/state", NULL, d, &doc);
    a->state = -1;
    if (err == 0)
        a->state = json_integer_value(json_object_get(json_object_get(doc, "data"), "state"));
    return err == -ENOTCONN ? 0 : err; /* whoever needs the agent will see */
}

/* `[compat] strict`, `[compat] persona`; without an agent the defaults. */
static int take_settings(struct attempt *a, struct diag *d)
{
    static const char *const personas[_PERSONA_MAX] = {"2000", "xp", "2003", "2008"};
    _cleanup_free_ char *strict = NULL, *persona = NULL;
    a->tool.strict = a->front->strict;
    a->persona = -1;
    if (a->state < 0)
        return 0;
    int err = catalog_setting_get(&a->catalog, "compat.strict", d, &strict);
    if (err == 0)
        err = catalog_setting_get(&a->catalog, "compat.persona", d, &persona);
    if (err < 0)
        return err;
    a->tool.strict |= strict && strcmp(strict, "yes") == 0;
    for (int i = 0; persona && i < _PERSONA_MAX; i++)
        if (strcmp(persona, personas[i]) == 0)
            a->persona = i;
    return 0;
}

/* One document says everything. */
static int take_remarks(struct attempt *a, struct diag *d)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < a->reading->n_remarks; i++) {
        const struct tool_remark *r = &a->reading->remarks[i];
        err = tool_remark(&a->tool, r->kind == NOTE_REPAIR ? NOTE : r->kind, d, "%s", r->text);
    }
    return err;
}

static int attempt_begin(struct attempt *a, struct diag *d)
{
    uint64_t seed[2];
    if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return diag_errno(d, EIO, "cannot get random bytes");
    agent_source_init(&a->ctx, a->front, &a->source);
    agent_host_init(&a->ctx, !a->front->json && a->reading->commands.n == 1, &a->host);
    catalog_init(&a->catalog, &a->source, seed);
    tool_run_init(&a->tool, &a->catalog, &a->host);
    a->tool.explain = a->front->explain;
    a->native = (struct strbuf)STRBUF_INIT(LIMIT_API_BODY_BYTES);
    int err = a->front->json ? take_remarks(a, d) : 0;
    if (err == 0)
        err = ask_state(a, d);
    return err < 0 ? err : take_settings(a, d);
}

/* Words are text of the policy language and of JSON: UTF-8 both. */
static int check_words(struct attempt *a, const struct run_command *c, struct diag *d)
{
    for (int i = 0; i < c->argc; i++)
        if (!utf8_valid(c->argv[i], strlen(c->argv[i])))
            return tool_fail_at(&a->tool, d, c->argv[i], 0, 1, DIAG_USAGE,
                                "argument %d is not UTF-8", i + 1);
    return 0;
}

/* In a copy, so that a further attempt says the same. */
static int repair_words(struct attempt *a, struct run_command **c, struct diag *d)
{
    int added = run_commands_add(&a->repaired, *c);
    if (added < 0)
        return added;
    *c = &a->repaired.v[a->repaired.n - 1];
    for (int i = 0; i < (*c)->argc; i++) {
        char *repaired;
        int err = misprint_quotes(&a->tool, (*c)->argv[i], d, &repaired);
        if (err < 0)
            return err;
        if (repaired) {
            free((*c)->argv[i]);
            (*c)->argv[i] = repaired;
        }
    }
    return 0;
}

static int run_tools(struct attempt *a, struct diag *d)
{
    const struct run_commands *l = &a->reading->commands;
    for (size_t i = 0; i < l->n; i++) {
        struct run_command *c = &l->v[i];
        a->failed = i;
        a->tool.tool = c->tool;
        a->tool.persona = a->persona >= 0 ? (enum persona)a->persona : c->tool->persona;
        a->tool.from_file = c->file != NULL;
        a->tool.word = NULL;
        int err = check_words(a, c, d);
        if (err == 0)
            err = repair_words(a, &c, d);
        if (err == 0)
            err = c->tool->run(&a->tool, c->argc, c->argv, d);
        if (err < 0)
            return err;
    }
    a->failed = l->n;
    a->tool.word = NULL;
    return catalog_settle(&a->catalog, d);
}

static int do_work(struct attempt *a, struct diag *d)
{
    int err = a->work->run(a->work->ctx, &a->tool, d);
    if (err < 0)
        return err;
    a->tool.word = NULL;
    return catalog_settle(&a->catalog, d);
}

static int send(struct attempt *a, json_t *ops, struct diag *d)
{
    json_t *body =
        json_pack("{s:O, s:s, s:s?}", "ops", ops, "origin", "dialect", "reason", a->front->reason);
    if (!body)
        return -ENOMEM;
    if ((a->state >= 0 && json_object_set_new(body, "if_state", json_integer(a->state)) < 0) ||
        (a->front->dry_run && json_object_set_new(body, "dry_run", json_true()) < 0)) {
        json_decref(body);
        return -ENOMEM;
    }
    int err = agent_ask(a->front, "POST", "/v1/batch", body, d, &a->answer);
    if (err == 0)
        tool_remarks_answered(&a->tool);
    return err;
}

/* Unless the tool itself has said why. */
static int note_unchanged(struct tool_run *t, struct diag *d)
{
    for (size_t i = 0; i < t->n_remarks; i++)
        if (t->remarks[i].kind == NOTE || t->remarks[i].kind == NOTE_WARNING)
            return 0;
    return t->changes ? tool_remark(t, NOTE, d, "nothing to change") : 0;
}

static int commit(struct attempt *a, struct diag *d)
{
    _cleanup_json_ json_t *ops = NULL;
    int err = commit_ops(&a->catalog, &ops);
    if (err < 0)
        return err;
    return json_array_size(ops) > 0 ? send(a, ops, d) : note_unchanged(&a->tool, d);
}

static int after(const struct front *f, enum tool_after after, struct diag *d)
{
    switch (after) {
    case AFTER_NOTHING:
    case AFTER_SHOW_RPC:
        return 0;
    case AFTER_STOP_AGENT:
        return agent_stop(f, d);
    case AFTER_START_AGENT:
        return agent_start_now(f, d);
    }
    return 0;
}

/* Servers that run with ports of before: Windows asks for a reboot, here a restart of these. */
static int show_rpc(struct attempt *a, struct diag *d)
{
    _cleanup_json_ json_t *doc = NULL;
    const json_t *u;
    size_t i;
    int err = agent_ask(a->front, "GET", "/v1/rpc", NULL, d, &doc);
    json_array_foreach(json_object_get(json_object_get(doc, "data"), "units"), i, u)
    {
        if (strcmp(agent_text(u, "state"), "restart needed") == 0 && err == 0)
            err = strbuf_addf(&a->tool.out, "%s needs a restart: %s outside the range\n",
                              agent_text(u, "name"), agent_text(u, "outside"));
    }
    return err;
}

static int attempt(struct attempt *a, struct diag *d)
{
    int err = attempt_begin(a, d);
    if (err == 0)
        err = a->work ? do_work(a, d) : run_tools(a, d);
    if (err == 0 && a->front->explain)
        return native_print(&a->catalog, &a->native);
    if (err == 0)
        err = commit(a, d);
    if (err == 0 && a->tool.session_clear)
        err = a->host.session_set(a->host.ctx, a->tool.session_clear, NULL, d);
    if (err == 0 && a->tool.after == AFTER_SHOW_RPC && !a->front->dry_run)
        err = show_rpc(a, d);
    return err < 0 ? err : after(a->front, a->tool.after, d);
}

static int exit_code(const struct attempt *a)
{
    if (a->tool.exit != 0)
        return a->tool.exit;
    if (a->tool.overridden)
        return EXIT_OVERRIDDEN;
    return a->reading->partly || a->tool.partly ? EXIT_FINDINGS : 0;
}

/* Whatever has failed has a message. */
static void complete(int err, struct diag *d)
{
    if (err < 0 && d->code == DIAG_NONE)
        (void)diag_errno(d, err, "cannot run the command");
}

static int report(const struct attempt *a, int err, struct diag *d)
{
    const struct run_commands *l = &a->reading->commands;
    struct report r = {
        .front = a->front,
        .tool = &a->tool,
        .answer = a->answer,
        .native = a->front->explain ? &a->native : NULL,
        .command = a->failed < l->n ? &l->v[a->failed] : NULL,
        .exit = err < 0 ? 0 : exit_code(a),
    };
    complete(err, d);
    return err < 0 ? report_failure(&r, d) : report_success(&r);
}

int run_all(const struct front *f, const struct reading *r)
{
    for (int i = 1;; i++) {
        _cleanup_(attempt_done) struct attempt a = {.front = f, .reading = r};
        struct diag d = {0};
        int err = attempt(&a, &d);
        if (err == -ESTALE && i < ATTEMPTS)
            continue;
        return report(&a, err, &d);
    }
}

int run_work(const struct front *f, const struct run_work *w)
{
    static const struct reading none;
    for (int i = 1;; i++) {
        _cleanup_(attempt_done) struct attempt a = {.front = f, .reading = &none, .work = w};
        struct diag d = {0};
        int err = attempt(&a, &d);
        if (err == -ESTALE && i < ATTEMPTS)
            continue;
        complete(err, &d);
        struct run_outcome o = {&a.tool, &a.catalog, a.answer, err};
        return w->report(w->ctx, &o, &d);
    }
}
