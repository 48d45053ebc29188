/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/cookies.c: net.ipv4.tcp_syncookies of this network namespace (it covers IPv6) while the gate
 * is raised. The old value lies in the runtime directory before the new one is written, so that the
 * next agent can put it back whatever became of this one. Called by gate.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate.h"

enum { COOKIES_ALWAYS = 2, NOT_FORCED = -1 };
static const char setting[] = "/proc/sys/net/ipv4/tcp_syncookies";

static int read_number(const char *path)
{
    char text[16] = "";
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || text[0] < '0' || text[0] > '9')
        return -EBADMSG;
    int n = atoi(text);
    return n <= COOKIES_ALWAYS ? n : -EBADMSG;
}

static int write_number(const char *path, int n, int flags)
{
    char text[16];
    _cleanup_(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);

    if (fd < 0)
        return -errno;
    int len = snprintf(text, sizeof(text), "%d\n", n);
    return write(fd, text, (size_t)len) == len ? 0 : -EIO;
}

void cookies_open(struct mpp_gate *g, const char *runtime_dir)
{
    int len = snprintf(g->cookies_file, sizeof(g->cookies_file), "%s/mpp-syncookies", runtime_dir);

    g->cookies_before = NOT_FORCED;
    if (len < 0 || (size_t)len >= sizeof(g->cookies_file)) {
        g->cookies_file[0] = '\0';
        return;
    }
    /* Left by an agent that was killed. */
    g->cookies_before = read_number(g->cookies_file);
    cookies_restore(g);
}

void cookies_force(struct mpp_gate *g)
{
    if (g->cookies_before >= 0 || !g->cookies_file[0])
        return;
    int before = read_number(setting);
    if (before < 0 || before == COOKIES_ALWAYS)
        return; /* no such setting, or there is nothing to do */
    if (write_number(g->cookies_file, before, O_CREAT | O_TRUNC) < 0)
        return; /* what could not be put back is not changed */
    if (write_number(setting, COOKIES_ALWAYS, 0) < 0) {
        (void)unlink(g->cookies_file);
        return;
    }
    g->cookies_before = before;
}

bool cookies_in_force(void)
{
    return read_number(setting) == COOKIES_ALWAYS;
}

void cookies_restore(struct mpp_gate *g)
{
    if (g->cookies_before < 0)
        return;
    /* Somebody else may have changed it meanwhile: then it is theirs. */
    if (read_number(setting) == COOKIES_ALWAYS && write_number(setting, g->cookies_before, 0) < 0)
        return; /* the file stays for the next try */
    (void)unlink(g->cookies_file);
    g->cookies_before = NOT_FORCED;
}
