/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_mpp.c: `portward mpp status|top|simulate|events`, and the lists of exemptions and rates:
 * what memory pressure protection does and would do. Called from the table of commands. Changes
 * are in cmd_mpp_set.c. */
#include "cli/cmd_mpp.h"

#include <stdio.h>
#include <string.h>

#include "cli/context.h"

static const char *const families[] = {"ipv4", "ipv6"};
static const char *const family_names[] = {"IPv4", "IPv6"};

static void label(struct cli *c, const char *text)
{
    (void)fprintf(c->env->out, "%-11s ", text);
}

static bool is_true(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

/* --- settings --- */
void cli_mpp_put_switches(struct cli *c, const json_t *data)
{
    static const char *const words[] = {"disabled", "enabled"};
    const json_t *configured = json_object_get(data, "configured");
    bool on[] = {is_true(data, "ipv4"), is_true(data, "ipv6")};
    bool is_default = strcmp(cli_str(configured, "ipv4"), "default") == 0 &&
                      strcmp(cli_str(configured, "ipv6"), "default") == 0;

    if (on[0] != on[1])
        (void)fprintf(c->env->out, "IPv4 %s, IPv6 %s", words[on[0]], words[on[1]]);
    else
        (void)fputs(words[on[0]], c->env->out);
    if (is_default && on[0] == on[1])
        (void)fprintf(c->env->out, " (default for %ss)", cli_str(configured, "role"));
    (void)fprintf(c->env->out, ", profiles %s", is_true(data, "profiles") ? "on" : "off");
}

static bool has_range(const json_t *list, const json_t *range)
{
    const json_t *r;
    size_t i;

    json_array_foreach(list, i, r)
    {
        if (json_equal(r, range))
            return true;
    }
    return false;
}

struct exemption {
    int64_t first, last;
    const char *family; /* "" = of both */
};

/* Calls put() for each entry: IPv4 first, one of both families once. */
static size_t each_exemption(struct cli *c, const json_t *data,
                             void (*put)(struct cli *c, const struct exemption *e, size_t index))
{
    const json_t *all = json_object_get(data, "exempt"), *r;
    size_t n = 0, i;

    for (unsigned f = 0; f < ARRAY_SIZE(families); f++)
        json_array_foreach(json_object_get(all, families[f]), i, r)
        {
            bool both = has_range(json_object_get(all, families[!f]), r);
            struct exemption e = {json_integer_value(json_array_get(r, 0)),
                                  json_integer_value(json_array_get(r, 1)),
                                  both ? "" : family_names[f]};

            if (both && f == 1)
                continue;
            put(c, &e, n++);
        }
    return n;
}

static void put_exemption(struct cli *c, const struct exemption *e, size_t index)
{
    int64_t n = e->last - e->first + 1;

    (void)fputs(index ? ", " : "", c->env->out);
    (void)fprintf(c->env->out, "%lld-%lld%s%s (", (long long)e->first, (long long)e->last,
                  *e->family ? " " : "", e->family);
    cli_put_count(c, n, "port");
    (void)fputc(')', c->env->out);
}

static void put_exemption_line(struct cli *c, const struct exemption *e, size_t index)
{
    (void)index;
    (void)fprintf(c->env->out, "%lld-%lld%s%s\n", (long long)e->first, (long long)e->last,
                  *e->family ? "  " : "", e->family);
}

static void put_interface(struct cli *c, const json_t *i)
{
    const char *category = cli_str(i, "category");
    bool on[] = {is_true(i, "ipv4"), is_true(i, "ipv6")};
    int64_t rate = cli_int(i, "rate", 0);

    cli_put(c, cli_str(i, "name"));
    (void)fprintf(c->env->out, " %s", *category ? category : "absent");
    if (is_true(i, "spared"))
        (void)fputs(", spared", c->env->out);
    if (!on[0] && !on[1])
        (void)fputs(", off", c->env->out);
    else if (!on[0] || !on[1])
        (void)fprintf(c->env->out, ", off for %s", family_names[on[0]]);
    if (rate > 0)
        (void)fprintf(c->env->out, ", at most %lld/s", (long long)rate);
}

static void put_interfaces(struct cli *c, const json_t *list)
{
    const json_t *i;
    size_t k;

    label(c, "interfaces");
    json_array_foreach(list, k, i)
    {
        (void)fputs(k ? "; " : "", c->env->out);
        put_interface(c, i);
    }
    (void)fputs(json_array_size(list) ? "\n" : "none\n", c->env->out);
}

/* --- engine --- */
static void put_pressure(struct cli *c, const json_t *e)
{
    const json_t *m = json_object_get(e, "memory");
    int64_t page = cli_int(m, "page_bytes", 4096);
    char mem[CLI_TEXT_BYTES], hi[CLI_TEXT_BYTES], lo[CLI_TEXT_BYTES];

    cli_size(cli_int(m, "pages", 0) * page, mem);
    cli_size(cli_int(m, "hi", 0) * page, hi);
    cli_size(cli_int(m, "lo", 0) * page, lo);
    label(c, "pressure");
    (void)fprintf(c->env->out, "%s: TCP memory %s, acts above %s (%lld pages), releases below %s\n",
                  cli_str(e, "state"), mem, hi, (long long)cli_int(m, "hi", 0), lo);
}

static int64_t sum_of(const json_t *list)
{
    const json_t *n;
    int64_t sum = 0;
    size_t i;

    json_array_foreach(list, i, n)
    {
        sum += json_integer_value(n);
    }
    return sum;
}

static void put_totals(struct cli *c, const json_t *t)
{
    label(c, "since boot");
    cli_put_count(c, cli_int(t, "attacks", 0), "attack");
    (void)fputs(", ", c->env->out);
    cli_put_count(c, cli_int(t, "killed", 0), "connection");
    (void)fprintf(
        c->env->out, " killed, %lld SYN dropped; spared: %lld by exemption, %lld by profile",
        (long long)sum_of(json_object_get(t, "syn_dropped")),
        (long long)cli_int(t, "spared_exempt", 0), (long long)cli_int(t, "spared_profile", 0));
    if (cli_int(t, "lost", 0) > 0)
        (void)fprintf(c->env->out, "; %lld records lost", (long long)cli_int(t, "lost", 0));
    (void)fputc('\n', c->env->out);
}

static void put_gate(struct cli *c, const json_t *g)
{
    int64_t level = cli_int(g, "level", 0);
    int64_t bans = cli_int(g, "bans", 0) + cli_int(g, "net_bans", 0);

    label(c, "gate");
    if (level == 0)
        (void)fputs("open", c->env->out);
    else
        (void)fprintf(c->env->out, "level %lld", (long long)level);
    (void)fprintf(c->env->out, ", highest level %lld", (long long)cli_int(g, "highest", 0));
    if (bans > 0) {
        (void)fputs(", ", c->env->out);
        cli_put_count(c, bans, "source");
        (void)fputs(" banned", c->env->out);
    }
    (void)fputs(is_true(g, "cookies_forced") ? ", SYN cookies forced\n" : "\n", c->env->out);
}

static void put_pruning(struct cli *c, const json_t *e)
{
    const char *degraded = cli_str(e, "degraded");

    label(c, "pruning");
    if (strcmp(cli_str(e, "pruner"), "nothing") == 0)
        (void)fputs("cannot prune", c->env->out);
    else
        (void)fprintf(c->env->out, "%s, orphans %s", cli_str(e, "pruner"),
                      is_true(e, "orphans") ? "too" : "not");
    (void)fputs(is_true(e, "stamps_at_creation") ? ", stamps at creation"
                                                 : ", stamps at first sight",
                c->env->out);
    if (*degraded) {
        (void)fputs("; ", c->env->out);
        cli_put(c, degraded);
    }
    (void)fputc('\n', c->env->out);
}

static void put_connections(struct cli *c, const json_t *n)
{
    label(c, "connections");
    (void)fprintf(c->env->out, "%lld candidates, %lld exempt, %lld spared, %lld adopted\n",
                  (long long)cli_int(n, "candidates", 0), (long long)cli_int(n, "exempt", 0),
                  (long long)cli_int(n, "spared", 0), (long long)cli_int(n, "adopted", 0));
}

static void put_warnings(struct cli *c, const json_t *doc)
{
    const json_t *w;
    size_t i;

    json_array_foreach(json_object_get(doc, "warnings"), i, w)
    {
        label(c, "warning");
        cli_put(c, cli_str(w, "message"));
        (void)fputc('\n', c->env->out);
    }
}

static void show_status(struct cli *c, const json_t *doc)
{
    const json_t *data = cli_data(doc), *e = json_object_get(data, "engine");

    label(c, "mpp");
    cli_mpp_put_switches(c, data);
    (void)fputc('\n', c->env->out);
    if (json_is_object(e))
        put_pressure(c, e);
    label(c, "exempt");
    if (each_exemption(c, data, put_exemption) == 0)
        (void)fputs("none", c->env->out);
    (void)fputc('\n', c->env->out);
    put_interfaces(c, json_object_get(data, "interfaces"));
    if (json_is_object(e)) {
        put_totals(c, json_object_get(e, "totals"));
        put_gate(c, json_object_get(e, "gate"));
        put_pruning(c, e);
        put_connections(c, json_object_get(e, "connections"));
    }
    label(c, "settings");
    (void)fprintf(c->env->out, "generation %lld", (long long)cli_int(data, "generation", 0));
    if (json_is_object(e))
        (void)fprintf(c->env->out, ", kernel %lld", (long long)cli_int(e, "generation", 0));
    (void)fputc('\n', c->env->out);
    put_warnings(c, doc);
}

int cmd_mpp_status(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_ask(c, "GET", "/v1/mpp", NULL, &doc);

    if (code)
        return code;
    if (!c->json)
        show_status(c, doc);
    return json_array_size(json_object_get(doc, "warnings")) > 0 ? 6 : 0;
}

int cli_mpp_list_exemptions(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = cli_ask(c, "GET", "/v1/mpp", NULL, &doc);

    if (code || c->json)
        return code;
    (void)each_exemption(c, cli_data(doc), put_exemption_line);
    return 0;
}

int cli_mpp_list_rates(struct cli *c)
{
    static const struct cli_column columns[] = {{"INTERFACE", false}, {"RATE", true}};
    _cleanup_(cli_table_done) struct cli_table t;
    _cleanup_json_ json_t *doc = NULL;
    const json_t *i;
    size_t k;
    int code = cli_ask(c, "GET", "/v1/mpp", NULL, &doc);

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    if (code || c->json)
        return code;
    json_array_foreach(json_object_get(cli_data(doc), "interfaces"), k, i)
    {
        int64_t rate = cli_int(i, "rate", 0);
        char text[CLI_TEXT_BYTES] = "none";

        if (rate > 0)
            (void)snprintf(text, sizeof(text), "%lld/s", (long long)rate);
        cli_table_add(&t, STYLE_PLAIN, cli_str(i, "name"));
        cli_table_add(&t, STYLE_PLAIN, text);
    }
    cli_table_print(&t, c->env->out, c->header, c->colour);
    return 0;
}

/* --- connections --- */
static void add_side(struct cli_table *t, const json_t *x, const char *address, const char *port)
{
    const char *host = cli_str(x, address);
    char text[80];

    (void)snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%lld" : "%s:%lld", host,
                   (long long)cli_int(x, port, 0));
    cli_table_add(t, STYLE_PLAIN, text);
}

static void add_number(struct cli_table *t, int64_t n)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)n);
    cli_table_add(t, STYLE_PLAIN, text);
}

static void add_connection(struct cli_table *t, const json_t *x, const char *last)
{
    char queued[CLI_TEXT_BYTES], stall[CLI_TEXT_BYTES];
    int64_t ms = cli_int(x, "stall_ms", 0);

    add_number(t, cli_int(x, "score", 0));
    add_side(t, x, "local", "local_port");
    add_side(t, x, "peer", "peer_port");
    cli_table_add(t, STYLE_PLAIN, cli_str(x, "state"));
    cli_size(cli_int(x, "queued_bytes", 0), queued);
    cli_table_add(t, STYLE_PLAIN, queued);
    (void)snprintf(stall, sizeof(stall), "%lld.%lld s", (long long)(ms / 1000),
                   (long long)(ms % 1000 / 100));
    cli_table_add(t, STYLE_PLAIN, stall);
    add_number(t, cli_int(x, "same_source", 0));
    cli_table_add(t, STYLE_PLAIN, cli_str(x, "reason"));
    if (last)
        cli_table_add(t, strcmp(last, "would-prune") == 0 ? STYLE_BLOCK : STYLE_PLAIN, last);
}

static const struct cli_column columns[] = {
    {"SCORE", true}, {"LOCAL", false}, {"PEER", false},   {"STATE", false},   {"QUEUED", true},
    {"STALL", true}, {"SAME", true},   {"REASON", false}, {"VERDICT", false},
};

static void put_table(struct cli *c, const json_t *list, bool verdicts)
{
    _cleanup_(cli_table_done) struct cli_table t;
    const json_t *x;
    size_t i;

    cli_table_init(&t, columns, ARRAY_SIZE(columns) - !verdicts);
    json_array_foreach(list, i, x) add_connection(&t, x, verdicts ? cli_str(x, "verdict") : NULL);
    cli_table_print(&t, c->env->out, c->header, c->colour);
}

/* "/v1/mpp/ranking?limit=20" */
static int ask_list(struct cli *c, const char *path, json_t **ret_doc)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);

    (void)strbuf_add(&target, path); /* errors are sticky */
    if (c->args.value[OPT_LIMIT])
        (void)api_target_add_query(&target, "limit", c->args.value[OPT_LIMIT]);
    if (target.error)
        cli_out_of_memory();
    return cli_ask(c, "GET", target.s, NULL, ret_doc);
}

int cmd_mpp_top(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = ask_list(c, "/v1/mpp/ranking", &doc);

    if (code || c->json)
        return code;
    put_table(c, json_object_get(cli_data(doc), "connections"), true);
    return 0;
}

static void put_by_verdict(struct cli *c, const json_t *all)
{
    static const struct {
        const char *verdict, *text;
    } rows[] = {
        {"below-cutoff", "stalled, but others more so"},
        {"not-stalled", "take their data"},
        {"exempt", "port was exempt when they began"},
        {"spared", "interface is domain or private"},
        {"off", "protection was off when they began"},
        {"kept", "loopback, or port of an administrator"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const json_t *n = json_object_get(all, rows[i].verdict);
        char size[CLI_TEXT_BYTES];

        if (cli_int(n, "connections", 0) == 0)
            continue;
        cli_size(cli_int(n, "queued_bytes", 0), size);
        (void)fputs("stay  ", c->env->out);
        cli_put_count(c, cli_int(n, "connections", 0), "connection");
        (void)fprintf(c->env->out, ", %s: %s\n", size, rows[i].text);
    }
}

int cmd_mpp_simulate(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = ask_list(c, "/v1/mpp/ranking", &doc);
    char would[CLI_TEXT_BYTES];

    if (code || c->json)
        return code;
    const json_t *data = cli_data(doc);
    put_table(c, json_object_get(data, "connections"), true);
    cli_size(cli_int(data, "would_prune_bytes", 0), would);
    (void)fputs("would kill ", c->env->out);
    cli_put_count(c, cli_int(data, "would_prune", 0), "connection");
    (void)fprintf(c->env->out, ", %s; %s\n", would,
                  is_true(data, "attack") ? "this is an attack"
                                          : "this is no attack, so none is killed");
    put_by_verdict(c, json_object_get(data, "by_verdict"));
    (void)fputs("nothing changed\n", c->env->out);
    return 0;
}

int cmd_mpp_events(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    int code = ask_list(c, "/v1/mpp/records", &doc);

    if (code || c->json)
        return code;
    put_table(c, json_object_get(cli_data(doc), "records"), false);
    return 0;
}
