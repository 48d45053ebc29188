/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCX links and their pins (datapath.md 2). The pin keeps the link when this process ends; the
 * descriptor held here keeps it when somebody removes the pin. Whether a link still covers its
 * interface is asked from the hook (BPF_PROG_QUERY resolves the ifindex in this namespace):
 * the link's own info would also show the right number for a device that went elsewhere. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach_front.h"

enum { IFINDEX_LO = 1 }; /* in every namespace (LOOPBACK_IFINDEX of the kernel) */

static const char *const suffix[] = {[DIR_IN] = "in", [DIR_OUT] = "out"};

bool tcx_works(void)
{
    struct sysbpf_hook h;

    return sysbpf_hook_query(IFINDEX_LO, SYSBPF_TCX_INGRESS, &h) == 0;
}

static int pin_path(const struct attach *at, uint32_t ifindex, enum direction dir,
                    char ret[PATH_MAX])
{
    int n = snprintf(ret, PATH_MAX, "%s/%u-%s", at->link_dir, ifindex, suffix[dir]);

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Inode of a pin, 0 if there is none. */
static uint64_t pin_inode(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 ? 0 : st.st_ino;
}

static int remove_pin(const char *path)
{
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* 1 if the pin had to be made. */
static int ensure_pin(struct attach *at, struct attach_entry *e, enum direction dir)
{
    struct attach_link *l = &e->link[dir];
    char path[PATH_MAX];
    int r = pin_path(at, e->ifindex, dir, path);

    if (r < 0)
        return r;
    if (l->pin_ino && pin_inode(path) == l->pin_ino)
        return 0;
    l->pin_ino = 0;
    r = remove_pin(path); /* somebody else's object under our name */
    if (!r)
        r = bpf_obj_pin(l->fd, path);
    if (r < 0)
        return r;
    l->pin_ino = pin_inode(path);
    return 1;
}

int tcx_drop(struct attach *at, struct attach_entry *e, enum direction dir)
{
    struct attach_link *l = &e->link[dir];
    char path[PATH_MAX];
    int r = pin_path(at, e->ifindex, dir, path);

    if (l->fd >= 0) {
        /* Somebody may hold another descriptor. A link whose device is gone says ENOLINK. */
        int rd = sysbpf_link_detach(l->fd);

        close_p(&l->fd);
        if (rd < 0 && rd != -ENOLINK)
            r = r ? r : rd;
    }
    l->fd = -1;
    l->id = 0;
    l->pin_ino = 0;
    return r ? r : remove_pin(path);
}

static int create_link(struct attach *at, struct attach_entry *e, enum direction dir)
{
    struct attach_link *l = &e->link[dir];
    struct sysbpf_link_info info;
    _cleanup_(close_p) int fd = sysbpf_tcx_link(at->prog_fd[dir], e->ifindex, sysbpf_tcx_hook(dir));

    if (fd < 0)
        return fd;
    int r = sysbpf_link_info(fd, &info);
    if (r < 0)
        return r;
    *l = (struct attach_link){.fd = TAKE_FD(fd), .id = info.id};
    return 0;
}

int tcx_ensure(struct attach *at, struct attach_entry *e, enum direction dir)
{
    struct attach_link *l = &e->link[dir];
    struct sysbpf_hook h;
    bool changed = false;
    int r = sysbpf_hook_query(e->ifindex, sysbpf_tcx_hook(dir), &h);

    if (r < 0)
        return r;
    int i = l->fd >= 0 ? sysbpf_hook_find(&h, l->id) : -ENOENT;
    if (i < 0) {
        /* Detached, or on a device that has left: what is held covers nothing here. */
        if (l->fd >= 0)
            tcx_drop(at, e, dir);
        r = create_link(at, e, dir);
        changed = true;
    } else if (h.prog_id[i] != at->prog_id[dir]) {
        r = sysbpf_link_update(l->fd, at->prog_fd[dir]);
        changed = true;
    }
    if (r < 0)
        return r;
    changed = front_watch(at, e, dir, &h, i) || changed;
    r = ensure_pin(at, e, dir);
    return r < 0 ? r : r || changed;
}

bool tcx_attached(const struct attach *at, const struct attach_entry *e, enum direction dir)
{
    struct sysbpf_hook h;

    if (e->link[dir].fd < 0 || sysbpf_hook_query(e->ifindex, sysbpf_tcx_hook(dir), &h) < 0)
        return false;
    int i = sysbpf_hook_find(&h, e->link[dir].id);
    return i >= 0 && h.prog_id[i] == at->prog_id[dir];
}

/* "<ifindex>-in" or "<ifindex>-out", as pin_path() writes it. */
static bool parse_name(const char *name, uint32_t *ret_ifindex, enum direction *ret_dir)
{
    char again[32];
    char *end;

    errno = 0;
    unsigned long v = strtoul(name, &end, 10);
    if (errno || !v || v > INT32_MAX)
        return false;
    for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++) {
        snprintf(again, sizeof(again), "%lu-%s", v, suffix[dir]);
        if (!strcmp(again, name)) {
            *ret_ifindex = (uint32_t)v;
            *ret_dir = dir;
            return true;
        }
    }
    return false;
}

/* The link's id if this is a living TCX link of this hook, else -errno. */
static int verify_link(int fd, uint32_t ifindex, enum direction dir, uint32_t *ret_id)
{
    struct sysbpf_link_info info;
    struct sysbpf_hook h;
    int r = sysbpf_link_info(fd, &info);

    if (r < 0)
        return r;
    if (info.type != SYSBPF_LINK_TYPE_TCX || info.attach_type != sysbpf_tcx_hook(dir) ||
        info.ifindex != ifindex)
        return -ENOLINK;
    r = sysbpf_hook_query(ifindex, sysbpf_tcx_hook(dir), &h);
    if (r < 0)
        return r;
    r = sysbpf_hook_find(&h, info.id);
    if (r < 0)
        return r;
    *ret_id = info.id;
    return 0;
}

static int adopt_one(struct attach *at, const char *name)
{
    enum direction dir;
    uint32_t ifindex, id;
    char path[PATH_MAX];

    if (!parse_name(name, &ifindex, &dir))
        return 0;
    int r = pin_path(at, ifindex, dir, path);
    if (r < 0)
        return r;
    _cleanup_(close_p) int fd = bpf_obj_get(path);
    if (fd < 0 || verify_link(fd, ifindex, dir, &id) < 0)
        return remove_pin(path);
    struct attach_entry *e = attach_entry_get(at, ifindex);
    if (!e)
        return -ENOMEM;
    e->link[dir] = (struct attach_link){.fd = TAKE_FD(fd), .id = id, .pin_ino = pin_inode(path)};
    return 0;
}

static void closedir_p(DIR **d)
{
    if (*d)
        closedir(*d);
}

int tcx_adopt(struct attach *at)
{
    _cleanup_(closedir_p) DIR *dir = opendir(at->link_dir);
    const struct dirent *de;

    if (!dir)
        return -errno;
    while ((de = readdir(dir))) {
        int r = adopt_one(at, de->d_name);

        if (r < 0)
            return r;
    }
    return 0;
}
