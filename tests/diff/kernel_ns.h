/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network and mount namespace of diff-kernel: made for this process, gone with it. */
#pragma once
#include "base/rng.h"

/* Leaves the caller's namespaces for new ones with two veth pairs and an empty bpffs on
 * /sys/fs/bpf. 0, or negative errno; -EPERM where the process may not. */
int kernel_ns_enter(void);
/* Replaces the interfaces by new ones with random addresses and local routes. */
int kernel_ns_shuffle(struct rng *r);
