/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directory, lock and pins of one network namespace, see pins.h. Called by set.c, datapath.c and
 * collect.c. */
#include "pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpffs.h"
#include "sysbpf.h"

#ifndef SO_NETNS_COOKIE /* Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

int pins_netns_cookie(uint64_t *ret)
{
    _cleanup_(close_p) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t cookie;
    socklen_t len = sizeof(cookie);

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
        return -errno;
    *ret = cookie;
    return 0;
}

/* Locks the directory. -ESTALE: it was removed between opening and locking. */
static int lock(const char *dir, int *ret_fd)
{
    struct stat held, now;
    _cleanup_(close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (fstat(fd, &held) < 0)
        return -errno;
    if (stat(dir, &now) < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    if (held.st_ino != now.st_ino || held.st_dev != now.st_dev)
        return -ESTALE;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int dir_name(const char *root, uint64_t cookie, char out[PINS_PATH_BYTES])
{
    if (strlen(root) >= PINS_ROOT_BYTES)
        return -ENAMETOOLONG;
    snprintf(out, PINS_PATH_BYTES, "%s/%" PRIu64, root, cookie);
    return 0;
}

int pins_open_existing(const char *root, uint64_t cookie, struct pins *ret)
{
    struct pins p = PINS_INIT;
    int r = dir_name(root, cookie, p.dir);

    if (!r)
        r = lock(p.dir, &p.lock_fd);
    if (r < 0)
        return r == -ESTALE ? -ENOENT : r;
    *ret = p;
    return 0;
}

static int make_and_lock(struct pins *p)
{
    int r = -ESTALE;

    for (int tries = 0; r == -ESTALE && tries < 3; tries++) {
        p->made = mkdir(p->dir, 0700) == 0;
        if (!p->made && errno != EEXIST)
            return -errno;
        r = lock(p->dir, &p->lock_fd);
    }
    return r;
}

int pins_open(const char *root, uint64_t cookie, struct diag *d, struct pins *ret)
{
    struct pins p = PINS_INIT;
    int r = dir_name(root, cookie, p.dir);

    if (r < 0)
        return diag_errno(d, r, "pin directory '%s'", root);
    r = bpffs_prepare(root, d);
    if (r < 0)
        return r;
    r = make_and_lock(&p);
    if (r == -EBUSY) {
        diag_fail(d, DIAG_CONFLICT, "another agent holds this network namespace ('%s' is locked)",
                  p.dir);
        diag_hint(d, "portward status");
        return r;
    }
    if (r < 0)
        return diag_errno(d, r, "cannot lock '%s'", p.dir);
    *ret = p;
    return 0;
}

int pins_name(const char *root, uint64_t cookie, struct pins *ret)
{
    *ret = (struct pins)PINS_INIT;
    return dir_name(root, cookie, ret->dir);
}

/* The locked directory is still the one of that name. */
static bool is_in_place(const struct pins *p)
{
    struct stat held, now;

    return fstat(p->lock_fd, &held) == 0 && stat(p->dir, &now) == 0 && held.st_ino == now.st_ino &&
           held.st_dev == now.st_dev;
}

static int make_root(const struct pins *p)
{
    char root[PINS_PATH_BYTES];

    snprintf(root, sizeof(root), "%.*s", (int)(strrchr(p->dir, '/') - p->dir), p->dir);
    return mkdir(root, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int pins_repair(struct pins *p)
{
    if (!is_in_place(p)) {
        struct pins again = *p;
        int r = make_root(p);

        again.lock_fd = -1;
        if (!r)
            r = make_and_lock(&again);
        if (r < 0)
            return r;
        close_p(&p->lock_fd);
        *p = again;
    } else if (pins_has(p, "link", NULL)) {
        return 0;
    }
    int r = pins_mkdir(p, "link");
    return r < 0 ? r : 1;
}

void pins_close(struct pins *p)
{
    close_p(&p->lock_fd);
}

void pins_undo(struct pins *p)
{
    if (p->lock_fd >= 0) {
        (void)pins_remove_sub(p, "next/map");
        (void)pins_remove_sub(p, "next/prog");
        (void)pins_remove_sub(p, "next");
        if (p->made) {
            (void)pins_remove_sub(p, "link"); /* empty: attach.c makes it early */
            (void)rmdir(p->dir);
        }
    }
    pins_close(p);
}

void pins_path(const struct pins *p, const char *sub, const char *name, char out[PINS_PATH_BYTES])
{
    snprintf(out, PINS_PATH_BYTES, "%.*s/%s%s%s", PINS_PATH_BYTES - 80, p->dir, sub,
             name ? "/" : "", name ? name : "");
}

int pins_mkdir(const struct pins *p, const char *sub)
{
    char path[PINS_PATH_BYTES];

    pins_path(p, sub, NULL, path);
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int pins_put(const struct pins *p, const char *sub, const char *name, int fd)
{
    char path[PINS_PATH_BYTES];

    pins_path(p, sub, name, path);
    return bpf_obj_pin(fd, path);
}

int pins_get(const struct pins *p, const char *sub, const char *name)
{
    char path[PINS_PATH_BYTES];

    pins_path(p, sub, name, path);
    return bpf_obj_get(path);
}

bool pins_has(const struct pins *p, const char *sub, const char *name)
{
    char path[PINS_PATH_BYTES];

    pins_path(p, sub, name, path);
    return access(path, F_OK) == 0;
}

int pins_move(const struct pins *p, const char *from, const char *to, const char *name)
{
    char old[PINS_PATH_BYTES], new[PINS_PATH_BYTES];

    pins_path(p, from, name, old);
    pins_path(p, to, name, new);
    return rename(old, new) < 0 ? -errno : 0;
}

typedef int (*pin_visitor)(const char *path, const char *name, void *u);

/* Calls visit for every pin in <dir>/<sub>; a missing directory has none. */
static int for_each(const struct pins *p, const char *sub, pin_visitor visit, void *u)
{
    char dir[PINS_PATH_BYTES], path[PINS_PATH_BYTES];
    int error = 0;

    pins_path(p, sub, NULL, dir);
    _cleanup_(closedirp) DIR *open_dir = opendir(dir);
    if (!open_dir)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *e; (e = readdir(open_dir));) {
        if (e->d_name[0] == '.')
            continue;
        pins_path(p, sub, e->d_name, path);
        int r = visit(path, e->d_name, u);
        if (r < 0 && !error)
            error = r;
    }
    return error;
}

static int remove_pin(const char *path, const char *name _unused_, void *u _unused_)
{
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int pins_remove_sub(const struct pins *p, const char *sub)
{
    char path[PINS_PATH_BYTES];
    int r = for_each(p, sub, remove_pin, NULL);

    pins_path(p, sub, NULL, path);
    if (rmdir(path) < 0 && errno != ENOENT && !r)
        r = -errno;
    return r;
}

/* A descriptor of the link elsewhere would keep it attached: detached first. */
static int remove_link(const char *path, const char *name, void *u)
{
    _cleanup_(close_p) int fd = bpf_obj_get(path);

    int r = fd >= 0 ? sysbpf_link_detach(fd) : 0;
    int removed = remove_pin(path, name, u);
    if (r == -ENOLINK || r == -ENODEV || r == -ENOENT) /* its interface is gone */
        r = 0;
    return r < 0 ? r : removed;
}

int pins_remove(struct pins *p)
{
    static const char *const subs[] = {"link",     "next/map", "next/prog", "next", "prog", "map",
                                       "rpc/link", "rpc/map",  "rpc",       "mpp",  "iter"};
    int error = for_each(p, "link", remove_link, NULL);

    /* those of src/rpc have no lock of their own: they go with the directory */
    if (!error)
        error = for_each(p, "rpc/link", remove_link, NULL);

    for (size_t i = 0; i < ARRAY_SIZE(subs); i++) {
        int r = pins_remove_sub(p, subs[i]);
        error = error ? error : r;
    }
    if (rmdir(p->dir) < 0 && errno != ENOENT && !error)
        error = -errno;
    return error;
}

struct link_count {
    unsigned n, alive;
};

static int count_link(const char *path, const char *name _unused_, void *u)
{
    struct link_count *c = u;
    struct sysbpf_link_info info;
    _cleanup_(close_p) int fd = bpf_obj_get(path);

    c->n++;
    if (fd >= 0 && sysbpf_link_info(fd, &info) == 0 &&
        (info.ifindex != 0 || info.type == SYSBPF_LINK_TYPE_NETFILTER))
        c->alive++;
    return 0;
}

int pins_links(const struct pins *p, unsigned *ret_n, unsigned *ret_alive)
{
    struct link_count c = {0};
    int r = for_each(p, "link", count_link, &c);

    if (r < 0)
        return r;
    *ret_n = c.n;
    *ret_alive = c.alive;
    return 0;
}

struct link_program {
    const char *direction;
    int fd;
};

static int find_program(const char *path, const char *name, void *u)
{
    struct link_program *q = u;
    struct sysbpf_link_info info;
    const char *dash = strchr(name, '-');

    if (q->fd >= 0 || !dash || strcmp(dash + 1, q->direction) != 0)
        return 0;
    _cleanup_(close_p) int fd = bpf_obj_get(path);
    if (fd >= 0 && sysbpf_link_info(fd, &info) == 0)
        q->fd = bpf_prog_get_fd_by_id(info.prog_id);
    return 0;
}

int pins_link_program(const struct pins *p, const char *direction)
{
    struct link_program q = {.direction = direction, .fd = -1};
    int r = for_each(p, "link", find_program, &q);

    if (r < 0)
        return r;
    return q.fd >= 0 ? q.fd : -ENOENT;
}
