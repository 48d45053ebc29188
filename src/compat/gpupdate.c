/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/gpupdate.c: `gpupdate`, the refresh of Windows XP and later (windows.md 11).
 * Called through the table of tools. As with secedit, a host without a domain has nothing to
 * refresh, and the note says so. */
#include <string.h>
#include <strings.h>

#include "compat/tool.h"
#include "winswitch.h"

static const char refreshing[] = "Refreshing Policy...\n\n";
static const char user_done[] = "User Policy Refresh has completed.\n";
static const char computer_done[] = "Computer Policy Refresh has completed.\n";
static const char review[] = "\nTo check for errors in policy processing, review the event log.\n";
static const char hint[] = "gpupdate /target:computer /force";

enum {
    GPUPDATE_TARGET,
    GPUPDATE_FORCE,
    GPUPDATE_WAIT,
    GPUPDATE_LOGOFF,
    GPUPDATE_BOOT,
    GPUPDATE_SYNC,
    GPUPDATE_HELP,
};
static const struct win_switch switches[] = {
    [GPUPDATE_TARGET] = {"target", WIN_VALUE, "gpupdate /target:computer"},
    [GPUPDATE_FORCE] = {"force", WIN_FLAG, NULL},
    [GPUPDATE_WAIT] = {"wait", WIN_VALUE, "gpupdate /wait:600"},
    [GPUPDATE_LOGOFF] = {"logoff", WIN_FLAG, NULL},
    [GPUPDATE_BOOT] = {"boot", WIN_FLAG, NULL},
    [GPUPDATE_SYNC] = {"sync", WIN_FLAG, NULL},
    [GPUPDATE_HELP] = {"?", WIN_FLAG, NULL},
};

struct request {
    bool help, user, computer;
};

static int read_target(struct tool_run *t, const struct win_word *w, struct diag *d,
                       struct request *ret)
{
    ret->user = strcasecmp(w->value, "user") == 0;
    ret->computer = strcasecmp(w->value, "computer") == 0;
    if (ret->user || ret->computer)
        return 0;
    int r = win_fail_value(t, w, DIAG_USAGE, d, "a target is computer or user, not");
    diag_hint(d, "%s", hint);
    return r;
}

/* -1 waits without end. */
static int read_wait(struct tool_run *t, const struct win_word *w, struct diag *d)
{
    const char *digits = w->value + (w->value[0] == '-');
    size_t n = strspn(digits, "0123456789");
    if (n > 0 && n <= 9 && !digits[n] && (w->value[0] != '-' || strcmp(digits, "1") == 0))
        return tool_remark(t, NOTE, d, "/wait has no effect: there is nothing to wait for");
    int r = win_fail_value(t, w, DIAG_USAGE, d, "a number of seconds or -1 is wanted, not");
    diag_hint(d, "gpupdate /wait:600");
    return r;
}

static int read_word(struct tool_run *t, const struct win_word *w, struct diag *d,
                     struct request *ret)
{
    switch (w->index) {
    case GPUPDATE_TARGET:
        return read_target(t, w, d, ret);
    case GPUPDATE_WAIT:
        return read_wait(t, w, d);
    case GPUPDATE_HELP:
        ret->help = true;
        return 0;
    case GPUPDATE_FORCE:
        return 0;
    case GPUPDATE_LOGOFF:
    case GPUPDATE_BOOT:
    case GPUPDATE_SYNC:
        return tool_remark(t, NOTE, d, "/%s has no effect here", switches[w->index].name);
    default:
        return win_fail_word(t, w, d, hint);
    }
}

static int refresh(struct tool_run *t, const struct request *q, struct diag *d)
{
    int r = 0;
    if (q->user)
        r = tool_remark(t, NOTE, d, "policies of users have no effect here");
    if (r == 0 && q->computer)
        r = tool_remark(t, NOTE, d, "no domain configured: nothing to refresh");
    (void)strbuf_add(&t->out, refreshing); /* errors are sticky */
    if (q->user)
        (void)strbuf_add(&t->out, user_done);
    if (q->computer)
        (void)strbuf_add(&t->out, computer_done);
    return r < 0 ? r : strbuf_add(&t->out, review);
}

int tool_gpupdate(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    _cleanup_(win_words_done) struct win_words words = {0};
    struct request q = {.user = true, .computer = true};
    int r = win_words_read(t, &(struct win_input){argc, argv, switches, ARRAY_SIZE(switches)}, d,
                           &words);
    for (size_t i = 0; i < words.n && r == 0; i++)
        r = read_word(t, &words.v[i], d, &q);
    if (r < 0)
        return r;
    return q.help ? strbuf_add(&t->out, tool_gpupdate_help) : refresh(t, &q, d);
}
