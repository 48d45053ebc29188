/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_explain.c: `portward explain`: what decides a packet, and why the runner-up lost.
 * Called from the table of commands. The agent asks the reference evaluator, with --live the
 * loaded program too; a difference between them is a bug and exit 1. */
#include <ctype.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"
#include "text/text.h"

static void label(struct cli *c, const char *text)
{
    (void)fprintf(c->env->out, "%-9s  ", text);
}

/* s11 "Block Inbound TCP 135" */
static void put_who(struct cli *c, const json_t *f)
{
    const char *rule = cli_str(f, "rule");

    cli_put_styled(c, STYLE_ID, cli_str(f, "id"));
    if (*rule) {
        (void)fputc(' ', c->env->out);
        cli_put_quoted(c, rule);
    }
}

static void put_filter_text(struct cli *c, const json_t *f)
{
    cli_put_styled(c, cli_action_style(cli_str(f, "action")), cli_str(f, "text"));
}

/* Fields of the weight from the first one on, up to the one where it lost. */
static void put_fields(struct cli *c, const json_t *fields, const char *lost_in)
{
    static const struct {
        const char *name, *key;
    } table[] = {{"destination port", "destination_port"}, {"source port", "source_port"}};
    FILE *out = c->env->out;

    (void)fprintf(out, "addresses %lld (%lld + %lld)", (long long)cli_int(fields, "addresses", 0),
                  (long long)cli_int(fields, "source", 0),
                  (long long)cli_int(fields, "destination", 0));
    if (strcmp(lost_in, "addresses") == 0 || strcmp(lost_in, "source") == 0)
        return;
    (void)fputs(cli_int(fields, "protocol", 0) ? ", protocol" : ", no protocol", out);
    if (strcmp(lost_in, "protocol") == 0)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        (void)fprintf(out, ", %s %lld", table[i].name, (long long)cli_int(fields, table[i].key, 0));
        if (strcmp(lost_in, table[i].name) == 0)
            return;
    }
    if (cli_int(fields, "where", 0) || strcmp(lost_in, "where") == 0)
        (void)fprintf(out, ", where %lld", (long long)cli_int(fields, "where", 0));
}

/* Between equals: inpass demands negotiation and ranks with negotiate. */
static void put_winning_action(struct cli *c, const json_t *winner)
{
    bool block = strcmp(cli_str(winner, "action"), "block") == 0;

    (void)fprintf(c->env->out, ": loses in the action alone, %s wins",
                  block ? "block" : "negotiate");
}

/* The line below a candidate. lost_in "" = it won. */
static void put_weight(struct cli *c, const json_t *f, const char *lost_in, const json_t *winner)
{
    const char *tier = cli_str(f, "tier");

    label(c, "");
    (void)fputs("weight ", c->env->out);
    if (strcmp(tier, "ordinary") != 0) {
        cli_put(c, tier);
        (void)fputc(' ', c->env->out);
    }
    cli_put(c, cli_str(f, "weight"));
    (void)fputs(": ", c->env->out);
    if (strcmp(lost_in, "tier") == 0)
        cli_put(c, tier);
    else
        put_fields(c, json_object_get(f, "fields"), lost_in);
    if (strcmp(lost_in, "source") == 0)
        (void)fputs(": loses in the source", c->env->out);
    else if (strcmp(lost_in, "action") == 0)
        put_winning_action(c, winner);
    else if (strcmp(lost_in, "expiry") == 0)
        (void)fputs(": its time is over", c->env->out);
    else if (strcmp(lost_in, "layer") == 0 || strcmp(lost_in, "guid") == 0)
        (void)fputs(": equal, does not count", c->env->out);
    else if (*lost_in)
        (void)fputs(": loses there", c->env->out);
    (void)fputc('\n', c->env->out);
}

/* "permit by s12 "Allow 135 from LAN" (policy "Block RPC Ports", local)" */
static void put_verdict(struct cli *c, const json_t *data)
{
    const char *decider = cli_str(data, "decider"), *verdict = cli_str(data, "verdict");
    const json_t *winner = json_object_get(data, "winner");
    const char *policy = cli_str(winner, "policy"), *exemption = cli_str(data, "exemption");

    cli_put_styled(c, cli_action_style(verdict), verdict);
    if (strcmp(decider, "filter") == 0 && json_is_object(winner)) {
        (void)fputs(" by ", c->env->out);
        put_who(c, winner);
        (void)fputs(" (", c->env->out);
        if (*policy) {
            (void)fputs("policy ", c->env->out);
            cli_put_quoted(c, policy);
            (void)fputs(", ", c->env->out);
        }
        cli_put(c, cli_str(winner, "layer"));
        (void)fputc(')', c->env->out);
    } else if (strcmp(decider, "no-match") == 0) {
        (void)fputs(": no filter matches", c->env->out);
    } else if (strcmp(decider, "earlier") == 0) {
        (void)fputs(": judged on the way in", c->env->out);
    } else if (strcmp(decider, "structure") == 0) {
        (void)fputs(" for its structure: ", c->env->out);
        cli_put(c, cli_str(data, "reason"));
    } else {
        (void)fputs(" by ", c->env->out);
        cli_put(c, decider);
        if (*exemption && strcmp(exemption, decider) != 0) {
            (void)fputs(": ", c->env->out);
            cli_put(c, exemption);
        }
    }
    (void)fputc('\n', c->env->out);
}

/* A filter that negotiates decides for packets in the clear only. */
static void put_negotiation(struct cli *c, const json_t *data)
{
    if (strcmp(cli_str(data, "reason"), "no-sa") != 0)
        return;
    label(c, "negotiate");
    (void)fputs("denied in the clear, and negotiation is not configured\n", c->env->out);
}

static void put_candidates(struct cli *c, const json_t *data)
{
    const json_t *winner = json_object_get(data, "winner"), *o;
    const json_t *runner_up = json_object_get(data, "runner_up");
    const json_t *others = json_object_get(data, "others");
    int64_t n_others = cli_int(data, "n_others", 0);
    size_t i;

    if (json_is_object(winner)) {
        label(c, "winner");
        put_filter_text(c, winner);
        (void)fputc('\n', c->env->out);
        if (json_is_object(json_object_get(winner, "fields")))
            put_weight(c, winner, "", winner);
    }
    if (json_is_object(runner_up)) {
        label(c, "runner-up");
        put_who(c, runner_up);
        (void)fputs("  ", c->env->out);
        put_filter_text(c, runner_up);
        (void)fputc('\n', c->env->out);
        put_weight(c, runner_up, cli_str(data, "lost_in"), winner);
    }
    json_array_foreach(others, i, o)
    {
        label(c, i ? "" : "others");
        put_who(c, o);
        (void)fputs("  ", c->env->out);
        put_filter_text(c, o);
        (void)fputc('\n', c->env->out);
    }
    if (json_array_size(others) == 0) {
        label(c, "others");
        (void)fputs("none\n", c->env->out);
    } else if (n_others > (int64_t)json_array_size(others)) {
        label(c, "");
        (void)fprintf(c->env->out, "and %lld more\n",
                      (long long)(n_others - (int64_t)json_array_size(others)));
    }
}

static void put_path(struct cli *c, const json_t *path)
{
    const char *interface = cli_str(path, "interface");

    label(c, "path");
    if (!*interface) {
        (void)fputs("interface not known\n", c->env->out);
        return;
    }
    cli_put(c, interface);
    (void)fputc(' ', c->env->out);
    cli_put(c, cli_str(path, "role"));
    if (json_is_true(json_object_get(path, "attached"))) {
        (void)fputs(", ", c->env->out);
        for (const char *p = cli_str(path, "hook"); *p; p++)
            (void)fputc(isalnum((unsigned char)*p) ? toupper((unsigned char)*p) : '?', c->env->out);
        (void)fputc('\n', c->env->out);
    } else {
        bool guarded = strcmp(cli_str(path, "guard"), "on") == 0;

        (void)fputs(guarded ? ", not attached: the guard judges\n"
                            : ", not attached: nothing is filtered there\n",
                    c->env->out);
    }
}

/* What reads or sends past the hook, the first few. */
static void put_beside(struct cli *c, const json_t *list)
{
    enum { SHOWN = 5 };
    const json_t *b;
    size_t i;

    json_array_foreach(list, i, b)
    {
        label(c, i ? "" : "beside");
        if (i == SHOWN) {
            (void)fprintf(c->env->out, "and %zu more, see: portward status --json\n",
                          json_array_size(list) - i);
            return;
        }
        cli_put(c, cli_str(b, "text"));
        (void)fputc('\n', c->env->out);
    }
}

/* What `keep state` remembers about the packet's flow, or would. */
static void put_state(struct cli *c, const json_t *state, bool blocked)
{
    const char *filter = cli_str(state, "filter");
    bool exists = json_is_true(json_object_get(state, "exists"));

    if (!json_is_object(state))
        return;
    label(c, "state");
    (void)fputs(!exists                                          ? "would be remembered in "
                : json_is_true(json_object_get(state, "answer")) ? "answers a flow in "
                                                                 : "of a flow in ",
                c->env->out);
    cli_put(c, cli_str(state, "table"));
    if (*filter) {
        (void)fputs(", permitted by ", c->env->out);
        cli_put_styled(c, STYLE_ID, filter);
    }
    if (blocked && exists)
        (void)fputs(json_is_true(json_object_get(state, "passes"))
                        ? ": passes for that, whatever the verdict above"
                        : ": does not pass for that",
                    c->env->out);
    (void)fputc('\n', c->env->out);
}

static void put_kernel(struct cli *c, const json_t *kernel)
{
    if (!json_is_object(kernel))
        return;
    label(c, "kernel");
    if (json_is_true(json_object_get(kernel, "agrees"))) {
        (void)fprintf(c->env->out, "agrees, generation %lld\n",
                      (long long)cli_int(kernel, "generation", 0));
        return;
    }
    cli_put_styled(c, STYLE_BLOCK, "DISAGREES");
    (void)fprintf(c->env->out, ", generation %lld: ", (long long)cli_int(kernel, "generation", 0));
    cli_put(c, cli_str(kernel, "verdict"));
    if (*cli_str(kernel, "id")) {
        (void)fputs(" by ", c->env->out);
        cli_put(c, cli_str(kernel, "id"));
    }
    (void)fputc('\n', c->env->out);
}

/* What the answer means for scripts, beyond "answered". */
static int judge(struct cli *c, const json_t *data)
{
    const json_t *kernel = json_object_get(data, "kernel");
    const char *expect = c->args.value[OPT_EXPECT], *verdict = cli_str(data, "verdict");
    int code = 0;

    if (json_is_object(kernel) && !json_is_true(json_object_get(kernel, "agrees"))) {
        (void)fflush(c->env->out);
        (void)fputs("portward: the loaded program and the evaluator disagree; this is a bug\n",
                    c->env->err);
        cli_hint(c, "attach to the report: portward explain ... --live --json");
        code = 1;
    }
    if (expect && strcmp(expect, verdict) != 0) {
        (void)fflush(c->env->out);
        (void)fprintf(c->env->err, "portward: expected %s, the verdict is %s\n", expect,
                      strcmp(verdict, "block") == 0 ? "block" : "permit");
        code = api_exit_worse(code, 6);
    }
    return code;
}

int cmd_explain(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    _cleanup_json_ json_t *doc = NULL;
    const char *expect = c->args.value[OPT_EXPECT];
    struct packet_text packet;
    struct diag d;
    json_t *body;
    int code;

    if (expect && strcmp(expect, "block") != 0 && strcmp(expect, "permit") != 0)
        return cli_fail_usage(c, "--expect block or --expect permit", "unknown verdict '%s'",
                              expect);
    code = cli_join(c, NULL, c->words, c->n_words, &text);
    if (code)
        return code;
    if (text_parse_packet(text.s, text.len, &d, &packet) < 0)
        return cli_fail(c, &d);
    body = json_object();
    if (!body)
        cli_out_of_memory();
    cli_set_string(body, "packet", text.s);
    cli_set_flag(body, "live", c->args.given[OPT_LIVE]);
    code = cli_ask(c, "POST", "/v1/explain", body, &doc);
    if (code)
        return code;
    if (!c->json) {
        const json_t *data = cli_data(doc);

        put_verdict(c, data);
        put_negotiation(c, data);
        put_candidates(c, data);
        put_state(c, json_object_get(data, "state"),
                  strcmp(cli_str(data, "verdict"), "block") == 0);
        put_path(c, json_object_get(data, "path"));
        put_beside(c, json_object_get(json_object_get(data, "path"), "beside"));
        put_kernel(c, json_object_get(data, "kernel"));
        cli_report_warnings(c, doc);
    }
    return judge(c, cli_data(doc));
}
