/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State shared by the files behind attach.h: attach.c knows interfaces and decides, attach_tcx.c
 * and attach_clsact.c each handle one direction of one interface by their kind of hook. Both
 * kinds compare with the kernel's own answer, never with what was done earlier. */
#pragma once
#include "attach.h"
#include "model/packet.h"
#include "rtnl_query.h"

enum { ATTACH_DIRECTIONS = 2 }; /* indexed by DIR_IN, DIR_OUT */

struct attach_link {
    int fd;           /* -1 = none */
    uint32_t id;      /* of the link */
    uint64_t pin_ino; /* inode of the pin we made or adopted, 0 = none */
};

struct attach_entry {
    uint32_t ifindex;
    char name[16];
    enum iface_role role;
    bool known; /* given to attach_iface(), not only found as a pin */
    int error;  /* of the last attempt */
    struct attach_link link[ATTACH_DIRECTIONS];
    uint32_t front[ATTACH_DIRECTIONS];   /* program that stands in front of ours, 0 = none */
    uint64_t moved_s[ATTACH_DIRECTIONS]; /* when ours was put in front last, 0 = never */
    /* The other kind of hook was looked at and holds nothing of ours. */
    bool other_gone[ATTACH_DIRECTIONS];
};

struct attach {
    enum hook_mode mode; /* never HOOK_AUTO */
    char *link_dir;      /* <pin_dir>/link */
    int prog_fd[ATTACH_DIRECTIONS];
    uint32_t prog_id[ATTACH_DIRECTIONS];
    struct attach_entry *v; /* sorted by ifindex */
    size_t n, cap;
    struct rtnl_query tc;     /* for clsact, also to look for its remains */
    struct front_skel *front; /* stand-in of attach_front.c, NULL until it is needed */
    struct front_news news[16];
    size_t n_news;
};

/* The entry of an ifindex, made if there is none; NULL = out of memory. */
struct attach_entry *attach_entry_get(struct attach *at, uint32_t ifindex);

/* The functions named ensure return 1 if they changed something, 0 if all was well, -errno.
 * drop takes our program off and is content if there is none. attached says whether the hook
 * runs the program we want now. */

/* --- attach_tcx.c --- */
bool tcx_works(void);
/* Takes over the good pins below link_dir, removes the others. */
_must_check_ int tcx_adopt(struct attach *at);
_must_check_ int tcx_ensure(struct attach *at, struct attach_entry *e, enum direction dir);
int tcx_drop(struct attach *at, struct attach_entry *e, enum direction dir);
bool tcx_attached(const struct attach *at, const struct attach_entry *e, enum direction dir);

/* --- attach_clsact.c --- */
_must_check_ int clsact_ensure(struct attach *at, uint32_t ifindex, enum direction dir);
int clsact_drop(struct attach *at, uint32_t ifindex, enum direction dir);
bool clsact_attached(struct attach *at, uint32_t ifindex, enum direction dir);
/* Our filters on every interface of the namespace. */
int clsact_drop_all(struct attach *at);
