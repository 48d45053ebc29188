/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/rpccfg.c: `rpccfg -pe PORTS -d 0`: the set of dynamic ports of RPC servers (windows.md 8).
 * Called through the table of tools. The switches stand for values of the registry and write the
 * settings of these. Invariant: a set is written as a whole, and one that is wrong (7) leaves the
 * old one in force. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/limits.h"
#include "rpc/settings.h"
#include "winswitch.h"

static const char hint[] = "rpccfg -pe 5001-5021 -d 0";
static const char key_ports[] = "rpc.ports", key_available[] = "rpc.ports-internet-available",
                  key_use[] = "rpc.use-internet-ports", key_bind[] = "rpc.bind";

enum {
    RPCCFG_INTERNET,
    RPCCFG_INTRANET,
    RPCCFG_DEFAULT,
    RPCCFG_BIND,
    RPCCFG_BIND_ALL,
    RPCCFG_QUERY,
    RPCCFG_LIST,
    RPCCFG_HELP,
};
static const struct win_switch switches[] = {
    [RPCCFG_INTERNET] = {"pe", WIN_FLAG, NULL}, [RPCCFG_INTRANET] = {"pi", WIN_FLAG, NULL},
    [RPCCFG_DEFAULT] = {"d", WIN_FLAG, NULL},   [RPCCFG_BIND] = {"a", WIN_FLAG, NULL},
    [RPCCFG_BIND_ALL] = {"r", WIN_FLAG, NULL},  [RPCCFG_QUERY] = {"q", WIN_FLAG, NULL},
    [RPCCFG_LIST] = {"l", WIN_FLAG, NULL},      [RPCCFG_HELP] = {"?", WIN_FLAG, NULL},
};

struct request {
    const struct win_word *ports, *class;
    bool intranet, help, query, list, bind_all;
    const struct win_word *bind[16];
    size_t n_bind;
};

/* --- words --- */
static int fail_missing(struct tool_run *t, const struct win_word *w, struct diag *d)
{
    int r = tool_fail_at(t, d, w->typed, w->at, w->len, DIAG_USAGE, "'-%s' needs a value",
                         switches[w->index].name);
    diag_hint(d, "%s", hint);
    return r;
}

/* The word behind a switch. */
static int take_next(struct tool_run *t, const struct win_words *l, size_t *i, struct diag *d,
                     const struct win_word **ret)
{
    if (*i + 1 >= l->n || l->v[*i + 1].index != WIN_WORD)
        return fail_missing(t, &l->v[*i], d);
    *ret = &l->v[++*i];
    return 0;
}

static int take_interfaces(struct tool_run *t, const struct win_words *l, size_t *i, struct diag *d,
                           struct request *q)
{
    const struct win_word *w = NULL;
    int r = take_next(t, l, i, d, &w);
    while (r == 0 && w) {
        if (q->n_bind == ARRAY_SIZE(q->bind))
            return win_fail_value(t, w, DIAG_LIMIT, d, "too many interfaces at");
        q->bind[q->n_bind++] = w;
        w = *i + 1 < l->n && l->v[*i + 1].index == WIN_WORD ? &l->v[++*i] : NULL;
    }
    return r;
}

static int take_word(struct tool_run *t, const struct win_words *l, size_t *i, struct diag *d,
                     struct request *q)
{
    const struct win_word *w = &l->v[*i];
    switch (w->index) {
    case RPCCFG_INTERNET:
    case RPCCFG_INTRANET:
        if (q->ports)
            return win_fail_word(t, w, d, hint);
        q->intranet = w->index == RPCCFG_INTRANET;
        return take_next(t, l, i, d, &q->ports);
    case RPCCFG_DEFAULT:
        return take_next(t, l, i, d, &q->class);
    case RPCCFG_BIND:
        return take_interfaces(t, l, i, d, q);
    case RPCCFG_BIND_ALL:
        q->bind_all = true;
        return 0;
    case RPCCFG_QUERY:
        q->query = true;
        return 0;
    case RPCCFG_LIST:
        q->list = true;
        return 0;
    case RPCCFG_HELP:
        q->help = true;
        return 0;
    default:
        return win_fail_word(t, w, d, hint);
    }
}

/* --- changes --- */
static int set_ports(struct tool_run *t, const struct request *q, struct diag *d)
{
    struct rpc_ports ports;
    char text[RPC_PORTS_TEXT_BYTES];
    _cleanup_free_ char *use = NULL;
    int r = rpc_ports_parse(q->ports->value, d, &ports);
    if (r < 0) {
        struct diag why = *d;
        r = tool_fail_at(t, d, q->ports->typed, q->ports->at, q->ports->len, why.code, "%s",
                         why.message);
        diag_hint(d, "%s", hint);
        return r;
    }
    rpc_ports_print(&ports, text, sizeof(text));
    r = catalog_setting_set(t->catalog, key_ports, text);
    if (r == 0)
        r = catalog_setting_set(t->catalog, key_available, q->intranet ? "no" : "yes");
    if (r == 0)
        r = catalog_setting_get(t->catalog, key_use, d, &use);
    if (r == 0 && !q->class) /* a set needs all three; what is there stays */
        r = catalog_setting_set(t->catalog, key_use, use ? use : "yes");
    return r;
}

static int set_class(struct tool_run *t, const struct win_word *w, struct diag *d)
{
    if (strcmp(w->value, "0") != 0 && strcmp(w->value, "1") != 0) {
        int r = win_fail_value(t, w, DIAG_USAGE, d, "0 (internet) or 1 (intranet) is wanted, not");
        diag_hint(d, "%s", hint);
        return r;
    }
    return catalog_setting_set(t->catalog, key_use, w->value[0] == '0' ? "yes" : "no");
}

static int set_bind(struct tool_run *t, const struct request *q)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    for (size_t i = 0; i < q->n_bind; i++)
        (void)strbuf_addf(&b, "%s%s", i ? ", " : "", q->bind[i]->value); /* errors are sticky */
    return b.error ? b.error : catalog_setting_set(t->catalog, key_bind, b.s);
}

/* --- what is set --- */
static int show_settings(struct tool_run *t, struct diag *d)
{
    _cleanup_free_ char *text = NULL, *available = NULL, *use = NULL, *bind = NULL;
    struct rpc_ports ports;
    struct diag ignored;
    int r = catalog_setting_get(t->catalog, key_ports, d, &text);
    if (r == 0)
        r = catalog_setting_get(t->catalog, key_available, d, &available);
    if (r == 0)
        r = catalog_setting_get(t->catalog, key_use, d, &use);
    if (r == 0)
        r = catalog_setting_get(t->catalog, key_bind, d, &bind);
    if (r < 0)
        return r;
    if (!text || rpc_ports_parse(text, &ignored, &ports) < 0)
        return strbuf_add(&t->out, "No set of ports: servers take any dynamic port.\n");
    bool intranet = available && strcmp(available, "no") == 0;
    bool none = use && strcmp(use, "no") == 0;
    (void)strbuf_addf(&t->out, "%s: %u ports, for %s servers\n", text, ports.n_ports,
                      intranet ? "intranet" : "internet"); /* errors are sticky */
    (void)strbuf_addf(&t->out, "default class: %s\n", none ? "intranet" : "internet");
    return strbuf_addf(&t->out, "interfaces: %s\n", bind ? bind : "all");
}

static int list_addresses(struct tool_run *t, struct diag *d)
{
    struct addr *v = NULL;
    size_t n = 0;
    if (!t->host)
        return diag_fail(d, DIAG_USAGE, "there is no host here to ask for its interfaces");
    int r = t->host->addresses(t->host->ctx, d, &v, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        char text[IP_TEXT_BYTES];
        ip_print(v[i].family, v[i].first, text);
        r = strbuf_addf(&t->out, "%zu  %s\n", i, text);
    }
    free(v);
    return r;
}

static int change(struct tool_run *t, const struct request *q, struct diag *d)
{
    int r = q->ports ? set_ports(t, q, d) : 0;
    if (r == 0 && q->class)
        r = set_class(t, q->class, d);
    if (r == 0 && q->n_bind)
        r = set_bind(t, q);
    if (r == 0 && q->bind_all)
        r = catalog_setting_set(t->catalog, key_bind, NULL);
    t->changes = true;
    t->after = AFTER_SHOW_RPC;
    return r < 0 ? r : show_settings(t, d);
}

int tool_rpccfg(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    _cleanup_(win_words_done) struct win_words l = {0};
    struct request q = {.help = argc == 0};
    int r =
        win_words_read(t, &(struct win_input){argc, argv, switches, ARRAY_SIZE(switches)}, d, &l);
    for (size_t i = 0; i < l.n && r == 0; i++)
        r = take_word(t, &l, &i, d, &q);
    if (r < 0)
        return r;
    if (q.n_bind && q.bind_all) {
        (void)diag_fail(d, DIAG_USAGE, "'-a' and '-r' exclude each other");
        diag_hint(d, "rpccfg -r");
        return -EINVAL;
    }
    if (q.help)
        return strbuf_add(&t->out, tool_rpccfg_help);
    if (q.list)
        return list_addresses(t, d);
    return q.query ? show_settings(t, d) : change(t, &q, d);
}

const char tool_rpccfg_help[] =
    "Keeps the dynamic ports of RPC servers inside a set.\n"
    "\n"
    "rpccfg -pe PORTS [-d 0|1]\n"
    "rpccfg -pi PORTS [-d 0|1]\n"
    "rpccfg -a IF... | -r | -q | -l\n"
    "\n"
    "  -pe PORTS  the set is for internet servers: 5001-5021 or a list with commas\n"
    "  -pi PORTS  the set is for intranet servers\n"
    "  -d 0       a server that does not choose counts as internet\n"
    "  -d 1       as intranet\n"
    "  -a IF...   permits of 'rpc range --policy' are for these interfaces\n"
    "  -r         for all interfaces\n"
    "  -q         what is set\n"
    "  -l         addresses of this host\n"
    "\n"
    "Servers are named by 'portward rpc confine'. Effective at once for new ports;\n"
    "servers that have others are named. Exit status 7 for a set that is wrong: the\n"
    "old one stays in force.\n";
