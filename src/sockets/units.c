/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets/units.c: directories of cgroup2 by their ids (sockets/units.h). Invariant: a walk looks
 * at a bounded number of directories, so that a tree that somebody fills costs a moment only. */
#include "sockets/units.h"

#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DIRS_MAX = 50000, DEPTH_MAX = 32, PATH_BYTES = 4096 };

static void endmntentp(FILE **f)
{
    if (*f)
        (void)endmntent(*f); /* always 1 */
}

static void closedirp(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

int cgroup2_mount(char *ret, size_t size)
{
    _cleanup_(endmntentp) FILE *f = setmntent("/proc/self/mounts", "re");

    if (!f)
        return -errno;
    for (struct mntent *m; (m = getmntent(f));) {
        if (strcmp(m->mnt_type, "cgroup2") != 0 || strlen(m->mnt_dir) >= size)
            continue;
        (void)snprintf(ret, size, "%s", m->mnt_dir); /* fits */
        return 0;
    }
    return -ENOENT;
}

static int add(struct socket_units *u, uint64_t id, const char *path)
{
    int r = array_reserve(&u->v, &u->cap, u->n + 1, sizeof(*u->v));

    if (r < 0)
        return r;
    u->v[u->n].path = strdup(*path ? path : "/");
    u->v[u->n].id = id;
    return u->v[u->n].path ? (u->n++, 0) : -ENOMEM;
}

/* path: a directory, of which `root` bytes are the mount. */
static int walk(struct socket_units *u, const char *path, size_t root, unsigned depth)
{
    _cleanup_(closedirp) DIR *d = opendir(path);
    _cleanup_free_ char *below = malloc(PATH_BYTES);
    struct stat st;
    int r = !below ? -ENOMEM : stat(path, &st) < 0 ? 1 : 0;

    if (r)
        return r < 0 ? r : 0; /* gone meanwhile */
    r = add(u, st.st_ino, path + root);
    for (const struct dirent *e; r == 0 && d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        int n = snprintf(below, PATH_BYTES, "%s/%s", path, e->d_name);
        if (u->n >= DIRS_MAX || depth == 0 || n < 0 || n >= PATH_BYTES) {
            u->partial = true;
            return 0;
        }
        r = walk(u, below, root, depth - 1);
    }
    return r;
}

static int by_id(const void *pa, const void *pb)
{
    const struct socket_unit *a = pa, *b = pb;

    return (a->id > b->id) - (a->id < b->id);
}

void socket_units_done(struct socket_units *u)
{
    for (size_t i = 0; i < u->n; i++)
        free(u->v[i].path);
    free(u->v);
    *u = (struct socket_units){0};
}

int socket_units_read(struct socket_units *ret)
{
    _cleanup_(socket_units_done) struct socket_units u = {0};
    char root[PATH_BYTES];
    int r = cgroup2_mount(root, sizeof(root));

    if (r == 0) {
        u.known = true;
        r = walk(&u, root, strlen(root), DEPTH_MAX);
    }
    if (r < 0 && r != -ENOENT)
        return r;
    if (u.n)
        qsort(u.v, u.n, sizeof(*u.v), by_id);
    *ret = u;
    u = (struct socket_units){0};
    return 0;
}

const struct socket_unit *socket_units_find(const struct socket_units *u, uint64_t id)
{
    struct socket_unit key = {.id = id};

    return u->n ? bsearch(&key, u->v, u->n, sizeof(*u->v), by_id) : NULL;
}

static bool is_unit(const char *s, size_t n)
{
    static const char *const ends[] = {".service", ".scope", ".socket", ".mount", ".swap"};

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        size_t e = strlen(ends[i]);

        if (n > e && memcmp(s + n - e, ends[i], e) == 0)
            return true;
    }
    return false;
}

const char *socket_unit_name(const char *path, size_t *ret_len)
{
    const char *best = path;
    size_t best_len = strlen(path);

    for (const char *s = path; *s;) {
        size_t n = strcspn(s, "/");

        if (is_unit(s, n)) {
            best = s;
            best_len = n;
        }
        s += n + (s[n] == '/');
    }
    *ret_len = best_len;
    return best;
}
