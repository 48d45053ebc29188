/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_rpc_show.c: `portward rpc show`: confined servers and the ports they hold. Called from
 * the table of commands. */
#include <stdio.h>
#include <string.h>

#include "cli/context.h"

static void add_number(struct cli_table *t, const json_t *j, const char *key)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)cli_int(j, key, 0)); /* fits */
    cli_table_add(t, STYLE_PLAIN, text);
}

static void add_state(struct cli_table *t, const json_t *u)
{
    const char *state = cli_str(u, "state"), *reason = cli_str(u, "reason");
    bool ok = strcmp(state, "confined") == 0;
    char text[512];

    (void)snprintf(text, sizeof(text), "%s%s%s%s", ok ? "ok" : state, *reason ? " (" : "", reason,
                   *reason ? ")" : ""); /* cut */
    cli_table_add(t, ok || strcmp(state, "not running") == 0 ? STYLE_PLAIN : STYLE_WARNING, text);
}

static void put_units(struct cli *c, const json_t *data)
{
    static const struct cli_column columns[] = {
        {"UNIT", false}, {"RANGE", false},   {"TCP", true},   {"UDP", true},
        {"BY", false},   {"OUTSIDE", false}, {"STATE", false}};
    _cleanup_(cli_table_done) struct cli_table t;
    const json_t *u;
    size_t i;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    json_array_foreach(json_object_get(data, "units"), i, u)
    {
        bool outside = strcmp(cli_str(u, "state"), "kept outside") == 0;

        cli_table_add(&t, STYLE_PLAIN, cli_str(u, "name"));
        cli_table_add(&t, STYLE_PLAIN, outside ? NULL : cli_str(data, "ports"));
        add_number(&t, u, "tcp");
        add_number(&t, u, "udp");
        cli_table_add(&t, STYLE_PLAIN, cli_str(u, "how"));
        cli_table_add(&t, STYLE_PLAIN, cli_str(u, "outside"));
        add_state(&t, u);
    }
    cli_table_print(&t, c->env->out, c->header, c->colour);
}

static void put_size(struct cli *c, const json_t *data)
{
    static const struct cli_column columns[] = {
        {"PROTO", false}, {"PORTS", true},   {"LISTENERS", true}, {"CLIENTS", true},
        {"OTHERS", true}, {"MAXIMUM", true}, {"RESERVE", true},   {"RECOMMENDED", true}};
    static const char *const protos[] = {"tcp", "udp"};
    _cleanup_(cli_table_done) struct cli_table t;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    for (size_t p = 0; p < ARRAY_SIZE(protos); p++) {
        const json_t *n = json_object_get(data, protos[p]);
        char listeners[24];

        (void)snprintf(listeners, sizeof(listeners), "%lld",
                       (long long)(cli_int(n, "used", 0) - cli_int(n, "clients", 0) -
                                   cli_int(n, "strangers", 0))); /* fits */
        cli_table_add(&t, STYLE_PLAIN, protos[p]);
        add_number(&t, n, "total");
        cli_table_add(&t, STYLE_PLAIN, listeners);
        add_number(&t, n, "clients");
        add_number(&t, n, "strangers");
        add_number(&t, n, "max_listeners");
        add_number(&t, n, "reserve");
        add_number(&t, n, "recommended");
    }
    cli_table_print(&t, c->env->out, c->header, c->colour);
}

static void put_state(struct cli *c, const json_t *data)
{
    const char *state = cli_str(data, "state"), *reason = cli_str(data, "reason");

    if (strcmp(state, "active") == 0 || c->quiet)
        return;
    if (strcmp(state, "off") == 0) {
        (void)fputs("note: no range is set\n", c->env->err);
        cli_hint(c, "portward rpc range 5001-5021");
    } else if (strcmp(state, "idle") == 0) {
        (void)fputs("note: nobody is confined\n", c->env->err);
        cli_hint(c, "portward rpc confine rpcbind.service");
    } else {
        (void)fprintf(c->env->err, "warning: ports are not confined: %s\n",
                      *reason ? reason : state);
    }
}

int cmd_rpc_show(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_ask(c, "GET", "/v1/rpc", NULL, &doc);

    if (code || c->json)
        return code;
    if (c->args.given[OPT_SIZE])
        put_size(c, cli_data(doc));
    else
        put_units(c, cli_data(doc));
    put_state(c, cli_data(doc));
    cli_report_warnings(c, doc);
    return 0;
}
