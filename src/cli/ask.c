/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/ask.c: one question to the agent and its answer. Called by every verb. With --json the
 * answer's body goes to stdout byte by byte as the agent wrote it, for failures too. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"

void cli_set_string(json_t *body, const char *key, const char *value)
{
    if (json_object_set_new(body, key, json_string(value)) < 0)
        cli_out_of_memory();
}

void cli_set_flag(json_t *body, const char *key, bool value)
{
    if (value && json_object_set_new(body, key, json_true()) < 0)
        cli_out_of_memory();
}

void cli_set_number(json_t *body, const char *key, int64_t value)
{
    if (json_object_set_new(body, key, json_integer(value)) < 0)
        cli_out_of_memory();
}

/* First word of SSH_CONNECTION (sshd(8)): the address of the other side. */
static void add_peer(const struct cli *c, json_t *body)
{
    const char *ssh = c->env->ssh ? c->env->ssh : "";
    unsigned char bytes[sizeof(struct in6_addr)];
    char peer[INET6_ADDRSTRLEN];
    size_t n = strcspn(ssh, " %"); /* without the scope of fe80::1%eth0 */

    if (n == 0 || n >= sizeof(peer))
        return;
    (void)snprintf(peer, sizeof(peer), "%.*s", (int)n, ssh); /* fits, see above */
    if (inet_pton(AF_INET, peer, bytes) == 1 || inet_pton(AF_INET6, peer, bytes) == 1)
        cli_set_string(body, "peer", peer);
}

json_t *cli_change_body(struct cli *c)
{
    json_t *body = json_object();

    if (!body)
        cli_out_of_memory();
    if (c->args.value[OPT_REASON])
        cli_set_string(body, "reason", c->args.value[OPT_REASON]);
    if (c->if_generation)
        cli_set_number(body, "if_generation", c->if_generation);
    cli_set_flag(body, "dry_run", c->dry_run);
    add_peer(c, body);
    return body;
}

const json_t *cli_data(const json_t *doc)
{
    return json_object_get(doc, "data");
}

const char *cli_str(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

int64_t cli_int(const json_t *object, const char *key, int64_t unknown)
{
    const json_t *j = json_object_get(object, key);

    return json_is_integer(j) ? json_integer_value(j) : unknown;
}

static int fail_not_understood(struct cli *c, const struct api_answer *a)
{
    struct diag d;

    (void)diag_fail(&d, DIAG_AGENT, "answer of the agent is not understood (%s, status %u)",
                    c->socket_path, a->status);
    return cli_fail(c, &d);
}

static void print_body(struct cli *c, const struct api_answer *a)
{
    (void)fwrite(a->body, 1, a->body_len, c->env->out); /* errors are looked at at the end */
    if (a->body_len == 0 || a->body[a->body_len - 1] != '\n')
        (void)fputc('\n', c->env->out);
}

/* Exit code of an answer that is an error document; 0: it is a good one. */
static int take_answer(struct cli *c, const struct api_answer *a, bool print, json_t **ret_doc)
{
    _cleanup_json_ json_t *doc = json_loadb(a->body, a->body_len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *ok = json_object_get(doc, "ok");

    if (!json_is_boolean(ok) || (json_is_true(ok) && !json_is_object(cli_data(doc))) ||
        (json_is_false(ok) && cli_int(doc, "exit", 0) <= 0))
        return fail_not_understood(c, a);
    c->generation = cli_int(doc, "generation", 0);
    if (c->json && (print || json_is_false(ok)))
        print_body(c, a);
    if (json_is_false(ok))
        return c->json ? (int)cli_int(doc, "exit", 1) : cli_report_error(c, doc);
    *ret_doc = TAKE_PTR(doc);
    return 0;
}

int cli_policy_target(struct cli *c, const char *name, const char *rest, struct strbuf *target)
{
    (void)strbuf_add(target, "/v1/policies/"); /* errors are sticky */
    (void)api_target_add_segment(target, name);
    if (strbuf_add(target, rest) < 0)
        return cli_fail_usage(c, NULL, "name of the policy is too long");
    return *name ? 0 : cli_fail_usage(c, "portward policy list", "name of the policy is empty");
}

void cli_split_revision(const char *word, char **ret_name, int64_t *ret_revision)
{
    enum { DIGITS_MAX = 10 }; /* of UINT32_MAX */
    const char *at = strrchr(word, '@');
    size_t digits = at ? strspn(at + 1, "0123456789") : 0;
    bool has_revision =
        at && at > word && digits > 0 && digits <= DIGITS_MAX && !at[1 + digits] && at[1] != '0';

    *ret_revision = has_revision ? strtoll(at + 1, NULL, 10) : 0;
    *ret_name = has_revision ? strndup(word, (size_t)(at - word)) : strdup(word);
    if (!*ret_name)
        cli_out_of_memory();
}

static int ask(struct cli *c, struct api_request *r, bool print, struct diag *d, json_t **ret_doc)
{
    _cleanup_(api_answer_done) struct api_answer answer = {0};

    r->timeout_ms = c->timeout_ms;
    if (api_client_call(c->socket_path, r, d, &answer) < 0)
        return -1;
    return take_answer(c, &answer, print, ret_doc);
}

int cli_fetch(struct cli *c, const char *method, const char *target, json_t **ret_doc)
{
    struct api_request r = {.method = method, .target = target};
    struct diag d;
    int code = ask(c, &r, /* print= */ false, &d, ret_doc);

    return code < 0 ? cli_fail(c, &d) : code;
}

void cli_put_document(struct cli *c, const char *verb, json_t *data)
{
    _cleanup_json_ json_t *owned = data;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(LIMIT_API_ANSWER_BYTES);

    (void)api_ok_begin(&b, verb, (uint64_t)c->generation, c->env->now_s * 1000); /* sticky */
    (void)api_json_add(&b, owned);
    if (api_ok_end(&b, NULL) < 0)
        cli_out_of_memory();
    (void)fwrite(b.s, 1, b.len, c->env->out); /* errors are looked at at the end */
}

int cli_try_ask(struct cli *c, const char *method, const char *target, json_t *body, struct diag *d,
                json_t **ret_doc)
{
    _cleanup_json_ json_t *owned = body;
    _cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct api_request r = {
        .method = method, .target = target, .body = text, .body_len = text ? strlen(text) : 0};

    if (body && !text)
        cli_out_of_memory();
    json_decrefp(&owned); /* a policy can be large: not kept twice while waiting */
    return ask(c, &r, /* print= */ true, d, ret_doc);
}

int cli_ask(struct cli *c, const char *method, const char *target, json_t *body, json_t **ret_doc)
{
    struct diag d;
    int code = cli_try_ask(c, method, target, body, &d, ret_doc);

    return code < 0 ? cli_fail(c, &d) : code;
}

/* Strings, numbers and flags: requests with a text have no other members. */
static int add_query(struct strbuf *target, json_t *members)
{
    const char *key;
    json_t *value;

    json_object_foreach(members, key, value)
    {
        char number[24] = "1"; /* of a flag */

        if (json_is_integer(value))
            (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
                           json_integer_value(value)); /* fits */
        if (api_target_add_query(target, key,
                                 json_is_string(value) ? json_string_value(value) : number) < 0)
            return -ENOMEM;
    }
    return 0;
}

int cli_ask_text(struct cli *c, const char *path, json_t *members, const struct cli_source *text,
                 int (*check)(struct cli *c), json_t **ret_doc)
{
    _cleanup_json_ json_t *owned = members;
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    struct diag d;

    if (strbuf_add(&target, path) < 0 || add_query(&target, owned) < 0)
        cli_out_of_memory(); /* reason and names are shorter than the target may be */
    int r = api_client_call(c->socket_path,
                            &(struct api_request){.method = "POST",
                                                  .target = target.s,
                                                  .body = text->text,
                                                  .body_len = text->len,
                                                  .text = true,
                                                  .timeout_ms = c->timeout_ms},
                            &d, &answer);
    int code = r < 0 || answer.status != API_STATUS_OK ? check(c) : 0;
    if (code)
        return code;
    return r < 0 ? cli_fail(c, &d) : take_answer(c, &answer, /* print= */ true, ret_doc);
}
