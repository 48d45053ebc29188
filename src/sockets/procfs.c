/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets/procfs.c: who holds which socket, by the links in /proc/PID/fd, and names of processes
 * (sockets/processes.h). The way where eBPF cannot be used; slower, and an ordinary user sees his
 * own processes only. Called by read.c and by who prints rows. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "sockets/processes.h"

enum { EXE_BYTES = 4096, STAT_BYTES = 1024, SEEN = 1024, FIELD_START = 22 /* proc(5) */ };

static void closedirp(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

static DIR *open_dir_at(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d)
        close_p(&fd);
    return d;
}

/* "socket:[123]" -> 123, 0 = another kind of file. */
static uint32_t socket_inode(int dir, const char *name)
{
    static const char prefix[] = "socket:[";
    char link[64];
    ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

    if (n < (ssize_t)sizeof(prefix) || memcmp(link, prefix, sizeof(prefix) - 1) != 0)
        return 0;
    link[n] = '\0';
    return (uint32_t)strtoul(link + sizeof(prefix) - 1, NULL, 10);
}

static int add_process(struct sockets *s, int proc, const char *name)
{
    uint32_t pid = (uint32_t)strtoul(name, NULL, 10), inode;
    char path[32];
    int r = 0;

    (void)snprintf(path, sizeof(path), "%u/fd", pid); /* fits */
    _cleanup_(closedirp) DIR *d = open_dir_at(proc, path);
    if (!d) {
        s->proc_partial |= errno == EACCES || errno == EPERM;
        return 0;
    }
    for (const struct dirent *e; r == 0 && (e = readdir(d));) {
        inode = socket_inode(dirfd(d), e->d_name);
        if (inode)
            r = holders_add(s, inode, pid);
    }
    return r;
}

int holders_from_proc(struct sockets *s)
{
    _cleanup_(closedirp) DIR *proc = open_dir_at(AT_FDCWD, "/proc");
    int r = proc ? 0 : -errno;

    for (const struct dirent *e; r == 0 && (e = readdir(proc));)
        if (isdigit((unsigned char)e->d_name[0]))
            r = add_process(s, dirfd(proc), e->d_name);
    return r;
}

/* --- names --- */
/* Start time of a process in ticks since boot, and its name; 0 = it is gone. */
static uint64_t read_stat(uint32_t pid, char name[16])
{
    char path[32], text[STAT_BYTES];

    (void)snprintf(path, sizeof(path), "/proc/%u/stat", pid); /* fits */
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    /* The name stands between the first '(' and the last ')', and may hold both. */
    const char *first = strchr(text, '('), *last = strrchr(text, ')');
    if (!first || !last || last < first)
        return 0;
    size_t len = (size_t)(last - first - 1);
    if (len > 15)
        len = 15;
    memcpy(name, first + 1, len);
    name[len] = '\0';
    const char *at = last + 1;
    for (int field = 2; at && field < FIELD_START - 1; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

static char *read_exe(uint32_t pid)
{
    char path[32], target[EXE_BYTES];

    (void)snprintf(path, sizeof(path), "/proc/%u/exe", pid); /* fits */
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return NULL;
    target[n] = '\0';
    return strdup(target);
}

static void read_process(const struct sockets *s, bool with_exe, struct socket_process *p)
{
    char again[16];
    uint64_t start = read_stat(p->pid, p->name);

    if (with_exe)
        p->exe = read_exe(p->pid);
    /* The one that held the socket began before the sockets were read, and is still there. */
    p->known = start && start <= s->read_ticks && (!with_exe || read_stat(p->pid, again) == start);
    if (!p->known) {
        p->name[0] = '\0';
        free(p->exe);
        p->exe = NULL;
    }
}

static int by_pid(const void *pa, const void *pb)
{
    const struct socket_process *a = pa, *b = pb;

    return (a->pid > b->pid) - (a->pid < b->pid);
}

void socket_processes_done(struct socket_processes *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->v[i].exe);
    free(p->v);
    *p = (struct socket_processes){0};
}

/* seen: the last process of each of so many remainders; most are asked for again and again. */
static int add_pid(struct socket_processes *p, uint32_t pid, uint32_t seen[SEEN])
{
    if (seen[pid % SEEN] == pid)
        return 0;
    seen[pid % SEEN] = pid;
    int r = array_reserve(&p->v, &p->cap, p->n + 1, sizeof(*p->v));

    if (r == 0)
        p->v[p->n++] = (struct socket_process){.pid = pid};
    return r;
}

static int collect_pids(const struct sockets *s, struct socket_processes *p)
{
    uint32_t seen[SEEN] = {0};
    size_t kept = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n; i++)
        for (uint32_t k = 0; r == 0 && k < s->v[i].n_holders; k++)
            r = add_pid(p, s->holders[s->v[i].holder + k].pid, seen);
    if (p->n)
        qsort(p->v, p->n, sizeof(*p->v), by_pid);
    for (size_t i = 0; i < p->n; i++)
        if (!kept || p->v[kept - 1].pid != p->v[i].pid)
            p->v[kept++] = p->v[i];
    p->n = kept;
    return r;
}

int socket_processes_read(const struct sockets *s, bool with_exe, struct socket_processes *ret)
{
    _cleanup_(socket_processes_done) struct socket_processes p = {0};
    int r = collect_pids(s, &p);

    if (r < 0)
        return r;
    for (size_t i = 0; i < p.n; i++)
        read_process(s, with_exe, &p.v[i]);
    *ret = p;
    p = (struct socket_processes){0};
    return 0;
}

const struct socket_process *socket_processes_find(const struct socket_processes *p, uint32_t pid)
{
    struct socket_process key = {.pid = pid};

    return p->n ? bsearch(&key, p->v, p->n, sizeof(*p->v), by_pid) : NULL;
}
