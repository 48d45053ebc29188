/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where pins can lie: a BPF file system. */
#pragma once
#include "base/diag.h"

/* Makes sure that `root` is a directory of a bpffs. Mounts one on /sys/fs/bpf only if nothing is
 * mounted there and this process is in the mount namespace of pid 1; a mount made elsewhere would
 * die with the last process of that namespace, and all pins with it. */
_must_check_ int bpffs_prepare(const char *root, struct diag *d);
