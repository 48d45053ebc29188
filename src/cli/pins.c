/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/pins.c: reads the names of pinned links. Called by `status` without an agent. A pin whose
 * interface is gone is kept in the list without a name: it enforces nothing. */
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include "cli/pins.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* include/uapi/asm-generic/socket.h, since 5.14 */
#endif

void cli_pins_done(struct cli_pins *p)
{
    free(p->v);
    *p = (struct cli_pins){0};
}

int cli_netns_cookie(uint64_t *ret)
{
    _cleanup_(close_p) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*ret);

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) < 0)
        return -errno;
    return 0;
}

int cli_is_bpffs(const char *path)
{
    struct statfs s;

    if (statfs(path, &s) < 0)
        return -errno;
    return s.f_type == BPF_FS_MAGIC;
}

static int add_link(struct cli_pins *p, unsigned ifindex, bool in)
{
    size_t i = 0;

    while (i < p->n && p->v[i].ifindex < ifindex)
        i++;
    if (i == p->n || p->v[i].ifindex != ifindex) {
        if (array_reserve(&p->v, &p->cap, p->n + 1, sizeof(*p->v)) < 0)
            return -ENOMEM;
        memmove(p->v + i + 1, p->v + i, (p->n - i) * sizeof(*p->v));
        p->v[i] = (struct cli_pin){.ifindex = ifindex};
        if (!if_indextoname(ifindex, p->v[i].name))
            p->v[i].name[0] = '\0';
        p->n++;
    }
    if (in)
        p->v[i].in = true;
    else
        p->v[i].out = true;
    return 0;
}

/* "12-in" */
static bool parse_name(const char *name, unsigned *ret_ifindex, bool *ret_in)
{
    char *end;
    unsigned long v;

    if (name[0] < '0' || name[0] > '9')
        return false;
    errno = 0;
    v = strtoul(name, &end, 10);
    if (errno || v == 0 || v > INT32_MAX)
        return false;
    *ret_ifindex = (unsigned)v;
    *ret_in = strcmp(end, "-in") == 0;
    return *ret_in || strcmp(end, "-out") == 0;
}

static void closedir_p(DIR **d)
{
    if (*d)
        (void)closedir(*d); /* was only read */
}

int cli_pins_read(const char *pin_root, uint64_t cookie, struct cli_pins *ret)
{
    _cleanup_(cli_pins_done) struct cli_pins p = {0};
    _cleanup_(closedir_p) DIR *dir = NULL;
    const struct dirent *e;
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%llu/link", pin_root, (unsigned long long)cookie);

    if (n < 0 || (size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    dir = opendir(path);
    if (!dir && errno != ENOENT)
        return -errno;
    while (dir && (e = readdir(dir))) {
        unsigned ifindex;
        bool in;
        int r = parse_name(e->d_name, &ifindex, &in) ? add_link(&p, ifindex, in) : 0;

        if (r < 0)
            return r;
    }
    *ret = p;
    p = (struct cli_pins){0};
    return 0;
}
