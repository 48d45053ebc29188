/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/host_addresses.c: the addresses of this host as text, for those who list filters per
 * address as Windows does.
 * Called by the API. Reads the datapath's picture of the host, the same that decides `me`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static bool is_shown(const struct local_route *r)
{
    bool v4 = r->family == FAMILY_4;
    bool loopback =
        v4 ? r->prefix.lo >> 24 == 127 : r->prefix.hi == 0 && r->prefix.lo == 1; /* RFC 4291 */
    return r->kind == LOCAL_UNICAST && r->prefix_len == (v4 ? 32 : 128) && !loopback;
}

static int compare(const void *pa, const void *pb)
{
    const struct local_route *a = pa, *b = pb;
    if (a->family != b->family)
        return a->family == FAMILY_4 ? -1 : 1;
    if (a->prefix.hi != b->prefix.hi)
        return a->prefix.hi < b->prefix.hi ? -1 : 1;
    return a->prefix.lo < b->prefix.lo ? -1 : a->prefix.lo > b->prefix.lo;
}

static void free_texts(char **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i]);
    free(v);
}

int agent_host_addresses(struct agent *a, char ***ret, size_t *ret_n)
{
    const struct host *h = datapath_host(a->dp);
    _cleanup_free_ struct local_route *r = calloc(h->n_local + 1, sizeof(*r));
    char **v = calloc(h->n_local + 1, sizeof(*v));
    size_t n = 0, n_texts = 0;
    if (!r || !v) {
        free(v);
        return -ENOMEM;
    }
    for (size_t i = 0; i < h->n_local; i++)
        if (is_shown(&h->local[i]))
            r[n++] = h->local[i];
    if (n > 1)
        qsort(r, n, sizeof(*r), compare);
    for (size_t i = 0; i < n; i++) {
        char text[IP_TEXT_BYTES];
        if (i > 0 && compare(&r[i - 1], &r[i]) == 0)
            continue;
        ip_print(r[i].family, r[i].prefix, text);
        v[n_texts] = strdup(text);
        if (!v[n_texts]) {
            free_texts(v, n_texts);
            return -ENOMEM;
        }
        n_texts++;
    }
    *ret = v;
    *ret_n = n_texts;
    return 0;
}
