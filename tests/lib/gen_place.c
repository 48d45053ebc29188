/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/gen_place.c: gives filters of a random policy interfaces, profiles, connection types
 * and `log`. Called by tests that ask about them. Few kinds in one policy: each makes groups of its
 * own. */
#include <string.h>

#include "gen_internal.h"

enum kind { KIND_NONE, KIND_INTERFACE, KIND_PROFILE, KIND_CONNECTION, KIND_BOTH, N_KINDS };

/* Mostly one that the host has. */
static char *some_interface(struct rng *r, const struct host *h)
{
    if (h->n_ifaces == 0 || once_in(r, 5))
        return strdup("later0");
    return strdup(h->ifaces[rng_below(r, (uint32_t)h->n_ifaces)].name);
}

static void give_place(struct rng *r, const struct gen_policy *p, enum kind k,
                       struct effective_filter *ef, struct filter *f)
{
    static const enum connection connections[] = {CONNECTION_LAN, CONNECTION_DIALUP};
    if (k == KIND_INTERFACE)
        f->interface = some_interface(r, p->e.host);
    if (k == KIND_PROFILE || k == KIND_BOTH)
        f->profile = (enum profile)(PROFILE_DOMAIN + rng_below(r, 3));
    if (k == KIND_CONNECTION || k == KIND_BOTH || (k == KIND_INTERFACE && once_in(r, 3)))
        ef->connection = connections[rng_below(r, 2)];
}

void gen_policy_places(struct rng *r, struct gen_policy *p)
{
    enum kind kind[2] = {(enum kind)rng_below(r, N_KINDS), (enum kind)rng_below(r, N_KINDS)};
    for (size_t i = 0; i < p->e.n; i++) {
        p->f[i].log = once_in(r, 4);
        if (once_in(r, 3))
            give_place(r, p, kind[i % 2], &p->v[i], &p->f[i]);
    }
}
