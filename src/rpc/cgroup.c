/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See cgroup.h. Invariant: a walk looks at a bounded number of directories, so that a tree that
 * somebody fills keeps the agent's loop for a moment only. */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "rpc.h"

enum { DIRS_MAX = 20000 };

static void closedirp(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

int cgroup_id(const char *path, uint64_t *ret)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    *ret = st.st_ino; /* of kernfs: the id, on 64 bits */
    return 0;
}

typedef int (*dir_visitor)(const char *path, const char *name, const struct stat *st, void *u);

/* Calls visit for each directory below path, parents first, until it returns other than 0. */
static int walk(const char *path, unsigned depth, unsigned *left, dir_visitor visit, void *u)
{
    _cleanup_(closedirp) DIR *d = opendir(path);
    char below[CGROUP_PATH_BYTES];
    int r = 0;

    if (!d)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        struct stat st;

        if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (*left == 0)
            return -E2BIG;
        --*left;
        int n = snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
        if (n < 0 || (size_t)n >= sizeof(below) || stat(below, &st) < 0)
            continue;
        r = visit(below, e->d_name, &st, u);
        if (r == 0 && depth > 1)
            r = walk(below, depth - 1, left, visit, u);
    }
    return r;
}

struct search {
    const char *name;
    char *found;
};

static int is_wanted(const char *path, const char *name, const struct stat *st _unused_, void *u)
{
    struct search *s = u;

    if (strcmp(name, s->name) != 0)
        return 0;
    (void)snprintf(s->found, CGROUP_PATH_BYTES, "%s", path); /* as large as path */
    return 1;
}

static int find_path(const char *root, const char *unit, char ret[CGROUP_PATH_BYTES])
{
    size_t n = strlen(root);
    bool whole = strncmp(unit, root, n) == 0 && unit[n] == '/';
    int len = snprintf(ret, CGROUP_PATH_BYTES, "%s%s", whole ? "" : root, unit);
    uint64_t id;

    if (len < 0 || len >= CGROUP_PATH_BYTES)
        return -ENAMETOOLONG;
    return cgroup_id(ret, &id);
}

int cgroup_find_unit(const char *root, const char *unit, char ret[CGROUP_PATH_BYTES])
{
    struct search s = {.name = unit, .found = ret};
    unsigned left = DIRS_MAX;

    if (*unit == '/')
        return find_path(root, unit, ret);
    int r = walk(root, RPC_LEVELS, &left, is_wanted, &s);
    return r == 0 ? -ENOENT : r < 0 ? r : 0;
}

void cgroup_ids_done(struct cgroup_ids *l)
{
    free(l->v);
    *l = (struct cgroup_ids){0};
}

static int add_id(const char *path _unused_, const char *name _unused_, const struct stat *st,
                  void *u)
{
    struct cgroup_ids *l = u;
    int r = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));

    if (r == 0)
        l->v[l->n++] = st->st_ino;
    return r;
}

static int by_id(const void *pa, const void *pb)
{
    const uint64_t *a = pa, *b = pb;

    return (*a > *b) - (*a < *b);
}

int cgroup_ids_below(const char *path, struct cgroup_ids *ret)
{
    _cleanup_(cgroup_ids_done) struct cgroup_ids l = {0};
    unsigned left = DIRS_MAX;
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    int r = add_id(path, NULL, &st, &l);
    if (r == 0)
        r = walk(path, RPC_LEVELS, &left, add_id, &l);
    if (r < 0 && r != -E2BIG) /* the rest is not seen, which costs a line of a list */
        return r;
    qsort(l.v, l.n, sizeof(*l.v), by_id);
    *ret = l;
    l = (struct cgroup_ids){0};
    return 0;
}

bool cgroup_ids_has(const struct cgroup_ids *l, uint64_t id)
{
    return l->n && bsearch(&id, l->v, l->n, sizeof(*l->v), by_id);
}
