/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_rpc_range.c: `portward rpc range`: the set of ports that confined servers get, and the
 * policy of KB908472 that goes with it. Called from the table of commands. One batch: settings and
 * policy change together or not at all. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"
#include "rpc/settings.h"
#include "text/text.h"

/* --- the set --- */
static bool is_internet(const struct cli *c, enum cli_option_id id)
{
    const char *value = c->args.value[id];

    return !value || strcmp(value, "internet") == 0;
}

static int check_class(struct cli *c, enum cli_option_id id)
{
    const char *value = c->args.value[id];

    if (!value || strcmp(value, "internet") == 0 || strcmp(value, "intranet") == 0)
        return 0;
    return cli_fail_usage(c, NULL, "'--%s' is internet or intranet, not '%s'", cli_option(id)->name,
                          value);
}

static void add_setting(json_t *ops, const char *key, const char *value)
{
    json_t *op = json_pack("{s:s, s:s, s:s?}", "op", "setting", "key", key, "value", value);

    if (!op || json_array_append_new(ops, op) < 0)
        cli_out_of_memory();
}

/* ports NULL: no set any more. */
static void add_settings(const struct cli *c, json_t *ops, const char *ports)
{
    add_setting(ops, "rpc.ports", ports);
    add_setting(ops, "rpc.ports-internet-available",
                !ports                      ? NULL
                : is_internet(c, OPT_CLASS) ? "yes"
                                            : "no");
    add_setting(ops, "rpc.use-internet-ports",
                !ports                        ? NULL
                : is_internet(c, OPT_DEFAULT) ? "yes"
                                              : "no");
}

/* --- the policy --- */
struct subnets {
    char *v[64]; /* owned */
    size_t n;
};

static void subnets_done(struct subnets *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i]);
}

/* "10.1.1.0/24,10.2.0.0/16"; each is tried as the source of a filter. */
static int take_subnets(struct cli *c, const char *list, struct subnets *s)
{
    for (const char *at = list; *at; at += *at == ',') {
        size_t n = strcspn(at, ",");
        _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
        struct filter f;
        struct diag d;
        int r;

        if (n > 0 && s->n == ARRAY_SIZE(s->v))
            return cli_fail_usage(c, NULL, "more than %zu subnets", ARRAY_SIZE(s->v));
        (void)strbuf_addf(&text, "permit in tcp from %.*s to me port 135", (int)n, at); /* sticky */
        if (text.error)
            cli_out_of_memory();
        filter_init(&f);
        r = n ? text_parse_filter(text.s, text.len, &d, &f) : 0;
        filter_done(&f);
        if (r < 0) {
            d.n_spans = 0; /* they point into the filter, which nobody typed */
            return cli_fail(c, &d);
        }
        if (n > 0 && !(s->v[s->n++] = strndup(at, n)))
            cli_out_of_memory();
        at += n;
    }
    return 0;
}

/* Interfaces to which the servers are bound (Services\Rpc\Linkage\Bind): "eth0 eth1", "" = all. */
static int fetch_interfaces(struct cli *c, struct strbuf *out)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_fetch(c, "GET", "/v1/settings?key=rpc.bind", &doc);

    if (code == 0 &&
        strbuf_add(out, cli_str(json_array_get(json_object_get(cli_data(doc), "settings"), 0),
                                "value")) < 0)
        cli_out_of_memory();
    return code;
}

static void add_rule(struct strbuf *b, const char *name, const char *filter)
{
    (void)strbuf_add(b, "    rule "); /* errors are sticky */
    (void)text_print_string(name, b);
    (void)strbuf_addf(b, " %s\n", filter);
}

static void add_rules(struct strbuf *b, const char *verb, const char *from, const char *on,
                      const char *ports)
{
    static const char *const protos[] = {"tcp", "udp"};
    static const char mappers[] = "111,135";
    bool block = strcmp(verb, "block") == 0;

    for (size_t p = 0; p < ARRAY_SIZE(protos); p++) {
        for (int range = 0; range < 2; range++) {
            _cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
            _cleanup_(strbuf_done) struct strbuf filter = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);

            (void)strbuf_addf(&name, "%s %s %s", block ? "Block" : "Allow",
                              range ? "range" : "mappers", protos[p]);
            if (!block)
                (void)strbuf_addf(&name, " from %s", from);
            if (*on)
                (void)strbuf_addf(&name, " on %s", on);
            (void)strbuf_addf(&filter, "%s in %s from %s to me port %s", verb, protos[p], from,
                              range ? ports : mappers);
            if (*on)
                (void)strbuf_addf(&filter, " on %s", on);
            if (name.error || filter.error)
                cli_out_of_memory();
            add_rule(b, name.s, filter.s);
        }
    }
}

/* Block for everybody, permit for the subnets: the more specific filter decides. */
static void make_policy(const char *name, const struct subnets *s, const char *interfaces,
                        const char *ports, struct strbuf *b)
{
    (void)strbuf_add(b, "policy "); /* errors are sticky */
    (void)text_print_string(name, b);
    (void)strbuf_add(b, " {\n");
    add_rules(b, "block", "any", "", ports);
    for (size_t i = 0; i < s->n; i++) {
        if (!*interfaces)
            add_rules(b, "permit", s->v[i], "", ports);
        for (const char *at = interfaces + strspn(interfaces, ", "); *at; at += strspn(at, ", ")) {
            char on[64];
            size_t n = strcspn(at, ", ");

            (void)snprintf(on, sizeof(on), "%.*s", (int)n, at); /* names of interfaces are short */
            add_rules(b, "permit", s->v[i], on, ports);
            at += n;
        }
    }
    if (strbuf_add(b, "}\n") < 0)
        cli_out_of_memory();
}

static int add_policy(struct cli *c, json_t *ops, const char *ports)
{
    _cleanup_(subnets_done) struct subnets s = {.n = 0};
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    _cleanup_(strbuf_done) struct strbuf interfaces = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    const char *name = c->args.value[OPT_POLICY], *from = c->args.value[OPT_FROM];
    int code = 0;
    json_t *op;

    if (!name && !from && c->n_words < 2)
        return 0;
    if (!name)
        return cli_fail_usage(c, "portward rpc range 5001-5021 --policy \"RPC\" --from 10.1.1.0/24",
                              "subnets need '--policy NAME'");
    if (from)
        code = take_subnets(c, from, &s);
    for (int i = 1; code == 0 && i < c->n_words; i++)
        code = take_subnets(c, c->words[i], &s);
    if (code == 0)
        code = fetch_interfaces(c, &interfaces);
    if (code)
        return code;
    make_policy(name, &s, interfaces.s ? interfaces.s : "", ports, &text);
    op = json_pack("{s:s, s:s}", "op", "policy-load", "text", text.s);
    if (!op || json_array_append_new(ops, op) < 0)
        cli_out_of_memory();
    cli_set_flag(op, "replace", c->args.given[OPT_REPLACE]);
    return 0;
}

/* --- the verb --- */
static void put_range(struct cli *c, const char *text, uint32_t n)
{
    (void)fprintf(c->env->out, "%s: %u TCP and %u UDP ports", text, n, n);
}

static int show_range(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_ask(c, "GET", "/v1/rpc", NULL, &doc);
    const json_t *data = cli_data(doc);
    const char *ports;

    if (code || c->json)
        return code;
    ports = cli_str(data, "ports");
    if (*ports) {
        put_range(c, ports, (uint32_t)cli_int(data, "count", 0));
        (void)fprintf(c->env->out, ", class %s, default %s\n", cli_str(data, "class"),
                      cli_str(data, "default"));
    } else if (strcmp(cli_str(data, "state"), "invalid") == 0) {
        (void)fputs("not valid: ", c->env->out);
        cli_put(c, cli_str(data, "reason"));
        (void)fputc('\n', c->env->out);
    } else {
        (void)fputs("not set\n", c->env->out);
    }
    return 0;
}

static void put_result(struct cli *c, const char *ports, uint32_t n, const char *before,
                       const json_t *doc)
{
    const json_t *results = json_object_get(cli_data(doc), "results"), *policies;

    if (c->dry_run)
        cli_put_would(c, "set");
    if (ports)
        put_range(c, ports, n);
    else
        (void)fputs("no range", c->env->out);
    (void)fprintf(c->env->out, ", before: %s\n", *before ? before : "not set");
    policies = json_object_get(json_array_get(results, 3), "policies");
    if (policies && !c->dry_run) {
        cli_put_stored(c, json_array_get(policies, 0), 0);
        if (!json_is_true(json_object_get(json_array_get(policies, 0), "assigned")))
            cli_hint(c, "portward policy assign \"%s\"", c->args.value[OPT_POLICY]);
    }
    if (c->dry_run)
        cli_put_preview(c, doc);
}

static int change_range(struct cli *c, const char *ports, uint32_t n)
{
    _cleanup_json_ json_t *doc = NULL, *ops = json_array(), *before = NULL;
    json_t *body;
    int code = cli_fetch(c, "GET", "/v1/rpc", &before);

    if (!ops)
        cli_out_of_memory();
    if (code)
        return code;
    add_settings(c, ops, ports);
    code = add_policy(c, ops, ports);
    if (code)
        return code;
    body = cli_change_body(c);
    cli_set_flag(body, "keep_holders", c->args.given[OPT_KEEP_HOLDERS]);
    if (json_object_set(body, "ops", ops) < 0)
        cli_out_of_memory();
    code = cli_ask(c, "POST", "/v1/batch", body, &doc);
    if (code || c->json)
        return code;
    if (!c->quiet)
        put_result(c, ports, n, cli_str(cli_data(before), "ports"), doc);
    cli_report_warnings(c, doc);
    return 0;
}

int cmd_rpc_range(struct cli *c)
{
    char text[RPC_PORTS_TEXT_BYTES];
    struct rpc_ports ports;
    struct diag d = {0};
    int code = check_class(c, OPT_CLASS);

    if (code == 0)
        code = check_class(c, OPT_DEFAULT);
    if (code)
        return code;
    if (c->n_words == 0)
        return show_range(c);
    if (strcmp(c->words[0], "none") == 0) {
        if (c->n_words > 1 || c->args.given[OPT_POLICY] || c->args.given[OPT_FROM])
            return cli_fail_usage(c, NULL, "a policy needs a range");
        return change_range(c, NULL, 0);
    }
    if (rpc_ports_parse(c->words[0], &d, &ports) < 0) {
        d.code = d.code == DIAG_SYNTAX ? DIAG_PORT_RANGE : d.code; /* a value is refused: 7 */
        return cli_fail(c, &d);
    }
    rpc_ports_print(&ports, text, sizeof(text));
    return change_range(c, text, ports.n_ports);
}
