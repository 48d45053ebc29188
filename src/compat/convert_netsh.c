/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/convert_netsh.c: reads a netsh script into a catalog.
 * Called by convert_read(). Invariant: reading runs the same commands as `netsh -f`, but asks and
 * changes nothing outside of the catalog: no session, no other file. */
#include <errno.h>
#include <string.h>

#include "convert_internal.h"
#include "netsh.h"

/* The only policy that was not there before gets the name. */
static int rename_policy(struct tool_run *t, const struct convert_options *o, struct diag *d)
{
    struct catalog *c = t->catalog;
    const struct policy *only = NULL;
    size_t made = 0;
    for (size_t i = 0; i < c->n_policies; i++)
        if (c->policies[i].now && !c->policies[i].before) {
            only = c->policies[i].now;
            made++;
        }
    if (made == 1) {
        _cleanup_free_ char *old = strdup(only->name);
        return old ? catalog_policy_rename(c, old, o->name, d) : -ENOMEM;
    }
    int err = diag_fail(d, DIAG_USAGE, "%s makes %zu policies, one name is given", o->file, made);
    diag_hint(d, "leave --name out");
    return err;
}

int convert_read_netsh(struct tool_run *t, const char *data, size_t len,
                       const struct convert_options *o, struct diag *d)
{
    _cleanup_(netsh_done) struct netsh n;
    const struct tool_host *host = t->host;
    size_t printed = t->out.len;
    netsh_init(&n, t);
    n.import = !o->strict;
    n.has_batch = n.has_store = true;
    t->host = NULL;
    int err = netsh_run_script(&n, o->file ? o->file : "script", data, len, d);
    t->host = host;
    if (err == 0)
        err = netsh_finish(&n, d);
    if (t->out.s && t->out.len > printed) { /* what the commands say is not asked for */
        t->out.len = printed;
        t->out.s[printed] = '\0';
    }
    return err == 0 && o->name ? rename_policy(t, o, d) : err;
}
