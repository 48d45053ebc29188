/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec.c: ipsecpol (Windows 2000) and ipseccmd (XP and Server 2003), windows.md 3: one tool
 * by two names. Called by the front with the words behind the name. Sorts them, decides what kind
 * of command it is, and says at the end what the original says. */
#include <string.h>

#include "ipsec_internal.h"

static const char completed[] = "The command completed successfully.\n";

const char *ipsec_tool_name(const struct tool_run *t)
{
    return t->tool ? t->tool->name : "ipseccmd";
}

/* 1: something was printed that needs no word of success after it. */
static int run_sorted(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    if (a->show.n > 0) {
        int err = ipsec_run_show(t, a, d);
        return err < 0 ? err : 1;
    }
    int err = ipsec_args_check(t, a, d);
    if (err < 0)
        return err;
    if (ipsec_given(a, SW_HELP)) {
        err = strbuf_add(&t->out, tool_ipsec_help);
        return err < 0 ? err : 1;
    }
    if (ipsec_given(a, SW_FLUSH)) {
        catalog_dynamic_flush(t->catalog);
        return 0;
    }
    return ipsec_given(a, SW_STORE) ? ipsec_run_static(t, a, d) : ipsec_run_dynamic(t, a, d);
}

static int run_one(struct tool_run *t, int argc, char *const *argv, bool files, struct diag *d)
{
    _cleanup_(ipsec_args_done) struct ipsec_args a = {0};
    int err = ipsec_args_parse(t, argc, argv, d, &a);
    if (err < 0)
        return err;
    if (!ipsec_given(&a, SW_FILE))
        return run_sorted(t, &a, d);
    if (!files) {
        err = ipsec_fail(t, d, a.given[SW_FILE], "a file of commands cannot name another one");
        diag_hint(d, "put the commands into one file");
        return err;
    }
    err = ipsec_args_check(t, &a, d);
    return err < 0 ? err : ipsec_run_file(t, ipsec_value(&a, SW_FILE), d);
}

int ipsec_run_command(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    int err = run_one(t, argc, argv, /* files= */ false, d);
    return err < 0 ? err : 0;
}

int tool_ipsec(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    int err = run_one(t, argc, argv, /* files= */ true, d);
    if (err < 0)
        return err;
    return err == 0 && t->exit == 0 ? strbuf_add(&t->out, completed) : 0;
}
