/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/listen.c: makes the socket file. Called once by server.c. At no moment can somebody open
 * the socket who has no right to: it is born 0600 and opened wider afterwards. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
    if ((groups->has_read && (chown(path, (uid_t)-1, groups->read) < 0 || chmod(path, 0660) < 0)) ||
        listen(fd, LIMIT_API_CONNECTIONS) < 0) {
        e = errno;
        (void)unlink(path); /* the first failure is the one to tell */
        return diag_errno(d, e, "cannot listen at '%s'", path);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}
