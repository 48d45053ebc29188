/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/agent_scan.c: the scan behind `spp`, with the rules of `portward scan`: one address, the
 * same rate, the same entry in the journal. Called through struct tool_host. The agent has no part
 * in it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/scan.h"
#include "front.h"

struct scanning {
    struct tool_scan *asked;
    char address[IP_TEXT_BYTES];
};

static void on_open(void *ctx, uint16_t port)
{
    const struct scanning *s = ctx;
    s->asked->on_open(s->asked->ctx, s->address, port);
}

void agent_show(void *ctx, struct strbuf *out)
{
    const struct agent_source *s = ctx;
    if (out->len > 0)
        (void)fwrite(out->s, 1, out->len, s->front->env->out); /* errors: at the end */
    (void)fflush(s->front->env->out);
    out->len = 0;
}

static int scan_target(const struct front *f, const struct cli_scan_target *t, struct tool_scan *s,
                       struct diag *d)
{
    struct scanning ctx = {.asked = s};
    struct probe_ports ports = {.bits = {0}};
    char text[16];
    struct probe_request r = {.route = &t->route,
                              .ports = &ports,
                              .method = probe_may_send_raw() ? PROBE_SYN : PROBE_CONNECT,
                              .rate = cli_scan_default_rate(t),
                              .agent_in = -1,
                              .agent_out = -1,
                              .on_open = on_open,
                              .ctx = &ctx};
    struct cli_scan_note note = {t, r.method, text, r.rate, f->env->uid};
    struct probe_result *found = malloc(sizeof(*found));
    if (!found)
        return -ENOMEM;
    ip_print(t->family, t->ip, ctx.address);
    (void)format_into(text, sizeof(text), "%u-%u", s->first, s->last);
    for (unsigned i = s->first; i <= s->last; i++)
        probe_ports_add(&ports, i);
    (void)cli_scan_write_journal(&note, CLI_JOURNAL_SOCKET); /* not on every host */
    int err = probe_scan(&r, d, found);
    if (err == 0)
        s->n_unknown = found->n[PROBE_FILTERED] + found->n[PROBE_UNKNOWN];
    free(found);
    return err;
}

int agent_scan(void *ctx, struct tool_scan *s, struct diag *d)
{
    const struct agent_source *source = ctx;
    _cleanup_(cli_scan_targets_done) struct cli_scan_targets t = {.n = 0};
    int err = cli_scan_add(&t, s->host, d);
    if (err == 0 && t.n > 1 && strchr(s->host, '/'))
        err = diag_fail(d, DIAG_USAGE, "spp scans one host");
    while (t.n > 1) /* of a name with several addresses the first */
        free(t.v[--t.n].name);
    if (err < 0)
        return err;
    cli_scan_find_own(&t);
    err = cli_scan_find_routes(&t, d);
    return err < 0 ? err : scan_target(source->front, &t.v[0], s, d);
}
