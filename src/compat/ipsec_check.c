/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_check.c: which switches of ipsecpol and ipseccmd go together (windows.md 3). Called
 * when all arguments are sorted and before anything is changed. */
#include <string.h>

#include "ipsec_internal.h"

/* Two switches that exclude each other, or of which one needs the other. */
struct pair {
    enum ipsec_switch_id first, second;
    const char *message, *hint;
};

static const struct pair exclude[] = {
    {SW_ASSIGN, SW_UNASSIGN, "-x assigns and -y unassigns", "leave one of them out"},
    {SW_LAN, SW_DIALUP, "-lan and -dialup exclude each other",
     "leave both out for every connection"},
    {SW_DELETE, SW_FILTER, "-o deletes and takes no filter", "leave out -f or -o"},
    {SW_DELETE, SW_ACTION, "-o deletes and takes no action", "leave out -n or -o"},
};

static const struct pair need[] = {
    {SW_ACTION, SW_FILTER, "-n needs the filters of -f", "for example -f *=0:1434:UDP -n BLOCK"},
    {SW_TUNNEL, SW_FILTER, "-t needs the filters of -f",
     "for example -f 0=192.0.2.0/255.255.255.0"},
    {SW_AUTH, SW_FILTER, "-a needs the filters of -f", "for example -f 0+192.0.2.1 -a KERBEROS"},
    {SW_SOFT, SW_FILTER, "-soft needs the filters of -f", "for example -f 0+192.0.2.1 -soft"},
    {SW_LAN, SW_FILTER, "-lan needs the filters of -f", "for example -f *=0:1434:UDP -lan"},
    {SW_DIALUP, SW_FILTER, "-dialup needs the filters of -f",
     "for example -f *=0:1434:UDP -dialup"},
};
static const struct pair need_static[] = {
    {SW_STORE, SW_POLICY, "-w needs a policy", "say which one: -p NAME"},
    {SW_FILTER, SW_RULE, "-f in a policy needs the name of a rule", "say -r NAME"},
    {SW_FILTER, SW_ACTION, "-f in a policy needs an action", "say -n BLOCK or -n PASS"},
};

static int fail_pair(struct tool_run *t, const struct ipsec_args *a, const struct pair *p,
                     struct diag *d)
{
    int err = ipsec_fail(t, d, a->given[p->first], "%s", p->message);
    diag_hint(d, "%s", p->hint);
    return err;
}

static int check_pairs(struct tool_run *t, const struct ipsec_args *a, const struct pair *pairs,
                       size_t n, bool second, struct diag *d)
{
    for (size_t i = 0; i < n; i++)
        if (ipsec_given(a, pairs[i].first) && ipsec_given(a, pairs[i].second) == second)
            return fail_pair(t, a, &pairs[i], d);
    return 0;
}

/* -u, -file and -? are commands of their own. */
static int check_alone(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    for (unsigned i = 0; i < _SW_MAX; i++) {
        if (ipsec_switches[i].where != ALONE || !ipsec_given(a, i))
            continue;
        for (unsigned k = 0; k < _SW_MAX; k++) {
            if (k == i || !ipsec_given(a, k))
                continue;
            int err = ipsec_fail(t, d, a->given[k], "'%s' stands alone, without '%s'",
                                 ipsec_switches[i].name, ipsec_switches[k].name);
            diag_hint(d, "give two commands");
            return err;
        }
    }
    return 0;
}

/* "*=0:80:TCP-n BLOCK": the missing -n is there, behind the last filter. */
static int check_glued_action(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    const struct ipsec_words *w = &a->values[SW_FILTER];
    for (size_t i = 0; !ipsec_given(a, SW_ACTION) && i < w->n; i++) {
        size_t n = ipsec_glued(w->v[i]);
        if (n == 0 || strcmp(w->v[i] + n, ipsec_switches[SW_ACTION].name) != 0)
            continue;
        int err = tool_fail_at(t, d, w->v[i], n, 2, DIAG_USAGE,
                               "the switch '-n' is glued to what stands before it");
        diag_hint(d, "put a blank between them: %.*s -n", (int)n, w->v[i]);
        return err;
    }
    return 0;
}

static int check_static(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    const struct ipsec_words *rules = &a->values[SW_RULE];
    int err = check_glued_action(t, a, d);
    if (err == 0)
        err = check_pairs(t, a, need_static, ARRAY_SIZE(need_static), false, d);
    if (err < 0)
        return err;
    if (ipsec_given(a, SW_CONFIRM)) {
        err = ipsec_fail(t, d, a->given[SW_CONFIRM], "-confirm goes with dynamic filters only");
        diag_hint(d, "leave out -confirm");
        return err;
    }
    if (rules->n > 1 && !ipsec_given(a, SW_DELETE)) {
        err = ipsec_fail(t, d, rules->v[1], "several -r go with -o only");
        diag_hint(d, "give one command for each rule");
        return err;
    }
    if (rules->n > 0 && !ipsec_given(a, SW_DELETE) && !ipsec_given(a, SW_FILTER)) {
        err = ipsec_fail(t, d, a->given[SW_RULE], "-r needs -f to add the rule or -o to delete it");
        diag_hint(d, "for example -f *=0:1434:UDP -n BLOCK");
        return err;
    }
    return 0;
}

/* What belongs to a policy was typed without saying where the policy is. */
static int check_dynamic(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    for (unsigned i = 0; i < _SW_MAX; i++) {
        if (ipsec_switches[i].where != IN_STATIC || !ipsec_given(a, i))
            continue;
        int err = ipsec_fail(t, d, a->given[i], "'%s' belongs to a policy, but -w is missing",
                             ipsec_switches[i].name);
        diag_hint(d, "add -w REG");
        return err;
    }
    if (ipsec_given(a, SW_FILTER))
        return 0;
    for (unsigned i = 0; i < _SW_MAX; i++)
        if (ipsec_given(a, i)) {
            int err = ipsec_fail(t, d, a->given[i], "'%s' needs the filters of -f",
                                 ipsec_switches[i].name);
            diag_hint(d, "for example -f [*=0:1434:UDP]");
            return err;
        }
    int err = diag_fail(d, DIAG_USAGE, "nothing to do");
    diag_hint(d, "%s -?", ipsec_tool_name(t));
    return err;
}

int ipsec_args_check(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    bool policy = ipsec_given(a, SW_STORE);
    int err = check_alone(t, a, d);
    if (err < 0 || ipsec_given(a, SW_FLUSH) || ipsec_given(a, SW_FILE) || ipsec_given(a, SW_HELP))
        return err;
    if (!policy)
        err = check_dynamic(t, a, d);
    if (err == 0)
        err = check_pairs(t, a, exclude, ARRAY_SIZE(exclude), true, d);
    if (err == 0)
        err = check_pairs(t, a, need, ARRAY_SIZE(need), false, d);
    return err < 0 || !policy ? err : check_static(t, a, d);
}
