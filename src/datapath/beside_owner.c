/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners of sockets from /proc/PID/fd (beside_owner.h). A table of all sockets of the host, made in
 * one walk: asking for each inode alone would walk again and again. */
#include "beside_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SOCKETS = 1000000 };

static void closedir_p(DIR **d)
{
    if (*d)
        closedir(*d);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void read_name(int pid_fd, char ret[16])
{
    _cleanup_(close_p) int fd = openat(pid_fd, "comm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, 15);

    ret[n < 0 ? 0 : n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

static void add_sockets(struct beside_owners *o, int pid_fd, uint32_t pid)
{
    int fd = openat(pid_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(closedir_p) DIR *d = fd < 0 ? NULL : fdopendir(fd);
    char link[64], name[16] = "";
    const struct dirent *e;

    if (!d && fd >= 0)
        close(fd);
    while (d && (e = readdir(d)) && o->n < MAX_SOCKETS) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
        unsigned inode;

        if (n < 0)
            continue;
        link[n] = '\0';
        if (sscanf(link, "socket:[%u]", &inode) != 1)
            continue;
        if (!*name)
            read_name(pid_fd, name);
        if (array_reserve(&o->v, &o->cap, o->n + 1, sizeof(*o->v)) < 0)
            return; /* it has no owner then */
        o->v[o->n] = (struct beside_owner){.inode = inode, .pid = pid};
        memcpy(o->v[o->n++].name, name, sizeof(name));
    }
}

static int compare(const void *pa, const void *pb)
{
    const struct beside_owner *a = pa, *b = pb;

    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static void read_all(struct beside_owners *o)
{
    _cleanup_(closedir_p) DIR *proc = opendir("/proc");
    uint64_t end = now_ms() + o->max_ms;
    const struct dirent *e;

    while (proc && (e = readdir(proc)) && now_ms() < end) {
        if (!isdigit((unsigned char)*e->d_name))
            continue;
        _cleanup_(close_p) int fd =
            openat(dirfd(proc), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            add_sockets(o, fd, (uint32_t)strtoul(e->d_name, NULL, 10));
    }
    if (o->n > 0)
        qsort(o->v, o->n, sizeof(*o->v), compare);
    o->read = true;
}

const struct beside_owner *beside_owners_find(struct beside_owners *o, uint32_t inode)
{
    size_t low = 0, high;

    if (!o->read)
        read_all(o);
    high = o->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (o->v[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low < o->n && o->v[low].inode == inode ? &o->v[low] : NULL;
}

void beside_owners_done(struct beside_owners *o)
{
    free(o->v);
    *o = (struct beside_owners){0};
}
