/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/spp.c: `spp HOST [FIRST LAST]`: open TCP ports of a host (windows.md 18). Called through
 * the table of tools. Changes nothing. A row is printed when its answer comes, so that a slow scan
 * is seen to go on; ports that were not asked are counted, never called closed. */
#include <errno.h>
#include <string.h>

#include "compat/tool.h"

enum { SPP_FIRST = 0, SPP_LAST = 1000, PORT_MAX = 65535, ADDRESS_COLUMN = 23 };

static const char hint[] = "spp 192.0.2.10 0 1000";

static int take_port(struct tool_run *t, const char *word, struct diag *d, uint16_t *ret)
{
    size_t digits = strspn(word, "0123456789");
    unsigned long v =
        digits > 0 && digits < 6 && !word[digits] ? strtoul(word, NULL, 10) : PORT_MAX + 1UL;
    if (v > PORT_MAX) {
        int r = tool_fail_at(t, d, word, 0, strlen(word), DIAG_PORT_RANGE, "'%s' is no port", word);
        diag_hint(d, "%s", hint);
        return r;
    }
    *ret = (uint16_t)v;
    return 0;
}

/* An open port. */
static void put_row(void *ctx, const char *address, uint16_t port)
{
    struct tool_run *t = ctx;
    char text[80];
    (void)format_into(text, sizeof(text), strchr(address, ':') ? "[%s]:%u" : "%s:%u", address,
                      port);
    (void)strbuf_addf(&t->out, "  TCP    %-*sLISTENING\n", ADDRESS_COLUMN, text); /* sticky */
    if (t->host->show)
        t->host->show(t->host->ctx, &t->out);
}

static bool is_help(const char *word)
{
    return strcmp(word, "/?") == 0 || strcmp(word, "-?") == 0;
}

static int scan(struct tool_run *t, const char *host, uint16_t first, uint16_t last, struct diag *d)
{
    struct tool_scan s = {.host = host, .first = first, .last = last, .ctx = t, .on_open = put_row};
    (void)strbuf_addf(&t->out, "Target '%s' port scan %u to %u start.\n", host, first,
                      last); /* errors are sticky */
    (void)strbuf_add(&t->out, "  Proto  Remote Address         State\n");
    if (t->host->show)
        t->host->show(t->host->ctx, &t->out);
    int err = t->host->scan(t->host->ctx, &s, d);
    if (err < 0)
        return err;
    (void)strbuf_add(&t->out, "Completed\n");
    if (s.n_unknown)
        err = tool_remark(t, NOTE, d, "%u ports did not answer: filtered, or not reached",
                          s.n_unknown);
    if (err == 0 && last < PORT_MAX)
        err = tool_remark(t, NOTE, d, "%u ports above %u were not scanned",
                          (unsigned)(PORT_MAX - last), last);
    return err < 0 ? err : t->out.error;
}

int tool_spp(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    uint16_t first = SPP_FIRST, last = SPP_LAST;
    int err = 0;
    if (argc > 0 && is_help(argv[0]))
        return strbuf_add(&t->out, tool_spp_help);
    if (argc != 1 && argc != 3) {
        (void)diag_fail(d, DIAG_USAGE, "spp needs a host, or a host and two ports");
        diag_hint(d, "%s", hint);
        return -EINVAL;
    }
    if (argc == 3)
        err = take_port(t, argv[1], d, &first);
    if (err == 0 && argc == 3)
        err = take_port(t, argv[2], d, &last);
    if (err < 0)
        return err;
    if (last < first)
        return tool_fail_at(t, d, argv[2], 0, strlen(argv[2]), DIAG_PORT_RANGE,
                            "'%s' is below '%s'", argv[2], argv[1]);
    if (!t->host || !t->host->scan)
        return diag_fail(d, DIAG_USAGE, "there is no host here to scan from");
    return scan(t, argv[0], first, last, d);
}

const char tool_spp_help[] =
    "Shows the TCP ports of a host that are open, in the order of their answers.\n"
    "\n"
    "spp HOST [FIRST LAST]\n"
    "\n"
    "  HOST        a name or an address, of a host of your own\n"
    "  FIRST LAST  ports to ask, 0 to 1000 if not given\n"
    "  -?          this text\n"
    "\n"
    "What lies outside of FIRST to LAST is not scanned. All ports, UDP and who\n"
    "decided: portward scan.\n";
