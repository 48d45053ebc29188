/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_scan.c: `portward scan`: which ports of a host answer. Called from the table of commands.
 * Checks what was asked for before anything is sent, says on stderr what will be sent, and sends
 * nothing that was not named. The scan itself is a library (exposure/probe). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/context.h"
#include "cli/scanagent.h"
#include "cli/scanshow.h"

enum { EXIT_FAILED = 1, RATE_MAX = 100000000, HOSTS_MAX = 1024 };

static const char hint_help[] = "portward scan --help";

struct scan {
    struct cli *c;
    struct cli_scan_targets targets;
    struct probe_ports ports;
    struct cli_scan_plan plan;
    struct cli_scan_agent agent;
    bool has_rate;
    json_t *list; /* documents of the targets */
    struct probe_result *result;
};

static void scan_done(struct scan *s)
{
    cli_scan_targets_done(&s->targets);
    cli_scan_agent_end(&s->agent);
    json_decref(s->list);
    free(s->result);
}

/* Of an option that is a whole number. 0 or the exit code. */
static int take_number(struct cli *c, enum cli_option_id id, uint32_t max, uint32_t *ret)
{
    const char *text = c->args.value[id];
    size_t digits = strspn(text, "0123456789");
    long long v = digits > 0 && digits < 12 && !text[digits] ? strtoll(text, NULL, 10) : 0;

    if (v < 1 || v > max)
        return cli_fail_usage(c, hint_help,
                              "option '--%s' needs a whole number of 1 to %u, not '%s'",
                              cli_option(id)->name, max, text);
    *ret = (uint32_t)v;
    return 0;
}

static int take_method(struct scan *s)
{
    struct cli *c = s->c;
    const bool *given = c->args.given;

    s->plan.with_agent = given[OPT_WITH_AGENT];
    if (given[OPT_UDP] && given[OPT_CONNECT])
        return cli_fail_usage(c, hint_help, "'--connect' is for TCP, not for '--udp'");
    if (given[OPT_CONNECT] && s->plan.with_agent)
        return cli_fail_usage(c, hint_help, "'--connect' sends no tagged probes");
    s->plan.method = given[OPT_UDP] ? PROBE_UDP : given[OPT_CONNECT] ? PROBE_CONNECT : PROBE_SYN;
    if (s->plan.method != PROBE_SYN || probe_may_send_raw())
        return 0;
    if (s->plan.with_agent) {
        struct diag d;

        (void)diag_fail(&d, DIAG_PERMISSION, "tagged TCP probes need CAP_NET_RAW");
        diag_hint(&d, "run it as root, or with --udp");
        return cli_fail(c, &d);
    }
    s->plan.method = PROBE_CONNECT;
    if (!c->quiet)
        (void)fputs("note: without CAP_NET_RAW: whole connections instead of SYN probes\n",
                    c->env->err);
    return 0;
}

static int take_options(struct scan *s)
{
    struct cli *c = s->c;
    const char *ports = c->args.value[OPT_PORTS], *rate = c->args.value[OPT_RATE];
    struct diag d;
    int code;

    s->plan.ports = &s->ports;
    s->plan.ports_text = ports ? ports : "1-65535";
    if (probe_parse_ports(s->plan.ports_text, strlen(s->plan.ports_text), &d, &s->ports) < 0)
        return cli_fail(c, &d);
    s->plan.n_ports = probe_ports_count(&s->ports);
    s->has_rate = rate != NULL;
    if (rate && strcmp(rate, "unlimited") != 0) {
        code = take_number(c, OPT_RATE, RATE_MAX, &s->plan.rate);
        if (code)
            return code;
    }
    return take_method(s);
}

/* The addresses of a name that has several: all are named, the first is taken. */
static void keep_first(struct scan *s, size_t before, const char *word)
{
    struct cli_scan_targets *t = &s->targets;
    bool all = s->c->args.given[OPT_ALL_ADDRESSES];

    if (t->n - before < 2 || strchr(word, '/'))
        return;
    if (!s->c->quiet)
        (void)fprintf(s->c->env->err, "note: '%s' has %zu addresses:", word, t->n - before);
    for (size_t i = before; i < t->n; i++) {
        char text[IP_TEXT_BYTES];

        ip_print(t->v[i].family, t->v[i].ip, text);
        if (!s->c->quiet)
            (void)fprintf(s->c->env->err, " %s", text);
    }
    if (!s->c->quiet)
        (void)fputs(all ? "\n" : "; the first is scanned (--all-addresses)\n", s->c->env->err);
    while (!all && t->n > before + 1)
        free(t->v[--t->n].name);
}

/* 0 or the exit code; nothing is sent unless it is 0. */
static int take_hosts(struct scan *s)
{
    struct cli *c = s->c;
    uint32_t wanted = 1;
    size_t hosts = 0;
    struct diag d;

    if (c->n_words == 0)
        return cli_fail_usage(c, "portward scan 192.0.2.10", "no host is named");
    if (c->args.value[OPT_HOSTS]) {
        int code = take_number(c, OPT_HOSTS, HOSTS_MAX, &wanted);

        if (code)
            return code;
    }
    for (int i = 0; i < c->n_words; i++) {
        size_t before = s->targets.n;

        if (cli_scan_add(&s->targets, c->words[i], &d) < 0)
            return cli_fail(c, &d);
        keep_first(s, before, c->words[i]);
        hosts += strchr(c->words[i], '/') ? s->targets.n - before : 1;
    }
    if (hosts != wanted || (c->args.value[OPT_HOSTS] && wanted != hosts)) {
        char hint[64];

        (void)snprintf(hint, sizeof(hint), "--hosts %zu", hosts); /* fits */
        return cli_fail_usage(c, hint, "%zu hosts are named, not %u", hosts, wanted);
    }
    if (s->plan.with_agent && s->targets.n > 1)
        return cli_fail_usage(c, hint_help, "'--with-agent' is for one address");
    return 0;
}

/* What has to be done where the command was started: names, own addresses, the target's side. */
static int prepare(struct scan *s)
{
    struct cli *c = s->c;
    const char *from = c->args.value[OPT_FROM];
    struct diag d;
    int err = 0;

    cli_scan_find_own(&s->targets);
    if (s->plan.with_agent)
        err = cli_scan_agent_start(c->args.value[OPT_WITH_AGENT], &d, &s->agent);
    if (err == 0 && from)
        err = probe_enter_netns(from, &d);
    if (err == 0)
        err = cli_scan_find_routes(&s->targets, &d);
    return err < 0 ? cli_fail(c, &d) : 0;
}

static void note_journal(struct scan *s, const struct cli_scan_target *t)
{
    struct cli_scan_note n = {t, s->plan.method, s->plan.ports_text, s->plan.rate, s->c->env->uid};

    if (!cli_scan_write_journal(&n, CLI_JOURNAL_SOCKET) && !s->c->quiet)
        (void)fputs("note: there is no journal to keep a note of this scan\n", s->c->env->err);
}

static int scan_one(struct scan *s, const struct cli_scan_target *t)
{
    struct cli *c = s->c;
    struct cli_scan_bar bar;
    struct diag d;

    if (!s->has_rate)
        s->plan.rate = cli_scan_default_rate(t);
    cli_scan_put_plan(c, t, &s->plan);
    note_journal(s, t);
    cli_scan_bar_init(&bar, c, t, &s->plan);
    struct probe_request r = {.route = &t->route,
                              .ports = &s->ports,
                              .method = s->plan.method,
                              .rate = s->plan.rate,
                              .agent_in = s->agent.in,
                              .agent_out = s->agent.out,
                              .on_progress = cli_scan_bar_move,
                              .ctx = &bar};
    int err = probe_scan(&r, &d, s->result);
    cli_scan_bar_erase(&bar);
    if (err < 0)
        return cli_fail(c, &d);
    if (c->json)
        json_array_append_new(s->list, cli_scan_json(t, &s->plan, s->result));
    else
        cli_scan_put_result(c, t, &s->plan, s->result);
    return 0;
}

static int scan_all(struct scan *s)
{
    struct cli *c = s->c;
    bool stopped = false;

    s->result = malloc(sizeof(*s->result));
    s->list = json_array();
    if (!s->result || !s->list)
        cli_out_of_memory();
    for (size_t i = 0; i < s->targets.n && !stopped; i++) {
        const struct cli_scan_target *t = &s->targets.v[i];
        char text[IP_TEXT_BYTES];

        ip_print(t->family, t->ip, text);
        if (s->targets.n > 1 && !c->json)
            (void)fprintf(c->env->out, "%s%s\n", i ? "\n" : "", text);
        int code = scan_one(s, t);
        if (code)
            return code;
        stopped = s->result->is_stopped;
    }
    if (c->json)
        cli_put_document(c, "scan", json_pack("{s:O}", "targets", s->list));
    return stopped ? EXIT_FAILED : 0;
}

int cmd_scan(struct cli *c)
{
    _cleanup_(scan_done) struct scan s = {.c = c, .agent = CLI_SCAN_AGENT_NONE};
    int code;

    if (c->args.given[OPT_LISTEN])
        return c->n_words ? cli_fail_usage(c, hint_help, "'--listen' takes no host")
                          : cli_scan_listen(c);
    code = take_options(&s);
    if (code == 0)
        code = take_hosts(&s);
    if (code == 0)
        code = prepare(&s);
    return code ? code : scan_all(&s);
}
