/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_store.c: netsh ipsec static set store, set batch, delete all, exportpolicy,
 * importpolicy and dump (windows.md 4). Called through the table of commands. Invariant: which
 * store and which kept lines a user has is kept by the agent, never in a file; kept lines become
 * one change or none. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "compat/convert.h"
#include "netsh.h"
#include "text/text.h"

#define KEY_STORE "netsh.store"
#define KEY_BATCH "netsh.batch"
enum { BATCH_BYTES = 16 * 1024 * 1024 };

/* --- store --- */

static const char *const locations[] = {"local", "persistent", "domain", NULL};

static void use_location(struct netsh *n, int location)
{
    n->slot = location == 1 ? CATALOG_PERSISTENT : CATALOG_LOCAL;
    n->domain = location == 2;
    n->has_store = true;
}

int netsh_load_store(struct netsh *n, struct diag *d)
{
    const struct tool_host *host = n->t->host;
    _cleanup_free_ char *value = NULL;
    if (n->has_store)
        return 0;
    int err = host && host->session_get ? host->session_get(host->ctx, KEY_STORE, d, &value) : 0;
    if (err < 0)
        return err;
    use_location(n, 0);
    for (int i = 0; value && locations[i]; i++)
        if (strcmp(value, locations[i]) == 0)
            use_location(n, i);
    return 0;
}

int netsh_check_writable(struct netsh *n, struct diag *d)
{
    int err = netsh_load_store(n, d);
    if (err < 0 || !n->domain)
        return err;
    err = netsh_fail(n, d, NETSH_STORE, DIAG_UNKNOWN_OBJECT,
                     "the store in use is the domain's, which is changed with the domain tools");
    diag_hint(d, "netsh ipsec static set store location=local");
    return err;
}

static int set_session(struct netsh *n, const char *key, const char *value, struct diag *d)
{
    const struct tool_host *host = n->t->host;
    if (!host || !host->session_set || n->t->explain)
        return 0;
    return host->session_set(host->ctx, key, value, d);
}

int netsh_set_store(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    int i = 0;
    int err = netsh_get_choice(n, a, T_LOCATION, locations, d, &i);
    if (err == 0 && a->value[T_DOMAIN] && i != 2) {
        err = netsh_fail_value(n, a, T_DOMAIN, d, "domain goes with location=domain only");
        diag_hint(d, "leave it out");
    }
    if (err == 0)
        err = set_session(n, KEY_STORE, i == 0 ? NULL : locations[i], d);
    if (err == 0)
        use_location(n, i);
    return err;
}

/* --- batch --- */

static int load_batch(struct netsh *n, struct diag *d)
{
    const struct tool_host *host = n->t->host;
    if (n->has_batch)
        return 0;
    _cleanup_free_ char *lines = NULL;
    int err = host && host->session_get ? host->session_get(host->ctx, KEY_BATCH, d, &lines) : 0;
    if (err < 0)
        return err;
    n->batch = lines != NULL;
    n->has_batch = true;
    n->pending = (struct strbuf)STRBUF_INIT(BATCH_BYTES);
    return lines ? strbuf_add(&n->pending, lines) : 0;
}

/* The line as a script has it, whatever its spelling was. */
static int print_line(struct netsh *n, const struct netsh_args *a, struct diag *d,
                      struct strbuf *out)
{
    const struct netsh_command *c = a->command;
    (void)strbuf_addf(out, "%s %s%s%s", netsh_context_name(c->context), c->verb,
                      c->object ? " " : "", c->object ? c->object : ""); /* sticky */
    for (size_t i = 0; i < a->n; i++) {
        const struct netsh_given *g = &a->v[i];
        if (strpbrk(g->value, "\"\r\n"))
            return netsh_fail_word(n, d, NETSH_VALUE, g->word,
                                   "a quote or line break cannot be kept for later");
        if (netsh_tag_values(g->tag))
            (void)strbuf_addf(out, " %s=\"%s\"", netsh_tag_name(g->tag), g->value);
        else
            (void)strbuf_addf(out, " %s", netsh_tag_name(g->tag));
    }
    return 0;
}

int netsh_keep_line(struct netsh *n, const struct netsh_args *a, struct diag *d, bool *ret_kept)
{
    int err = load_batch(n, d);
    *ret_kept = err == 0 && n->batch;
    if (err < 0 || !n->batch)
        return err;
    err = print_line(n, a, d, &n->pending);
    if (err < 0)
        return err;
    (void)strbuf_add_char(&n->pending, '\n');
    if (n->pending.error == -E2BIG)
        return netsh_fail(n, d, NETSH_REFUSED, DIAG_LIMIT, "more than %d MiB are kept by set batch",
                          BATCH_BYTES / 1024 / 1024);
    if (n->pending.error < 0)
        return n->pending.error;
    n->kept = true;
    return tool_remark(n->t, NOTE, d, "kept until: netsh ipsec static set batch mode=disable");
}

static int run_kept(struct netsh *n, struct diag *d)
{
    _cleanup_(strbuf_done) struct strbuf lines = n->pending;
    n->pending = (struct strbuf)STRBUF_INIT(BATCH_BYTES);
    n->batch = n->kept = false;
    int err = lines.len > 0 ? netsh_run_script(n, "set batch", lines.s, lines.len, d) : 0;
    if (err == 0)
        err = catalog_settle(n->t->catalog, d); /* what is refused stays kept */
    if (err == 0)
        n->t->session_clear = KEY_BATCH; /* and until the change is made */
    return err;
}

int netsh_keep_lines(struct netsh *n, struct diag *d)
{
    return n->kept ? set_session(n, KEY_BATCH, n->pending.s, d) : 0;
}

int netsh_set_batch(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    static const char *const modes[] = {"disable", "enable", NULL};
    int mode = 0;
    int err = netsh_get_choice(n, a, T_MODE, modes, d, &mode);
    if (err == 0)
        err = load_batch(n, d);
    if (err < 0)
        return err;
    if (mode == 0)
        return n->batch ? run_kept(n, d) : tool_remark(n->t, NOTE, d, "set batch is not enabled");
    if (n->file || n->t->from_file || !n->t->host)
        return tool_remark(n->t, NOTE, d, "set batch is not needed: a script is one change");
    if (n->batch)
        return tool_remark(n->t, NOTE, d, "set batch is enabled already");
    n->batch = true;
    return set_session(n, KEY_BATCH, "# set batch\n", d);
}

/* --- delete all --- */

int netsh_delete_all(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct netsh_args all = *a; /* borrows everything */
    all.value[T_ALL] = "all";
    int err = netsh_delete_policy(n, &all, d);
    if (err == 0)
        err = netsh_delete_filterlist(n, &all, d);
    return err < 0 ? err : netsh_delete_filteraction(n, &all, d);
}

/* --- files --- */

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcasecmp(name + n - k, end) == 0;
}

static int report_losses(struct netsh *n, const struct convert_losses *l, struct diag *d)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < l->n; i++)
        err = tool_remark(n->t, NOTE_WARNING, d, "%s", l->v[i]);
    n->t->partly = n->t->partly || l->n > 0;
    return err;
}

/* A file while it is made. */
struct written {
    char *text;
    size_t len;
};

static void written_done(struct written *w)
{
    free(w->text);
}

/* All policies. */
static int write_policies(struct netsh *n, enum convert_format format, struct convert_losses *l,
                          struct diag *d, struct written *ret)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_API_ANSWER_BYTES);
    int err = convert_write_all(format, n->t->catalog, &out, l, d);
    return err < 0 ? err : convert_encode(format, &out, &ret->text, &ret->len);
}

/* What is to be written, and whether there is anything. */
static int prepare_export(struct netsh *n, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    size_t n_policies = 0;
    int err = catalog_load_all(c, d);
    if (err == 0)
        err = catalog_settle(c, d);
    for (size_t i = 0; err == 0 && i < c->n_policies; i++)
        n_policies += c->policies[i].now != NULL;
    return err == 0 && n_policies == 0 ? netsh_fail_no_policies(n, d) : err;
}

int netsh_exportpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    const struct tool_host *host = n->t->host;
    const char *name = a->value[T_FILE];
    _cleanup_(convert_losses_done) struct convert_losses losses = {0};
    _cleanup_(written_done) struct written w = {0};
    int err = prepare_export(n, d);
    if (err < 0)
        return err;
    enum convert_format format = ends_in(name, ".reg") ? CONVERT_REG : CONVERT_TEXT;
    if (ends_in(name, ".txt") || ends_in(name, ".netsh"))
        format = CONVERT_NETSH;
    err = write_policies(n, format, &losses, d, &w);
    if (err == 0)
        err = report_losses(n, &losses, d);
    if (err < 0 || n->t->explain)
        return err;
    if (!host || !host->write_file)
        return netsh_fail(n, d, NETSH_FILE, DIAG_UNKNOWN_OBJECT, "'%s' cannot be written here",
                          name);
    err = host->write_file(host->ctx, name, w.text, w.len, d);
    if (err < 0)
        n->error = NETSH_FILE;
    return err;
}

int netsh_importpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    const char *name = a->value[T_FILE];
    _cleanup_free_ char *text = NULL;
    size_t len = 0;
    int err = netsh_read_file(n, name, d, &text, &len);
    if (err < 0)
        return err;
    int format = convert_guess(name, text, len);
    if (format < 0) {
        err = netsh_fail(n, d, NETSH_FILE, DIAG_SYNTAX, "'%s' has no form that can be imported",
                         name);
        diag_hint(d, ends_in(name, ".ipsec") ? "export the registry tree instead: reg export"
                                             : "native text, a netsh script or a .reg file");
        return err;
    }
    if (format == CONVERT_NETSH)
        return netsh_run_script(n, name, text, len, d);
    struct convert_options o = {.file = name};
    return convert_read(n->t, (enum convert_format)format, text, len, &o, d);
}

int netsh_dump(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    (void)a;
    _cleanup_(convert_losses_done) struct convert_losses losses = {0};
    int err = netsh_write_all(n->t->catalog, /* replace= */ true, &n->t->out, &losses, d);
    return err < 0 ? err : report_losses(n, &losses, d);
}
