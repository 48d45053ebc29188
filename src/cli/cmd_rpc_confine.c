/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_rpc_confine.c: `portward rpc confine`: which servers get their ports from the range.
 * Called from the table of commands. The lists are settings; they are read and written back in one
 * change, which is refused if somebody else changed something in between. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"

static const char *const lists[] = {"rpc.confine", "rpc.loose", "rpc.local", "rpc.default"};
enum { LIST_CONFINE, LIST_LOOSE, N_LISTS = ARRAY_SIZE(lists) };

/* "rpcbind" -> "rpcbind.service", "/app/" -> "/app". Owned. */
static char *unit_name(const char *word)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    size_t n = strlen(word);
    char *s;

    while (*word == '/' && n > 1 && word[n - 1] == '/')
        n--;
    (void)strbuf_add_n(&b, word, n); /* errors are sticky */
    if (*word != '/' && !strchr(word, '.'))
        (void)strbuf_add(&b, ".service");
    s = b.error ? NULL : strbuf_take(&b);
    if (!s)
        cli_out_of_memory();
    return s;
}

/* The words of list, and whether name is one of them; without it. */
static bool take_out(const char *list, const char *name, struct strbuf *out)
{
    size_t len = strlen(name);
    bool had = false;

    for (const char *at = list + strspn(list, ", "); *at; at += strspn(at, ", ")) {
        size_t n = strcspn(at, ", ");

        if (n == len && memcmp(at, name, n) == 0)
            had = true;
        else if (strbuf_addf(out, "%s%.*s", out->len ? " " : "", (int)n, at) < 0)
            cli_out_of_memory();
        at += n;
    }
    return had;
}

static int fetch_list(struct cli *c, const char *key, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    int code;

    (void)strbuf_addf(&target, "/v1/settings?key=%s", key); /* fits */
    code = cli_fetch(c, "GET", target.s, &doc);
    if (code)
        return code;
    *ret = strdup(cli_str(json_array_get(json_object_get(cli_data(doc), "settings"), 0), "value"));
    if (!*ret)
        cli_out_of_memory();
    return 0;
}

/* Takes the name out of every list and, unless it is to be removed, puts it into its own. */
static int change_lists(struct cli *c, char *values[N_LISTS], const char *name)
{
    int to = c->args.given[OPT_LOOSE] ? LIST_LOOSE : LIST_CONFINE;
    bool had = false;

    for (int i = 0; i < N_LISTS; i++) {
        _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);

        had |= take_out(values[i], name, &b);
        if (i == to && !c->args.given[OPT_REMOVE] &&
            strbuf_addf(&b, "%s%s", b.len ? " " : "", name) < 0)
            cli_out_of_memory();
        free(values[i]);
        values[i] = strdup(b.s ? b.s : "");
        if (!values[i])
            cli_out_of_memory();
    }
    if (had || !c->args.given[OPT_REMOVE])
        return 0;
    struct diag d;
    (void)diag_fail(&d, DIAG_UNKNOWN_OBJECT, "'%.200s' is not confined", name);
    diag_hint(&d, "portward rpc show");
    return cli_fail(c, &d);
}

static json_t *make_ops(char *const before[N_LISTS], char *const values[N_LISTS])
{
    json_t *ops = json_array();

    for (int i = 0; i < N_LISTS && ops; i++) {
        if (strcmp(before[i], values[i]) == 0)
            continue;
        if (json_array_append_new(ops, json_pack("{s:s, s:s, s:s}", "op", "setting", "key",
                                                 lists[i], "value", values[i])) < 0)
            cli_out_of_memory();
    }
    if (!ops)
        cli_out_of_memory();
    return ops;
}

static const json_t *find_unit(const json_t *data, const char *name)
{
    const json_t *u;
    size_t i;

    json_array_foreach(json_object_get(data, "units"), i, u)
    {
        if (strcmp(cli_str(u, "name"), name) == 0)
            return u;
    }
    return NULL;
}

static void put_unit(struct cli *c, const json_t *data, const char *name, int width)
{
    const json_t *u = find_unit(data, name);
    const char *state = cli_str(u, "state"), *outside = cli_str(u, "outside");

    (void)fprintf(c->env->out, "%-*s  ", width, name);
    if (c->args.given[OPT_REMOVE] && !c->dry_run)
        (void)fputs("not confined any more; its sockets keep their ports", c->env->out);
    else if (c->dry_run)
        (void)fputs(c->args.given[OPT_REMOVE] ? "would not be confined" : "would be confined",
                    c->env->out);
    else if (!*cli_str(data, "ports"))
        (void)fputs("confined once a range is set", c->env->out);
    else if (strcmp(state, "restart needed") == 0)
        (void)fprintf(c->env->out, "confined after a restart: %s outside the range", outside);
    else if (strcmp(state, "not running") == 0)
        (void)fputs("confined when it starts", c->env->out);
    else if (strcmp(state, "kept outside") == 0)
        (void)fputs("kept outside of the range, by its class", c->env->out);
    else if (strcmp(state, "confined") == 0)
        (void)fputs("confined", c->env->out);
    else
        (void)fprintf(c->env->out, "%s: %s", state, cli_str(u, "reason"));
    (void)fputc('\n', c->env->out);
}

static int put_result(struct cli *c, char *const *names)
{
    _cleanup_json_ json_t *doc = NULL;
    int width = 0, code = cli_fetch(c, "GET", "/v1/rpc", &doc);

    if (code)
        return code;
    for (int i = 0; i < c->n_words; i++)
        width = (int)strlen(names[i]) > width ? (int)strlen(names[i]) : width;
    for (int i = 0; i < c->n_words; i++)
        put_unit(c, cli_data(doc), names[i], width);
    if (!*cli_str(cli_data(doc), "ports"))
        cli_hint(c, "portward rpc range 5001-5021");
    return 0;
}

static int change(struct cli *c, char *const *names, char *before[N_LISTS], char *values[N_LISTS])
{
    _cleanup_json_ json_t *state = NULL, *doc = NULL;
    json_t *body, *ops;
    int code = cli_fetch(c, "GET", "/v1/state", &state);

    for (int i = 0; i < N_LISTS && code == 0; i++) {
        code = fetch_list(c, lists[i], &before[i]);
        if (code == 0 && !(values[i] = strdup(before[i])))
            cli_out_of_memory();
    }
    for (int i = 0; i < c->n_words && code == 0; i++)
        code = change_lists(c, values, names[i]);
    if (code)
        return code;
    ops = make_ops(before, values);
    body = cli_change_body(c);
    cli_set_number(body, "if_state", cli_int(cli_data(state), "state", 0));
    if (json_object_set_new(body, "ops", ops) < 0)
        cli_out_of_memory();
    code = cli_ask(c, "POST", "/v1/batch", body, &doc);
    if (code || c->json)
        return code;
    if (!c->quiet)
        code = put_result(c, names);
    cli_report_warnings(c, doc);
    return code;
}

int cmd_rpc_confine(struct cli *c)
{
    char **names = calloc((size_t)c->n_words, sizeof(*names));
    char *before[N_LISTS] = {NULL}, *values[N_LISTS] = {NULL};

    if (!names)
        cli_out_of_memory();
    for (int i = 0; i < c->n_words; i++)
        names[i] = unit_name(c->words[i]);
    int code = change(c, names, before, values);
    for (int i = 0; i < N_LISTS; i++) {
        free(before[i]);
        free(values[i]);
    }
    for (int i = 0; i < c->n_words; i++)
        free(names[i]);
    free(names);
    return code;
}
