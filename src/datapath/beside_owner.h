/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which process holds a socket, by its inode. Used by beside.c: /proc is read once, when the first
 * socket asks, and for a bounded time. */
#pragma once
#include "base/util.h"

struct beside_owner {
    uint32_t inode;
    uint32_t pid;
    char name[16]; /* of the process (comm) */
};
struct beside_owners {
    unsigned max_ms; /* set by the caller */
    bool read;
    struct beside_owner *v;
    size_t n, cap;
};
/* NULL = no process was found that holds it. The first process found counts. */
const struct beside_owner *beside_owners_find(struct beside_owners *o, uint32_t inode);
void beside_owners_done(struct beside_owners *o);
