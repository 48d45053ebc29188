/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel enforces when no agent can be asked, read from the names of the pins that
 * the agent leaves (<pin root>/<netns cookie>/link/<ifindex>-<in|out>). Only names are read,
 * nothing is opened or changed. */
#pragma once
#include <net/if.h>

#include "base/util.h"

struct cli_pin {
    unsigned ifindex;
    char name[IF_NAMESIZE]; /* "" = no such interface any more */
    bool in, out;
};
struct cli_pins {
    struct cli_pin *v; /* sorted by ifindex */
    size_t n, cap;
};
void cli_pins_done(struct cli_pins *p);

/* Cookie of the network namespace we are in. */
_must_check_ int cli_netns_cookie(uint64_t *ret);
/* 1 if path lies in a bpffs, 0 if not, -errno. */
int cli_is_bpffs(const char *path);
/* The links below <pin_root>/<cookie>. 0 also if there is none; -EACCES, ... */
_must_check_ int cli_pins_read(const char *pin_root, uint64_t cookie, struct cli_pins *ret);
