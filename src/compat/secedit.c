/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/secedit.c: `secedit /refreshpolicy machine_policy`, the refresh of Windows 2000
 * (windows.md 11). Called through the table of tools. Without a configured domain there is nothing
 * to refresh; that is said, and is no failure, because scripts of domain members run on hosts
 * without one. */
#include <string.h>
#include <strings.h>

#include "compat/tool.h"
#include "winswitch.h"

static const char initiated[] =
    "Group policy propagation from the domain has been initiated for this computer. It may take a "
    "few minutes for the propagation to complete and the new policy to take effect. Please check "
    "Application Log for errors, if any.\n";
static const char hint[] = "secedit /refreshpolicy machine_policy";

enum { SECEDIT_REFRESH, SECEDIT_ENFORCE, SECEDIT_HELP };
static const struct win_switch switches[] = {
    [SECEDIT_REFRESH] = {"refreshpolicy", WIN_FLAG, NULL},
    [SECEDIT_ENFORCE] = {"enforce", WIN_FLAG, NULL},
    [SECEDIT_HELP] = {"?", WIN_FLAG, NULL},
};

struct request {
    bool refresh, help;
    const struct win_word *policy;
};

static int read_request(struct tool_run *t, const struct win_words *words, struct diag *d,
                        struct request *ret)
{
    for (size_t i = 0; i < words->n; i++) {
        const struct win_word *w = &words->v[i];
        ret->help |= w->index == SECEDIT_HELP;
        ret->refresh |= w->index == SECEDIT_REFRESH;
        if (w->index == WIN_UNKNOWN || (w->index == WIN_WORD && (ret->policy || !ret->refresh)))
            return win_fail_word(t, w, d, hint);
        if (w->index == WIN_WORD)
            ret->policy = w;
    }
    return 0;
}

static int fail_usage(struct diag *d, const char *what)
{
    int r = diag_fail(d, DIAG_USAGE, "%s", what);
    diag_hint(d, "%s", hint);
    return r;
}

static int refresh(struct tool_run *t, const struct win_word *policy, struct diag *d)
{
    int r;
    if (strcasecmp(policy->value, "user_policy") == 0)
        r = tool_remark(t, NOTE, d, "policies of users have no effect here");
    else if (strcasecmp(policy->value, "machine_policy") == 0)
        r = tool_remark(t, NOTE, d, "no domain configured: nothing to refresh");
    else
        return win_fail_word(t, policy, d, hint);
    return r < 0 ? r : strbuf_add(&t->out, initiated);
}

int tool_secedit(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    _cleanup_(win_words_done) struct win_words words = {0};
    struct request q = {.help = false};
    int r = win_words_read(t, &(struct win_input){argc, argv, switches, ARRAY_SIZE(switches)}, d,
                           &words);
    if (r == 0)
        r = read_request(t, &words, d, &q);
    if (r < 0)
        return r;
    if (q.help)
        return strbuf_add(&t->out, tool_secedit_help);
    if (!q.refresh)
        return fail_usage(d, "only /refreshpolicy is known here");
    return q.policy ? refresh(t, q.policy, d)
                    : fail_usage(d, "say which policy: machine_policy or user_policy");
}
