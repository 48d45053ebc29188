/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who asks, and what he may do (docs/api.md, "Rights"). */
#pragma once
#include <sys/types.h>

#include "base/util.h"

/* In this order: each one includes those before. */
enum api_right { RIGHT_NONE, RIGHT_READ, RIGHT_CHANGE };

struct api_peer {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary, owned */
    size_t n_groups;
    char login[64]; /* "" if the passwd file does not know him */
};
void api_peer_done(struct api_peer *p);
/* Credentials of the process that connected. */
_must_check_ int api_peer_read(int fd, const char *passwd_file, struct api_peer *ret);

struct api_groups {
    bool has_admin, has_read;
    gid_t admin, read;
};
/* Numbers of the two groups, from the file itself: name services may ask the network, and the
 * agent does not (architecture.md 1). A missing file is one without groups. */
_must_check_ int api_groups_read(const char *group_file, const char *admin, const char *read,
                                 struct api_groups *ret);
/* Pure. */
enum api_right api_peer_right(const struct api_peer *p, const struct api_groups *g);
