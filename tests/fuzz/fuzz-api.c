/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-api.c: any bytes as a request: a line "METHOD TARGET", then the body. Finds the route,
 * decodes path and query, reads the JSON body and checks the members, as exchange.c does before
 * the agent sees anything. Accepted requests have only members of their route, valid and within
 * bounds; refused ones give a document that is JSON with a code and a message; nobody gets past
 * the rights; and whatever text comes in, the fields of a filter come out as JSON. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/api/json.h"
#include "../../src/api/request.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "fuzz.h"

enum { METHOD_BYTES = 16, TARGET_BYTES = 4096, QUERY_MAX = 16 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *s)
{
    require(utf8_valid(s, strlen(s)));
}

static void check_accepted(const struct request *r)
{
    for (int p = 0; p < _PARAM_MAX; p++) {
        const char *s = r->params.text[p];

        require(!s || (r->route->params & PARAM_BIT(p)));
        require(!r->params.flag[p] || (r->route->params & PARAM_BIT(p)));
        require(!r->params.number[p] || (r->route->params & PARAM_BIT(p)));
        if (s && !(r->text_body && p == PARAM_TEXT)) /* that one the parser of the text checks */
            check_text(s);
    }
    for (size_t i = 0; i < API_CAPTURES; i++)
        if (r->capture[i])
            check_text(r->capture[i]);
    require(r->params.n_items <= LIMIT_DYNAMIC_FILTERS);
    for (size_t i = 0; i < r->params.n_items; i++)
        check_text(r->params.items[i]);
}

/* The OPs of a batch: each accepted one is of a kind that a batch may hold. */
static void check_batch(struct request *r)
{
    struct batch b = {0};
    int e = batch_read(r, &b);

    require(e == 0 || (r->has_op && r->diag.code != DIAG_NONE) || r->diag.code == DIAG_LIMIT);
    for (size_t i = 0; e == 0 && i < b.n; i++) {
        require(b.v[i].kind < _AGENT_CHANGE_KIND_MAX && b.v[i].kind != AGENT_BATCH);
        require(b.v[i].kind != AGENT_POLICY_LOAD || b.v[i].text);
        require(b.v[i].n_items <= LIMIT_DYNAMIC_FILTERS);
    }
    if (e < 0)
        require(r->op < json_array_size(r->params.json[PARAM_OPS]));
    batch_done(&b);
}

/* What a filter with this text would look like in an answer. */
static void check_fields(const char *text)
{
    json_t *j = json_filter_fields(text);

    require(json_object_size(j) == 16);
    json_decref(j);
}

static void check_refused(struct request *r)
{
    json_t *doc, *error;

    require(r->diag.code != DIAG_NONE);
    answer_diag(r);
    require(r->answered && r->status >= 400 && r->answer.s);
    doc = json_loadb(r->answer.s, r->answer.len, JSON_REJECT_DUPLICATES, NULL);
    error = json_object_get(doc, "error");
    require(json_is_false(json_object_get(doc, "ok")));
    require(json_integer_value(json_object_get(doc, "exit")) > 0);
    require(json_string_length(json_object_get(error, "message")) > 0);
    json_decref(doc);
}

/* "a=1&b" as libmicrohttpd hands it on: key and value, NULL without '='. */
static int take_query(struct request *r, char *query)
{
    char *save = NULL;
    int e = 0, n = 0;

    for (char *p = strtok_r(query, "&", &save); p && e == 0 && n < QUERY_MAX; n++) {
        char *value = strchr(p, '=');

        if (value)
            *value++ = '\0';
        e = params_from_query(r, p, value);
        p = strtok_r(NULL, "&", &save);
    }
    return e;
}

/* A text as body has its other members in the query. */
static int take_text(struct request *r, char *query, const char *body, size_t len)
{
    int e = take_query(r, query);
    char **grown = reallocarray(r->query_text, r->n_query + 1, sizeof(*grown));
    char *text = malloc(len + 1);

    require(grown && text);
    r->query_text = grown;
    r->query_text[r->n_query++] = text; /* freed with the request */
    memcpy(text, body, len);
    text[len] = '\0';
    r->text_body = true;
    if (e == 0)
        e = params_from_text(r, text, len);
    require(e < 0 || strlen(r->params.text[PARAM_TEXT]) == len);
    return e;
}

static int take_request(struct request *r, const char *method, char *target, const char *body,
                        size_t len)
{
    char *query = strchr(target, '?');
    int e;

    if (query)
        *query++ = '\0';
    e = route_find(r, method, target);
    if (e == 0)
        e = route_authorise(r);
    if (e < 0)
        return e;
    require(r->right >= r->route->right);
    if (query && route_takes_text(r))
        e = take_text(r, query, body, len);
    else if (r->route->body_max > 0)
        e = params_from_body(r, body, len);
    else if (query)
        e = take_query(r, query);
    return e < 0 ? e : params_check(r);
}

/* Copies up to the first of the stops, which is left out; what is left behind it. */
static const uint8_t *copy_until(const uint8_t *p, const uint8_t *end, const char *stops, char *to,
                                 size_t size)
{
    size_t n = 0;

    for (; p < end && !strchr(stops, *p); p++)
        if (*p && n + 1 < size)
            to[n++] = (char)*p;
    to[n] = '\0';
    return p < end ? p + 1 : p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size, *p;
    char method[METHOD_BYTES], target[TARGET_BYTES];
    struct api_peer peer = {0};

    p = copy_until(data, end, " ", method, sizeof(method));
    p = copy_until(p, end, "\n", target, sizeof(target));
    for (int right = RIGHT_NONE; right <= RIGHT_CHANGE; right++) {
        struct request r = {.peer = &peer, .right = (enum api_right)right, .client = "api"};
        char again[TARGET_BYTES];
        /* exact: ASan sees a read behind it */
        char *body = malloc(end > p ? (size_t)(end - p) : 1);

        require(body != NULL);
        memcpy(body, p, (size_t)(end - p));
        memcpy(again, target, sizeof(again));
        if (take_request(&r, method, again, body, (size_t)(end - p)) == 0) {
            check_accepted(&r);
            if (r.params.text[PARAM_TEXT])
                check_fields(r.params.text[PARAM_TEXT]);
            if (r.params.json[PARAM_OPS])
                check_batch(&r);
        } else {
            check_refused(&r);
        }
        free(body);
        request_done(&r);
    }
    return 0;
}
