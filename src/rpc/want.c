/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See want.h. Which unit is confined how: Samba walks the set by itself with binds to numbers, the
 * lock manager of NFS has its sockets in the kernel; all others are rewritten by the programs. */
#include "want.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rpc/settings.h"

static const struct {
    const char *name;
    enum rpc_how how;
} special[] = {
    {"smbd.service", RPC_HOW_SAMBA},
    {"samba.service", RPC_HOW_SAMBA},
    {"samba-ad-dc.service", RPC_HOW_SAMBA},
    {"nfs-server.service", RPC_HOW_NFS},
    {"nfs-kernel-server.service", RPC_HOW_NFS},
};

static enum rpc_how how_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;

    for (size_t i = 0; i < ARRAY_SIZE(special); i++)
        if (strcmp(special[i].name, last) == 0)
            return special[i].how;
    return RPC_HOW_CGROUP;
}

static enum rpc_class class_of(enum rpc_asks asks, enum rpc_how how)
{
    if (how == RPC_HOW_SAMBA)
        return RPC_CLASS_OWN;
    switch (asks) {
    case RPC_ASKS_LOOSE:
        return RPC_CLASS_LOOSE;
    case RPC_ASKS_LOCAL:
        return RPC_CLASS_LOCAL;
    case RPC_ASKS_DEFAULT:
        return RPC_CLASS_DEFAULT;
    case RPC_ASKS_INTERNET:
    case _RPC_ASKS_MAX:
        break;
    }
    return RPC_CLASS_INTERNET;
}

static enum rpc_mode mode_of(const struct rpc_settings *s, enum rpc_asks asks)
{
    if (s->invalid)
        return RPC_MODE_REFUSE;
    if (!s->is_set || !rpc_settings_inside(s, asks))
        return RPC_MODE_PASS;
    return asks == RPC_ASKS_LOOSE ? RPC_MODE_LOOSE : RPC_MODE_INSIDE;
}

void want_done(struct want *w)
{
    free(w->units);
    *w = (struct want){0};
}

int want_from(const struct rpc_settings *s, struct want *ret)
{
    struct want w = {.guard = s->guard, .keep_holders = s->keep_holders, .invalid = s->invalid};

    w.units = calloc(s->n_confined + 1, sizeof(*w.units));
    if (!w.units)
        return -ENOMEM;
    w.reserve = s->reserve < 0 ? RPC_RESERVE_AUTO : (uint32_t)s->reserve;
    (void)snprintf(w.why, sizeof(w.why), "%.*s", (int)sizeof(w.why) - 1, s->why);
    for (size_t i = 0; !s->invalid && s->is_set && i < s->ports.n; i++) {
        for (unsigned p = s->ports.v[i].first; p <= s->ports.v[i].last; p++)
            port_bits_add(&w.set, (uint16_t)p);
    }
    for (int a = 0; a < _RPC_ASKS_MAX; a++)
        w.mode[class_of((enum rpc_asks)a, RPC_HOW_CGROUP)] = mode_of(s, (enum rpc_asks)a);
    for (; w.n_units < s->n_confined; w.n_units++) {
        struct want_unit *u = &w.units[w.n_units];

        u->how = how_of(s->confined[w.n_units].name);
        u->class = class_of(s->confined[w.n_units].asks, u->how);
        (void)snprintf(u->name, sizeof(u->name), "%s", s->confined[w.n_units].name);
    }
    *ret = w;
    return 0;
}
