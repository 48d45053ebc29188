/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_dynamic.c: ipsecpol and ipseccmd without -w: filters that stand until -u, `net stop
 * policyagent` or the next start of the host (windows.md 3). Invariant: a filter is added as it is
 * written or not at all; what a dynamic filter cannot carry is refused or named. */
#include <errno.h>
#include <string.h>

#include "ipsec_internal.h"

/* -lan and -dialup are conditions of a rule; a filter without them would be a wider one. */
static int check_connection(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    for (unsigned id = SW_LAN; id <= SW_DIALUP; id++) {
        if (!ipsec_given(a, id))
            continue;
        const char *word = a->given[id];
        int err = tool_fail_at(t, d, word, 0, strlen(word), DIAG_COMBINATION,
                               "a dynamic filter has no kind of connection");
        diag_hint(d, "make it a rule of a policy with -w REG, or name the interface: {eth0}");
        return err;
    }
    return 0;
}

static int ask(struct tool_run *t, const struct ipsec_args *a, struct diag *d, bool *ret_yes)
{
    *ret_yes = true;
    if (!ipsec_given(a, SW_CONFIRM))
        return 0;
    const char *word = a->given[SW_CONFIRM];
    if (t->host && t->host->confirm &&
        t->host->confirm(t->host->ctx, "add these filters?", ret_yes))
        return 0;
    int err = ipsec_fail(t, d, word, "there is no terminal to ask on");
    diag_hint(d, "leave out -confirm");
    return err;
}

/* Brackets say it, else -n; without both it is negotiated. */
static int choose_action(struct tool_run *t, const struct ipsec_filter *f,
                         const struct ipsec_action *named, struct diag *d, struct ipsec_action *ret)
{
    *ret = *named; /* borrows the strings */
    if (!f->spec.bracket)
        return 0;
    *ret = (struct ipsec_action){.action = f->spec.bracket == '[' ? ACTION_BLOCK : ACTION_PERMIT};
    if (!named->given || (named->action == ret->action && !named->inpass))
        return 0;
    return tool_remark(t, NOTE, d, "'%s': the brackets decide, not -n", f->word);
}

static int remark_added(struct tool_run *t, const char *word, const struct filter *f,
                        struct diag *d)
{
    int err = 0;
    bool clear = f->action == ACTION_BLOCK || (f->action == ACTION_PERMIT && !f->inpass);
    if (filter_effect(f) != ACTION_PERMIT) /* what negotiates stays like a block */
        err = tool_remark(t, NOTE, d, "dynamic: ends at reboot");
    if (err == 0 && !clear)
        err = tool_remark(t, NOTE_FORETOLD, d,
                          "'%s' needs negotiated security: its packets are denied in the clear",
                          word);
    if (err == 0 && f->action == ACTION_PERMIT && (f->src.name || f->dst.name))
        err = tool_remark(t, NOTE, d, "'%s': every address of the name is permitted", word);
    return err;
}

/* All of them before the first is added: a wrong word is told also without an agent. */
static int finish_filters(struct tool_run *t, struct ipsec_filters *filters,
                          const struct ipsec_action *named, struct diag *d)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < filters->n; i++) {
        struct ipsec_filter *f = &filters->v[i];
        struct ipsec_action action;
        err = choose_action(t, f, named, d, &action);
        if (err == 0)
            err = ipsec_filter_finish(t, f->word, &action, d, &f->spec.filter);
    }
    return err;
}

static int add_filters(struct tool_run *t, struct ipsec_filters *filters, struct diag *d)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < filters->n; i++) {
        struct ipsec_filter *f = &filters->v[i];
        const struct filter added = f->spec.filter; /* the catalog's, unless it is known */
        bool known = false;
        err = catalog_dynamic_add(t->catalog, &f->spec.filter, d, &known);
        if (err == 0)
            err = known ? tool_remark(t, NOTE, d, "'%s' is there already", f->word)
                        : remark_added(t, f->word, &added, d);
    }
    return err;
}

/* What only a rule or a policy can keep. */
static int remark_lost(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    static const enum ipsec_switch_id lost[] = {SW_AUTH, SW_MM_FILTER};
    int err = 0;
    for (size_t i = 0; err == 0 && i < ARRAY_SIZE(lost); i++)
        if (ipsec_given(a, lost[i]))
            err = tool_remark(t, NOTE, d, "%s is kept with the rule of a policy only",
                              ipsec_switches[lost[i]].name);
    return err;
}

int ipsec_run_dynamic(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    _cleanup_(ipsec_filters_done) struct ipsec_filters filters = {0};
    _cleanup_(ipsec_action_done) struct ipsec_action named = {0};
    _cleanup_(ipsec_main_mode_done) struct ipsec_main_mode mm = {0};
    bool yes;
    int err = check_connection(t, a, d);
    if (err == 0)
        err = ipsec_filters_parse(t, a, SW_FILTER, d, &filters);
    if (err == 0)
        err = ipsec_action_parse(t, a, d, &named);
    if (err == 0)
        err = ipsec_main_mode_parse(t, a, d, &mm);
    if (err == 0)
        err = ipsec_auth_check(t, a, d);
    if (err == 0)
        err = remark_lost(t, a, d);
    if (err == 0)
        err = finish_filters(t, &filters, &named, d);
    if (err == 0)
        err = ask(t, a, d, &yes);
    if (err < 0)
        return err;
    if (!yes) {
        t->exit = 1;
        return tool_remark(t, NOTE, d, "nothing changed");
    }
    if (filters.has_default)
        err = tool_remark(t, NOTE, d, "the default response rule matches no packet");
    return err < 0 ? err : add_filters(t, &filters, d);
}
