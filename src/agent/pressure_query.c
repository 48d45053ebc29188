/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/pressure_query.c: questions about memory pressure protection: settings with what they come
 * to, state of the engine, ranking of connections, records of ended ones.
 * Called by the API. Nothing here changes anything. */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "pressure.h"

void agent_mpp_done(struct agent_mpp *x)
{
    free(x->interfaces);
    *x = (struct agent_mpp){0};
}

int agent_mpp(struct agent *a, struct diag *d, struct agent_mpp *ret)
{
    struct mpp *m = pressure_engine(a);
    struct agent_mpp x = {.settings = a->config.mpp, .generation = a->mpp_generation};
    int err = datapath_iface_status(a->dp, &x.interfaces, &x.n_interfaces);
    if (err < 0)
        return diag_errno(d, err, "cannot list the interfaces");
    err = m ? mpp_status(m, &x.engine) : -EOPNOTSUPP;
    x.running = err == 0;
    x.engine_error = err;
    *ret = x;
    return 0;
}

static int fail_engine(int err, struct diag *d)
{
    if (err == -EOPNOTSUPP) {
        (void)diag_fail(d, DIAG_NOT_ENFORCED, "memory pressure protection does not run here");
        diag_hint(d, "portward mpp status");
        return err;
    }
    return diag_errno(d, err, "cannot look at the connections");
}

int agent_mpp_rank(struct agent *a, size_t max, struct diag *d, struct mpp_ranking *ret)
{
    struct mpp *m = pressure_engine(a);
    int err = m ? mpp_rank(m, max, ret) : -EOPNOTSUPP;
    return err < 0 ? fail_engine(err, d) : 0;
}

int agent_mpp_records(struct agent *a, size_t max, struct diag *d, struct mpp_conn **ret,
                      size_t *ret_n)
{
    struct mpp *m = pressure_engine(a);
    int err = m ? mpp_records(m, max, ret, ret_n) : -EOPNOTSUPP;
    return err < 0 ? fail_engine(err, d) : 0;
}
