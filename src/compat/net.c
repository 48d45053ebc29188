/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/net.c: `net start` and `net stop` of the service that the Windows tools speak of
 * (windows.md 12).
 * Called through the table of tools. Invariant: to stop is a deliberate word and ends the dynamic
 * layer, and nothing else: what policies block stays blocked without the agent, and that is
 * said. */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "net.h"
#include "winswitch.h"

/* --- words of the tool --- */
static const char *const display_names[_PERSONA_MAX] = {
    [PERSONA_2000] = "IPSEC Policy Agent",
    [PERSONA_XP] = "IPSEC Services",
    [PERSONA_2003] = "IPSEC Services",
    [PERSONA_2008] = "IPsec Policy Agent",
};
static const char *const service_names[] = {"policyagent", "IPSEC Services", "IPSEC Policy Agent",
                                            "IPsec Policy Agent"};
static const char stopped[] = "The %s service is stopping.\n"
                              "The %s service was stopped successfully.\n";
static const char started[] = "The %s service is starting.\n"
                              "The %s service was started successfully.\n";
static const char already[] = "The requested service has already been started.\n";
static const char list_head[] = "These Windows services are started:\n\n";
static const char list_entry[] = "   %s\n\n";
static const char completed[] = "The command completed successfully.\n";

enum { NET_YES, NET_NO, NET_HELP };
static const struct win_switch switches[] = {
    [NET_YES] = {"y", WIN_FLAG, NULL}, /* net asks whether dependent services shall stop: none do */
    [NET_NO] = {"n", WIN_FLAG, NULL},
    [NET_HELP] = {"?", WIN_FLAG, NULL},
};

static const char *display_name(const struct tool_run *t)
{
    return display_names[t->persona];
}

static int check_service(struct tool_run *t, const struct win_word *verb, const struct win_word *w,
                         struct diag *d)
{
    for (size_t i = 0; i < ARRAY_SIZE(service_names); i++)
        if (strcasecmp(w->value, service_names[i]) == 0)
            return 0;
    int r = win_fail_value(t, w, DIAG_UNKNOWN_OBJECT, d, "not a portward service:");
    diag_hint(d, "net %s policyagent", verb->value);
    return r;
}

static int fail_usage(struct diag *d, const char *what)
{
    int r = diag_fail(d, DIAG_USAGE, "%s", what);
    diag_hint(d, "net stop policyagent");
    return r;
}

/* 1 if the agent runs, 0 if not. */
static int is_running(struct tool_run *t, struct diag *d)
{
    void *answer = NULL;
    struct diag why = {0};
    int r = t->host->ask(t->host->ctx, "/v1/status", &why, &answer);
    json_decref(answer);
    if (r == -ENOTCONN)
        return 0;
    if (r < 0)
        *d = why;
    return r < 0 ? r : 1;
}

/* --- stop --- */
static int note_what_stays(struct tool_run *t, struct diag *d)
{
    static const char *const layers[_CATALOG_SLOT_MAX] = {"local", "persistent"};
    int r = 0;
    for (unsigned slot = 0; slot < _CATALOG_SLOT_MAX && r == 0; slot++) {
        const char *name;
        r = catalog_assigned(t->catalog, (enum catalog_slot)slot, d, &name);
        if (r == 0 && name[0])
            r = tool_remark(t, NOTE, d, "%s policy '%s' stays in force without the agent",
                            layers[slot], name);
    }
    return r;
}

static int stop(struct tool_run *t, struct diag *d)
{
    int r = net_note_opens(t, d);
    if (r == 0)
        r = note_what_stays(t, d);
    if (r < 0)
        return r;
    if (t->explain) {
        r = tool_remark(t, NOTE, d, "then the agent would be stopped");
        if (r < 0)
            return r;
    }
    catalog_dynamic_flush(t->catalog);
    t->after = AFTER_STOP_AGENT;
    return strbuf_addf(&t->out, stopped, display_name(t), display_name(t));
}

/* --- start --- */
static int start(struct tool_run *t, struct diag *d)
{
    int r = is_running(t, d);
    if (r < 0)
        return r;
    if (r > 0) {
        r = tool_remark(t, NOTE, d, "the agent runs already");
        return r < 0 ? r : strbuf_add(&t->out, already);
    }
    t->after = AFTER_START_AGENT;
    return strbuf_addf(&t->out, started, display_name(t), display_name(t));
}

/* `net start` alone. */
static int list(struct tool_run *t, struct diag *d)
{
    int r = is_running(t, d);
    if (r < 0)
        return r;
    (void)strbuf_add(&t->out, list_head); /* errors are sticky */
    if (r > 0)
        (void)strbuf_addf(&t->out, list_entry, display_name(t));
    return strbuf_add(&t->out, completed);
}

/* --- the tool --- */
struct request {
    const struct win_word *verb, *service;
    bool help;
};

static int read_request(struct tool_run *t, const struct win_words *words, struct diag *d,
                        struct request *ret)
{
    static const char hint[] = "net stop policyagent";
    for (size_t i = 0; i < words->n; i++) {
        const struct win_word *w = &words->v[i];
        if (w->index == NET_HELP)
            ret->help = true;
        else if (w->index == WIN_UNKNOWN)
            return win_fail_word(t, w, d, hint);
        else if (w->index == WIN_WORD && !ret->verb)
            ret->verb = w;
        else if (w->index == WIN_WORD && !ret->service)
            ret->service = w;
        else if (w->index == WIN_WORD)
            return win_fail_word(t, w, d, "net stop \"IPSEC Services\"");
    }
    return 0;
}

static int run(struct tool_run *t, const struct win_words *words, struct diag *d)
{
    struct request q = {.help = false};
    int r = read_request(t, words, d, &q);
    if (r < 0)
        return r;
    if (q.help || (q.verb && strcasecmp(q.verb->value, "help") == 0))
        return strbuf_add(&t->out, tool_net_help);
    if (!q.verb)
        return fail_usage(d, "say what to do");
    bool starts = strcasecmp(q.verb->value, "start") == 0;
    if (!starts && strcasecmp(q.verb->value, "stop") != 0)
        return win_fail_word(t, q.verb, d, "net stop policyagent");
    if (!starts && !q.service)
        return fail_usage(d, "say which service");
    r = q.service ? check_service(t, q.verb, q.service, d) : 0;
    if (r < 0)
        return r;
    if (!t->host)
        return diag_fail(d, DIAG_USAGE, "net starts and stops the agent, there is none here");
    if (starts)
        return q.service ? start(t, d) : list(t, d);
    return stop(t, d);
}

int tool_net(struct tool_run *t, int argc, char *const *argv, struct diag *d)
{
    _cleanup_(win_words_done) struct win_words words = {0};
    int r = win_words_read(t, &(struct win_input){argc, argv, switches, ARRAY_SIZE(switches)}, d,
                           &words);
    return r < 0 ? r : run(t, &words, d);
}
