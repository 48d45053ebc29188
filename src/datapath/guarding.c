/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the guard is there and what follows from it. Called by datapath.c and generations.c.
 * Invariant: an interface carries PW_IF_GUARDED only while links of ours stand at LOCAL_IN, so that
 * at any moment the guard or the classifier itself takes an unknown address for this host. */
#include <errno.h>
#include <stdio.h>

#include "internal.h"
#include "sysbpf.h"

static const char no_guard[] = "this kernel has no netfilter programs";

static void set_reason(struct datapath *dp, int error)
{
    dp->guard_reason = (struct diag){0};
    (void)diag_errno(&dp->guard_reason, error, "cannot attach the guard"); /* kept, not returned */
}

void guarding_open(struct datapath *dp)
{
    bool tcx = attach_mode(dp->attach) == HOOK_TCX;
    struct guard_load_options o = {.progs = &dp->set.progs, .tag_secret = dp->set.tag_secret};
    struct sysbpf_prog_info out;

    if (!dp->guard_wanted)
        return;
    if (tcx && sysbpf_prog_info(dp->set.progs.prog[PROG_OUT], &out) == 0)
        o.out_program = out.id;
    int r = guard_open(&o, &dp->guard_reason, &dp->guard);
    if (r == -EINVAL && !sysbpf_has_netfilter())
        (void)diag_fail(&dp->guard_reason, DIAG_NOT_ENFORCED, "%s", no_guard);
}

static int set_guarded(struct datapath *dp, bool guarded)
{
    if (dp->guarded == guarded)
        return 0;
    dp->guarded = guarded;
    int r = hostmaps_write_roles(dp);
    if (r < 0)
        dp->guarded = !guarded; /* the next call tries again */
    return r;
}

/* The classifier's own answer first, then the guard goes. */
static int take_off(struct datapath *dp)
{
    int r = set_guarded(dp, false);

    if (!r && !dp->guard_settled)
        r = guard_remove_pinned(&dp->pins);
    dp->guard_settled = r == 0;
    return r;
}

int guarding_apply(struct datapath *dp)
{
    if (dp->waits_beside)
        return 0;
    if (!dp->guard_wanted) {
        int r _unused_ = take_off(dp); /* the next call tries again */

        return 0;
    }
    if (!dp->guard)
        return 0;
    int n = guard_ensure(dp->guard, &dp->pins);
    if (n < 0)
        set_reason(dp, n);
    else
        dp->guard_reason = (struct diag){0};
    int r = set_guarded(dp, guard_judges_input(dp->guard));
    if (r < 0)
        set_reason(dp, r);
    return n > 0 ? n : 0;
}

void datapath_guard_status(const struct datapath *dp, struct guard_status *ret)
{
    unsigned n = dp->guard ? guard_links(dp->guard) : 0;

    *ret = (struct guard_status){.state = GUARD_OFF};
    if (!dp->guard_wanted)
        return;
    if (n == GUARD_LINKS && dp->guarded) {
        ret->state = GUARD_ON;
        return;
    }
    ret->state = n ? GUARD_PARTIAL : GUARD_UNAVAILABLE;
    snprintf(ret->reason, sizeof(ret->reason), "%s", dp->guard_reason.message);
}

const char *guard_state_name(enum guard_state s)
{
    static const char *const names[] = {
        [GUARD_OFF] = "off",
        [GUARD_ON] = "on",
        [GUARD_PARTIAL] = "partial",
        [GUARD_UNAVAILABLE] = "unavailable",
    };

    return names[s];
}
