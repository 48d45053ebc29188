/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which unit a socket belongs to: the id of its cgroup is the inode of a directory of cgroup2,
 * which is walked once. */
#pragma once
#include "base/util.h"

struct socket_unit {
    uint64_t id;
    char *path; /* below the mount, "/" = root */
};
struct socket_units {
    struct socket_unit *v; /* by id */
    size_t n, cap;
    bool known;   /* cgroup2 is mounted */
    bool partial; /* more directories than a walk looks at */
};
/* Where cgroup2 is mounted; -ENOENT if it is not, or nowhere with a name that fits. */
_must_check_ int cgroup2_mount(char *ret, size_t size);
void socket_units_done(struct socket_units *u);
/* 0 also without cgroup2. */
_must_check_ int socket_units_read(struct socket_units *ret);
/* NULL: no such directory (any more). */
const struct socket_unit *socket_units_find(const struct socket_units *u, uint64_t id);
/* The name that people use: the innermost "x.service", "x.scope", "x.socket" ... of the path, else
 * the path. Points into path; *ret_len bytes. */
const char *socket_unit_name(const char *path, size_t *ret_len);
