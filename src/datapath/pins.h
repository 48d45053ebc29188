/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pin directory of one network namespace, <pin_root>/<netns cookie>/:
 *   link/<ifindex>-<in|out>   attach.c
 *   map/<name>, prog/<name>   what is in force
 *   next/map, next/prog       a set that is not in force yet
 *   mpp/<name>                src/mpp
 * Invariant: whoever holds a struct pins holds the flock on the directory; nobody else writes
 * below it. The lock ends with the process, the directory with pins_remove(). */
#pragma once
#include "base/diag.h"

enum { PINS_PATH_BYTES = 256, PINS_ROOT_BYTES = 128 };
struct pins {
    char dir[PINS_PATH_BYTES];
    int lock_fd;
    bool made; /* the directory did not exist before */
};
#define PINS_INIT     \
    {                 \
        .lock_fd = -1 \
    }

/* Number of this network namespace (SO_NETNS_COOKIE), never used again within a boot. */
_must_check_ int pins_netns_cookie(uint64_t *ret);
/* Makes sure that root lies in a bpffs, makes directory and lock. -EBUSY: somebody holds it. */
_must_check_ int pins_open(const char *root, uint64_t cookie, struct diag *d, struct pins *ret);
/* Makes the directory and <dir>/link again and locks it, if somebody removed them: 1, else 0.
 * -EBUSY: another agent was faster. */
_must_check_ int pins_repair(struct pins *p);
/* Names the directory without opening or locking it: for pins_links(). */
_must_check_ int pins_name(const char *root, uint64_t cookie, struct pins *ret);
/* Only if it exists; -ENOENT. */
_must_check_ int pins_open_existing(const char *root, uint64_t cookie, struct pins *ret);
void pins_close(struct pins *p);
/* As pins_close(), and removes the directory if it was made by this pins_open(). */
void pins_undo(struct pins *p);
/* Removes everything below the directory and itself; links are detached first. First errno, but
 * goes on. */
_must_check_ int pins_remove(struct pins *p);

/* "<dir>/<sub>/<name>"; name NULL: "<dir>/<sub>". */
void pins_path(const struct pins *p, const char *sub, const char *name, char out[PINS_PATH_BYTES]);
/* Makes <dir>/<sub>. Existing is fine. */
_must_check_ int pins_mkdir(const struct pins *p, const char *sub);
_must_check_ int pins_put(const struct pins *p, const char *sub, const char *name, int fd);
_must_check_ int pins_get(const struct pins *p, const char *sub, const char *name);
bool pins_has(const struct pins *p, const char *sub, const char *name);
/* Moves a pin over another one of that name, in one step. */
_must_check_ int pins_move(const struct pins *p, const char *from, const char *to,
                           const char *name);
/* Removes <dir>/<sub> with all pins in it (not deeper directories). */
int pins_remove_sub(const struct pins *p, const char *sub);
/* Counts the link pins and how many of them are still attached to an interface or are the guard's,
 * which do not tell. */
_must_check_ int pins_links(const struct pins *p, unsigned *ret_n, unsigned *ret_alive);
/* Program that a pinned link of this direction runs, as a descriptor; -ENOENT. */
_must_check_ int pins_link_program(const struct pins *p, const char *direction);
