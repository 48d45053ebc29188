/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/host.c: copying and releasing the picture of the host.
 * The agent keeps one, generations keep copies. Invariant: a copy shares nothing with its
 * original, so the agent may go on changing its own. */
#include "model/host.h"

#include <errno.h>
#include <string.h>

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
