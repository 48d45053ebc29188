/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/host.c: copying and releasing the picture of the host.
 * The agent keeps one, generations keep copies. Invariant: a copy shares nothing with its
 * original, so the agent may go on changing its own. */
#include "model/host.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/limits.h"

_Static_assert(ARRAY_SIZE(((struct profile_patterns *)0)->v) == LIMIT_PROFILE_PATTERNS,
               "host.h repeats the limit");

void host_done(struct host *h)
{
    free(h->local);
    free(h->ifaces);
    *h = (struct host){0};
}

static int copy_array(const void *from, size_t n, size_t size, void **ret)
{
    void *to = NULL;
    if (n > 0) {
        to = calloc(n, size);
        if (!to)
            return -ENOMEM;
        memcpy(to, from, n * size);
    }
    *ret = to;
    return 0;
}

int host_copy(const struct host *h, struct host *ret)
{
    _cleanup_free_ void *local = NULL;
    void *ifaces;
    int r = copy_array(h->local, h->n_local, sizeof(*h->local), &local);
    if (r < 0)
        return r;
    r = copy_array(h->ifaces, h->n_ifaces, sizeof(*h->ifaces), &ifaces);
    if (r < 0)
        return r;
    *ret = (struct host){.local = TAKE_PTR(local),
                         .n_local = h->n_local,
                         .cap_local = h->n_local,
                         .ifaces = ifaces,
                         .n_ifaces = h->n_ifaces,
                         .cap_ifaces = h->n_ifaces};
    return 0;
}

enum profile iface_profile(const struct iface *i)
{
    return i->profile == PROFILE_NONE ? PROFILE_PUBLIC : i->profile;
}

bool ifname_is_dialup(const char *name)
{
    return strncmp(name, "ppp", 3) == 0 || strncmp(name, "wwan", 4) == 0;
}

/* How exactly it names an interface: a plain name beats every pattern. */
static size_t exactness(const char *pattern)
{
    size_t n = 0;
    for (const char *c = pattern; *c; c++)
        n += *c != '*' && *c != '?';
    return strpbrk(pattern, "*?") ? n : SIZE_MAX;
}

enum profile profile_patterns_find(const struct profile_patterns *l, const char *ifname)
{
    enum profile best = PROFILE_NONE;
    size_t best_exactness = 0;
    for (unsigned i = 0; i < l->n; i++) {
        const struct profile_pattern *p = &l->v[i];
        size_t exact = exactness(p->name);
        if (fnmatch(p->name, ifname, FNM_NOESCAPE) != 0)
            continue;
        if (best == PROFILE_NONE || exact > best_exactness ||
            (exact == best_exactness && p->profile > best)) {
            best = p->profile;
            best_exactness = exact;
        }
    }
    return best;
}
