/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/kept.c: the policy that was stored or read last, so that one of 100,000 filters is not read
 * again to be assigned.
 * Called by the changes of policies (change_policy.c), change.c at the end of a job, agent.c from
 * time to time. Invariant: what a job stored is used by others only after its commit; a kept policy
 * is used only while the store names the same revision, which never changes. */
#include "internal.h"

enum {
    KEPT_NS_MAX = 60000000000 /* 1 min: between a load and its assignment; then it is memory */
};

static bool is_kept(const struct policy_ref *r, const struct policy_identity *i)
{
    return r && r->policy->revision == i->revision && guid_cmp(&r->policy->guid, &i->guid) == 0;
}

int kept_put(struct job *j, struct policy **p)
{
    struct policy_ref *r;
    int err = policy_ref_new(*p, &r);
    if (err < 0)
        return err;
    *p = NULL;
    policy_ref_put(j->kept);
    j->kept = r;
    return 0;
}

int kept_get(struct agent *a, struct job *j, const char *name, struct policy_ref **ret)
{
    struct diag *d = &j->result.diag;
    struct policy_identity i;
    int err = store_policy_identity(a->store, name, d, &i);
    if (err < 0)
        return err;
    if (!is_kept(j->kept, &i)) {
        _cleanup_(policy_freep) struct policy *p = NULL;
        policy_ref_put(j->kept);
        j->kept = is_kept(a->kept, &i) ? policy_ref_get(a->kept) : NULL;
        err = j->kept ? 0 : store_policy_get(a->store, name, d, &p);
        if (err == 0 && p)
            err = kept_put(j, &p);
        if (err < 0)
            return err;
    }
    *ret = j->kept;
    return 0;
}

void kept_commit(struct agent *a, struct job *j)
{
    if (!j->kept)
        return;
    policy_ref_put(a->kept);
    a->kept = TAKE_PTR(j->kept);
    a->kept_since_ns = agent_now_ns();
}

void kept_expire(struct agent *a)
{
    if (a->kept && agent_now_ns() - a->kept_since_ns > KEPT_NS_MAX)
        a->kept = policy_ref_put(a->kept);
}
