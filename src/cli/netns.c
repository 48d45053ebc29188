/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/netns.c: see cli/netns.h. Called by `portward sockets --all-netns` and `portward audit`. This
 * program has one thread, so that entering a namespace is a matter of this thread alone; on the way
 * out it stands where it was before. */
#include "cli/netns.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/context.h"
#include "cli/pins.h"

struct seen {
    ino_t *v;
    size_t n, cap;
};

static void closedirp(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

/* True the first time. */
static bool is_new(struct seen *s, ino_t inode)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] == inode)
            return false;
    if (array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v)) < 0)
        cli_out_of_memory();
    s->v[s->n++] = inode;
    return true;
}

/* What a walk over the namespaces needs. */
struct walk {
    struct cli *c;
    struct seen seen;
    int home;
    int (*visit)(void *arg, const char *name);
    void *arg;
};

static int enter(struct walk *w, const char *path, const char *name)
{
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    struct diag d;

    /* A file below /run/netns that is none, or a process that ended meanwhile. */
    if (fd < 0 || fstat(fd, &st) < 0 || !is_new(&w->seen, st.st_ino))
        return 0;
    if (setns(fd, CLONE_NEWNET) < 0) {
        if (errno == EINVAL)
            return 0;
        (void)diag_errno(&d, errno, "cannot enter network namespace '%s'", name);
        return cli_fail(w->c, &d);
    }
    int code = w->visit(w->arg, name);
    if (setns(w->home, CLONE_NEWNET) < 0) {
        (void)diag_errno(&d, errno, "cannot go back to the own network namespace");
        return cli_fail(w->c, &d);
    }
    return code;
}

static int visit_named(struct walk *w)
{
    static const char dir[] = "/run/netns";
    _cleanup_(closedirp) DIR *d = opendir(dir);
    char path[512];
    int code = 0;

    for (const struct dirent *e; code == 0 && d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name); /* a name has 255 bytes */
        code = enter(w, path, e->d_name);
    }
    return code;
}

static int visit_processes(struct walk *w)
{
    _cleanup_(closedirp) DIR *d = opendir("/proc");
    char path[64], name[32];
    int code = 0;

    for (const struct dirent *e; code == 0 && d && (e = readdir(d));) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        unsigned pid = (unsigned)strtoul(e->d_name, NULL, 10);
        (void)snprintf(path, sizeof(path), "/proc/%u/ns/net", pid); /* fits */
        (void)snprintf(name, sizeof(name), "pid %u", pid);
        code = enter(w, path, name);
    }
    return code;
}

int cli_netns_each(struct cli *c, int (*visit)(void *arg, const char *name), void *arg)
{
    _cleanup_(close_p) int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct walk w = {.c = c, .home = home, .visit = visit, .arg = arg};
    struct stat st;
    struct diag d;

    if (home < 0 || fstat(home, &st) < 0) {
        (void)diag_errno(&d, errno, "cannot find the own network namespace");
        return cli_fail(c, &d);
    }
    (void)is_new(&w.seen, st.st_ino); /* it is */
    int code = visit_named(&w);
    if (code == 0)
        code = visit_processes(&w);
    free(w.seen.v);
    return code;
}

void cli_holders_pin(const struct cli *c, char *ret, size_t size)
{
    uint64_t cookie;

    ret[0] = '\0';
    if (c->env->pin_root && cli_netns_cookie(&cookie) == 0)
        (void)format_into(ret, size, "%s/%" PRIu64 "/iter", c->env->pin_root, cookie);
}
