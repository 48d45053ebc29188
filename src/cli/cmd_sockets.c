/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_sockets.c: `portward sockets`: what listens, whose it is, and what the filters say.
 * Called from the table of commands. The list is read here and not by the agent, which is asked for
 * verdicts only: a host may have a hundred thousand sockets. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "cli/context.h"
#include "cli/listing.h"
#include "cli/netns.h"
#include "cli/socketpolicy.h"

enum { TEXT_MAX = 1024 * 1024 * 1024, PIDS_SHOWN = 3 };

static void add_cell(struct cli_listing *l, const char *s)
{
    cli_listing_add(l, s, strlen(s));
}

static void add_processes(struct cli_listing *l, const struct exposure_rows *r,
                          const struct socket_row *row)
{
    char pids[64] = "", name[32] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < row->n_holders && i < PIDS_SHOWN; i++)
        used += format_into(pids + used, sizeof(pids) - used, i ? ",%u" : "%u",
                            r->s.holders[row->holder + i].pid);
    if (row->n_holders > PIDS_SHOWN)
        (void)format_into(pids + used, sizeof(pids) - used, ",+%u", row->n_holders - PIDS_SHOWN);
    add_cell(l, pids);
    const struct socket_process *p =
        row->n_holders ? socket_processes_find(&r->processes, r->s.holders[row->holder].pid) : NULL;
    if (p && p->known) {
        add_cell(l, p->name);
        return;
    }
    switch (exposure_owner_of(r, row)) {
    case OWNER_PROCESS:
        (void)format_into(name, sizeof(name), "(gone)");
        break;
    case OWNER_KERNEL:
        (void)format_into(name, sizeof(name), "kernel");
        break;
    case OWNER_UNKNOWN:
        (void)format_into(name, sizeof(name),
                          r->s.proc_partial ? "unknown (needs root)" : "unknown");
        break;
    case OWNER_NONE:
        break;
    }
    add_cell(l, name);
}

static const char *device_of(const struct socket_row *row, char name[IF_NAMESIZE])
{
    return row->ifindex && if_indextoname(row->ifindex, name) ? name : NULL;
}

static void add_row(struct cli_listing *l, const struct exposure_rows *r,
                    const struct socket_row *row, bool all)
{
    char text[SOCKET_TEXT_BYTES], device[IF_NAMESIZE];
    const char *unit, *path;
    size_t unit_len;

    add_cell(l, socket_proto_name(row));
    socket_print(row, false, device_of(row, device), text);
    add_cell(l, text);
    if (all) {
        socket_print(row, true, NULL, text);
        add_cell(l, row->state == SOCKET_CONNECTED ? text : "");
    }
    add_cell(l, socket_state_name(row->state));
    switch (exposure_unit_of(r, row, &unit, &unit_len, &path)) {
    case UNIT_FOUND:
        cli_listing_add(l, unit, unit_len);
        break;
    case UNIT_DEAD:
        add_cell(l, "(dead unit)");
        break;
    case UNIT_UNKNOWN:
        add_cell(l, "");
        break;
    }
    add_processes(l, r, row);
}

/* --- one network namespace or all of them --- */
struct showing {
    struct cli *c;
    unsigned what;
    bool all, many;
    struct cli_listing list;
    struct strbuf json;
    size_t n_rows;
    bool incomplete, reserved_hidden, sniff_hidden, partial, policy_known;
    char why[512];
};

static void add_json(struct showing *x, const struct exposure_rows *r,
                     struct cli_socket_policy *policy, const char *netns)
{
    for (size_t i = 0; i < r->s.n; i++) {
        char device[IF_NAMESIZE];
        struct exposure_words w = {.device = device_of(&r->s.v[i], device),
                                   .policy =
                                       policy ? cli_socket_policy_text(policy, &r->s.v[i]) : NULL,
                                   .netns = netns};

        if (x->n_rows++)
            (void)strbuf_add_char(&x->json, ','); /* errors are sticky */
        (void)exposure_row_json(r, &r->s.v[i], &w, &x->json);
    }
}

static void add_rows(struct showing *x, const struct exposure_rows *r,
                     struct cli_socket_policy *policy, const char *netns)
{
    for (size_t i = 0; i < r->s.n; i++) {
        const char *text = policy ? cli_socket_policy_text(policy, &r->s.v[i]) : NULL;

        if (x->many)
            add_cell(&x->list, netns ? netns : "-");
        add_row(&x->list, r, &r->s.v[i], x->all);
        add_cell(&x->list, text ? text : policy && !policy->known ? "unknown" : "");
    }
}

/* netns: NULL = the one of the agent, whose filters are asked. */
static int show_one(struct showing *x, const char *netns)
{
    _cleanup_(exposure_rows_done) struct exposure_rows r = {0};
    _cleanup_(cli_socket_policy_done) struct cli_socket_policy policy = {0};
    char pin[512];
    struct diag d;

    cli_holders_pin(x->c, pin, sizeof(pin));
    if (exposure_rows_read(x->what, pin, &d, &r) < 0)
        return cli_fail(x->c, &d);
    x->incomplete |= r.s.incomplete;
    x->reserved_hidden |= r.s.reserved_hidden;
    x->sniff_hidden |= r.s.sniff_hidden;
    x->partial |= r.s.proc_partial;
    if (!netns) {
        cli_socket_policy_load(x->c, &r.s, &policy);
        x->policy_known = policy.known;
        x->c->generation = policy.generation;
        (void)format_into(x->why, sizeof(x->why), "%s", policy.why);
    }
    if (x->c->json)
        add_json(x, &r, netns ? NULL : &policy, netns);
    else
        add_rows(x, &r, netns ? NULL : &policy, netns);
    return 0;
}

static int show_netns(void *arg, const char *name)
{
    return show_one(arg, name);
}

static const char *bool_text(bool b)
{
    return b ? "true" : "false";
}

static void put_json(struct showing *x)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(TEXT_MAX);

    (void)api_ok_begin(&b, "sockets", (uint64_t)x->c->generation, x->c->env->now_s * 1000);
    (void)strbuf_add(&b, "{\"sockets\":["); /* errors are sticky */
    if (x->json.s)
        (void)strbuf_add_n(&b, x->json.s, x->json.len);
    (void)strbuf_addf(&b,
                      "],\"total\":%zu,\"incomplete\":%s,\"reserved_visible\":%s,"
                      "\"packet_visible\":%s}",
                      x->n_rows, bool_text(x->incomplete), bool_text(!x->reserved_hidden),
                      bool_text(!x->sniff_hidden));
    if (api_ok_end(&b, NULL) < 0 || x->json.error)
        cli_out_of_memory();
    (void)fwrite(b.s, 1, b.len, x->c->env->out); /* errors are looked at at the end */
}

static void put_notes(const struct showing *x)
{
    FILE *err = x->c->env->err;

    if (x->c->quiet)
        return;
    if (x->incomplete)
        (void)fputs("warning: the list changed while it was read, and is incomplete\n", err);
    if (x->reserved_hidden)
        (void)fputs("note: reserved sockets not visible on this kernel\n", err);
    if (x->sniff_hidden)
        (void)fputs("note: packet sockets not visible on this kernel\n", err);
    if (x->partial)
        (void)fputs("note: processes of others are not visible; run as root\n", err);
    if (!x->policy_known && x->why[0])
        (void)fprintf(err, "note: what the filters say is not known: %s\n", x->why);
}

static void set_columns(struct showing *x)
{
    static const char *const names[] = {"NETNS", "PROTO", "LOCAL",   "REMOTE", "STATE",
                                        "UNIT",  "PID",   "PROCESS", "POLICY"};
    unsigned n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if ((i != 0 || x->many) && (i != 3 || x->all))
            x->list.names[n++] = names[i];
    x->list.n_columns = n;
}

int cmd_sockets(struct cli *c)
{
    struct showing x = {.c = c,
                        .what = SOCKETS_WAITING,
                        .all = c->args.given[OPT_ALL],
                        .many = c->args.given[OPT_ALL_NETNS],
                        .json = STRBUF_INIT(TEXT_MAX)};

    if (x.all)
        x.what |= SOCKETS_CONNECTED | SOCKETS_SNIFFING;
    set_columns(&x);
    int code = show_one(&x, NULL);
    if (code == 0 && x.many)
        code = cli_netns_each(c, show_netns, &x);
    if (code == 0 && c->json)
        put_json(&x);
    else if (code == 0)
        cli_listing_print(&x.list, c->env->out, c->header);
    if (code == 0)
        put_notes(&x);
    cli_listing_done(&x.list);
    strbuf_done(&x.json);
    return code;
}
