/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See netns.h: a walk over /proc. A process that ends meanwhile is none that uses a namespace; one
 * that begins to, does it from a process, descriptor or mount that was there before. */
#include "netns.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_BYTES = 32 };

static const char first_pid_namespace[] = "pid:[4026531836]"; /* PROC_PID_INIT_INO */

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

static void fclosep(FILE **f)
{
    if (*f)
        fclose(*f);
}

uint32_t netns_inode(void)
{
    struct stat st;

    return stat("/proc/thread-self/ns/net", &st) < 0 ? 0 : (uint32_t)st.st_ino;
}

/* The symbolic link's text is the name of the namespace. */
static bool link_is(const char *path, const char *name)
{
    char text[LINK_BYTES];
    ssize_t n = readlink(path, text, sizeof(text) - 1);

    if (n < 0)
        return false;
    text[n] = '\0';
    return strcmp(text, name) == 0;
}

typedef bool (*visitor)(const char *path, const char *name);

/* Whether visit says yes to one of the entries of a directory that begin with a digit. */
static bool any_number(const char *dir, visitor visit, const char *name)
{
    _cleanup_(closedirp) DIR *d = opendir(dir);
    char path[PATH_MAX];

    if (!d)
        return false;
    for (const struct dirent *e; (e = readdir(d));) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        int n = snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (n > 0 && n < (int)sizeof(path) && visit(path, name))
            return true;
    }
    return false;
}

static bool thread_is_in(const char *thread, const char *name)
{
    char path[PATH_MAX + 16];

    (void)snprintf(path, sizeof(path), "%s/ns/net", thread);
    return link_is(path, name);
}

static bool has_mount(const char *process, const char *name)
{
    char path[PATH_MAX + 16];
    _cleanup_free_ char *line = NULL;
    size_t size = 0;

    (void)snprintf(path, sizeof(path), "%s/mountinfo", process);
    _cleanup_(fclosep) FILE *f = fopen(path, "re");
    while (f && getline(&line, &size, f) > 0)
        if (strstr(line, name))
            return true;
    return false;
}

static bool process_uses(const char *process, const char *name)
{
    char path[PATH_MAX + 16];

    (void)snprintf(path, sizeof(path), "%s/task", process);
    if (any_number(path, thread_is_in, name) || has_mount(process, name))
        return true;
    (void)snprintf(path, sizeof(path), "%s/fd", process);
    return any_number(path, link_is, name);
}

bool netns_is_used(uint32_t inode)
{
    char name[LINK_BYTES];

    if (!link_is("/proc/self/ns/pid", first_pid_namespace))
        return true;
    (void)snprintf(name, sizeof(name), "net:[%u]", inode);
    return any_number("/proc", process_uses, name);
}
