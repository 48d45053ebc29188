/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/listen.c: makes the socket file. Called once by server.c. At no moment can somebody open
 * the socket who has no right to: it is born 0600 and opened wider afterwards. */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "listen.h"

static int new_socket(struct diag *d, int *ret)
{
    *ret = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return *ret < 0 ? diag_errno(d, errno, "cannot make a socket") : 0;
}

/* Removes what a dead agent left; refuses to take the place of a living one. */
static int make_room(const struct sockaddr_un *sa, struct diag *d)
{
    _cleanup_(close_p) int fd = -1;
    int r = new_socket(d, &fd);

    if (r < 0)
        return r;
    if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN) {
        (void)diag_fail(d, DIAG_AGENT, "another agent answers at '%s'", sa->sun_path);
        diag_hint(d, "give each agent its own directory: portwardd --runtime-dir DIR");
        return -EADDRINUSE;
    }
    if (unlink(sa->sun_path) < 0 && errno != ENOENT)
        return diag_errno(d, errno, "cannot remove '%s'", sa->sun_path);
    return 0;
}

/* The group that may change need not be the one that may read, and a file has one group only:
 * the other one is let in by an access control list (acl(5)), in the form of the kernel's
 * linux/posix_acl_xattr.h, so that no further library is needed. */
static int open_for(const char *path, gid_t group)
{
    enum { VERSION = 2, USER_OBJ = 1, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32, RW = 6 };
    const struct {
        uint32_t version;
        struct {
            uint16_t tag, perm;
            uint32_t id;
        } entry[5];
    } acl = {htole32(VERSION),
             {{htole16(USER_OBJ), htole16(RW), UINT32_MAX},
              {htole16(GROUP_OBJ), htole16(RW), UINT32_MAX},
              {htole16(GROUP), htole16(RW), htole32(group)},
              {htole16(MASK), htole16(RW), UINT32_MAX},
              {htole16(OTHER), 0, UINT32_MAX}}};

    return setxattr(path, "system.posix_acl_access", &acl, sizeof(acl), 0) < 0 ? -errno : 0;
}

/* Who may open the socket: root, and the groups that exist. Whoever cannot is told so by the
 * kernel; the rights of those who can are looked at per request. */
static int open_to(const char *path, const struct api_groups *g)
{
    gid_t group = g->has_read ? g->read : g->admin;

    if (!g->has_read && !g->has_admin)
        return 0;
    if (chown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0)
        return -errno;
    if (!g->has_read || !g->has_admin || g->admin == g->read)
        return 0;
    /* A file system without lists: those who may change have to be in the other group, too. */
    int r = open_for(path, g->admin);
    return r == -EOPNOTSUPP ? 0 : r;
}

int api_listen(const char *path, const struct api_groups *groups, struct diag *d, int *ret_fd)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    _cleanup_(close_p) int fd = -1;
    mode_t mask;
    int r, e;

    if (strlen(path) >= sizeof(sa.sun_path)) {
        (void)diag_fail(d, DIAG_USAGE, "path of the socket exceeds %zu bytes: '%s'",
                        sizeof(sa.sun_path) - 1, path);
        return -ENAMETOOLONG;
    }
    memcpy(sa.sun_path, path, strlen(path));
    r = make_room(&sa, d);
    if (r == 0)
        r = new_socket(d, &fd);
    if (r < 0)
        return r;
    mask = umask(0177);
    r = bind(fd, (const struct sockaddr *)&sa, sizeof(sa));
    e = errno;
    (void)umask(mask); /* cannot fail */
    if (r < 0)
        return diag_errno(d, e, "cannot bind '%s'", path);
    r = open_to(path, groups);
    if (r == 0 && listen(fd, LIMIT_API_CONNECTIONS) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(path); /* the first failure is the one to tell */
        return diag_errno(d, r, "cannot listen at '%s'", path);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}
