/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/rights.c: reads a peer's credentials and says what it may do. Called once per connection
 * by server.c. Groups that do not exist give nobody a right, only root has them then. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "rights.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* include/uapi/asm-generic/socket.h, since 4.13 */
#endif

enum { GROUPS_MAX = 65536 }; /* NGROUPS_MAX of the kernel */

void api_peer_done(struct api_peer *p)
{
    free(p->groups);
    *p = (struct api_peer){0};
}

static void fclose_p(FILE **f)
{
    if (*f)
        (void)fclose(*f); /* was only read */
}

static int read_groups(int fd, struct api_peer *p)
{
    socklen_t len = 32 * sizeof(gid_t);

    for (int attempt = 0; attempt < 2; attempt++) {
        free(p->groups);
        p->groups = malloc(len ? len : 1);
        if (!p->groups)
            return -ENOMEM;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->groups, &len) == 0) {
            p->n_groups = len / sizeof(gid_t);
            return 0;
        }
        /* ERANGE: len says what is needed. */
        if (errno != ERANGE || len > GROUPS_MAX * sizeof(gid_t))
            return -errno;
    }
    return -ERANGE;
}

static void find_login(const char *passwd_file, struct api_peer *p)
{
    _cleanup_(fclose_p) FILE *f = fopen(passwd_file, "re");
    const struct passwd *pw;

    while (f && (pw = fgetpwent(f)))
        if (pw->pw_uid == p->uid) {
            (void)snprintf(p->login, sizeof(p->login), "%s", pw->pw_name); /* cut at worst */
            return;
        }
}

int api_peer_read(int fd, const char *passwd_file, struct api_peer *ret)
{
    _cleanup_(api_peer_done) struct api_peer p = {0};
    struct ucred cred;
    socklen_t len = sizeof(cred);
    int r;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return -errno;
    p.uid = cred.uid;
    p.gid = cred.gid;
    r = read_groups(fd, &p);
    if (r < 0)
        return r;
    find_login(passwd_file, &p);
    *ret = p;
    p.groups = NULL;
    return 0;
}

int api_groups_read(const char *group_file, const char *admin, const char *read,
                    struct api_groups *ret)
{
    _cleanup_(fclose_p) FILE *f = fopen(group_file, "re");
    struct api_groups g = {0};
    const struct group *gr;

    if (!f && errno != ENOENT)
        return -errno;
    while (f && (gr = fgetgrent(f))) {
        if (!g.has_admin && strcmp(gr->gr_name, admin) == 0) {
            g.has_admin = true;
            g.admin = gr->gr_gid;
        } else if (!g.has_read && strcmp(gr->gr_name, read) == 0) {
            g.has_read = true;
            g.read = gr->gr_gid;
        }
    }
    *ret = g;
    return 0;
}

static bool is_member(const struct api_peer *p, gid_t gid)
{
    if (p->gid == gid)
        return true;
    for (size_t i = 0; i < p->n_groups; i++)
        if (p->groups[i] == gid)
            return true;
    return false;
}

enum api_right api_peer_right(const struct api_peer *p, const struct api_groups *g)
{
    if (p->uid == 0 || (g->has_admin && is_member(p, g->admin)))
        return RIGHT_CHANGE;
    return g->has_read && is_member(p, g->read) ? RIGHT_READ : RIGHT_NONE;
}
