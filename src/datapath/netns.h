/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces by the inode of their file in nsfs, a number that is not given again while the
 * namespace lives. Called by set.c, and by collect.c to find those that only our links keep. */
#pragma once
#include "base/util.h"

/* Of this thread's namespace; 0 = cannot be read. */
uint32_t netns_inode(void);
/* Whether a process is in it, holds a descriptor of it, or has it mounted. True if that cannot be
 * seen from here: outside of the first PID namespace. A namespace that only a socket of another
 * one's process keeps is taken for one that nobody uses. */
bool netns_is_used(uint32_t inode);
