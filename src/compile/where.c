/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/where.c: `on IF`, `profile P` and connection types as values of a key (bpf/image.h,
 * IMG_PLACE). Called by expand.c for each filter, by image.c for the table of zones. Invariant: a
 * filter that denies has one copy more, for packets of interfaces that this generation does not
 * know; one that permits has none. */
#include <string.h>

#include "build.h"

_Static_assert((int)PROFILE_DOMAIN == 1 && (int)PROFILE_PUBLIC == IMG_PLACE_PROFILE &&
                   (int)CONNECTION_LAN == 1 && (int)CONNECTION_DIALUP == 2,
               "IMG_PLACE");

static enum connection connection_of(const struct iface *i)
{
    return ifname_is_dialup(i->name) ? CONNECTION_DIALUP : CONNECTION_LAN;
}

uint8_t where_mask(uint8_t place)
{
    switch (place) {
    case PLACE_PROFILE:
        return IMG_PLACE_PROFILE;
    case PLACE_CONNECTION:
        return IMG_PLACE_CONNECTION;
    case PLACE_PROFILE_CONNECTION:
        return IMG_PLACE_PROFILE | IMG_PLACE_CONNECTION;
    default:
        return 0;
    }
}

void where_fill(const struct host *h, __u8 places[IMG_ZONES])
{
    for (size_t i = 0; i < h->n_ifaces; i++) {
        const struct iface *f = &h->ifaces[i];
        if (f->zone != 0)
            places[f->zone] = (__u8)IMG_PLACE(iface_profile(f), connection_of(f));
    }
}

/* The interfaces of that name, if they have the connection type. */
static int each_zone(const struct host *h, const struct effective_filter *ef, where_fn *f,
                     void *arg)
{
    int r = 0;
    for (size_t i = 0; i < h->n_ifaces && r == 0; i++) {
        const struct iface *at = &h->ifaces[i];
        bool fits = ef->connection == CONNECTION_ALL || ef->connection == connection_of(at);
        if (at->zone != 0 && fits && strcmp(at->name, ef->filter->interface) == 0)
            r = f(arg, PLACE_ZONE, at->zone);
    }
    return r;
}

uint8_t where_place(const struct effective_filter *ef)
{
    bool profile = ef->filter->profile != PROFILE_NONE;
    if (ef->filter->interface)
        return PLACE_ZONE;
    if (ef->connection != CONNECTION_ALL)
        return profile ? PLACE_PROFILE_CONNECTION : PLACE_CONNECTION;
    return profile ? PLACE_PROFILE : PLACE_ANY;
}

int where_each(const struct host *h, const struct effective_filter *ef, where_fn *f, void *arg)
{
    uint8_t place = where_place(ef);
    int r = place == PLACE_ZONE
                ? each_zone(h, ef, f, arg)
                : f(arg, place, (uint8_t)IMG_PLACE(ef->filter->profile, ef->connection));
    if (r == 0 && place != PLACE_ANY && filter_effect(ef->filter) != ACTION_PERMIT)
        r = f(arg, place, 0);
    return r;
}
