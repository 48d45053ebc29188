/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stand-in for the agent behind a real API server in a child process: it answers questions with
 * canned values and changes 30 ms later with what they carried. For tests of the API, which are
 * its clients. Defines every function of agent.h that the API calls. Included once. */
#pragma once
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/events.h"
#include "agent/log.h"
#include "agent/metrics.h"
#include "agent/reach.h"
#include "api/server.h"
#include "apiclient/client.h"
#include "apiclient/document.h"
#include "rpc/rpc.h"
#include "rpc/settings.h"
#include "text/text.h"

/* --- the stand-in for the agent --- */
enum { CHANGE_DELAY_US = 30 * 1000 };

struct agent {
    sd_event *event;
    uint64_t next_id;
};
struct job {
    struct agent *agent;
    uint64_t id;
    agent_done_fn done;
    void *ctx;
    char *text;
    bool dry_run;
    char **ops; /* of a batch: what came along with each */
    size_t n_ops;
    sd_event_source *source;
    struct job *next;
};
static struct job *jobs;

const char *agent_ends_name(enum agent_ends e)
{
    return e == AGENT_ENDS_REBOOT ? "reboot" : "never";
}

void agent_filters_done(struct agent_filters *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].text);
    free(l->v);
}

uint64_t agent_generation(const struct agent *a)
{
    (void)a;
    return 42;
}

json_t *agent_log_entries(struct agent *a, uint64_t after, size_t max, uint64_t *ret_next,
                          uint64_t *ret_lost)
{
    (void)a;
    *ret_next = after + max;
    *ret_lost = 0;
    return json_array();
}

void agent_reach_done(struct agent_reach *r)
{
    free(r->v);
}

int agent_reach(struct agent *a, const char *const *items, size_t n, struct diag *d,
                struct agent_reach *ret)
{
    (void)a;
    (void)items;
    (void)n;
    (void)d;
    *ret = (struct agent_reach){.complete = true};
    return 0;
}

void agent_holders_pin(const struct agent *a, char *ret, size_t size)
{
    (void)a;
    (void)snprintf(ret, size, "/nonexistent");
}

void agent_reach_decider(struct agent *a, const struct reach_piece *p, char ret_id[16],
                         const char **ret_rule)
{
    (void)a;
    (void)p;
    ret_id[0] = '\0';
    *ret_rule = NULL;
}

int agent_metrics(struct agent *a, struct strbuf *b)
{
    (void)a;
    return strbuf_add(b, "portward_generation 42\n");
}

const char *agent_runtime_dir(const struct agent *a)
{
    (void)a;
    return "/tmp";
}

void event_log(enum agent_event_id id, ...)
{
    (void)id;
}

static void job_remove(struct job *j)
{
    struct job **p = &jobs;

    while (*p != j)
        p = &(*p)->next;
    *p = j->next;
    sd_event_source_unref(j->source);
    free(j->text);
    for (size_t i = 0; i < j->n_ops; i++)
        free(j->ops[i]);
    free(j->ops);
    free(j);
}

/* The result of each OP of a batch: a deleted filter whose text says what the OP was. */
static struct agent_op_result *op_results(const struct job *j, struct agent_filter *filters)
{
    struct agent_op_result *v = calloc(j->n_ops + 1, sizeof(*v));

    assert(v != NULL);
    for (size_t i = 0; i < j->n_ops; i++) {
        filters[i] = (struct agent_filter){
            .id = "d1", .layer = LAYER_DYNAMIC, .text = j->ops[i], .expires_in_s = -1};
        v[i] = (struct agent_op_result){
            .kind = AGENT_FILTER_DELETE, .change = "deleted", .filters = {&filters[i], 1, 1}};
    }
    return v;
}

static int job_run(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct job *j = userdata;
    struct agent_filter f = {.id = "d1",
                             .layer = LAYER_DYNAMIC,
                             .action = ACTION_BLOCK,
                             .text = j->text,
                             .expires_in_s = -1,
                             .ends = AGENT_ENDS_REBOOT,
                             .weight = 0x40006203,
                             .n_expanded = 1};
    struct agent_result r = {.generation = 43,
                             .flipped = true,
                             .change = "added",
                             .n_interfaces = 3,
                             .elapsed_ms = 9,
                             .filters = {&f, 1, 1}};

    struct agent_packets changes[] = {
        {.blocked = true, .set = j->text, .example = j->text, .id = "s1", .rule = j->text},
        {.set = j->text, .example = j->text}};
    struct agent_filter stays = f;

    (void)source;
    (void)usec;
    stays.set = j->text;
    r.exceptions = (struct agent_filters){&stays, 1, 1};
    if (j->dry_run)
        r.preview = (struct agent_preview){
            .made = true, .complete = true, .arms = true, .connections = -1, .v = changes, .n = 2};
    if (strcmp(j->text, "conflict") == 0)
        r.err = diag_fail(&r.diag, DIAG_CONFLICT, "it exists");
    struct agent_filter *filters = calloc(j->n_ops + 1, sizeof(*filters));
    assert(filters != NULL);
    r.ops = op_results(j, filters);
    r.n_ops = j->n_ops;
    for (size_t i = 0; i < j->n_ops; i++)
        if (strstr(j->ops[i], "conflict")) {
            r.err = diag_fail(&r.diag, DIAG_SYNTAX, "op fails");
            r.has_op = true;
            r.op = i;
        }
    j->done(j->ctx, &r);
    free(r.ops);
    free(filters);
    job_remove(j);
    return 0;
}

/* All that an OP may carry, in words. */
static char *describe_op(const struct agent_change *c)
{
    char *text = NULL;

    assert(asprintf(
               &text,
               "kind %u policy %s text %s key %s title %s from %s renamed %zu %s<-%s replace %d "
               "persistent %d unassign %d items %zu",
               c->kind, c->policy ? c->policy : "-", c->text ? c->text : "-", c->key ? c->key : "-",
               c->title ? c->title : "-", c->renamed_from ? c->renamed_from : "-",
               c->n_renamed_rules, c->n_renamed_rules ? c->renamed_rules[0].now : "",
               c->n_renamed_rules ? c->renamed_rules[0].before : "", c->replace, c->persistent,
               c->unassign, c->n_items) > 0);
    return text;
}

static void take_batch(struct job *j, const struct agent_change *c)
{
    j->n_ops = c->n_ops;
    j->ops = calloc(c->n_ops + 1, sizeof(*j->ops));
    assert(j->ops != NULL);
    for (size_t i = 0; i < c->n_ops; i++)
        j->ops[i] = describe_op(&c->ops[i]);
    free(j->text);
    assert(asprintf(&j->text, "origin %s state %llu dry %d", c->author.origin,
                    (unsigned long long)c->if_state, c->dry_run) > 0);
}

const char *agent_phase_name(enum agent_phase p)
{
    return p == AGENT_PHASE_PARSE ? "parse" : "other";
}

/* What is given is ours behind its const, as in change_copy.c. */
static void free_given(const char *text)
{
    union {
        const char *in;
        char *out;
    } u = {text};

    free(u.out);
}

int agent_change(struct agent *a, const struct agent_change *c, agent_done_fn done, void *ctx,
                 struct diag *d, uint64_t *ret_id)
{
    struct job *j = calloc(1, sizeof(*j));
    char kind[32];
    uint64_t now;

    (void)d;
    assert(j != NULL);
    (void)snprintf(kind, sizeof(kind), "%u", c->kind);
    *j = (struct job){.agent = a, .id = ++a->next_id, .done = done, .ctx = ctx};
    j->text = strdup(c->text ? c->text : c->policy ? c->policy : kind);
    if (c->text_given)
        free_given(c->text);
    j->dry_run = c->dry_run;
    if (c->kind == AGENT_BATCH)
        take_batch(j, c);
    if (strcmp(j->text, "echo") == 0) { /* what came along with it */
        free(j->text);
        assert(asprintf(&j->text, "dry %d if %llu rev %u peer %s reason %s", c->dry_run,
                        (unsigned long long)c->if_generation, c->revision, c->author.peer,
                        c->author.reason ? c->author.reason : "-") > 0);
    }
    if (strlen(j->text) > 100) { /* a large one: tell its size */
        size_t n = strlen(j->text);

        (void)snprintf(j->text, 100, "%zu bytes", n);
    }
    j->next = jobs;
    jobs = j;
    *ret_id = j->id;
    if (strcmp(j->text, "never") == 0)
        return 0;
    sd_event_now(a->event, CLOCK_MONOTONIC, &now);
    return sd_event_add_time(a->event, &j->source, CLOCK_MONOTONIC, now + CHANGE_DELAY_US, 1,
                             job_run, j) < 0
               ? -ENOMEM
               : 0;
}

void agent_forget(struct agent *a, uint64_t id)
{
    (void)a;
    for (struct job *j = jobs; j; j = j->next)
        if (j->id == id) {
            job_remove(j);
            return;
        }
}

int agent_flows(struct agent *a _unused_, struct diag *d _unused_, struct agent_flows *ret)
{
    *ret = (struct agent_flows){0};
    return 0;
}
void agent_flows_done(struct agent_flows *l)
{
    free(l->v);
}
enum { FAKE_MANY = 30000 }; /* filters of policy "many" */

/* So all lists are answered in parts; the others are those of real agents. */
size_t agent_n_filters(const struct agent *a)
{
    (void)a;
    return FAKE_MANY;
}

int agent_list(struct agent *a, const struct agent_list_query *q, struct diag *d,
               struct agent_filters *ret)
{
    (void)a;
    if (q->policy && strcmp(q->policy, "gone/away") == 0)
        return diag_fail(d, DIAG_UNKNOWN_OBJECT, "no policy '%s' is assigned", q->policy);
    ret->n = q->policy && strcmp(q->policy, "many") == 0 ? FAKE_MANY : 1;
    ret->v = calloc(ret->n, sizeof(*ret->v));
    if (!ret->v)
        return -ENOMEM;
    for (size_t i = 0; i < ret->n; i++)
        ret->v[i] = (struct agent_filter){.id = "s1",
                                          .layer = LAYER_LOCAL,
                                          .action = ACTION_PERMIT,
                                          .text = strdup("permit from any to me"),
                                          .expires_in_s = -1,
                                          .packets = 7 + i,
                                          .bytes = 420};
    return 0;
}

int agent_policies(struct agent *a, struct diag *d, struct agent_policy_info **ret, size_t *ret_n)
{
    (void)a;
    (void)d;
    *ret = NULL;
    *ret_n = 0;
    return 0;
}

int agent_policy_text(struct agent *a, const struct agent_text_query *q, struct diag *d,
                      char **ret_text, char ret_name[256], uint32_t *ret_revision)
{
    (void)a;
    (void)d;
    (void)snprintf(ret_name, 256, "%s", q->name);
    *ret_text = strdup(q->source ? "source" : "canonical");
    *ret_revision = q->revision ? q->revision : 7;
    return 0;
}

void history_done(struct history *h)
{
    for (size_t i = 0; i < h->n; i++)
        free(h->v[i].change);
    free(h->v);
}

int agent_history(struct agent *a, const char *policy, uint32_t limit, struct diag *d,
                  struct history *ret)
{
    (void)a;
    if (policy && strcmp(policy, "none") == 0)
        return diag_fail(d, DIAG_UNKNOWN_OBJECT, "unknown policy '%s'", policy);
    ret->v = calloc(2, sizeof(*ret->v));
    if (!ret->v)
        return -ENOMEM;
    ret->v[0] = (struct history_entry){.revision = limit,
                                       .uid = 1000,
                                       .time_s = 1763779632,
                                       .generation = 42,
                                       .login = "alice",
                                       .origin = "cli",
                                       .peer = "10.1.4.7",
                                       .change = strdup("load")};
    ret->v[1] = (struct history_entry){.origin = "api", .change = strdup("block")};
    ret->n = 2;
    return 0;
}

void agent_status_done(struct agent_status *s)
{
    free(s->interfaces);
}

int agent_status(struct agent *a, struct diag *d, struct agent_status *ret)
{
    (void)a;
    (void)d;
    *ret = (struct agent_status){
        .version = "test", .generation = 42, .next_expiry_s = -1, .hook = HOOK_TCX};
    return 0;
}

void agent_explanation_done(struct agent_explanation *x)
{
    (void)x;
}

int agent_explain(struct agent *a, const char *packet, bool live, struct diag *d,
                  struct agent_explanation *ret)
{
    (void)a;
    (void)live;
    (void)ret;
    return diag_fail_at(d, DIAG_UNKNOWN_WORD, (struct span){1, 2, 3, 1}, "unknown word '%s'",
                        packet);
}

int agent_policy_get(struct agent *a, const struct agent_text_query *q, struct diag *d,
                     struct policy **ret)
{
    struct rule r;

    (void)a;
    (void)d;
    rule_init(&r);
    r.name = strdup("first");
    return policy_new(q->name, ret) < 0 || policy_add_rule(*ret, &r, d) < 0 ? -ENOMEM : 0;
}

int agent_state(struct agent *a, struct diag *d, uint64_t *ret)
{
    (void)a;
    (void)d;
    *ret = 9007199254740993; /* exact as an integer, not as a double */
    return 0;
}

int agent_library(struct agent *a, struct diag *d, char **ret)
{
    (void)a;
    (void)d;
    *ret = strdup("policy \"filterlists\" { }");
    return *ret ? 0 : -ENOMEM;
}

void agent_settings_done(struct agent_settings *l)
{
    free(l->v);
}

int agent_settings(struct agent *a, const char *key, struct diag *d, struct agent_settings *ret)
{
    static char exempt[] = "filter.exempt", three[] = "3", source[] = "default",
                boot[] = "boot.mode";

    (void)a;
    if (key && strcmp(key, exempt) != 0)
        return diag_fail(d, DIAG_UNKNOWN_OBJECT, "no setting '%s'", key);
    ret->v = calloc(2, sizeof(*ret->v));
    if (!ret->v)
        return -ENOMEM;
    ret->v[0] = (struct agent_setting){exempt, three, source};
    ret->v[1] = (struct agent_setting){boot, NULL, source};
    ret->n = key ? 1 : 2;
    return 0;
}

int agent_rpc(struct agent *a, struct diag *d, struct rpc_status *ret,
              struct rpc_settings *ret_settings)
{
    (void)a;
    (void)d;
    *ret = (struct rpc_status){.available = true};
    rpc_settings_init(ret_settings);
    return 0;
}

int agent_host_addresses(struct agent *a, char ***ret, size_t *ret_n)
{
    (void)a;
    *ret = calloc(1, sizeof(**ret));
    if (!*ret)
        return -ENOMEM;
    (*ret)[0] = strdup("192.0.2.1");
    *ret_n = 1;
    return 0;
}

/* The end of the server shows that it was asked for. */
int agent_stop(struct agent *a)
{
    return sd_event_exit(a->event, 0);
}

/* --- the server in a child process --- */
static struct server {
    pid_t pid;
    int control; /* closing it stops the server */
    char path[64];
} server;

static int on_control(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    (void)userdata;
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int serve(int control, int ready)
{
    struct api_options o = {.socket_path = server.path,
                            .group_file = "/nonexistent",
                            .idle_timeout_s = 1,
                            .request_timeout_s = 2};
    struct agent agent = {0};
    struct api_server *s = NULL;
    struct diag d;
    int r;

    if (sd_event_new(&agent.event) < 0 ||
        sd_event_add_io(agent.event, NULL, control, EPOLLIN | EPOLLHUP, on_control, NULL) < 0)
        return 1;
    r = api_server_start(agent.event, &agent, &o, &d, &s);
    if (r < 0 || write(ready, "x", 1) != 1) {
        (void)fprintf(stderr, "%s\n", d.message);
        return 2;
    }
    r = sd_event_loop(agent.event);
    api_server_stop(s);
    while (jobs)
        job_remove(jobs);
    sd_event_unref(agent.event);
    return r < 0 ? 3 : access(server.path, F_OK) == 0 ? 4 : 0;
}

static int start(void **state)
{
    int control[2], ready[2];
    char c;

    (void)state;
    (void)snprintf(server.path, sizeof(server.path), "/tmp/pw-server-%d.sock", getpid());
    if (pipe(control) < 0 || pipe(ready) < 0)
        return -1;
    server.pid = fork();
    if (server.pid == 0) {
        close(control[1]);
        close(ready[0]);
        exit(serve(control[0], ready[1]));
    }
    close(control[0]);
    close(ready[1]);
    server.control = control[1];
    if (read(ready[0], &c, 1) != 1)
        return -1;
    close(ready[0]);
    return 0;
}

static int stop(void **state)
{
    int status = -1;

    (void)state;
    close(server.control);
    if (waitpid(server.pid, &status, 0) != server.pid)
        return -1;
    return status;
}

/* One request; its status, and the document. */
static unsigned ask(const char *method, const char *target, const char *body, json_t **ret_doc)
{
    struct api_request r = {.method = method,
                            .target = target,
                            .body = body,
                            .body_len = body ? strlen(body) : 0,
                            .timeout_ms = 5000};
    struct api_answer a = {0};
    struct diag d = {0};
    unsigned status;

    if (api_client_call(server.path, &r, &d, &a) < 0)
        fail_msg("%s", d.message);
    *ret_doc = json_loads(a.body, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(*ret_doc);
    status = a.status;
    api_answer_done(&a);
    return status;
}
