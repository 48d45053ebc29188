/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories of cgroup v2 (mounted at cgroup2_mount()): where a unit lies, and the numbers by
 * which kernel and programs know a directory. Called by engine.c, units.c and rpc-join. */
#pragma once
#include "base/util.h"

enum { CGROUP_PATH_BYTES = 512 };

/* Id of a directory; -ENOENT. */
_must_check_ int cgroup_id(const char *path, uint64_t *ret);
/* Directory of a unit below root: of "/a/b" that path, whether or not it begins with root; of a
 * name the first directory called so, not deeper than the programs look. -ENOENT: not running. */
_must_check_ int cgroup_find_unit(const char *root, const char *unit, char ret[CGROUP_PATH_BYTES]);

/* Ids of a directory and everything below it, ascending. */
struct cgroup_ids {
    uint64_t *v; /* owned */
    size_t n, cap;
};
void cgroup_ids_done(struct cgroup_ids *l);
_must_check_ int cgroup_ids_below(const char *path, struct cgroup_ids *ret);
bool cgroup_ids_has(const struct cgroup_ids *l, uint64_t id);
