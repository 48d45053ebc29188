/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/rules.c: what the administrator set (model/mpp.h) as rules for the kernel. Pure. Called by
 * src/agent/pressure.c. */
#include "mpp/rules.h"

#include <string.h>

static void set_bits(uint64_t words[MPP_PORT_WORDS], const struct mpp_ranges *l)
{
    for (unsigned i = 0; i < l->n; i++)
        for (uint32_t p = l->v[i].first; p <= l->v[i].last; p++)
            words[p / 64] |= 1ULL << (p % 64);
}

void mpp_rules_make(const struct mpp_settings *s, uint32_t generation, struct mpp_rules *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->generation = generation;
    ret->profiles = mpp_has_profiles(s);
    ret->gate_max = s->gate_max;
    ret->by_diag = s->by_diag;
    for (unsigned f = 0; f < MPP_FAMILIES; f++) {
        ret->on[f] = mpp_is_on(s, f);
        set_bits(ret->exempt[f], &s->exempt[f]);
    }
}

void mpp_iface_make(const struct mpp_settings *s, uint32_t ifindex, const char *name,
                    enum mpp_category c, struct mpp_iface *ret)
{
    const struct mpp_interface *i = mpp_interface_find(s, name);

    memset(ret, 0, sizeof(*ret));
    ret->ifindex = ifindex;
    ret->category = c;
    strncpy(ret->name, name, sizeof(ret->name) - 1);
    if (!i)
        return;
    ret->off[MPP_4] = i->off[MPP_4];
    ret->off[MPP_6] = i->off[MPP_6];
    ret->rate = i->rate;
}
