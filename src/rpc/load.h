/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs of bpf/rpc.bpf.c in the kernel: loaded through their skeleton, maps and links pinned
 * below <pin_dir>/rpc/{map,link}. Called by engine.c. Maps of the same layout are taken over, so
 * that references outlive an agent; links get the new programs in one step each. */
#pragma once
#include "base/diag.h"
#include "rpc.h"

enum load_map {
    LOAD_MAP_CONF,
    LOAD_MAP_TABLES,
    LOAD_MAP_PENDINGS,
    LOAD_MAP_UNITS,
    LOAD_MAP_SOCKS,
    LOAD_MAP_RING,
    _LOAD_MAP_MAX,
};
enum { LOAD_LINKS = 7 };

struct load {
    char dir[256]; /* <pin_dir>/rpc */
    int cgroup_fd; /* root of the tree, the caller's */
    int map[_LOAD_MAP_MAX];
    int prog[LOAD_LINKS];
    int link[LOAD_LINKS];
    bool adopted; /* maps of the agent before */
};

void load_init(struct load *l, const char *pin_dir);
/* Whether programs of an agent before are pinned here. */
bool load_is_pinned(const struct load *l);
/* Loads programs and maps and pins the maps; attaches nothing. Other maps than ours go away. */
_must_check_ int load_open(struct load *l, uint64_t netns_cookie, struct diag *d);
/* Makes every link run our programs: what is there is updated, what is missing is made. Number of
 * links made, or -errno. */
_must_check_ int load_attach(struct load *l);
/* Links that are attached and pinned. */
unsigned load_count_links(const struct load *l);
/* Links of an agent before, which this one may not have taken over yet. */
unsigned load_count_pinned(const struct load *l);
/* Detaches and removes all pins. Sockets keep their ports. */
int load_remove(struct load *l);
/* Descriptors only. */
void load_close(struct load *l);
