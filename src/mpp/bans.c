/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See bans.h. Called by gate.c. */
#include "bans.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t ban_ns = 5000000000, probation_ns = 30000000000;

/* Where the key is, or would be. */
static size_t find(const struct mpp_bans *b, uint64_t key)
{
    size_t low = 0, high = b->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (b->v[mid].key < key)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int insert(struct mpp_bans *b, size_t at, uint64_t key)
{
    int r = array_reserve(&b->v, &b->cap, b->n + 1, sizeof(b->v[0]));

    if (r < 0)
        return r;
    memmove(b->v + at + 1, b->v + at, (b->n - at) * sizeof(b->v[0]));
    b->v[at] = (struct mpp_ban){.key = key};
    b->n++;
    return 0;
}

static void keep_if(struct mpp_bans *b, uint64_t now_ns, bool probation)
{
    size_t left = 0;

    for (size_t i = 0; i < b->n; i++) {
        if ((probation ? b->v[i].forget_ns : b->v[i].until_ns) > now_ns)
            b->v[left++] = b->v[i];
        else
            (void)bpf_map_delete_elem(b->map, &b->v[i].key); /* ours alone: it is there */
    }
    b->n = left;
}

int bans_enter(struct mpp_bans *b, uint64_t key, uint64_t now_ns)
{
    size_t at = find(b, key);
    bool known = at < b->n && b->v[at].key == key;
    uint64_t until = now_ns + ban_ns;

    if (!known && b->n >= b->max) { /* those on probation first */
        keep_if(b, now_ns, false);
        at = find(b, key);
    }
    if (!known && b->n >= b->max)
        return -ENOSPC;
    int r = bpf_map_update_elem(b->map, &key, &until, BPF_ANY);
    if (r == 0 && !known)
        r = insert(b, at, key);
    if (r < 0)
        return r == -E2BIG ? -ENOSPC : r;
    bool was = b->v[at].until_ns > now_ns;
    b->v[at].until_ns = until;
    b->v[at].forget_ns = until + probation_ns;
    return was ? 0 : 1;
}

size_t bans_in_force(const struct mpp_bans *b, uint64_t first, uint64_t last, uint64_t now_ns)
{
    size_t n = 0;

    for (size_t i = find(b, first); i < b->n && b->v[i].key <= last; i++)
        n += b->v[i].until_ns > now_ns;
    return n;
}

void bans_forget(struct mpp_bans *b, uint64_t now_ns)
{
    keep_if(b, now_ns, true);
}

void bans_clear(struct mpp_bans *b)
{
    uint64_t key, next;

    b->n = 0;
    for (int r = bpf_map_get_next_key(b->map, NULL, &next); r == 0;) {
        key = next;
        r = bpf_map_get_next_key(b->map, &key, &next);
        (void)bpf_map_delete_elem(b->map, &key); /* ours alone: it is there */
    }
}

void bans_close(struct mpp_bans *b)
{
    free(b->v);
    b->v = NULL;
    b->n = b->cap = 0;
}
