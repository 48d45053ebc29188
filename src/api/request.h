/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request on its way: what server.c received, what the routes make of it, and the answer.
 * Knows nothing of libmicrohttpd; server.c alone does. */
#pragma once
#include <jansson.h>

#include "agent/agent.h"
#include "apiclient/document.h"
#include "rights.h"

/* Members of bodies and parameters of queries; each route takes some of them. */
enum param {
    PARAM_TEXT,
    PARAM_NAME,
    PARAM_PACKET,
    PARAM_REASON,
    PARAM_LAYER,
    PARAM_POLICY,
    PARAM_REPLACE,
    PARAM_CREATE,
    PARAM_PERSISTENT,
    PARAM_LIVE,
    PARAM_ALL,
    PARAM_SOURCE,
    PARAM_ITEMS,
    PARAM_REVISION,
    PARAM_LIMIT,
    PARAM_IF_GENERATION,
    PARAM_PEER,
    PARAM_DRY_RUN,
    PARAM_IF_STATE,
    PARAM_ORIGIN,
    PARAM_OPS,
    PARAM_OP,
    PARAM_CHANGE,
    PARAM_RENAMED_FROM,
    PARAM_RENAMED_RULES,
    PARAM_UNASSIGN,
    PARAM_KEY,
    PARAM_VALUE,
    PARAM_ID,
    PARAM_IDS,
    PARAM_KEEP_HOLDERS,
    PARAM_AFTER,
    _PARAM_MAX,
};
_Static_assert(_PARAM_MAX <= 32, "a bit for each");
#define PARAM_BIT(p) (1u << (p))

struct api_params {
    const char *text[_PARAM_MAX]; /* strings, borrowed from the request */
    bool flag[_PARAM_MAX];
    uint64_t number[_PARAM_MAX]; /* 0 = not given */
    const char **items;          /* owned array of borrowed strings */
    size_t n_items;
    const json_t *json[_PARAM_MAX]; /* objects and arrays that the handler reads, borrowed */
};
void api_params_done(struct api_params *p);

enum { API_CAPTURES = 2 };

struct request;
struct sessions;
struct route {
    const char *method;
    const char *path; /* "*" stands for one segment */
    const char *verb; /* of the schema */
    enum api_right right;
    size_t body_max;   /* 0 = takes no body */
    unsigned params;   /* PARAM_BIT()s it takes, in the query for GET, in the body otherwise */
    unsigned required; /* of these */
    enum api_text_origin origin;
    /* 0: the answer is written. 1: it comes later. Negative: r->diag. */
    int (*handle)(struct request *r);
};

/* A list as an answer, which is written in parts if it is long. */
struct api_list {
    struct agent_list_query q;
    const char *member; /* its name in "data" */
    struct agent_filters l;
    size_t next; /* filter to be written */
    bool begun;
};

struct request {
    struct agent *agent;
    struct sessions *sessions;
    const struct api_peer *peer;
    enum api_right right;
    const char *client; /* "cli" or "api", static */
    const struct route *route;
    char *capture[API_CAPTURES]; /* decoded, owned */
    struct api_params params;
    bool text_body;    /* the body is the text itself, its parameters are in the query */
    char *given_text;  /* that text, for who needs it longer than the call: takes it, leaves NULL */
    json_t *body;      /* what params point into, owned */
    char **query_text; /* the same for a query: owned strings, n_query of them */
    size_t n_query;
    struct diag diag;

    /* the answer */
    const char *verb; /* of its schema, static */
    bool answered;
    bool stop_agent; /* once the answer is sent */
    size_t op;       /* of a batch, which the error belongs to, if has_op */
    bool has_op;
    enum api_text_origin op_origin;
    unsigned status;
    struct strbuf answer;

    /* a change under way */
    bool waiting;
    uint64_t change_id;
    enum agent_change_kind change_kind;
    void (*reply)(struct request *r, const struct agent_result *result);
    void (*wake)(struct request *r); /* set by server.c: the answer is there */

    /* an answer in parts, between which others are served: it waits, too, but for nobody else */
    struct api_list list;
    int (*more)(struct request *r); /* writes a part: 1 = goes on, 0 = that was all, or negative */
};
void request_done(struct request *r);

/* --- routes.c --- */
/* Finds the route and decodes the captures; else negative with r->diag. */
_must_check_ int route_find(struct request *r, const char *method, const char *path);
/* Refuses whom r->right is not enough for. */
_must_check_ int route_authorise(struct request *r);
/* Whether the body may be the text itself. Policies can be large: as a JSON string they are
 * escaped, unescaped and copied on the way. */
bool route_takes_text(const struct request *r);
/* Runs the route's handler with the complete request and writes whatever answer there is. */
void route_run(struct request *r, const char *body, size_t body_len);
/* Percent-decoding of one segment or value: owned text, or negative (bad escape, NUL, not
 * UTF-8). */
_must_check_ int route_decode(const char *s, size_t n, char **ret);
extern const struct route api_routes[];
extern const size_t api_n_routes;

/* --- params.c --- */
_must_check_ int params_from_body(struct request *r, const char *body, size_t len);
/* The body of r->text_body: text[len] is NUL, and it lives until the handler has returned, or is
 * r->given_text. */
_must_check_ int params_from_text(struct request *r, const char *text, size_t len);
_must_check_ int params_from_query(struct request *r, const char *key, const char *value);
_must_check_ int params_check(struct request *r);
/* Members of one object into *p, which is empty: those of the mask, no others. */
_must_check_ int params_from_object(struct request *r, const json_t *object, unsigned mask,
                                    struct api_params *p);
const char *param_name(enum param p);

/* --- answer.c --- */
void answer_error(struct request *r, const struct diag_list *l);
void answer_diag(struct request *r);
/* Envelope around data, which is taken over. */
int answer_data(struct request *r, uint64_t generation, json_t *data, json_t *warnings);
/* The same in pieces. */
void answer_begin(struct request *r, uint64_t generation);
int answer_end(struct request *r, json_t *warnings);

/* The text to send where an answer is empty because memory ran out. */
const char *answer_fallback(size_t *ret_len);

/* --- session.c --- */
/* Values that the callers keep here between two commands, by uid. */
_must_check_ int sessions_new(struct sessions **ret);
struct sessions *sessions_free(struct sessions *s);
/* NULL = none. Borrowed until the next call. */
const char *sessions_get(struct sessions *s, uint32_t uid, const char *key);
/* value NULL removes. DIAG_LIMIT. */
_must_check_ int sessions_put(struct sessions *s, uint32_t uid, const char *key, const char *value,
                              struct diag *d);

/* --- handle_changes.c --- */
/* Queues a change; its answer is made by reply. Returns 1, or negative with r->diag. */
_must_check_ int change_start(struct request *r, struct agent_change *c,
                              void (*reply)(struct request *r, const struct agent_result *result));
void change_reply(struct request *r, const struct agent_result *result, json_t *data);
/* `data` of the answer to a change of this kind. NULL = no memory. */
json_t *change_data(enum agent_change_kind kind, const struct agent_result *result);

/* --- handle_batch.c --- */
/* The ops of a batch as the agent takes them. Strings are those of the body. */
struct batch {
    struct agent_change *v;
    size_t n;
};
/* On failure *b holds a part. */
_must_check_ int batch_read(struct request *r, struct batch *b);
void batch_done(struct batch *b);
/* How errors in the text of OP number r->op count. */
enum api_text_origin batch_op_origin(const struct request *r);

/* --- handlers --- */
int handle_status(struct request *r);
int handle_list(struct request *r);
int handle_counters(struct request *r);
int handle_flows(struct request *r);
int handle_policies(struct request *r);
int handle_policy_text(struct request *r);
int handle_history(struct request *r);
int handle_explain(struct request *r);
int handle_filter_add(struct request *r);
int handle_filter_delete(struct request *r);
int handle_flush(struct request *r);
int handle_policy_load(struct request *r);
int handle_policy_delete(struct request *r);
int handle_policy_rollback(struct request *r);
int handle_assign(struct request *r);
int handle_unassign(struct request *r);
int handle_rule_add(struct request *r);
int handle_rule_delete(struct request *r);
int handle_counters_reset(struct request *r);
int handle_flows_delete(struct request *r);
int handle_batch(struct request *r);
int handle_mpp(struct request *r);
int handle_mpp_change(struct request *r);
int handle_mpp_ranking(struct request *r);
int handle_mpp_records(struct request *r);
int handle_log(struct request *r);
int handle_metrics(struct request *r);
int handle_state(struct request *r);
int handle_library(struct request *r);
int handle_settings(struct request *r);
int handle_rpc(struct request *r);
int handle_host(struct request *r);
int handle_sockets(struct request *r);
int handle_reach(struct request *r);
int handle_session_get(struct request *r);
int handle_session_put(struct request *r);
int handle_stop(struct request *r);
