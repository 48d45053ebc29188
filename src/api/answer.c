/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/answer.c: writes answers into a request. Called by routes.c, the handlers and server.c.
 * A request gets exactly one answer; when memory runs out while writing it, a fixed text that
 * needs none takes its place. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "request.h"

static const char out_of_memory[] =
    "{\"schema\":\"portward.error/1\",\"ok\":false,\"exit\":1,\"error\":{\"code\":\"system\","
    "\"message\":\"out of memory\",\"hint\":null,\"spans\":[]},\"errors\":[],\"n_errors\":1}\n";

void request_done(struct request *r)
{
    for (size_t i = 0; i < API_CAPTURES; i++)
        free(r->capture[i]);
    for (size_t i = 0; i < r->n_query; i++)
        free(r->query_text[i]);
    free(r->query_text);
    api_params_done(&r->params);
    json_decref(r->body);
    agent_filters_done(&r->list.l);
    strbuf_done(&r->answer);
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void answer_reset(struct request *r)
{
    strbuf_done(&r->answer);
    r->answer = (struct strbuf)STRBUF_INIT(LIMIT_API_ANSWER_BYTES);
}

/* docs/api.md: what clients look at is "exit". */
static unsigned http_status(const struct diag *d, int exit)
{
    switch (exit) {
    case 2:
        return 400;
    case 3:
        return 503;
    case 4:
        return 403;
    case 5:
    case 9:
        return 409;
    case 7:
        return 422;
    default:
        return d->code == DIAG_UNKNOWN_OBJECT ? 404 : 500;
    }
}

static void answer_out_of_memory(struct request *r)
{
    answer_reset(r);
    r->status = 500;
    r->answered = true;
    /* An empty answer is replaced by server.c with the text below. */
}

const char *answer_fallback(size_t *ret_len)
{
    *ret_len = sizeof(out_of_memory) - 1;
    return out_of_memory;
}

void answer_error(struct request *r, const struct diag_list *l)
{
    enum api_text_origin origin = r->has_op  ? r->op_origin
                                  : r->route ? r->route->origin
                                             : API_TEXT_WORDS;
    _cleanup_json_ json_t *doc = api_error_document(l, origin, /* file= */ NULL);
    const struct diag *first = &l->d[0];

    if (r->has_op && json_object_set_new(doc, "op", json_integer((json_int_t)r->op)) < 0)
        json_decrefp(&doc); /* no memory: see below */
    answer_reset(r);
    if (r->status == 0)
        r->status = http_status(first, api_exit_code_list(l, origin));
    (void)api_json_add(&r->answer, doc); /* sticky */
    if (strbuf_add(&r->answer, "\n") < 0)
        answer_out_of_memory(r);
    r->answered = true;
}

void answer_diag(struct request *r)
{
    struct diag_list l = {0};

    diag_list_add(&l, &r->diag, /* warning= */ false);
    answer_error(r, &l);
}

void answer_begin(struct request *r, uint64_t generation)
{
    answer_reset(r);
    (void)api_ok_begin(&r->answer, r->verb, generation, now_ms()); /* sticky */
}

int answer_end(struct request *r, json_t *warnings)
{
    _cleanup_json_ json_t *owned = warnings;

    r->status = 200;
    r->answered = true;
    if (api_ok_end(&r->answer, owned) == 0)
        return 0;
    if (r->answer.error == -E2BIG) {
        r->status = 0;
        r->answered = false;
        return diag_fail(&r->diag, DIAG_LIMIT, "answer exceeds %d bytes", LIMIT_API_ANSWER_BYTES);
    }
    answer_out_of_memory(r);
    return 0;
}

int answer_data(struct request *r, uint64_t generation, json_t *data, json_t *warnings)
{
    _cleanup_json_ json_t *owned = data;

    answer_begin(r, generation);
    (void)api_json_add(&r->answer, owned); /* sticky */
    return answer_end(r, warnings);
}
